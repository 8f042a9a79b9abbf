"""Agents see what they did last, where that tells what is paid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space
from gymnasium.wrappers import TimeLimit
from remembering import KINDS, agent_of, check_goes_on
from sampled import sampled

from neurorl import SpikingActorCritic, evaluate
from neurorl.errors import DescriptionError
from neurorl.models.agent.memories import Memories, as_seen
from neurorl.models.agent.past import NOTHING, Past
from neurorl.models.defaults.memory_search import acts_tell, rewards_tell
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.first_play import first_play


class Turns(gym.Env[Any, Any]):
    """Pay an action that is another one than the last; a first one pays nothing.

    shown: makes an observation of a random number; by default all are alike.
    """

    def __init__(
        self,
        space: Space[Any] | None = None,
        actions: Space[Any] | None = None,
        shown: Callable[[float], Any] = lambda _: 0,
    ) -> None:
        self.observation_space = space or Discrete(1)
        self.action_space = actions or Discrete(2)
        self._shown = shown

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._last: Any = None
        return self._shown(self.np_random.random()), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        pays = self._last is not None and bool(np.any(self._last != action))
        self._last = action
        return self._shown(self.np_random.random()), float(pays), False, False, {}


class Told(Turns):
    """Pay the action that is shown, and hide nothing."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self._now, info = super().reset(seed=seed)
        return self._now, info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        pays = float(action == int(np.ravel(self._now)[0]))
        self._now, *_ = super().step(action)
        return self._now, pays, False, False, {}


class Search(Turns):
    """Pay the one of many actions that an episode has chosen; tell which side it is on.

    hides: whether the action is needed, which isn't shown; else an action on the right side pays.
    """

    def __init__(self, n: int, hides: bool = True) -> None:
        space = Dict({"side": Discrete(4), "noise": Box(0.0, 9.0, (1,), np.float64)})
        super().__init__(space, Discrete(n))
        self._n, self._hides = n, hides

    def _told(self, side: int) -> Any:
        return {"side": side, "noise": self.np_random.uniform(0.0, 9.0, 1)}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._place, self._side = int(self.np_random.integers(self._n)), 0
        return self._told(0), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        pays = action == self._place if self._hides else (action < self._n / 2) == (self._side == 2)
        drawn = 1 + int(self.np_random.integers(3))
        here = 3 if action == self._place else 1 if action < self._place else 2
        self._side = here if self._hides else drawn
        return self._told(self._side), float(pays), False, False, {}


def turns(*args: Any) -> gym.Env[Any, Any]:
    return TimeLimit(Turns(*args), 10)


ID = "tests/Turns-v0"
gym.register(ID, Turns, max_episode_steps=10)  # type: ignore[arg-type]

SPACES: dict[str, tuple[Space[Any], Callable[[float], Any]]] = {
    "nothing": (Discrete(1), lambda _: 0),
    "a number": (Discrete(4), lambda x: int(4 * x)),
    "numbers": (MultiDiscrete([2, 2]), lambda x: np.array([x > 0.5, 0], np.int64)),
    "flags": (MultiBinary(2), lambda x: np.array([x > 0.5, x > 0.9], np.int8)),
    "a vector": (Box(-1.0, 1.0, (2,), np.float64), lambda x: np.array([x, -x])),
    "parts": (
        Dict({"a": Discrete(3), "b": MultiBinary(1)}),
        lambda x: {"a": int(3 * x), "b": np.array([x > 0.5], np.int8)},
    ),
}


