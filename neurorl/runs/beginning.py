"""Make the environment and the agents of a run, and find a run to start from."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from neurorl.agents.group import AgentGroup, GroupPlan
from neurorl.agents.saved import read_agent
from neurorl.errors import RunError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.presets import make_config
from neurorl.runs.config import RunConfig
from neurorl.storage.zoo import located
from neurorl.tasks.arguments import wrapped
from neurorl.tasks.environments import make_env
from neurorl.tasks.kinds import Environment
from neurorl.tasks.specification import PROBLEM, describe_env, is_same_env


def make_agents(config: RunConfig, seeds: Sequence[int], env: Environment) -> AgentGroup:
    """Make the agents of runs of this *config*, one for each seed.

    env: the first agent's environment; others get copies.
    """
    agent, gradient = _agent_config(env, config), config.gradient or config.own_options
    config.algorithm.check_read(config.overrides, agent)
    config.algorithm.check(
        learning=agent.learning.name,
        noise=config.noise,
        backend_options=sorted(config.backend_options),
        gradient=sorted(gradient),
    )
    plan = GroupPlan(env, config.env, agent, seeds, config.spec, gradient)
    return plan.make(config.algorithm)


def open_env(config: RunConfig) -> tuple[Environment, RunConfig]:
    """Make a run's environment by its id and arguments; return it, and *config* with its spec.

    Raises RunError if the run was begun with another environment.
    """
    env = wrapped(make_env(config.env, config.env_args), config.wrappers)
    made, before = describe_env(env), config.env_spec
    if before is not None and PROBLEM not in before and not is_same_env(made, before):
        env.close()
        what = "is made otherwise here than when the run was begun"
        remedy = "register it as it was, or begin another run"
        raise RunError(f"environment {config.env}", what, remedy=remedy)
    return env, dataclasses.replace(config, env_spec=before or made)


def start_of(start: str, seed: int | None) -> Path:
    """Return the run to start from: *start*, or its run of this seed (None: any) of several."""
    path = located(start)
    if (path / "config.json").exists() or not path.is_dir():
        return path
    several = sorted(path.glob("seed*/config.json")) if seed is None else []
    return several[0].parent if several else path / f"seed{seed}"


def _agent_config(env: Environment, config: RunConfig) -> AgentConfig:
    """Return the agent of a run already begun, or of the run to start from, or a preset."""
    if config.agent:
        return AgentConfig.from_dict(config.agent)
    changed = {"learning": config.learning, **config.overrides}
    if config.base is not None:
        return config.base.changed(**changed)
    if not config.start:
        can_share = config.algorithm.can_share
        return make_config(env, config.model or "lif", changed, can_share=can_share)
    started, _ = read_agent(start_of(config.start, None))
    return started.config.changed(**changed)
