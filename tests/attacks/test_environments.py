"""Test environments that misbehave: each is played right, or refused in one line, everywhere."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from misbehaving import CASES, Case, Hooked, make
from sampled import sampled

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import Evaluation, evaluate
from neurorl.cli import main
from neurorl.errors import EnvironmentWarning, NeurorlError

SMALL: dict[str, Any] = {"actors": 1, "hidden": 0, "window": 4, "seed": 5}
pytestmark = pytest.mark.usefixtures("quickest_backend")

IDS = {"bare": "Attacks/Bare-v0", "checked": "Attacks/Checked-v0"}

REFUSED = [name for name, case in CASES.items() if not case.is_fine]
PLAYED = [name for name, case in CASES.items() if case.is_fine]


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gym.envs.registration, "registry", dict(gym.registry))
    monkeypatch.setattr(gym, "registry", gym.envs.registration.registry)
    gym.register(
        IDS["bare"],
        "misbehaving:make",
        order_enforce=False,
        disable_env_checker=True,
        max_episode_steps=50,
    )
    gym.register(IDS["checked"], "misbehaving:make", max_episode_steps=50)


@contextlib.contextmanager
def told_by_gymnasium_only() -> Iterator[None]:
    """Let Gymnasium's checker warn, but neither NumPy nor Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=UserWarning)
        yield


def twin(name: str) -> str:
    """Return the environment that behaves, and shows the same."""
    return "right states" if CASES[name].states else "right"


def learned(env: Any) -> list[Any]:
    """Return what was learned: episodes and weights."""
    agent = SpikingActorCritic(env, **SMALL)
    with told_by_gymnasium_only():
        agent.learn(total_episodes=3)
    rows = [(e.ret, e.length, e.discounted) for e in agent.episodes]
    return [rows, *(w.tolist() for w in agent.weights.values())]


def test_there_are_enough() -> None:
    assert len(REFUSED) >= 52
    assert len(PLAYED) >= 30


@pytest.mark.parametrize("name", PLAYED)
def test_what_means_the_same_is_played_the_same(name: str) -> None:
    mine = learned(make(name))
    assert len(mine[0]) == 3
    if CASES[name].compares:
        assert mine == learned(make(twin(name)))


@pytest.mark.parametrize("name", REFUSED)
def test_learning_refuses_the_rest_in_a_line(name: str) -> None:
    made: list[SpikingActorCritic] = []

    def learn() -> None:
        made.append(SpikingActorCritic(make(name), **SMALL))
        made[0].learn(total_episodes=3)

    with told_by_gymnasium_only(), pytest.raises(NeurorlError) as told:
        learn()
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 500
    for agent in made:
        assert all(np.isfinite(w).all() for w in agent.weights.values())
        assert len(agent.episodes) < 3


@pytest.mark.parametrize("name", CASES)
def test_evaluating(name: str) -> None:
    case = CASES[name]
    if case.observation_space is not None or case.action_space is not None:
        agent_of: Callable[[], Any] = lambda: make(name)  # noqa: E731
    else:
        agent_of = lambda: make(twin(name))  # noqa: E731

    def played(env: Any) -> Evaluation:
        agent = SpikingActorCritic(agent_of(), **SMALL)
        return evaluate(agent, 3, env=env)

    if not case.is_fine:
        with told_by_gymnasium_only(), pytest.raises(NeurorlError) as told:
            played(make(name))
        assert "\n" not in str(told.value)
        return
    with told_by_gymnasium_only():
        result = played(make(name))
    assert result["episodes"] == 3
    if case.compares:
        assert result == played(make(twin(name)))


def commanded(name: str, which: str, out: Path, *more: str) -> int:
    words = ["train", IDS[which], "--env-arg", f"case={name}", "--episodes", "3", "--seed", "5"]
    with told_by_gymnasium_only():
        return main([*words, "--out", str(out), *more])


def rows(run: Path) -> list[list[str]]:
    """Return the rows of the episodes without their times."""
    lines = (run / "episodes.csv").read_text().splitlines()
    clock = lines[0].split(",").index("wall_s") if "wall_s" in lines[0] else -1
    return [[c for k, c in enumerate(line.split(",")) if k != clock] for line in lines]


@pytest.mark.parametrize("which", sampled(IDS))
@pytest.mark.parametrize("name", CASES)
def test_the_command_line(
    name: str, which: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = commanded(name, which, tmp_path / "run")
    said = capsys.readouterr().err.splitlines()
    case = CASES[name]
    assert status == 0 if case.is_fine and which == "bare" else status in (0, 2)
    assert status == 2 or case.is_fine or case.compares  # a wrapper may have put it right
    assert not any("Traceback" in line for line in said)
    if status == 2:
        assert len([line for line in said if line.startswith("neurorl: ")]) == 1
        assert said[-1].startswith("neurorl: ")
        assert (tmp_path / "run" / "config.json").exists() or not (tmp_path / "run").exists()
    elif case.compares:
        assert commanded(twin(name), which, tmp_path / "twin") == 0
        assert rows(tmp_path / "run") == rows(tmp_path / "twin")


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_gradients(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="the gradient approach needs PyTorch")
    status = commanded(name, "bare", tmp_path / "run", "--approach", "reparameterization")
    said = capsys.readouterr().err.splitlines()
    case = CASES[name]
    assert status == 0 if case.is_fine else status in (0, 2)
    assert status == 2 or case.is_fine or case.compares  # a wrapper may have put it right
    assert not any("Traceback" in line for line in said)
    assert status == 0 or said[-1].startswith("neurorl: ")


def test_what_close_raises_is_a_warning() -> None:
    agent = SpikingActorCritic(make("raises in close"), **SMALL)
    agent.learn(total_episodes=1)
    with pytest.warns(EnvironmentWarning, match=r"close raised.*the window is gone"):
        agent.close()


def test_an_error_says_which_environment_and_where() -> None:
    with pytest.raises(NeurorlError, match=r"Hooked: step raised.*ValueError: bad.*misbehaving.py"):
        SpikingActorCritic(make("raises in step"), **SMALL).learn(total_episodes=1)
    with pytest.raises(NeurorlError, match=r"older gym's.*tuple of 4"):
        SpikingActorCritic(make("step of gym"), **SMALL).learn(total_episodes=1)


class Endless(Hooked):
    """Return an environment whose episodes never end."""

    def __init__(self) -> None:
        super().__init__(CASES["right"])

    def step(self, action: Any) -> Any:
        return self._seen(), 1.0, False, False, {}


def test_an_episode_without_end_is_said_to_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurorl.agents.evaluation.LONG_EPISODE", 200)
    agent = SpikingActorCritic(make("right"), **SMALL)
    steps = 0

    class Watched(Endless):
        def step(self, action: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps > 450:
                raise StopAsyncIteration("enough")
            return super().step(action)

    with (
        pytest.warns(EnvironmentWarning, match=r"has lasted 200 steps.*TimeLimit") as told,
        pytest.raises(NeurorlError, match="enough"),
    ):
        evaluate(agent, 1, env=Watched())
    assert len(told) == 1


@pytest.mark.parametrize("which", IDS)
def test_an_environment_without_end_is_learned_by_steps(
    which: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CASES, "endless", Case(is_fine=True, methods={"step": Endless.step}))
    spec = gym.registry[IDS[which]]
    monkeypatch.setattr(spec, "max_episode_steps", None)
    words = ["train", IDS[which], "--env-arg", "case=endless", "--steps", "300"]
    with told_by_gymnasium_only():
        status = main([*words, "--out", str(tmp_path / "run")])
    assert status == 0, capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoint.npz").exists()
