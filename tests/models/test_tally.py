"""Agents see a sum, or a count of steps, since something happened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space
from hypothesis import given
from hypothesis import strategies as st
from remembering import KINDS, check_goes_on

from neurorl import SpikingActorCritic, evaluate
from neurorl.errors import DescriptionError
from neurorl.models.agent.memories import Memories, extended
from neurorl.models.agent.past import Past
from neurorl.models.agent.tally import RunningSum
from neurorl.models.defaults.presets import make_config
from neurorl.models.defaults.tally_search import summing

FORMS: dict[str, Space[Any]] = {
    "MultiDiscrete": MultiDiscrete([2, 2]),
    "MultiBinary": MultiBinary(2),
    "Dict": Dict(a=Discrete(2), z=Discrete(2)),
    "Box": Box(0.0, 1.0, (2,)),
}
"""Say how a sheep and a bell are shown."""


class Sheep(gym.Env[Any, Any]):
    """Ask, when a bell rings, how many sheep have passed a gate since the last bell.

    form: one of `FORMS`. tells: whether only sheep of the same step are asked for.
    """

    _passed = 0

    def __init__(self, form: str = "MultiDiscrete", tells: bool = False) -> None:
        self.observation_space, self._tells = FORMS[form], tells
        self.action_space = Discrete(4)

    def _next(self) -> Any:
        drawn = self.np_random.random()
        self._rings, passes = bool(drawn < 0.25), bool(drawn > 0.6 or (self._tells and drawn < 0.1))
        self._passed = passes + (0 if self._tells else self._passed)
        shown = np.array([passes, self._rings], dtype=self.observation_space.dtype or np.int64)
        is_dict = isinstance(self.observation_space, Dict)
        return {"a": int(passes), "z": int(self._rings)} if is_dict else shown

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._step = self._passed = 0
        return self._next(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(self._rings and action == min(self._passed, 3))
        self._passed = 0 if self._rings else self._passed
        self._step += 1
        return self._next(), reward, False, self._step >= 50, {}


@pytest.mark.parametrize("form", FORMS)
def test_sheep_are_counted(form: str) -> None:
    """Find what is counted, and until when, in every space."""
    assert make_config(Sheep(form)).past == Past(tally=(0,), tally_until=(1, 1))


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_counted_where_it_is_shown(form: str) -> None:
    assert not make_config(Sheep(form, tells=True)).past


class Pump(gym.Env[Any, Any]):
    """Pay for letting go of a tyre that was pumped as often as wanted, which nothing shows."""

    observation_space, action_space = Discrete(4), Discrete(3)  # how often; wait, pump, let go

    def _next(self) -> tuple[int, dict[str, Any]]:
        self._wanted, self._pumped = int(self.np_random.integers(1, 4)), 0
        return self._wanted, {}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self._step = 0
        return self._next()

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self._step += 1
        self._pumped += int(action == 1)
        reward = float(action == 2 and self._pumped == self._wanted)
        if action == 2:
            self._next()
        return self._wanted, reward, False, self._step >= 60, {}


class Truck(gym.Env[Any, Any]):
    """Load parcels of any weights, and send the truck before it holds too much."""

    observation_space, action_space = Box(0.0, 5.0, (2,)), Discrete(2)  # load, send
    _load = 0.0

    def _shown(self, is_empty: bool) -> Any:
        self._load = 0.0 if is_empty else self._load
        self._weight = float(self.np_random.uniform(1.0, 5.0))
        return np.array([self._weight, is_empty], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._step, self._load = 0, 0.0
        return self._shown(True), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._step += 1
        load = self._load + self._weight * (action == 0)
        reward = load / 10.0 if action == 1 else -float(load > 10.0)
        self._load = load
        return self._shown(action == 1 or load > 10.0), reward, False, self._step >= 80, {}


class Gun(gym.Env[Any, Any]):
    """Pay for shots at what is near; after so many, a shot costs until the gun is loaded again.

    shows: whether the shots that are left are shown. slow: shoot whenever four steps have passed
    since the last shot, instead.
    """

    action_space = Discrete(3)  # wait, shoot, load

    def __init__(self, shows: bool = False, slow: bool = False) -> None:
        self.observation_space = Box(-1.0, 3.0, (2,), np.float32)
        self._shows, self._slow = shows, slow

    def _next(self) -> Any:
        self._near = float(self.np_random.uniform(-1.0, 1.0))
        left = float(min(self._waited, 3) if self._slow else self._left)
        drawn = self.np_random.uniform(-1.0, 1.0)
        return np.array([self._near, left if self._shows else drawn], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._step, self._left, self._waited = 0, 3, 3
        return self._next(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._step += 1
        may = self._waited >= 3 if self._slow else self._left > 0
        reward = ((1.0 if self._near > 0.0 else -0.2) if may else -1.0) if action == 1 else 0.0
        self._left = 3 if action == 2 else max(0, self._left - (action == 1))
        self._waited = 0 if action == 1 else self._waited + 1
        return self._next(), reward - 0.3 * (action == 2), False, self._step >= 50, {}


@pytest.mark.parametrize("slow", [False, True])
def test_own_actions_are_counted_beside_numbers_without_a_table(slow: bool) -> None:
    """Count shots since the gun was loaded, or since the last one, where a position is seen."""
    past = make_config(Gun(slow=slow)).past
    assert past.sees_actions
    assert past.tally_since == ((2, 2) if slow else (2, 3))
    assert slow or past.tally == (2, 2)
    assert not make_config(Gun(shows=True, slow=slow)).past.tally


class Lever(Gun):
    """Shoot, wait and load by a whole number."""

    action_space = Box(0, 2, (1,), np.int64)  # type: ignore[assignment]

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return super().step(int(action[0]))


@pytest.mark.parametrize("space", [Box(-1.0, 3.0, (2,), np.float32), Discrete(2)])
def test_whole_numbers_as_actions_are_not_seen(space: Space[Any]) -> None:
    """Learn on, at the first play and at the first look, though own actions tell rewards."""
    task = Lever()
    task.observation_space = space
    if isinstance(space, Discrete):  # a table
        task._next = lambda: 0  # type: ignore[method-assign]
        task._near = 1.0
    agent = SpikingActorCritic(task, seed=0)
    agent.learn(total_timesteps=5500)
    assert not agent.config.sees_actions


def test_own_actions_are_counted() -> None:
    """Count pumps (1, which is seen as 2) since the last time it was let go (3)."""
    past = make_config(Pump()).past
    assert (past.sees_actions, past.tally, past.tally_since) == (True, (1, 2), (1, 3))


def test_numbers_without_a_table_are_summed() -> None:
    assert make_config(Truck()).past == Past(tally=(0,), tally_since=(1, 1))


ID = "tests/Sheep-v0"
gym.register(ID, Sheep)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind", [k if k == "table" else pytest.param(k, marks=pytest.mark.slow) for k in KINDS]
)
def test_agents_go_on_within_an_episode(kind: str, tmp_path: Path) -> None:
    check_goes_on(kind, ID, 2_030, 2_500, tmp_path)


def test_the_default_answers_by_its_count() -> None:
    """Measure it beside an agent without; a perfect one is paid at every bell."""
    reached = {}
    for name, fields in {"default": {}, "without": {"tally": ()}}.items():
        agent = SpikingActorCritic(Sheep(), seed=100, **fields)  # type: ignore[arg-type]
        agent.learn(total_steps=8_000)
        reached[name] = evaluate(agent, 100, seed=7)["mean_return"]
    assert reached["default"] > 11.0  # of 12.5 bells
    assert reached["without"] < 8.5


def test_a_sum_begins_since_and_until() -> None:
    shown = [[2.0, 0.0], [3.0, 1.0], [4.0, 0.0]]

    def sums(tally: RunningSum) -> list[float]:
        memories = Memories(summing(tally), 1)
        return [memories.see_numbers(0, np.array(now))[-1] for now in shown]

    assert sums(RunningSum((0,))) == [2.0, 5.0, 9.0]
    assert sums(RunningSum((0,), (1, 1))) == [2.0, 3.0, 7.0]
    assert sums(RunningSum((0,), (), (1, 1))) == [2.0, 5.0, 4.0]
    assert sums(RunningSum((0,), (1,))) == [2.0, 3.0, 4.0]
    assert sums(RunningSum((0, 2, 4))) == [1.0, 1.0, 2.0]
    assert sums(RunningSum((-1,))) == [1.0, 2.0, 3.0]
    assert sums(RunningSum((-1,), (1, 1))) == [0.0, 1.0, 2.0]
    assert sums(RunningSum((-1,), (), (1, 1))) == [0.0, 0.0, 1.0]


EVENTS = st.one_of(
    st.just(()),
    st.just((1,)),
    st.lists(st.integers(0, 3), min_size=1, unique=True).map(lambda values: (1, *values)),
)


@pytest.mark.parametrize("more", [{}, {"memories": (-1.0, 0.9, 3.0)}, {"cues": (0, 1, 2)}])
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    of=st.sampled_from([(-1,), (0,), (0, 1), (1, 0, 2)]),
    since=EVENTS,
    until=EVENTS,
    seed=st.integers(0, 99),
)
def test_the_search_sees_what_agents_see(
    more: Any, lengths: list[int], of: Any, since: Any, until: Any, seed: int
) -> None:
    """Compare the sums of whole plays with what agents see step by step."""
    rows = np.random.default_rng(seed).integers(0, 4, (sum(lengths), 2)).astype(float)
    tally = RunningSum(of, since, until)
    place = -2 if "cues" in more else -1
    seen = extended(rows, lengths, summing(tally, Past(**more)))
    assert np.array_equal(seen[:, place], tally.over(rows, lengths))
    assert np.array_equal(np.delete(seen, place, axis=1), extended(rows, lengths, Past(**more)))


@pytest.mark.parametrize(
    "fields",
    [
        {"tally": (-2,)},
        {"tally": (-1, 3)},
        {"tally": (0, 1, 1)},
        {"tally_since": (0,)},
        {"tally": (0,), "tally_until": (-1,)},
    ],
)
def test_what_sums_nothing_is_refused(fields: Any) -> None:
    with pytest.raises(DescriptionError, match="sums nothing"):
        SpikingActorCritic(Sheep(), **fields)
