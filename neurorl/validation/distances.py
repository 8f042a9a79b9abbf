"""Measure distances between spike trains, by the libraries that the field uses.

van Rossum's by Elephant, the SPIKE distance by PySpike: ``pip install 'neurorl[validate]'``. They
describe a difference; no verdict hangs on them.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.backends.base import Raster

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
    return Distances(*(_mean(values, a.shape[1]) for values in (van_rossum, spike)))


def missing() -> list[str]:
    """Return the names of the libraries that aren't installed."""
    return [name for name in ("elephant", "pyspike") if not _library(name)]


def _mean(values: list[float] | None, n: int) -> float | None:
    return None if values is None else float(np.sum(values)) / n


def _van_rossum(a: Raster, b: Raster) -> float:
    neo, pq = importlib.import_module("neo"), importlib.import_module("quantities")
    module = importlib.import_module("elephant.spike_train_dissimilarity")
    trains = [
        neo.SpikeTrain(np.flatnonzero(train) * pq.s, t_stop=len(train) * pq.s) for train in (a, b)
    ]
    distance = module.van_rossum_distance(trains, time_constant=TAU_STEPS * pq.s)[0, 1]
    return float(distance)


def _spike(a: Raster, b: Raster) -> float:
    pyspike = importlib.import_module("pyspike")
    trains = [
        pyspike.SpikeTrain(np.flatnonzero(train).astype(float), (0.0, float(len(train))))
        for train in (a, b)
    ]
    return float(pyspike.spike_distance(*trains))


@functools.cache
def _library(name: str) -> Any:
    """Import and return a library, or None if it isn't installed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own imports
            if name == "elephant":
                importlib.import_module("elephant.spike_train_dissimilarity")
            return importlib.import_module(name)
    except ImportError as exc:
        if (exc.name or "").split(".")[0] in (name, "neo", "quantities", "scipy", "tqdm"):
            return None
        raise
