"""neurorl itself in the workload: the same agents that `neurorl train` trains."""

from __future__ import annotations

from typing import Any

from neurorl.bench.loops import Loop
from neurorl.bench.workload import (
    BASELINE_RATE,
    BOUND,
    CARTPOLE_SCALE,
    CHANNELS,
    DT,
    MINUS,
    P_MAX,
    RATE,
    STEPS,
    TAU_ELIGIBILITY,
    TAU_MEMBRANE,
    TAU_TRACE,
    THRESHOLD,
    Size,
    make_env,
)
from neurorl.config import AgentConfig
from neurorl.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.envgroup import SeparateEnvs
from neurorl.features import GaussianCells
from neurorl.groups import ReplicaGroups, side_by_side
from neurorl.models import LIF
from neurorl.replicas import Replicas

__all__ = ["ReplicasLoop", "agent_config", "make", "network"]

_FOR_EVER = 2**62


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


def agent_config(size: Size) -> AgentConfig:
    """Rule, encoder and reward of the workload, as an agent's configuration."""
    n = size.inputs // CHANNELS
    scale = CARTPOLE_SCALE if n == len(CARTPOLE_SCALE) else (1.0,) * n
    cells = GaussianCells([-s for s in scale], scale, CHANNELS, width=1.0, floor=0.0)
    return AgentConfig(
        model="own",
        neuron=LIF(tau_mem=TAU_MEMBRANE, threshold=THRESHOLD),
        rule="reward-stdp",
        cells=cells,
        features=cells,
        window=STEPS,
        description=network(size),
        carries=True,
        encoder="bernoulli",
        peak=P_MAX,
        policy="greedy",
        modulator="reward",
        alpha_critic=BASELINE_RATE,
        reward_scale=1.0,
        normalises=False,
        alpha_hidden=RATE * size.hidden_mean,
        alpha_output=RATE * size.output_mean,
        eligibility_tau=TAU_ELIGIBILITY,
        post_tau=TAU_TRACE,
        depression=MINUS,
    )


def make(
    size: Size, replicas: int, backend: str, engine: str | None, arithmetic: str | None
) -> Loop:
    """The loop on a backend; engine: of brian2, or ``'stock'`` for loihi's own loops."""
    options: dict[str, Any] = {}
    if backend == "loihi":
        options = {"accelerate": engine != "stock"}
    elif engine is not None:
        options = {"engine": engine}
    agents = side_by_side(
        SeparateEnvs([make_env(size) for _ in range(replicas)]),
        agent_config(size),
        size.outputs,
        range(replicas),
        backend=backend,
        arithmetic=arithmetic,
        options=options,
    )
    shown = engine or getattr(agents.backend, "engine", None)
    return ReplicasLoop(agents, shown or ("accelerated" if backend == "loihi" else "numpy"))


class ReplicasLoop:
    """Agents at work, an environment step at a time."""

    def __init__(self, agents: Replicas | ReplicaGroups, engine: str) -> None:
        self.engine, self.arithmetic = engine, agents.backend.arithmetic_name
        self._agents = agents
        self.step = iter(agents.play(_FOR_EVER)).__next__

    def close(self) -> None:
        self._agents.close()
