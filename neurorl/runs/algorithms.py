"""The approaches to learning, and agents that learn by each, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym

from neurorl.agents.local import read_agent
from neurorl.agents.replicas import Episode, State
from neurorl.agents.sharding import side_by_side
from neurorl.errors import ArgumentError, RunError, say, unknown
from neurorl.models.config import AgentConfig
from neurorl.models.presets import make_config
from neurorl.network.serialization import FloatArray
from neurorl.reparameterization.group import gradient_replicas
from neurorl.tasks.environments import discrete_actions, make_env
from neurorl.tasks.groups import SeparateEnvs
from neurorl.tasks.specification import PROBLEM, copy_env, describe_env, is_same_env

__all__ = [
    "APPROACHES",
    "Agents",
    "Changes",
    "default_backend",
    "make_agents",
    "open_env",
    "start_of",
]

APPROACHES = ("local", "reparameterization")
"""By a local three-factor rule on any backend, or by gradients through stochastic spikes."""


class Agents(Protocol):
    """What replicas of each approach have in common; see `neurorl.agents.replicas.Replicas`."""

    @property
    def approach(self) -> str: ...
    @property
    def backend_name(self) -> str: ...
    @property
    def arithmetic_name(self) -> str: ...
    @property
    def noise(self) -> str: ...
    @property
    def seeds(self) -> tuple[int, ...]: ...
    @property
    def config(self) -> AgentConfig: ...
    @property
    def episodes(self) -> list[list[Episode]]: ...
    def env_steps(self, k: int) -> int: ...
    def steps_taken(self, k: int) -> int: ...
    def learn(
        self,
        total_episodes: int | None = None,
        callback: Callable[[int, Episode], None] | None = None,
        total_steps: int | None = None,
    ) -> None: ...
    def play(
        self,
        total_episodes: int | None = None,
        callback: Callable[[int, Episode], None] | None = None,
        total_steps: int | None = None,
    ) -> Iterator[int]: ...
    def state(self, k: int) -> State: ...
    def restore(self, k: int, state: State) -> None: ...
    def adopt(self, k: int, state: State) -> None: ...
    def weights(self, k: int) -> dict[str, FloatArray]: ...
    def warnings(self, k: int) -> list[dict[str, Any]]: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Changes:
    """What a caller wants otherwise than the presets; see `neurorl.runs.training.train_seeds`."""

    overrides: dict[str, Any] = field(default_factory=dict)
    gradient: dict[str, Any] = field(default_factory=dict)
    backend_options: dict[str, Any] = field(default_factory=dict)


def default_backend(approach: str | None, backend: str | None) -> str:
    """Where agents learn if nobody says. Raises UnknownNameError or ArgumentError."""
    if approach is not None and approach not in APPROACHES:
        raise unknown("approach", approach, APPROACHES)
    if approach != "reparameterization":
        return backend or "reference"
    if backend not in (None, "torch"):
        what = "trains in PyTorch, and the agent runs on any backend afterwards"
        remedy = f"leave --backend out, then neurorl evaluate RUN --backend {backend}"
        raise ArgumentError(say(f"approach {approach!r}", what, got=backend, remedy=remedy))
    return "torch"


def make_agents(
    options: dict[str, Any],
    seeds: Sequence[int],
    changes: Changes,
    env: gym.Env[Any, Any] | None = None,
) -> Agents:
    """Agents as a run's *options* describe them (those of ``config.json``), one for each seed.

    env: the first one's environment, others have copies; None makes it.
    """
    env = env or make_env(options["env"])
    config = _agent_config(env, options, changes.overrides)
    if options["approach"] == "reparameterization":
        if config.learning.on_chip:
            what, remedy = "learns in PyTorch", "approach 'local', or leave --learning out"
            where = "approach 'reparameterization'"
            raise ArgumentError(say(where, what, got=config.learning.name, remedy=remedy))
        if options["noise"] != "exact":
            what, remedy = "learns with escape noise only", "name a noise in neurorl evaluate"
            where = "approach 'reparameterization'"
            raise ArgumentError(say(where, what, got=options["noise"], remedy=remedy))
        if changes.backend_options:
            what, remedy = "learns in PyTorch", "name them in neurorl evaluate"
            where = "approach 'reparameterization'"
            got = sorted(changes.backend_options)
            raise ArgumentError(say(where, what, got=got, remedy=remedy))
        return gradient_replicas(
            env,
            options["env"],
            config,
            seeds,
            options["gradient"] or changes.gradient,
            arithmetic=options["arithmetic"],
        )
    if changes.gradient:
        what = "has no gradient options"
        raise ArgumentError(say("approach 'local'", what, got=sorted(changes.gradient)))
    return side_by_side(
        SeparateEnvs([env, *(copy_env(env) for _ in seeds[1:])]),
        config,
        int(discrete_actions(env, options["env"]).n),
        seeds,
        backend=options["backend"],
        arithmetic=options["arithmetic"],
        options={**changes.backend_options, "noise": options["noise"]},
    )


def open_env(options: dict[str, Any]) -> gym.Env[Any, Any]:
    """Make the environment of a run by its id and arguments, and note it in *options*.

    Raises RunError if it isn't the one that the run was begun with.
    """
    env = make_env(options["env"], options["env_args"])
    made, before = describe_env(env), options.get("env_spec")
    if before is not None and PROBLEM not in before and not is_same_env(made, before):
        env.close()
        what = "is made otherwise here than when the run was begun"
        remedy = "register it as it was, or begin another run"
        raise RunError(say(f"environment {options['env']}", what, remedy=remedy))
    options["env_spec"] = before or made
    return env


def _agent_config(
    env: gym.Env[Any, Any], options: dict[str, Any], overrides: dict[str, Any]
) -> AgentConfig:
    """That of a run already begun, or of the run to start from, or a preset."""
    if options["agent"]:
        return AgentConfig.from_dict(options["agent"])
    changed = {"learning": options["learning"], **overrides}
    if not options["start"]:
        return make_config(env, options["model"], changed)
    started = AgentConfig.from_dict(read_agent(start_of(options["start"], None))[0]["config"])
    return dataclasses.replace(started, **changed)


def start_of(start: str, seed: int | None) -> Path:
    """The run to start from: *start*, or its run of this seed (None: any) if it holds several."""
    path = Path(start)
    if (path / "config.json").exists() or not path.is_dir():
        return path
    several = sorted(path.glob("seed*/config.json")) if seed is None else []
    return several[0].parent if several else path / f"seed{seed}"
