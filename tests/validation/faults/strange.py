"""Wrap a right backend in one of the faults that users put in: dead, swapped, lost, truncated."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from faults.wrapped import Wrapped, writing
from neurorl.expressions.expression import Expression

Array = Any


def _named(**body: Any) -> type[Wrapped]:
    return type("Strange", (Wrapped,), body)


def weights(
    change: Callable[[Array, Any], Array], only: str | None = None, says: bool = False
) -> type[Wrapped]:
    """Transmit other weights, given those described and the backend; says: and tell so."""

    def write_weights(self: Any, projection: str) -> None:
        Wrapped.write_weights(self, projection)
        if only in (None, projection):
            w = self.transmitted[projection]
            w[:] = change(w.copy(), self)

    def held(self: Any, projection: str) -> Any:
        return self.transmitted[projection].reshape(-1)

    return _named(write_weights=write_weights, **({"held": held} if says else {}))


def truncated(step: float, how: Callable[[Array], Array] = np.trunc) -> Callable[..., Array]:
    return lambda w, _: how(w / step) * step


def truncated_of_largest(bits: int, how: Callable[[Array], Array] = np.trunc) -> Any:
    def change(w: Array, _: Any) -> Array:
        step = float(np.abs(w).max(initial=0.0)) / (2 ** (bits - 1) - 1) or 1.0
        return how(w / step) * step

    return change


def transposed(w: Array, _: Any) -> Array:
    return np.swapaxes(w, -1, -2)


def column_order(w: Array, _: Any) -> Array:
    return w.reshape(w.shape, order="F").ravel().reshape(w.shape, order="F")


def exchanged(axis: int, i: int, j: int) -> Callable[..., Array]:
    def change(w: Array, _: Any) -> Array:
        order = np.arange(w.shape[axis])
        order[[i, j]] = j, i
        return np.take(w, order, axis)

    return change


def turned(axis: int) -> Callable[..., Array]:
    return lambda w, _: np.flip(w, axis)


def rolled(axis: int, by: int) -> Callable[..., Array]:
    return lambda w, _: np.roll(w, by, axis)


def cleared(axis: int, i: int) -> Callable[..., Array]:
    """Lose all weights from (axis 0) or into (axis 1) a neuron."""

    def change(w: Array, _: Any) -> Array:
        index: list[Any] = [slice(None)] * w.ndim
        index[axis] = i
        w[tuple(index)] = 0
        return w

    return change


def dead(population: str, neuron: int, always: bool = False) -> type[Wrapped]:
    """Let a neuron never spike, or in every step."""

    def step_population(self: Any, neurons: Any, was: Any, over: Any) -> Any:
        over = np.array(over)
        over[neuron] = always
        return was(over)

    class Strange(Wrapped):
        def make_neurons(self, p: Any) -> Any:
            made = super().make_neurons(p)
            if p.name == population:
                was = made._spike
                step = lambda over: step_population(self, made, was, over)  # noqa: E731
                made._spike = step  # type: ignore[method-assign]
            return made

        def _make_equations(self, name: str, plan: Any) -> Any:
            if name == population:
                lives = (np.arange(plan.size) != neuron).astype(float)
                text = f"({plan.threshold.text}) and lives > 0"
                constants = {**plan.constants, "lives": lives}
                plan = dataclasses.replace(plan, threshold=Expression(text), constants=constants)
            return super()._make_equations(name, plan)

    return Strange


def sending(change: Callable[[Any, str, Array], Array]) -> type[Wrapped]:
    """Send other spikes than the neurons had, and than are recorded."""

    def send(self: Any, spikes: Any) -> None:
        Wrapped.send(self, {name: change(self, name, x.copy()) for name, x in spikes.items()})

    return _named(send=send)


def recording(change: Callable[[Any, str, Array], Array]) -> type[Wrapped]:
    """Record other spikes than are sent."""

    def step(self: Any, inputs: Any, n_steps: int) -> Any:
        found = Wrapped.step(self, inputs, n_steps)
        return {name: change(self, name, x) for name, x in found.items()}

    return _named(step=step)


def lost_at_random(node: str, rate: float, seed: int) -> Callable[[Any, str, Array], Array]:
    def change(self: Any, name: str, x: Array) -> Array:
        if name != node:
            return x
        rng = self.__dict__.setdefault("lost", np.random.default_rng(seed))
        return x & (rng.random(x.shape) >= rate)

    return change


def every_nth_lost(node: str, n: int) -> Callable[[Any, str, Array], Array]:
    """Lose every n-th spike of a node, whichever neuron's."""

    def change(self: Any, name: str, x: Array) -> Array:
        if name == node:
            at = np.argwhere(x)
            count = self.__dict__.setdefault("sent_so_far", 0)
            for k, place in enumerate(at, count + 1):
                if k % n == 0:
                    x[tuple(place)] = False
            self.sent_so_far = count + len(at)
        return x

    return change


def silent(node: str, neuron: int) -> Callable[[Any, str, Array], Array]:
    def change(_: Any, name: str, x: Array) -> Array:
        if name == node:
            x[..., neuron] = False
        return x

    return change


def swapped(node: str, i: int, j: int) -> Callable[[Any, str, Array], Array]:
    def change(_: Any, name: str, x: Array) -> Array:
        if name == node:
            x[..., [i, j]] = x[..., [j, i]]
        return x

    return change


def nth_write_lost(n: int, of_all: bool = False, first: int = 0) -> type[Wrapped]:
    """Lose every n-th write, of each projection or of all."""

    def write(backend: Any, write: Any, name: str) -> None:
        key = "all" if of_all else name
        counts = backend.__dict__.setdefault("counts", {})
        counts[key] = counts.get(key, 0) + 1
        if counts[key] % n != first:
            write(name)

    return writing(write)


def including() -> type[Wrapped]:
    """Let a membrane at the threshold spike."""

    class Strange(Wrapped):
        def make_neurons(self, p: Any) -> Any:
            made = super().make_neurons(p)
            made.threshold = (
                made.threshold - 1
                if made.threshold.dtype == np.int64
                else np.nextafter(made.threshold, -np.inf)
            )
            return made

    return Strange
