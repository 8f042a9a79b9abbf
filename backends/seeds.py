"""The seed of a backend, or one for each of its replicas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurorl.errors import ArgumentError, say

__all__ = ["check_seeds"]


def check_seeds(seed: int | Sequence[int]) -> tuple[int, ...]:
    """All seeds. Raises ArgumentError if one is no whole number of 63 bits, or if there is none."""
    if isinstance(seed, (int, np.integer)):
        return (_check_seed(seed),)
    try:
        seeds = tuple(seed)
    except TypeError:
        seeds = (seed,)  # type: ignore[assignment]  # refused by its kind
    if not seeds:
        raise ArgumentError(say("seed", "a sequence of seeds is empty", limit="1 or more"))
    return tuple(_check_seed(one) for one in seeds)


def _check_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ArgumentError(
            say("seed", "must be a whole number", got=repr(seed), limit="0 to 2**63-1")
        )
    return int(seed)
