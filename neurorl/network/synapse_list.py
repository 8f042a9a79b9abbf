"""Hold the synapses of a sparse projection as lists, by presynaptic neuron."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import Array, BoolArray, FloatArray, Int32Array, IntArray

CHUNK = 2**18
"""Work on this many synapses at once, so that intermediate results stay small."""


@dataclass(frozen=True, eq=False)
class SynapseList:
    """List synapses sorted by presynaptic, then by postsynaptic neuron.

    start: ``(n_pre + 1,)``, int64; presynaptic neuron i has the synapses ``start[i]`` to
        ``start[i + 1] - 1``.
    post: postsynaptic neuron of each synapse, ``(n_synapses,)``, int32.
    n_post: number of postsynaptic neurons.

    The arrays are read-only.
    """

    start: IntArray
    post: Int32Array
    n_post: int

    def __post_init__(self) -> None:
        for array in (self.start, self.post):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.post)

    @property
    def n_pre(self) -> int:
        """Return the number of presynaptic neurons."""
        return len(self.start) - 1

    @property
    def pre(self) -> Int32Array:
        """Return the presynaptic neuron of each synapse, a new array."""
        return np.repeat(np.arange(self.n_pre, dtype=np.int32), np.diff(self.start))

    def of(self, neurons: npt.NDArray[np.intp]) -> IntArray:
        """Return the numbers of the synapses of some presynaptic neurons, one after the other."""
        first, counts = self.start[neurons], np.diff(self.start)[neurons]
        before = np.cumsum(counts) - counts
        # All neurons' ranges first, first + 1, ... at once, without a loop.
        return np.repeat(first - before, counts) + np.arange(counts.sum())

    def sums(self, values: Array) -> FloatArray:
        """Return for each postsynaptic neuron the sum of its synapses' *values*, ``(n_post,)``.

        It is exact, whatever the order, if *values* lie on a grid.
        """
        return np.bincount(self.post, values, self.n_post).astype(np.float64, copy=False)

    def has_multapses(self) -> bool:
        """Return whether two neurons have several synapses."""
        return any(repeats(places).any() for _, places in self.chunks())

    def chunks(self) -> Iterator[tuple[slice, IntArray]]:
        """Yield slices of about `CHUNK` synapses, whole presynaptic neurons each, and their places.

        A place is ``pre * n_post + post``, as in a matrix.
        """
        row = 0
        while row < self.n_pre:
            reach = self.start[row] + CHUNK
            last = max(row + 1, int(np.searchsorted(self.start, reach, "right")) - 1)
            part = slice(int(self.start[row]), int(self.start[last]))
            pre = np.repeat(np.arange(row, last), np.diff(self.start[row : last + 1]))
            yield part, pre * np.int64(self.n_post) + self.post[part]
            row = last

    def dense(self, values: Array) -> FloatArray:
        """Return a matrix ``(n_pre, n_post)`` of *values*, summed where there are several, else 0.

        For small projections only.
        """
        matrix = np.zeros((self.n_pre, self.n_post))
        np.add.at(matrix, (self.pre, self.post), values)
        return matrix

    def part(self, chosen: BoolArray) -> tuple[SynapseList, npt.NDArray[np.intp]]:
        """Return a list of the *chosen* synapses only, and their numbers in this list."""
        numbers = np.flatnonzero(chosen)
        start = np.searchsorted(numbers, self.start)
        return SynapseList(start, self.post[numbers], self.n_post), numbers

    def tiled(self, copies: int) -> SynapseList:
        """Return the synapses of *copies* equal networks side by side."""
        n, k = len(self), np.arange(copies)
        starts = (self.start[:-1] + n * k[:, None]).ravel()
        post = (self.post + (self.n_post * k[:, None]).astype(np.int32)).ravel()
        return SynapseList(np.append(starts, n * copies), post, self.n_post * copies)


def repeats(places: IntArray) -> IntArray:
    """Return each synapse's number among synapses of the same place, from 0; *places* in order."""
    again = np.arange(len(places))
    is_new = np.ones(len(places), dtype=bool)
    is_new[1:] = places[1:] != places[:-1]
    return np.asarray(again - np.maximum.accumulate(np.where(is_new, again, 0)))


def listed(
    pre: npt.NDArray[np.integer[Any]], post: Int32Array, sizes: tuple[int, int]
) -> SynapseList:
    """Return the list of synapses that are sorted already; *sizes*: ``(n_pre, n_post)``."""
    start = np.zeros(sizes[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(pre, minlength=sizes[0]), out=start[1:])
    return SynapseList(start, post, sizes[1])
