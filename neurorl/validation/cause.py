"""Find the cause of a divergence: which backend departs from its equations, and what would fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.backends.spec import BackendSpec
from neurorl.network.description import Network, Population
from neurorl.validation.diagnosis import Diagnosis, diagnose
from neurorl.validation.evidence import Evidence
from neurorl.validation.membranes import membrane_scale
from neurorl.validation.quantised import quantised
from neurorl.validation.recording import Scenario, SubjectRecording

CAUSES = (
    *("delay", "step order", "quantisation", "overflow", "clipping of weights", "refractory"),
    *("rounding of weights", "weights", "noise source", "threshold", "float error", "reset"),
    *("decay", "bias", "floor", "ceiling", "reset between decisions", "between calls", "writes"),
    *("parameter", "method", "initial value"),
    *("not repeatable", "unknown"),
)
"""List the words for causes. A deviation that another population's brought about has
``follows``."""


@dataclass(frozen=True)
class Event:
    """Locate the first difference of two replays; variable: its name, or ``'spikes'``."""

    step: int  # of the replay
    neuron: int
    variable: str


class Trial:
    """Predict each step of a population in a replay from the recorded state before that step."""

    def __init__(self, network: Network, trace: SubjectRecording, population: Population) -> None:
        self.replay, self.population = trace, population
        self.evidence = Evidence(network, population, trace.history, trace.n_steps)
        self.rows = slice(trace.first, None)  # of predictions that are of the replay

    @property
    def follows(self) -> bool:
        """Return whether the backend did in every step what was predicted, to the bit."""
        plain, name = self.evidence.plain, self.population.name
        return np.array_equal(self.replay.rasters[name], plain.spikes[self.rows]) and all(
            np.array_equal(self.replay.after(name, v), plain.after[v][self.rows])
            for v in self.evidence.variables
        )

    @property
    def error(self) -> float:
        """Return the membrane's largest prediction error where spikes agree, in its own scale."""
        plain, name = self.evidence.plain, self.population.name
        agrees = self.replay.rasters[name] == plain.spikes[self.rows]
        is_plain = "voltage" in plain.after
        of = ["voltage"] if is_plain else [v for v in plain.after if v != "refractory"]
        rows = [np.abs(self.replay.after(name, v) - plain.after[v][self.rows]) for v in of]
        apart = np.max(rows, axis=0)
        largest = float(np.where(agrees, apart, 0.0).max())
        return largest / membrane_scale(self.population, self.evidence.network.dt)


def find_cause(
    scenario: Scenario, recordings: Sequence[SubjectRecording], trials: list[Trial], event: Event
) -> tuple[str, str, str | None]:
    """Return cause, detail and the label of the backend that deviates, None if both follow.

    recordings: those that the trials are replays of.
    """
    for trial, recording in zip(trials, recordings, strict=True):
        if not trial.replay.repeats or not trial.follows:
            diagnosis = _departure(scenario, trial, recording)
            if diagnosis is not None:
                label = trial.replay.spec.label
                return diagnosis.cause, f"{label}: {diagnosis.detail}", label
    one, other = (trial.replay.arithmetic for trial in trials)
    if one.name != other.name:
        evidences = [trial.evidence for trial in trials]
        return *quantised(evidences, trials[0].replay, event.step, event.neuron), None
    if all(trial.follows for trial in trials):
        detail = (
            "both are as described in every step, to the bit: what differs is what they are sent"
        )
        return "unknown", detail, None
    near = max(trial.error for trial in trials)
    detail = f"both follow the equations within float error, {near:.1g} of the membrane's scale"
    if event.variable == "spikes":
        detail += ", and the membrane is that near to its threshold"
    return "float error", detail, None


def _departure(scenario: Scenario, trial: Trial, recording: SubjectRecording) -> Diagnosis | None:
    """Explain how a backend deviates from its prediction, or None if within float error."""
    window = trial.replay.window
    diagnosis = diagnose(scenario.until(window), recording, trial.population, window)
    if diagnosis is not None and diagnosis.is_open:
        other = _in_other_arithmetic(scenario, trial.replay, recording)
        if other is not None:
            return Diagnosis("quantisation", other)
    return diagnosis


def _in_other_arithmetic(
    scenario: Scenario, trace: SubjectRecording, recording: SubjectRecording
) -> str | None:
    """Return a sentence if all spikes so far equal the reference's in another arithmetic only."""
    last = scenario.place(trace.first + trace.n_steps - 1)["window"]
    begin = replace(scenario, stimulus=scenario.stimulus[: last + 1])
    equal = set()
    for name in ARITHMETICS:
        reference = begin.record(BackendSpec("reference", name))
        if all(
            np.array_equal(raster, recording.rasters[population][: len(raster)])
            for population, raster in reference.rasters.items()
        ):
            equal.add(name)
    if not equal or trace.arithmetic.name in equal:
        return None
    return f"all spikes are those of {ARITHMETICS[min(equal)].title} arithmetic"
