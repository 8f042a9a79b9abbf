"""Rewards, observations and learning that leave the finite numbers end the training at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest

from neurorl import ReparameterizedActorCritic, SpikingActorCritic
from neurorl.agents.budget import Budget
from neurorl.agents.checkpoint import read_checkpoint
from neurorl.agents.evaluation import evaluate
from neurorl.agents.replicas import Replicas
from neurorl.cli import main
from neurorl.errors import ArgumentError, DivergenceError, EnvError
from neurorl.models.defaults.presets import make_config
from neurorl.runs.training import train
from neurorl.tasks.groups import SeparateEnvs

SMALL: dict[str, Any] = {"actors": 2, "hidden": 3}
FAULTS = [
    *[("reward", value) for value in (float("nan"), float("inf"), -float("inf"))],
    *[("observation", value) for value in (float("nan"), float("inf"))],
]
WAYS: dict[str, dict[str, Any]] = {
    "native": {},
    "numpy": {"loop": "numpy"},
    "native backend": {"backend": "native"},
    "reward as modulator": {"modulator": "reward"},
    "spiking critic": {"model": "lif-spiking-critic"},
    "spiking critic, numpy": {"model": "lif-spiking-critic", "loop": "numpy"},
    "pes": {"backend": "loihi", "learning": "pes"},
}


class FaultyEnv(gym.Env[Any, Any]):
    """Give episodes of 6 steps; *value* is reward or observation in step *at* (0: reset) of one."""

    def __init__(self, kind: str = "", value: float = 0.0, episode: int = 2, at: int = 4) -> None:
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (2,))
        self.action_space = gym.spaces.Discrete(2)
        self._fault, self._place = (kind, value), (episode, at)
        self._episode, self._step = -1, 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._episode, self._step = self._episode + 1, 0
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self._step += 1
        reward = 1.0 if action else 0.5
        if self._fault[0] == "reward" and self._is_now():
            reward = self._fault[1]
        return self._seen(), reward, self._step == 6, False, {}

    def _is_now(self) -> bool:
        return (self._episode, self._step) == self._place

    def _seen(self) -> Any:
        seen = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        if self._fault[0] == "observation" and self._is_now():
            seen[1] = self._fault[1]
        return seen


@pytest.mark.parametrize(("kind", "value"), FAULTS)
@pytest.mark.parametrize("way", WAYS)
def test_it_ends_where_it_happens(way: str, kind: str, value: float) -> None:
    agent = SpikingActorCritic(FaultyEnv(kind, value), seed=7, **SMALL, **WAYS[way])
    agent.learn(total_episodes=2)
    with pytest.raises(EnvError, match=rf"seed 7, episode 2, step 4: the {kind} is not finite"):
        agent.learn(total_episodes=5)
    assert len(agent.episodes) == 2
    assert all(np.isfinite(w).all() for w in agent.weights.values())
    assert all(np.isfinite(a).all() for k, a in agent.state().items() if a.dtype.kind == "f")
    assert [e.length for e in agent.learn(total_episodes=5)] == [
        6,
        6,
        6,
    ]  # the fault doesn't come again
    agent.close()


@pytest.mark.parametrize("at", [0, 6])
@pytest.mark.parametrize("way", WAYS)
def test_first_and_last_observations(way: str, at: int) -> None:
    env = FaultyEnv("observation", float("nan"), episode=1, at=at)
    agent = SpikingActorCritic(env, seed=7, **SMALL, **WAYS[way])
    with pytest.raises(EnvError, match=rf"episode 1, step {at}: the observation is not finite"):
        agent.learn(total_episodes=3)
    agent.close()


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_nothing_of_the_step_is_learned_by_anyone(loop: str) -> None:
    """No agent learns in the step in which one of several sees what isn't finite."""
    config = make_config(FaultyEnv(), "lif", SMALL)
    seeds = (3, 4, 5)
    envs = [FaultyEnv(), FaultyEnv("observation", float("nan")), FaultyEnv()]
    together = Replicas(SeparateEnvs(envs), config, 2, seeds, backend="reference", loop=loop)
    whole = SeparateEnvs([FaultyEnv() for _ in seeds])
    right = Replicas(whole, config, 2, seeds, backend="reference", loop=loop)
    with pytest.raises(EnvError, match="seed 4, episode 2, step 4"):
        together.learn(total_episodes=5)
    steps = right.play(Budget(5))
    for _ in range(2 * 6 + 3):
        next(steps)
    for k in range(3):
        for name, w in right.weights(k).items():
            assert np.array_equal(together.weights(k)[name], w)
    next(steps)
    assert any((together.weights(0)[name] != w).any() for name, w in right.weights(0).items())


@pytest.mark.parametrize("reward", [np.float64(0.5), np.float32(0.5), np.array(0.5), 1, True])
def test_rewards_may_be_any_number(reward: Any) -> None:
    env = FaultyEnv("reward", reward)
    agent = SpikingActorCritic(env, **SMALL)
    assert len(agent.learn(total_episodes=4)) == 4
    agent.close()


def test_rewards_too_large_to_be_scaled_or_added() -> None:
    agent = SpikingActorCritic(FaultyEnv("reward", 1e300), reward_scale=1e10, **SMALL)
    with pytest.raises(EnvError, match=r"the reward times reward_scale 1e\+10 is not finite"):
        agent.learn(total_episodes=5)
    agent.close()
    env = gym.wrappers.TransformReward(FaultyEnv(), lambda r: float(r) * 1e308)
    agent = SpikingActorCritic(env, reward_scale=1e-308, **SMALL)
    with pytest.raises(EnvError, match="the sum of the episode's rewards is not finite"):
        agent.learn(total_episodes=5)
    agent.close()