def test_what_is_shown_by_hand() -> None:
    memories = Memories(Past((0.0,), sees_actions=True), 1, actions=2)
    rows = [memories.see(0, np.array([4.0]), action) for action in ([8, 9], [0, 1], [2, 1])]
    # Nothing was done before the first; then each choice counts from 1.
    assert np.array_equal(rows, [[4, 0, 0, 0, 0, 0], [4, 1, 2, 0, 1, 2], [4, 3, 2, 0, 2, 0]])
    memories.begin(0)
    assert memories.see(0, np.array([4.0]), [5, 5]).tolist() == [4, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("actions", [Discrete(3, start=5), MultiDiscrete([2, 3]), MultiBinary(2)])
def test_a_first_play_shows_what_an_agent_sees(actions: Space[Any]) -> None:
    env = turns(None, actions)
    play = first_play(env)
    rows = play.all_numbers()
    assert rows is not None
    past = Past((0.0, 0.9), sees_actions=True, sees_rewards=True, held_by=(1, 0), summed_by=(0, 1))
    seen = as_seen(play, rows, past)
    memories, k = Memories(past, 1, actions=np.ravel(play.actions[0]).size), 0
    first = actions.start if isinstance(actions, Discrete) else 0
    for number, length in enumerate(play.lengths):
        memories.begin(0)
        for n in range(length):
            done = None if n == 0 else np.ravel(play.actions[k - number - 1]) - first
            paid = 0.0 if n == 0 else play.rewards[number][n - 1]
            assert np.array_equal(seen[k], memories.see(0, rows[k], done, paid))
            k += 1


@pytest.mark.parametrize("name", sampled(SPACES, 2))
def test_the_default_learns_what_its_last_action_tells(name: str) -> None:
    space, shown = SPACES[name]
    agent = SpikingActorCritic(turns(space, None, shown), seed=100)
    assert agent.config.sees_actions
    episodes = agent.learn(total_timesteps=4_000)
    assert np.mean([episode.ret for episode in episodes[-50:]]) > 8.0  # of 9; by chance 4.5
    assert evaluate(agent, episodes=10)["mean_return"] > 8.0


@pytest.mark.parametrize(
    "actions", sampled([MultiDiscrete([2, 2]), Discrete(3, start=5), MultiBinary(2)])
)
def test_other_choices_are_seen_too(actions: Space[Any]) -> None:
    agent = SpikingActorCritic(turns(None, actions), seed=100)
    assert agent.config.sees_actions
    episodes = agent.learn(total_timesteps=8_000)
    assert np.mean([episode.ret for episode in episodes[-50:]]) > 8.0


@pytest.mark.parametrize("n", [8, 12, 20])
def test_what_was_found_is_done_again(n: int) -> None:
    """With many choices there are too many pairs of actions to ask about each."""
    past = make_config(TimeLimit(Search(n), 20)).past
    assert past.sees_actions
    assert past.memories == () or n == 8
    assert not make_config(TimeLimit(Search(n, hides=False), 20)).past.sees_actions


@pytest.mark.parametrize("seed", sampled([100, 101]))
def test_a_place_that_was_found_is_searched_again(seed: int) -> None:
    """Without its actions, agents of these seeds get 2.4 and 1.9."""
    agent = SpikingActorCritic(TimeLimit(Search(12), 20), seed=seed)
    agent.learn(total_timesteps=20_000)
    assert np.mean([episode.ret for episode in agent.episodes[-100:]]) > 3.0


def test_where_actions_begin_changes_no_bit() -> None:
    a, b = (
        [
            e.ret
            for e in SpikingActorCritic(turns(None, Discrete(3, start=start))).learn(
                total_steps=100
            )
        ]
        for start in (0, 7)
    )
    assert a == b


@pytest.mark.parametrize("name", SPACES)
def test_a_task_that_hides_nothing_gets_none(name: str) -> None:
    space, shown = SPACES[name]
    env = TimeLimit(Told(space, None, shown), 10) if name != "parts" else gym.make("CartPole-v1")
    play = first_play(env)
    rows = play.all_numbers()
    assert rows is not None
    assert not acts_tell(play, rows, NOTHING)
    assert not rewards_tell(play, rows, NOTHING)
    assert not make_config(env).past


@pytest.mark.parametrize("n", [1, 2])
def test_numbers_are_refused_by_name(n: int) -> None:
    with pytest.raises(DescriptionError, match="sees_actions"):
        SpikingActorCritic(turns(None, Box(-1.0, 1.0, (n,))), sees_actions=True)


def test_a_play_without_steps_shows_that_nothing_was_done() -> None:
    play = first_play(turns(None, MultiDiscrete([2, 3])), steps=0)
    play.begin(0)
    assert play.last_actions.tolist() == [[0.0, 0.0]]


def test_who_wants_none_gets_none() -> None:
    agent = SpikingActorCritic(turns(), seed=100, sees_actions=False)
    assert not agent.config.sees_actions
    assert "sees_actions" not in agent.config.to_dict()
    agent.learn(total_timesteps=4_000)
    assert "sees_actions=True" in str(agent.verdict())


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_agent_goes_on_within_an_episode(kind: str, tmp_path: Path) -> None:
    check_goes_on(kind, ID, 47, 96, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_states_of_predictions_hold_the_last_action(kind: str) -> None:
    one, other = agent_of(kind, ID), agent_of(kind, ID)
    state = None
    for agent in (one, other):
        agent.learn(total_steps=600)
    for _ in range(30):
        action, state = one.predict(0, deterministic=False, state=state)
        assert state["action"] == action
        assert action == other.predict(0, deterministic=False)
