"""neurorl itself in the workload: a described network on a backend, learning on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backend import load
from neurorl.bench.hostrule import HostRule
from neurorl.bench.loops import AgentLoop, Loop
from neurorl.bench.workload import BOUND, DT, STEPS, TAU_MEMBRANE, TAU_TRACE, THRESHOLD, Size
from neurorl.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.errors import UnsupportedError, say
from neurorl.models import LIF

__all__ = ["make", "network"]


def network(size: Size) -> Network:
    """The workload's network: input -(drive)-> hidden -(readout)-> output."""
    neuron = LIF(tau_mem=TAU_MEMBRANE, threshold=THRESHOLD)

    def projection(name: str, pre: str, post: str, mean: float) -> Projection:
        plasticity = Plasticity(TAU_TRACE, -BOUND * mean, BOUND * mean)
        return Projection(name, pre, post, Uniform(0.0, 2.0 * mean), plasticity=plasticity)

    return Network(
        nodes=(
            Source("input", size.inputs),
            Population("hidden", size.hidden, neuron),
            Population("output", size.outputs, neuron),
        ),
        projections=(
            projection("drive", "input", "hidden", size.hidden_mean),
            projection("readout", "hidden", "output", size.output_mean),
        ),
        dt=DT,
    )


def make(
    size: Size, replicas: int, backend: str, engine: str | None, arithmetic: str | None
) -> Loop:
    """The loop on a backend; engine: of brian2, or ``'stock'`` for loihi's own loops.

    Raises UnsupportedError for more than one replica.
    """
    if replicas > 1:
        raise UnsupportedError(say(f"bench {backend}", "one replica only", got=replicas, limit=1))
    options: dict[str, Any] = {}
    if backend == "loihi":
        options = {"accelerate": engine != "stock"}
    elif engine is not None:
        options = {"engine": engine}
    agent = _BackendAgent(size, backend, arithmetic, options)
    shown = engine or getattr(agent.backend, "engine", None)
    shown = shown or ("accelerated" if backend == "loihi" else "numpy")
    return AgentLoop(
        agent,
        size,
        replicas,
        engine=shown,
        arithmetic=agent.backend.arithmetic_name,
        close=agent.backend.close,
    )


class _BackendAgent:
    """An `Agent` of one replica on any backend."""

    def __init__(
        self, size: Size, backend: str, arithmetic: str | None, options: dict[str, Any]
    ) -> None:
        self.backend = load(backend, network(size), arithmetic=arithmetic, **options)
        weights = (self.backend.weights("drive"), self.backend.weights("readout"))
        self._rule = HostRule(size, *weights)
        self._rng = np.random.default_rng(7)
        self._shape = (STEPS, size.inputs)

    def step(self, p: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        inputs = self._rng.random(self._shape, np.float32) < p
        seen = self.backend.step({"input": inputs}, STEPS)
        self._rule.remember(inputs, seen["hidden"], seen["output"])
        return np.asarray(seen["output"].sum(0))

    def learn(self, m: Any) -> None:
        self._rule.learn(m)
        for name, weights in zip(("drive", "readout"), self._rule.weights, strict=True):
            self.backend.set_weights(name, weights)

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        self.backend.reset()
        self._rule.reset()