@pytest.mark.parametrize("loop", ["native", "numpy"])
@pytest.mark.parametrize(
    "changes",
    [
        {"critic.alpha": 1e30},
        {"critic.alpha": 1e30, "reward_scale": 1e30, "modulator.limit": None},
        {"critic.alpha": 1e30, "modulator": "reward", "reward_scale": 1e30},
    ],
)
def test_learning_that_diverges(changes: dict[str, Any], loop: str, tmp_path: Path) -> None:
    agent = SpikingActorCritic("CartPole-v1", loop=loop, **SMALL, **changes)
    with pytest.raises(DivergenceError, match=r"seed 0, episode \d+, step \d+: what is learned is"):
        agent.learn(total_episodes=300)
    assert all(np.isfinite(w).all() for w in agent.weights.values())
    agent.close()


def test_gradients_that_diverge() -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")
    gradient = {"environments": 2, "steps": 8}
    agent = ReparameterizedActorCritic("CartPole-v1", gradient=gradient, **SMALL)
    agent._replicas._learners[0].values.weights[:] = 1e308
    with pytest.raises(DivergenceError, match="seed 0, environment step 16: input_hidden is not"):
        agent.learn(total_episodes=300)
    with pytest.raises(DivergenceError, match="input_hidden is not finite"):
        agent.state()
    agent.close()


def test_what_diverged_is_not_saved(tmp_path: Path) -> None:
    agent = SpikingActorCritic("CartPole-v1", **SMALL)
    agent.learn(total_episodes=1)
    for name in ("hidden_output", "critic"):
        array = agent.memory.value if name == "critic" else agent.memory.weights[name]
        before = array.copy()
        array[..., 0] = np.nan
        with pytest.raises(DivergenceError, match=rf"{name} is not finite; lower"):
            agent.save(tmp_path / "agent.npz")
        array[...] = before
    assert not (tmp_path / "agent.npz").exists()
    agent.save(tmp_path / "agent.npz")
    agent.close()


@pytest.mark.parametrize("loop", [None, "numpy"])
def test_playing(loop: str | None) -> None:
    agent = SpikingActorCritic(FaultyEnv("observation", float("nan")), loop=loop, **SMALL)
    for seen in ([float("nan"), 0.0], [0.0, float("inf")]):
        with pytest.raises(ArgumentError, match="observation: is not finite"):
            agent.predict(np.array(seen))
    assert agent.predict(np.zeros(2)) in (0, 1)
    with pytest.raises(EnvError, match="evaluation, episode 2, step 4: the observation is"):
        evaluate(agent, 5)
    agent.close()
    agent = SpikingActorCritic(FaultyEnv("reward", float("inf")), **SMALL)
    with pytest.raises(EnvError, match="evaluation, episode 2, step 4: the reward is not finite"):
        evaluate(agent, 5)
    agent.close()


class RepairedEnv(FaultyEnv):
    """Keep the fault in the class, so that it can be repaired without anyone knowing."""

    fault: ClassVar[tuple[Any, ...]] = ()

    def __init__(self, **_: Any) -> None:
        super().__init__(*self.fault)


@pytest.fixture
def registered() -> Iterator[str]:
    name = "Faulty-v0"
    gym.register(name, RepairedEnv, max_episode_steps=20)
    yield name
    gym.registry.pop(name)


APPROACHES: dict[str, dict[str, Any]] = {
    "local": {},
    "reparameterization": {
        "approach": "reparameterization",
        "gradient": {"environments": 1, "steps": 3},
    },
}


@pytest.mark.parametrize(("kind", "value"), FAULTS)
@pytest.mark.parametrize("approach", APPROACHES)
def test_a_run_keeps_its_last_checkpoint(
    approach: str,
    kind: str,
    value: float,
    registered: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Training ends with one line and status 2; with the environment repaired, it goes on."""
    if approach != "local":
        pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")
    monkeypatch.setattr("neurorl.runs.session.CHECKPOINT_SECONDS", 0.0)
    options = {"overrides": SMALL, **APPROACHES[approach]}
    out = tmp_path / "run"
    monkeypatch.setattr(RepairedEnv, "fault", (kind, value))
    with pytest.raises(EnvError, match=rf"episode 2, step 4: the {kind} is not finite"):
        train(registered, out, seed=3, episodes=6, **options)
    kept = (out / "checkpoint.npz").read_bytes()
    again = ["train", registered, "--episodes", "6", "--out", str(out), "--resume"]
    monkeypatch.setattr(RepairedEnv, "fault", (kind, value, 0))  # counted from the resume
    assert main(again) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert f"step 4: the {kind} is not finite" in captured.err
    assert (out / "checkpoint.npz").read_bytes() == kept
    monkeypatch.setattr(RepairedEnv, "fault", ())
    assert main([*again, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 6
    train(registered, tmp_path / "whole", seed=3, episodes=6, **options)
    ours, theirs = (read_checkpoint(x / "checkpoint.npz")[1] for x in (out, tmp_path / "whole"))
    for key in set(theirs) - {"episodes.wall_s", "ended.wall_s"}:
        assert np.array_equal(ours[key], theirs[key]), key


def test_a_masked_reward_is_no_number() -> None:
    """NumPy would give 0 for it."""
    masked: Any = np.ma.masked
    env = gym.wrappers.TransformReward(gym.make("CartPole-v1"), lambda _: masked)
    with pytest.raises(EnvError, match="the reward is no number"):
        SpikingActorCritic(env, seed=1, **SMALL).learn(total_timesteps=5)
