"""An agent of a task without a preset is chosen by spaces and first play, not by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Text, Tuple
from sampled import sampled

from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import read_agent
from neurorl.errors import DescriptionError, EnvironmentWarning, UnsupportedError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.critics import Layers, Linear
from neurorl.models.agent.gaussian_policy import Gaussian, GaussianReadout
from neurorl.models.agent.policies import Softmax
from neurorl.models.agent.schedules import HarmonicDecay, LinearFall
from neurorl.models.deep.observations import Standardised
from neurorl.models.defaults.boxes import BoxRanges, box_cells, box_of, sees_apart
from neurorl.models.defaults.observations import default_cells
from neurorl.models.defaults.presets import make_config
from neurorl.models.defaults.rates import TABLES, reward_scale
from neurorl.models.defaults.tasks import task_defaults
from neurorl.models.features import (
    Concat,
    GaussianCells,
    HashedStates,
    JointStates,
    OneHot,
    Raw,
    Select,
    SelectParts,
    Tiles,
)
from neurorl.models.features.image_cells import ImageCells
from neurorl.tasks.first_play import FirstPlay

FROZEN = "FrozenLake-v1"


def scale(*episodes: list[float]) -> float:
    return reward_scale(FirstPlay(0, list(episodes)), 0.99)


def test_reward_scale() -> None:
    assert scale() == 1.0
    assert scale([0.0] * 50) == 5.0  # nothing but that it is rare
    assert scale([0.0] * 2000, [0.0] * 9 + [1.0]) == 2.0  # as in FrozenLake
    assert scale([0.0] * 9 + [1.0]) == 1.0
    assert scale([1.0] * 22, [1.0] * 50) == 0.02  # as in CartPole
    assert scale([-1.0] * 200) == 0.02  # as in MountainCar, where learning gives far more
    assert scale([1.5, -0.5, 2.0] * 20 + [-100.0]) == 0.02  # as in LunarLander
    assert scale([-100.0, -1.0, -1.0]) == 0.02
    assert scale([-1e-3, -1e-3] * 4) == 100.0  # each step costs
    assert scale([0.0, -1e-3] * 4) == 5.0  # who does nothing pays nothing, so there is more
    assert scale([0.0, -1e-3] * 4, [1e-3]) == 200.0
    assert scale([0.0, -1e-3] * 4, [-1e-3] * 7 + [1.0]) == 1.0  # a prize, for which costs are paid
    assert scale([-1.0] * 50 + [50.0]) == 0.02  # no more than what is usual adds up to


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, 1e300, 1e-300])
def test_of_rewards_that_no_scale_helps_it_is_1(odd: float) -> None:
    assert scale([odd] * 5) == 1.0


@pytest.mark.parametrize("factor", [1e-6, 0.1, 1000.0])
def test_reward_scale_follows_the_unit_of_rewards(factor: float) -> None:
    for episode in ([0.0, 1.0], [1.0] * 50, [-1.0] * 200 + [100.0], [0.0] * 5000 + [1.0]):
        assert scale([factor * r for r in episode]) == pytest.approx(scale(episode) / factor)


def test_numbered_states_have_a_table() -> None:
    config = make_config(gym.make(FROZEN))
    assert config.cells == OneHot(16)
    assert (config.hidden, config.bias, config.features) == (0, False, OneHot(16))
    assert config.changed(**TABLES["lif"]) == config
    network = config.network(4)
    assert [node.name for node in network.nodes] == ["input", "output"]
    assert [p.name for p in network.projections] == ["input_output"]
    assert AgentConfig.from_dict(config.to_dict()) == config


def test_what_is_named_is_kept() -> None:
    named = {"reward_scale": 0.3, "policy.beta": 0.7}
    config = make_config(gym.make(FROZEN), "lif", named)
    assert (config.reward_scale, getattr(config.policy, "beta", None), config.bias) == (
        0.3,
        0.7,
        False,
    )
    table = make_config(gym.make(FROZEN), "lif", {"hidden": 0})
    assert (table.bias, table.alpha_output) == (False, 0.3)
    hidden = make_config(gym.make(FROZEN), "lif", {"hidden": 4})
    assert (hidden.hidden, hidden.bias, hidden.alpha_output) == (4, True, 0.12)


class Shown(gym.Env[Any, Any]):
    """Show numbers of a Box: two that vary in a part of their range, a constant, and a flag."""

    action_space = Discrete(2)

    def __init__(self, digits: int = 12) -> None:
        self.observation_space = Box(-10.0, 10.0, (2, 2), np.float64)
        self._digits = digits

    def _shown(self) -> Any:
        one, other = self.np_random.uniform(0.0, 1.0, 2).round(self._digits)
        return np.array([[one, 3.0], [2.0 * other, float(one > 0.5)]])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._shown(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self._shown(), 1.0, self.np_random.random() < 0.1, False, {}


def test_boxes_have_tiles_of_what_was_seen_and_what_is_declared() -> None:
    cells = make_config(Shown()).cells
    assert isinstance(cells, Select)
    assert isinstance(cells.of, Concat)
    assert cells.places == (0, 2, 0, 3, 2, 3) * 2  # not the constant, which is number 1
    tiles = [part for part in cells.of.parts if isinstance(part, Tiles)]
    np.testing.assert_allclose(tiles[0].high, [1.0, 2.0], atol=0.05)
    np.testing.assert_allclose(tiles[0].low, [0.0, 0.0], atol=0.05)
    assert tiles[3].low.tolist() == [-10.0, -10.0]
    assert [part.size for part in tiles] == [200] * 6
    assert cells(np.zeros((2, 2))).sum() == 6 * 8


class Apart(gym.ObservationWrapper[Any, Any, Any]):
    """Show `Shown`'s numbers as parts of a Dict, with a text beside them."""

    def __init__(self, env: Shown) -> None:
        super().__init__(env)
        rest = Box(-10.0, 10.0, (3,), np.float64)
        first = Box(-10.0, 10.0, (1,), np.float64)
        self.observation_space = Dict(a=first, b=rest, t=Text(9))

    def observation(self, observation: Any) -> Any:
        numbers = observation.ravel()
        return {"a": numbers[:1].copy(), "b": numbers[1:].copy(), "t": "x"}


