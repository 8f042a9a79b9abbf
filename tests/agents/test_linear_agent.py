"""Test the linear actor-critic without neurons, which spiking agents are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest

from neurorl import LinearActorCritic, SpikingActorCritic, evaluate
from neurorl.agents.base import LearningAgent
from neurorl.errors import NeurorlError, RunError, UnsupportedError
from neurorl.learning.loops.linear import ACTOR
from neurorl.models.agent.linear import LinearRates
from neurorl.models.agent.modulators import TDError
from neurorl.models.agent.policies import Softmax
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import GaussianCells

GRID, BANDIT = "neurorl/GridWorld-v0", "neurorl/Bandit-v0"
RATES = LinearRates(0.5, 0.2, 0.7, 0.6)


class Walk(gym.Env[Any, Any]):
    """Go left or right on five numbers, until six steps are over; log what happened."""

    def __init__(self, choices: int = 1) -> None:
        self.observation_space = gym.spaces.Discrete(5)
        two = gym.spaces.Discrete(2)
        self.action_space = two if choices == 1 else gym.spaces.MultiDiscrete([2] * choices)
        self.log: list[tuple[int, Any, float, int, bool]] = []
        self._at = self._steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self._at, self._steps = 2, 0
        return self._at, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        before = self._at
        self._at = int(np.clip(before + 2 * int(np.ravel(action)[0]) - 1, 0, 4))
        self._steps += 1
        reward, is_over = float(self._at), self._steps == 6
        self.log.append((before, action, reward, self._at, is_over))
        return self._at, reward, is_over, False, {}


class Aim(gym.Env[Any, Any]):
    """Pay for numbers near 0.5 and -0.5, after one step."""

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Discrete(2)
        self.action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float64)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        return 1, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        return 0, 1.0 - float(np.abs(action - [0.5, -0.5]).sum()), True, False, {}


def walker(env: Walk, **options: Any) -> LinearActorCritic:
    chosen: dict[str, Any] = {"gamma": 0.9, "reward_scale": 0.5, "memories": ()}
    chosen |= {"modulator.limit": 0.8, "policy.repeats": 1}
    config = make_config(env, "lif", {**chosen, **options})
    return LinearActorCritic(env, seed=3, rates=RATES, config=config)


@pytest.mark.parametrize("first", [0.0, 2.0, -0.5])
def test_it_learns_by_the_equations(first: float) -> None:
    env = Walk()
    walker(env).close()
    env.log.clear()
    agent = walker(env, **{"critic": "optimistic", "critic.initial_value": first})
    agent.learn(total_steps=15)  # two episodes and a half
    w, v, e, z = np.zeros((5, 2)), np.full(5, first), np.zeros((5, 2)), np.zeros(5)
    for state, action, reward, after, is_over in env.log[-15:]:
        x = np.eye(5)[state]
        p = np.exp(x @ w) / np.exp(x @ w).sum()
        e = 0.9 * 0.7 * e + np.outer(x, np.eye(2)[action] - p)
        z = np.maximum(0.9 * 0.6 * z, x)
        delta = 0.5 * reward + (0.0 if is_over else 0.9 * v[after]) - v[state]
        w = w + 0.5 * np.clip(delta, -0.8, 0.8) * e
        v = v + 0.2 * delta * z
        if is_over:
            e, z = np.zeros((5, 2)), np.zeros(5)
    assert agent.env_steps == 15
    assert np.abs(agent.weights[ACTOR] - w).max() < 1e-12
    assert np.abs(first + agent.state()["critic"] - v).max() < 1e-12
    assert np.abs(w).min(axis=0).max() < np.abs(w).max()


def test_steps_are_divided_by_the_size_of_cells() -> None:
    """Cells that are all active add up to a step of the rate."""
    cells = GaussianCells((0.0,), (1.0,), 3)
    env = gym.wrappers.TransformObservation(
        Walk(), lambda o: np.array([o / 4]), gym.spaces.Box(0.0, 1.0, (1,), np.float64)
    )
    agent = walker(env, cells=cells, features=cells)  # type: ignore[arg-type]
    agent.learn(total_steps=1)
    _, action, reward, after, _ = env.unwrapped.log[-1]  # type: ignore[attr-defined]
    x = cells.values(np.array([0.5]))
    step = 0.5 * min(0.5 * reward, 0.8) * x / max(x @ x, 1.0)
    expected = np.outer(step, np.eye(2)[action] - 0.5)
    assert np.abs(agent.weights[ACTOR] - expected).max() < 1e-12
    assert after in (1, 3)


@pytest.mark.parametrize("seed", [100, 101, 102])
def test_it_learns_a_bandit_and_a_lake(seed: int) -> None:
    agent = LinearActorCritic(BANDIT, seed=seed)
    agent.learn(total_episodes=500)
    assert evaluate(agent, 100)["mean_return"] > 0.8  # chance gets 0.3
    lake = LinearActorCritic(gym.make("FrozenLake-v1", is_slippery=False), seed=seed)
    lake.learn(total_steps=5000)
    assert evaluate(lake, 10)["mean_return"] == 1.0


def test_numbers_are_learned() -> None:
    agent = LinearActorCritic(Aim(), seed=100)
    agent.learn(total_episodes=600)
    played = evaluate(agent, 5)
    assert played["mean_return"] > 0.5  # always 0 gets 0.0
    assert played["std_return"] == 0.0  # no noise where nothing is explored


def test_several_choices_are_one_softmax_each() -> None:
    agent = walker(Walk(2))
    agent.learn(total_episodes=60)
    assert agent.weights[ACTOR].shape == (5, 4)
    assert agent.predict(2)[0] == 1
    steps = agent.player(0, explore=True).move(2).policy
    assert np.allclose([steps[:2].sum(), steps[2:].sum()], 1.0)


def test_repeated_actions_teach_nothing_new() -> None:
    env = Walk()
    agent = walker(env, **{"policy.repeats": 3})
    agent.learn(total_episodes=20)
    actions = [action for _, action, *_ in env.log[-120:]]
    assert actions[0::3] == actions[1::3] == actions[2::3]


@pytest.mark.filterwarnings("ignore:environment .* isn't saved")
@pytest.mark.parametrize("env", [GRID, "CartPole-v1", Walk(), Aim()])
def test_a_saved_one_goes_on_to_the_same_bits(env: Any, tmp_path: Path) -> None:
    """Also within an episode, which is played again up to where it was."""
    agent = LinearActorCritic(env, seed=5)
    agent.learn(total_steps=333)
    agent.save(tmp_path / "half.npz")
    agent.learn(total_steps=700)
    agent.save(tmp_path / "whole.npz")
    again = LinearActorCritic.load(tmp_path / "half.npz", env=None if env == GRID else env)
    assert again.steps_taken == 333
    again.learn(total_steps=700)
    again.save(tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()


def test_the_same_seed_is_the_same_agent_and_others_differ() -> None:
    def learned(seed: int) -> npt.NDArray[Any]:
        agent = LinearActorCritic(GRID, seed=seed)
        agent.learn(total_steps=400)
        evaluate(agent, 2)  # leaves training as it is
        agent.learn(total_steps=800)
        return agent.weights[ACTOR]

    assert np.array_equal(learned(1), learned(1))
    assert not np.array_equal(learned(1), learned(2))


def test_it_sees_what_the_spiking_agent_would() -> None:
    for env in (GRID, "CartPole-v1", "Acrobot-v1", "Pendulum-v1"):
        control = LinearActorCritic(env)
        assert control.config == make_config(gym.make(env), overrides={"trunk": "modules"})
        assert control.config.cells == SpikingActorCritic(env).config.cells
        assert "output" not in control.weights


def test_episodes_side_by_side_are_the_same_for_any_number() -> None:
    agent = LinearActorCritic("CartPole-v1", seed=1)
    agent.learn(total_episodes=20)
    heard: list[float] = []
    alone = evaluate(agent, 7, replicas=1, callback=lambda _, total: heard.append(total))
    assert evaluate(agent, 7, replicas=4) == alone
    assert len(heard) == 7
    assert alone["spikes_per_decision"] == alone["energy_per_decision_j"] == 0.0
    explored = evaluate(agent, 7, explore=True)["mean_return"]
    assert explored != evaluate(agent, 7)["mean_return"]


def test_callbacks_hear_and_stop_it() -> None:
    agent = LinearActorCritic(GRID, seed=1)
    heard: list[int] = []
    agent.learn(total_episodes=3, callback=lambda episode: heard.append(episode.episode))
    assert heard == [0, 1, 2]
    assert isinstance(agent, LearningAgent)
    assert agent.diagnostics["populations"] == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"hidden": 4}, "hidden"),  # has no effect where there are no neurons
        ({"alpha_output": 0.1}, "alpha_output"),
        ({"config": make_config(gym.make(GRID)), "gamma": 0.5}, "gamma"),
        ({"rates": {"alpha_actor": 1.0}}, "rates"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_has_no_effect_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(NeurorlError, match=told):
        LinearActorCritic(GRID, **options)


def test_it_has_no_backend_and_no_spikes() -> None:
    agent = LinearActorCritic(GRID)
    with pytest.raises(UnsupportedError, match="no neurons"):
        evaluate(agent, 2, backend="native")
    with pytest.raises(UnsupportedError, match="no neurons"):
        evaluate(agent, 2, noise="chip")
    with pytest.raises(UnsupportedError, match="weights"):
        agent.adopt(agent.state())


def test_spaces_that_do_not_fit_are_refused() -> None:
    endless = gym.wrappers.TransformAction(Walk(), int, gym.spaces.Box(-np.inf, np.inf, (1,)))
    with pytest.raises(UnsupportedError, match="no bounds"):
        LinearActorCritic(endless)
    with pytest.raises(UnsupportedError, match="discrete"):
        LinearActorCritic(GRID, config=make_config(gym.make("Pendulum-v1")))
    with pytest.raises(UnsupportedError, match="numbers"):
        LinearActorCritic("Pendulum-v1", config=make_config(gym.make(GRID)))


def test_rates_have_ranges() -> None:
    assert LinearRates.from_dict(RATES.to_dict()) == RATES
    for options in ({"alpha_actor": -0.1}, {"lambda_critic": 1.5}, {"alpha_critic": np.nan}):
        with pytest.raises(NeurorlError, match=next(iter(options))):
            LinearRates(**options)


def test_files_of_other_agents_are_told_apart(tmp_path: Path) -> None:
    LinearActorCritic(GRID).save(tmp_path / "linear.npz")
    SpikingActorCritic(GRID, backend="reference").save(tmp_path / "spiking.npz")
    with pytest.raises(RunError, match="another agent"):
        LinearActorCritic.load(tmp_path / "spiking.npz")
    with pytest.raises(RunError, match="linear-actor-critic"):
        SpikingActorCritic.load(tmp_path / "linear.npz")
    with pytest.raises(RunError, match="shape"):
        LinearActorCritic.load(tmp_path / "linear.npz", env="CartPole-v1")


@pytest.mark.parametrize("rates", [LinearRates(0.1, 1e30), LinearRates(1e30, 1e30)])
def test_what_explodes_is_told(rates: LinearRates) -> None:
    agent = LinearActorCritic(
        Walk(), rates=rates, config=make_config(Walk(), "lif", {"modulator": TDError()})
    )
    with pytest.raises(NeurorlError, match="not finite"):
        agent.learn(total_episodes=50)


def test_exploration_and_temperature_are_its_own() -> None:
    config = make_config(Walk(), overrides={"policy": Softmax(9.0, 0.5)})
    agent = LinearActorCritic(Walk(), config=config)
    policy = agent.player(0, explore=True).move(2).policy
    assert policy.tolist() == [0.5, 0.5]
    agent.learn(total_episodes=40)
    assert agent.player(0, explore=True).move(2).policy.min() >= 0.25
