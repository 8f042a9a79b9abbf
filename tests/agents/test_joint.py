"""One agent learns from several environments: in a stated order, resumed exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import concatenate, create_empty_array

from neurorl import SpikingActorCritic
from neurorl.agents.budget import Budget
from neurorl.agents.episodes import Episode
from neurorl.agents.evaluation import evaluate
from neurorl.agents.local import JointReplicas, alone, seeds_of
from neurorl.agents.replicas import Replicas
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import env_group

SMALL: dict[str, Any] = {"actors": 2, "hidden": 3}


def made(environments: int = 3, **others: Any) -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", seed=3, environments=environments, **SMALL, **others)


def arrays(agent: Any) -> dict[str, Any]:
    return {key: value.copy() for key, value in agent.state().items()}


def same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for key, value in one.items():
        assert np.array_equal(value, other[key], equal_nan=True), key


def test_one_environment_is_the_agent_as_it_was() -> None:
    """A group of one that shares its weights with nobody learns what the plain agent does."""
    plain = made(1)
    group = Replicas(
        env_group([make_env("CartPole-v1")]), plain.config, 2, (3,), backend="reference"
    )
    shared = JointReplicas(group)
    shared.learn(total_episodes=6)
    plain.learn(total_episodes=6)
    ours, theirs = shared.state(0), arrays(plain)
    for key, value in theirs.items():
        mine = ours[key if key in ours else f"env0.{key}"]
        assert np.array_equal(mine, value, equal_nan=True), key


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"schedule.end": 0.1, "schedule.episodes": 8},
        {"schedule": "slowing", "schedule.decisions": 30},
        {"model": "lif-spiking-critic"},
        {"model": "glm"},
        {"carries": True},
        {"rule": "td-stdp"},
        {"arithmetic": "loihi"},
        {"arithmetic": "loihi", "writes": "stochastic"},
        {"arithmetic": "loihi", "writes": "accumulate"},
    ],
    ids=lambda options: "-".join(map(str, options.values())) or "plain",
)
def test_both_loops_learn_the_same(options: dict[str, Any]) -> None:
    agents = [made(loop=loop, **options) for loop in ("native", "numpy")]
    for agent in agents:
        agent.learn(total_episodes=9)
        agent._replicas.loop.settle()
        memory = agent._replicas.loop.memory
        for shared in (*memory.weights.values(), *memory.norm.values(), memory.value):
            assert np.array_equal(shared, np.broadcast_to(shared[:1], shared.shape), equal_nan=True)
        for name, weights in memory.weights.items():
            held = agent.backend.weights(name)
            assert np.array_equal(held, np.broadcast_to(held[:1], held.shape))
            if options.get("arithmetic") is None:
                assert np.array_equal(held[0], weights[0])
    same(*map(arrays, agents))
    assert len(agents[0].episodes) >= 9
    assert [e.episode for e in agents[0].episodes] == list(range(len(agents[0].episodes)))


def test_environments_learn_one_after_the_other() -> None:
    """The second's TD error is by the critic that the first has changed, and so on."""
    agent = made(2)
    loop = agent._replicas.loop
    learn = loop.learn
    steps = agent._replicas.play(Budget(None, 1))
    before: dict[str, Any] = {}

    def watched() -> None:
        before.update(value=loop.memory.value[0].copy(), x=loop.memory.x.copy())
        learn()

    loop.learn = watched  # type: ignore[method-assign]
    next(steps)
    config, value, deltas = agent.config, before["value"], []
    for k, x in enumerate(before["x"]):
        critic = config.critic.values(value, np.zeros_like(value), x.copy(), config.gamma)
        x_next = config.features.values(loop._features_flat[k])
        told = float(loop.reward[k]), float(loop.discount[k]), x_next, 1.0
        deltas.append(critic.modulator(*told))
    assert np.array_equal(loop.memory.value, [value, value])
    assert deltas[0] != deltas[1]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"model": "lif-spiking-critic"},
        {"arithmetic": "loihi"},
        {"schedule": "slowing", "schedule.decisions": 20},
    ],
)
def test_it_is_resumed_exactly(options: dict[str, Any], tmp_path: Path) -> None:
    """Saved and loaded in the midst of episodes, an agent goes on as one that never stopped."""
    agent, whole = made(**options), made(**options)
    for steps in (1, 31, 90):
        agent.learn(total_steps=steps)
        agent.save(tmp_path / "agent.npz")
        agent = SpikingActorCritic.load(tmp_path / "agent.npz")
        assert isinstance(agent._replicas, JointReplicas)
    for one in (agent, whole):
        one.learn(total_steps=200)
    assert agent.steps_taken == whole.env_steps == 201  # after a step of all three
    same(arrays(agent), arrays(whole))
    assert evaluate(agent, 3)["mean_return"] == evaluate(whole, 3)["mean_return"]