def test_numbers_of_parts_have_the_tiles_of_a_box() -> None:
    with pytest.warns(EnvironmentWarning, match="without what is no number"):
        cells = make_config(Apart(Shown())).cells
    whole = make_config(Shown()).cells
    assert isinstance(cells, SelectParts)
    assert isinstance(whole, Select)
    assert (cells.keys, cells.places, cells.of) == (("a", "b"), whole.places, whole.of)
    seen = np.array([[0.3, 3.0], [1.2, 0.0]])
    apart = {"t": "y", "b": seen.ravel()[1:], "a": seen.ravel()[:1]}
    assert np.array_equal(cells(apart), whole(seen))
    assert SelectParts.from_dict(cells.to_dict()) == cells
    played = []
    for env in (Apart(Shown()), Shown()):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            agent = SpikingActorCritic(env, seed=1, actors=1)
        agent.learn(total_steps=60)
        played.append({name: w.tolist() for name, w in agent.weights.items()})
        agent.close()
    assert played[0] == played[1]


def test_parts_of_many_states_have_no_tiles() -> None:
    two = Tuple((Box(0.0, 1.0, (2,)), Discrete(3, start=2)))
    box = box_of(two)
    assert box is not None
    assert (box.low.tolist(), box.high.tolist()) == ([0.0, 0.0, 2.0], [1.0, 1.0, 4.0])
    assert box_of(Tuple((Box(0.0, 1.0, (2,)), Discrete(100)))) is None
    assert box_of(Dict(a=Tuple((Box(0.0, 1.0), Discrete(100))), b=Discrete(2))) is None
    assert box_of(Dict(a=Text(3))) is None


@pytest.mark.parametrize(("factor", "shift"), [(1.0, 0.0), (1e4, 7.0), (1e-3, 0.2)])
@pytest.mark.parametrize(
    "end", [np.inf, float(np.finfo(np.float32).max), float(np.finfo(np.float64).max)]
)
def test_numbers_without_a_range_have_tiles_in_any_unit(
    factor: float, shift: float, end: float
) -> None:
    rows = np.random.default_rng(0).uniform(-1.0, 1.0, (4000, 2))
    ranges = BoxRanges.of(Box(-end, end, (2,), np.float64), factor * rows + shift)
    low, high = (ranges.declared - shift) / factor
    np.testing.assert_allclose(low, -3.0, atol=0.05)
    np.testing.assert_allclose(high, 3.0, atol=0.05)


@pytest.mark.parametrize("factor", [0.01, 1.0, 100.0])
def test_a_preset_follows_the_unit_of_wrapped_rewards(factor: float) -> None:
    usual = make_config(gym.make("CartPole-v1"))
    env = gym.wrappers.TransformReward(gym.make("CartPole-v1"), lambda r: factor * float(r))
    config = make_config(env)
    assert config.reward_scale == pytest.approx(0.02 / factor)
    assert config.first_play_steps > 0
    assert config == replace(usual, reward_scale=config.reward_scale, first_play_steps=4000)
    assert make_config(env, "lif", {"reward_scale": 0.5}).reward_scale == 0.5


def test_a_preset_follows_the_rewards_of_other_arguments() -> None:
    usual = make_config(gym.make("CartPole-v1"))
    rarely = make_config(gym.make("CartPole-v1", sutton_barto_reward=True))  # -1 at the end alone
    assert rarely == replace(usual, reward_scale=1.0, first_play_steps=4000)
    shown = make_config(gym.make("CartPole-v1", render_mode="rgb_array"))
    assert shown == usual
    car = make_config(gym.make("MountainCar-v0", goal_velocity=0.01))  # paid the same
    assert car.first_play_steps > 0
    usual = make_config(gym.make("MountainCar-v0"))
    assert car == replace(usual, first_play_steps=car.first_play_steps)


def tiles_of(rows: Any) -> list[Tiles]:
    space = Box(-10.0, 10.0, rows.shape[1:], np.float64)
    cells = box_cells(BoxRanges.of(space, rows))
    assert isinstance(cells, Select)
    assert isinstance(cells.of, Concat)
    return [part for part in cells.of.parts if isinstance(part, Tiles)]


class Drifting(gym.Env[Any, Any]):
    """Cost what a point is away from the middle, from which random pushes take it ever further."""

    action_space = Discrete(3)

    def __init__(self, end: float, is_flat: bool = False) -> None:
        self.observation_space = Box(-end, end, (2,), np.float64)
        self._is_flat = is_flat

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._state = self.np_random.uniform(-1.0, 1.0, 2)
        return self._state.copy(), {}

    def step(self, action: int) -> Any:
        place, speed = self._state
        self._state = np.array([place + 0.1 * speed, 1.02 * speed + 0.3 * (int(action) - 1)])
        cost = float(abs(self._state).sum())
        return self._state.copy(), -float(cost > 1.0) if self._is_flat else -cost, False, False, {}


def _tiles(env: gym.Env[Any, Any]) -> list[Tiles]:
    cells = make_config(gym.wrappers.TimeLimit(env, 100)).cells
    assert isinstance(cells, Select)
    assert isinstance(cells.of, Concat)
    return [part for part in cells.of.parts if isinstance(part, Tiles)]


def test_tiles_look_closer_where_rewards_were_better() -> None:
    seen, beyond, closer = _tiles(Drifting(np.inf))
    assert (beyond.high - beyond.low > 2.9 * (seen.high - seen.low)).all()
    assert (closer.high - closer.low < 0.25 * (seen.high - seen.low)).all()
    assert (closer.low < 0.0).all()
    assert (closer.high > 0.0).all()


@pytest.mark.parametrize("env", [Drifting(1e3), Drifting(np.inf, is_flat=True)])
def test_tiles_look_no_closer_than_declared_or_by_rewards_of_few_values(env: Any) -> None:
    assert len(_tiles(env)) == 2


