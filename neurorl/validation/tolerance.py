"""Say what counts as equal, as near enough, and as different, and how far spike trains are apart.

The SPIKE distance is PySpike's (``pip install 'neurorl[validate]'``), van Rossum's in closed form;
`tests/validation/test_trains.py` holds it to Elephant's. In rows of spikes both describe a
difference, and no verdict hangs on them.
"""

from __future__ import annotations

import functools
import importlib
import math
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from neurorl.backends.base import Raster
from neurorl.network.description import Population
from neurorl.storage.plain import PlainData

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


WIDE_TAU_STEPS = 20.0
"""Set the time constant of van Rossum's kernel ``exp(-t / tau)``, in steps."""


@dataclass(frozen=True)
class Limits(Bounded):
    """Set how far another simulator's own neurons may be from the description's.

    rate: difference of a population's mean rates, relative to the larger one. times: share of the
    spikes of both without a counterpart within one step. van_rossum: distance as a part of the
    distance to silence; the limit is that of a lone spike that comes one step late. decisions:
    share that differs.
    """

    rate: float = 0.02
    times: float = 0.05
    van_rossum: float = round(math.sqrt(2 * (1 - math.exp(-1 / WIDE_TAU_STEPS))), 3)
    decisions: float = 0.05


class TrainMeasure(NamedTuple):
    """Hold one measure of a population: the field of `Limits` that applies, and what it is."""

    quantity: str
    limit: str
    difference: float
    more: PlainData


def measured(ours: Raster, theirs: Raster) -> Iterator[TrainMeasure]:
    """Yield the three measures of two rasters ``(steps, n)``."""
    a, b = int(ours.sum()), int(theirs.sum())
    yield TrainMeasure("rate", "rate", abs(a - b) / max(a, b, 1), {"spikes_a": a, "spikes_b": b})
    moved = unmatched(ours, theirs)
    more = {"unmatched": moved, "differing_spikes": int((ours != theirs).sum())}
    yield TrainMeasure("spike times", "times", moved / max(a + b, 1), more)
    silence = van_rossum(ours, np.zeros_like(ours))
    apart = van_rossum(ours, theirs)
    share = apart / silence if silence else (math.inf if apart else 0.0)
    kernel = {"distance": apart, "tau_steps": WIDE_TAU_STEPS}
    yield TrainMeasure("van Rossum", "van_rossum", share, kernel)


def unmatched(ours: Raster, theirs: Raster) -> int:
    """Return how many spikes of both have no counterpart, within a step, of their own."""
    lone = 0
    waiting = np.zeros((2, ours.shape[1]), dtype=bool)  # of the step before: ours, theirs
    for now in zip(ours, theirs, strict=True):
        spikes = np.array(now)
        late = waiting & spikes[::-1]  # one that waits meets one of the other's
        lone += int((waiting & ~late).sum())
        left = spikes & ~late[::-1]
        waiting = left & ~(left[0] & left[1])
    return lone + int(waiting.sum())


def van_rossum(ours: Raster, theirs: Raster, tau: float = WIDE_TAU_STEPS) -> float:
    """Return the distance of van Rossum 2001, the mean of the neurons; one spike is 1.

    tau: in steps. The kernel is integrated to infinity, in closed form between the steps.
    """
    difference = ours.astype(np.int8) - theirs.astype(np.int8)
    decay = math.exp(-1 / tau)
    trace = np.zeros(difference.shape[1])
    squares = np.zeros(difference.shape[1])
    for row in difference:
        trace = trace * decay + row
        squares += trace**2 * (1 - decay**2)  # 2 / tau times the integral over this step
    squares += (trace * decay) ** 2
    return float(np.sqrt(squares).mean())


REMEDY = "pip install 'neurorl[validate]'"
TAU_STEPS = 10.0
"""Set the time constant, in steps, of the distance of van Rossum that rows of spikes have."""


def spike_distance(a: Raster, b: Raster) -> float | None:
    """Return the SPIKE distance of Kreuz et al. 2013, the mean of the neurons, 0 to 1.

    It is time-resolved and scale-free, 0 for equal trains. None without PySpike where any differ.
    """
    neurons, pyspike = np.flatnonzero((a != b).any(axis=0)), _pyspike()
    if len(neurons) and pyspike is None:
        return None
    edges, apart = (0.0, float(len(a))), list[float]()
    for i in neurons:
        spikes = (np.flatnonzero(x[:, i]).astype(float) for x in (a, b))
        apart.append(pyspike.spike_distance(*(pyspike.SpikeTrain(x, edges) for x in spikes)))
    return float(np.sum(apart) / a.shape[1])


def missing() -> list[str]:
    """Return the names of the libraries that aren't installed."""
    return ["pyspike"] if _pyspike() is None else []


@functools.cache
def _pyspike() -> Any:
    """Import and return PySpike, or None if it isn't installed."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of its own imports
            return importlib.import_module("pyspike")
    except ImportError as exc:
        if (exc.name or "").split(".")[0] in ("pyspike", "scipy"):
            return None
        raise
