"""Define what a neuron model is to a network: one update that all backends know, or equations."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.expressions.expression import Expression
from neurorl.expressions.fold import Constants
from neurorl.expressions.statements import Statement
from neurorl.network.serialization import Described, FloatArray

__all__ = ["IS_SILENT", "Dynamics", "Margin", "Neuron", "StepPlan"]

IS_SILENT = "is_silent"
"""Name the constant that tells which neurons by equations a lesion silenced."""


@dataclass(frozen=True, eq=False)
class Dynamics:
    """Hold the one update that every neuron model reduces to; arrays of shape ``(size,)``.

    With input ``q`` (the sum of weights of arriving spikes), per step::

        u <- current_decay * u + q
        v <- membrane_decay * v + u + bias          (v <- 0 in a dead step)
        spike if v + noise_width * L > threshold    (L standard logistic; never in a dead step)
        v <- 0 and refractory_steps dead steps after a spike

    so that P(spike) = sigmoid((v - threshold) / noise_width), or a hard threshold for width 0.
    """

    current_decay: FloatArray
    membrane_decay: FloatArray
    threshold: FloatArray
    bias: FloatArray
    noise_width: FloatArray
    refractory_steps: npt.NDArray[np.int64]


class Margin(NamedTuple):
    """Hold the sides of a threshold ``left > right`` or ``left >= right``, without noise."""

    left: Expression
    right: Expression


@dataclass(frozen=True)
class StepPlan:
    """Hold what a neuron does in one step, as every backend runs it.

    Order: inputs are added to, *update* in order; in dead steps the variables *held* keep their old
    values; a spike where *threshold* and not dead; *reset* in order, where there was a spike.

    initial: state variables, ``(size,)`` each. constants: parameters and what the method added.
    inputs: what synapses add to; those that are no state variables begin at 0 in each step.
    refractory_steps: dead steps after a spike, ``(size,)``. is_noisy: whether *threshold* uses
    ``logistic``, a standard logistic draw of each neuron and step. margin: of a threshold
    ``left > right``, its sides without noise; None for another.
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

    @property
    def size(self) -> int:
        """Return the number of neurons."""
        return len(self.refractory_steps)

    def hoisted(self) -> StepPlan:
        """Return a plan of the same bits in which no step computes what never changes.

        What constants alone make is one more constant, constants that nothing uses are left out.
        """
        moving = {*self.initial, *self.inputs, *(line.variable for line in self.reset)}
        times_set = Counter(line.variable for line in self.update)
        made = Constants(self.constants, {*moving, *times_set, "logistic"})
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
        )


class Neuron(Described, abc.ABC):
    """Describe a neuron model by its parameters; see `neurorl.models.neurons`."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the variables that projections may add to."""
        return ("q",)

    @property
    def chip_unit(self) -> float | None:
        """Return the chip integers in a membrane unit; None if the weights decide."""
        return None

    @abc.abstractmethod
    def dynamics(self, size: int, dt: float) -> Dynamics:
        """Return the update of *size* neurons for steps of *dt* seconds."""

    def plan(self, size: int, dt: float) -> StepPlan | None:
        """Return the step of neurons that are equations; None for those of `dynamics`."""
        return None

    def on_chip(self, size: int, dt: float) -> Neuron | None:
        """Return the neuron of the chip that makes the same spikes; None if there is none."""
        return self if self.plan(size, dt) is None else None
