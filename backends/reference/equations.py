"""Step neurons of equations in NumPy: the definition of what they do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from neurorl.errors import DivergenceError, say
from neurorl.expressions.statements import Statement
from neurorl.models.equations import StepPlan
from neurorl.network.serialization import FloatArray

__all__ = ["EquationNeurons"]


class EquationNeurons:
    """Hold the state of some neurons, and step it.

    plan: of their model. name: of the population, for errors.

    state: arrays ``(size,)`` by variable. dead: steps that each neuron is still dead.
    """

    def __init__(self, plan: StepPlan, name: str = "population") -> None:
        self._plan, self._name = plan, name
        self.reset()

    def reset(self) -> None:
        """Return to the initial state."""
        self.state = {name: value.copy() for name, value in self._plan.initial.items()}
        self.dead = np.zeros(len(self._plan.refractory_steps), dtype=np.int64)
        self._steps = 0

    def step(
        self, arrived: Mapping[str, FloatArray], logistic: FloatArray | None = None
    ) -> npt.NDArray[np.bool_]:
        """Advance by one step and return which neurons spike.

        arrived: what synapses add, by input; 0 where there is none. logistic: draws of the noise.
        Raises DivergenceError if a state variable becomes nan.
        """
        plan, old = self._plan, self.state
        names: dict[str, npt.NDArray[np.float64]] = dict(plan.constants) | old
        for name in plan.inputs:
            names[name] = old.get(name, np.zeros(len(self.dead))) + arrived.get(name, 0.0)
        if logistic is not None:
            names["logistic"] = logistic
        _run(plan.update, names)
        is_dead = self.dead > 0
        for name in plan.held:
            names[name] = np.where(is_dead, old[name], names[name])
        self.dead -= is_dead
        self._check(names)
        spikes = np.broadcast_to(plan.threshold.evaluate(names), is_dead.shape) & ~is_dead
        _run(plan.reset, names, spikes)
        self.dead[spikes] = plan.refractory_steps[spikes]
        self.state = {name: np.broadcast_to(names[name], is_dead.shape) for name in old}
        self._steps += 1
        return spikes

    def _check(self, names: Mapping[str, FloatArray]) -> None:
        for name in self.state:
            bad = np.isnan(names[name])
            if bad.any():
                neuron = int(np.argmax(np.broadcast_to(bad, self.dead.shape)))
                where = f"{self._name}, neuron {neuron}, step {self._steps}"
                remedy = "look for a division by 0, or take a smaller dt"
                raise DivergenceError(say(where, f"{name} has become nan", remedy=remedy))


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
