"""Define a neuron model to a network: its parameters, and the statements of a step."""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from neurorl.errors import DescriptionError, UnsupportedError
from neurorl.expressions.expression import Expression, Statement, read_statements
from neurorl.expressions.linear import Constants
from neurorl.network.serialization import Described
from neurorl.numerics.arrays import FloatArray, IntArray

PerNeuron = Any
"""Represent a parameter of neurons: a number, or an array of shape ``(size,)``."""

MAX_WORDS = 64
"""Limit the words that a neuron draws in a step."""

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
    `Integrator` has one; None for others, where these add to an input. words: names of whole
    numbers, 0 to 2**32 - 1, that are drawn for each neuron and step. clock: the name of the number
    of the step, from 0; None if no statement needs it.
    """

    initial: Mapping[str, FloatArray]
    constants: Mapping[str, FloatArray]
    inputs: tuple[str, ...]
    update: tuple[Statement, ...]
    threshold: Expression
    reset: tuple[Statement, ...]
    held: tuple[str, ...]
    refractory_steps: IntArray
    is_noisy: bool
    margin: Margin | None = None
    bias: FloatArray | None = None
    words: tuple[str, ...] = ()
    clock: str | None = None

    @property
    def size(self) -> int:
        """Return the number of neurons."""
        return len(self.refractory_steps)

    @property
    def from_outside(self) -> tuple[str, ...]:
        """Return the names of words, and of the number of the step."""
        return (*self.words, *(() if self.clock is None else (self.clock,)))

    def hoisted(self) -> StepPlan:
        """Return a plan of the same bits in which no step computes what never changes.

        Results of constants alone become constants; constants that nothing uses are left out.
        """
        moving = {*self.initial, *self.inputs, *(line.variable for line in self.reset)}
        times_set = Counter(line.variable for line in self.update)
        drawn = {"logistic", *self.from_outside}
        made = Constants(self.constants, {*moving, *times_set, *drawn, "bias"})
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


_UPDATE = read_statements("u = kept_u*u + q; v = kept_v*v + u + bias", "Integrator")
_RESET = read_statements("v = 0", "Integrator")
_MARGIN = Margin(Expression("v"), Expression("threshold"))
_SURE, _NOISY = Expression("v > threshold"), Expression("v + noise_width*logistic > threshold")


@dataclass(frozen=True, eq=False)
class Integrator:
    """Hold the parameters of a current and a membrane that leak; arrays of shape ``(size,)``.

    With input ``q`` (the sum of weights of arriving spikes), per step::

        u <- current_decay * u + q
        v <- membrane_decay * v + u + bias          (v stays 0 in a dead step)
        spike if v + noise_width * L > threshold    (L standard logistic; never in a dead step)
        v <- 0 and refractory_steps dead steps after a spike

    so that P(spike) = sigmoid((v - threshold) / noise_width), or a hard threshold for width 0.
    """

    current_decay: FloatArray
    membrane_decay: FloatArray
    threshold: FloatArray
    bias: FloatArray
    noise_width: FloatArray
    refractory_steps: IntArray

    def plan(self) -> StepPlan:
        """Return the statements of a step."""
        is_noisy = bool(self.noise_width.any())
        constants = {
            "kept_u": self.current_decay,
            "kept_v": self.membrane_decay,
            "threshold": self.threshold,
        }
        return StepPlan(
            initial={name: np.zeros(len(self.threshold)) for name in ("u", "v")},
            constants=constants | ({"noise_width": self.noise_width} if is_noisy else {}),
            inputs=("q",),
            update=_UPDATE,
            threshold=_NOISY if is_noisy else _SURE,
            reset=_RESET,
            held=("v",),
            refractory_steps=self.refractory_steps,
            is_noisy=is_noisy,
            margin=_MARGIN,
            bias=self.bias,
        )


def integrator_of(plan: StepPlan) -> Integrator | None:
    """Return the parameters of a step with an integrator's statements; None for others."""
    statements = plan.update, plan.reset, plan.margin, plan.held
    if plan.bias is None or statements != (_UPDATE, _RESET, _MARGIN, ("v",)):
        return None
    if plan.threshold not in (_SURE, _NOISY) or any(x.any() for x in plan.initial.values()):
        return None
    return Integrator(
        current_decay=plan.constants["kept_u"],
        membrane_decay=plan.constants["kept_v"],
        threshold=plan.constants["threshold"],
        bias=plan.bias,
        noise_width=plan.constants.get("noise_width", np.zeros(plan.size)),
        refractory_steps=plan.refractory_steps,
    )


class Neuron(Described, abc.ABC):
    """Describe a neuron model by its parameters; see `neurorl.models.neurons.leaky`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "dynamics" in vars(cls):  # what versions up to 0.2 asked for
            where, what = f"{cls.__name__}.dynamics", "has no effect any more"
            raise DescriptionError(where, what, remedy="override plan() and return its statements")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the variables that projections may add to."""
        return ("q",)

    @property
    def chip_unit(self) -> float | None:
        """Return the chip integers in a membrane unit; None if the weights decide."""
        return None

    @abc.abstractmethod
    def plan(self, size: int, dt: float) -> StepPlan:
        """Return what *size* neurons do in a step of *dt* seconds."""

    def integrator(self, size: int, dt: float) -> Integrator:
        """Return the parameters of neurons that are `Integrator`.

        Raises UnsupportedError for others.
        """
        found = integrator_of(self.plan(size, dt))
        if found is None:
            what, limit = "neurons by equations can't be here", "LIF, CubaLIF, GLM"
            raise UnsupportedError("neuron", what, limit=limit)
        return found

    def on_chip(self, size: int, dt: float) -> Neuron | None:
        """Return the neuron of the chip that makes the same spikes; None if there is none."""
        return None if integrator_of(self.plan(size, dt)) is None else self
