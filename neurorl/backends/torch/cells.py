"""Run populations over a window by `neurorl.network.description.Integrator`, differentiably."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurorl.backends.torch.compiled import fire, kind_of, replay
from neurorl.backends.torch.estimators import Estimator
from neurorl.backends.torch.native import Constants
from neurorl.backends.torch.noise import logistic
from neurorl.backends.torch.state import Carried
from neurorl.network.integrator import Integrator

__all__ = ["Cells"]


class Cells(nn.Module):
    """Run the neurons of one population in all replicas.

    Tensors are ``(n_replicas, batch, size)``, over a window ``(n_replicas, n_steps, batch, size)``.

    dynamics: the neurons' parameters.
    dtype: dtype of all tensors.
    surrogate_width: width of the sigmoid that replaces a hard threshold in the backward pass, in
        membrane units.
    detach_reset: whether reset and dead steps after a spike are constants in the backward pass.
    compiles: whether windows run in C++ (`neurorl.backends.torch.compiled`).

    The order of operations is that of the reference, so in float64 every bit is the same.
    """

    current_decay: Tensor
    membrane_decay: Tensor
    threshold: Tensor
    bias: Tensor
    noise_width: Tensor
    width: Tensor
    dead: Tensor
    registers: tuple[float, float, float] | None = None  # see `native.Constants`; of the chip only

    def __init__(
        self,
        dynamics: Integrator,
        dtype: torch.dtype,
        surrogate_width: float,
        detach_reset: bool,
        compiles: bool,
    ) -> None:
        super().__init__()
        d = dynamics
        self._constant("current_decay", d.current_decay, dtype)
        self._constant("membrane_decay", d.membrane_decay, dtype)
        self._constant("threshold", d.threshold, dtype)
        self._constant("bias", d.bias, dtype)
        self._constant("noise_width", d.noise_width, dtype)
        width = np.where(d.noise_width > 0, d.noise_width, surrogate_width)
        self._constant("width", width, dtype)
        longest = int(d.refractory_steps.max())
        dead = d.refractory_steps > np.arange(longest)[:, None]
        self._constant("dead", dead, dtype)  # (longest, size): which steps after a spike are dead
        self.size = len(d.bias)
        self.is_noisy = bool(d.noise_width.any())
        self.is_stochastic = bool((d.noise_width > 0).all())
        self._detach_reset = detach_reset
        self._has_current = bool(d.current_decay.any())
        self._has_membrane = bool(d.membrane_decay.any())
        self._has_refractory = longest > 0
        self._compiles = compiles

    @property
    def is_memoryless(self) -> bool:
        """Return whether each step is independent of the others, as in a `GLM`."""
        return not (self._has_current or self._has_membrane or self._has_refractory)

    def rounded_bias(self, bias: Tensor) -> Tensor:
        """Return the bias as rounded, for a bias that includes the currents into the neurons."""
        return bias

    def place(self, x: Tensor, target: str) -> Tensor:
        """Return what arrives at an input as a part of q; here the only one."""
        return x

    def rest(self, n_replicas: int, batch: int) -> Carried:
        """Return the state of silence."""
        zero = self.bias.new_zeros(n_replicas, batch, self.size)
        return Carried(zero, zero, zero.expand(len(self.dead), -1, -1, -1))

    def run(
        self, q: Tensor, bias: Tensor, carried: Carried, noise: Tensor | None, estimator: Estimator
    ) -> tuple[Tensor, Carried]:
        """Return the spikes of a window, and the state after it.

        q: input in every step, ``(n_replicas, n_steps, batch, size)``.
        bias: broadcasts with a step: one for all rows, for each replica, or for each row.
        carried: the state before the window.
        noise: L in every step, or the words that stand for it (`draw_words`); None for none.
        estimator: how gradients pass through the spikes.
        """
        if self.compiles(estimator):
            return fire(self.constants, estimator, q, bias, carried, noise)
        jitter = self.jitter(noise)
        if self.is_memoryless:
            v = q + _in_window(bias)
            s = estimator(v, self.threshold, self.width, jitter)
            return s, self._after(q[:, -1], v[:, -1], s[:, -1], carried)
        spikes = []
        for t, q_t in enumerate(q.unbind(1)):
            now = None if jitter is None else jitter[:, t]
            s, carried = self.step(q_t, bias, carried, now, estimator)
            spikes.append(s)
        return torch.stack(spikes, dim=1), carried

    def compiles(self, estimator: Estimator) -> bool:
        """Return whether windows with this estimator run in C++."""
        return self._compiles and kind_of(estimator) is not None

    @property
    def constants(self) -> Constants:
        """Return the constants of these neurons for the C++."""
        return Constants(
            self.current_decay,
            self.membrane_decay,
            self.threshold,
            self.noise_width,
            self.width,
            dead=self.dead if self._has_refractory else None,
            has_membrane=self._has_membrane,
            detach_reset=self._detach_reset,
            registers=self.registers,
        )

    def jitter(self, noise: Tensor | None) -> Tensor | None:
        """Return the noise ``w L`` on the membrane; None without noise."""
        if noise is None:
            return None
        if noise.dtype == torch.int16:
            noise = logistic(noise, self.bias.dtype)
        return self.noise_width * noise

    def step(
        self, q: Tensor, bias: Tensor, carried: Carried, jitter: Tensor | None, estimator: Estimator
    ) -> tuple[Tensor, Carried]:
        """Return the spikes of one step, and the state after it; arguments as in `run`.

        jitter: what the method `jitter` returns, for this step.
        """
        u, v, alive = self._integrate(q, bias, carried)
        s = estimator(v, self.threshold, self.width, jitter)
        if alive is not None:
            s = s * alive
        return s, self._after(u, v, s, carried)

    def replay(
        self, q: Tensor, bias: Tensor, carried: Carried, spikes: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits ``(v - threshold) / w`` for given spikes, and a mask of neurons alive.

        q, bias, carried: as in `run`.
        spikes: the emitted spikes, in the shape of *q*.

        The second tensor is 0 in dead steps, else 1; None if the neurons have no refractory period.
        """
        alive = None
        if self.is_memoryless:
            v = q + _in_window(bias)
        elif self._compiles:
            v, alive = replay(self.constants, q, bias, carried, spikes)
        else:
            v, alive = self._replay(q, bias, carried, spikes)
        return self._logits(v), alive

    def _logits(self, v: Tensor) -> Tensor:
        """Return the logits of spike probabilities for these membranes."""
        return (v - self.threshold) / self.width

    def _replay(
        self, q: Tensor, bias: Tensor, carried: Carried, spikes: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return membranes before their reset, and a mask of neurons alive, step by step."""
        membranes, awake = [], []
        for q_t, s in zip(q.unbind(1), spikes.unbind(1), strict=True):
            u, v, alive = self._integrate(q_t, bias, carried)
            carried = self._after(u, v, s, carried)
            membranes.append(v)
            if alive is not None:
                awake.append(alive)
        return torch.stack(membranes, dim=1), torch.stack(awake, dim=1) if awake else None

    def _integrate(
        self, q: Tensor, bias: Tensor, carried: Carried
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return current, membrane, and 0 where a neuron is in a dead step (None: none)."""
        u = self.current_decay * carried.u + q if self._has_current else q
        v = self.membrane_decay * carried.v + u + bias if self._has_membrane else u + bias
        return self._alive(u, v, carried)

    def _alive(
        self, u: Tensor, v: Tensor, carried: Carried
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return *u*, *v* set to 0 in dead steps, and 0 in those steps (None if there are none)."""
        if not self._has_refractory:
            return u, v, None
        alive = 1.0 - carried.blocked[0]
        return u, v * alive, alive

    def _after(self, u: Tensor, v: Tensor, s: Tensor, carried: Carried) -> Carried:
        """Return the state after a step: reset where *s* is 1, and dead steps that follow."""
        if self._detach_reset:
            s = s.detach()
        blocked = self._blocked_after(s, carried)
        # A membrane without memory passes no gradient to its reset, as the next step ignores it.
        left = v * (1.0 - s)
        return Carried(u, left if self._has_membrane else left.detach(), blocked)

    def _blocked_after(self, s: Tensor, carried: Carried) -> Tensor:
        """Return which steps are dead after one with spikes *s*."""
        blocked = carried.blocked
        if not self._has_refractory:
            return blocked
        begun = torch.cat([blocked[1:], torch.zeros_like(blocked[:1])])
        return begun + (s.detach() if self._detach_reset else s) * self.dead[:, None, None]

    def _constant(self, name: str, value: Any, dtype: torch.dtype) -> None:
        """Register a constant tensor that isn't saved with the weights."""
        self.register_buffer(name, torch.tensor(value, dtype=dtype), persistent=False)


def _in_window(bias: Tensor) -> Tensor:
    """Return *bias* with an axis of steps, if it has one of replicas."""
    return bias if bias.dim() == 1 else bias.unsqueeze(1)
