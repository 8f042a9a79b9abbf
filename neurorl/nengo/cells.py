"""Define parts of nengo networks that step as neurorl's do; this module imports nengo."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.reference.node import NumpyNode
from neurorl.errors import UnsupportedError
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData

with warnings.catch_warnings(action="ignore"):
    import nengo

Decide = Callable[[FloatArray], npt.ArrayLike]
"""Return the output for an input."""


class _Alike:
    """Keep parts apart that nengo would merge because their parameters are equal."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


class ReferenceCells(_Alike, nengo.neurons.NeuronType):  # type: ignore[misc]
    """Step the neurons of one population, as the reference does, bit for bit.

    neurons: the neurons at the start. Their input is what synapses add, without gain or bias.
    names: nengo's name for each of their variables.
    """

    spiking = True
    probeable = ("output", "voltage")

    def __init__(self, neurons: NumpyNode, names: Mapping[str, str]) -> None:
        super().__init__()
        self._neurons, self._names = neurons, names

    def make_state(
        self, n_neurons: int, rng: object = np.random, dtype: object = None
    ) -> PlainData:
        """Return the variables of all neurons, and the step; nengo keeps them as signals."""
        own = self._neurons
        variables = {name: own.state[x].copy() for x, name in self._names.items()}
        return {**variables, "dead": own.dead.astype(float), "t": np.zeros(1)}

    def max_rates_intercepts(self, gain: Any, bias: Any) -> Any:
        """Return nan: nengo's highest rate of a neuron isn't defined for these."""
        return np.full(len(gain), np.nan), np.full(len(gain), np.nan)

    def rates(self, x: object, gain: object, bias: object) -> Any:
        """Raise UnsupportedError: nothing is decoded from these neurons."""
        what, remedy = "no rates to decode from", "connect ensemble.neurons"
        raise UnsupportedError("neurons of neurorl in nengo", what, remedy=remedy)

    def step(self, dt: float, J: Any, output: Any, **state: Any) -> None:
        """Advance by a step; a spike is 1/dt high, as in nengo."""
        own, t = copy.copy(self._neurons), int(state["t"][0])
        own.dead = state["dead"].astype(np.int64)
        own.state = {x: state[name].copy() for x, name in self._names.items()}
        with np.errstate(all="ignore"):
            spikes = own.update({own.node.inputs[0]: J.copy()}, [t])
        for x, name in self._names.items():
            state[name][...] = own.state[x]
        state["dead"][...] = own.dead
        state["t"][...] = t + 1
        output[...] = spikes / dt


class SpikeDelay(_Alike, nengo.synapses.Synapse):  # type: ignore[misc]
    """Delay spikes by whole steps, as 0 and 1.

    delay: steps, at least 1.
    """

    def __init__(self, delay: int) -> None:
        super().__init__()
        self._delay = delay

    def make_state(
        self, shape_in: Any, shape_out: Any, dt: float, dtype: Any = None, y0: float = 0
    ) -> PlainData:
        """Return the spikes on their way."""
        return {"past": np.zeros((self._delay, *shape_in))}

    def make_step(self, shape_in: Any, shape_out: Any, dt: float, rng: Any, state: Any) -> Any:
        """Return a step function; nengo shows its output one step later."""
        past = state["past"]

        def step(t: float, signal: Any) -> Any:
            past[:-1] = past[1:]
            past[-1] = signal > 0
            return past[0].copy()

        return step


class Playing(_Alike, nengo.Process):  # type: ignore[misc]
    """Let an agent play: a decision every few steps, held until the next one.

    begin: returns a new function from an observation to the output for each simulator.
    """

    def __init__(
        self, begin: Callable[[], Decide], every: int, size_in: int, size_out: int
    ) -> None:
        super().__init__(default_size_in=size_in, default_size_out=size_out)
        self._begin, self._every = begin, every

    def make_step(self, shape_in: Any, shape_out: Any, dt: float, rng: Any, state: Any) -> Any:
        """Return the step function of a new player."""
        decide, every, held = self._begin(), self._every, np.zeros(shape_out)

        def step(t: float, signal: object) -> Any:
            if (round(t / dt) - 1) % every == 0:
                held[:] = decide(np.array(signal))
            return held

        return step
