"""Make agents of every kind that see something of the past, and check that they go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl import LinearActorCritic, ReparameterizedActorCritic, SpikingActorCritic
from neurorl.agents.base import LearningAgent
from neurorl.models.defaults.presets import make_config

KINDS = ("table", "interpreted", "layers", "linear", "gradients")


def agent_of(kind: str, env: str) -> LearningAgent:
    """Return an agent that sees of the past what the default does in a task, by its id."""
    config = make_config(gym.make(env))
    seen: Any = {"cells": config.cells, **config.past.named}
    if kind == "gradients":
        features = config.cells
        return ReparameterizedActorCritic(env, seed=3, hidden=4, features=features, **seen)
    if kind == "layers":
        return SpikingActorCritic(env, seed=3, hidden=16, trunk="shared", **seen)
    if kind == "linear":
        return LinearActorCritic(env, seed=3)
    return SpikingActorCritic(env, seed=3, loop="numpy" if kind == "interpreted" else None)


def check_goes_on(kind: str, env: str, stop: int, end: int, folder: Path) -> None:
    """Check that an agent, saved within an episode, learns on as one that wasn't."""
    one, other = agent_of(kind, env), agent_of(kind, env)
    one.learn(total_steps=end)
    other.learn(total_steps=stop)
    other.save(folder / "agent.npz")
    loaded = type(other).load(folder / "agent.npz")
    assert loaded.config.past == one.config.past
    assert one.config.past
    loaded.learn(total_steps=end)
    for key, weights in one.weights.items():
        assert np.array_equal(weights, loaded.weights[key])