def test_only_numbers_without_a_range_are_looked_at_closer() -> None:
    space = Box(np.array([-np.inf, -9.0]), np.array([np.inf, 9.0]), dtype=np.float64)
    rows = np.linspace(-8.0, 8.0, 801)[:, None].repeat(2, axis=1)
    ranges = BoxRanges.of(space, rows, abs(rows[:, 0]) < 1.001)
    assert ranges.paid[0].tolist() == [-0.9, ranges.seen[0, 1]]
    assert ranges.paid[1].tolist() == [0.9, ranges.seen[1, 1]]
    wide = BoxRanges.of(space, rows, abs(rows[:, 0]) < 4.0)
    assert wide.paid[0].tolist() == wide.seen[0].tolist()


def test_the_better_half_of_rewards() -> None:
    play = FirstPlay(rewards=[[-3.0, -1.0], [-2.0, -4.0]])
    better = play.is_better(6)
    assert better is not None
    assert better.tolist() == [False, False, True, False, True, False]  # resets pay nothing
    assert play.is_better(5) is None  # not every observation was kept
    assert FirstPlay(rewards=[[0.0] * 9 + [1.0]]).is_better(11) is None
    assert FirstPlay().is_better(3) is None
    assert FirstPlay(rewards=[[]]).is_better(1) is None  # the first step raised


def test_many_pairs_are_cut_where_numbers_usually_are() -> None:
    rows = np.random.default_rng(0).normal(size=(4000, 6))
    rows[:, 5] = rows[:, 5] > 2.5  # a flag that is hardly ever up
    parts = tiles_of(rows)
    pairs = [part for part in parts if len(part.low) == 2]
    singles = [part for part in parts if len(part.low) == 1]
    assert (len(pairs), len(singles)) == (15, 10)  # the flag is in pairs
    np.testing.assert_allclose(pairs[0].high, np.full(2, 1.645), atol=0.1)
    np.testing.assert_allclose(singles[0].high, np.full(1, 2.576), atol=0.2)
    assert singles[-1].high.tolist() == [10.0]
    assert pairs[4].high[1] == 1.0
    few = tiles_of(rows[:, :4])
    np.testing.assert_allclose(few[0].high, np.full(2, 2.576), atol=0.2)


@pytest.mark.parametrize(
    ("env_id", "tilings"), [("CartPole-v1", 8), ("Acrobot-v1", 4), ("Pendulum-v1", 4)]
)
def test_few_numbers_have_more_tilings_for_choices(env_id: str, tilings: int) -> None:
    for spiking_critic, expected in ((False, tilings), (True, 4)):
        chosen = task_defaults(gym.make(env_id), "lif", {}, spiking_critic=spiking_critic)
        assert {part.tilings for part in chosen["cells"].of.parts} == {expected}


def test_observations_that_are_not_finite_are_left_out() -> None:
    play = FirstPlay(seen={(): [np.array([x, 1e300]) for x in (0.0, np.nan, np.inf, 2.0)]})
    rows = play.all_numbers()
    assert rows is not None
    assert rows.tolist() == [[0.0, 1e29], [2.0, 1e29]]
    assert FirstPlay(seen={(): [np.array([np.nan])]}).all_numbers() is None


def test_the_horizon_follows_from_the_longest_episode() -> None:
    tasks = [gym.make(FROZEN, max_episode_steps=n) for n in (50, 200, 500, 1000, 27_000)]
    gammas = [make_config(task).gamma for task in tasks]
    assert gammas == [0.99, 0.99, 0.996, 0.998, 0.999]
    assert make_config(Shown()).gamma == 0.99
    assert make_config(tasks[-1], "lif", {"gamma": 0.9}).gamma == 0.9


def test_eligibilities_last_as_the_discount_looks_ahead() -> None:
    tasks = [gym.make("Acrobot-v1", max_episode_steps=n) for n in (200, 500, 1000, 10_000)]
    assert [make_config(task).lambda_actor for task in tasks] == [0.85, 0.94, 0.97, 0.98]
    assert make_config(tasks[-1], "lif", {"gamma": 0.5}).lambda_actor == 0.85
    assert make_config(tasks[-1], "lif", {"lambda_actor": 0.3}).lambda_actor == 0.3
    assert make_config(tasks[1], "glm").lambda_actor == 0.94
    lake = make_config(gym.make(FROZEN, max_episode_steps=1000))
    assert (lake.lambda_actor, lake.critic.lambda_) == (0.2, 0.8)  # a cell for each state


def test_eligibilities_are_longer_where_states_have_no_number() -> None:
    """An observation that comes back may be of several states, so critics tell less of it."""
    flags = make_config(Game(200, (16,)))
    assert isinstance(flags.cells, HashedStates)
    assert (flags.lambda_actor, flags.critic.lambda_) == (0.5, 0.9)


def test_steps_of_tiles_become_small_after_many_decisions() -> None:
    env = gym.make("Acrobot-v1")
    assert make_config(env).schedule == HarmonicDecay(150_000)
    assert make_config(env, "lif", {"trunk": "modules"}).schedule == HarmonicDecay(300_000)
    assert make_config(env, "lif", {"schedule.decisions": 9}).schedule == HarmonicDecay(9)
    assert make_config(env, "lif", {"schedule.end": 0.5}).schedule == LinearFall(0.5)
    assert make_config(env, "lif", {"schedule": LinearFall(0.2)}).schedule == LinearFall(0.2)
    for other in (gym.make("Pendulum-v1"), gym.make(FROZEN)):
        assert make_config(other).schedule == LinearFall()


def test_rates_fall_with_the_number_of_tiles() -> None:
    envs = Shown(), gym.make("Acrobot-v1")
    few, many = (make_config(env, overrides={"trunk": "modules"}) for env in envs)
    assert few.alpha_output == 0.6  # 6 sets of tilings
    assert many.alpha_output == 0.534  # 27


