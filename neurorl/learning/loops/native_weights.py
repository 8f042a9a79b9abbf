"""Hold the weights that the loop in C++ learns, in the simulator's memory or our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend
from neurorl.learning.allocation import zeros_on_lines
from neurorl.learning.levels import Levels
from neurorl.learning.memory import Memory
from neurorl.numerics.arrays import Array

__all__ = ["NativeWeights"]


class NativeWeights:
    """Hold weights where C reads and writes them.

    memory: of the loop. kinds: by projection, the levels of weights that learn in float arithmetic.

    levels: by projection in *kinds*, the numbers of the levels, which take the place of
    ``memory.weights``, ``(N, *shape)``. lent: by projection, the simulator's memory of transmitted
    weights, None where it has none or reads levels. Weights that it reads neither way have to be
    told.
    """

    def __init__(self, backend: Backend, memory: Memory, kinds: Mapping[str, Levels]) -> None:
        self._backend, self._memory, self._kinds = backend, memory, kinds
        projections = {p.name: p for p in backend.network.projections}
        self._masked = {name for name in memory.weights if projections[name].mask is not None}
        read = {name: self._borrow(name) for name in kinds}
        self.levels = {name: self._hold(name, levels) for name, levels in read.items()}
        self.lent = {
            name: None
            if name in self._masked or read.get(name) is not None
            else backend.transmitted(name)
            for name in memory.weights
        }
        self._is_stale = False  # whether levels may have changed since memory had them
        self._told = [n for n, lent in self.lent.items() if lent is None and read.get(n) is None]

    def settle(self, k: int | None = None) -> None:
        """Bring the weights of memory up to date, unless they were: they may be changed since.

        k: of one agent, whose weights may be read; others can be changed only after all are. None
        is all.
        """
        for name in self.levels if self._is_stale else ():
            self._settle(name, slice(None) if k is None else k)
        self._is_stale &= k is not None

    def differ(self) -> bool:
        """Return whether somebody has changed the weights of memory since `settle`."""
        if self._is_stale:
            return False
        units = ((name, levels, self._kinds[name].unit) for name, levels in self.levels.items())
        return any(
            not np.array_equal(n * unit, self._memory.weights[name]) for name, n, unit in units
        )

    def lend(self) -> dict[str, Array]:
        """Return the arrays in which weights learn, for the caller to change."""
        self._is_stale = bool(self.levels)
        return {**self._memory.weights, **self.levels}

    def take(self) -> None:
        """Take the weights of memory, which are in force."""
        for name in self.levels:
            self._take(name)
        self._is_stale = False

    def tell(self, write: Callable[[str], None]) -> None:
        """Put in force what has been learned and the simulator doesn't read here, by *write*."""
        self._is_stale = True
        for name in self._told:
            if name in self.levels:
                self._settle(name)
            write(name)
            if name in self.levels and name in self._masked:
                self._take(name)

    def _settle(self, name: str, agents: slice | int = slice(None)) -> None:
        weights, unit = self._memory.weights[name], self._kinds[name].unit
        np.multiply(self.levels[name][agents], unit, out=weights[agents])

    def _take(self, name: str) -> None:
        if self._borrow(name) is None:  # else the simulator has taken them
            self._fill(self.levels[name], name)

    def _fill(self, levels: npt.NDArray[np.int32], name: str) -> None:
        levels[...] = self._memory.weights[name] * (1.0 / self._kinds[name].unit)

    def _borrow(self, name: str) -> npt.NDArray[np.int32] | None:
        if name in self._masked:
            return None
        return self._backend.levels(name, self._kinds[name].unit)

    def _hold(self, name: str, lent: npt.NDArray[np.int32] | None) -> Array:
        shape = self._memory.weights[name].shape
        if lent is not None:
            return lent.reshape(shape)
        own = zeros_on_lines(shape, np.int32)
        self._fill(own, name)
        return own
