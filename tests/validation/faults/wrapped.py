"""Put mistakes into copies of the reference, in either arithmetic, in all kinds of networks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from stepwise import SteppedSimulator

from neurorl.backends.simulated import SimulatedNetwork


class Wrapped(SteppedSimulator):
    """Name a reference otherwise; weights come to it by `set_weights`."""

    name: ClassVar[str] = "wrapped"

    def memory(self, projection: str) -> None:
        return None


def of_neurons(
    change: Callable[[Any], None] | None = None, only: str | None = None, **methods: Any
) -> type[Wrapped]:
    """Give populations (one, or all) other methods, or change their neurons once made.

    A method gets the neurons, the method it takes the place of, and its arguments.
    """

    class Mistaken(Wrapped):
        def make_neurons(self, population: Any) -> Any:
            made = super().make_neurons(population)
            if only not in (None, population.name):
                return made
            if change is not None:
                change(made)
            for name, method in methods.items():
                setattr(made, name, _bound(made, getattr(made, name), method))
            return made

    return Mistaken


def _bound(neurons: Any, was: Any, method: Any) -> Any:
    return lambda *arguments: method(neurons, was, *arguments)


def parameters(only: str | None = None, **changes: Callable[[Any], Any]) -> type[Wrapped]:
    """Give other parameters, of `Integrator` or of the chip's population."""

    def change(neurons: Any) -> None:
        which = "_chip" if hasattr(neurons, "_chip") else "_d"
        now = getattr(neurons, which)
        new = {name: f(getattr(now, name)) for name, f in changes.items() if hasattr(now, name)}
        setattr(neurons, which, dataclasses.replace(now, **new))
        if "threshold" in new:
            neurons.threshold = new["threshold"]

    class Mistaken(of_neurons(change, only)):  # type: ignore[misc]
        def write_bias(self, population: str, bias: Any) -> None:
            super().write_bias(population, changes.get("bias", np.asarray)(bias))

    return Mistaken


def transmitting(change: Callable[[Any], Any], only: str | None = None) -> type[Wrapped]:
    """Transmit other weights than those in force."""

    class Mistaken(Wrapped):
        def write_weights(self, projection: str) -> None:
            super().write_weights(projection)
            if only in (None, projection):
                self.transmitted[projection][:] = change(self.transmitted[projection])

    return Mistaken


def stepping(before: Callable[[Any], None], after: Callable[[Any], None]) -> type[Wrapped]:
    """Do something as a call of `step` begins and as it ends."""

    class Mistaken(Wrapped):
        def step(self, inputs: Any, n_steps: int) -> Any:
            before(self)
            found = super().step(inputs, n_steps)
            after(self)
            return found

    return Mistaken


def resetting(reset: Callable[[Any, Sequence[int]], None]) -> type[Wrapped]:
    """Reset otherwise."""
    return type("Mistaken", (Wrapped,), {"reset": reset})


def writing(write: Callable[[Any, Any, str], None]) -> type[Wrapped]:
    """Write otherwise, given the backend, the method that writes, and the projection."""

    class Mistaken(Wrapped):
        built = False

        def build(self, simulated: SimulatedNetwork) -> None:
            super().build(simulated)
            self.built = True
            self.first = {name: w.copy() for name, w in simulated.weights.items()}

        def write_weights(self, projection: str) -> None:
            if self.built:
                write(self, super().write_weights, projection)
            else:
                super().write_weights(projection)

    return Mistaken


def nothing(_: Any) -> None:
    """Do nothing."""


def forget_spikes(backend: Any) -> None:
    """Drop the spikes in flight."""
    for spikes in backend.spikes.values():
        spikes[:] = False


def half(x: Any) -> Any:
    return np.asarray(x / 2)
