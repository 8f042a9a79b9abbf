"""Rows of a report: one population (or all decisions) of one lane against the first."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Network, Population
from neurorl.validation.distances import distances
from neurorl.validation.membranes import compare_membranes
from neurorl.validation.recording import Recording
from neurorl.validation.replay import Replay
from neurorl.validation.stimulus import InputWindow, place
from neurorl.validation.subject import Subject
from neurorl.validation.tolerance import Tolerance

__all__ = ["Row", "compare"]

Row = dict[str, Any]


def compare(
    subject: Subject,
    stimulus: list[InputWindow],
    a: Recording,
    b: Recording,
    traces: tuple[Replay, Replay],
    tolerance: Tolerance,
) -> list[Row]:
    """Spikes and membranes of every population, decisions and weights in force.

    traces: replays from the first window on.
    """
    exact = a.lane.must_equal(b.lane)
    rows = [
        row
        for population in subject.network.populations
        for row in (
            _spikes(subject.network, population, stimulus, a, b, exact, tolerance),
            {
                **_row("membrane", population.name, a, b),
                **compare_membranes(
                    subject.network, population, stimulus, (a, b), traces, tolerance
                ),
            },
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
