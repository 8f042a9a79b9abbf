"""Find the cause of a divergence: which backend departs from its equations, and what would fit.

Of float arithmetic and the chip's it finds which rounding moved the first spike.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.backends.spec import BackendSpec
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network, Population
from neurorl.validation.diagnosis import diagnose
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import History, Scenario, begins_as
from neurorl.validation.hypotheses.shifts import SEVERAL, UNLIMITED
from neurorl.validation.rewriting import changed, with_constants, without_overflow
from neurorl.validation.tolerance import membrane_scale
from neurorl.validation.variants import Variant


def quantised(pair: Sequence[Evidence], step: int, neuron: int) -> tuple[str, str]:
    """Return cause and detail of a difference that the arithmetics of two backends account for.

    Overflow is a flag of the integers; weights that the chip clips, and the roundings of weights,
    decays, and thresholds and biases, are put into the float equations one at a time.

    pair: replays, of the population that differs. step: of these.
    """
    fine, chip = sorted(pair, key=lambda e: e.history.arithmetic.is_chip)
    if fine.history.arithmetic.is_chip:
        return "quantisation", "both follow their integers, which are those of different chips"
    label, by_shifts = chip.history.spec.label, chip.kind == "shifts"
    trace = fine.history
    calls = trace.calls[trace.window : trace.window + step + 1]
    begin = trace.first + max((k for k, call in enumerate(calls) if call.fresh), default=0)
    row = trace.first + step
    if _overflows(chip, slice(begin, row + 1), neuron):
        cause, did = ("saturation", "saturated") if by_shifts else ("overflow", "overflowed")
        return cause, f"{label}: a register of this neuron {did} in or before this step"
    spike, changes = chip.spikes[row, neuron], _roundings(fine, chip)
    alone = [name for name, x in changes.items() if fine.run(x, begin, row)[neuron] == spike]
    clipped = _clipped(chip, fine, neuron)
    if clipped and "weights" in alone:
        detail = f"{label}: {clipped} weights into this neuron are beyond what the chip can hold"
        return "clipping of weights", detail
    if alone == [SEVERAL]:
        told = "several spikes in a step, and the threshold off the membrane for each"
        return SEVERAL, f"{label}: {told}, give its spike, if alone put into float"
    which = "no rounding of weights, decays or thresholds alone gives the chip's spike"
    told = f"{which}: it is their sum, with that of the state in every step"
    if alone:
        which = "the rounding of " + " alone, or that of ".join(alone)
        told = f"{which} alone, put into float, gives the chip's spike"
    return "quantisation", f"both follow the equations, each in its own arithmetic; {told}"


def _overflows(chip: Evidence, rows: slice, neuron: int) -> bool:
    free_of = UNLIMITED if chip.kind == "shifts" else without_overflow(holds=False)
    plain, free = chip.plain, chip.predict(Variant("", "", free_of))
    pairs = (plain["current"], free["current"]), (plain["met_level"], free["met_level"])
    return any(not np.array_equal(one[rows, neuron], other[rows, neuron]) for one, other in pairs)


def _clipped(chip: Evidence, fine: Evidence, neuron: int) -> int:
    """Count a neuron's incoming weights that in float are beyond the chip's largest."""
    count = 0
    for part in fine.parts:
        name = part.projection.name
        rounding = chip.history.arithmetic.rounding(name)
        into = part.into(fine.history.versions[name][-1], neuron)
        count += int((np.abs(into) > (rounding.limit + 0.5) * rounding.unit).sum())
    return count


def _roundings(fine: Evidence, chip: Evidence) -> dict[str, Variant]:
    """Return the chip's roundings as variants of the float step, by the quantity rounded."""
    constants = chip.node.constants
    scale = chip.history.arithmetic.membrane_unit(chip.population.name)
    if chip.kind == "shifts":
        decays = {f"kept_{x}": 1 - constants[f"lost_{x}"] for x in "uv"}
    else:
        decays = {name: constants[name] / 4096 for name in ("kept_u", "kept_v")}
    more = chip.own_bias / scale - fine.own_bias  # of the described bias alone
    of_both = {"threshold": constants["threshold"] / scale, "more_bias": more}
    levels, versions = changed("reads bias: bias + more_bias", **of_both), chip.history.versions
    several = changed("on spike: v = v - met_threshold*max(floor(v/met_threshold), 1)")
    sent = {SEVERAL: Variant("", "", several, arrivals=lambda _, p: chip.arriving(p))}
    return (sent if chip.kind == "shifts" else {}) | {
        "weights": Variant("", "", values=lambda _, name, version: versions[name][version]),
        "decays": Variant("", "", with_constants(**decays)),
        "thresholds and biases": Variant("", "", levels),
    }


