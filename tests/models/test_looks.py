"""A look at what an agent has seen changes only what a first play got wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from tasks_that_grow import Cue, CueInTwo, Door, Drift, Far

from neurorl.errors import DescriptionError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.looks import fitted, in_words, look
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import HashedStates, Select
from neurorl.storage.plain import PlainData
from neurorl.tasks.first_play import FirstPlay, first_play, play_again

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")

Env = gym.Env[Any, Any]
Acts = Callable[[Any, bool], int]


def played(env: Env, act: Acts, chance: float = 0.3, steps: int = 3000) -> FirstPlay:
    """Play by *act*, which gets an observation and whether an episode begins, or by chance."""
    rng = np.random.default_rng(5)

    def mixed(_: int, begins: bool, shown: Any, *__: object) -> int:
        wanted = act(shown, begins)
        return int(rng.integers(2)) if rng.random() < chance else wanted

    play = play_again(env, steps, 7, mixed)
    assert play is not None
    return play


def looked(env: Env, seen: FirstPlay, **options: Any) -> tuple[AgentConfig, PlainData]:
    config = make_config(env, overrides=options)
    return config, look(env, config, seen, lambda: first_play(env))


def of_trunk(trunk: str) -> dict[str, str]:
    """Return the options of an agent with this trunk; a shared one is the default's."""
    return {"trunk": trunk} if trunk == "modules" else {}


def of_side(shown: Any, _: bool) -> int:
    return int(shown[int(shown[1] != 0)] > 0)


def recalling() -> Acts:
    """Return what goes through the rooms of `Cue`, and answers the cue at the end."""
    cue = 0

    def act(shown: Any, begins: bool) -> int:
        nonlocal cue
        cue = int(shown) if begins else cue
        return cue if shown == 9 else (0 if begins else int(shown) - 3) % 3

    return act


@pytest.mark.parametrize("trunk", ["shared", "modules"])
def test_a_number_that_begins_to_vary_gets_cells(trunk: str) -> None:
    env = Door()
    config, changes = looked(env, played(env, of_side, 0.02), **of_trunk(trunk))
    assert config.trunk.name == trunk
    assert set(config.cells.places) == {0}  # type: ignore[attr-defined]
    assert set(changes["cells"].places) == {0, 1}
    if trunk == "modules":
        assert changes["features"] is changes["cells"]
        assert changes["memories"] == ()
    assert "reward_scale" not in changes


def test_numbers_beyond_their_tiles_get_wider_ones() -> None:
    env = Drift()
    env._used = 40_000
    far = FirstPlay.in_space(env.observation_space)
    for episode in range(150):
        far.begin(env.reset(seed=episode)[0])
        for step in range(20):
            shown, reward, *_ = env.step(0)
            far.take(0, reward, step == 19, shown)
    config, changes = looked(Drift(), far)
    high = max(part.high.max() for part in changes["cells"].of.parts)
    assert max(part.high.max() for part in config.cells.of.parts) < 10 < high  # type: ignore[attr-defined]
    assert looked(Drift(), first_play(Drift()))[1] == {}


class Level(gym.Env[Any, Any]):
    """Show a level that random actions, or others, drive to a hundred; none is better."""

    observation_space = Box(-200.0, 200.0, (2,), np.float64)

    def __init__(self, action_space: gym.Space[Any]) -> None:
        self.action_space = action_space

    def _shown(self) -> Any:
        self._left -= 1
        return np.array([self.np_random.uniform(*self.ends), self.np_random.uniform(-1.0, 1.0)])

    ends = (0.0, 100.0)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._left = 30
        return self._shown(), {}

    def step(self, action: Any) -> Any:
        return self._shown(), float(np.sum(action)), False, self._left == 0, {}


@pytest.mark.parametrize("ends", [(0.0, 20.0), (40.0, 50.0), (20.0, 90.0), (-5.0, 100.0)])
def test_tiles_move_to_where_numbers_have_led(ends: tuple[float, float]) -> None:
    numbers, choices = Level(Box(-1.0, 1.0, (2,))), Level(gym.spaces.Discrete(3))
    for env, moves in ((numbers, ends[1] - ends[0] < 33.0), (choices, False)):
        env.ends = ends
        seen = first_play(env)
        env.ends = Level.ends
        config, changes = looked(env, seen)
        assert isinstance(config.cells, Select)
        assert ("cells" in changes) == moves
        if moves:
            parts = [part for part in changes["cells"].of.parts if len(part.low) == 2]
            low, high = parts[0].low[0], parts[0].high[0]
            assert low < ends[0] + 1.0 < ends[1] - 1.0 < high < ends[1] + 30.0


