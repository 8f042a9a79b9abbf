"""Step neurons of equations in NumPy: the definition of what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.checks import check_finite
from neurorl.backends.reference.node import DrawAll
from neurorl.network.neuron import StepPlan, after_reset, before_reset
from neurorl.numerics.arrays import FloatArray


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
