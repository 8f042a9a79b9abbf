"""Step neurons of equations in NumPy: the definition of what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.checks import check_finite
from neurorl.backends.reference.node import DrawAll
from neurorl.expressions.expression import Statement
from neurorl.network.neuron import StepPlan
from neurorl.numerics.arrays import BoolArray, FloatArray, IntArray

Names = dict[str, FloatArray]


def before_reset(
    plan: StepPlan,
    state: Mapping[str, FloatArray],
    dead: IntArray,
    arrived: Mapping[str, FloatArray],
    logistic: FloatArray | None = None,
    bias: FloatArray | None = None,
    given: Mapping[str, FloatArray] | None = None,
) -> tuple[Names, BoolArray]:
    """Return all values at the threshold test by name, and the spikes.

    state, dead: before the step, ``(..., size)``. arrived: what synapses add, by input. logistic:
    draws of the noise. bias: the value ``bias`` in statements; None is the plan's own. given:
    numbers from outside, by name.
    """
    names: Names = {**plan.constants, **state, **(given or {})}
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
    plan: StepPlan, names: Names, dead: IntArray, spikes: BoolArray
) -> tuple[dict[str, FloatArray], IntArray]:
    """Return the state and dead steps after a step; *dead*: dead steps before it."""
    _run(plan.reset, names, spikes)
    state = {name: np.array(np.broadcast_to(names[name], dead.shape)) for name in plan.initial}
    return state, np.where(spikes, plan.refractory_steps, dead - (dead > 0))


def _run(
    statements: Sequence[Statement], names: dict[str, FloatArray], where: BoolArray | None = None
) -> None:
    """Run statements in order; *where*: only for these neurons."""
    for line in statements:
        value = line.value.evaluate(names)
        if where is not None:
            value = np.where(where, value, names[line.variable])
        names[line.variable] = value


class EquationNeurons:
    """Hold the state of some neurons, and step it.

    plan: of their model. name: of the population, for errors. noise: returns the draws of all
    neurons, given the number of the step in each replica. biased: the input to which `bias` is
    added in every step. copies: replicas that they belong to.

    state: arrays ``(size,)`` by variable. dead: steps that each neuron is still dead.
    """

    def __init__(
        self,
        plan: StepPlan,
        name: str = "population",
        noise: DrawAll | None = None,
        biased: str | None = None,
        copies: int = 1,
    ) -> None:
        self._plan, self._name, self._biased = plan.hoisted(), name, biased
        self.inputs = plan.inputs
        self._size = plan.size // copies
        self._noise = noise if plan.is_noisy else None
        self.bias: npt.NDArray[Any] = np.zeros(plan.size)
        self.state = {name: value.copy() for name, value in plan.initial.items()}
        self.dead = np.zeros(plan.size, dtype=np.int64)
        self._t = 0

    def reset(self, columns: slice = slice(None)) -> None:
        """Return some neurons to the initial state."""
        for name, value in self._plan.initial.items():
            self.state[name][columns] = value[columns]
        self.dead[columns] = 0

    def update(self, arrived: dict[str, FloatArray], steps: Sequence[int]) -> npt.NDArray[np.bool_]:
        """Make one step, as a simulator does it; otherwise as `step`.

        steps: the number of the step in each replica, for its noise.
        """
        if self._biased is not None:
            arrived[self._biased] = arrived[self._biased] + self.bias
        self._t = steps[0]
        return self.step(arrived, None if self._noise is None else self._noise(steps))

    def step(
        self, arrived: Mapping[str, FloatArray], logistic: FloatArray | None = None
    ) -> npt.NDArray[np.bool_]:
        """Advance by one step and return which neurons spike.

        arrived: what synapses add, by input; 0 where there is none. logistic: draws of the noise.
        Raises DivergenceError if a state variable becomes nan or infinite.
        """
        clock = self._plan.clock
        given = {} if clock is None else {clock: np.full(self.dead.shape, float(self._t))}
        names, spikes = before_reset(
            self._plan, self.state, self.dead, arrived, logistic, given=given
        )
        self.state, self.dead = after_reset(self._plan, names, self.dead, spikes)
        check_finite(self._name, self.state, self._size, f"step {self._t}")
        self._t += 1
        return spikes