def test_numbers_are_explored_for_several_steps_of_long_episodes() -> None:
    policies = [make_config(gym.make(n)).policy for n in ("Pendulum-v1",)]
    assert [policy.hold for policy in policies] == [8]
    short = gym.wrappers.TimeLimit(gym.make("Pendulum-v1").unwrapped, 60)
    assert make_config(short).policy.hold == 2
    assert all(isinstance(policy, Gaussian) and policy.natural for policy in policies)
    named = make_config(gym.make("Pendulum-v1"), "lif", {"policy": Gaussian(0.3)})
    assert (named.policy, named.alpha_output) == (Gaussian(0.3), 1.0)


def test_rates_of_numbers_fall_with_the_horizon() -> None:
    """They are 6 for 100 steps, and at least 0.8: a horizon without an end still learns."""
    rates = [
        make_config(gym.make("Pendulum-v1"), "lif", {"gamma": gamma}).alpha_output
        for gamma in (0.9, 0.99, 0.995, 0.998, 1.0)
    ]
    assert rates == [6.0, 6.0, pytest.approx(6 / 2**1.25, abs=5e-4), 0.802, 0.8]


def test_a_wrong_gamma_is_refused_in_a_line() -> None:
    with pytest.raises(DescriptionError, match=r"agent\.gamma"):
        make_config(gym.make(FROZEN), "lif", {"gamma": "much"})


def grids_of(cells: Any) -> list[Tiles]:
    assert isinstance(cells, Select)
    assert isinstance(cells.of, Concat)
    return [part for part in cells.of.parts if isinstance(part, Tiles)]


def ranges_of(*columns: Any, low: float = -1.0, high: float = 1.0) -> BoxRanges:
    return BoxRanges.of(Box(low, high, (len(columns),)), np.stack(columns, axis=1))


@pytest.mark.parametrize(
    ("n", "ranges", "tilings", "bins"),
    [(12, 3, 4, 7), (42, 3, 4, 7), (43, 2, 4, 3), (128, 2, 4, 3), (129, 1, 2, 3), (512, 1, 2, 3)],
)
def test_each_of_many_numbers_has_tiles_of_its_own(
    n: int, ranges: int, tilings: int, bins: int
) -> None:
    numbers = np.random.default_rng(1).normal(size=(n, 100))
    cells = box_cells(ranges_of(*numbers))
    assert isinstance(cells, Select)
    assert cells.places == ranges * tuple(range(n))
    assert {(tile.tilings, tile.bins) for tile in grids_of(cells)} == {(tilings, bins)}
    assert cells.size <= 4096  # the axons of a core of Loihi
    lows = [tile.low[0] for tile in grids_of(cells)[::n]]
    seen, usual = np.quantile(numbers[0], [0.005, 0.05])
    assert lows == pytest.approx([seen, usual, -1.0][:ranges], abs=1e-3)


def test_a_constant_and_flags_among_many_numbers() -> None:
    draws = np.random.default_rng(1)
    numbers = draws.normal(size=(12, 100))
    flags = draws.integers(0, 2, (2, 100)).astype(float)
    cells = box_cells(ranges_of(np.ones(100), *numbers, *flags))
    assert isinstance(cells, Select)
    assert sorted(set(cells.places)) == list(range(1, 15))
    assert [cells.places.count(place) for place in (1, 13, 14)] == [3, 1, 1]
    assert cells.size == 12 * 3 * 4 * 8 + 2 * 2


def test_too_many_numbers_and_flags_have_no_tiles() -> None:
    draws = np.random.default_rng(1)
    assert box_cells(ranges_of(*draws.normal(size=(513, 100)))) is None
    flags = draws.integers(0, 2, (7, 100)).astype(float)
    numbers = draws.normal(size=(7, 100))
    assert box_cells(ranges_of(*flags, *draws.integers(0, 2, (7, 100)).astype(float))) is None
    assert box_cells(ranges_of(*flags, *numbers)) is not None
    assert box_cells(ranges_of(*flags, *numbers, *np.zeros((7, 100)))) is not None
    assert box_cells(ranges_of(*np.zeros((30, 100)))) is None


def test_few_numbers_among_many_flags_have_tiles_of_pairs() -> None:
    draws = np.random.default_rng(1)
    flags, numbers = draws.integers(0, 2, (10, 100)).astype(float), draws.normal(size=(3, 100))
    cells = box_cells(ranges_of(*flags, *numbers))
    assert isinstance(cells, Select)
    assert {tuple(cells.places[k : k + 2]) for k in (0, 2, 4)} == {(10, 11), (10, 12), (11, 12)}
    assert [cells.places.count(flag) for flag in range(10)] == [1] * 10
    assert not sees_apart(cells)
    apart = box_cells(ranges_of(*draws.normal(size=(12, 100))))
    assert apart is not None
    assert sees_apart(apart)


MODULES_ONLY: tuple[dict[str, Any], ...] = (
    {"actors": 5},
    {"trunk": "modules"},
    {"critic": "linear"},
    {"modulator": "reward"},
    {"policy": Softmax(0.2), "critic": Linear(0.2)},
)
"""List what a user may name that hidden layers shared by all actions don't have."""


