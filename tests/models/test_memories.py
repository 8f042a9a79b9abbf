"""Test memories of earlier observations, and when an agent gets some."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.memories import Memories, extended
from neurorl.models.agent.past import Past
from neurorl.models.defaults.hidden_state import memories_for
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import GaussianCells, HashedStates, Select
from neurorl.tasks.first_play import FirstPlay

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")


class Positions(gym.ObservationWrapper):
    """Show where the cart and the pole are, and not how fast they move."""

    def __init__(self) -> None:
        super().__init__(gym.wrappers.TimeLimit(CartPoleEnv(), 200))
        space = self.env.observation_space
        assert isinstance(space, gym.spaces.Box)
        self.observation_space = gym.spaces.Box(space.low[[0, 2]], space.high[[0, 2]])

    def observation(self, observation: np.ndarray) -> np.ndarray:
        return observation[[0, 2]]


def _agent(loop: str | None = None) -> SpikingActorCritic:
    cells = GaussianCells((-2.4, -0.21, -0.06, -0.06), (2.4, 0.21, 0.06, 0.06), 3)
    fields: dict[str, Any] = {
        "cells": cells,
        "features": cells,
        "memories": (0.0,),
        "reward_scale": 0.02,
    }
    return SpikingActorCritic(Positions(), backend="reference", seed=3, loop=loop, **fields)


def test_what_is_shown_by_hand() -> None:
    memories = Memories(Past((0.0, 0.5)), 2)
    rows = [memories.see(0, np.array([x])) for x in (4.0, 6.0, 7.0)]
    # means before: of keep 0 the last one; of 0.5: 4, then 5
    assert np.array_equal(rows, [[4.0, 0.0, 0.0], [6.0, 2.0, 2.0], [7.0, 1.0, 2.0]])
    memories.begin(0)
    assert np.array_equal(memories.see(0, np.array([9.0])), [9.0, 0.0, 0.0])


def test_each_environment_has_its_own_and_copies_are_apart() -> None:
    memories, other = Memories(Past((0.0,)), 2), Memories(Past((0.0,)), 2)
    memories.see(0, np.array([1.0]))
    assert memories.see(1, np.array([5.0])).tolist() == [5.0, 0.0]
    other.copy(memories)
    memories.see(0, np.array([2.0]))
    assert other.see(0, np.array([4.0])).tolist() == [4.0, 3.0]


class Clock(gym.Env[Any, Any]):
    """Show the hour, which goes on by one and begins anew after 23, and how much is stored."""

    observation_space = gym.spaces.Box(np.zeros(2, np.float32), np.array([23, 10], np.float32))
    action_space = gym.spaces.Discrete(3)

    def _shown(self) -> Any:
        return np.array([self.hour % 24, self.stored], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.hour, self.stored = int(self.np_random.integers(24)), 5
        return self._shown(), {}

    def step(self, action: Any) -> Any:
        self.hour, self.stored = self.hour + 1, int(np.clip(self.stored + action - 1, 0, 10))
        return self._shown(), float(1 - action), self.np_random.random() < 0.02, False, {}


def test_what_follows_a_last_value_is_not_hidden() -> None:
    assert make_config(Clock()).memories == ()


def test_rows_of_a_play_begin_anew_with_each_episode() -> None:
    rows = np.array([[1.0], [2.0], [7.0], [9.0]])
    assert extended(rows, (2, 2), Past((0.0,)))[:, 1].tolist() == [0.0, 1.0, 0.0, 2.0]


def test_an_agent_gets_memories_only_where_something_is_hidden() -> None:
    assert make_config(Positions()).memories == (0.0,)
    shown = gym.make("Acrobot-v1")
    assert make_config(shown).memories == ()
    assert make_config(gym.make("Pendulum-v1")).memories == ()


@pytest.mark.parametrize("make", [Positions, lambda: gym.make("Acrobot-v1"), Clock])
def test_a_memory_that_is_named_leaves_other_choices_as_they_are(make: Callable[[], Any]) -> None:
    found = make_config(make())
    named = make_config(make(), "lif", {"memories": found.memories})
    assert repr(replace(named, looks_at=())) == repr(replace(found, looks_at=()))


class Evidence(gym.Env[Any, Any]):
    """Show noise, in *n* numbers; the mean of all is a little above 0 or below in an episode."""

    action_space = gym.spaces.Discrete(3)

    def __init__(self, n: int, shift: float) -> None:
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (n,), np.float64)
        self._n, self._shift, self._sign = n, shift, 0.0

    def _shown(self) -> Any:
        return self._shift * self._sign + self.np_random.normal(0.0, 1.0, self._n)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._sign = float(self.np_random.choice((-1.0, 1.0)))
        return self._shown(), {}

    def step(self, action: int) -> Any:
        return self._shown(), 0.0, False, False, {}


@pytest.mark.parametrize(
    ("n", "shift", "keeps"),
    [
        (1, 0.5, (0.9,)),
        (2, 0.4, (0.9,)),
        (5, 0.5, (0.9,)),
        (6, 0.5, ()),
        (2, 0.0, ()),
        (5, 0.0, ()),
    ],
)
def test_evidence_is_remembered_and_noise_is_not(
    n: int, shift: float, keeps: tuple[float, ...]
) -> None:
    task = gym.wrappers.TimeLimit(Evidence(n, shift), 25)
    assert make_config(task).memories == keeps


class Interval(gym.Env[Any, Any]):
    """Show a flag twice, five or ten steps apart: what comes is told only by what was."""

    action_space = gym.spaces.Discrete(2)
    observation_space = gym.spaces.Box(0.0, 1.0, (2,))

    def _shown(self) -> Any:
        return np.array([self._step in (0, self._gap), self._step == 2 * self._gap], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._step, self._gap = 0, int(self.np_random.choice((5, 10)))
        return self._shown(), {}

    def step(self, action: int) -> Any:
        self._step += 1
        return self._shown(), 0.0, self._step == 2 * self._gap + 1, False, {}


class Slippery(gym.Env[Any, Any]):
    """Show the place on a grid with walls, where a share of all steps goes anywhere, and a flag."""

    action_space = gym.spaces.Discrete(4)
    observation_space = gym.spaces.Box(0.0, 5.0, (3,))

    def __init__(self, share: float) -> None:
        self._share = share
        self._walls = np.random.default_rng(3).random((6, 6)) < 0.2
        self._walls[0, 0] = False

    def _shown(self) -> Any:
        return np.array([*self._place, self._flag], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._place, self._flag = (0, 0), 0
        return self._shown(), {}

    def step(self, action: int) -> Any:
        if self.np_random.random() < self._share:
            action = int(self.np_random.integers(4))
        move = ((0, 1), (0, -1), (1, 0), (-1, 0))[action]
        there = tuple(np.clip(np.add(self._place, move), 0, 5).tolist())
        if not self._walls[there]:
            self._place = there
        self._flag = max(self._flag, int(there == (0, 3)))
        return self._shown(), 0.0, there == (5, 5), False, {}


def test_observations_that_come_back_have_memories_where_these_tell_what_comes() -> None:
    config = make_config(gym.wrappers.TimeLimit(Interval(), 30))
    assert config.memories == (0.9,)
    assert isinstance(config.cells, Select)


class Steered(gym.Env[Any, Any]):
    """Show a place, a heading and a wheel that is turned to one of *n* angles, step by step."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (4,), np.float64)

    def __init__(self, n: int) -> None:
        self.action_space = gym.spaces.Discrete(n)
        self._angles = np.linspace(-0.25, 0.25, n)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._place = self.np_random.uniform((-20.0, -5.0, -0.5, 0.0), (-14.0, 5.0, 0.5, 0.0))
        return self._place.copy(), {}

    def step(self, action: int) -> Any:
        self._place[3] += 0.6 * (self._angles[action] - self._place[3])
        self._place[2] += self._place[3] + self.np_random.normal(0.0, 0.02)
        self._place[:2] += np.cos(self._place[2]), np.sin(self._place[2])
        is_over = self._place[0] >= 0.0 or bool(abs(self._place[1]) > 10.0)
        return self._place.copy(), 0.0, is_over, False, {}


