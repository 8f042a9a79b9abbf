"""Running statistics of wrappers are saved, go on exactly, and aren't changed by evaluations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import NormalizeObservation, NormalizeReward
from sampled import sampled

from neurorl import LinearActorCritic, ReparameterizedActorCritic, SpikingActorCritic, evaluate
from neurorl.agents.base import LearningAgent
from neurorl.callbacks import EvaluateEvery
from neurorl.cli import main
from neurorl.errors import EnvironmentWarning, RunError
from neurorl.tasks.specification import copy_env, made_by
from neurorl.tasks.statistics import statistics_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*has other spaces:UserWarning"),
    pytest.mark.usefixtures("quickest_backend"),
]

Env = gym.Env[Any, Any]
SMALL: dict[str, Any] = {"actors": 1, "hidden": 2}
WRAPPERS: dict[str, Callable[[Env], Env]] = {
    "observation": NormalizeObservation,
    "reward": NormalizeReward,
    "both": lambda env: NormalizeReward(NormalizeObservation(env)),
}


def make(wrap: str) -> Env:
    return WRAPPERS[wrap](gym.make("CartPole-v1"))


def alone(wrap: str) -> LearningAgent:
    return SpikingActorCritic(make(wrap), seed=3, **SMALL)


def together(wrap: str) -> LearningAgent:
    return SpikingActorCritic(make(wrap), seed=3, environments=3, **SMALL)


def chosen(wrap: str) -> LearningAgent:
    """Return a default agent, which plays first, and looks again."""
    return SpikingActorCritic(make(wrap), seed=3)


def linear(wrap: str) -> LearningAgent:
    return LinearActorCritic(make(wrap), seed=3)


def gradients(wrap: str) -> LearningAgent:
    pytest.importorskip("torch", reason="learning by gradients needs PyTorch")
    gradient = {"steps": 32, "environments": 2}
    return ReparameterizedActorCritic(make(wrap), seed=3, gradient=gradient, **SMALL)


EACH = pytest.mark.parametrize("kind", [alone, together, chosen, linear, gradients])
WRAPPED = pytest.mark.parametrize("wrap", WRAPPERS)


def assert_same(one: LearningAgent, other: LearningAgent) -> None:
    assert one.episodes == other.episodes
    mine, others = one.state(), other.state()
    assert mine.keys() == others.keys()
    assert all(mine[name].tobytes() == array.tobytes() for name, array in others.items())
    assert any("environment" in name for name in mine)


@EACH
@WRAPPED
@pytest.mark.parametrize("steps", sampled([333, 200]))
def test_a_saved_agent_goes_on_exactly(
    steps: int, wrap: str, kind: Callable[[str], LearningAgent], tmp_path: Path
) -> None:
    agent = kind(wrap)
    agent.learn(total_timesteps=steps)
    agent.save(tmp_path / "agent.npz")
    again = type(agent).load(tmp_path / "agent.npz")
    for one in (agent, again):
        one.learn(total_timesteps=300)
    assert_same(agent, again)


@WRAPPED
@pytest.mark.parametrize("steps", sampled([600, 150]))
def test_a_run_goes_on_exactly(wrap: str, steps: int, tmp_path: Path) -> None:
    layers = {"observation": ["NormalizeObservation"], "reward": ["NormalizeReward"]}
    names = layers.get(wrap, ["NormalizeObservation", "NormalizeReward"])
    words = [word for name in names for word in ("--wrap", f"gymnasium.wrappers:{name}")]
    whole, parts = str(tmp_path / "whole"), str(tmp_path / "parts")
    train = ["train", "CartPole-v1", *words]
    assert main([*train, "--steps", "900", "--out", whole]) == 0
    assert main([*train, "--steps", str(steps), "--out", parts]) == 0
    assert main([*train, "--steps", "900", "--out", parts, "--resume"]) == 0
    assert_same(*(SpikingActorCritic.load(Path(run, "checkpoint.npz")) for run in (whole, parts)))


@EACH
@WRAPPED
def test_evaluations_change_no_training(wrap: str, kind: Callable[[str], LearningAgent]) -> None:
    agent, followed, untouched = kind(wrap), kind(wrap), kind(wrap)
    agent.learn(total_timesteps=250)
    before = statistics_of(agent.env)
    scores = [evaluate(agent, 6, replicas=n)["mean_return"] for n in (1, 3)]
    assert scores[0] == scores[1]
    after = statistics_of(agent.env)
    assert all(np.array_equal(before[name], array) for name, array in after.items())
    agent.learn(total_timesteps=250)
    followed.learn(total_timesteps=250, callback=EvaluateEvery(60, episodes=2))
    followed.learn(total_timesteps=250)
    for _ in range(2):
        untouched.learn(total_timesteps=250)
    assert_same(agent, untouched)
    assert_same(followed, untouched)


@WRAPPED
def test_a_loaded_agent_is_evaluated_by_its_statistics(wrap: str, tmp_path: Path) -> None:
    agent = alone(wrap)
    agent.learn(total_timesteps=500)
    agent.save(tmp_path / "agent.npz")
    again = SpikingActorCritic.load(tmp_path / "agent.npz")
    assert evaluate(again, 5)["mean_return"] == evaluate(agent, 5)["mean_return"]


def test_a_copy_normalises_as_its_original() -> None:
    env = make("both")
    env.reset(seed=1)
    for _ in range(8):
        env.step(env.action_space.sample())
    copy = copy_env(env)
    assert statistics_of(copy).keys() == statistics_of(env).keys() != set()
    for name, array in statistics_of(env).items():
        assert statistics_of(copy)[name].tobytes() == array.tobytes()


def test_a_copy_that_is_wrapped_otherwise_keeps_its_own() -> None:
    wrapped = iter(("both", "observation"))
    env = made_by(lambda: make(next(wrapped)))
    assert isinstance(env, gym.Env)
    env.reset(seed=1)
    assert statistics_of(copy_env(env))["0.count"] < 1.0 < statistics_of(env)["1.count"]


def test_statistics_that_do_not_fit_are_refused() -> None:
    agent = alone("observation")
    agent.learn(total_timesteps=100)
    state = agent.state()
    with pytest.raises(RunError, match="another shape"):
        agent.restore({**state, "environment.0.mean": np.zeros(3)})
    with pytest.raises(RunError, match=r"0\.var: is missing"):
        agent.restore({n: a for n, a in state.items() if n != "environment.0.var"})


def test_older_files_without_them_begin_anew_and_say_so() -> None:
    agent = alone("observation")
    state = {n: a for n, a in agent.state().items() if not n.startswith("environment.")}
    with pytest.warns(EnvironmentWarning, match="begins its running statistics anew"):
        agent.restore(state)
