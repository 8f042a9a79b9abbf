"""Hold the statements of a neuron's step, which every backend runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.expressions.expression import Expression
from neurorl.expressions.linear import Constants
from neurorl.expressions.statements import Statement
from neurorl.numerics.arrays import FloatArray

__all__ = ["IS_SILENT", "Margin", "StepPlan"]

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
