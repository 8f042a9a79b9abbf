"""Compare two recordings: a row for each quantity of each population or projection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.spec import BackendSpec
from neurorl.errors import PopulationWarning, format_message, warn_outside
from neurorl.network.description import Population
from neurorl.numerics.arrays import FloatArray
from neurorl.validation.distances import distances
from neurorl.validation.history import variables_of
from neurorl.validation.membranes import membrane_scale, unit
from neurorl.validation.recording import Scenario, SubjectRecording
from neurorl.validation.tolerance import Bounded, Tolerance

Row = dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """Make the rows that compare backend *b* with backend *a*, by their labels.

    exact: whether both promise equal spikes and states.
    """

    a: str
    b: str
    exact: bool
    tolerance: Bounded

    @classmethod
    def of(cls, a: BackendSpec, b: BackendSpec, tolerance: Tolerance) -> Pair:
        """Return the pair of two backends."""
        return cls(a.label, b.label, a.must_equal(b), tolerance)

    def row(
        self,
        quantity: str,
        population: str,
        equal: bool,
        difference: float | None,
        limit: str,
        first: dict[str, Any] | None,
        projection: str | None = None,
        **more: Any,
    ) -> Row:
        """Return a row with its verdict.

        limit: the field of the tolerance that applies. first: the place of the first divergence.
        """
        return {
            "quantity": quantity,
            "population": population,
            "projection": projection,
            "backend_a": self.a,
            "backend_b": self.b,
            "verdict": self.tolerance.verdict(equal, self.exact, difference or 0.0, limit),
            "tolerance": 0.0 if self.exact else getattr(self.tolerance, limit),
            "difference": difference,
            **more,
            "first_divergence": first,
        }


def compare(
    scenario: Scenario,
    recordings: tuple[SubjectRecording, SubjectRecording],
    traces: tuple[SubjectRecording, SubjectRecording],
    tolerance: Tolerance,
) -> list[Row]:
    """Return rows of spikes and membranes, of weights in force, and of decisions.

    traces: replays from the first window on.
    """
    a, b = recordings
    pair, rows = Pair.of(a.spec, b.spec, tolerance), []
    for population in scenario.network.populations:
        rows.append(_spikes(scenario, pair, population, recordings))
        rows.append(_membranes(scenario, pair, population, recordings, traces))
    rows += [_weights(pair, p.name, p.post, recordings) for p in scenario.network.projections]
    if len(a.decisions):
        rows.append(_decisions(scenario, pair, a.decisions != b.decisions))
    return rows


def warn_of_silence(*recorded: Mapping[str, npt.NDArray[np.bool_]]) -> None:
    """Warn if no raster has a spike, as equal spikes are then no agreement."""
    if not any(raster.any() for rasters in recorded for raster in rasters.values()):
        what, remedy = "no neuron spiked, so equal spikes say nothing", "raise weights or biases"
        warn_outside(format_message("validate", what, remedy=remedy), PopulationWarning)


def _spikes(
    scenario: Scenario,
    pair: Pair,
    population: Population,
    recordings: tuple[SubjectRecording, SubjectRecording],
) -> Row:
    name, dt = population.name, scenario.network.dt
    one, other = (recording.rasters[name] for recording in recordings)
    hertz = 1.0 / (len(one) * population.size * dt)
    rates = [int(raster.sum()) * hertz for raster in (one, other)]
    largest = max(rates)
    differs = one != other
    difference = abs(rates[0] - rates[1]) / largest if largest else 0.0
    if pair.exact:  # then a rate that agrees says nothing
        difference = float(differs.sum() / max(one.sum() + other.sum(), 1))
    away = distances(one, other)
    first = _first(scenario, differs, np.arange(len(one)), name)
    return {
        **pair.row("spikes", name, first is None, difference, "rate", first),
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


def _membranes(
    scenario: Scenario,
    pair: Pair,
    population: Population,
    recordings: tuple[SubjectRecording, SubjectRecording],
    traces: tuple[SubjectRecording, SubjectRecording],
) -> Row:
    """Compare currents and voltages in every step of the replays, then at the end of each window.

    Of backends whose arithmetics differ, only the voltage, in the description's units.
    """
    name, dt, same = (
        population.name,
        scenario.network.dt,
        recordings[0].arithmetic.name == recordings[1].arithmetic.name,
    )
    variables = variables_of(population, dt)[:-1]
    if not same:
        variables = variables[-1:]
    one, other = (_rows(name, r, t, variables) for r, t in zip(recordings, traces, strict=True))
    apart = np.abs(one - other)
    scale = 1.0 if same and recordings[0].spec.is_chip else membrane_scale(population, dt)
    ends = np.cumsum([window.n_steps for window in scenario.stimulus]) - 1
    steps = np.concatenate([np.arange(traces[0].n_steps), ends])
    first = _first(scenario, np.any(apart > 0, axis=1), steps, name)
    return pair.row(
        "membrane",
        name,
        first is None,
        float(np.median(apart)) / scale,
        "membrane",
        first,
        largest_difference=float(apart.max()) / scale,
        compared=int(apart.size),
        traced_steps=traces[0].n_steps,
    )


def _rows(
    name: str, recording: SubjectRecording, trace: SubjectRecording, variables: tuple[str, ...]
) -> FloatArray:
    """Return the membrane values that are compared, ``(steps and windows, variables, n)``."""
    steps = np.stack([trace.after(name, v) for v in variables], axis=1)
    ends = np.stack([recording.history.after(name, v) for v in variables], axis=1)
    rows = np.concatenate([steps, ends]).astype(np.float64)
    scaled = rows / unit(recording.arithmetic, name)
    return np.asarray(scaled if len(variables) == 1 else rows)


def _first(
    scenario: Scenario,
    differs: npt.NDArray[np.bool_],
    steps: npt.NDArray[np.int64],
    population: str,
) -> dict[str, Any] | None:
    """Return where a mask ``(rows, n)`` is first set; steps: the step of each row."""
    if not differs.any():
        return None
    k = int(differs.any(axis=1).argmax())
    where = scenario.place(int(steps[k]))
    return {**where, "population": population, "neuron": int(differs[k].argmax())}


def _weights(
    pair: Pair, name: str, post: str, recordings: tuple[SubjectRecording, SubjectRecording]
) -> Row:
    a, b = recordings
    apart = np.abs(a.weights[name] - b.weights[name])
    quantum = max(recording.arithmetic.rounding(name).unit for recording in recordings)
    difference = float(apart.max(initial=0.0)) / quantum
    row = pair.row("weights", post, not apart.any(), difference, "weights", None, name)
    # Float weights lie on a grid themselves.
    near = not pair.exact and difference <= row["tolerance"] * (1 + 1e-6)
    return {**row, "verdict": "within"} if near and apart.any() else row


def _decisions(scenario: Scenario, pair: Pair, differs: npt.NDArray[np.bool_]) -> Row:
    share = float(differs.mean())
    start = sum(w.n_steps for w in scenario.stimulus[: int(differs.argmax())])
    first = {**scenario.place(start), "population": "output", "neuron": None}
    return pair.row(
        "decisions",
        "output",
        not differs.any(),
        share,
        "decisions",
        first if differs.any() else None,
        agreement=1.0 - share,
        decisions=len(differs),
    )
