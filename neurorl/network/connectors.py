"""Describe which neurons a projection connects: all, one to one, blocks, random, or listed.

Synapses drawn by chance depend on the connector's seed and on the projection's name, not on the
seed of a simulation: replicas and repetitions of a network have the same synapses.
"""

from __future__ import annotations

import abc
import zlib
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np

from neurorl.errors import DescriptionError, quoted
from neurorl.network.limits import MAX_LISTED, MAX_SIZE, check_limit, refuse_units
from neurorl.network.plasticity import choices, hits
from neurorl.network.serialization import Count, Described, Flag, Range, Share
from neurorl.network.synapse_list import SynapseList, listed
from neurorl.numerics.arrays import Array, Int32Array
from neurorl.numerics.random import derive

Seed = Annotated[int, Range(0, 2**53)]
_DEVIATIONS = 12.0  # standard deviations: so far from its mean a binomial number never is


class Ends(NamedTuple):
    """Hold the sizes of a projection's two ends, whether they are the same node, and its name."""

    name: str
    n_pre: int
    n_post: int
    is_loop: bool

    @property
    def where(self) -> str:
        """Return the beginning of errors."""
        return f"Projection {self.name!r}.connect"

    def seed(self, seed: int) -> int:
        """Return the key of the projection's draws."""
        return derive(seed, zlib.crc32(self.name.encode()))


class Connector(Described):
    """Describe which neurons are connected."""


@dataclass(frozen=True, eq=False)
class AllToAll(Connector):
    """Connect every neuron to every one; weights are ``(n_pre, n_post)``. The default."""


@dataclass(frozen=True, eq=False)
class Blocks(Connector):
    """Connect *n* equal blocks of consecutive neurons, all to all inside; ``(n, pre, post)``."""

    n: Count


@dataclass(frozen=True, eq=False)
class OneToOne(Connector):
    """Connect neuron i to neuron i; blocks of one neuron, so weights are ``(n, 1, 1)``."""


class Sparse(Connector, abc.ABC):
    """Describe synapses that are kept as a list; weights are ``(n_synapses,)``."""

    @abc.abstractmethod
    def counts(self, ends: Ends) -> tuple[int, int]:
        """Return the least and the largest number of synapses that there may be.

        Raises DescriptionError if they can't be made between these ends.
        """

    @abc.abstractmethod
    def make(self, ends: Ends) -> SynapseList:
        """Return the synapses."""


@dataclass(frozen=True, eq=False)
class FixedProbability(Sparse):
    """Connect each pair of neurons independently with probability *p*.

    autapses: whether a neuron may connect to itself. seed: seed of the draws.
    """

    p: Share
    autapses: Flag = True
    seed: Seed = 0

    def counts(self, ends: Ends) -> tuple[int, int]:
        pairs = ends.n_pre * self._width(ends)
        mean = pairs * self.p
        far = _DEVIATIONS * (mean * (1 - self.p)) ** 0.5
        far += _DEVIATIONS if 0 < self.p < 1 else 0.0
        return max(0, int(mean - far)), min(pairs, int(np.ceil(mean + far)))

    def make(self, ends: Ends) -> SynapseList:
        width = self._width(ends)
        pre, post = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)]
        for places in hits(ends.seed(self.seed), ends.n_pre * width, self.p):
            row, column = np.divmod(places, width)
            if width < ends.n_post:
                column += column >= row
            pre.append(row.astype(np.int32))
            post.append(column.astype(np.int32))
        return listed(np.concatenate(pre), np.concatenate(post), (ends.n_pre, ends.n_post))

    def _width(self, ends: Ends) -> int:
        return ends.n_post - (ends.is_loop and not self.autapses)


@dataclass(frozen=True, eq=False)
class _FixedDegree(Sparse):
    """Draw *n* partners for each neuron of one end, see `FixedInDegree`."""

    _draws_pre = False  # by postsynaptic neurons
    n: Annotated[int, Range(1, MAX_SIZE)]
    autapses: Flag = True
    multapses: Flag = False
    seed: Seed = 0

    def counts(self, ends: Ends) -> tuple[int, int]:
        rows, of = self._sides(ends)
        if self.n > of and not (self.multapses and of):
            side = "pre" if self._draws_pre else "post"
            what = f"degree larger than the number of {side}synaptic neurons to choose from"
            remedy = "multapses=True, or a smaller n" if of else "autapses=True"
            raise DescriptionError(ends.where, what, got=self.n, limit=of, remedy=remedy)
        return (rows * self.n,) * 2

    def _sides(self, ends: Ends) -> tuple[int, int]:
        """Return the number of neurons that draw, and of those that one can draw."""
        rows, of = (ends.n_post, ends.n_pre) if self._draws_pre else (ends.n_pre, ends.n_post)
        return rows, of - (ends.is_loop and not self.autapses)

    def drawn(self, ends: Ends, rows: slice = slice(None)) -> Any:
        """Yield, in chunks, what *rows* draw, ``(k, n)``, and these rows' numbers, ``(k, 1)``."""
        n_rows, of = self._sides(ends)
        numbers, first = np.arange(n_rows)[rows], 0
        for chosen in choices(ends.seed(self.seed), numbers, self.n, of, repeats=self.multapses):
            own = numbers[first : first + len(chosen), None]
            if ends.is_loop and not self.autapses:
                chosen += chosen >= own
            yield own, chosen
            first += len(chosen)


