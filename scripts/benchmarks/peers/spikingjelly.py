"""Run the workload with SpikingJelly: its LIF nodes and its own MSTDPETLearner.

The learner steps once a simulation step, and its eligibility is a step late. The update is made
from its trace after the window, since the reward isn't known before. It has no batches.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.bench import workload as w
from neurorl.bench.workload import BenchLoop, Size, agent_loop
from neurorl.errors import UnsupportedError


def make(size: Size, replicas: int) -> BenchLoop:
    """Return the loop on one thread; raises UnsupportedError for more than one replica."""
    if replicas > 1:
        raise UnsupportedError("bench spikingjelly", "one replica only", got=replicas, limit=1)
    return agent_loop(_SpikingJellyAgent(size), size, replicas, engine="MSTDPETLearner")


class _Layer:
    """Hold a linear synapse, its neurons and its learner."""

    def __init__(self, weights: npt.NDArray[np.float32], mean: float) -> None:
        import torch
        from spikingjelly.activation_based import learning, neuron

        n_pre, n_post = weights.shape
        self._synapse = torch.nn.Linear(n_pre, n_post, bias=False)
        self._synapse.weight.data = torch.from_numpy(weights.T.copy())
        # Theirs is v + (x - v) / tau, and without decay of the input v (1 - 1/tau) + x.
        tau = 1.0 / (1.0 - w.MEMBRANE)
        self._node = neuron.LIFNode(tau=tau, decay_input=False, v_threshold=w.THRESHOLD)
        steps = 1.0 / w.DT
        self._learner = learning.MSTDPETLearner(
            step_mode="s",
            synapse=self._synapse,
            sn=self._node,
            tau_pre=w.TAU_TRACE * steps,
            tau_post=w.TAU_TRACE * steps,
            tau_trace=w.TAU_ELIGIBILITY * steps,
            f_pre=lambda weight: torch.full_like(weight, w.MINUS),
            f_post=lambda weight: torch.full_like(weight, w.PLUS),
        )
        # Its trace is divided by tau_trace.
        self._rate = w.RATE * mean * w.TAU_ELIGIBILITY * steps
        self._bound = w.BOUND * mean

    def step(self, arrived: Any) -> Any:
        spikes = self._node(self._synapse(arrived))
        self._learner.step(1.0, on_grad=False)
        return spikes

    def learn(self, m: float) -> None:
        weight = self._synapse.weight.data
        weight.add_(self._learner.trace_e, alpha=self._rate * m).clamp_(-self._bound, self._bound)

    def reset(self) -> None:
        self._node.reset()
        self._learner.reset()


class _SpikingJellyAgent:
    """Run one replica as an `Agent`."""

    def __init__(self, size: Size) -> None:
        import torch

        torch.set_num_threads(1)
        self._torch = torch
        w1, w2 = w.initial_weights(size)
        self._layers = (_Layer(w1, size.hidden_mean), _Layer(w2, size.output_mean))
        self._silence = (torch.zeros(size.inputs), torch.zeros(size.hidden))
        self._in_flight = self._silence
        self._generator = torch.Generator().manual_seed(7)
        self._shape = (w.STEPS, size.inputs)

    def step(self, p: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        torch = self._torch
        hidden_layer, output_layer = self._layers
        with torch.no_grad():
            drawn = torch.rand(self._shape, generator=self._generator) < torch.from_numpy(p)
            from_input, from_hidden = self._in_flight
            counts = []
            for spikes in drawn.float():
                hidden = hidden_layer.step(from_input)
                counts.append(output_layer.step(from_hidden))
                from_input, from_hidden = spikes, hidden
        self._in_flight = (from_input, from_hidden)
        return np.asarray(torch.stack(counts).sum(0).numpy())

    def learn(self, m: Any) -> None:
        with self._torch.no_grad():
            for layer in self._layers:
                layer.learn(float(m))

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        self._in_flight = self._silence
        for layer in self._layers:
            layer.reset()
