"""Say what counts as equal, as near enough, and as different."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["VERDICTS", "Tolerance", "worst"]

VERDICTS = ("exact", "within", "different")


@dataclass(frozen=True)
class Tolerance:
    """Says how far backends of different arithmetics may differ; of the same, not at all.

    rate: of the mean rate of a population, relative to the larger one.
    decisions: share of decisions that may differ.
    membrane: median difference of a membrane, in thresholds (or noise widths, if larger).
    weights: largest distance of weights in force before learning, in the coarser backend's quanta.
    learned: root mean square difference of learned numbers while both agents decide alike, in full
    scales: a weight's bound, or the largest trace or eligibility so far.
    returns: difference of mean returns, in standard errors of that difference; needs 5 episodes.
    """

    rate: float = 0.05
    decisions: float = 0.2
    membrane: float = 0.1
    weights: float = 0.5
    learned: float = 0.5
    returns: float = 3.0

    def verdict(self, equal: bool, exact: bool, difference: float, limit: str) -> str:
        """Return ``'exact'`` if *equal*; else judge *difference*, ``'within'`` only if not *exact*.

        exact: whether the backends promise to be equal. limit: name of the field that applies.
        """
        if equal:
            return "exact"
        return "within" if not exact and difference <= getattr(self, limit) else "different"


def worst(verdicts: Iterable[str]) -> str:
    """Return the verdict on a whole; ``'exact'`` on nothing."""
    return max(verdicts, key=VERDICTS.index, default="exact")
