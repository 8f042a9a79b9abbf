"""Callbacks may play the agent that trains: training goes on as if nobody had."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import ReparameterizedActorCritic, SpikingActorCritic, evaluate
from neurorl.agents.base import LearningAgent
from neurorl.callbacks import Callback, CheckpointEvery, EvaluateEvery
from neurorl.errors import ArgumentError, RunError, UnsupportedError
from neurorl.lab.watch import play_frames

SMALL: dict[str, Any] = {"hidden": 8, "actors": 2, "seed": 4}


class Walk(gym.Env[Any, Any]):
    """Walk to an end by noisy steps; of no id, so that it can't be made again."""

    observation_space = gym.spaces.Box(-3.0, 3.0, (1,))
    action_space = gym.spaces.Discrete(2)
    is_repeatable = True

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed if self.is_repeatable else None)
        self.place, self.n = 0.0, 0
        return self._seen(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.place += (2 * int(action) - 1) * self.np_random.random()
        self.n += 1
        over = abs(self.place) > 2.5
        return self._seen(), float(self.place > 0), over, self.n >= 30, {}

    def _seen(self) -> Any:
        return np.array([np.clip(self.place, -3, 3)], dtype=np.float32)


class Forgetful(Walk):
    """Walk otherwise each time, whatever the seed."""

    is_repeatable = False


def vector() -> Any:
    return gym.make_vec("CartPole-v1", 2)


def gradients() -> LearningAgent:
    pytest.importorskip("torch", reason="learning by gradients needs PyTorch")
    return ReparameterizedActorCritic("CartPole-v1", **SMALL)


AGENTS: dict[str, Callable[[], LearningAgent]] = {
    "native": lambda: SpikingActorCritic("CartPole-v1", **SMALL),
    "numpy": lambda: SpikingActorCritic("CartPole-v1", loop="numpy", **SMALL),
    "native backend": lambda: SpikingActorCritic("CartPole-v1", backend="native", **SMALL),
    "box": lambda: SpikingActorCritic(gym.make("Pendulum-v1", max_episode_steps=15), **SMALL),
    "of no id": lambda: SpikingActorCritic(Walk(), **SMALL),
    "replicas": lambda: SpikingActorCritic("CartPole-v1", environments=2, **SMALL),
    "vector": lambda: SpikingActorCritic(vector(), **SMALL),
    "gradients": gradients,
}
PLAYS: dict[str, Callable[[Any], object]] = {
    "evaluate": lambda agent: evaluate(agent, 1),
    "its environment": lambda agent: evaluate(agent, 1, env=agent.env),
    "in a wrapper": lambda agent: evaluate(agent, 1, env=gym.wrappers.TimeLimit(agent.env, 3)),
    "explore": lambda agent: evaluate(agent, 1, explore=True),
    "predict": lambda agent: agent.predict(agent.env.observation_space.sample()),
    "player": lambda agent: agent.player(1).backend.close(),
    "weights": lambda agent: agent.weights,
    "memory": lambda agent: getattr(agent, "memory", None),
    "describe": lambda agent: (agent.describe(), agent.state()),
}


class Plays(Callback):
    """Do things with the agent after some steps, or after each episode."""

    def __init__(self, when: str, *plays: Callable[[Any], object]) -> None:
        self.when, self.plays = when, plays
        self.played = 0

    def on_step(self, steps: int) -> None:
        if self.when == "step" and self.played < 2:
            self._play()

    def on_episode(self, episode: Any) -> None:
        if self.when == "episode" and self.played < 2:
            self._play()

    def _play(self) -> None:
        self.played += 1
        for play in self.plays:
            play(self.agent)


def trained(kind: str, callback: Callback | None = None) -> LearningAgent:
    agent = AGENTS[kind]()
    agent.learn(total_steps=300 if kind == "gradients" else 60, callback=callback)
    return agent


@pytest.fixture(scope="module")
def alone() -> Iterator[Callable[[str], LearningAgent]]:
    """Return agents that nobody has played, each trained once."""
    made: dict[str, LearningAgent] = {}
    yield lambda kind: made.setdefault(kind, trained(kind))
    for agent in made.values():
        agent.close()


def assert_same_training(one: LearningAgent, other: LearningAgent) -> None:
    assert one.episodes == other.episodes
    states = one.state(), other.state()
    assert states[0].keys() == states[1].keys()
    for name, array in states[0].items():
        assert array.tobytes() == states[1][name].tobytes(), name


@pytest.mark.parametrize("when", ["step", "episode"])
@pytest.mark.parametrize("kind", AGENTS)
def test_training_goes_on_as_if_nobody_had_played(
    kind: str, when: str, alone: Callable[[str], LearningAgent]
) -> None:
    plays = Plays(when, *PLAYS.values())
    agent = trained(kind, plays)
    assert plays.played
    assert_same_training(agent, alone(kind))
    agent.close()


def test_a_film_in_a_callback(alone: Callable[[str], LearningAgent]) -> None:
    plays = Plays("step", lambda agent: play_frames(agent, 2))
    assert_same_training(trained("native", plays), alone("native"))
    assert plays.played


def test_an_environment_that_does_not_repeat_itself_is_not_lent() -> None:
    agent = SpikingActorCritic(Forgetful(), **SMALL)
    with pytest.raises(RunError, match="doesn't repeat itself"):
        agent.learn(total_steps=20, callback=Plays("step", PLAYS["evaluate"]))


def test_a_wrapped_environment_is_given_back_between_two_calls() -> None:
    agents = [SpikingActorCritic("CartPole-v1", **SMALL) for _ in range(2)]
    for agent in agents:
        agent.learn(total_steps=25)
    PLAYS["its environment"](agents[0])
    PLAYS["in a wrapper"](agents[0])
    for agent in agents:
        agent.learn(total_steps=60)
    assert_same_training(*agents)


@pytest.mark.parametrize("kind", ["native", "replicas", "gradients"])
@pytest.mark.parametrize(
    ("method", "call"),
    [
        ("learn", lambda agent: agent.learn(total_steps=1)),
        ("restore", lambda agent: agent.restore(agent.state())),
        ("adopt", lambda agent: agent.adopt(agent.state())),
        ("close", lambda agent: agent.close()),
    ],
)
def test_what_changes_the_agent_is_refused(
    kind: str, method: str, call: Callable[[Any], object], alone: Callable[[str], LearningAgent]
) -> None:
    def refused(agent: Any) -> None:
        with pytest.raises(UnsupportedError, match=rf"agent\.{method}: can't be .*; return False"):
            call(agent)

    assert_same_training(trained(kind, Plays("step", refused)), alone(kind))


@pytest.mark.parametrize("kind", ["native", "numpy", "replicas", "gradients"])
def test_weights_are_copies_that_cannot_be_written_to(kind: str) -> None:
    agent = AGENTS[kind]()
    for name, weights in agent.weights.items():
        with pytest.raises(ValueError, match="read-only"):
            agent.weights[name][...] = np.nan
        assert not np.shares_memory(weights, agent.weights[name])
    agent.close()


@pytest.mark.parametrize("kind", ["native", "numpy"])
def test_what_is_written_to_memory_in_a_callback_is_learned_on_from(kind: str) -> None:
    def turned(agent: Any) -> None:
        for weights in agent.memory.weights.values():
            weights[...] *= -1

    other = "numpy" if kind == "native" else "native"
    between = AGENTS[other]()
    between.learn(total_steps=20)
    turned(between)
    between.learn(total_steps=60)

    class Turns(Callback):
        def on_step(self, steps: int) -> None:
            if steps == 20:
                turned(self.agent)

    assert_same_training(trained(kind, Turns()), between)


@pytest.mark.parametrize("kind", ["native", "numpy", "replicas"])
def test_nan_in_memory_is_not_learned_on_from(kind: str) -> None:
    def spoil(agent: Any) -> None:
        agent.memory.weights["input_hidden"][...] = np.nan

    with pytest.raises(ArgumentError, match="weights of 'input_hidden': not finite"):
        trained(kind, Plays("step", spoil))


@pytest.mark.parametrize("kind", ["native", "replicas", "gradients"])
def test_the_best_is_the_same_when_a_kill_falls_between_two_callbacks(
    kind: str, tmp_path: Path
) -> None:
    """Whatever is done in a step before the checkpoint of that step is done by who goes on."""
    step, total = (300, 900) if kind == "gradients" else (20, 100)

    class KilledError(Exception):
        """Stand for a process that ends here."""

    class Kills(Callback):
        def on_step(self, steps: int) -> None:
            if steps >= 2 * step:
                raise KilledError

    def callbacks(folder: Path) -> list[Callback]:
        folder.mkdir(exist_ok=True)
        best = EvaluateEvery(step, episodes=2, best=folder / "best.npz")
        return [CheckpointEvery(step, folder / "saved"), best]

    def newest(folder: Path) -> Path:
        return max((folder / "saved").iterdir(), key=lambda path: int(path.stem.split("-")[1]))

    whole = AGENTS[kind]()
    whole.learn(total_steps=total, callback=callbacks(tmp_path / "whole"))
    for place in (0, 2):  # before the evaluation, and between it and the checkpoint
        folder = tmp_path / f"{place}"
        listed = callbacks(folder)
        listed.insert(place, Kills())
        with pytest.raises(KilledError):
            AGENTS[kind]().learn(total_steps=total, callback=listed)
        again = type(whole).load(newest(folder))
        again.learn(total_steps=total, callback=callbacks(folder))
        assert_same_training(again, whole)
        kept = [(of / "best.npz").read_bytes() for of in (folder, tmp_path / "whole")]
        assert kept[0] == kept[1], place
