"""Run neurons by equations over a window, step by step in torch, with gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neurorl.backends.torch.cells import Cells
from neurorl.backends.torch.estimators import Estimator, Score
from neurorl.backends.torch.expressions import evaluate_tensors
from neurorl.backends.torch.noise import logistic
from neurorl.backends.torch.state import Carried
from neurorl.errors import UnsupportedError
from neurorl.network.integrator import Integrator
from neurorl.network.step_plan import StepPlan

__all__ = ["EquationCells", "EquationState"]


@dataclass(frozen=True)
class EquationState(Carried):
    """Hold the state of neurons by equations; v has all state variables, one after the other.

    start: v at rest, ``(n_variables * size,)``. u is 0, as wide as what arrives at all inputs.
    """

    start: Tensor

    def map(self, f: Callable[[Tensor], Tensor]) -> EquationState:
        """Return the state with *f* applied to all that changes."""
        return replace(self, u=f(self.u), v=f(self.v), blocked=f(self.blocked))

    def silenced(self, kept: Tensor) -> EquationState:
        """Return the state, at rest where *kept* is False."""
        v = torch.where(kept, self.v, self.start)
        return replace(self, u=self.u * kept, v=v, blocked=self.blocked * kept)


class EquationCells(Cells):
    """Run the neurons of one population by their equations, in float64 whatever the dtype.

    Arguments as in `Cells`. plan: of one replica's neurons. biased: the input to which the bias
    adds. dtype: of spikes and of q. Inputs are next to each other in the last axis of q.
    """

    start: Tensor

    def __init__(
        self,
        plan: StepPlan,
        biased: str | None,
        dtype: torch.dtype,
        surrogate_width: float,
        detach_reset: bool,
    ) -> None:
        zero = np.zeros(plan.size)
        noise = plan.constants.get("noise_width", zero)
        stand_in = Integrator(zero, zero, zero, zero, noise, plan.refractory_steps)
        super().__init__(stand_in, torch.float64, surrogate_width, detach_reset, compiles=False)
        self._plan, self._biased, self._dtype = plan.hoisted(), biased, dtype
        for name, value in self._plan.constants.items():
            self._constant(f"constant_{name}", value, torch.float64)
        self._constant("start", np.concatenate(list(plan.initial.values())), torch.float64)

    @property
    def is_memoryless(self) -> bool:
        return False

    def place(self, x: Tensor, target: str) -> Tensor:
        k, inputs = self._plan.inputs.index(target), self._plan.inputs
        pad = (k * self.size, (len(inputs) - 1 - k) * self.size)
        return torch.nn.functional.pad(x, pad) if len(inputs) > 1 else x

    def rest(self, n_replicas: int, batch: int) -> Carried:
        width = len(self._plan.inputs) * self.size
        u = self.bias.new_zeros(n_replicas, batch, width, dtype=self._dtype)
        blocked = self.bias.new_zeros(len(self.dead), n_replicas, batch, self.size)
        return EquationState(u, self.start.expand(n_replicas, batch, -1), blocked, self.start)

    def variables(self, carried: Carried) -> dict[str, Tensor]:
        """Return the state variables by name, ``(n_replicas, batch, size)`` each."""
        return dict(zip(self._plan.initial, torch.split(carried.v, self.size, dim=-1), strict=True))

    def jitter(self, noise: Tensor | None) -> Tensor | None:
        """Return the standard logistic draws; equations have their width."""
        if noise is not None and noise.dtype == torch.int16:
            return logistic(noise, torch.float64)
        return noise

    def step(
        self, q: Tensor, bias: Tensor, carried: Carried, jitter: Tensor | None, estimator: Estimator
    ) -> tuple[Tensor, Carried]:
        plan, old = self._plan, self.variables(carried)
        names = {name: self.get_buffer(f"constant_{name}") for name in plan.constants} | old
        arrivals = torch.split(q.double(), self.size, dim=-1)
        for name, arrived in zip(plan.inputs, arrivals, strict=True):
            now = arrived + bias if name == self._biased else arrived
            names[name] = old[name] + now if name in old else now + 0.0
        if jitter is not None:
            names["logistic"] = jitter.double()
        for line in plan.update:
            names[line.variable] = evaluate_tensors(line.value, names)
        alive = 1.0 - carried.blocked[0] if self._has_refractory else None
        if alive is not None:
            for name in plan.held:
                names[name] = torch.where(alive > 0, names[name], old[name])
        s = self._spikes(names, estimator).expand((*carried.v.shape[:-1], self.size))
        s = s if alive is None else s * alive
        self._reset(names, s, getattr(estimator, "hard", True))
        size = s.shape
        v = torch.cat([names[name].expand(size) for name in plan.initial], dim=-1)
        after = replace(carried, v=v, blocked=self._blocked_after(s, carried))
        return s.to(self._dtype), after

    def replay(
        self, q: Tensor, bias: Tensor, carried: Carried, spikes: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        what, limit = "no probability of spikes of neurons by equations", "LIF, CubaLIF, GLM"
        raise UnsupportedError("score", what, limit=limit)

    def _spikes(self, names: dict[str, Tensor], estimator: Estimator) -> Tensor:
        """Return 0 or 1 for each neuron, with a derivative where it has one."""
        hard = evaluate_tensors(self._plan.threshold, names).double()
        is_hard = getattr(estimator, "hard", True)
        learns = torch.is_grad_enabled() and any(x.requires_grad for x in names.values())
        if is_hard and (not learns or isinstance(estimator, Score)):
            return hard
        if self._plan.margin is None:
            what, remedy = "gradients need a threshold `left > right`", "or estimator 'score'"
            raise UnsupportedError("neuron", what, remedy=remedy)
        left, right = (evaluate_tensors(side, names) for side in self._plan.margin)
        noise = self.noise_width * names["logistic"] if "logistic" in names else None
        s = estimator(left - right, torch.zeros_like(right), self.width, noise)
        return s + (hard - s).detach() if is_hard else s

    def _reset(self, names: dict[str, Tensor], s: Tensor, is_hard: bool) -> None:
        """Run the reset where s is 1, or as far as a relaxed s is."""
        spiked, part = s.detach() > 0, s.detach() if self._detach_reset else s
        for line in self._plan.reset:
            new, before = evaluate_tensors(line.value, names), names[line.variable]
            value = torch.where(spiked, new, before)
            if not is_hard:
                value = before + part * (new - before)
            elif part.requires_grad:
                value = value + (part - part.detach()) * (new - before).detach()
            names[line.variable] = value
