"""Test agents that choose several things, what is allowed, or numbers: the same bits everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from choosing import KINDS, Task
from gymnasium.spaces import Box, Discrete
from hypothesis import example, given
from hypothesis import strategies as st

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import evaluate
from neurorl.agents.replicas import Replicas
from neurorl.cli import main
from neurorl.errors import EnvError, UnsupportedError
from neurorl.models.agent.gaussian_policy import Gaussian
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.actions import read_actions
from neurorl.tasks.groups import env_group

SMALL: dict[str, Any] = {"actors": 2, "hidden": 3}

WAYS: list[tuple[str, str, dict[str, Any]]] = [
    ("reference", "float", {"loop": "native"}),
    ("reference", "float", {"loop": "numpy"}),
    ("brian2", "float", {"backend_options": {"engine": "numpy"}}),
    ("reference", "loihi", {"loop": "native"}),
    ("reference", "loihi", {"loop": "numpy"}),
    ("loihi", "loihi", {}),
]
COMPILED: list[tuple[str, str, dict[str, Any]]] = [
    ("native", "float", {}),
    ("native", "loihi", {}),
]


def made(pays: str, backend: str = "reference", arithmetic: str = "float", **others: Any) -> Any:
    options = {**SMALL, "reward_scale": 0.1, **others}
    return SpikingActorCritic(Task(pays), backend=backend, arithmetic=arithmetic, seed=3, **options)


def same(ours: Any, theirs: Any) -> None:
    one, other = ours.state(), theirs.state()
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert np.array_equal(value, other[key], equal_nan=True), key


@pytest.mark.parametrize(
    "ways", [pytest.param(WAYS, id="quick"), pytest.param(COMPILED, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("pays", KINDS)
def test_the_same_bits_in_every_loop_and_on_every_backend(pays: str, ways: list[Any]) -> None:
    known = {arithmetic: made(pays, arithmetic=arithmetic) for arithmetic in ("float", "loihi")}
    for agent in known.values():
        agent.learn(total_episodes=6)
    for backend, arithmetic, options in ways:
        other = made(pays, backend, arithmetic, **options)
        other.learn(total_episodes=6)
        same(known[arithmetic], other)
        pairs = zip(known[arithmetic].env.actions, other.env.actions, strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
        other.close()
    actions = [tuple(a.ravel().tolist()) for a in known["float"].env.actions]
    assert len(set(actions)) > 2


@pytest.mark.parametrize("rule", ["td-stdp", "agreement", "centred-feedback", "hebbian"])
@pytest.mark.parametrize("pays", ["several", "masked", "numbers"])
def test_every_kind_of_rule(pays: str, rule: str) -> None:
    names = {"hebbian": "spikes-only-hebbian"}
    agents = [made(pays, rule=names.get(rule, rule), loop=loop) for loop in ("native", "numpy")]
    for agent in agents:
        agent.learn(total_episodes=4)
    same(*agents)


@pytest.mark.parametrize("pays", KINDS)
def test_agents_side_by_side_and_resumed_within_an_episode(pays: str, tmp_path: Path) -> None:
    envs = [Task(pays) for _ in range(3)]
    config = make_config(envs[0], "lif", {**SMALL, "reward_scale": 0.1})
    n = made(pays)._replicas.n_actions
    together = Replicas(env_group(envs), config, n, (1, 3, 8), backend="reference")
    together.learn(total_steps=37)
    alone, saved = made(pays), made(pays)
    alone.learn(total_steps=37)
    ours, theirs = together.state(1), alone.state()
    for key, value in theirs.items():
        assert np.array_equal(value, ours[key], equal_nan=True), key
    for steps in (1, 11, 23):
        saved.learn(total_steps=steps)
        state = saved.state()
        assert "running.actions" in state
        saved = made(pays)
        saved.restore(state)
    saved.learn(total_steps=37)
    same(alone, saved)


@pytest.mark.parametrize("pays", KINDS)
def test_vectors_of_environments(pays: str) -> None:
    """Vectors of environments choose as lists do, and hear of the same masks."""
    envs = gym.vector.SyncVectorEnv([lambda: Task(pays)] * 2)
    config = make_config(Task(pays), "lif", {**SMALL, "reward_scale": 0.1})
    n = made(pays)._replicas.n_actions
    agents = [
        Replicas(env_group(e), config, n, (1, 8), backend="reference")
        for e in (envs, [Task(pays), Task(pays)])
    ]
    for group in agents:
        group.learn(total_episodes=5)
    for k in range(2):
        one, other = (group.state(k) for group in agents)
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert np.array_equal(value, other[key], equal_nan=True), key


@pytest.mark.parametrize("pays", KINDS)
def test_evaluation_and_prediction(pays: str) -> None:
    agent = made(pays)
    agent.learn(total_episodes=5)
    assert evaluate(agent, 3)["mean_return"] == evaluate(agent, 3)["mean_return"]
    evaluate(agent, 2, explore=True)
    mask = agent.env._shown()[1].get("action_mask")
    action = agent.predict(np.zeros(2, np.float32), mask)
    assert agent.env.action_space.contains(action)
    assert agent.is_masked == pays.startswith("mask")


def test_exploration_is_held_alike_in_both_loops() -> None:
    """The same z is used in 5 decisions in a row, whichever loop draws it."""
    played = []
    for loop in ("numpy", None):
        policy = Gaussian(hold=5, sigma=1e-3, sigma_end=1e-3)
        agent = SpikingActorCritic("Pendulum-v1", seed=2, policy=policy, loop=loop, **SMALL)
        agent.learn(total_steps=210)
        played.append((agent.episodes, {name: w.tolist() for name, w in agent.weights.items()}))
    assert played[0] == played[1]
    other = SpikingActorCritic(
        "Pendulum-v1", seed=2, policy=Gaussian(sigma=1e-3, sigma_end=1e-3), **SMALL
    )
    other.learn(total_steps=210)
    assert other.episodes != played[0][0]


@pytest.mark.parametrize(
    "ways", [pytest.param(WAYS, id="quick"), pytest.param(COMPILED, marks=pytest.mark.slow)]
)
def test_natural_feedback_has_the_same_bits_everywhere(ways: list[Any]) -> None:
    """It shrinks within the run, and makes other weights than the score as it is."""
    policy = Gaussian(hold=2, decisions=20, natural=True)
    known: dict[str, Any] = {}
    for backend, arithmetic, options in [("reference", "float", {}), *ways]:
        agent = made("numbers", backend, arithmetic, policy=policy, **options)
        agent.learn(total_episodes=6)
        same(known.setdefault(arithmetic, agent), agent)
    usual = made("numbers", policy=Gaussian(hold=2, decisions=20))
    usual.learn(total_episodes=6)
    weights = known["float"].weights
    assert any((usual.weights[name] != weights[name]).any() for name in weights)


def test_an_agent_of_numbers_is_saved_and_loaded(tmp_path: Path) -> None:
    """The file has the policy with its fields; the loaded agent goes on exactly."""
    policy = Gaussian(sigma=0.45, population=3, hold=4, natural=True)
    agent, whole = (
        SpikingActorCritic("Pendulum-v1", seed=2, policy=policy, **SMALL) for _ in range(2)
    )
    agent.learn(total_steps=230)
    agent.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz")
    assert loaded.config.policy == policy
    assert loaded.network.node("output").size == 2 * 3
    for one in (loaded, whole):
        one.learn(total_steps=420)
    same(loaded, whole)
    action = loaded.predict(np.array([1.0, 0.0, 0.0], np.float32))
    assert action.shape == (1,)
    assert -2.0 <= action[0] <= 2.0


def test_who_played_without_masks_goes_on_without() -> None:
    """Agents saved before there were masks go on without them."""
    agent = made("masked", loop="numpy")
    agent.learn(total_episodes=2)
    state = agent.state()
    del state["masked"]
    agent.restore(state)
    assert not agent.is_masked


@pytest.mark.parametrize(
    "space",
    [
        Box(0, 1, (3,), np.int8),
        Box(-2, 2, (1, 2), np.int64),
        Box(np.array([0, 200]), np.array([7, 255]), (2,), np.uint8),
        Box(-(2**50), 2**50, (1,), np.int64),
        Box(-3, 4, (), np.int8),
    ],
)
def test_whole_numbers_share_the_range(space: Box) -> None:
    task = Task("numbers")
    task.action_space = space
    actions = read_actions(task)
    assert actions.is_continuous
    whole = sum(actions.groups(1))
    for end, known in ((-1.0, space.low), (1.0, space.high)):
        np.testing.assert_array_equal(actions.taken([end] * whole), known)
    drawn = np.random.default_rng(3).uniform(-1.0, 1.0, (9_000, whole))
    taken = [actions.taken(row.tolist()) for row in drawn]
    assert all(space.contains(one) for one in taken)
    if space.dtype.itemsize < 8 or space.high.max() < 9:
        for row in np.reshape(taken, (len(taken), whole)).T:
            n = np.unique(row, return_counts=True)[1]
            assert len(n) in set((space.high.astype(int) - space.low + 1).ravel().tolist())
            assert np.all(abs(n - n.mean()) < 5.0 * np.sqrt(n.mean()))


@given(
    st.sampled_from(["float16", "float32", "float64"]),
    st.floats(-1e4, 1e4, width=16),
    st.floats(0.0, 1e4, width=16),
    st.floats(-1.0, 1.0),
)
@example("float64", -0.3, 0.4, 1.0)
@example("float32", -1e4, 1e4 + 0.1, 1.0)
def test_no_number_is_outside_of_its_range(
    dtype: str, low: float, more: float, choice: float
) -> None:
    task = Task("numbers")
    for shape in ((), (2,)):
        task.action_space = space = Box(low, low + more, shape, np.dtype(dtype).type)
        actions = read_actions(task)
        for one in (choice, -1.0, 1.0):
            taken = actions.taken([one] * space.low.size)
            assert isinstance(taken, np.ndarray)
            assert space.contains(taken)


def test_an_agent_orders_whole_numbers() -> None:
    task = Task("numbers")
    task.action_space = Box(0, np.array([9, 40]), (2,), np.int16)
    agent = SpikingActorCritic(task, seed=3, reward_scale=0.1, **SMALL)
    agent.learn(total_episodes=3)  # the task asserts that its space has each action
    assert task.action_space.contains(agent.predict(np.zeros(2, np.float32)))


def test_what_does_not_go_together() -> None:
    with pytest.raises(UnsupportedError, match="its actions are numbers"):
        SpikingActorCritic("Pendulum-v1", policy="softmax", **SMALL)
    with pytest.raises(UnsupportedError, match="its actions are discrete"):
        SpikingActorCritic("CartPole-v1", policy="gaussian", **SMALL)
    task = Task("numbers")
    for low, high in ((-np.inf, 1.0), (-1e308, 1e308)):  # of infinite width, both
        task.action_space = Box(low, high, (2,), np.float64)
        with pytest.raises(UnsupportedError, match=r"no bounds.*RescaleAction"):
            SpikingActorCritic(task, **SMALL)
    task.action_space = Box(0, np.iinfo(np.int64).max, (2,), np.int64)  # a float can't hold these
    with pytest.raises(UnsupportedError, match=r"no bounds.*RescaleAction"):
        SpikingActorCritic(task, **SMALL)
    task.action_space = gym.spaces.Tuple([Discrete(2)])
    with pytest.raises(UnsupportedError, match="Discrete, MultiDiscrete, MultiBinary or Box"):
        SpikingActorCritic(task, **SMALL)
    forgets = Task("masked")
    forgets._told = dict  # type: ignore[method-assign]
    with pytest.raises(EnvError, match=r"seed 3, episode 0, step 1.*no mask"):
        SpikingActorCritic(forgets, seed=3, reward_scale=0.1, **SMALL).learn(total_episodes=1)


@pytest.mark.parametrize("n", [2, 4])  # a mask of the numbers, and one of their modules
@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_numbers_have_no_mask(loop: str, n: int) -> None:
    mask = {"action_mask": np.ones(n)}
    shows = Task("numbers")
    shows._shown = lambda: (np.zeros(2, np.float32), mask)  # type: ignore[method-assign]
    with pytest.raises(UnsupportedError, match=r"seed 3, episode 0, step 0.*numbers have no mask"):
        SpikingActorCritic(shows, seed=3, reward_scale=0.1, loop=loop, **SMALL).learn(
            total_episodes=1
        )
    with pytest.raises(UnsupportedError, match=r"action_mask.*numbers have no mask"):
        made("numbers", loop=loop).predict(np.zeros(2, np.float32), np.ones(n))


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "MountainCarContinuous-v0", "Taxi"])
def test_the_command_line(env_id: str, tmp_path: Path, capsys: Any) -> None:
    """Known tasks train, resume within an episode and are evaluated by default."""
    if env_id == "Taxi":
        env_id = max(name for name in gym.registry if name.startswith("Taxi-v"))
    run, whole = str(tmp_path / "run"), str(tmp_path / "whole")
    for steps, out in ((150, run), (260, whole)):
        assert main(["train", env_id, "--steps", str(steps), "--seed", "1", "--out", out]) == 0
    assert main(["train", env_id, "--steps", "260", "--out", run, "--resume"]) == 0
    ours, theirs = (Path(path) / "episodes.csv" for path in (run, whole))
    columns = [[line.split(",")[:4] for line in p.read_text().splitlines()] for p in (ours, theirs)]
    assert columns[0] == columns[1]
    assert main(["evaluate", run, "--episodes", "1"]) == 0
    assert "return" in capsys.readouterr().out
