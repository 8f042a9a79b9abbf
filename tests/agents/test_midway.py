"""Training that stops within an episode goes on there, as if it hadn't stopped: every bit."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest

from neurorl import ReparameterizedActorCritic, SpikingActorCritic
from neurorl.agents.budget import Budget, held_interrupts
from neurorl.agents.evaluation import evaluate
from neurorl.agents.replicas import Replicas
from neurorl.agents.sharding import ReplicaGroups, side_by_side
from neurorl.errors import ArgumentError, EnvironmentWarning, RunError
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Fourier
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import SeparateEnvs, VectorEnvs

SMALL: dict[str, Any] = {"actors": 2, "hidden": 3}
WAYS: dict[str, dict[str, Any]] = {
    "native": {},
    "numpy": {"loop": "numpy"},
    "chip arithmetic": {"arithmetic": "loihi"},
    "native backend": {"backend": "native"},
    "loihi": {"backend": "loihi"},
    "carries": {"backend": "native", "carries": True},
    "carries, loihi": {"backend": "loihi", "carries": True},
    "accumulates": {"backend": "loihi", "writes": "accumulate", "writes.every": 3},
    "register": {"arithmetic": "loihi", "writes": "register"},
    "history": {"critic.changes": 2, "features": Fourier((-2.0,) * 12, (2.0,) * 12, 1, 1)},
    "reward as modulator": {"modulator": "reward"},
    "spiking critic": {"model": "lif-spiking-critic"},
    "spiking critic, numpy": {"model": "lif-spiking-critic", "loop": "numpy", "carries": True},
    "filters": {"model": "glm", "history_lags": 2, "stimulus_lags": 2},
    "stdp": {"rule": "td-stdp", "carries": True},
    "pes": {"backend": "loihi", "learning": "pes"},
    "pes, reading": {"backend": "loihi", "learning": "pes", "rule": "coagent"},
}
Arrays = dict[str, npt.NDArray[Any]]
Agent = SpikingActorCritic | ReparameterizedActorCritic


def make(way: str, env: Any = "CartPole-v1") -> Agent:
    if way == "gradients":
        pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")
        gradient = {"environments": 2, "steps": 8}
        return ReparameterizedActorCritic(env, gradient=gradient, seed=5, **SMALL)
    return SpikingActorCritic(env, seed=5, **{**SMALL, **WAYS[way]})


def state(agent: Agent) -> Arrays:
    return {key: value.copy() for key, value in agent.state().items()}


def same(ours: Arrays, theirs: Arrays) -> None:
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert ours[key].dtype == value.dtype, key
        assert ours[key].tobytes() == value.tobytes(), key


def whole(way: str, **budget: Any) -> Arrays:
    agent = make(way)
    agent.learn(**budget)
    found = state(agent)
    agent.close()
    return found


@pytest.mark.parametrize("way", [*WAYS, "gradients"])
def test_budgets_of_steps(way: str, tmp_path: Path) -> None:
    """Learn in one go, in parts, and in parts that were saved and loaded again."""
    parts = (16, 48, 64, 96) if way == "gradients" else (1, 17, 40, 70)
    agent, loaded = make(way), make(way)
    for steps in parts:
        for one in (agent, loaded):
            one.learn(total_steps=steps)
        same(state(agent), whole(way, total_steps=steps))
        loaded.save(tmp_path / "agent.npz")
        loaded.close()
        loaded = type(loaded).load(tmp_path / "agent.npz")
        same(state(loaded), state(agent))
    if way != "gradients":
        assert agent.steps_taken == 70
    assert any(key.startswith("running.") for key in state(agent))
    more = len(agent.episodes) + 2
    for one in (agent, loaded):
        one.learn(total_episodes=more)
        same(state(one), whole(way, total_episodes=more))
        one.close()


class StopLearningError(Exception):
    """Stop learning from within a callback."""


@pytest.mark.parametrize("way", ["native", "spiking critic", "carries", "pes", "gradients"])
def test_a_callback_that_raises(way: str) -> None:
    agent, told = make(way), []

    def callback(episode: Any) -> None:
        told.append(episode.episode)
        raise StopLearningError

    for _ in range(3):
        with pytest.raises(StopLearningError):
            agent.learn(total_episodes=4, callback=callback)
    agent.learn(total_episodes=4, callback=lambda episode: told.append(episode.episode))
    same(state(agent), whole(way, total_episodes=4))
    assert told == [0, 1, 2, 3]
    agent.close()


class Interrupting(gym.Wrapper[Any, Any, Any, Any]):
    """Call functions in steps of these numbers, counted from the start."""

    def __init__(self, at: dict[int, Callable[[], None]]) -> None:
        super().__init__(gym.make("CartPole-v1"))
        self.at, self.steps = at, 0

    def step(self, action: Any) -> Any:
        self.steps += 1
        self.at.get(self.steps, lambda: None)()
        return super().step(action)


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("way", ["native", "numpy", "spiking critic", "carries", "pes"])
def test_control_c(way: str) -> None:
    """Ctrl-C ends training between two steps; the next call goes on within the episode."""
    agent = make(way, Interrupting({3: interrupt, 30: interrupt, 31: interrupt}))
    for steps in (3, 30, 31):
        with pytest.raises(KeyboardInterrupt):
            agent.learn(total_episodes=4)
        assert agent.steps_taken == steps
    agent.learn(total_episodes=4)
    same(state(agent), whole(way, total_episodes=4))
    agent.close()


def test_control_c_in_an_update() -> None:
    """By gradients, Ctrl-C ends training after the update that is being made."""
    agent = make("gradients")
    step = agent._replicas._stage.step  # type: ignore[union-attr]
    calls = 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls in (3, 30):
            interrupt()
        return step(*arguments)

    agent._replicas._stage.step = interrupted  # type: ignore[union-attr,method-assign]
    for updates in (1, 4):
        with pytest.raises(KeyboardInterrupt):
            agent.learn(total_episodes=8)
        assert calls == updates * 8
    agent.learn(total_episodes=8)
    same(state(agent), whole("gradients", total_episodes=8))


def test_a_second_control_c_is_heeded_at_once() -> None:
    def twice() -> None:
        interrupt()
        interrupt()

    agent = make("native", Interrupting({20: twice}))
    with pytest.raises(KeyboardInterrupt):
        agent.learn(total_episodes=4)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert [e.episode for e in agent.learn(total_episodes=4)] == list(range(len(agent.episodes)))[
        -4:
    ]
    agent.close()


def test_a_handler_that_passes_on_to_the_usual_one() -> None:
    """Brian2 installs such a handler where a program imported it itself."""

    class Passing:
        previous_handler = staticmethod(signal.default_int_handler)

        def __call__(self, number: int, frame: Any) -> None:
            self.previous_handler(number, frame)

    handler = Passing()
    signal.signal(signal.SIGINT, handler)
    try:
        agent = make("native", Interrupting({3: interrupt}))
        with pytest.raises(KeyboardInterrupt):
            agent.learn(total_episodes=2)
        assert agent.steps_taken == 3
        assert signal.getsignal(signal.SIGINT) is handler
        agent.close()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def test_whoever_handles_control_c_keeps_it() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with held_interrupts() as held:
            interrupt()
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    assert heard == [signal.SIGINT]
    assert not held.requested


@pytest.mark.parametrize("way", ["native", "carries"])
def test_playing_that_is_abandoned(way: str) -> None:
    agent = make(way)
    replicas: Any = agent._replicas
    for steps in (5, 1, 40):
        playing = replicas.play(Budget(4))
        for _ in range(steps):
            next(playing)
        playing.close()
    agent.learn(total_episodes=4)
    same(state(agent), whole(way, total_episodes=4))
    agent.close()


@pytest.mark.parametrize("way", ["native", "spiking critic", "gradients"])
def test_an_environment_that_raises(way: str) -> None:
    """The episode is begun again; by gradients, the update."""
    agent = make(way)
    envs: Any = agent._replicas._stage.envs if way == "gradients" else agent._replicas.envs  # type: ignore[union-attr]
    step, calls = envs.step, 0

    def broken(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls in (3, 30):
            raise StopLearningError
        return step(*arguments)

    envs.step = broken
    for _ in range(2):
        with pytest.raises(StopLearningError):
            agent.learn(total_episodes=8)
        assert all(e.episode == k for k, e in enumerate(agent.episodes))
    played = len(agent.episodes)
    agent.learn(total_episodes=8)
    assert [e.episode for e in agent.episodes] == list(range(8))
    assert len(agent.episodes) > played
    if way == "gradients":
        same(state(agent), whole(way, total_episodes=8))
    agent.close()


@pytest.mark.parametrize("way", ["native", "carries"])
def test_somebody_else_plays_in_its_environment(way: str) -> None:
    agent = make(way)
    agent.learn(total_steps=25)
    evaluate(agent, 2)
    agent.learn(total_steps=40)
    evaluate(agent, 1)
    agent.learn(total_episodes=3)
    same(state(agent), whole(way, total_episodes=3))
    agent.close()


class Drifting(gym.Env[Any, Any]):
    """Never end, and show by *observation* or *reward* how often it was reset."""

    resets = 0

    def __init__(self, shows: str = "", dimension: int = 2) -> None:
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (dimension,))
        self.action_space = gym.spaces.Discrete(2)
        self._shows = shows

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        Drifting.resets += 1
        self._step = 0
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self._step += 1
        drift = 1e-9 * Drifting.resets if self._shows == "reward" and self._step == 4 else 0.0
        return self._seen(), float(action) + drift, False, False, {}

    def _seen(self) -> Any:
        seen = self.np_random.uniform(-1, 1, self.observation_space.shape or ())
        if self._shows == "observation" and self._step == 4:
            seen[0] = np.tanh(Drifting.resets)
        return seen


@pytest.mark.parametrize("shows", ["observation", "reward"])
def test_an_environment_that_does_not_repeat_itself(shows: str, tmp_path: Path) -> None:
    agent = SpikingActorCritic(Drifting(shows), seed=5, **SMALL)
    agent.learn(total_steps=9)
    agent.learn(total_steps=12)  # nothing is played again in the same process
    before = state(agent)
    agent.restore(before)
    same(state(agent), before)
    with pytest.raises(RunError, match="doesn't repeat itself"):
        agent.learn(total_steps=20)
    same(state(agent), before)  # it can still be saved, evaluated, ...
    agent.close()


class Far(Drifting):
    """Show numbers as large as no description may have them."""

    def __init__(self) -> None:
        super().__init__()
        self.observation_space = gym.spaces.Tuple([gym.spaces.Box(-1e38, 1e38, (2,))])

    def _seen(self) -> Any:
        return (self.np_random.uniform(-1e38, 1e38, 2).astype(np.float32),)


def test_numbers_far_from_0_are_taken_up() -> None:
    stopped, again, whole = (
        SpikingActorCritic(Far(), seed=5, reward_scale=1.0, **SMALL) for _ in range(3)
    )
    stopped.learn(total_steps=9)
    again.restore(state(stopped))
    for agent in (again, whole):
        agent.learn(total_steps=20)
    same(state(again), state(whole))


@pytest.mark.parametrize("together", [False, True])
def test_agents_side_by_side(together: bool) -> None:
    """Agents stop at different places, rest there, and go on alone or together."""
    disabled = gym.vector.AutoresetMode.DISABLED
    made = [lambda: gym.make("CartPole-v1")] * 3
    envs: Any = SeparateEnvs([make_env("CartPole-v1") for _ in range(3)])
    if together:
        envs = VectorEnvs(gym.vector.SyncVectorEnv(made, autoreset_mode=disabled))
    config = make_config(make_env("CartPole-v1"), "lif", {**SMALL, "carries": True})
    agents = Replicas(envs, config, 2, (5, 6, 7), backend="native")
    agents.learn(total_steps=20)
    first = {k: v.copy() for k, v in agents.state(1).items()}
    agents.learn(total_episodes=2)
    agents.restore(1, first)
    agents.learn(total_steps=33)  # of agent 1, and of others that have had fewer
    agents.learn(total_episodes=4)
    for k, seed in enumerate((5, 6, 7)):
        alone = SpikingActorCritic("CartPole-v1", config=config, backend="native", seed=seed)
        alone.learn(total_episodes=4)
        same(agents.state(k), alone.state())
        alone.close()
    agents.close()


def test_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurorl.agents.sharding.CACHE_BYTES", 10_000)
    config = make_config(make_env("CartPole-v1"), "lif", SMALL)
    envs = SeparateEnvs([make_env("CartPole-v1") for _ in range(3)])
    agents = side_by_side(envs, config, 2, (5, 6, 7), backend="native")
    assert isinstance(agents, ReplicaGroups)
    for steps in (11, 40):
        agents.learn(total_steps=steps)
        for k, seed in enumerate((5, 6, 7)):
            assert agents.env_steps(k) == steps
            alone = SpikingActorCritic("CartPole-v1", config=config, backend="native", seed=seed)
            alone.learn(total_steps=steps)
            same(agents.state(k), alone.state())
            alone.close()
    agents.close()


def test_on_another_backend_the_episode_begins_again(tmp_path: Path) -> None:
    agent = make("native")
    agent.learn(total_steps=25)
    agent.save(tmp_path / "agent.npz")
    played = len(agent.episodes)
    agent.close()
    moved = SpikingActorCritic.load(tmp_path / "agent.npz", backend="native")
    before = agent.episodes[-1].env_steps if played else 0
    assert moved.steps_taken == before
    assert [e.episode for e in moved.learn(total_episodes=played + 1)] == [played]
    moved.close()


def test_an_episode_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("budget", "midway"):
        monkeypatch.setattr(f"neurorl.agents.{module}.LONG_EPISODE", 50)
    agent = SpikingActorCritic(Drifting(), seed=5, **SMALL)
    with pytest.warns(EnvironmentWarning, match="episode 0, step 50: hasn't ended yet; give the"):
        agent.learn(total_steps=200)
    assert agent.steps_taken == 200
    assert not agent.episodes
    agent.learn(total_steps=300)  # said once
    agent.close()


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({}, "takes a number of episodes or of environment steps"),
        ({"total_episodes": 3, "total_steps": 3}, "got both"),
        ({"total_steps": 2.0}, "must be a whole number"),
        ({"total_steps": True}, "must be a whole number"),
        ({"total_steps": -1}, "must be a whole number"),
    ],
)
def test_bad_budgets(budget: dict[str, Any], words: str) -> None:
    agent = make("native")
    with pytest.raises(ArgumentError, match=words):
        agent.learn(**budget)
    agent.close()
