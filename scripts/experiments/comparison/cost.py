"""Measure an environment step with learning, by each approach: processor time, and memory.

Agents that have learned go on, in one process, in turns; times are of the processor, in one
thread, and compared as ratios within a turn.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.catalogue import Task
from neurorl.agents.checkpoint import read_agent
from neurorl.agents.group import AgentGroup, GroupPlan
from neurorl.backends.spec import BackendSpec
from neurorl.learning.memory import memory_for
from neurorl.learning.plan import LearningPlan
from neurorl.models.agent.config import AgentConfig
from neurorl.reparameterization.config import GradientConfig
from neurorl.tasks.environments import discrete_actions, make_env

ROUNDS = 5
STEPS = 2000
"""Make at least this many environment steps per turn."""

REPLICAS = (1, 20)


@dataclass(frozen=True)
class CostRow:
    """Hold one turn of one approach; us_per_step: of one environment step of one replica."""

    task: str
    model: str
    replicas: int
    turn: int
    approach: str
    env_steps: int
    us_per_step: float


@dataclass(frozen=True)
class MemoryRow:
    """Hold what one agent keeps only to learn, beside its weights and its critic, bytes.

    local: eligibilities, traces, running norms. gradients: a stored rollout with its noise; what is
    kept for the way back through a window of each of its decisions; gradient and moments of Adam.
    """

    task: str
    model: str
    approach: str
    part: str
    bytes: int


def times(
    task: Task,
    model: str,
    runs: Mapping[str, Sequence[Path]],
    replicas: Sequence[int] = REPLICAS,
    rounds: int = ROUNDS,
    backend: str = "native",
    steps: int = STEPS,
) -> Iterator[CostRow]:
    """Return rows of all turns. runs: of each approach, as many as the most replicas."""
    for n in replicas:
        agents = {name: _agents(task, mine[:n], backend) for name, mine in runs.items()}
        for turn in range(-1, rounds):  # the first one warms up
            for name, one in agents.items():
                before, started = _env_steps(one), time.process_time()
                while (taken := _env_steps(one) - before) < steps:
                    one.learn(total_episodes=len(one.episodes[0]) + 1)
                seconds = time.process_time() - started
                if turn >= 0:
                    yield CostRow(task.name, model, n, turn, name, taken, 1e6 * seconds / taken)
        for one in agents.values():
            one.close()


def memory_held(task: Task, model: str, runs: Mapping[str, Sequence[Path]]) -> list[MemoryRow]:
    """Return rows of all parts, for one agent of each approach."""
    found = []
    for name, mine in runs.items():
        described, _ = read_agent(mine[0])
        config = described.config
        n_actions = int(discrete_actions(make_env(task.env), task.env).n)
        if isinstance(described.gradient, GradientConfig):
            parts = _gradient_bytes(config, described.gradient, n_actions)
        else:
            parts = _local_bytes(config, n_actions)
        found += [MemoryRow(task.name, model, name, part, n) for part, n in parts.items()]
    return found


def _agents(task: Task, runs: Sequence[Path], backend: str) -> AgentGroup:
    """Return agents that begin as *runs* ended."""
    read = [read_agent(path) for path in runs]
    described = read[0][0]
    algorithm, gradient = described.algorithm, described.gradient
    agents = GroupPlan(
        make_env(task.env),
        task.env,
        described.config,
        [described.seed for described, _ in read],
        spec=BackendSpec(algorithm.backend or backend, "float"),
        gradient={} if gradient is None else gradient.to_dict(),
    ).make(algorithm)
    for k, (_, arrays) in enumerate(read):
        agents.adopt(k, arrays)
    return agents


def _env_steps(agents: AgentGroup) -> int:
    """Count the environment steps of all replicas, those of running episodes too."""
    return sum(agents.steps_taken(k) for k in range(len(agents.seeds)))


def _local_bytes(config: AgentConfig, n_actions: int) -> dict[str, int]:
    network = config.network(n_actions)
    weights = {p.name: np.zeros((1, *network.weight_shape(p.name))) for p in network.projections}
    memory = memory_for(LearningPlan(network, config), weights, eligibilities=np.float32)
    parts = {
        "eligibilities": memory.eligibility,
        "traces": {**memory.trace, **memory.post_trace, "critic": memory.value_trace},
        "norms and feedback signs": {**memory.norm, **memory.signs},
    }
    return {part: sum(a.nbytes for a in arrays.values()) for part, arrays in parts.items()}


def _gradient_bytes(
    config: AgentConfig, gradient: GradientConfig, n_actions: int
) -> dict[str, int]:
    import torch

    from neurorl.reparameterization.choices import choices_for
    from neurorl.reparameterization.learner import GradientLearner
    from neurorl.reparameterization.rollout import Rollout

    network = config.network(n_actions)
    choices = choices_for(config, (n_actions,))
    rollout = Rollout(network, choices, (gradient.steps, 1, gradient.environments))
    learner = GradientLearner(network, gradient, "float", choices, 0)
    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        learner.learn(rollout, 0, 1.0)
    held = learner.module.parameters()
    weights = sum(w.numel() * w.element_size() for w in held if w.requires_grad)
    noise = rollout.noise.values()
    return {
        "rollout": sum(_nbytes(x) for x in (*vars(rollout).values(), *noise)),
        "for the way back": sum(kept.values()),
        "gradient and moments": 3 * weights,
    }


def _nbytes(x: Any) -> int:
    return int(getattr(x, "nbytes", 0))
