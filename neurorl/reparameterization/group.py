"""Agents that learn by gradients, made without importing PyTorch before it is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gymnasium as gym

from neurorl.errors import BackendUnavailableError, say
from neurorl.models.config import AgentConfig
from neurorl.reparameterization.config import GradientConfig, make_gradient
from neurorl.tasks.environments import discrete_actions
from neurorl.tasks.groups import SeparateEnvs
from neurorl.tasks.known import task_of
from neurorl.tasks.specification import copy_env

if TYPE_CHECKING:
    from neurorl.reparameterization.replicas import GradientReplicas

__all__ = ["gradient_replicas"]


def gradient_replicas(
    env: gym.Env[Any, Any],
    env_id: str,
    config: AgentConfig,
    seeds: Sequence[int],
    gradient: dict[str, Any],
    arithmetic: str | None = None,
) -> GradientReplicas:
    """Agents that learn by gradients in copies of *env*, itself the first of them.

    gradient: overrides, or a whole configuration as plain data. Raises BackendUnavailableError
    without PyTorch.
    """
    found = (
        GradientConfig.from_dict(gradient)
        if "type" in gradient
        else make_gradient(config, task_of(env), gradient)
    )
    try:
        from neurorl.reparameterization.replicas import GradientReplicas
    except ImportError as exc:
        if exc.name is None or exc.name.partition(".")[0] != "torch":
            raise
        remedy = "pip install 'neurorl[torch]'"
        raise BackendUnavailableError(
            say("approach 'reparameterization'", "torch doesn't import", got=exc, remedy=remedy)
        ) from exc
    copies = (copy_env(env) for _ in range(len(seeds) * found.environments - 1))
    envs, n_actions = SeparateEnvs([env, *copies]), int(discrete_actions(env, env_id).n)
    return GradientReplicas(envs, config, found, n_actions, seeds, arithmetic=arithmetic)
