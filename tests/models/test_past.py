"""Agents see what their actions were paid, and what was shown beside each value of a number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from gymnasium.wrappers import TimeLimit
from remembering import KINDS, agent_of, check_goes_on

from neurorl import SpikingActorCritic, evaluate
from neurorl.diagnostics import causes
from neurorl.diagnostics.observed import Hidden
from neurorl.errors import ArgumentError, DescriptionError, EnvError, UnsupportedError
from neurorl.lab.quantisation import compare
from neurorl.lab.watch import play_frames
from neurorl.models.agent.memories import Memories
from neurorl.models.agent.past import KEYS, NOTHING, Past
from neurorl.models.defaults.memory_search import kept_by_values, rewards_tell
from neurorl.models.defaults.presets import make_config
from neurorl.nengo.agents import agent_node
from neurorl.tasks.first_play import first_play


class Arms(gym.Env[Any, Any]):
    """Pay by the chances of arms, which change places from one episode to the next."""

    def __init__(self, chances: tuple[float, ...] = (0.9, 0.5, 0.1), start: int = 0) -> None:
        self.observation_space: Space[Any] = Discrete(1)
        self.action_space: Space[Any] = Discrete(len(chances), start=start)
        self._chances, self._start = chances, start

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._now = self.np_random.permutation(self._chances)
        return 0, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        pays = self.np_random.random() < self._now[int(action) - self._start]
        return 0, float(pays), False, False, {}


def arms(*args: Any) -> gym.Env[Any, Any]:
    return TimeLimit(Arms(*args), 40)


ID = "tests/Arms-v0"
gym.register(ID, Arms, max_episode_steps=40)  # type: ignore[arg-type]

FORMS: dict[str, tuple[Space[Any], Callable[[int, int], Any]]] = {
    "numbers": (MultiDiscrete([3, 4]), lambda *both: np.array(both)),
    "a Dict": (Dict(of=Discrete(3), what=Discrete(4)), lambda k, v: {"of": k, "what": v}),
    "a Tuple": (Tuple((Discrete(4), Discrete(3))), lambda k, v: (v, k)),
    "a vector": (Box(-9.0, 9.0, (2,), np.float64), lambda *both: np.array(both, float)),
    "a large vector": (Box(0.0, 9.0, (4,)), lambda *both: np.array([1, *both, 2], np.float32)),
}


OTHERS = [form for form in FORMS if form != "numbers"]
SLOW = pytest.mark.slow


class Recall(gym.Env[Any, Any]):
    """Show what each of three is, one after another, and ask for one of them by a 0."""

    action_space: Space[Any] = Discrete(3)

    def __init__(self, form: str) -> None:
        self.observation_space, self._form = FORMS[form]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._known, self._asked = dict[int, int](), False
        return self._next(), {}

    def _next(self) -> Any:
        self._asked = len(self._known) == 3 and self.np_random.random() < 0.5
        new = [k for k in range(3) if k not in self._known] or [0, 1, 2]
        self._key, value = int(self.np_random.choice(new)), 0
        if not self._asked:
            value = int(self.np_random.integers(1, 4))
            self._known[self._key] = value
        return self._form(self._key, value)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        pays = self._asked and int(action) == self._known[self._key] - 1
        return self._next(), float(pays), False, False, {}


class Till(gym.Env[Any, Any]):
    """Show prices, and ask by a flag whether their sum was high."""

    action_space: Space[Any] = Discrete(2)

    def __init__(self, flags: bool) -> None:
        self.observation_space = MultiBinary(2) if flags else Box(0.0, 9.0, (2,), np.float64)
        self._flags = flags

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._begin()
        return self._shown(), {}

    def _begin(self) -> None:
        n = 2 + int(self.np_random.integers(6))
        price = self.np_random.integers(2, size=n) if self._flags else self.np_random.random(n)
        self._prices, self._at = [*price.tolist(), 0], 0

    def _shown(self) -> Any:
        form = np.int8 if self._flags else np.float64
        return np.array([self._prices[self._at], self._at == len(self._prices) - 1], form)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        pays, self._at = 0.0, self._at + 1
        if self._at == len(self._prices):
            pays = float(int(action) == (sum(self._prices) > 2.0))
            self._begin()
        return self._shown(), pays, False, False, {}


class Weather(Arms):
    """Pay more for some time, and less, whatever is done."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self._fair = 0.0
        return super().reset(seed=seed)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._fair = 0.9 * self._fair + self.np_random.normal()
        return 0, self._fair + float(int(action) == 1), False, False, {}