@pytest.mark.parametrize("n", [5, 7, 9])
def test_what_bends_is_not_taken_for_hidden(n: int) -> None:
    assert make_config(gym.wrappers.TimeLimit(Steered(n), 40)).memories == ()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6])
def test_what_is_drawn_or_in_the_way_is_not_taken_for_hidden(share: float) -> None:
    config = make_config(gym.wrappers.TimeLimit(Slippery(share), 100))
    assert config.memories == ()
    assert isinstance(config.cells, HashedStates)


def test_of_two_memories_the_one_that_tells_more_in_all_is_taken() -> None:
    draws = np.random.default_rng(0)
    n, steps = 40, 50
    signs = np.repeat(draws.choice((-0.6, 0.6), (n, 3, 1)), steps + 1, axis=2)
    evidence = signs + draws.normal(size=(n, 3, steps + 1))  # a long memory tells more of these
    moves = np.repeat(draws.normal(size=(n, 26)), 2, axis=1)[:, : steps + 1]  # and a short one here
    place = np.cumsum(moves, axis=1) + 0.3 * draws.normal(size=moves.shape)
    rows = np.concatenate([place[:, None], evidence], axis=1).transpose(0, 2, 1).reshape(-1, 4)
    play = FirstPlay(n * steps, [[0.0] * steps] * n, [0] * (n * steps))
    assert memories_for(play, rows, 11) == (0.0,)
    assert memories_for(play, rows[:, 1:], 11) == (0.9,)


def test_memories_are_in_files() -> None:
    config = make_config(Positions())
    again = AgentConfig.from_dict(config.to_dict())
    assert again.memories == (0.0,)
    assert again.cells.n_inputs == config.cells.n_inputs


def test_both_loops_learn_the_same() -> None:
    weights = []
    for loop in ("numpy", "native"):
        agent = _agent(loop)
        agent.learn(total_steps=60)
        weights.append(agent.weights)
        agent.close()
    for name, of_numpy in weights[0].items():
        assert np.array_equal(of_numpy, weights[1][name])


