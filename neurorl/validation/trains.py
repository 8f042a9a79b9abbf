"""Measure distances between spike trains: rates, times, and those of the libraries of the field.

Van Rossum's by Elephant and the SPIKE distance by PySpike (``pip install 'neurorl[validate]'``)
describe a difference; no verdict hangs on them. What another simulator's spikes are measured by
needs no library; `tests/validation/test_trains.py` holds van Rossum's to Elephant's.
"""

from __future__ import annotations

import functools
import importlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from neurorl.backends.base import Raster
from neurorl.storage.plain import PlainData
from neurorl.validation.tolerance import Bounded

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


@dataclass(frozen=True)
class Distances:
    """Hold distances averaged over the neurons of a population; None if a library is missing.

    van_rossum: kernels ``exp(-t / tau)``, tau 10 steps (van Rossum 2001, normalised so that one
    spike more or less is 1). spike: Kreuz et al. 2013, 0 to 1, time-resolved and scale-free.
    """

    van_rossum: float | None
    spike: float | None


def distances(a: Raster, b: Raster) -> Distances:
    """Compare two rasters ``(steps, n)``; 0 for neurons whose trains are equal."""
    neurons = np.flatnonzero((a != b).any(axis=0))
    if not len(neurons):
        return Distances(0.0, 0.0)
    van_rossum = [_van_rossum(a[:, i], b[:, i]) for i in neurons] if _library("elephant") else None
    spike = [_spike(a[:, i], b[:, i]) for i in neurons] if _library("pyspike") else None
    sums = (None if x is None else float(np.sum(x)) / a.shape[1] for x in (van_rossum, spike))
    return Distances(*sums)


def missing() -> list[str]:
    """Return the names of the libraries that aren't installed."""
    return [name for name in ("elephant", "pyspike") if not _library(name)]


def _van_rossum(a: Raster, b: Raster) -> float:
    neo, pq = importlib.import_module("neo"), importlib.import_module("quantities")
    module = importlib.import_module("elephant.spike_train_dissimilarity")
    trains = [neo.SpikeTrain(np.flatnonzero(x) * pq.s, t_stop=len(x) * pq.s) for x in (a, b)]
    return float(module.van_rossum_distance(trains, time_constant=TAU_STEPS * pq.s)[0, 1])


def _spike(a: Raster, b: Raster) -> float:
    pyspike = importlib.import_module("pyspike")
    edges = 0.0, float(len(a))
    trains = [pyspike.SpikeTrain(np.flatnonzero(x).astype(float), edges) for x in (a, b)]
    return float(pyspike.spike_distance(*trains))


@functools.cache
def _library(name: str) -> Any:
    """Import and return a library, or None if it isn't installed."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of its own imports
            if name == "elephant":
                importlib.import_module("elephant.spike_train_dissimilarity")
            return importlib.import_module(name)
    except ImportError as exc:
        if (exc.name or "").split(".")[0] in (name, "neo", "quantities", "scipy", "tqdm"):
            return None
        raise