def test_what_is_kept_by_hand() -> None:
    memories = Memories(Past(held_by=(0,), summed_by=(0,)), 1)
    shown = [[1, 2], [1, 3], [0, 5], [1, 0], [1, 4], [7, 1], [8, 9], [0.5, 9], [0, 2]]
    rows = [memories.see(0, np.array(row, float)) for row in shown]
    assert all(row[:2].tolist() == now for row, now in zip(rows, shown, strict=True))
    held = [row[2 : 2 + KEYS] for row in rows]  # one other number, for each value
    assert [row[1] for row in held] == [0, 2, 3, 3, 3, 4, 4, 4, 4]  # the 0 says nothing
    assert [row[0] for row in held] == [0, 0, 0, 5, 5, 5, 5, 5, 5]
    assert [row[7] for row in held] == [0, 0, 0, 0, 0, 0, 1, 1, 1]
    kept = np.array([row[2 + KEYS :].reshape(KEYS, 2) for row in rows])
    counts, sums = kept[:, :, 0], kept[:, :, 1]
    assert sums[:, 1].tolist() == [0, 2, 5, 5, 0, 4, 4, 4, 4]  # begun again at the fourth
    assert counts[:, 1].tolist() == [0, 1, 2, 2, 1, 2, 2, 2, 2]
    assert sums[:, 0].tolist() == [0, 0, 0, 5, 5, 5, 5, 5, 5]


def test_sums_of_an_episode_by_hand() -> None:
    memories = Memories(Past(sees_actions=True, sees_rewards=True, summed_by=(-1,)), 1)
    steps = [(7, 9.0), (0, 1.0), (2, -3.0)]
    rows = [memories.see(0, np.array([4.0, 5.0]), *step)[4:] for step in steps]
    assert [row[:3].tolist() for row in rows] == [[0, 0, 0], [4, 5, 0], [8, 10, 1]]  # and pay
    assert not any(row[3:].any() for row in rows)


def test_what_actions_were_paid_by_hand() -> None:
    past = Past(sees_actions=True, sees_rewards=True, held_by=(1,))
    memories = Memories(past, 1)
    steps = [(7, 9.0), (0, 1.0), (2, -1.0), (0, 0.0), (1, 2.0)]  # the first follows none
    rows = [memories.see(0, np.array([4.0]), *step) for step in steps]
    assert [row[:3].tolist() for row in rows] == [
        *([4, 0, 0], [4, 1, 1], [4, 3, -1], [4, 1, 0], [4, 2, 2]),
    ]
    # By actions counted from 1, before what was paid now; a reward of 0 is held.
    assert [row[4:7].tolist() for row in rows] == [
        *([0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, -1], [0, 0, -1]),
    ]
    assert rows[0].shape == (past.size(3, 1),)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_kept_follows_from_the_history(seed: int) -> None:
    """Another program: each kept number from all that was shown before."""
    rng = np.random.default_rng(seed)
    n, d, own = 60, 4, int(rng.integers(3))
    past = Past((0.0, -1.0, 2.0)[: rng.integers(4)], own > 0, own > 1, (0, 1), (1, -1, 2))
    memories, history = Memories(past, 1), list[Any]()
    choices = rng.integers(3, size=n)
    for step in range(n):
        shown = rng.integers(-1, 10, size=d).astype(float) * rng.choice([1.0, 0.5], size=d)
        action, reward = int(choices[step - 1]), float(rng.integers(2))
        row = memories.see(0, shown, action, reward)
        begun = step > 0
        now = [*shown, *([begun * (action + 1.0)] * (own > 0)), *([begun * reward] * (own > 1))]
        kept = row[len(now) * (1 + len(past.memories)) :]
        for key, sums in past.keys:
            others = past.kept_by(key, sums, len(now), 1)
            every, kept = np.split(kept, [KEYS * len(others)])
            for value in range(KEYS):
                found = history if key < 0 else [old for old in history if old[key] == value]
                expected = np.zeros(len(others))
                if key < 0 and value == 0 and found:
                    expected = np.sum(found, axis=0)[others]
                elif sums and found and key >= 0:
                    last = max(k for k, old in enumerate(history) if old[key] == value)
                    first = last
                    while first and history[first - 1][key] == value:
                        first -= 1
                    run = np.array(history[first : last + 1])
                    run[:, key] = 1.0
                    expected = run.sum(axis=0)[others]
                elif found and not sums:
                    told = np.array(found)[:, others].T
                    expected = np.array([x[x != 0.0][-1] if x.any() else 0.0 for x in told])
                assert np.allclose(every.reshape(KEYS, -1)[value], expected, rtol=1e-15)
        assert not kept.size
        history.append(now)


