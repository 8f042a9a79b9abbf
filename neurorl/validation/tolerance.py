"""Say what counts as equal, as near enough, and as different."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from neurorl.network.description import Population

VERDICTS = ("exact", "within", "different")


class Bounded:
    """Judge differences by the fields of a class derived from this."""

    def verdict(self, equal: bool, exact: bool, difference: float, limit: str) -> str:
        """Return ``'exact'`` if *equal*; else judge *difference*, ``'within'`` only if not *exact*.

        exact: whether the backends promise to be equal. limit: name of the field that applies.
        """
        if equal:
            return "exact"
        return "within" if not exact and difference <= getattr(self, limit) else "different"


@dataclass(frozen=True)
class Tolerance(Bounded):
    """Set how far backends of different arithmetics may differ; equal arithmetics must agree.

    rate: difference of a population's mean rates, relative to the larger one.
    decisions: share of decisions that may differ.
    membrane: median difference of a membrane, in thresholds (or noise widths, if larger).
    weights: largest difference of effective weights before learning, in the coarser quanta.
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


def worst(verdicts: Iterable[str]) -> str:
    """Return the worst of several verdicts; ``'exact'`` for none."""
    return max(verdicts, key=VERDICTS.index, default="exact")


def membrane_scale(population: Population, dt: float) -> float:
    """Return the largest threshold or noise width, in the description's units; 1 if all are 0.

    It is 1 for neurons by equations, which may be in any units.
    """
    if not population.is_integrator(dt):
        return 1.0
    d = population.integrator(dt)
    return max(float(np.abs(d.threshold).max()), float(d.noise_width.max())) or 1.0
