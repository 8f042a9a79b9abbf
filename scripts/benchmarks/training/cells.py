"""Make cells of other libraries, each imported only where it is made.

All spike where the voltage is above the threshold, then it is 0, and a sigmoid of the width `WIDTH`
stands for the step on the way back (in norse, which has none, SuperSpike). None of the libraries
draws the escape noise of ours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from benchmarks.training.cases import Case, make_network
from benchmarks.training.layered import Cells, State

WIDTH = 0.25


class _Stepped(ABC):
    """Wrap cells that know a step only."""

    def window(self, q: Tensor) -> Tensor:
        state = self.rest(q[0])
        spikes = []
        for q_t in q.unbind(0):
            s, state = self.step(q_t, state)
            spikes.append(s)
        return torch.stack(spikes)

    def rest(self, like: Tensor) -> State:
        zero = torch.zeros_like(like, requires_grad=False)
        return zero, zero

    @abstractmethod
    def step(self, q: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes, and the state after them."""


def _decays(case: Case) -> tuple[float, float, float]:
    """Return the decays of current and membrane in a step, and the threshold."""
    network = make_network(case)
    d = network.populations[0].neuron.integrator(1, network.dt)
    return float(d.current_decay[0]), float(d.membrane_decay[0]), float(d.threshold[0])


class _Sigmoid(torch.autograd.Function):
    """Compute ``1[margin > 0]``, with the derivative of a sigmoid."""

    @staticmethod
    def forward(ctx: Any, margin: Tensor) -> Tensor:
        ctx.save_for_backward(margin)
        return (margin > 0).to(margin.dtype)

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> Tensor:
        (margin,) = ctx.saved_tensors
        p = torch.sigmoid(margin / WIDTH)
        return gradient[0] * (p * (1.0 - p) / WIDTH)


class _PyTorch(_Stepped):
    def __init__(self, case: Case) -> None:
        self._current, self._membrane, self._threshold = _decays(case)
        self._noise = case.noise

    def step(self, q: Tensor, state: State) -> tuple[Tensor, State]:
        u, v = state
        u = self._current * u + q if self._current else q
        v = self._membrane * v + u
        margin = v - self._threshold
        if self._noise:
            margin = margin + self._noise * torch.logit(torch.rand_like(v), eps=1e-6)
        s: Tensor = _Sigmoid.apply(margin)  # type: ignore[no-untyped-call]
        return s, (u, v * (1.0 - s.detach()))


def make_pytorch(case: Case) -> Cells:
    """Make cells by hand, step by step; noise by `torch.logit`."""
    return _PyTorch(case)


class _Snn(_Stepped):
    def __init__(self, case: Case) -> None:
        import snntorch
        from snntorch import surrogate

        current, membrane, threshold = _decays(case)
        how = {
            "threshold": threshold,
            "spike_grad": surrogate.sigmoid(slope=1.0 / WIDTH),
            "reset_mechanism": "zero",
            "reset_delay": False,
        }
        self._has_current = case.currents
        if case.currents:
            self._node = snntorch.Synaptic(alpha=current, beta=membrane, **how)
        else:
            self._node = snntorch.Leaky(beta=membrane, **how)

    def rest(self, like: Tensor) -> State:
        zero = torch.zeros_like(like, requires_grad=False)
        return (zero, zero) if self._has_current else (zero,)

    def step(self, q: Tensor, state: State) -> tuple[Tensor, State]:
        s, *after = self._node(q, *state)
        return s, tuple(after)


def make_snntorch(case: Case) -> Cells:
    """Make `Synaptic`, or `Leaky`, that reset at once; gradients pass through the reset."""
    return _Snn(case)


class _Jelly(_Stepped):
    def __init__(self, case: Case) -> None:
        from spikingjelly.activation_based import neuron, surrogate

        current, membrane, threshold = _decays(case)
        self._node = neuron.LIFNode(
            tau=1.0 / (1.0 - membrane),
            decay_input=False,
            v_threshold=threshold,
            surrogate_function=surrogate.Sigmoid(alpha=1.0 / WIDTH),
            detach_reset=True,
            step_mode="m",
        )
        self._filter: Tensor | None = None
        self._current = current
        if case.currents:
            t = torch.arange(case.window)
            self._filter = (current ** (t[:, None] - t).clamp(min=0)).tril()

    def window(self, q: Tensor) -> Tensor:
        self._node.reset()
        self._node.step_mode = "m"
        u = q
        if self._filter is not None:
            u = torch.mm(self._filter, q.flatten(1)).view_as(q)
        s: Tensor = self._node(u)
        return s

    def rest(self, like: Tensor) -> State:
        self._node.reset()
        self._node.step_mode = "s"
        return (torch.zeros_like(like, requires_grad=False),)

    def step(self, q: Tensor, state: State) -> tuple[Tensor, State]:
        u = self._current * state[0] + q if self._filter is not None else q
        return self._node(u), (u,)


def make_spikingjelly(case: Case) -> Cells:
    """Make `LIFNode` in multi-step mode; currents are one product over time."""
    return _Jelly(case)


class _Norse(_Stepped):
    def __init__(self, case: Case) -> None:
        from norse.torch.functional import lif

        current, membrane, threshold = _decays(case)
        self._lif = lif
        self._dt = 1e-3
        self._gain = 1.0 / (1.0 - membrane)
        self._p = lif.LIFParameters(
            tau_syn_inv=torch.as_tensor((1.0 - current) / self._dt),
            tau_mem_inv=torch.as_tensor((1.0 - membrane) / self._dt),
            v_th=torch.as_tensor(threshold),
            method="super",
            alpha=torch.as_tensor(1.0 / WIDTH),
        )

    def window(self, q: Tensor) -> Tensor:
        first = self._lif.LIFFeedForwardState(*reversed(self.rest(q[0])))
        fired, _ = self._lif.lif_feed_forward_integral(self._gain * q, first, self._p, self._dt)
        spikes: Tensor = fired
        return spikes

    def step(self, q: Tensor, state: State) -> tuple[Tensor, State]:
        before = self._lif.LIFFeedForwardState(*state)
        s, after = self._lif.lif_feed_forward_step(self._gain * q, before, self._p, self._dt)
        return s, tuple(after)


def make_norse(case: Case) -> Cells:
    """Use `lif_feed_forward_integral`, its input scaled by ``1 / (1 - decay)`` first."""
    return _Norse(case)
