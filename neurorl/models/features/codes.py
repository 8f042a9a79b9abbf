"""Give states, or bins of dimensions, codes of some active channels, in lexicographic order."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models.features.base import RangeFeatures
from neurorl.models.features.states import OfState, Start
from neurorl.network.limits import MAX_FEATURES, MAX_TABLE, check_limit
from neurorl.network.serialization import Count, Range
from neurorl.numerics.arrays import FloatArray

_MAX_CHANNELS = 4096  # so that the number of codes has few digits


@dataclass(frozen=True, eq=False)
class Combinations(OfState):
    """Give each state the code of its rank: which *active* of *channels* cells are 1. Cells.

    n: states, numbered from *start*. groups: if more than 1, a state is a combination of so many
    different codes, one in each group of *channels* cells. Ranks follow lexicographic order, so
    neighbours share most cells. The papers' gridworld has 3 groups of 2 active among 5. Raises
    DescriptionError if ``C(C(channels, active), groups) < n``.
    Source: the code of arXiv:1910.06489, which writes -1 for 0.
    """

    n: Annotated[int, Range(1, MAX_FEATURES)]
    active: Count
    channels: Annotated[int, Range(1, _MAX_CHANNELS)]
    start: Start = 0
    groups: Annotated[int, Range(1, 64)] = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        codes = _count_codes("Combinations", self.active, self.channels)
        _check_enough("Combinations.n", self.n, math.comb(codes, self.groups))
        check_limit("Combinations", "activations", self.n * self.size, MAX_TABLE)

    @property
    def size(self) -> int:
        return self.groups * self.channels

    @property
    def n_states(self) -> int:
        return self.n

    def row(self, index: int) -> FloatArray:
        return np.asarray(self.table[index])

    @functools.cached_property
    def table(self) -> FloatArray:
        """Return the codes of all states, ``(n, size)``."""
        # Of the n first combinations, none has a code beyond that of rank n + groups - 2.
        needed = min(self.n + self.groups - 1, math.comb(self.channels, self.active))
        codes = _code_table(needed, self.active, self.channels)
        chosen = itertools.combinations(range(needed), self.groups)
        ranks = np.array(list(itertools.islice(chosen, self.n)))
        return np.asarray(codes[ranks].reshape(self.n, self.size))


@dataclass(frozen=True, eq=False)
class BinnedCombinations(RangeFeatures):
    """Give each dimension's bin the code of its rank, one after the other. Cells, 0 or 1.

    bins: equal bins along a dimension, ``floor(bins unit)``; the last includes its upper end.
    active, channels: a bin's code says which *active* of a dimension's *channels* cells are 1, as
    in `Combinations`. Raises DescriptionError if ``C(channels, active) < bins``.
    Source: the code of arXiv:1910.06489, which codes each dimension by itself, in as many bins as
    channels; half of these are active, and it writes -1 for 0.
    """

    bins: Annotated[int, Range(1, MAX_FEATURES)] = 10
    active: Count = 5
    channels: Annotated[int, Range(1, _MAX_CHANNELS)] = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        codes = _count_codes("BinnedCombinations", self.active, self.channels)
        self._check_size()
        _check_enough("BinnedCombinations.bins", self.bins, codes)
        check_limit("BinnedCombinations", "codes", self.bins * self.channels, MAX_TABLE)

    @property
    def size(self) -> int:
        return len(self.low) * self.channels

    def values(self, flat: FloatArray) -> FloatArray:
        index = np.floor(self.unit(flat) * self.bins).astype(np.int64)
        codes = self.table[np.minimum(index, self.bins - 1)]
        return np.asarray(codes.reshape(*flat.shape[:-1], self.size))

    of_all = values

    @functools.cached_property
    def table(self) -> FloatArray:
        """Return the codes of all bins, ``(bins, channels)``."""
        return _code_table(self.bins, self.active, self.channels)


def _code_table(n: int, active: int, channels: int) -> FloatArray:
    """Return the first *n* choices of *active* channels in order: ``(n, channels)``."""
    chosen = itertools.islice(itertools.combinations(range(channels), active), n)
    table = np.zeros((n, channels))
    np.put_along_axis(table, np.array(list(chosen)), 1.0, axis=1)
    return table


def _count_codes(where: str, active: int, channels: int) -> int:
    """Return how many codes there are. Raises DescriptionError for too few channels."""
    if active > channels:
        what = "more active channels than there are"
        raise DescriptionError(f"{where}.active", what, got=active, limit=channels)
    return math.comb(channels, active)


def _check_enough(where: str, n: int, codes: int) -> None:
    """Raise DescriptionError for more things than codes."""
    if n > codes:
        remedy = "more channels, or half of them active"
        raise DescriptionError(where, "more than codes", got=n, limit=codes, remedy=remedy)
