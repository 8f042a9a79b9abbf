"""Environments come from a function or a class, and say what is allowed by a method."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import LinearActorCritic, SpikingActorCritic, evaluate
from neurorl.callbacks import EvaluateEvery
from neurorl.errors import ArgumentError, EnvError, EnvironmentWarning, RunError, UnsupportedError
from neurorl.lab.watch import play_frames

SMALL: dict[str, Any] = {"actors": 1, "hidden": 2, "backend": "reference"}
FEW = 5


class Choosing(gym.Env[Any, Any]):
    """Show one of three numbers; the action of this number is forbidden."""

    has_method = False
    made = 0

    def __init__(self) -> None:
        type(self).made += 1
        self.observation_space = gym.spaces.Discrete(3)
        self.action_space = gym.spaces.Discrete(3)
        self.taken: list[tuple[int, int]] = []

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self._left, self._state = FEW, int(self.np_random.integers(3))
        return self._state, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.taken.append((self._state, int(action)))
        self._left -= 1
        self._state = int(self.np_random.integers(3))
        return self._state, float(action == 2), self._left == 0, False, {}


class Masked(Choosing):
    """Say so by a method, but not when an episode is over."""

    def action_masks(self) -> Any:
        assert self._left, "asked when the episode was over"
        return np.arange(3) != self._state


class Both(Masked):
    """Say so in infos, and have a method, too."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        return super().reset(seed=seed)[0], {"action_mask": super().action_masks()}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        state, *rest = super().step(action)
        return state, *rest[:3], {"action_mask": np.arange(3) != state}  # type: ignore[return-value]

    def action_masks(self) -> Any:
        raise AssertionError("asked though the info has it")


class Wrong(Choosing):
    """Give a mask that is none."""

    def action_masks(self) -> Any:
        raise ValueError("no board")


def limited() -> gym.Env[Any, Any]:
    return gym.wrappers.TimeLimit(Choosing(), 3)


@pytest.mark.parametrize("maker", [Choosing, limited, lambda: gym.make("CartPole-v1")])
def test_a_maker_makes_each_environment(maker: Any) -> None:
    agent = SpikingActorCritic(maker, environments=3, seed=1, **SMALL)
    given = SpikingActorCritic(maker(), seed=1, **SMALL)
    alone = SpikingActorCritic(maker, seed=1, **SMALL)
    agent.learn(total_episodes=6)
    assert len(agent.episodes) >= 6
    for one in (given, alone):
        one.learn(total_episodes=3)
    assert given.episodes == alone.episodes
    assert len({id(env) for env in (agent.env, given.env, alone.env)}) == 3


def test_what_was_made_is_made_again(tmp_path: Path) -> None:
    """Evaluate in copies, save and load, with an environment that has no id."""
    agent = SpikingActorCritic(Choosing, environments=2, seed=1, **SMALL)
    watches = EvaluateEvery(10, episodes=2)
    agent.learn(total_timesteps=20, callback=watches)
    assert len(watches.evaluations) == 2
    with pytest.warns(EnvironmentWarning, match=r"load it with env="):
        agent.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz", env=Choosing)
    for one in (agent, loaded):
        one.learn(total_timesteps=20)
    assert loaded.episodes == agent.episodes
    assert evaluate(loaded, 3, env=Choosing) == evaluate(agent, 3)


def test_a_maker_of_one_and_the_same_is_refused() -> None:
    env = Choosing()
    with pytest.raises(RunError, match=r"can't be made again .*makes another one in each call"):
        SpikingActorCritic(lambda: env, environments=2, **SMALL)


def test_an_agent_without_neurons_takes_a_maker() -> None:
    assert LinearActorCritic(Choosing, seed=1).learn(total_episodes=2)[-1].length == FEW


@pytest.mark.parametrize(
    ("maker", "error", "said"),
    [
        (lambda: 3, ArgumentError, "env: is no Gymnasium environment"),
        (int, ArgumentError, "got the class int"),
        (lambda n: n, UnsupportedError, r"environment of <lambda>: can't be made here \(got TypeE"),
        (lambda: gym.make_vec("CartPole-v1", 2), ArgumentError, "vector environment"),
    ],
)
def test_a_maker_of_something_else_is_refused(maker: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said) as raised:
        SpikingActorCritic(maker, **SMALL)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("wraps", [False, True])
def test_a_method_says_what_is_allowed(wraps: bool) -> None:
    def maker() -> gym.Env[Any, Any]:
        return gym.wrappers.TimeLimit(Masked(), 4) if wraps else Masked()

    env = maker()
    agent = SpikingActorCritic(env, seed=3, **SMALL)
    agent.learn(total_episodes=8)
    taken = env.unwrapped.taken  # type: ignore[attr-defined]
    assert len(taken) == 8 * (4 if wraps else FEW)
    assert all(state != action for state, action in taken)
    assert agent.is_masked
    taken.clear()
    evaluate(agent, 4, explore=True)
    assert taken
    assert all(state != action for state, action in taken)


def test_a_method_is_not_asked_for_what_the_info_has() -> None:
    agent = SpikingActorCritic(Both, seed=3, **SMALL)
    agent.learn(total_episodes=2)
    evaluate(agent, 1)
    assert len(play_frames(agent, FEW)) == FEW
    vector = gym.vector.SyncVectorEnv([Both] * 2)
    SpikingActorCritic(vector, seed=3, **SMALL).learn(total_episodes=2)


def test_environments_without_the_method_take_all() -> None:
    env = Choosing()
    SpikingActorCritic(env, seed=3, **SMALL).learn(total_episodes=8)
    assert any(state == action for state, action in env.taken)


@pytest.mark.parametrize("mode", list(gym.vector.AutoresetMode))
def test_a_vector_of_masked_environments(mode: gym.vector.AutoresetMode) -> None:
    vector = gym.vector.SyncVectorEnv([Masked] * 2, autoreset_mode=mode)
    SpikingActorCritic(vector, seed=3, **SMALL).learn(total_episodes=6)
    pairs = [pair for env in vector.envs for pair in env.unwrapped.taken]  # type: ignore[attr-defined]
    assert len(pairs) >= 6 * FEW
    assert all(state != action for state, action in pairs)


def test_a_method_that_raises_is_named() -> None:
    agent = SpikingActorCritic(Wrong, seed=3, **SMALL)
    with pytest.raises(EnvError, match=r"action_masks raised .*no board"):
        agent.learn(total_episodes=1)
