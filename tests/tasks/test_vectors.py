"""Test vector environments: whatever resets them, agents learn from the same transitions."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import batch_space

from neurorl.agents.replicas import Replicas
from neurorl.errors import ArgumentError
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.groups import AutoresetEnvs, SeparateEnvs, VectorEnvs, env_group

SEEDS = (4, 0, 2**62, 9)
SPACE = gym.spaces.Box(-1.0, 1.0, (3,), np.float32)
SMALL = {"actors": 2, "hidden": 3}


class Scripted(gym.Env[Any, Any]):
    """Play random episodes, some cut off, whatever the actions: of seeds, or of its own script."""

    observation_space, action_space = SPACE, gym.spaces.Discrete(3, start=5)

    def __init__(self, script: int, heeds: bool = True) -> None:
        self._script, self._heeds, self._episode = script, heeds, -1

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self._episode += 1
        own = (self._script, self._episode)
        self._rng = np.random.default_rng(own if seed is None or not self._heeds else seed)
        self._left, self._is_cut = self._rng.integers(1, 6), bool(self._rng.integers(2))
        return self._shown(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert self.action_space.contains(action)
        assert self._left > 0
        self._left -= 1
        over = self._left == 0
        reward = float(self._rng.normal())
        return self._shown(), reward, over and not self._is_cut, over and self._is_cut, {}

    def _shown(self) -> Any:
        return self._rng.uniform(-1, 1, 3).astype(np.float32)


class Pool(gym.vector.VectorEnv[Any, Any, Any]):
    """Reset episodes by itself, all in one array as envpool does; seeds of `reset` change nothing.

    As envpool's it is an environment of its own, whose spaces are those of one of its environments.
    """

    def __init__(self, n: int, mode: AutoresetMode) -> None:
        self.metadata = {"autoreset_mode": mode}
        self.num_envs, self._mode = n, mode
        self._envs = [Scripted(k, heeds=False) for k in range(n)]
        self.single_observation_space = self.observation_space = SPACE
        self.single_action_space = Scripted.action_space
        self.action_space = batch_space(Scripted.action_space, n)
        self._over = np.zeros(n, dtype=bool)

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        assert options is None
        return np.stack([env.reset()[0] for env in self._envs]), {}

    def step(self, actions: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        answers = []
        for env, action, over in zip(self._envs, actions, self._over, strict=True):
            answers.append((env.reset()[0], 0.0, False, False) if over else env.step(action)[:4])
        shown, rewards, ended, cut = (np.array(column) for column in zip(*answers, strict=True))
        over, infos = ended | cut, {}
        if self._mode is AutoresetMode.SAME_STEP:
            infos["final_obs"] = np.full(self.num_envs, None, dtype=object)
            for k in np.flatnonzero(over):
                infos["final_obs"][k] = shown[k].copy()
                shown[k] = self._envs[k].reset()[0]
        else:
            self._over = over
        return shown, rewards, ended, cut, infos


def made(kind: str, mode: AutoresetMode) -> Any:
    if kind == "pool":
        return Pool(len(SEEDS), mode)
    cls = {"sync": SyncVectorEnv, "async": AsyncVectorEnv}[kind]
    return cls([lambda k=k: Scripted(k) for k in range(len(SEEDS))], autoreset_mode=mode)


def learner(envs: Any, **others: Any) -> Replicas:
    config = make_config(Scripted(0), "lif", {**SMALL, **others})
    return Replicas(env_group(envs), config, 3, SEEDS, backend="reference")


def transitions(agents: Replicas) -> list[list[Any]]:
    """Note every transition from which each agent learns, in what follows."""
    loop = agents.loop
    noted: list[list[Any]] = [[] for _ in agents.seeds]
    before: list[Any] = [None] * loop.n
    decide, learn = loop.decide, loop.learn

    def decided() -> Any:
        for k in range(loop.n):
            before[k] = loop.seen(k)[0].tolist()
        return decide()

    def learned() -> None:
        for k in np.flatnonzero(loop.active):
            answered = (float(loop.reward[k]), float(loop.discount[k]), loop.seen(k)[0].tolist())
            noted[k].append((before[k], int(loop.actions[k]), *answered))
        learn()

    loop.decide, loop.learn = decided, learned  # type: ignore[method-assign]
    return noted


def shown(noted: list[list[Any]]) -> list[list[Any]]:
    """Leave out the actions."""
    return [[(seen, *answered) for seen, _, *answered in steps] for steps in noted]


def alike(ours: Replicas, theirs: Replicas) -> None:
    for k in range(len(SEEDS)):
        one, other = ours.state(k), theirs.state(k)
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert np.array_equal(value, other[key], equal_nan=True), key


SEEDED = [*(("sync", mode) for mode in AutoresetMode), ("async", AutoresetMode.SAME_STEP)]
POOLS = [("pool", AutoresetMode.NEXT_STEP), ("pool", AutoresetMode.SAME_STEP)]


@pytest.mark.parametrize("carries", [False, True])
@pytest.mark.parametrize(("kind", "mode"), [*POOLS, *SEEDED])
def test_agents_learn_from_the_same(kind: str, mode: AutoresetMode, carries: bool) -> None:
    """Every number that an agent learns from is that of a list of environments."""
    alone = [Scripted(k, heeds=kind != "pool") for k in range(len(SEEDS))]
    one_by_one = learner(alone, carries=carries)
    together = learner(made(kind, mode), carries=carries)
    assert together.envs.resets_itself == (kind == "pool")
    noted, other = transitions(one_by_one), transitions(together)
    for n in (20,) if kind == "pool" else (3, 20):
        one_by_one.learn(total_episodes=n)
        together.learn(total_episodes=n)
    if mode is AutoresetMode.NEXT_STEP and kind == "pool":  # its agents wait, and draws go on
        assert shown(noted) == shown(other)
    else:
        assert noted == other
        alike(one_by_one, together)
    assert {step[3] for steps in noted for step in steps} == {0.0, one_by_one.config.gamma}
    together.close()


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_budgets_of_steps(mode: AutoresetMode) -> None:
    """Agents of a pool take as many steps as was said, and begin an episode in the next call."""
    agents = learner(Pool(len(SEEDS), mode))
    noted = transitions(agents)
    agents.learn(total_steps=50)
    assert [len(steps) for steps in noted] == [50] * len(SEEDS)
    for k, played in enumerate(agents.episodes):  # the one that was left isn't counted
        assert sum(e.length for e in played) <= agents.env_steps(k) <= 50
        assert all(e.length <= 5 for e in played)
    agents.learn(total_steps=90)
    assert all(agents.env_steps(k) > 85 for k in range(len(SEEDS)))


def test_an_episode_of_a_pool_is_begun_again() -> None:
    """Its environments can't be brought back: an agent that is restored goes on with the next."""
    agents = learner(Pool(len(SEEDS), AutoresetMode.NEXT_STEP))
    agents.learn(total_steps=33)
    state = agents.state(1)
    assert not any(key.startswith("running.") for key in state)
    played = len(agents.episodes[1])
    agents.restore(1, state)
    agents.learn(total_steps=60)
    assert len(agents.episodes[1]) > played
    assert all(e.length <= 5 for e in agents.episodes[1])


