"""Numbers that show what others showed a step before are seen as changes."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box

from neurorl import SpikingActorCritic, evaluate
from neurorl.agents.checkpoint import read_agent
from neurorl.models.defaults.hidden_state import (
    changed,
    delays,
    left_out,
    seeing_changes,
    tell_more,
)
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Select, SelectChanges, Tiles
from neurorl.tasks.first_play import FirstPlay, first_play

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*its preset is not used"),
    pytest.mark.filterwarnings("ignore:.*isn.t saved"),
]

LENGTHS = (20, 1, 12)


def stacked(frames: int, numbers: int = 2) -> Any:
    """Return observations of three episodes, each of the last *frames*, the oldest first."""
    draws = np.random.default_rng(1)
    rows = []
    for length in LENGTHS:
        shown = draws.normal(size=(length + frames - 1, numbers))
        shown[: frames - 1] = shown[frames - 1]  # as where an episode begins
        rows += [shown[k : k + frames].ravel() for k in range(length)]
    return np.array(rows)


@pytest.mark.parametrize(("frames", "numbers"), [(2, 1), (2, 3), (4, 2)])
def test_older_observations_are_found(frames: int, numbers: int) -> None:
    older = range(numbers * (frames - 1))
    found = delays(stacked(frames, numbers), LENGTHS)
    assert found == {place: place + numbers for place in older}


def test_of_two_that_show_the_same_the_last_is_taken() -> None:
    rows = stacked(2, 1)
    assert delays(rows[:, [0, 1, 1]], LENGTHS) == {0: 2}


def test_zeros_of_either_sign_are_the_same() -> None:
    rows = stacked(2, 1)
    rows[4, 1], rows[5, 0] = 0.0, -0.0
    assert delays(rows, LENGTHS) == {0: 1}


def test_what_stays_the_same_and_what_differs_once_is_no_delay() -> None:
    rows = stacked(2, 1)
    constant = np.ones((len(rows), 1))
    of_episode = np.repeat(np.arange(3.0), LENGTHS)[:, None]
    still = np.concatenate([constant, of_episode, constant, of_episode], axis=1)
    assert delays(still, LENGTHS) == {}
    rows[5, 0] += 1e-9
    assert delays(rows, LENGTHS) == {}


def test_flags_are_delayed_only_beside_numbers_as_far_apart() -> None:
    rows = stacked(2, 3)
    rows[:, [0, 3]] = rows[:, [0, 3]] > 0.0
    assert delays(rows, LENGTHS) == {0: 3, 1: 4, 2: 5}
    clock = np.concatenate([np.eye(20)[:, :4], np.eye(1, 4), np.eye(12)[:, :4]])  # by the step
    assert delays(np.concatenate([clock, rows], axis=1), LENGTHS) == {4: 7, 5: 8, 6: 9}
    assert delays(clock, LENGTHS) == {}


def test_numbers_that_take_turns_show_nothing_again() -> None:
    turns = np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 2.0], [2.0, 3.0, 1.0]] * 6)
    assert delays(turns, (18,)) == {}
    other = np.arange(19.0)
    rows = np.concatenate([turns, other[:18, None], other[1:, None]], axis=1)
    assert delays(rows, (18,)) == {3: 4}


def test_without_all_observations_or_steps_there_are_none() -> None:
    rows = stacked(2, 1)
    assert delays(rows, (20, 1)) == {}
    assert delays(rows[:2], (1, 1)) == {}


def test_delayed_numbers_become_changes() -> None:
    space = Box(np.array([[-1.0], [-2.0]]), np.array([[1.0], [2.0]]), dtype=np.float64)
    rows = stacked(2, 1)
    kept = rows.copy()
    seen, shown = changed(space, rows, {0: 1})
    assert np.array_equal(rows, kept)
    assert np.array_equal(shown[:, 0], rows[:, 1] - rows[:, 0])
    assert np.array_equal(shown[:, 1], rows[:, 1])
    assert seen.low.tolist() == [-np.inf, -2.0]
    assert seen.high.tolist() == [np.inf, 2.0]
    cells = seeing_changes(Select(Tiles([-1.0, -1.0, -1.0], [1.0] * 3), (0, 1, 0), 2), {0: 1})
    assert (cells.places, cells.before) == ((1, 1, 1), (0, -1, 0))
    assert [cells.flat(row).tolist() for row in rows] == shown[:, [0, 1, 0]].tolist()


def test_delayed_numbers_are_left_out() -> None:
    rows = stacked(2, 1)
    kept = rows.copy()
    assert left_out(rows, {0: 1}).tolist() == [[0.0, row[1]] for row in kept]
    assert np.array_equal(rows, kept)


def told(env: gym.Env[Any, Any]) -> bool:
    play = first_play(env)
    rows = play.all_numbers()
    assert rows is not None
    delayed = delays(rows, [len(rewards) + 1 for rewards in play.rewards])
    assert delayed
    return tell_more(play, rows, delayed)


@pytest.mark.parametrize("name", ["CartPole-v1", "Acrobot-v1", "MountainCar-v0", "Pendulum-v1"])
def test_older_observations_tell_nothing_of_a_task_that_shows_its_state(name: str) -> None:
    assert not told(gym.wrappers.FrameStackObservation(gym.make(name), 3))


def test_older_positions_tell_velocities() -> None:
    assert told(positions())
    assert told(positions(False, "Acrobot-v1", 0, 1, 2, 3))


def test_of_many_numbers_older_ones_are_kept() -> None:
    assert tell_more(FirstPlay(), stacked(2, 21), {place: place + 21 for place in range(21)})
    assert not tell_more(FirstPlay(), stacked(2, 20), {place: place + 20 for place in range(20)})


class Some(gym.ObservationWrapper[Any, Any, Any]):
    """Show some numbers of a task, such as positions without velocities."""

    def __init__(self, name: str, places: list[int]) -> None:
        super().__init__(gym.make(name))
        space = self.env.observation_space
        assert isinstance(space, Box)
        self.observation_space = Box(space.low[places], space.high[places])
        self._places = places

    def observation(self, observation: Any) -> Any:
        return observation[self._places]


def positions(is_flat: bool = False, name: str = "CartPole-v1", *places: int) -> gym.Env[Any, Any]:
    shown = Some(name, list(places or (0, 2)))
    env: gym.Env[Any, Any] = gym.wrappers.FrameStackObservation(shown, 2)
    return gym.wrappers.FlattenObservation(env) if is_flat else env


@pytest.mark.parametrize("is_flat", [False, True])
def test_the_default_sees_changes(is_flat: bool, tmp_path: Any) -> None:
    config = make_config(positions(is_flat))
    assert isinstance(config.cells, SelectChanges)
    assert config.features == config.cells
    assert {*zip(config.cells.places, config.cells.before, strict=True)} == {
        *((2, -1), (3, -1), (2, 0), (3, 1))
    }
    agent = SpikingActorCritic(positions(is_flat), seed=1)
    agent.learn(total_steps=200)
    agent.save(tmp_path / "agent.npz")
    assert read_agent(tmp_path / "agent.npz")[0].config == agent.config
    agent.close()


def test_what_the_user_names_sees_what_is_shown() -> None:
    config = make_config(positions(), "lif", {"memories": (0.9,)})
    assert type(config.cells) is Select


@pytest.mark.slow
def test_stacked_positions_are_learned() -> None:
    agent = SpikingActorCritic(positions(), seed=100)
    agent.learn(total_steps=60_000)
    assert evaluate(agent, episodes=20)["mean_return"] > 450  # 500; 302 without changes
    agent.close()