def test_the_default_learns_which_arm_pays() -> None:
    agent = SpikingActorCritic(arms((0.9, 0.5, 0.1), 4), seed=100)
    assert agent.config.past == Past(sees_actions=True, sees_rewards=True, held_by=(1,))
    episodes = agent.learn(total_timesteps=12_000)
    # Thompson's sampling earns 32 of the 36 that the best arm pays; by chance 20.
    assert np.mean([episode.ret for episode in episodes[-50:]]) > 30.0
    assert evaluate(agent, episodes=100)["mean_return"] > 30.0


@pytest.mark.parametrize("form", FORMS)
def test_the_default_finds_keys(form: str) -> None:
    past = make_config(TimeLimit(Recall(form), 40)).past
    assert len(past.held_by) == 1
    assert past == Past(held_by=past.held_by)


@pytest.mark.parametrize("form", ["numbers", *(pytest.param(x, marks=SLOW) for x in OTHERS)])
def test_the_default_recalls_values_by_keys(form: str) -> None:
    agent = SpikingActorCritic(TimeLimit(Recall(form), 40), seed=100)
    episodes = agent.learn(total_timesteps=15_000 if form == "numbers" else 25_000)
    asked = np.mean([episode.ret for episode in episodes[-50:]]) / 18.0
    assert asked > 0.7  # by chance, or by the last value that was shown, less than a half