def test_gymnasiums_own_cartpole() -> None:
    """Agents learn on `CartPoleVectorEnv`; a truncated episode keeps its value."""
    env = gym.make_vec(
        "CartPole-v1",
        3,
        vectorization_mode="vector_entry_point",
        max_episode_steps=6,
    )
    group = env_group(env)
    assert isinstance(group, AutoresetEnvs)
    config = make_config(gym.make("CartPole-v1"), "lif", SMALL)
    agents = Replicas(group, config, 2, SEEDS[:3], backend="reference")
    noted = transitions(agents)
    agents.learn(total_episodes=4)
    for k, played in enumerate(agents.episodes):
        assert [e.length for e in played] == [6] * 4 == [e.ret for e in played]
        steps = noted[k]
        assert [step[3] for step in steps] == [config.gamma] * 24
        for before, after in itertools.pairwise(range(24)):
            follows = steps[before][4] == steps[after][0]
            assert follows == (after % 6 != 0)


@pytest.mark.filterwarnings("ignore:.*precision lowered by casting:UserWarning")  # of its spaces
def test_envpool() -> None:
    """Each agent in a pool of three plays what it plays in a pool of one with its part's seed."""
    envpool = pytest.importorskip("envpool")

    def pool(seeds: list[int]) -> Any:
        return envpool.make(
            "CartPole-v1", env_type="gymnasium", num_envs=len(seeds), seed=seeds, num_threads=1
        )

    config = make_config(gym.make("CartPole-v1"), "lif", SMALL)
    together = Replicas(env_group(pool([5, 6, 7])), config, 2, SEEDS[:3], backend="reference")
    assert isinstance(together.envs, AutoresetEnvs)
    together.learn(total_episodes=6)
    for k, seed in enumerate((5, 6, 7)):
        alone = Replicas(env_group(pool([seed])), config, 2, [SEEDS[k]], backend="reference")
        alone.learn(total_episodes=6)
        ours, theirs = alone.state(0), together.state(k)
        for key, value in ours.items():
            assert np.array_equal(value, theirs[key], equal_nan=True), key


def test_vectors_that_are_refused() -> None:
    pool = Pool(len(SEEDS), AutoresetMode.NEXT_STEP)
    pool.metadata = {}
    with pytest.raises(ArgumentError, match=r"autoreset_mode"):
        env_group(pool)
    pool = Pool(len(SEEDS), AutoresetMode.NEXT_STEP)
    pool.is_async = True  # type: ignore[attr-defined]
    with pytest.raises(ArgumentError, match=r"batch_size"):
        env_group(pool)
    assert isinstance(env_group(Scripted(0)), SeparateEnvs)
    assert type(env_group(made("sync", AutoresetMode.NEXT_STEP))) is VectorEnvs


def test_the_shape_of_observations_is_known_where_all_are_arrays_of_one() -> None:
    narrow, wide = Scripted(0), Scripted(1)
    wide.observation_space = gym.spaces.Box(-1.0, 1.0, (5,), np.float32)
    numbered = gym.make("FrozenLake-v1")
    assert SeparateEnvs([narrow, Scripted(2)]).shape == (3,)
    assert SeparateEnvs([narrow, wide]).shape is None
    assert SeparateEnvs([narrow, numbered]).shape is None
    assert SeparateEnvs([numbered]).shape is None
    assert env_group(SyncVectorEnv([lambda: Scripted(0)] * 2)).shape == (3,)
