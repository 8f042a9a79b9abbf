"""Membranes of two lanes: every step of the first windows, then the end of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import Arithmetic, ChipArithmetic
from neurorl.network.description import Network, Population
from neurorl.network.serialization import FloatArray
from neurorl.validation.recording import Recording
from neurorl.validation.replay import Replay
from neurorl.validation.stimulus import InputWindow, place
from neurorl.validation.tolerance import Tolerance

__all__ = ["compare_membranes", "membrane_scale", "unit", "voltages"]


def compare_membranes(
    network: Network,
    population: Population,
    stimulus: list[InputWindow],
    lanes: tuple[Recording, Recording],
    traces: tuple[Replay, Replay],
    tolerance: Tolerance,
) -> dict[str, Any]:
    """Verdict, difference and first divergence of a population's currents and voltages.

    traces: replays from the first window on. Of lanes whose arithmetics differ, only the voltage,
    in the description's units.
    """
    name, same = population.name, lanes[0].lane.arithmetic == lanes[1].lane.arithmetic
    exact = lanes[0].lane.must_equal(lanes[1].lane)
    one, other = (_seen(name, r, t, same) for r, t in zip(lanes, traces, strict=True))
    apart = np.abs(one - other)
    differs: npt.NDArray[np.bool_] = np.any(apart > 0, axis=1)
    integers = same and lanes[0].lane.arithmetic != "float"
    scale = 1.0 if integers else membrane_scale(population, network.dt)
    difference = float(np.median(apart)) / scale
    return {
        "verdict": tolerance.verdict(not differs.any(), exact, difference, "membrane"),
        "tolerance": 0.0 if exact else tolerance.membrane,
        "difference": difference,
        "largest_difference": float(apart.max()) / scale,
        "compared": int(apart.size),
        "traced_steps": traces[0].n_steps,
        "first_divergence": _first(differs, stimulus, name, traces[0].n_steps),
    }


def voltages(trace: Replay, population: str) -> FloatArray:
    """After every step of a replay, in the description's units, ``(steps, n)``."""
    rows = np.asarray(trace.states[population]["voltage"][1:], dtype=np.float64)
    return rows / unit(trace.arithmetic, population)


def unit(arithmetic: Arithmetic, population: str) -> float:
    """Integers of a membrane to one unit of the description; 1 in float arithmetic."""
    if isinstance(arithmetic, ChipArithmetic):
        return arithmetic.chip.populations[population].unit
    return 1.0


def membrane_scale(population: Population, dt: float) -> float:
    """The largest threshold or noise width, or 1 if all are 0; in the description's units."""
    d = population.neuron.dynamics(population.size, dt)
    return max(float(np.abs(d.threshold).max()), float(d.noise_width.max())) or 1.0


def _seen(name: str, recording: Recording, trace: Replay, same: bool) -> FloatArray:
    """``(steps and windows, variables, n)``."""
    variables = ("current", "voltage") if same else ("voltage",)
    steps = np.stack([trace.states[name][v][1:] for v in variables], axis=1)
    ends = [[state[f"{name}.{v}"] for v in variables] for state in recording.states]
    found = np.concatenate([steps, np.array(ends)]).astype(np.float64)
    return np.asarray(found if same else found / unit(recording.arithmetic, name))


def _first(
    differs: npt.NDArray[np.bool_], stimulus: list[InputWindow], population: str, traced: int
) -> dict[str, Any] | None:
    if not differs.any():
        return None
    k = int(differs.any(axis=1).argmax())
    neuron = int(differs[k].argmax())
    ends = np.cumsum([window.n_steps for window in stimulus]) - 1
    step = k if k < traced else int(ends[k - traced])
    return {**place(stimulus, step), "population": population, "neuron": neuron}