@pytest.mark.parametrize("ended", [1, 2, 3, 5])
def test_saved_between_episodes_of_one_step_it_goes_on_exactly(ended: int, tmp_path: Path) -> None:
    env = gym.make("CartPole-v1", max_episode_steps=7)  # so that all three end together
    agent = SpikingActorCritic(env, seed=3, environments=3, **SMALL)

    def saves(episode: Episode) -> None:
        if episode.episode + 1 == ended:
            agent.save(tmp_path / "agent.npz")

    agent.learn(total_steps=60, callback=saves)
    saved = SpikingActorCritic.load(tmp_path / "agent.npz")
    assert len(saved.episodes) == -(-ended // 3) * 3
    saved.learn(total_steps=60)
    assert saved.episodes == agent.episodes
    same(arrays(saved), arrays(agent))


def test_callbacks_and_budgets_of_episodes() -> None:
    agent = made()
    told: list[int] = []
    new = agent.learn(total_episodes=5, callback=lambda episode: told.append(episode.episode))
    assert told == [e.episode for e in new] == list(range(len(new)))
    assert 5 <= len(new) <= 7
    assert [e.env_steps for e in new] == sorted(e.env_steps for e in new)
    assert sum(e.length for e in new) <= agent.steps_taken


def test_a_callback_that_raises_loses_no_episode() -> None:
    agent, whole = made(), made()

    def stop(_: Any) -> None:
        raise KeyError("enough")

    for _ in range(3):
        with pytest.raises(KeyError):
            agent.learn(total_episodes=20, callback=stop)
    for one in (agent, whole):
        one.learn(total_episodes=20)
    same(arrays(agent), arrays(whole))


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_vectors(mode: AutoresetMode) -> None:
    """All environments of one vector are learned from as copies of one are."""
    vector = SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 3, autoreset_mode=mode)
    agent, copies = SpikingActorCritic(vector, seed=3, **SMALL), made()
    for one in (agent, copies):
        one.learn(total_episodes=9)
    same(arrays(agent), arrays(copies))
    assert agent.env_id == "CartPole-v1"


def test_gymnasiums_own_vector() -> None:
    vector = gym.make_vec("CartPole-v1", 4, vectorization_mode="vector_entry_point")
    agent = SpikingActorCritic(vector, seed=3, **SMALL)
    agent.learn(total_steps=300)
    assert 300 <= agent.steps_taken <= 303
    assert len(agent.episodes) > 4
    assert evaluate(agent, 2)["episodes"] == 2


class Own(gym.Wrapper[Any, Any, Any, Any]):
    """Be an environment that only a vector can make again: it has no id."""

    def __init__(self) -> None:
        super().__init__(gym.make("CartPole-v1").unwrapped)
        self.unwrapped.spec = None