class Press(Arms):
    """Pay for pressing five or six steps after a light, which comes again after a press."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        gym.Env.reset(self, seed=seed)
        self.observation_space, self._dark = Discrete(2), 0
        return 0, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        pays = 0.0
        if int(action) == 1:
            pays = 1.0 if self._dark in (5, 6) else -0.5
            self._dark = 0
        else:
            self._dark = (self._dark + 1) % 12
        return int(self._dark > 0), pays, False, False, {}


def test_the_default_tells_the_time_since_a_change() -> None:
    env = Press((0.5, 0.5))
    env.observation_space = Discrete(2)
    config = make_config(TimeLimit(env, 60))
    assert config.past == Past(summed_by=(0,))


@pytest.mark.parametrize("flags", [True, pytest.param(False, marks=SLOW)])
def test_the_default_sums_up(flags: bool) -> None:
    agent = SpikingActorCritic(TimeLimit(Till(flags), 60), seed=100)
    assert agent.config.past == Past(summed_by=(1,))
    episodes = agent.learn(total_timesteps=20_000)
    sums = 60 / (2 + 2.5 + 1)
    assert np.mean([episode.ret for episode in episodes[-50:]]) / sums > 0.85


class Buttons(Arms):
    """Show a colour and how the last press went; each episode wires buttons to colours anew."""

    def __init__(self, hides: bool = True) -> None:
        super().__init__((0.0, 0.0, 0.0))
        self.observation_space, self._hides = MultiDiscrete([3, 3]), hides

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        gym.Env.reset(self, seed=seed)
        self._shift = int(self.np_random.integers(3)) if self._hides else 1
        return self._shown(0), {}

    def _shown(self, went: int) -> Any:
        self._colour = int(self.np_random.integers(3))
        return np.array([self._colour, went])

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        pays = int(action) == (self._colour + self._shift) % 3
        return self._shown(1 + pays), float(pays), False, False, {}


def test_the_default_learns_what_an_action_tells_beside_a_colour() -> None:
    agent = SpikingActorCritic(TimeLimit(Buttons(), 20), seed=100)
    assert agent.config.past == Past(memories=(0.0,), sees_actions=True)
    assert agent.config.gamma == 0.9
    episodes = agent.learn(total_timesteps=16_000)
    # The best is 19; from what is shown alone 11.
    assert np.mean([episode.ret for episode in episodes[-50:]]) > 15.0
    assert not make_config(TimeLimit(Buttons(False), 20)).past


@pytest.mark.parametrize("make", [Weather, lambda: gym.make("Pendulum-v1")])
def test_rewards_that_follow_each_other_need_no_memory(make: Callable[[], Any]) -> None:
    play = first_play(TimeLimit(make(), 40))
    rows = play.all_numbers()
    assert rows is not None
    assert not rewards_tell(play, rows, NOTHING)
    assert not kept_by_values(play, rows, ())


def test_who_wants_none_gets_none() -> None:
    agent = SpikingActorCritic(arms(), seed=100, sees_rewards=False, loop="numpy")
    assert not agent.config.past
    assert not {"sees_rewards", "held_by", "summed_by"} & agent.config.to_dict().keys()
    agent.learn(total_timesteps=3_000)
    assert "sees_rewards=True" in str(agent.verdict())
    asked = SpikingActorCritic(TimeLimit(Recall("numbers"), 40), seed=100, held_by=())
    assert not asked.config.held_by


def test_a_verdict_names_the_number() -> None:
    agent = SpikingActorCritic(TimeLimit(Recall("numbers"), 40), seed=100, memories=())
    agent.learn(total_timesteps=4_000)
    assert "held_by=(0,)" in str(agent.verdict())


def test_who_sees_its_actions_is_not_powerless() -> None:
    """Actions that tell rewards later change something, though a few steps don't show it."""
    hidden = Hidden(effect=0.0)
    for sees, is_told in ((False, True), (True, False)):
        config = SimpleNamespace(sees_actions=sees)
        facts: Any = SimpleNamespace(hidden=hidden, config=config, is_better=False)
        assert (causes._powerless(facts) is not None) == is_told


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_agent_goes_on_within_an_episode(kind: str, tmp_path: Path) -> None:
    check_goes_on(kind, ID, 97, 150, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_ask_for_the_reward(kind: str) -> None:
    one, other = agent_of(kind, ID), agent_of(kind, ID)
    state = None
    for agent in (one, other):
        agent.learn(total_steps=600)
    for step in range(30):
        reward = None if step == 0 else float(step % 3 == 0)
        action, state = one.predict(0, deterministic=False, state=state, reward=reward)
        assert action == other.predict(0, deterministic=False, reward=reward)
    batch, _ = one.predict(np.array([0, 0]), state=(state, state), reward=[1.0, 0.0])
    assert batch.shape == (2,)
    for wrong in (None, "much", [1.0, 2.0, 3.0], np.nan):
        with pytest.raises(ArgumentError, match="predict, reward"):
            one.predict(0, state=state, reward=wrong)


def test_a_reward_that_is_no_number_ends_a_run() -> None:
    class Odd(Arms):
        def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
            return 0, np.nan if self.np_random.random() < 0.01 else 1.0, False, False, {}

    agent = SpikingActorCritic(TimeLimit(Odd(), 40), seed=3, sees_rewards=True)
    with pytest.raises(EnvError, match="reward"):
        agent.learn(total_timesteps=4_000)


@pytest.mark.parametrize("wrong", [3, None, "a", (1.5,), ("0",), (True, "x"), {0: 1}])
@pytest.mark.parametrize("name", ["held_by", "summed_by", "memories", "traces"])
def test_other_types_are_refused_by_name(name: str, wrong: Any) -> None:
    if (name, wrong) == ("memories", (1.5,)):
        wrong = ((0.9,),)
    with pytest.raises(DescriptionError, match=f"agent.{name}"):
        SpikingActorCritic("Pendulum-v1", **{name: wrong})


def test_places_that_are_none_are_refused() -> None:
    options: Any
    for name in ("held_by", "summed_by"):
        options = {name: (3,)}
        with pytest.raises(DescriptionError, match=f"agent.{name}.*no number"):
            SpikingActorCritic("Pendulum-v1", **options)
        with pytest.raises(DescriptionError, match=f"agent.{name}"):
            SpikingActorCritic("Pendulum-v1", **(options | {name: (-2,)}))
        agent = SpikingActorCritic("Pendulum-v1", **(options | {name: (2,)}))
        agent.learn(total_steps=20)


def test_rewards_of_numbers_are_seen() -> None:
    agent = SpikingActorCritic("Pendulum-v1", sees_rewards=True)
    agent.learn(total_steps=20)
    assert agent.config.sees_rewards


def test_nengo_has_no_rewards_for_it() -> None:
    with pytest.raises(UnsupportedError, match="paid"):
        agent_node(agent_of("table", ID))


def test_it_is_watched_and_quantised() -> None:
    agent = SpikingActorCritic(ID, seed=3)
    agent.learn(total_steps=200)
    assert len(play_frames(agent, decisions=20)) == 20
    assert compare(agent, 20, first={}, second={})["agreement"] == 1.0
