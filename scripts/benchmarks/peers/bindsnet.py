"""Run the workload with BindsNET: its LIFNodes, and MSTDPET as its rule.

It is another task: the reward is a keyword of ``network.run``, so it is the one *before* the
window; it changes the weights in each of the 20 steps, with an eligibility that is a step late. A
batch shares one matrix of weights, so there are no replicas.
"""

from __future__ import annotations

import importlib
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
        raise UnsupportedError("bench bindsnet", "one replica only", got=replicas, limit=1)
    return agent_loop(_BindsnetAgent(size), size, replicas, engine="MSTDPET")


class _BindsnetAgent:
    """Run one replica as an `Agent`; times in their unit, milliseconds."""

    def __init__(self, size: Size) -> None:
        import torch
        from bindsnet.network import Network
        from bindsnet.network.monitors import Monitor
        from bindsnet.network.nodes import Input, LIFNodes

        torch.set_num_threads(1)
        self._torch = torch
        neuron = {"thresh": w.THRESHOLD, "rest": 0.0, "reset": 0.0, "refrac": 0}
        neuron["tc_decay"] = 1e3 * w.TAU_MEMBRANE
        layers = {
            "input": Input(size.inputs, traces=True),
            "hidden": LIFNodes(size.hidden, traces=True, **neuron),
            "output": LIFNodes(size.outputs, traces=True, **neuron),
        }
        self._network = Network(dt=1.0)
        for name, layer in layers.items():
            self._network.add_layer(layer, name=name)
        w1, w2 = w.initial_weights(size)
        self._rules = [
            self._connect("input", "hidden", w1, size.hidden_mean),
            self._connect("hidden", "output", w2, size.output_mean),
        ]
        self._seen = Monitor(layers["output"], state_vars=["s"], time=w.STEPS)
        self._network.add_monitor(self._seen, "output")
        self._generator = torch.Generator().manual_seed(7)
        self._shape = (w.STEPS, size.inputs)
        self._reward = 0.0

    def _connect(self, pre: str, post: str, weights: npt.NDArray[np.float32], mean: float) -> Any:
        """Add a plastic connection; returns its rule."""
        topology = importlib.import_module("bindsnet.network.topology")
        learning = importlib.import_module("bindsnet.learning")
        tau = 1e3 * w.TAU_ELIGIBILITY  # their eligibility is divided by it
        connection = topology.Connection(
            source=self._network.layers[pre],
            target=self._network.layers[post],
            w=self._torch.from_numpy(weights),
            update_rule=learning.MSTDPET,
            nu=[w.RATE * mean * tau / w.STEPS] * 2,
            wmin=-w.BOUND * mean,
            wmax=w.BOUND * mean,
            tc_plus=1e3 * w.TAU_TRACE,
            tc_minus=1e3 * w.TAU_TRACE,
            tc_e_trace=tau,
        )
        self._network.add_connection(connection, source=pre, target=post)
        return connection.update_rule

    def step(self, p: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        torch = self._torch
        with torch.no_grad():
            drawn = torch.rand(self._shape, generator=self._generator) < torch.from_numpy(p)
            inputs = {"input": drawn.float()}
            self._network.run(
                inputs, time=w.STEPS, reward=self._reward, a_plus=w.PLUS, a_minus=-w.MINUS
            )
            return np.asarray(self._seen.get("s").sum(0).ravel().numpy())

    def learn(self, m: Any) -> None:
        self._reward = float(m)

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        self._network.reset_state_variables()
        for rule in self._rules:
            for name in ("p_plus", "p_minus", "eligibility", "eligibility_trace"):
                if hasattr(rule, name):
                    getattr(rule, name).zero_()
