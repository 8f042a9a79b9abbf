"""The first play of a task is the same every time, and leaves the environment as it is."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec, WrapperSpec
from gymnasium.spaces import Box, Dict, Discrete, Text, Tuple

from neurorl.tasks import patience
from neurorl.tasks.first_play import first_play
from neurorl.tasks.specification import quiet


class Counted(gym.Env[Any, Any]):
    """Show how often it was stepped in its life; episodes of 5 steps, with a reward at the end."""

    observation_space = Dict(word=Text(4), shown=Tuple((Discrete(2), Box(0.0, np.inf, (2,)))))
    action_space = Discrete(3, start=1)
    steps = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._shown(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        assert action in self.action_space
        self.steps += 1
        return self._shown(), float(self.steps % 5 == 0), self.steps % 5 == 0, False, {}

    def _shown(self) -> dict[str, Any]:
        return {"word": "a", "shown": (1, np.array([self.steps, 7.0], np.float32))}


def test_it_holds_rewards_and_what_boxes_showed() -> None:
    play = first_play(Counted(), 12)
    assert play.steps == 12
    assert play.rewards == [[0, 0, 0, 0, 1], [0, 0, 0, 0, 1], [0, 0]]
    seen = play.of(("shown", 1))
    assert seen is not None
    assert seen[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9, 10, 10, 11, 12]
    assert (seen[:, 1] == 7.0).all()
    assert play.of(()) is None
    both = play.all_numbers()
    assert both is not None
    assert both[2].tolist() == [1.0, 2.0, 7.0]
    assert play.returns(0.5)[:5].tolist() == [1, 0.5, 0.25, 0.125, 0.0625]


def test_it_is_the_same_every_time_and_played_in_a_copy() -> None:
    env = gym.make("CartPole-v1")
    observation, _ = env.reset(seed=3)
    one, other = first_play(env, 300), first_play(env, 300)
    assert one.rewards == other.rewards
    assert np.array_equal(np.array(one.of(())), np.array(other.of(())))
    assert len(one.seen[()]) > 300
    env.step(0)  # its own episode goes on
    assert not np.array_equal(env.reset(seed=4)[0], observation)


class Raises(Counted):
    """Raise in the third step."""

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self.steps == 2:
            raise ValueError("of its own")
        return super().step(action)


def test_where_an_environment_raises_its_first_play_ends() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        play = first_play(Raises(), 12)
    assert (play.steps, play.rewards) == (2, [[0.0, 0.0]])


def test_of_an_empty_box_nothing_is_known() -> None:
    class Empty(Counted):
        observation_space = Box(0.0, 1.0, (0,))  # type: ignore[assignment]

        def _shown(self) -> Any:
            return np.zeros(0, np.float32)

    assert first_play(Empty(), 12).steps == 12


def test_no_window_opens_and_no_video_is_written() -> None:
    kinds = (gym.wrappers.RecordVideo, gym.wrappers.TimeAwareObservation)
    layers = [WrapperSpec(k.__name__, f"{k.__module__}:{k.__name__}", {}) for k in kinds]
    kwargs = {"render_mode": "human", "a": 1}
    spec = EnvSpec("Own-v0", "nowhere:Env", kwargs=kwargs, additional_wrappers=tuple(layers))
    assert quiet(spec).kwargs == {"render_mode": None, "a": 1}
    assert quiet(spec).additional_wrappers == (layers[1],)
    drawn = {"render_mode": "rgb_array"}
    assert quiet(EnvSpec("Own-v0", "nowhere:Env", kwargs=drawn)).kwargs == drawn


class Clock:
    """Tell a time that a slow environment moves on."""

    now, of_cpu = 0.0, 1.0

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.of_cpu * self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Let first plays read a clock that stands still until it is moved."""
    clock = Clock()
    monkeypatch.setattr(patience, "time", clock)
    return clock


class Slow(Counted):
    """Take so many seconds a step."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._clock.now += self._seconds
        return super().step(action)

    def __deepcopy__(self, memo: Any) -> Slow:
        return Slow(self._clock, self._seconds)


@pytest.mark.parametrize(
    ("seconds", "steps"), [(2.0**-11, 2000), (2.0**-9, 1026), (0.011, 200), (0.25, 12)]
)
def test_a_slow_task_is_played_for_some_seconds(
    seconds: float,
    steps: int,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    play = first_play(Slow(clock, seconds))
    assert play.steps == steps == len(play.actions) == sum(map(len, play.rewards))
    assert clock.now < 3.1
    out, told = capsys.readouterr()
    assert out == ""
    assert told.count("random steps") == 1 + (steps < 2000)
    assert ("the task is slow" in told) == (steps < 2000)


@pytest.mark.parametrize(("of_cpu", "steps"), [(0.5, 401), (0.25, 600), (0.0, 600)])
def test_a_busy_machine_or_a_task_that_waits_gets_longer(
    of_cpu: float, steps: int, clock: Clock
) -> None:
    clock.of_cpu = of_cpu
    assert first_play(Slow(clock, 2.0 * 0.00501)).steps == steps


class Pausing(Slow):
    """Take a minute for one of its steps, as on a machine that stands still."""

    def __init__(self, clock: Clock, at: int) -> None:
        super().__init__(clock, 0.0)
        self._left = at

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._left -= 1
        self._seconds = 60.0 if self._left == 0 else 1e-4
        return super().step(action)

    def __deepcopy__(self, memo: Any) -> Pausing:
        return Pausing(self._clock, self._left)


@pytest.mark.parametrize("at", [1, 2, 199, 200, 766, 2000])
@pytest.mark.parametrize("of_cpu", [1.0, 0.0])
def test_a_machine_that_stands_still_once_changes_nothing(
    at: int, of_cpu: float, clock: Clock
) -> None:
    clock.of_cpu = of_cpu
    assert first_play(Pausing(clock, at)).steps == 2000


def test_where_nobody_looks_nothing_is_said(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    first_play(Slow(clock, 0.25))
    assert capsys.readouterr() == ("", "")
