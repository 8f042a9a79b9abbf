"""Test the agent: what is deterministic, what is bootstrapped, what any environment gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.errors import (
    ArgumentError,
    DescriptionError,
    NeurorlError,
    RunError,
    UnknownNameError,
    UnsupportedError,
)
from neurorl.models.agent.critics import Linear
from neurorl.models.agent.policies import Softmax

GRID = "neurorl/GridWorld-v0"
SMALL: dict[str, Any] = {"actors": 2, "hidden": 2}
BACKENDS = [
    ("reference", "float", {}),
    ("reference", "loihi", {}),
    ("native", "float", {}),
    ("native", "loihi", {}),
    ("brian2", "float", {"engine": "numpy"}),
    ("brian2", "loihi", {"engine": "numpy"}),
    ("loihi", "loihi", {}),
]


def played(agent: SpikingActorCritic) -> list[tuple[float, ...]]:
    return [(e.episode, e.ret, e.length, e.env_steps, e.discounted) for e in agent.episodes]


def small(env: Any = "CartPole-v1", **options: Any) -> SpikingActorCritic:
    return SpikingActorCritic(env, **{**SMALL, **options})


def test_an_agent_says_in_short_what_it_is() -> None:
    agent = small(seed=3)
    agent.learn(total_episodes=2)
    steps = agent.episodes[-1].env_steps
    assert repr(agent) == f"<SpikingActorCritic of CartPole-v1, seed 3, {steps:,} steps learned>"


def same_arrays(a: dict[str, Any], b: dict[str, Any]) -> bool:
    wall = "episodes.wall_s"
    return set(a) == set(b) and all(np.array_equal(a[k], b[k]) for k in a if k != wall)


@pytest.mark.parametrize("model", ["lif", "glm"])
def test_every_backend_of_an_arithmetic_learns_the_same(model: str) -> None:
    """One seed gives the same episodes and weights, bit for bit, learning included."""
    by_arithmetic: dict[str, list[SpikingActorCritic]] = {}
    for backend, arithmetic, options in BACKENDS:
        agent = small(
            model=model,
            backend=backend,
            arithmetic=arithmetic,
            seed=3,
            backend_options=options,
        )
        agent.learn(total_episodes=4)
        by_arithmetic.setdefault(arithmetic, []).append(agent)
    for agents in by_arithmetic.values():
        for other in agents[1:]:
            assert played(other) == played(agents[0])
            assert same_arrays(other.state(), agents[0].state())


def test_predicting_by_chance_follows_the_policy() -> None:
    """Where one action has nearly all votes, the other is drawn as often as the policy says."""
    policy = Softmax(exploration=0.4)
    agent = SpikingActorCritic("CartPole-v1", seed=3, policy=policy)
    agent.learn(total_steps=1500)
    state, (seen, _) = agent.state(), agent.env.reset(seed=0)
    best = [int(agent.predict(seen)) for _ in range(60)]
    drawn = [int(agent.predict(seen, deterministic=False)) for _ in range(60)]
    assert min(np.bincount(drawn, minlength=2)) > min(np.bincount(best, minlength=2))
    for key, value in agent.state().items():
        assert np.array_equal(state[key], value, equal_nan=value.dtype.kind == "f"), key
    with pytest.raises(ArgumentError, match="predict, deterministic"):
        agent.predict(seen, deterministic="yes")  # type: ignore[arg-type]


def test_seed_decides_and_predicting_does_not_disturb() -> None:
    a, b, c = small(seed=1), small(seed=1), small(seed=2)
    for agent in (a, b, c):
        agent.learn(total_episodes=2)
        if agent is b:
            for _ in range(5):
                assert agent.predict(np.zeros(4)) in (0, 1)
            evaluate(agent, 2)
        agent.learn(total_episodes=4)
    assert played(a) == played(b)
    assert same_arrays(a.state(), b.state())
    assert played(a) != played(c)


@pytest.mark.parametrize(("backend", "arithmetic", "options"), BACKENDS)
def test_saved_and_loaded_it_goes_on_as_if_nothing_had_happened(
    backend: str, arithmetic: str, options: dict[str, Any], tmp_path: Path
) -> None:
    def make() -> SpikingActorCritic:
        return small(GRID, backend=backend, arithmetic=arithmetic, seed=5, backend_options=options)

    whole, first = make(), make()
    whole.learn(total_episodes=3)
    first.learn(total_episodes=1)
    first.save(tmp_path / "agent.npz")
    second = SpikingActorCritic.load(
        tmp_path / "agent.npz", backend=backend, backend_options=options
    )
    assert second.arithmetic == arithmetic
    second.learn(total_episodes=3)
    assert played(second) == played(whole)
    assert same_arrays(second.state(), whole.state())
    assert [p.name for p in tmp_path.iterdir()] == ["agent.npz"]


def test_an_agent_moves_to_another_backend(tmp_path: Path) -> None:
    agent = small(GRID, seed=2)
    agent.learn(total_episodes=2)
    agent.save(tmp_path / "agent.npz")
    moved = SpikingActorCritic.load(tmp_path / "agent.npz", backend="loihi")
    assert (moved.backend_name, moved.arithmetic) == ("loihi", "loihi")
    for name, weights in agent.memory.weights.items():
        assert np.array_equal(moved.memory.weights[name], weights)
    moved.learn(total_episodes=3)
    assert len(moved.episodes) == 3


def test_evaluation_is_repeatable_and_counts_operations(tmp_path: Path) -> None:
    agent = small(GRID, seed=2)
    agent.learn(total_episodes=2)
    first = evaluate(agent, 3, seed=1)
    assert first == evaluate(agent, 3, seed=1)
    assert set(first) == {
        "env",
        "backend",
        "arithmetic",
        "noise",
        "seed",
        "episodes",
        "mean_return",
        "std_return",
        "mean_discounted_return",
        "spikes_per_decision",
        "synops_per_decision",
        "effective_acs_per_decision",
        "effective_macs_per_decision",
        "dense_synops_per_decision",
        "neuron_updates_per_decision",
        "activation_sparsity",
        "energy_per_decision_j",
    }
    # Each bias spike reaches 16 hidden and 8 output neurons, 12 times a decision.
    assert first["synops_per_decision"] > 12 * 24
    agent.save(tmp_path / "agent.npz")
    loaded, chosen = load_to_play(tmp_path / "agent.npz")
    assert evaluate(loaded, 3, seed=1, **chosen) == first
    on_chip = evaluate(agent, 3, seed=1, backend="reference", arithmetic="loihi")
    on_emulator = evaluate(agent, 3, seed=1, backend="loihi")
    assert {**on_emulator, "backend": "reference"} == on_chip


class OneStep(gym.Env[Any, Any]):
    """Give one step with reward 1, then an end of the kind asked for."""

    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(2, start=5)

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return 0, {}

    def step(self, action: Any) -> Any:
        assert action in (5, 6)
        return 1, 1.0, self._terminal, not self._terminal, {}


def test_terminal_states_are_not_bootstrapped_and_truncated_ones_are() -> None:
    weights = {}
    for terminal in (True, False):
        agent = small(OneStep(terminal), gamma=0.5, critic=Linear(alpha=0.1), reward_scale=1.0)
        agent.memory.value[:] = [0.0, 4.0]
        agent.learn(total_episodes=1)
        weights[terminal] = agent.memory.value[0]
    assert weights[True] == pytest.approx(0.1 * 1.0)
    assert weights[False] == pytest.approx(0.1 * (1.0 + 0.5 * 4.0))


SPACES: dict[str, gym.Space[Any]] = {
    "Discrete": gym.spaces.Discrete(7, start=-3),
    "Box": gym.spaces.Box(-1, 1, (3,)),
    "unbounded Box": gym.spaces.Box(-np.inf, np.inf, (2, 2)),
    "image": gym.spaces.Box(0, 255, (16, 16, 3), np.uint8),
    "MultiDiscrete": gym.spaces.MultiDiscrete([3, 4]),
    "MultiBinary": gym.spaces.MultiBinary(5),
    "Tuple": gym.spaces.Tuple((gym.spaces.Discrete(3), gym.spaces.Box(0, 1, (2,)))),
    "Dict": gym.spaces.Dict(a=gym.spaces.Discrete(3), b=gym.spaces.Box(0, 1, (2,))),
}


class RandomObservations(gym.Env[Any, Any]):
    """Show observations drawn from a space; an episode has ten steps."""

    action_space = gym.spaces.Discrete(3)

    def __init__(self, space: gym.Space[Any]) -> None:
        self.observation_space = space

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self._left = 10
        return self.observation_space.sample(), {}

    def step(self, action: Any) -> Any:
        self._left -= 1
        return self.observation_space.sample(), 1.0, self._left == 0, False, {}


@pytest.mark.parametrize("model", ["lif", "glm"])
@pytest.mark.parametrize("space", SPACES)
def test_any_observation_works_by_default(space: str, model: str) -> None:
    agent = small(RandomObservations(SPACES[space]), model=model, seed=1)
    agent.learn(total_episodes=2)
    assert agent.steps_taken == 20
    untrained = small(RandomObservations(SPACES[space]), model=model, seed=1)
    drive = agent.memory.weights["input_hidden"]
    assert (drive != untrained.memory.weights["input_hidden"]).any()


def test_other_gymnasium_tasks_run() -> None:
    for name in (
        "Acrobot-v1",
        "MountainCar-v0",
        "FrozenLake-v1",
        "Blackjack-v1",
        "CliffWalking-v1",
    ):
        assert len(small(name).learn(total_episodes=1)) == 1


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: small(backend="brain2"), UnknownNameError, "did you mean 'brian2'"),
        (lambda: small(model="liff"), UnknownNameError, "did you mean 'lif'"),
        (lambda: small(arithmetic="flaot"), NeurorlError, "flaot"),
        (
            lambda: small(backend="loihi", arithmetic="float"),
            UnsupportedError,
            "arithmetic 'float'",
        ),
        (lambda: small(window=2), DescriptionError, r"too short for 2 layers.*got 2, limit >= 3"),
        (lambda: small(windw=12), UnknownNameError, "did you mean 'window'"),
        (lambda: small(gamma=1.5), DescriptionError, "gamma: out of range"),
        (
            lambda: small(backend="loihi", backend_options={"core": CoreLimits(axons_in=3)}),
            UnsupportedError,
            r"'hidden', neuron 0 with \d+ axons into it \(limit 3 of a core",
        ),
        (lambda: small(seed=-1), ArgumentError, "seed"),
        (lambda: small().learn(total_episodes=2.5), ArgumentError, "must be a whole number"),  # type: ignore[arg-type]
        (lambda: SpikingActorCritic.load("nowhere.npz"), RunError, "can't be read"),
    ],
)
def test_bad_input_is_one_clear_line(make: Any, error: type[NeurorlError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
