"""Run the workload by hand in PyTorch, without autograd; replicas as a batch of matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.bench import workload as w
from neurorl.bench.workload import BenchLoop, Size, agent_loop


def make(size: Size, replicas: int) -> BenchLoop:
    """Return the loop, on one thread."""
    return agent_loop(_TorchAgent(size, replicas), size, replicas, engine="eager")


class TorchLayer:
    """Hold a projection and its neurons; tensors ``(replicas, n_pre[, n_post])``."""

    def __init__(self, weights: npt.NDArray[np.float32], mean: float, replicas: int) -> None:
        import torch

        self._torch = torch
        n_pre, n_post = weights.shape
        self.w = torch.from_numpy(weights).repeat(replicas, 1, 1)
        self.e = torch.zeros_like(self.w)
        self.x = torch.zeros(replicas, n_pre)
        self.v, self.y = torch.zeros(replicas, n_post), torch.zeros(replicas, n_post)
        self.rate, self.bound = w.RATE * mean, w.BOUND * mean

    def step(self, arrived: Any) -> Any:
        """Step once; return spikes ``(replicas, n_post)``."""
        q = self._torch.bmm(arrived.unsqueeze(1), self.w).squeeze(1)
        self.v.mul_(w.MEMBRANE).add_(q)
        fired = self.v > w.THRESHOLD
        self.v.masked_fill_(fired, 0.0)
        spikes = fired.float()
        self.remember(arrived, spikes)
        return spikes

    def remember(self, arrived: Any, spikes: Any) -> None:
        """Update traces and eligibility after a step's arrivals and spikes."""
        self.x.mul_(w.TRACE).add_(arrived)
        self.y.mul_(w.TRACE).add_(spikes)
        self.e.baddbmm_(self.x.unsqueeze(2), spikes.unsqueeze(1), beta=w.ELIGIBILITY, alpha=w.PLUS)
        self.e.baddbmm_(arrived.unsqueeze(2), self.y.unsqueeze(1), alpha=-w.MINUS)

    def learn(self, m: Any) -> None:
        """Update the weights by the modulator m, ``(replicas, 1, 1)``."""
        self.w.addcmul_(self.e, m, value=self.rate).clamp_(-self.bound, self.bound)

    def reset(self, which: Any) -> None:
        for tensor in (self.v, self.x, self.y, self.e):
            tensor[which] = 0.0


class _TorchAgent:
    """Run replicas as an `Agent`."""

    def __init__(self, size: Size, replicas: int) -> None:
        import torch

        torch.set_num_threads(1)
        self._torch = torch
        w1, w2 = w.initial_weights(size)
        self._hidden = TorchLayer(w1, size.hidden_mean, replicas)
        self._output = TorchLayer(w2, size.output_mean, replicas)
        self._in_flight = [torch.zeros(replicas, n) for n in (size.inputs, size.hidden)]
        self._generator = torch.Generator().manual_seed(7)
        self._shape = (w.STEPS, replicas, size.inputs)

    def step(self, p: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        torch = self._torch
        with torch.inference_mode():
            drawn = torch.rand(self._shape, generator=self._generator) < torch.from_numpy(p)
            counts = torch.zeros_like(self._output.v)
            from_input, from_hidden = self._in_flight
            for spikes in drawn.float().unbind(0):
                hidden = self._hidden.step(from_input)
                counts += self._output.step(from_hidden)
                from_input, from_hidden = spikes, hidden
        self._in_flight = [from_input, from_hidden]
        return np.asarray(counts.numpy())

    def learn(self, m: Any) -> None:
        with self._torch.inference_mode():
            modulator = self._torch.as_tensor(m, dtype=self._torch.float32).reshape(-1, 1, 1)
            self._hidden.learn(modulator)
            self._output.learn(modulator)

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        which: Any = slice(None) if replicas is None else list(replicas)
        with self._torch.inference_mode():
            for layer in (self._hidden, self._output):
                layer.reset(which)
            for spikes in self._in_flight:
                spikes[which] = 0.0
