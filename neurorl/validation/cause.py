"""Find the cause of a divergence: which backend departs from its equations, and what would fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.backends.spec import BackendSpec
from neurorl.network.description import Population
from neurorl.validation.diagnosis import Diagnosis, diagnose
from neurorl.validation.membranes import membrane_scale
from neurorl.validation.own_neurons import evidence_of
from neurorl.validation.quantised import quantised
from neurorl.validation.recording import SubjectRecording, record
from neurorl.validation.replay import StepReplay, some
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

__all__ = ["CAUSES", "Event", "Inquiry", "Trial", "find_cause"]

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
class Inquiry:
    """Hold the subject, stimulus, recordings by label and seed that an explanation works from."""

    subject: Subject
    stimulus: Sequence[InputWindow]
    recordings: dict[str, SubjectRecording]
    seed: int


@dataclass(frozen=True)
class Event:
    """Locate the first difference of two replays; variable: its name, or ``'spikes'``."""

    step: int  # of the replay
    neuron: int
    variable: str


class Trial:
    """Predict each step of a population in a replay from the recorded state before that step."""

    def __init__(self, case: Inquiry, trace: StepReplay, population: Population) -> None:
        self.replay, self.population = trace, population
        network = case.subject.network
        self.evidence = evidence_of(network, population, trace.history, trace.n_steps)
        self.rows = slice(trace.first, None)  # of predictions that are of the replay

    @property
    def follows(self) -> bool:
        """Return whether the backend did in every step what was predicted, to the bit."""
        plain, name = self.evidence.plain, self.population.name
        return np.array_equal(self.replay.raster(name), plain.spikes[self.rows]) and all(
            np.array_equal(self.replay.after(name, v), plain.after[v][self.rows])
            for v in self.evidence.variables
        )

    @property
    def error(self) -> float:
        """Return the membrane's largest prediction error where spikes agree, in its own scale."""
        plain, name = self.evidence.plain, self.population.name
        agrees = self.replay.raster(name) == plain.spikes[self.rows]
        is_plain = "voltage" in plain.after
        of = ["voltage"] if is_plain else [v for v in plain.after if v != "refractory"]
        rows = [np.abs(self.replay.after(name, v) - plain.after[v][self.rows]) for v in of]
        apart = np.max(rows, axis=0)
        largest = float(np.where(agrees, apart, 0.0).max())
        return largest / membrane_scale(self.population, self.evidence.network.dt)


def find_cause(
    case: Inquiry, trials: list[Trial], event: Event, window: int
) -> tuple[str, str, str | None]:
    """Return cause, detail and the label of the backend that deviates, None if both follow."""
    for trial in trials:
        if not trial.replay.repeats or not trial.follows:
            diagnosis = _departure(case, trial, window)
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


def _departure(case: Inquiry, trial: Trial, window: int) -> Diagnosis | None:
    """Explain how a backend deviates from its prediction, or None if within float error."""
    windows = [*case.stimulus[:window], *some(case.stimulus[window:])]
    recording = case.recordings[trial.replay.spec.label]
    diagnosis = diagnose(case.subject, windows, recording, trial.population, window, case.seed)
    if diagnosis is not None and diagnosis.is_open:
        other = _in_other_arithmetic(case, trial.replay)
        if other is not None:
            return Diagnosis("quantisation", other)
    return diagnosis


def _in_other_arithmetic(case: Inquiry, trace: StepReplay) -> str | None:
    """Return a sentence if all spikes so far equal the reference's in another arithmetic only."""
    n_steps = trace.first + trace.n_steps
    ends = np.cumsum([w.n_steps for w in case.stimulus])
    windows = case.stimulus[: int(np.searchsorted(ends, n_steps)) + 1]
    rasters = case.recordings[trace.spec.label].rasters
    equal = set()
    for name in ARITHMETICS:
        reference = record(case.subject, BackendSpec("reference", name), windows, case.seed)
        if all(
            np.array_equal(raster, rasters[population][: len(raster)])
            for population, raster in reference.rasters.items()
        ):
            equal.add(name)
    if not equal or trace.arithmetic.name in equal:
        return None
    return f"all spikes are those of {ARITHMETICS[min(equal)].title} arithmetic"
