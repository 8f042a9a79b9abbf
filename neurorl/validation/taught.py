"""Why training differs: in its spikes, its rule, or the weights that it writes."""

from __future__ import annotations

import dataclasses

import numpy as np

from neurorl.validation.compare import Row
from neurorl.validation.explain import Explanation, explain
from neurorl.validation.learning import Training, compare_training, first_odd
from neurorl.validation.recording import record
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject
from neurorl.validation.tolerance import Tolerance

__all__ = ["explain_training"]

_CAUSES = {
    "trace": ("learning rule", "traces of the same spikes differ"),
    "eligibility": ("learning rule", "eligibilities differ, and no spike or trace does"),
    "critic": ("learning rule", "the critic's values differ, and no weight does"),
}


def explain_training(
    subject: Subject, a: Training, b: Training, tolerance: Tolerance, seed: int
) -> tuple[list[Row], list[Explanation]]:
    """Rows with their causes, and explanations of spikes that differed first."""
    rows = compare_training(subject, a, b, tolerance)
    odd = first_odd(a, b)
    if odd is None:
        return [{**row, "cause": None, "detail": None} for row in rows], []
    update, quantity, name = odd
    if a.lane.arithmetic != b.lane.arithmetic:
        detail = (
            f"the arithmetics differ; seen from update {update} on, first in {quantity} of {name}"
        )
        return [_with(row, "quantisation", detail) for row in rows], []
    found: list[Explanation] = []
    if quantity == "spikes":
        found = _explain_window(subject, a, b, update, seed)
        cause = "follows" if found else "unknown"
        why = [f"{e.cause}: {e.detail}" for e in found[:1]]
        detail = "; ".join([f"spikes of {name} differ from update {update} on", *why])
    else:
        cause, what = _CAUSES.get(quantity) or _written(subject, a, b, update, quantity, name)
        detail = f"from update {update} on, first in {name}: {what}"
    return [_with(row, cause, detail) for row in rows], found


def _written(
    subject: Subject, a: Training, b: Training, update: int, quantity: str, name: str
) -> tuple[str, str]:
    """Of weights that differ though the eligibilities that changed them don't: they were rounded.

    The rule is the same code for all lanes, so it is the backend that holds others.
    """
    one, other = (t.snapshots[update][quantity, name] for t in (a, b))
    apart = float(np.abs(one - other).max())
    plasticity = subject.network.projection(name).plasticity
    bound = max(abs(plasticity.low), abs(plasticity.high)) if plasticity else 1.0
    cause = "rounding of weights" if apart <= bound / 100 else "weights"
    return cause, f"weights held are others than the rule's, up to {apart:.3g} away"


def _with(row: Row, cause: str, detail: str) -> Row:
    exact = row["verdict"] == "exact"
    return {**row, "cause": None if exact else cause, "detail": None if exact else detail}


def _explain_window(
    subject: Subject, a: Training, b: Training, update: int, seed: int
) -> list[Explanation]:
    """The window of an update once more in both lanes, with the weights that it was run with."""
    assert subject.config is not None
    if subject.config.carries:
        return []  # what it started from is not kept
    last = a.snapshots[update - 1] if update else a.before
    weights = {name: values for (quantity, name), values in last.items() if quantity == "weights"}
    then = dataclasses.replace(subject, weights=weights, t=a.steps[update])
    stimulus = [InputWindow(a.inputs[update], subject.config.window, True)]
    one, other = (record(then, training.lane, stimulus, seed) for training in (a, b))
    return explain(then, stimulus, one, other, seed)
