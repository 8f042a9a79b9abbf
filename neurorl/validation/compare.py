"""Rows of a report: one population (or all decisions) of one lane against the first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import Arithmetic, ChipArithmetic
from neurorl.description import Network, Population
from neurorl.validation.distances import distances
from neurorl.validation.recording import Recording
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject
from neurorl.validation.tolerance import Tolerance

__all__ = ["Row", "compare", "membrane_scale", "place", "unit"]

Row = dict[str, Any]


def compare(
    subject: Subject,
    stimulus: list[InputWindow],
    a: Recording,
    b: Recording,
    tolerance: Tolerance,
) -> list[Row]:
    """Spikes and membranes of every population, decisions and weights in force."""
    exact = a.lane.must_equal(b.lane)
    rows = [
        row
        for population in subject.network.populations
        for row in (
            _spikes(subject.network, population, stimulus, a, b, exact, tolerance),
            _membrane(subject.network, population, stimulus, a, b, exact, tolerance),
        )
    ]
    rows += [_weights(p.name, p.post, a, b, exact, tolerance) for p in subject.network.projections]
    if len(a.decisions):
        rows.append(_decisions(stimulus, a, b, exact, tolerance))
    return rows


def _row(quantity: str, population: str, a: Recording, b: Recording) -> Row:
    return {
        "quantity": quantity,
        "population": population,
        "projection": None,
        "backend_a": a.lane.label,
        "backend_b": b.lane.label,
    }


def _spikes(
    network: Network,
    population: Population,
    stimulus: list[InputWindow],
    a: Recording,
    b: Recording,
    exact: bool,
    tolerance: Tolerance,
) -> Row:
    name = population.name
    one, other = a.rasters[name], b.rasters[name]
    hertz = 1.0 / (len(one) * population.size * network.dt)
    rates = [int(raster.sum()) * hertz for raster in (one, other)]
    largest = max(rates)
    differs = one != other
    difference = abs(rates[0] - rates[1]) / largest if largest else 0.0
    if exact:  # then a rate that agrees says nothing
        difference = float(differs.sum() / max(one.sum() + other.sum(), 1))
    away = distances(one, other)
    return {
        **_row("spikes", name, a, b),
        "verdict": tolerance.verdict(not differs.any(), exact, difference, "rate"),
        "tolerance": 0.0 if exact else tolerance.rate,
        "difference": difference,
        "first_divergence": _first(differs, stimulus, name),
        "neurons": population.size,
        "spikes_a": int(one.sum()),
        "spikes_b": int(other.sum()),
        "rate_a_hz": rates[0],
        "rate_b_hz": rates[1],
        "differing_spikes": int(differs.sum()),
        "neurons_that_differ": int(differs.any(axis=0).sum()),
        "van_rossum": away.van_rossum,
        "spike_distance": away.spike,
    }


def _first(
    differs: npt.NDArray[np.bool_], stimulus: list[InputWindow], population: str
) -> dict[str, Any] | None:
    """Where a mask ``(steps, n)`` is first set."""
    if not differs.any():
        return None
    step = int(differs.any(axis=1).argmax())
    return {
        **place(stimulus, step),
        "population": population,
        "neuron": int(differs[step].argmax()),
    }


def place(stimulus: list[InputWindow], step: int) -> dict[str, Any]:
    """A step, counted from 0, and where it is among the windows."""
    start = 0
    for k, window in enumerate(stimulus):
        if step < start + window.n_steps:
            return {"step": step, "window": k, "step_in_window": step - start}
        start += window.n_steps
    raise IndexError(step)


def _membrane(
    network: Network,
    population: Population,
    stimulus: list[InputWindow],
    a: Recording,
    b: Recording,
    exact: bool,
    tolerance: Tolerance,
) -> Row:
    name = population.name
    one, other = (_traces(name, recording, exact) for recording in (a, b))
    ends = np.cumsum([window.n_steps for window in stimulus]) - 1
    row = _row("membrane", name, a, b)
    if one is None or other is None:
        return {**row, "verdict": "exact", "tolerance": None, "difference": None, "compared": 0}
    apart = np.abs(one - other)
    chip = exact and a.lane.arithmetic == "loihi"
    scale = 1.0 if chip else membrane_scale(population, network.dt)
    differs: npt.NDArray[np.bool_] = np.any(apart > 0, axis=1)
    found = None
    if differs.any():
        k = int(differs.any(axis=1).argmax())
        neuron = int(differs[k].argmax())
        found = {**place(stimulus, int(ends[k])), "population": name, "neuron": neuron}
    difference = float(np.median(apart)) / scale
    return {
        **row,
        "verdict": tolerance.verdict(not differs.any(), exact, difference, "membrane"),
        "tolerance": 0.0 if exact else tolerance.membrane,
        "difference": difference,
        "largest_difference": float(apart.max()) / scale,
        "compared": int(apart.size),
        "first_divergence": found,
    }


def _traces(name: str, recording: Recording, same: bool) -> npt.NDArray[np.float64] | None:
    """Of each window's end ``(windows, variables, n)``; None of a backend that has no such state.

    same: current and voltage as they are; else the voltage in the description's units.
    """
    keys = (f"{name}.current", f"{name}.voltage") if same else (f"{name}.voltage",)
    if not all(key in state for key in keys for state in recording.states):
        return None
    found = np.array([[s[key] for key in keys] for s in recording.states], dtype=np.float64)
    return found / (1.0 if same else unit(recording.arithmetic, name))


def unit(arithmetic: Arithmetic, population: str) -> float:
    """Integers of a membrane to one unit of the description; 1 in float arithmetic."""
    if isinstance(arithmetic, ChipArithmetic):
        return arithmetic.chip.populations[population].unit
    return 1.0


def membrane_scale(population: Population, dt: float) -> float:
    """The largest threshold or noise width, or 1 if all are 0; in the description's units."""
    d = population.neuron.dynamics(population.size, dt)
    return max(float(np.abs(d.threshold).max()), float(d.noise_width.max())) or 1.0


def _weights(
    name: str, post: str, a: Recording, b: Recording, exact: bool, tolerance: Tolerance
) -> Row:
    apart = np.abs(a.weights[name] - b.weights[name])
    quantum = max(recording.arithmetic.rounding(name).unit for recording in (a, b))
    difference = float(apart.max(initial=0.0)) / quantum
    limit = tolerance.weights * (1 + 1e-6)  # of float weights, that lie on a grid themselves
    equal = not apart.any()
    within = not exact and difference <= limit
    return {
        **_row("weights", post, a, b),
        "projection": name,
        "verdict": "exact" if equal else "within" if within else "different",
        "tolerance": 0.0 if exact else tolerance.weights,
        "difference": difference,
        "first_divergence": None,
    }


def _decisions(
    stimulus: list[InputWindow], a: Recording, b: Recording, exact: bool, tolerance: Tolerance
) -> Row:
    differs = a.decisions != b.decisions
    share = float(differs.mean())
    window = int(differs.argmax())
    start = sum(w.n_steps for w in stimulus[:window])
    return {
        **_row("decisions", "output", a, b),
        "verdict": tolerance.verdict(not differs.any(), exact, share, "decisions"),
        "tolerance": 0.0 if exact else tolerance.decisions,
        "difference": share,
        "agreement": 1.0 - share,
        "decisions": len(differs),
        "first_divergence": {**place(stimulus, start), "population": "output", "neuron": None}
        if differs.any()
        else None,
    }
