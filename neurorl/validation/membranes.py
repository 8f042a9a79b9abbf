"""Convert membranes to the description's units."""

from __future__ import annotations

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic
from neurorl.network.description import Population
from neurorl.numerics.arrays import FloatArray
from neurorl.validation.history import SubjectRecording


def voltages(trace: SubjectRecording, population: str) -> FloatArray:
    """Return voltages after every step of a replay, in the description's units, ``(steps, n)``.

    The voltage of neurons with equations is their first variable.
    """
    (variable, *_) = [v for v in trace.history.calls[0].after[population] if v != "current"]
    rows = np.asarray(trace.after(population, variable), dtype=np.float64)
    return rows / unit(trace.arithmetic, population)


def unit(arithmetic: Arithmetic, population: str) -> float | FloatArray:
    """Return how many integers of a membrane make one unit of the description; 1 for floats."""
    return arithmetic.membrane_unit(population)


def membrane_scale(population: Population, dt: float) -> float:
    """Return the largest threshold or noise width, in the description's units; 1 if all are 0.

    It is 1 for neurons by equations, which may be in any units.
    """
    if not population.is_integrator(dt):
        return 1.0
    d = population.integrator(dt)
    return max(float(np.abs(d.threshold).max()), float(d.noise_width.max())) or 1.0
