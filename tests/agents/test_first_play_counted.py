"""The random steps by which a default agent is chosen count as environment steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError, UnknownNameError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.presets import make_config
from neurorl.runs.training import train
from neurorl.tasks.first_play import FIRST_STEPS

LAKE = "FrozenLake-v1"


def test_they_count_but_not_for_the_budget() -> None:
    agent = SpikingActorCritic(LAKE, seed=1)
    assert (agent.env_steps, agent.first_play_steps) == (FIRST_STEPS, FIRST_STEPS)
    agent.learn(total_steps=50)
    assert (agent.env_steps, agent.steps_taken) == (FIRST_STEPS + 50, 50)


def test_a_loaded_agent_and_a_resumed_run_say_the_same(tmp_path: Path) -> None:
    agent = SpikingActorCritic(LAKE, seed=1)
    agent.learn(total_steps=30)
    agent.save(tmp_path / "agent.npz")
    assert SpikingActorCritic.load(tmp_path / "agent.npz").env_steps == FIRST_STEPS + 30
    for steps in (20, 40):
        row = train(LAKE, tmp_path / "run", steps=steps, resume=steps > 20)
        assert (row["env_steps"], row["first_play_steps"]) == (FIRST_STEPS + steps, FIRST_STEPS)


def test_presets_play_none(tmp_path: Path) -> None:
    config = make_config(gym.make("CartPole-v1"))
    assert config.first_play_steps == 0
    row = train("CartPole-v1", tmp_path / "run", steps=20)
    assert (row["env_steps"], row["first_play_steps"]) == (20, 0)


def test_none_is_played_where_all_is_named() -> None:
    env = gym.make(LAKE)
    assert make_config(env, overrides={"hidden": 2, "reward_scale": 1.0}).first_play_steps == 0


def test_a_preset_whose_rewards_are_wrapped_is_played_in_both() -> None:
    env = gym.wrappers.TransformReward(gym.make("CartPole-v1"), lambda r: 10 * r)  # type: ignore[operator]
    assert make_config(env).first_play_steps == 2 * FIRST_STEPS


def test_nobody_sets_it() -> None:
    said: dict[str, Any] = {"first_play_steps": 5}
    config = make_config(gym.make("CartPole-v1"))
    with pytest.raises(UnknownNameError, match="first_play_steps"):
        SpikingActorCritic(LAKE, **said)
    with pytest.raises(UnknownNameError, match="first_play_steps"):
        config.changed(**said)
    with pytest.raises(DescriptionError, match="first_play_steps: must be a whole number"):
        AgentConfig.from_dict({**config.to_dict(), "first_play_steps": -1})
