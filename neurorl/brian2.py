"""Read a network of Brian2: `from_brian2`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurorl.backends.poisson import Poisson
from neurorl.backends.spike_times import SpikeTimes
from neurorl.errors import BackendUnavailableError
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array
from neurorl.rules import SynapseRule

__all__ = ["FromBrian2", "from_brian2"]


@dataclass(frozen=True)
class FromBrian2:
    """Hold a network that was read, the rules of the projections that learn, and its input.

    spikes: by source, neuron and step of each spike, and after how many steps these come again, 0
    for never. rates: of Poisson sources, in Hz.
    """

    network: Network
    rules: Mapping[str, SynapseRule]
    spikes: Mapping[str, tuple[Array, Array, int]]
    rates: Mapping[str, Array | float]

    def inputs(self, n_steps: int) -> dict[str, SpikeTimes | Poisson]:
        """Return the input of the first steps, as `Backend.step` and `step_times` take it."""
        made: dict[str, SpikeTimes | Poisson] = {x: Poisson(r) for x, r in self.rates.items()}
        for name, (i, steps, period) in self.spikes.items():
            starts = np.arange(0, n_steps, period) if period else np.zeros(1, dtype=np.int64)
            t = (starts[:, None] + steps).ravel()
            who, seen = np.tile(i, len(starts)), t < n_steps
            size = self.network.node(name).size
            made[name] = SpikeTimes(who[seen], t[seen], size, n_steps)
        return made


def from_brian2(network: object, namespace: Mapping[str, object] | None = None) -> FromBrian2:
    """Return the description of a `brian2.Network`, or of its objects, that hasn't run yet.

    Initial values, weights and delays are those that the objects have now, numbers are SI. Every
    spike is Brian2's on the same input; noise, `PoissonGroup` and `PoissonInput` follow the same
    law by other draws. Synapses that set their weight have a `SynapseRule`, in ``rules`` by
    projection.
    namespace: what names outside of objects mean, as of ``Network.run``; None takes the caller's.

    Raises UnsupportedError for what isn't held, with the object, the line and what to do, and
    BackendUnavailableError without Brian2.
    """
    if namespace is None:
        frame = inspect.currentframe()
        caller = frame.f_back if frame is not None else None
        namespace = {**caller.f_globals, **caller.f_locals} if caller is not None else {}
    try:
        from neurorl.backends.brian2.networks import read
        from neurorl.backends.brian2.simulator import translated
    except ImportError as exc:
        raise BackendUnavailableError(
            "from_brian2", "Brian2 can't be imported", got=exc, remedy="pip install brian2"
        ) from exc
    with translated("can't read the network"):
        return FromBrian2(*read(network, dict(namespace)))
