"""Hold the statements of a neuron's step, which every backend runs, and step them in NumPy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.expressions.expression import Expression
from neurorl.expressions.linear import Constants
from neurorl.expressions.statements import Statement
from neurorl.numerics.arrays import FloatArray

IS_SILENT = "is_silent"
"""Name the constant that marks neurons silenced by a lesion."""


class Margin(NamedTuple):
    """Hold the sides of a threshold ``left > right`` or ``left >= right``, without noise."""

    left: Expression
    right: Expression


@dataclass(frozen=True)
class StepPlan:
    """Hold the statements of a neuron's step.

    Order: add to inputs; run *update*; in dead (refractory) steps give the variables *held* their
    old values; spike where *threshold* holds, unless dead; run *reset* where it spiked.

    initial: state variables, ``(size,)`` each. constants: parameters and what the method added.
    inputs: what synapses add to; inputs that aren't state variables begin at 0 in each step.
    refractory_steps: dead steps after a spike, ``(size,)``. is_noisy: whether *threshold* uses
    ``logistic``, a standard logistic draw for each neuron and step. margin: the sides of a
    threshold ``left > right``, without noise; None for other thresholds. bias: the value ``bias``
    in statements, ``(size,)``, which currents and silent signed synapses add to. Only an
    `Integrator` has one; None for others, where these add to an input.
    """

    initial: Mapping[str, FloatArray]
    constants: Mapping[str, FloatArray]
    inputs: tuple[str, ...]
    update: tuple[Statement, ...]
    threshold: Expression
    reset: tuple[Statement, ...]
    held: tuple[str, ...]
    refractory_steps: npt.NDArray[np.int64]
    is_noisy: bool
    margin: Margin | None = None
    bias: FloatArray | None = None

    @property
    def size(self) -> int:
        """Return the number of neurons."""
        return len(self.refractory_steps)

    def hoisted(self) -> StepPlan:
        """Return a plan of the same bits in which no step computes what never changes.

        Results of constants alone become constants; constants that nothing uses are left out.
        """
        moving = {*self.initial, *self.inputs, *(line.variable for line in self.reset)}
        times_set = Counter(line.variable for line in self.update)
        made = Constants(self.constants, {*moving, *times_set, "logistic", "bias"})
        update = []
        for line in self.update:
            x, tree = line.variable, line.value.tree
            if x not in moving and times_set[x] == 1 and made.holds(tree):
                made.values[x] = made.value(tree)
            else:
                update.append(Statement(x, made.folded(line.value)))
        reset = tuple(Statement(line.variable, made.folded(line.value)) for line in self.reset)
        threshold = made.folded(self.threshold)
        margin = None if self.margin is None else Margin(*map(made.folded, self.margin))
        formulas = [threshold, *(margin or ()), *(line.value for line in (*update, *reset))]
        used = {"noise_width", IS_SILENT, *(name for one in formulas for name in one.names)}
        return replace(
            self,
            constants={name: value for name, value in made.values.items() if name in used},
            update=tuple(update),
            threshold=threshold,
            reset=reset,
            margin=margin,
        )

    def tiled(self, copies: int) -> StepPlan:
        """Return the plan of *copies* equal populations side by side."""

        def tile(values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
            return {k: np.tile(v, copies) if v.ndim else v for k, v in values.items()}

        return replace(
            self,
            initial=tile(self.initial),
            constants=tile(self.constants),
            refractory_steps=np.tile(self.refractory_steps, copies),
            bias=None if self.bias is None else np.tile(self.bias, copies),
        )


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
