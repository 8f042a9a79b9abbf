"""Draw the spikes of a source by rates, from the network's own counter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.window import Raster
from neurorl.errors import ArgumentError, quoted
from neurorl.network.limits import refuse_units
from neurorl.numerics.random import DrawRows, Stream

if TYPE_CHECKING:
    from neurorl.backends.base import Backend


class Poisson:
    """Let a source spike by chance, *rates* times a second; an input of `Backend.step`.

    rates: Hz, at most one spike a step; a number, ``(size,)``, or one for each step, ``(n_steps,
    n_replicas * size)``.

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

    def raster(self, backend: Backend, name: str, n_steps: int) -> Raster:
        """Return the spikes of the next steps of a source, ``(n_steps, n_replicas * size)``."""
        network, n = backend.network, backend.n_replicas
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
        drawn = [
            DrawRows(seed, stream, size).rows(backend.simulator.time(k), n_steps)
            for k, seed in enumerate(backend.seeds)
        ]
        return np.asarray(np.concatenate(drawn, axis=1) < chance)


def with_drawn(backend: Backend, inputs: Mapping[str, Any], n_steps: int) -> Mapping[str, Any]:
    """Return inputs in which `Poisson` sources have their spikes. Raises ArgumentError."""
    if not any(isinstance(x, Poisson) for x in inputs.values()):
        return inputs
    spiking = {s.name for s in backend.network.sources if s.name not in backend.network.currents}
    return {
        name: x.raster(backend, name, n_steps) if isinstance(x, Poisson) and name in spiking else x
        for name, x in inputs.items()
    }