@dataclass(frozen=True, eq=False)
class FixedInDegree(_FixedDegree):
    """Draw *n* presynaptic neurons for each postsynaptic one.

    autapses: whether a neuron may connect to itself. multapses: whether two neurons may have
    several synapses; if not, the *n* partners of a neuron differ. seed: seed of the draws.
    """

    _draws_pre = True

    def make(self, ends: Ends) -> SynapseList:
        places = np.empty(ends.n_post * self.n, dtype=np.int64)
        at = 0
        for own, chosen in self.drawn(ends):
            places[at : at + chosen.size] = (chosen * ends.n_post + own).ravel()
            at += chosen.size
        places.sort()
        post = np.empty(len(places), dtype=np.int32)
        np.remainder(places, ends.n_post, out=post, casting="unsafe")
        places //= ends.n_post
        return listed(places, post, (ends.n_pre, ends.n_post))


@dataclass(frozen=True, eq=False)
class FixedOutDegree(_FixedDegree):
    """Draw *n* postsynaptic neurons for each presynaptic one; options as in `FixedInDegree`."""

    def make(self, ends: Ends) -> SynapseList:
        post = np.empty((ends.n_pre, self.n), dtype=np.int32)
        for own, chosen in self.drawn(ends):
            post[own[0, 0] : own[-1, 0] + 1] = chosen
        start = np.arange(ends.n_pre + 1, dtype=np.int64) * self.n
        return SynapseList(start, post.ravel(), ends.n_post)


@dataclass(frozen=True, eq=False)
class Synapses(Sparse):
    """List synapses: the k-th is from neuron ``pre[k]`` to neuron ``post[k]``.

    A projection sorts them, and its weights and delays for each, by *pre*, then by *post*.
    multapses: whether two neurons may have several synapses; they keep their order.
    """

    pre: Annotated[Any, _indices]
    post: Annotated[Any, _indices]
    multapses: Flag = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.pre) != len(self.post):
            got = f"{len(self.pre)} and {len(self.post)}"
            raise DescriptionError("Synapses", "pre and post are of two lengths", got=got)

    def order(self) -> Array | None:
        """Return the numbers of the synapses in a projection's order; None if they are in order."""
        step, then = np.diff(self.pre), np.diff(self.post)
        if not ((step < 0) | ((step == 0) & (then < 0))).any():
            return None
        return np.asarray(np.lexsort((self.post, self.pre)))

    def counts(self, ends: Ends) -> tuple[int, int]:
        for end, size in (("pre", ends.n_pre), ("post", ends.n_post)):
            largest = int(getattr(self, end).max(initial=-1))
            if largest >= size:
                what = f"{end} names a neuron that isn't there"
                raise DescriptionError(ends.where, what, got=largest, limit=f"0 to {size - 1}")
        if not self.multapses:
            again = np.flatnonzero((np.diff(self.pre) == 0) & (np.diff(self.post) == 0))
            if len(again):
                pair = f"{self.pre[again[0]]} to {self.post[again[0]]}"
                what, remedy = "two synapses of the same neurons", "multapses=True"
                raise DescriptionError(ends.where, what, got=pair, remedy=remedy)
        return (len(self.pre),) * 2

    def make(self, ends: Ends) -> SynapseList:
        return listed(self.pre, self.post, (ends.n_pre, ends.n_post))


@dataclass(frozen=True, eq=False)
class Copies(Sparse):
    """Repeat the synapses of a network in each of *copies* replicas, side by side."""

    of: SynapseList
    copies: int

    def counts(self, ends: Ends) -> tuple[int, int]:
        return (len(self.of) * self.copies,) * 2

    def make(self, ends: Ends) -> SynapseList:
        return self.of.tiled(self.copies)


def check_count(connector: Sparse, ends: Ends) -> tuple[int, int]:
    """Return `Sparse.counts`. Raises DescriptionError for more synapses than a list may have."""
    counts = connector.counts(ends)
    check_limit(ends.where, "synapses", counts[1], MAX_LISTED)
    return counts


def _indices(where: str, value: Any) -> Int32Array:
    """Return a read-only copy of whole numbers, 0 to `MAX_SIZE` - 1, of one dimension."""
    refuse_units(where, value)
    try:
        array = np.asarray(value)
    except ValueError as exc:
        raise DescriptionError(where, "not whole numbers", got=quoted(value)) from exc
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        what, kind = "not a list of whole numbers", f"{array.dtype}, shape {array.shape}"
        raise DescriptionError(where, what, got=kind)
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < 0 or high >= MAX_SIZE:
        got, limit = low if low < 0 else high, f"0 to {MAX_SIZE - 1}"
        raise DescriptionError(where, "out of range", got=got, limit=limit)
    indices = array.astype(np.int32)
    indices.setflags(write=False)
    return indices
