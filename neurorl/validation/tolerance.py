"""What counts as equal, as near enough, and as different."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["VERDICTS", "Tolerance", "worst"]

VERDICTS = ("exact", "within", "different")


@dataclass(frozen=True)
class Tolerance:
    """How far two lanes may differ whose arithmetics differ; where they are the same, not at all.

    rate: of the mean rate of a population, relative to the larger one.
    decisions: share of decisions that may differ.
    membrane: median difference of a membrane, in thresholds (or noise widths, if larger).
    learned: distance of learned numbers, ``|a - b| / |a|`` of the whole array.
    returns: difference of mean returns, in standard errors of that difference.
    """

    rate: float = 0.05
    decisions: float = 0.1
    membrane: float = 0.1
    learned: float = 0.25
    returns: float = 3.0

    def verdict(self, equal: bool, exact: bool, difference: float, limit: str) -> str:
        """``'exact'`` if *equal*; else by *difference*, and never ``'within'`` where all must be.

        exact: whether the lanes promise to be equal. limit: name of the field that applies.
        """
        if equal:
            return "exact"
        return "within" if not exact and difference <= getattr(self, limit) else "different"


def worst(verdicts: Iterable[str]) -> str:
    """The verdict on a whole; ``'exact'`` on nothing."""
    return max(verdicts, key=VERDICTS.index, default="exact")
