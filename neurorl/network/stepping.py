"""Step neurons by equations in NumPy; every backend's steps are compared with these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from neurorl.expressions.statements import Statement
from neurorl.network.step_plan import StepPlan
from neurorl.numerics.arrays import FloatArray

__all__ = ["after_reset", "before_reset"]

Names = dict[str, npt.NDArray[np.float64]]


def before_reset(
    plan: StepPlan,
    state: Mapping[str, FloatArray],
    dead: npt.NDArray[np.int64],
    arrived: Mapping[str, FloatArray],
    logistic: FloatArray | None = None,
    bias: FloatArray | None = None,
) -> tuple[Names, npt.NDArray[np.bool_]]:
    """Return all values at the threshold test by name, and the spikes.

    state, dead: before the step, ``(..., size)``. arrived: what synapses add, by input. logistic:
    draws of the noise. bias: the value ``bias`` in statements; None is the plan's own.
    """
    names: Names = {**plan.constants, **state}
    for name in plan.inputs:
        names[name] = state.get(name, np.zeros(dead.shape)) + arrived.get(name, 0.0)
    if logistic is not None:
        names["logistic"] = logistic
    if plan.bias is not None:
        names["bias"] = plan.bias if bias is None else bias
    _run(plan.update, names)
    is_dead = dead > 0
    for name in plan.held:
        names[name] = np.where(is_dead, state[name], names[name])
    return names, np.broadcast_to(plan.threshold.evaluate(names), dead.shape) & ~is_dead


def after_reset(
    plan: StepPlan, names: Names, dead: npt.NDArray[np.int64], spikes: npt.NDArray[np.bool_]
) -> tuple[dict[str, FloatArray], npt.NDArray[np.int64]]:
    """Return the state and dead steps after a step; *dead*: dead steps before it."""
    _run(plan.reset, names, spikes)
    state = {name: np.array(np.broadcast_to(names[name], dead.shape)) for name in plan.initial}
    return state, np.where(spikes, plan.refractory_steps, dead - (dead > 0))


def _run(
    statements: Sequence[Statement],
    names: dict[str, npt.NDArray[np.float64]],
    where: npt.NDArray[np.bool_] | None = None,
) -> None:
    """Run statements in order; *where*: only for these neurons."""
    for line in statements:
        value = line.value.evaluate(names)
        if where is not None:
            value = np.where(where, value, names[line.variable])
        names[line.variable] = value
