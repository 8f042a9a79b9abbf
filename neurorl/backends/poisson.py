"""Draw the spikes of a source by rates, from the network's own counter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.window import Raster
from neurorl.errors import ArgumentError, check_mapping, quoted
from neurorl.network.description import Network
from neurorl.network.limits import refuse_units
from neurorl.numerics.random import DrawRows, Stream

Replicas = Sequence[tuple[int, int]]


class Poisson:
    """Let a source spike by chance, *rates* times a second; an input of `Backend.step`.

    rates: Hz, at most one spike a step; a number, ``(size,)``, or one for each step,
    ``(n_steps, n_replicas * size)``.

    Draws depend on the seed of a replica, the source and the number of the step alone, so they are
    equal on every backend, however steps are cut into windows, and go on after `Backend.restore`.
    """

    def __init__(self, rates: npt.ArrayLike) -> None:
        refuse_units("Poisson.rates", rates)
        array = np.asarray(rates)
        if array.dtype.kind not in "fiu" or not np.isfinite(array).all() or (array < 0).any():
            got, limit = quoted(rates), "numbers from 0 up"
            raise ArgumentError("Poisson.rates", "are no rates", got=got, limit=limit)
        self.rates = array.astype(np.float64)

    def of_steps(self, first: int, last: int) -> Poisson:
        """Return the rates of steps *first* to *last* - 1 of a longer window."""
        return Poisson(self.rates[first:last]) if self.rates.ndim == 2 else self

    def raster(self, network: Network, name: str, replicas: Replicas, n_steps: int) -> Raster:
        """Return the spikes of the next steps of a source, ``(n_steps, n_replicas * size)``.

        replicas: seed, and steps that were made, of each.
        """
        n = len(replicas)
        size, stream = network.node(name).size, Stream.POISSON + network.index(name)
        shape, where = (n_steps, n * size), f"input {name!r}"
        chance = self.rates * network.dt
        if chance.max(initial=0.0) > 1.0:
            got, limit = float(self.rates.max()), f"{1.0 / network.dt:g} Hz, one in each step"
            raise ArgumentError(where, "rate too high", got=got, limit=limit)
        if chance.shape == (size,):
            chance = np.tile(chance, n)
        if chance.shape not in ((), (n * size,), shape):
            limits = f"a number, ({size},) or {shape}"
            raise ArgumentError(where, "wrong shape", got=chance.shape, limit=limits)
        drawn = [DrawRows(seed, stream, size).rows(t, n_steps) for seed, t in replicas]
        return np.asarray(np.concatenate(drawn, axis=1) < chance)


def with_drawn(
    inputs: Mapping[str, Any], network: Network, replicas: Replicas, n_steps: int
) -> Mapping[str, Any]:
    """Return inputs in which `Poisson` sources have their spikes; as `Poisson.raster` says.

    Raises ArgumentError.
    """
    check_mapping("inputs", inputs)
    spiking = {s.name for s in network.sources if s.name not in network.analog}
    drawn = {
        name: x.raster(network, name, replicas, n_steps)
        for name, x in inputs.items()
        if isinstance(x, Poisson) and name in spiking
    }
    return {**inputs, **drawn}
