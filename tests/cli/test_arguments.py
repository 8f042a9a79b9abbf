"""Test every argument of what users call: it is right, or one line says what would be."""

from __future__ import annotations

import copy
import inspect
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import evaluate
from neurorl.agents.replicas import Replicas
from neurorl.backends.registry import load
from neurorl.cli import main
from neurorl.errors import (
    ArgumentError,
    NeurorlError,
    PopulationWarning,
    UnknownNameError,
    UnsupportedError,
)
from neurorl.models.agent.options import option_types
from neurorl.models.defaults.observations import default_cells, default_features
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import SeparateEnvs
from neurorl.testing import FEATURES

SMALL: dict[str, Any] = {"hidden": 0, "actors": 1, "window": 4}
ODD: list[Any] = [
    *(None, True, -1, 0, 1.5, float("nan"), 10**20, "", "x", b"x", [], [1], {}, {"a": 1}, {1: 2}),
    *((), object(), np.zeros(3), len, int, Path("x")),
]
HUGE = ODD[6]


@pytest.fixture(scope="module")
def agent() -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", **SMALL)


@pytest.fixture(scope="module")
def saved(agent: SpikingActorCritic, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agents") / "agent.npz"
    agent.save(path)
    return path


def fine_or_refused(call: Callable[..., Any], *args: Any, **named: Any) -> None:
    """Allow no error but the library's own, in one line, and no warning of NumPy's."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", PopulationWarning)
        told = ""
        try:
            call(*args, **named)
        except NeurorlError as exc:
            told = str(exc)
        assert "\n" not in told
        assert len(told) < 600


def parameters(function: Any, *others: str) -> list[str]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    found = inspect.signature(function).parameters
    return [name for name, p in found.items() if p.kind not in kinds and name not in others]


@pytest.mark.parametrize("name", parameters(SpikingActorCritic))
def test_an_agent(name: str) -> None:
    for value in ODD:
        given = {"env": "CartPole-v1", **SMALL, name: value}
        fine_or_refused(SpikingActorCritic, **given)


FIELDS = [*option_types()]


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_of_an_agent(name: str) -> None:
    env = make_env("CartPole-v1")
    for value in ODD:
        if isinstance(value, int) and value > 10**6:
            continue  # of a size that a description may have, if no machine
        fine_or_refused(make_config, env, "lif", {**SMALL, name: value})


@pytest.mark.parametrize("name", parameters(evaluate, "agent"))
def test_an_evaluation(name: str, agent: SpikingActorCritic) -> None:
    for value in ODD:
        if name == "episodes" and value is HUGE:
            continue  # as many as it takes
        if name == "callback" and callable(value):
            continue  # what a user's own function raises is the user's
        fine_or_refused(evaluate, agent, **{"episodes": 1, name: value})


@pytest.mark.parametrize("name", parameters(SpikingActorCritic.load))
def test_loading(name: str, saved: Path) -> None:
    for value in ODD:
        given = {"path": saved, name: value}
        fine_or_refused(SpikingActorCritic.load, **given)


@pytest.mark.parametrize("name", parameters(SpikingActorCritic.player, "self"))
def test_a_player(name: str, agent: SpikingActorCritic) -> None:
    for value in ODD:
        given = {"seed": 0, name: value}
        fine_or_refused(agent.player, **given)


@pytest.mark.parametrize("name", parameters(Replicas))
def test_replicas(name: str) -> None:
    env = make_env("CartPole-v1")
    config = make_config(env, "lif", SMALL)
    good: dict[str, Any] = {
        "envs": SeparateEnvs([env]),
        "config": config,
        "n_actions": 2,
        "seeds": (0,),
        "backend": "reference",
    }
    for value in ODD:
        if name == "n_actions" and value is HUGE:
            continue
        fine_or_refused(Replicas, **{**good, name: value})


@pytest.mark.parametrize("name", ["name", "network", "seed", "arithmetic", "record", "noise"])
def test_a_backend(name: str) -> None:
    for value in ODD:
        given = {"name": "reference", "network": FEATURES["LIF"](), name: value}
        fine_or_refused(load, **given)


def test_an_observation(agent: SpikingActorCritic) -> None:
    seen = np.zeros(4, np.float32)
    action = agent.predict(seen)
    assert agent.predict(np.zeros((2, 4))).shape == (2,)
    for same in ([0, 0, 0, 0], seen.astype(np.float64), seen[None], (0.0, 0, 0, 0)):
        assert agent.predict(same) in (0, 1)
    assert action in (0, 1)
    odd: list[Any] = [
        *(
            np.zeros(3),
            np.zeros(5),
            np.zeros((2, 3)),
            np.zeros((1, 2, 4)),
            0.0,
            [[0.0], [1.0, 2.0]],
        ),
        *(None, "0000", {"a": 1}, [None] * 4, np.zeros(4, complex), np.zeros(0), ["a"] * 4),
    ]
    for value in odd:
        with pytest.raises(ArgumentError, match="observation"):
            agent.predict(value)


def test_a_state() -> None:
    agent = SpikingActorCritic("neurorl/GridWorld-v0", **SMALL)
    for same in (3, np.int64(3), np.array(3), np.array([3]), 3.0):
        assert agent.predict(same) in range(4)
    assert agent.predict([1, 2]).shape == (2,)
    for value in (0, 101, 3.5, -1, [1, 101], [[1, 2]], None, "3", 10**30, float("nan")):
        with pytest.raises(ArgumentError, match="observation"):
            agent.predict(value)


@pytest.mark.parametrize("episodes", [0, -1, 1.0, True, None, "1"])
def test_episodes_to_evaluate(episodes: Any, agent: SpikingActorCritic) -> None:
    with pytest.raises(ArgumentError, match=r"evaluate, episodes.*whole number"):
        evaluate(agent, episodes)


def test_episodes_on_the_command_line(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(saved), "--episodes", "0"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_agent_is_not_copied(copied: Any, agent: SpikingActorCritic) -> None:
    with pytest.raises(UnsupportedError, match=r"save.*load"):
        copied(agent)


def test_evaluating_in_another_environment(agent: SpikingActorCritic) -> None:
    longer = gym.make("neurorl/CartPole-v0", length=1.0)
    assert evaluate(agent, 2, env=longer)["env"] == "neurorl/CartPole-v0"
    with pytest.raises(ArgumentError, match="number of actions"):
        evaluate(agent, 1, env="MountainCar-v0")
    with pytest.raises(ArgumentError, match="another shape"):
        evaluate(agent, 1, env="neurorl/PositionOnlyCartPole-v0")
    with pytest.raises(UnknownNameError):
        evaluate(agent, 1, env="CartPole-v7")


class Bare(gym.Env[Any, Any]):
    """Have any spaces."""

    def __init__(self, seen: Any, actions: Any = None) -> None:
        self.observation_space, self.action_space = seen, actions or Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        return self.observation_space.sample(), 1.0, True, False, {}


class NoSpaces(gym.Env[Any, Any]):
    """Don't say what is shown."""


EMPTY = [
    Box(0, 1, (0,)),
    Box(0, 1, (3, 0)),
    Tuple(()),
    Dict({}),
    Tuple((Discrete(2), Box(0, 1, (0,)))),
]


@pytest.mark.parametrize("space", EMPTY, ids=str)
def test_a_space_of_nothing(space: gym.Space[Any]) -> None:
    with pytest.raises(UnsupportedError, match="empty"):
        SpikingActorCritic(Bare(space), **SMALL)
    for default in (default_cells, default_features):
        with pytest.raises(UnsupportedError, match="empty"):
            default(space)


SPACES = [
    Box(0, 1, ()),
    Box(-1, 1, (2, 3)),
    Discrete(5, start=-2),
    MultiDiscrete([3, 2]),
    MultiBinary(4),
    Tuple((Discrete(2), Box(0, 1, (2,)))),
    Dict({"a": Discrete(2), "b": MultiBinary(2)}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_every_kind_of_space_is_played(space: gym.Space[Any]) -> None:
    agent = SpikingActorCritic(Bare(space), **SMALL)
    assert len(agent.learn(total_episodes=5)) == 5
    assert evaluate(agent, 2)["episodes"] == 2
    assert agent.predict(space.sample()) in (0, 1)


def test_what_is_no_environment() -> None:
    for env in (None, 3, int, object(), ["CartPole-v1"]):
        with pytest.raises(ArgumentError, match="no Gymnasium environment"):
            SpikingActorCritic(env, **SMALL)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match=r"environment of Bare.*seen.*without arguments"):
        SpikingActorCritic(Bare, **SMALL)  # type: ignore[arg-type]
    with pytest.raises(UnsupportedError, match="has no action_space"):
        SpikingActorCritic(NoSpaces(), **SMALL)
    with pytest.raises(UnsupportedError, match="too many actions"):
        SpikingActorCritic(Bare(Discrete(2), Discrete(10**9)), **SMALL)
    with pytest.raises(ArgumentError, match=r"environments: must be.*limit 1 to 4,096"):
        SpikingActorCritic("CartPole-v1", environments=5000, **SMALL)
    vector = gym.make_vec("CartPole-v1", 2, vectorization_mode="sync")
    with pytest.raises(ArgumentError, match=r"vector environment.*one of its environments"):
        evaluate(SpikingActorCritic("CartPole-v1", **SMALL), 1, env=vector)  # type: ignore[arg-type]
    vector.close()


def test_a_network_of_nengo() -> None:
    nengo = pytest.importorskip("nengo", reason="the loihi backend needs it")
    with pytest.raises(ArgumentError, match=r"not a network.*neurorl\.nengo\.from_nengo"):
        load("loihi", nengo.Network())
    with pytest.raises(ArgumentError, match="not a network"):
        load("reference", None)  # type: ignore[call-overload]
    for backend in (3, None, int, ["reference"]):
        with pytest.raises(ArgumentError, match="backend: is none"):
            load(backend, FEATURES["LIF"]())  # type: ignore[arg-type]