@pytest.mark.filterwarnings("ignore:.*isn't saved with the agent")
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("has_id", [True, False])
def test_saved_with_a_vector(n: int, has_id: bool, tmp_path: Path) -> None:
    """An agent goes on with a vector, or with copies if its environment has an id."""
    one: Any = (lambda: gym.make("CartPole-v1")) if has_id else Own
    vectors = [SyncVectorEnv([one] * n) for _ in range(3)]
    whole, stopped = (SpikingActorCritic(vector, seed=3, **SMALL) for vector in vectors[:2])
    stopped.learn(total_steps=90)
    stopped.save(tmp_path / "agent")
    again = SpikingActorCritic.load(tmp_path / "agent", env=None if has_id else vectors[2])
    for agent in (whole, again):
        agent.learn(total_steps=240)
    assert again.episodes == whole.episodes
    same(arrays(again), alone(arrays(whole)) if has_id and n == 1 else arrays(whole))


def test_vectors_of_another_size(tmp_path: Path) -> None:
    made(3).save(tmp_path / "three")
    made(1).save(tmp_path / "one")
    two = SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2)
    for name, limit in (("three", "3"), ("one", "no vector")):
        with pytest.raises(ArgumentError, match=rf"vector environment.*got 2, limit {limit}"):
            SpikingActorCritic.load(tmp_path / name, env=two)
    with pytest.raises(ArgumentError, match=r"vector environment.*got 2, limit 3"):
        SpikingActorCritic(two, environments=3, **SMALL)


def test_batches_of_predictions() -> None:
    agent, other = made(), made()
    observations = np.random.default_rng(1).uniform(-0.1, 0.1, (5, 4)).astype(np.float32)
    actions = agent.predict_batch(observations)
    assert actions.tolist() == [other.predict(one) for one in observations]
    assert agent.predict_batch(observations[:0]).tolist() == []
    for bad in (3, None, np.float32(1.0)):
        with pytest.raises(ArgumentError, match="no batch of observations"):
            agent.predict_batch(bad)
    with pytest.raises(ArgumentError, match="another shape"):
        agent.predict_batch(observations[0])


class Told(gym.Env[Any, Any]):
    """Show a text, and a number of two parts; pay for two digits."""

    observation_space = Dict({"a": Text(5), "b": Tuple([Discrete(3), Box(0.0, 1.0, (1,))])})
    action_space = MultiDiscrete([2, 2])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {"action_mask": np.ones(4)}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.observation_space.sample(), float(action.sum()), True, False, {}


@pytest.mark.filterwarnings("ignore:.*is seen without")
def test_batches_of_parts_and_masks() -> None:
    """Parts that aren't seen have a length of their own, and masks may come as a vector's do."""
    agents = [SpikingActorCritic(Told(), seed=1, reward_scale=1.0, **SMALL) for _ in range(2)]
    space = agents[0].env.observation_space
    rows = [space.sample() for _ in range(2)]
    empty: Any = create_empty_array(space, 2)
    batch = concatenate(space, rows, empty)
    forbids = np.array([[1, 0, 0, 1], [0, 1, 1, 0]])
    for masks in (forbids, (forbids[:, :2], forbids[:, 2:])):
        assert agents[0].predict_batch(batch, masks).tolist() == [[0, 1], [1, 0]]
    one = agents[1].predict_batch(batch)
    for agent in agents:  # each begins its draws anew
        agent._predictors.clear()
    assert one.tolist() == [agents[0].predict(row).tolist() for row in rows]
    for few in (forbids[:1], 3, (forbids[:, :2], forbids[:1, 2:])):
        with pytest.raises(ArgumentError, match=r"action_masks.*limit 2 masks"):
            agents[0].predict_batch(batch, few)


def test_seeds() -> None:
    assert seeds_of(7, 1) == (7,)
    assert len(set(seeds_of(7, 20))) == 20
    assert seeds_of(7, 3) == seeds_of(7, 20)[:3]


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="environments"):
        made(0)
    with pytest.raises(UnsupportedError, match="on the chip"):
        made(2, backend="loihi", learning="pes", lambda_actor=0.0)
