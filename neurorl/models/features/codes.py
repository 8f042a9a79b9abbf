"""List the codes that have a given number of active channels, in lexicographic order."""

from __future__ import annotations

import itertools
import math

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.network.serialization import positive
from neurorl.numerics.arrays import FloatArray

__all__ = ["check_enough", "code_table", "count_codes"]

_MAX_CHANNELS = 4096  # so that the number of codes has few digits


def code_table(n: int, active: int, channels: int) -> FloatArray:
    """Return the first *n* choices of *active* channels in order: ``(n, channels)``."""
    chosen = itertools.islice(itertools.combinations(range(channels), active), n)
    table = np.zeros((n, channels))
    np.put_along_axis(table, np.array(list(chosen)), 1.0, axis=1)
    return table


def count_codes(where: str, active: int, channels: int) -> int:
    """Return how many codes there are. Raises DescriptionError for impossible channels."""
    positive(f"{where}.channels", channels, most=_MAX_CHANNELS)
    if positive(f"{where}.active", active) > channels:
        what = "more active channels than there are"
        raise DescriptionError(f"{where}.active", what, got=active, limit=channels)
    return math.comb(channels, active)


def check_enough(where: str, n: int, codes: int) -> None:
    """Raise DescriptionError for more things than codes."""
    if n > codes:
        remedy = "more channels, or half of them active"
        raise DescriptionError(where, "more than codes", got=n, limit=codes, remedy=remedy)