@dataclass(frozen=True)
class Event:
    """Locate the first difference of two replays; variable: its name, or ``'spikes'``."""

    step: int  # of the replay
    neuron: int
    variable: str


def of_replay(network: Network, replay: History, population: Population) -> Evidence:
    """Predict each step of a population in a replay from the recorded state before that step."""
    return Evidence(network, population, replay, replay.n_steps)


def error_of(trial: Evidence) -> float:
    """Return the membrane's largest prediction error where spikes agree, in its own scale."""
    replay, plain = trial.history, trial.plain
    agrees = (trial.spikes == plain["spikes"])[replay.first :]
    of = [v for v in trial.variables if v != "refractory"]
    now = {v: trial.after[v][replay.window :] for v in (["voltage"] if "voltage" in of else of)}
    apart = np.max([np.abs(x - plain[v][replay.first :]) for v, x in now.items()], axis=0)
    largest = float(np.where(agrees, apart, 0.0).max())
    return largest / membrane_scale(trial.population, trial.network.dt)


def find_cause(
    scenario: Scenario, recordings: Sequence[History], trials: Sequence[Evidence], event: Event
) -> tuple[str, str, str | None]:
    """Return cause, detail and the label of the backend that deviates, None if both follow.

    recordings: those that the trials are replays of.
    """
    for trial, recording in zip(trials, recordings, strict=True):
        if not trial.history.repeats or not trial.follows:
            window, label = trial.history.window, trial.history.spec.label
            found = diagnose(scenario.until(window), recording, trial.population, window)
            if found is None:  # within float error
                continue
            cause, detail = found.cause, found.detail
            if found.is_open and (told := _in_other_arithmetic(scenario, trial.history, recording)):
                cause, detail = "quantisation", told
            return cause, f"{label}: {detail}", label
    one, other = (trial.history.arithmetic for trial in trials)
    if one.name != other.name:
        return *quantised(trials, event.step, event.neuron), None
    if all(trial.follows for trial in trials):
        detail = "both are as described in every step, to the bit: what differs is what they are"
        return "unknown", f"{detail} sent", None
    near = max(map(error_of, trials))
    detail = f"both follow the equations within float error, {near:.1g} of the membrane's scale"
    if event.variable == "spikes":
        detail += ", and the membrane is that near to its threshold"
    return "float error", detail, None


def _in_other_arithmetic(scenario: Scenario, trace: History, recording: History) -> str | None:
    """Return a sentence if all spikes so far equal the reference's in another arithmetic only."""
    last = scenario.place(trace.first + trace.n_steps - 1)["window"]
    begin = replace(scenario, stimulus=scenario.stimulus[: last + 1])
    equal = set()
    for name in ARITHMETICS:
        with suppress(UnsupportedError):  # it can't hold the network
            if begins_as(recording, begin.record(BackendSpec("reference", name)).rasters):
                equal.add(name)
    if not equal or trace.arithmetic.name in equal:
        return None
    return f"all spikes are those of {ARITHMETICS[min(equal)].title} arithmetic"