def test_a_saved_agent_goes_on_within_an_episode(tmp_path: Path) -> None:
    one, other = _agent(), _agent()
    one.learn(total_steps=90)
    other.learn(total_steps=47)
    other.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz", env=Positions())
    loaded.learn(total_steps=90)
    for name, weights in one.weights.items():
        assert np.array_equal(weights, loaded.weights[name])


def test_what_was_seen_in_another_episode_is_forgotten_in_play() -> None:
    agent = _agent()
    agent.learn(total_steps=20)
    moves = []
    for shown_before in ([0.5, 0.1], [-0.5, -0.1]):
        player = agent.player(seed=1, explore=True)
        player.begin()
        player.move(np.array(shown_before, dtype=np.float32))
        player.begin()
        moves.append(player.move(np.array([0.0, 0.05], dtype=np.float32)).policy.copy())
    assert np.array_equal(moves[0], moves[1])


@pytest.mark.parametrize(
    ("memories", "told"), [((1.5,), "agent.memories"), ((0.0,), "a multiple of 2")]
)
def test_memories_that_do_not_fit_are_refused(memories: tuple[float, ...], told: str) -> None:
    cells = GaussianCells((-1.0,) * 3, (1.0,) * 3, 2)
    with pytest.raises(DescriptionError, match=told):
        make_config(Positions(), "lif", {"cells": cells, "memories": memories})


@pytest.mark.parametrize("model", ["lif", "glm", "lif-spiking-critic"])
@pytest.mark.parametrize("named", ["cells", "features"])
def test_cells_and_features_both_need_numbers_for_memories(model: str, named: str) -> None:
    chosen: dict[str, Any] = {named: GaussianCells((-3.0,) * 8, (3.0,) * 8, 2)}
    other = {"cells": "features", "features": "cells"}[named]
    with pytest.raises(DescriptionError, match=rf"agent\.memories: needs {other} of .*limit 8"):
        SpikingActorCritic("CartPole-v1", model, memories=(0.5,), **chosen)


def test_what_was_before_changes_by_hand() -> None:
    memories = Memories(Past((-1.0, -2.0)), 1)
    shown = ([4, 0], [5, 0], [5, 1], [7, 1], [7, 1])
    rows = np.array([memories.see(0, np.array(each)) for each in shown])
    one_ago = [[4, 0], [4, 0], [4, 0], [5, 0], [5, 0]]
    two_ago = [[4, 0], [4, 0], [4, 0], [4, 0], [4, 0]]
    assert np.array_equal(rows[:, :2] - rows[:, 2:4], one_ago)
    assert np.array_equal(rows[:, :2] - rows[:, 4:], two_ago)
    memories.begin(0)
    assert memories.see(0, np.array([9, 9])).tolist() == [9, 9, 0, 0, 0, 0]


def test_changes_and_lags_are_remembered_together() -> None:
    draws = np.random.default_rng(1)
    rows = draws.integers(0, 2, (300, 3)).astype(float)
    lengths, keeps = [100, 200], (0.9, -2.0, 3.0, 1.0, -1.0)
    together = extended(rows, lengths, Past(keeps))[:, 3:]
    alone = [extended(rows, lengths, Past((keep,)))[:, 3:] for keep in keeps]
    assert np.array_equal(together, np.concatenate(alone, axis=1))


PASTS = {
    "a mean": Past((0.9,)),
    "lags and changes": Past((3.0, -2.0, 0.0)),
    "held": Past(held_by=(0,)),
    "held beside a memory": Past((1.0,), held_by=(2, 0)),
    "sums": Past(summed_by=(-1, 1)),
    "traces": Past((2.0,), traces=(0.8, 0.0), held_by=(1,)),
    "own ones": Past((0.0,), sees_actions=True, sees_rewards=True, held_by=(3,)),
}


@pytest.mark.parametrize("past", PASTS.values(), ids=PASTS)
@pytest.mark.parametrize("lengths", [(7, 1, 30, 7, 2), (1,), (1, 1, 1), (40,), ()])
def test_episodes_side_by_side_show_what_each_does_in_turn(
    past: Past, lengths: tuple[int, ...]
) -> None:
    rows = np.random.default_rng(2).integers(0, 4, (sum(lengths), 5)).astype(float)
    memories, rest = Memories(past, 1), iter(rows)
    alone = []
    for length in lengths:
        memories.begin(0)
        alone += [memories.see_numbers(0, next(rest)) for _ in range(length)]
    together = extended(rows, lengths, past)
    assert together.shape == (sum(lengths), past.size(5, 1))
    assert np.array_equal(together, np.array(alone).reshape(together.shape))


def test_sums_of_one_value_leave_those_of_others_alone() -> None:
    """Add nothing to the sums of other values, so that these can't overflow."""
    memories = Memories(Past(summed_by=(0,)), 1)
    for value in (1.0, 2.0, 1.0, 2.0):
        shown = memories.see_numbers(0, np.array([value, 1.7e308]))
    sums = shown[2:].reshape(8, 2)
    assert sums[1].tolist() == [1.0, 1.7e308]
    assert sums[2].tolist() == [1.0, 1.7e308]
