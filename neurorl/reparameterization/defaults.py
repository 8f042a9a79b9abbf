"""Choose how an agent learns by gradients: by its model, its cells and policy, and its task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from neurorl.errors import unknown_name_error
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.gaussian_policy import Gaussian
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.images import MOST_ACTIVE
from neurorl.models.features import Features, Select
from neurorl.models.features.image_cells import ImageCells
from neurorl.reparameterization.config import GradientConfig
from neurorl.tasks.registration import GRID_ID, POSITION_ONLY_ID

_FEW_ACTIVE = 12
"""Let the learning rate fall as 1 over the number of active cells, from so many on: Adam moves the
weight of each by the rate, whatever the others do. Chosen on Acrobot-v1 and LunarLander-v3; of
numbers Pendulum-v1, with 24 active cells, learned the same at half the rate."""
_CHOICES, _LONGEST = 4, 128
"""Let a rollout be of four choices in each environment, where each is repeated: with longer ones,
updates are too few. At most of so many steps, as all their inputs are kept."""

# Memoryless units without filters: spikes of one step only, for which the slope has the least noise
# and hardly any bias, and which bear larger steps.
_MODELS: dict[str, dict[str, Any]] = {"glm": {"estimator": "slope", "learning_rate": 1e-2}}

_DEEP: dict[str, Any] = {"environments": 1, "estimator": "slope", "learning_rate": 1e-3}
"""Learn shared hidden layers in one environment, as the local rule does. The rate was chosen on
CartPole-v1, seeds 100 and 101: with three times as much, agents fell back after 80,000 steps."""

_TASKS: dict[tuple[str, str], dict[str, Any]] = {
    # Where rewards are rare or always the same, Adam makes much of little: entropy keeps the policy
    # from an early certainty.
    (GRID_ID, "lif"): {"entropy": 1e-2},
    ("MountainCar-v0", "lif"): {
        "learning_rate": 1e-3,
        "entropy": 1e-3,
        "rate_end": 0.1,
        "rate_episodes": 900,
    },
    (POSITION_ONLY_ID, "lif"): {
        "environments": 8,
        "alpha_critic": 0.125,
        "entropy": 1e-3,
        "horizon": 1,
        "rate_end": 0.1,
        "rate_episodes": 1400,
    },
    (GRID_ID, "glm"): {"entropy": 1e-2},
    ("MountainCar-v0", "glm"): {"rate_end": 0.1, "rate_episodes": 900},
}


def make_gradient(
    config: AgentConfig, env_id: str, overrides: Mapping[str, Any] | None = None
) -> GradientConfig:
    """Return the configuration for an agent on an environment.

    It is that of the model, of the cells and the policy, the task's preset, then *overrides*.

    overrides: fields by name, or a whole configuration as plain data. env_id: of a task with its
    own spaces, see `neurorl.tasks.known.task_of`.
    Raises UnknownNameError for another field.
    """
    if overrides and "type" in overrides:
        return GradientConfig.from_dict(overrides)
    known = {field.name for field in dataclasses.fields(GradientConfig)}
    for key in overrides or {}:
        if key not in known:
            raise unknown_name_error("gradient option", key, known)
    task = _TASKS.get((env_id, config.model), {})
    return GradientConfig(**{**_of_agent(config), **task, **(overrides or {})})


def _of_agent(config: AgentConfig) -> dict[str, Any]:
    """Return what follows from the model, the cells and how often actions are repeated.

    With longer rollouts there are fewer updates, so these step as much further.
    """
    if isinstance(config.trunk, Shared):
        return {**_DEEP, "entropy": config.trunk.entropy}
    chosen = dict(_MODELS.get(config.model, {}))
    usual = GradientConfig(**chosen)
    steps = max(usual.steps, min(_CHOICES * config.policy.repeats, _LONGEST))
    if steps > usual.steps:
        chosen |= {"steps": steps, "lambda_advantage": round(1.0 - 1.0 / steps, 2)}
    active = _active(config.cells)
    if active > _FEW_ACTIVE and not isinstance(config.policy, Gaussian):
        rate = usual.learning_rate * _FEW_ACTIVE / active * steps / usual.steps
        chosen["learning_rate"] = round(rate, 5)
    return chosen


def _active(cells: Features) -> float:
    """Return how many cells are active at once where the default chose them; 0 for others."""
    if isinstance(cells, ImageCells):
        return MOST_ACTIVE
    if isinstance(cells, Select):
        return float(cells.of_all(np.zeros((1, cells.n_inputs))).sum())
    return 0.0