class Draws(gym.Env[Any, Any]):
    """Show a draw of the space, and pay now and then."""

    def __init__(self, space: gym.Space[Any], actions: gym.Space[Any] | None = None) -> None:
        self.observation_space, self.action_space = space, actions or Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        return self.observation_space.sample(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        paid = float(self.np_random.random() < 0.5)
        return self.observation_space.sample(), paid, self.np_random.random() < 0.05, False, {}


LAYERS_OR_NONE = [
    (Box(-1.0, 1.0, (12,)), True, False),
    (Box(-1.0, 1.0, (11,)), True, True),
    (Dict(a=Box(-1.0, 1.0, (6,)), b=Box(-9.0, 1.0, (6,))), True, False),
    (Dict(a=Box(-1.0, 1.0, (4,)), b=MultiBinary(20)), True, True),
    (Dict(a=Box(-1.0, 1.0, (11,)), b=MultiBinary(300)), True, False),  # more than a core has
    (MultiBinary(12), True, True),
    (MultiDiscrete([3] * 9), True, True),
    (Dict(lamps=MultiBinary(9), floor=Discrete(6)), True, True),
    (MultiDiscrete([9] * 6), True, True),
    (MultiDiscrete([70] * 12), True, False),
    (Discrete(90), False, False),
]
"""List spaces, whether hidden layers learn them, and whether these see tiles."""


@pytest.mark.parametrize(("space", "is_shared", "has_tiles"), LAYERS_OR_NONE)
def test_hidden_layers_see_tiles_or_what_these_would_see_apart(
    space: gym.Space[Any], is_shared: bool, has_tiles: bool
) -> None:
    env = Draws(space)
    config = make_config(env)
    assert config.trunk.is_shared == is_shared
    is_tiled = isinstance(config.cells, Select) and not isinstance(config.cells.of, Raw)
    assert is_tiled == has_tiles
    assert config.cells.size <= 4096
    assert not make_config(env, can_share=False).trunk.is_shared


@pytest.mark.parametrize("space", sampled([space for space, *_ in LAYERS_OR_NONE], 3))
def test_what_hidden_layers_do_not_have_leaves_modules(space: gym.Space[Any]) -> None:
    env = Draws(space)
    is_shared = make_config(env).trunk.is_shared
    for named in MODULES_ONLY:
        assert not make_config(env, "lif", named).trunk.is_shared
    for named in ({"gamma": 0.9}, {"critic.alpha": 1e-3}, {"policy.beta": 2.0}):
        assert make_config(env, "lif", named).trunk.is_shared == is_shared


@pytest.mark.parametrize("hidden", [16, (16, 8)])
@pytest.mark.parametrize(
    "space", [Box(-1.0, 1.0, (5,)), Box(0.0, 1.0, (6, 6)), MultiBinary(12), MultiDiscrete([9] * 6)]
)
def test_sizes_of_hidden_layers_that_are_named_leave_the_rest(
    space: gym.Space[Any], hidden: Any
) -> None:
    config, named = make_config(Draws(space)), make_config(Draws(space), "lif", {"hidden": hidden})
    assert config.trunk.is_shared
    least = named.window - config.window
    assert repr(named) == repr(replace(config, hidden=hidden, window=config.window + least))
    assert least == (0 if hidden == 16 else 1)


@pytest.mark.parametrize("make", [lambda: Draws(Discrete(90)), lambda: gym.make("Pendulum-v1")])
def test_modules_have_the_hidden_layers_that_are_named(make: Callable[[], Any]) -> None:
    config = make_config(make(), "lif", {"hidden": 4})
    assert not config.trunk.is_shared
    assert (config.hidden, config.bias) == (4, True)


def test_answers_of_one_step_and_actions_that_are_numbers_have_tiles_alone() -> None:
    space = Box(-1.0, 1.0, (6,))
    assert make_config(gym.wrappers.TimeLimit(Draws(space), 9)).trunk.is_shared
    assert not make_config(gym.wrappers.TimeLimit(Draws(space), 1)).trunk.is_shared
    assert not make_config(gym.make("Pendulum-v1")).trunk.is_shared


def numbers_of(shown: Any) -> list[Any]:
    return [*(shown.values() if isinstance(shown, dict) else shown)]


@pytest.mark.parametrize(
    "space",
    [
        MultiDiscrete([7, 3, 2], start=[2, 0, -1]),
        MultiBinary(4),
        Tuple((Discrete(3), Discrete(5, start=4))),
        Dict(a=Discrete(3), b=Discrete(2), c=Discrete(6)),
        MultiDiscrete([5, 1, 4]),
        MultiDiscrete([2] * 12),
    ],
)
def test_whole_numbers_are_seen_one_by_one_and_in_pairs(space: gym.Space[Any]) -> None:
    """Check that states which share numbers share cells, and that no two have the same ones."""
    config = make_config(Draws(space))
    space.seed(3)
    active: dict[tuple[float, ...], frozenset[int]] = {}
    for _ in range(300):
        shown = space.sample()
        state = tuple(np.concatenate([np.ravel(x) for x in numbers_of(shown)]).tolist())
        active[state] = frozenset(np.flatnonzero(config.cells(shown)).tolist())
    assert len({*active.values()}) == len(active)
    # Of 2, 3, 4 or 12 numbers: each alone, and each two.
    assert {*map(len, active.values())} <= {3, 6, 10, 78}
    assert config.trunk.is_shared
    assert (config.lambda_actor, config.critic.lambda_) == (0.2, 0.9)
    assert config.policy.repeats == 1


class Ends(gym.Wrapper[Any, Any, Any, Any]):
    """Pay at the end of an episode alone, or nothing."""

    pays = 1.0

    def step(self, action: Any) -> Any:
        shown, _, *ends, info = self.env.step(action)
        return shown, self.pays * any(ends), *ends, info


@pytest.mark.parametrize(("pays", "lambda_"), [(1.0, 0.8), (-1.0, 0.8), (0.0, 0.2)])
def test_games_that_pay_at_their_end_have_longer_eligibilities(pays: float, lambda_: float) -> None:
    env = Ends(Draws(MultiDiscrete([7, 3])))
    env.pays = pays
    config = make_config(env)
    assert config.lambda_actor == lambda_
    assert config.critic.lambda_ == 0.9
    assert make_config(env, "lif", {"lambda_actor": 0.4}).lambda_actor == 0.4
    assert not FirstPlay(0, [[0.0, 1.0], [1.0, 0.0]]).pays_at_ends
    assert FirstPlay(0, [[0.0, 1.0], [0.0, 0.0], [-2.0]]).pays_at_ends


def test_a_table_of_whole_numbers_is_kept_where_layers_are_none() -> None:
    space = MultiDiscrete([7, 3])
    assert isinstance(make_config(Draws(space, Box(-1.0, 1.0, (1,)))).cells, JointStates)
    assert isinstance(make_config(gym.wrappers.TimeLimit(Draws(space), 1)).cells, JointStates)
    assert isinstance(make_config(Draws(space), can_share=False).cells, JointStates)
    assert isinstance(make_config(Draws(MultiDiscrete([70, 50]))).cells, JointStates)  # too many
    assert isinstance(make_config(Draws(MultiDiscrete([9, 1]))).cells, JointStates)  # one varies
    named = make_config(Draws(space), "lif", {"cells": JointStates((7, 3), (0, 0))})
    assert not named.trunk.is_shared


class Views(gym.Env[Any, Any]):
    """Show one of thirty views of 16 numbers, and pay with a *chance* in each step.

    new: share of steps that show a view which wasn't seen before, up to 200 of them.
    """

    observation_space = Dict(view=Box(0, 255, (4, 4), np.uint8), side=Discrete(4), word=Text(5))
    action_space = Discrete(3)

    def __init__(self, chance: float, new: float = 0.0) -> None:
        self._views = np.random.default_rng(1).integers(10, size=(230, 4, 4))
        self._chance, self._new, self._at = chance, new, 30

    def _shown(self) -> Any:
        draw, at = self.np_random, int(self.np_random.integers(30))
        if draw.random() < self._new and self._at < 229:
            self._at = at = self._at + 1
        view = self._views[at].astype(np.uint8)
        return {"view": view, "side": int(draw.integers(4)), "word": "a"}

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._shown(), {}

    def step(self, action: Any) -> Any:
        draw = self.np_random
        return self._shown(), float(draw.random() < self._chance), draw.random() < 0.02, False, {}


@pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")
@pytest.mark.parametrize("flat", [False, True])
def test_a_wide_table_is_kept_only_where_random_play_is_paid_and_saw_nearly_all(flat: bool) -> None:
    def config(chance: float, new: float = 0.0, n_actions: int = 3) -> Any:
        env: Any = Views(chance, new)
        env.action_space = Discrete(n_actions)
        if flat:
            env = gym.wrappers.TransformObservation(
                env, lambda x: x["view"], Views.observation_space["view"]
            )
        return make_config(env)

    assert isinstance(config(0.05).cells, HashedStates)
    assert isinstance(config(0.05, 0.02).cells, HashedStates)
    assert isinstance(config(0.05, n_actions=30).cells, HashedStates)
    many = config(0.05, 0.03, 300)  # a table of 90 views or more for each
    assert isinstance(many.trunk.observations, Standardised)
    for chances in ((0.0,), (1e-4,), (0.05, 0.06)):
        alone = config(*chances)
        assert isinstance(alone.trunk.observations, Standardised)
        assert alone.cells.n_inputs == 16 + (not flat)


class Costs(Draws):
    """Cost as much in each step."""

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        observation, _, *rest = super().step(action)
        return observation, -1.0, *rest


@pytest.mark.parametrize("kind", [Draws, Costs])
@pytest.mark.parametrize(("limit", "longest"), [(100, 0.85), (1000, 0.97)])
def test_vectors_have_the_eligibilities_of_tiles(
    kind: type[Draws], limit: int, longest: float
) -> None:
    config = make_config(gym.wrappers.TimeLimit(kind(Box(-1.0, 1.0, (20,))), limit))
    lambda_ = 0.85 if kind is Costs else longest
    assert config.modulator.limit == (2.0 if kind is Costs else 1.0)
    assert config.critic == Layers(alpha=3e-4, lambda_=lambda_)
    assert config.lambda_actor == lambda_


@pytest.mark.parametrize(("limit", "soon_fails"), [(1, False), (8, False), (1000, True)])
def test_hidden_layers_keep_up_by_numbers_what_random_play_soon_fails_to(
    limit: int, soon_fails: bool
) -> None:
    """An episode of `Draws` lasts 20 steps, if no limit ends it."""
    numbers = Box(-1.0, 1.0, (6,)), Box(-1.0, 1.0, (2,))
    config = make_config(gym.wrappers.TimeLimit(Draws(*numbers), limit))
    assert config.trunk.is_shared == soon_fails
    assert isinstance(config.policy, GaussianReadout if soon_fails else Gaussian)
    for named in ({"policy": Gaussian(0.3)}, {"policy.sigma": 0.3}, {"trunk": "modules"}):
        assert not make_config(Draws(*numbers), "lif", named).trunk.is_shared


def test_steps_that_cost_alike_are_told_from_games_that_pay_at_their_end() -> None:
    def alike(*rewards: list[float]) -> bool:
        return FirstPlay(0, [*rewards]).costs_alike

    assert alike([-1.0] * 5, [-1.0] * 3 + [0.0])  # a goal was reached once
    assert not alike([0.0] * 5 + [1.0])
    assert not alike([0.0] * 5)
    assert not alike([1.0] * 5)
    assert not alike([-1.0, -2.0, -1.0])
    assert not alike([-1.0])


def test_hidden_layers_on_tiles_have_what_a_task_says() -> None:
    config = make_config(gym.make("Acrobot-v1"))
    assert config.solved_at == -100.0
    assert config.policy == Softmax(1.0, repeats=4, repeats_decisions=100_000)  # -1 in each step
    assert config.reward_scale == 1.0  # rewards are divided by the deviation of returns
    assert config.critic == Layers(hidden=64, alpha=3e-4, lambda_=config.lambda_actor)
    long = make_config(gym.wrappers.TimeLimit(Hanging(), 1000))
    assert long.policy == Softmax(1.0, repeats=8, repeats_decisions=300_000)
    assert (long.gamma, long.lambda_actor) == (0.998, 0.97)


@pytest.mark.parametrize("is_flat", [False, True])
def test_stacked_observations_are_numbers(is_flat: bool) -> None:
    env: gym.Env[Any, Any] = gym.wrappers.FrameStackObservation(gym.make("Acrobot-v1"), 3)
    if is_flat:
        env = gym.wrappers.FlattenObservation(env)
    config, newest = make_config(env), make_config(gym.make("Acrobot-v1")).cells
    assert isinstance(config.cells, Select)
    assert isinstance(newest, Select)
    assert (config.hidden, config.features, config.cells.n) == (64, config.cells, 18)
    assert config.cells.of == newest.of  # the older two tell nothing more
    assert config.cells.places == tuple(12 + place for place in newest.places)


def test_observations_that_come_back_are_states() -> None:
    cells = make_config(Shown(digits=1)).cells
    assert cells == HashedStates(4, (0, 2, 3))
    seen = [cells(np.array([0.1 * k, 3.0, 0.2, 1.0])) for k in range(10)]
    assert all(x.sum() == 2 for x in seen)
    assert len({tuple(np.flatnonzero(x)) for x in seen}) == 10
    assert np.array_equal(cells([-0.0, 5.0, 0.2, 1.0]), cells([0.0, 3.0, 0.2, 1.0]))
    assert HashedStates.from_dict(cells.to_dict()) == cells


class Growing(gym.Env[Any, Any]):
    """Show three digits that a walk changes, which come back only if it is *bound* to few."""

    action_space = gym.spaces.Discrete(3)

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.observation_space = gym.spaces.Dict(
            {"a": gym.spaces.MultiBinary(9), "b": gym.spaces.Discrete(13)}
        )

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place = 0
        return self.shown(), {}

    def shown(self) -> Any:
        flags = np.array([self.place >> k & 1 for k in range(9)], dtype=np.int8)
        return {"a": flags, "b": int(self.place % 13)}

    def step(self, action: Any) -> Any:
        further = int(self.np_random.geometric(0.35)) if self.np_random.random() < 0.2 else 0
        self.place = (self.place + further) % self.bound
        return self.shown(), float(action), self.np_random.random() < 0.004, False, {}


class Sliding(gym.Env[Any, Any]):
    """Slide five tiles of a board of 2 x 3 into order; each move costs 1, and many hit a wall."""

    observation_space = gym.spaces.MultiDiscrete([6] * 6)
    action_space = gym.spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.tiles = np.arange(6)
        for action in self.np_random.integers(0, 4, 40):
            self.slide(int(action))
        return self.tiles.copy(), {}

    def slide(self, action: int) -> None:
        row, column = divmod(int(self.tiles.argmin()), 3)
        down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[action]
        if 0 <= row + down < 2 and 0 <= column + right < 3:
            here, there = 3 * row + column, 3 * (row + down) + column + right
            self.tiles[[here, there]] = self.tiles[[there, here]]

    def step(self, action: Any) -> Any:
        self.slide(int(action))
        done = bool((self.tiles == np.arange(6)).all())
        return self.tiles.copy(), 40.0 if done else -1.0, done, False, {}


def test_actions_are_held_to_search_only_where_they_lead_further() -> None:
    board = make_config(gym.wrappers.TimeLimit(Sliding(), 80))
    assert board.trunk.is_shared
    assert board.policy.repeats == 1


def test_few_numbers_that_go_on_being_new_are_no_table() -> None:
    assert isinstance(make_config(Growing(40)).cells, HashedStates)
    assert make_config(Growing(512)).trunk.is_shared


def test_cells_that_never_vary_are_told_of() -> None:
    wide = GaussianCells([-1e3] * 4, [1e3] * 4)
    with pytest.warns(EnvironmentWarning, match=r"cells: hardly any.*got 0.*GaussianCells"):
        make_config(Shown(), "lif", {"cells": wide})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make_config(Shown(), "lif", {"cells": GaussianCells([0] * 4, [1, 3, 2, 1], 4)})
        make_config(Shown())
        make_config(Shown(), "lif", {"cells": wide, "reward_scale": 1.0})  # nothing was played


def test_parts_are_seen_together() -> None:
    cells = HashedStates(3, (0, 2), 64, ("a", "b"))
    one = cells({"a": np.array([[1.0, 2.0]]), "b": 3, "c": "text"})
    assert np.array_equal(one, cells({"a": [1.0, 7.0], "b": 3}))
    assert not np.array_equal(one, cells({"a": [1.0, 2.0], "b": 4}))


@pytest.mark.parametrize("digits", [12, 1])
def test_loops_play_the_same_there(digits: int) -> None:
    played = []
    for loop in ("numpy", None):
        agent = SpikingActorCritic(Shown(digits), seed=1, loop=loop, actors=1)
        agent.learn(total_steps=60)
        played.append((agent.episodes, {name: w.tolist() for name, w in agent.weights.items()}))
        agent.close()
    assert played[0] == played[1]


@pytest.mark.parametrize(
    ("space", "cells"),
    [
        (Tuple((Discrete(3), Discrete(2, start=4))), JointStates((3, 2), (0, 4))),
        (Dict(a=Discrete(3), b=Discrete(2)), JointStates((3, 2), (0, 0), ("a", "b"))),
        (MultiDiscrete([3, 2]), JointStates((3, 2), (0, 0))),
        (MultiBinary(3), JointStates((2, 2, 2), (0, 0, 0))),
        (MultiDiscrete([100, 100]), Concat((OneHot(100), OneHot(100)))),
        (Tuple((Text(3), Discrete(2))), JointStates((2,), (0,), (1,))),
        (Dict(a=Discrete(2), b=Text(3)), JointStates((2,), (0,), ("a",))),
    ],
)
def test_cells_of_spaces_of_several_numbers(space: gym.Space[Any], cells: Any) -> None:
    chosen = default_cells(space)
    assert chosen == cells
    space.seed(1)
    assert chosen(space.sample()).sum() >= 1


class Told(gym.Env[Any, Any]):
    """Show a number and a text that says nothing."""

    observation_space = Dict(number=Discrete(2), word=Dict(text=Text(4)))
    action_space = Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.shown = {"number": int(self.np_random.integers(2)), "word": {"text": "abc"}}
        return self.shown, {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return self.shown, float(action == self.shown["number"]), True, False, {}


def test_text_is_left_out_with_a_line() -> None:
    with pytest.warns(EnvironmentWarning, match=r"\['word'\]\['text'\] \(Text\)") as told:
        agent = SpikingActorCritic(Told(), seed=1, actors=2)
    assert len(told) == 1
    assert len(agent.learn(total_episodes=5)) == 5


def test_of_text_alone_there_is_no_agent() -> None:
    with pytest.raises(UnsupportedError, match="no default cells"):
        default_cells(Dict(a=Text(3)))


def test_what_was_chosen_is_in_the_file(tmp_path: Path) -> None:
    agent = SpikingActorCritic(FROZEN, seed=1, actors=2)
    agent.learn(total_episodes=3)
    agent.save(tmp_path / "agent.npz")
    described, _ = read_agent(tmp_path / "agent.npz")
    assert described.config.reward_scale == 2.0
    assert described.config == agent.config


@pytest.mark.parametrize(
    "places",
    [
        (("reference", None, "numpy"), ("reference", None, None), ("native", None, None)),
        (("reference", "loihi", "numpy"), ("loihi", "loihi", None)),
    ],
    ids=["float", "chip"],
)
@pytest.mark.parametrize("task", [lambda: gym.make(FROZEN), lambda: Shown(1)], ids=["state", "box"])
def test_backends_play_the_same(places: Any, task: Any) -> None:
    played = []
    for backend, arithmetic, loop in places:
        agent = SpikingActorCritic(task(), "lif", backend, arithmetic, 1, loop=loop, actors=1)
        agent.learn(total_episodes=5)
        played.append((agent.episodes, {name: w.tolist() for name, w in agent.weights.items()}))
        agent.close()
    assert all(of_one == played[0] for of_one in played)


@pytest.mark.slow
def test_frozen_lake_is_learned() -> None:
    agent = SpikingActorCritic(FROZEN, backend="native", seed=100)
    agent.learn(total_steps=60_000)
    assert np.mean([e.ret for e in agent.episodes[-200:]]) > 0.5
    agent.close()


class Hanging(gym.Env[Any, Any]):
    """Pay in each step at the end of a range that random steps don't reach."""

    action_space = Discrete(2)

    def __init__(self, low: float = -1.0) -> None:
        self.observation_space = Box(low, 1.0, (2,), np.float64)
        self._at = np.zeros(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._at[:] = 0.0
        return self._at.copy(), {}

    def step(self, action: int) -> Any:
        self._at[0] = np.clip(self._at[0] + 1e-3 * (2 * action - 1), -1.0, 1.0)
        self._at[1] = self.np_random.random()
        return self._at.copy(), float(self._at[0] > 0.9), False, False, {}


def test_a_box_that_was_not_seen_to_pay_may_pay_in_every_step() -> None:
    task = gym.wrappers.TimeLimit(Hanging(), 200)
    assert make_config(task, overrides={"trunk": "modules"}).reward_scale == 0.2
    shown = FirstPlay(0, [[0.0] * 50])
    assert reward_scale(shown, 0.99, 0.2) == 0.2
    assert reward_scale(FirstPlay(0, [[1.0] * 50]), 0.99, 0.2) == 0.02


def test_actions_are_repeated_to_search_for_a_reward() -> None:
    """Four times while none was seen, more in long episodes; not where one was, or if named.

    Hidden layers search so too where each step costs the same.
    """

    def repeats(task: gym.Env[Any, Any], **named: Any) -> int:
        policy = make_config(task, "lif", named).policy
        falls = policy.repeats > 1 and "policy.repeats" not in named
        assert policy.repeats_at(10**6) == (1 if falls else policy.repeats)
        return policy.repeats

    tasks = [gym.wrappers.TimeLimit(Hanging(), n) for n in (200, 1000)]
    assert [repeats(task) for task in (Hanging(), *tasks)] == [4, 4, 8]
    paid = gym.wrappers.TransformReward(tasks[0], lambda reward: float(reward) + 1.0)
    assert repeats(paid) == 1
    costs = gym.wrappers.TransformReward(tasks[0], lambda reward: float(reward) - 1.0)
    assert repeats(costs) == 4
    assert repeats(costs, trunk="modules") == 1
    assert repeats(tasks[0], **{"policy.repeats": 2}) == 2
    assert repeats(tasks[1], **{"policy.repeats_decisions": 5}) == 8
    assert repeats(tasks[0], policy="greedy") == 1


class Game(gym.Env[Any, Any]):
    """Show one of *n* binary images of 4 x 4 pixels, at random."""

    action_space = Discrete(2)

    def __init__(self, n: int, shape: tuple[int, ...] = (4, 4)) -> None:
        self.observation_space = Box(0, 1, shape, np.uint8)
        self._images = np.random.default_rng(1).integers(0, 2, (n, *shape), np.uint8)

    def _image(self) -> Any:
        return self._images[self.np_random.integers(len(self._images))]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._image(), {}

    def step(self, action: int) -> Any:
        return self._image(), 1.0, bool(self.np_random.random() < 0.1), False, {}


@pytest.mark.parametrize(
    ("n", "shape", "kind"),
    [(200, (4, 4), HashedStates), (400, (4, 4), ImageCells), (400, (16,), HashedStates)],
)
def test_a_game_of_many_images_has_cells_of_images(
    n: int, shape: tuple[int, ...], kind: type
) -> None:
    """Random play sees how a game begins; a table would know nothing of what comes then."""
    assert isinstance(make_config(Game(n, shape), overrides={"actors": 10}).cells, kind)
    shares = make_config(Game(n, shape)).trunk.is_shared
    assert shares == (kind is ImageCells)


@pytest.mark.parametrize(("numbers", "joint"), [(5, 10), (6, 0), (9, 0), (11, 0)])
def test_pairs_beyond_what_was_seen(numbers: int, joint: int) -> None:
    """Up to 5 numbers have tiles of pairs over the declared range too, up to 11 over the usual.

    Never are there more cells than a core of Loihi has axons.
    """
    rows = np.random.default_rng(1).uniform(-0.5, 0.5, (1000, numbers))
    space = Box(-1.0, 1.0, (numbers,), np.float64)
    cells = box_cells(BoxRanges.of(space, rows))
    assert isinstance(cells, Select)
    assert isinstance(cells.of, Concat)
    tiles = [part for part in cells.of.parts if isinstance(part, Tiles)]
    wide = [part for part in tiles if len(part.low) == 2 and (part.low == -1.0).all()]
    assert len(wide) == joint
    pairs = numbers * (numbers - 1) // 2
    assert sum(len(part.low) == 2 for part in tiles) == pairs + joint
    assert cells.size <= 4096
