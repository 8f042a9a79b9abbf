"""Compare two recordings: a row for each quantity of each population or projection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.spec import BackendSpec
from neurorl.errors import PopulationWarning, warn_of
from neurorl.network.description import Population
from neurorl.storage.plain import PlainData
from neurorl.validation.history import History, Scenario
from neurorl.validation.tolerance import (
    TAU_STEPS,
    Bounded,
    Tolerance,
    membrane_scale,
    spike_distance,
    van_rossum,
)

Row = PlainData
Two = tuple[History, History]


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
        first: PlainData | None,
        projection: str | None = None,
        **more: Any,
    ) -> Row:
        """Return a row with its verdict.

        limit: the field of the tolerance that applies. first: the place of the first divergence.
        """
        row: Row = {"quantity": quantity, "population": population, "projection": projection}
        row |= {"backend_a": self.a, "backend_b": self.b}
        row["verdict"] = self.tolerance.verdict(equal, self.exact, difference or 0.0, limit)
        row["tolerance"] = 0.0 if self.exact else getattr(self.tolerance, limit)
        return {**row, "difference": difference, **more, "first_divergence": first}


def places(first: PlainData | None) -> list[str]:
    """Return where a first divergence is, in words: a step and neuron, or update and episode."""
    if first is None:
        return []
    if "step" not in first:
        return [f"{of} {first[of]}" for of in ("update", "episode") if first[of] is not None]
    neuron = "" if first["neuron"] is None else f", neuron {first['neuron']}"
    return [f"step {first['step']}{neuron}"]


def caused(row: Row, cause: str | None, detail: str | None) -> Row:
    """Return a row with its cause, if it isn't exact."""
    exact = row["verdict"] == "exact"
    return {**row, "cause": None if exact else cause, "detail": None if exact else detail}


def compare(scenario: Scenario, recordings: Two, traces: Two, tolerance: Tolerance) -> list[Row]:
    """Return rows of spikes and membranes, of weights in force, and of decisions.

    traces: replays from the first window on.
    """
    a, b = recordings
    made = _Rows(scenario, Pair.of(a.spec, b.spec, tolerance), recordings, traces)
    rows = []
    for population in scenario.network.populations:
        rows += [made.spikes(population), made.membranes(population)]
    rows += [made.weights(p.name, p.post) for p in scenario.network.projections]
    return [*rows, made.decisions()] if len(a.decisions) else rows


def warn_of_silence(*recorded: Mapping[str, npt.NDArray[np.bool_]]) -> None:
    """Warn if no raster has a spike, as equal spikes are then no agreement."""
    if not any(raster.any() for rasters in recorded for raster in rasters.values()):
        what, remedy = "no neuron spiked, so equal spikes say nothing", "raise weights or biases"
        warn_of(PopulationWarning, "validate", what, remedy=remedy)


@dataclass(frozen=True)
class _Rows:
    """Compare two recordings of a scenario; traces: as in `compare`."""

    scenario: Scenario
    pair: Pair
    recordings: Two
    traces: Two

    def spikes(self, population: Population) -> Row:
        name, dt = population.name, self.scenario.network.dt
        one, other = (recording.rasters[name] for recording in self.recordings)
        hertz = 1.0 / (len(one) * population.size * dt)
        rates = [int(raster.sum()) * hertz for raster in (one, other)]
        largest = max(rates)
        differs = one != other
        difference = abs(rates[0] - rates[1]) / largest if largest else 0.0
        if self.pair.exact:  # then a rate that agrees says nothing
            difference = float(differs.sum() / max(one.sum() + other.sum(), 1))
        first = self.scenario.first(differs, name)
        row = self.pair.row("spikes", name, first is None, difference, "rate", first)
        row |= {"neurons": population.size}
        row |= {"spikes_a": int(one.sum()), "spikes_b": int(other.sum())}
        row |= {"rate_a_hz": rates[0], "rate_b_hz": rates[1]}
        row["differing_spikes"] = int(differs.sum())
        row["neurons_that_differ"] = int(differs.any(axis=0).sum())
        row["van_rossum"] = van_rossum(one, other, TAU_STEPS)
        return row | {"spike_distance": spike_distance(one, other)}

    def membranes(self, population: Population) -> Row:
        """Compare currents and voltages in every step of the replays, then as each window ends.

        Of backends whose arithmetics differ, only the voltage, in the description's units.
        """
        name, dt = population.name, self.scenario.network.dt
        a, b = self.recordings
        same = a.arithmetic.name == b.arithmetic.name
        variables = population.variables(dt)[:-1]
        if not same:
            variables = variables[-1:]
        both = []
        for recording, trace in zip(self.recordings, self.traces, strict=True):
            parts = ([x.after(name, v) for v in variables] for x in (trace, recording))
            rows = np.concatenate([np.stack(x, axis=1) for x in parts]).astype(np.float64)
            is_one = len(variables) == 1  # then in the description's units
            both.append(rows / recording.arithmetic.membrane_unit(name) if is_one else rows)
        apart = np.abs(both[0] - both[1])
        scale = 1.0 if same and a.spec.is_chip else membrane_scale(population, dt)
        ends = np.cumsum([window.n_steps for window in self.scenario.stimulus]) - 1
        n_steps = self.traces[0].n_steps
        steps = np.concatenate([np.arange(n_steps), ends])
        first = self.scenario.first(np.any(apart > 0, axis=1), name, steps)
        median = float(np.median(apart)) / scale
        more: Row = {"largest_difference": float(apart.max()) / scale, "compared": int(apart.size)}
        more["traced_steps"] = n_steps
        spiked = any(recording.rasters[name].any() for recording in self.recordings)
        if not spiked and not any(rows[:, -1].any() for rows in both):
            more["note"] = f"membrane of {name} never left 0: a fault of it can't be seen"
        return self.pair.row("membrane", name, first is None, median, "membrane", first, **more)

    def weights(self, name: str, post: str) -> Row:
        a, b = self.recordings
        apart = np.abs(a.weights[name] - b.weights[name])
        quantum = max(recording.arithmetic.rounding(name).unit for recording in self.recordings)
        difference = float(apart.max(initial=0.0)) / quantum
        row = self.pair.row("weights", post, not apart.any(), difference, "weights", None, name)
        # Float weights lie on a grid themselves.
        near = not self.pair.exact and difference <= row["tolerance"] * (1 + 1e-6)
        return {**row, "verdict": "within"} if near and apart.any() else row

    def decisions(self) -> Row:
        a, b = self.recordings
        differs = a.decisions != b.decisions
        share = float(differs.mean())
        start = sum(w.n_steps for w in self.scenario.stimulus[: int(differs.argmax())])
        first = {**self.scenario.place(start), "population": "output", "neuron": None}
        where = first if differs.any() else None
        more: Row = {"agreement": 1.0 - share, "decisions": len(differs)}
        equal = where is None
        return self.pair.row("decisions", "output", equal, share, "decisions", where, **more)