@pytest.mark.parametrize("make", [Cue, CueInTwo])
def test_a_cue_that_is_paid_now_gets_a_memory(make: Callable[[], Env]) -> None:
    act = recalling()
    seen = played(
        make(), lambda shown, begins: act(np.atleast_1d(shown) @ [4, 1][-np.size(shown) :], begins)
    )
    config, changes = looked(make(), seen)
    assert config.trunk.is_shared == (make is CueInTwo)
    assert config.memories == ()
    assert changes["memories"] == (1.0,)
    assert isinstance(changes["cells"], HashedStates)
    assert looked(make(), played(make(), lambda *_: 0))[1] == {}


@pytest.mark.parametrize(("size", "scale"), [(100.0, None), (0.01, 100.0), (0.5, None)])
def test_rewards_that_were_never_seen_get_their_scale(size: float, scale: float | None) -> None:
    env = Far(size)
    config, changes = looked(env, played(env, lambda shown, _: int(shown) % 3))
    assert config.reward_scale == 5.0
    assert changes.get("reward_scale") == scale


def test_rewards_that_grow_smaller_as_an_agent_gets_better_keep_theirs() -> None:
    env = gym.make("Pendulum-v1")
    seen = first_play(env)
    seen.rewards = [[reward / 1000 for reward in episode] for episode in seen.rewards]
    assert looked(env, seen)[1] == {}


def test_what_a_user_names_stays() -> None:
    door, cue = played(Door(), of_side, 0.02), played(Cue(), recalling())
    assert looked(Door(), door, looks_at=())[1] == {}
    assert looked(Door(), door, cells=make_config(Door()).cells)[1] == {}
    assert looked(Cue(), cue, memories=())[1].keys() == set()
    assert "alpha_output" not in looked(Door(), door, alpha_output=0.1)[1]
    far = played(Far(100.0), lambda shown, _: int(shown) % 3)
    assert looked(Far(100.0), far, reward_scale=1.0)[1] == {}


@pytest.mark.parametrize("options", [{"hidden": 4}, {"stimulus_lags": 2}, {"input_recalls": (1,)}])
def test_cells_stay_where_weights_cannot_be_fitted(options: Any) -> None:
    config = make_config(Door(), overrides={"trunk": "modules"}).changed(**options)
    seen = played(Door(), of_side, 0.02)
    assert look(Door(), config, seen, lambda: first_play(Door())) == {}


@pytest.mark.parametrize("env_id", ["FrozenLake-v1", "Acrobot-v1", "CliffWalking-v1"])
def test_ordinary_tasks_stay_as_they_are(env_id: str) -> None:
    env = gym.make(env_id)
    assert looked(env, played(env, lambda *_: 1, 0.5))[1] == {}


def test_numbers_that_repeat_others_stay_left_out() -> None:
    car = gym.make("MountainCar-v0")
    env = gym.wrappers.FlattenObservation(gym.wrappers.FrameStackObservation(car, 2))
    config, changes = looked(env, played(env, lambda shown, _: 2 * int(shown[3] > 0)))
    assert set(config.cells.places) == {2, 3}  # type: ignore[attr-defined]
    assert changes == {}


def test_weights_of_other_cells_do_what_the_old_ones_did() -> None:
    env = Door()
    seen = played(env, of_side, 0.02)
    config, changes = looked(env, seen)
    new = config.changed(**changes)
    rng = np.random.default_rng(1)
    known = rng.normal(size=(config.cells.size, 3))
    weights = fitted(config, new, seen, known, np.zeros((new.cells.size, 3)))
    rows = seen.all_numbers()
    assert rows is not None
    before, after = (
        np.array([of.cells(row).copy() for row in rows[::7]]) @ w
        for of, w in ((config, known), (new, weights))
    )
    assert np.square(after - before).mean() < 0.15 * before.var()


def test_changes_are_told_in_one_line() -> None:
    config = make_config(Door(), overrides={"trunk": "modules"})
    assert isinstance(config.cells, Select)
    other = config.changed(reward_scale=5.0, cells=make_config(gym.make("Acrobot-v1")).cells)
    told = in_words(config, other)
    assert told == f"reward_scale 2.0 -> 5.0; cells Select (80) -> Select ({other.cells.size})"


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(DescriptionError, match="looks_at"):
        make_config(Door(), overrides={"looks_at": ("gamma",)})
