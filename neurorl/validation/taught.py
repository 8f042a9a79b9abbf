"""Explain why training differs: in spikes, in the rule, or in the weights that a backend holds."""

from __future__ import annotations

import dataclasses

import numpy as np

from neurorl.validation.compare import Row
from neurorl.validation.explain import Explanation, explain
from neurorl.validation.learning import Contrast, Moment, training_rows
from neurorl.validation.recording import Scenario
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.tolerance import Tolerance

_CAUSES = {
    "trace": ("learning rule", "traces of the same spikes differ"),
    "eligibility": ("learning rule", "eligibilities differ, and no spike or trace does"),
    "critic": ("learning rule", "the critic's values differ, and no weight does"),
}


def explain_training(
    scenario: Scenario, contrast: Contrast, tolerance: Tolerance
) -> tuple[list[Row], list[Explanation]]:
    """Return rows with their causes, and explanations of the spikes that differed first."""
    rows, moment = training_rows(scenario.network, contrast, tolerance), contrast.moment
    if moment is None:
        return [_with(row, "", "") for row in rows], []
    where = f"from update {moment.update} on, first in {moment.quantity} of {moment.name}"
    if contrast.a.spec.arithmetic != contrast.b.spec.arithmetic:
        return [_with(row, "quantisation", f"the arithmetics differ; {where}") for row in rows], []
    if moment.quantity != "spikes":
        if moment.quantity in _CAUSES:
            cause, reason = _CAUSES[moment.quantity]
            return [_with(row, cause, f"{where}: {reason}") for row in rows], []
        late = _explain_writes(scenario, contrast, moment)
        cause, reason = (late[0].cause, late[0].detail) if late else _held(moment)
        return [_with(row, cause, f"{where}: {reason}") for row in rows], late
    explanations = _explain_windows(scenario, contrast, moment)
    why = [f"{e.cause}: {e.detail}" for e in explanations[:1]]
    detail = "; ".join([where, *why])
    cause = "follows" if explanations else "unknown"
    return [_with(row, cause, detail) for row in rows], explanations


def _held(moment: Moment) -> tuple[str, str]:
    """Explain weights that differ though the eligibilities that changed them don't.

    The rule is the same code for all backends, so the backend must hold other weights.
    """
    held = moment.held
    for bits in range(2, 31):
        unit = 2.0**-bits
        if not moment.apart <= unit:
            break
        if np.array_equal(np.rint(held / unit) * unit, held):
            detail = f"weights held are multiples of 2^-{bits}, up to {moment.apart:.3g} away"
            return "rounding of weights", f"{detail} from the rule's"
    return "weights", f"weights held are others than the rule's, up to {moment.apart:.3g} away"


def _with(row: Row, cause: str, detail: str) -> Row:
    exact = row["verdict"] == "exact"
    return {**row, "cause": None if exact else cause, "detail": None if exact else detail}


def _explain_windows(scenario: Scenario, contrast: Contrast, moment: Moment) -> list[Explanation]:
    """Run all windows until an update again, or its own, with the weights they were run with."""
    if moment.windows is not None:
        return _explain_of(scenario, contrast, moment.windows)
    config = scenario.subject.config
    assert config is not None
    if config.carries:
        return []  # what it started from is not kept
    weights = {name: w for (quantity, name), w in moment.before.items() if quantity == "weights"}
    then = dataclasses.replace(scenario.subject, weights=weights, t=moment.t)
    stimulus = [InputWindow(moment.inputs, config.window, True)]
    return _explain_of(dataclasses.replace(scenario, subject=then), contrast, stimulus)


def _explain_of(
    scenario: Scenario, contrast: Contrast, windows: list[InputWindow]
) -> list[Explanation]:
    scenario = dataclasses.replace(scenario, stimulus=windows)
    return explain(scenario, scenario.record(contrast.a.spec), scenario.record(contrast.b.spec))


def _explain_writes(scenario: Scenario, contrast: Contrast, moment: Moment) -> list[Explanation]:
    """Explain weights that aren't held as written, by running the window that would follow."""
    if not moment.windows:
        return []
    last = moment.windows[-1]
    writes = [(name, w) for (quantity, name), w in moment.after.items() if quantity == "weights"]
    windows = [*moment.windows, last._replace(writes=writes)]
    explanations = _explain_of(scenario, contrast, windows)
    return [e for e in explanations if e.cause in ("writes", "weights", "rounding of weights")]
