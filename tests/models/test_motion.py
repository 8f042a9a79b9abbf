"""Images that hide how things move have a trace of those before, and others have none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from gymnasium.wrappers import TimeLimit

from neurorl import LinearActorCritic, SpikingActorCritic, evaluate
from neurorl.errors import DescriptionError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.memories import Memories
from neurorl.models.agent.past import NOTHING, Past
from neurorl.models.deep.patches import Patches
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.motion import TRACES
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Raw
from neurorl.models.features.of_others import BlockMeans

SHAPES = [(5, 9), (8, 8), (10, 6)]


class Balls(gym.Env[Any, Any]):
    """Pay for saying which way a ball goes, beside another one that goes anywhere.

    shows: also where the ball was in the step before. drawn: whether its moves are drawn.
    """

    def __init__(self, size: tuple[int, int] = (8, 8), shows: bool = False, drawn: bool = False):
        self._size, self._shows, self._drawn = size, shows, drawn
        self.observation_space = Box(0, 255, (*size, 2 + shows), np.uint8)
        self.action_space = Discrete(2)

    def _shown(self) -> Any:
        image = np.zeros(self.observation_space.shape or (), np.uint8)
        image[self._row, self._at, 0] = image[(*self._other, 1)] = 255
        if self._shows:
            image[self._row, self._was, 2] = 255
        return image

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._row, self._at = (int(self.np_random.integers(n)) for n in self._size)
        self._was, self._way = self._at, 1
        self._other = self.np_random.integers(self._size)
        self._turn()
        return self._shown(), {}

    def _turn(self) -> None:
        """Go back at a wall, or anywhere."""
        if self._drawn or self.np_random.random() < 0.05:
            self._way = int(self.np_random.choice((-1, 1)))
        if not 0 <= self._at + self._way < self._size[1]:
            self._way = -self._way

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        right = (self._way > 0) == bool(action)
        self._was, self._at = self._at, self._at + self._way
        self._other = np.clip(
            self._other + self.np_random.integers(-1, 2, 2), 0, np.array(self._size) - 1
        )
        self._turn()
        return self._shown(), 1.0 if right else -1.0, False, False, {}


class Walk(Balls):
    """Let actions move the ball, which walls stop."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._at = int(np.clip(self._at + (1 if action else -1), 0, self._size[1] - 1))
        self._other = np.clip(
            self._other + self.np_random.integers(-1, 2, 2), 0, np.array(self._size) - 1
        )
        return self._shown(), float(self._at == self._other[1]), False, False, {}


gym.register("tests/Balls-v0", Balls, max_episode_steps=30)  # type: ignore[arg-type]


def balls(*args: Any, **options: Any) -> gym.Env[Any, Any]:
    return TimeLimit(Balls(*args, **options), 30)


def images_of(config: AgentConfig) -> int:
    """Return how many images each patch sees."""
    assert isinstance(config.trunk, Shared)
    assert config.trunk.patches is not None
    return config.trunk.patches.images


def test_traces_by_hand() -> None:
    memories = Memories(Past(traces=(0.5, 0.0)), 1)
    shown = [
        memories.see_numbers(0, np.array(now)).tolist()
        for now in ([4.0, 0.0], [1.0, 8.0], [0.0, 0.0])
    ]
    assert shown == [
        [4.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [1.0, 8.0, 4.0, 0.0, 4.0, 0.0],
        [0.0, 0.0, 2.0, 8.0, 1.0, 8.0],
    ]


@pytest.mark.parametrize("size", SHAPES)
def test_a_ball_whose_way_is_hidden_leaves_a_trace(size: tuple[int, int]) -> None:
    config = make_config(balls(size))
    assert config.past == Past(traces=TRACES)
    assert images_of(config) == 2
    assert config.cells.n_inputs == 4 * size[0] * size[1]


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("kind", ["shown", "drawn", "moved by actions"])
def test_nothing_is_hidden_where_a_ball_shows_its_way_or_has_none(
    kind: str, size: tuple[int, int]
) -> None:
    env = TimeLimit(Walk(size), 30) if kind == "moved by actions" else None
    config = make_config(env or balls(size, kind == "shown", kind == "drawn"))
    assert images_of(config) == 1
    assert config.past == NOTHING


def test_the_default_learns_which_way_a_ball_goes() -> None:
    options: Any
    returns = []
    for options in ({}, {"traces": ()}):
        agent = SpikingActorCritic(balls(), seed=100, **options)
        agent.learn(total_timesteps=8_000)
        returns.append(evaluate(agent, episodes=50)["mean_return"])
    seen, blind = returns
    assert seen > 20.0 > 10.0 > blind


def test_traces_that_are_named_are_seen_by_each_patch() -> None:
    options: Any
    for options in ({}, {"model": "deep"}):
        agent = SpikingActorCritic(balls(drawn=True), seed=3, traces=(0.9, 0.5), **options)
        assert images_of(agent.config) == 3
        agent.learn(total_steps=40)


def test_large_images_have_traces_if_these_are_named() -> None:
    """Their first play doesn't keep every observation, so it isn't asked."""
    assert make_config(balls((40, 40))).past == NOTHING
    agent = SpikingActorCritic(balls((40, 40)), seed=3, traces=(0.5,))
    assert isinstance(agent.config.cells, BlockMeans)
    assert images_of(agent.config) == 2
    agent.learn(total_steps=40)


@pytest.mark.parametrize("name", ["memories", "traces", "trunk.patches"])
def test_who_says_what_is_seen_gets_no_trace(name: str) -> None:
    named = {name: Patches((8, 8, 2)) if name == "trunk.patches" else ()}
    assert make_config(balls(), "lif", named).past == NOTHING


def test_cells_of_images_alone_are_refused_beside_traces() -> None:
    with pytest.raises(DescriptionError, match="got 256, limit 128"):
        SpikingActorCritic(balls(), seed=3, model="deep", traces=(0.5,), cells=Raw(128, 255.0))


def test_a_control_without_neurons_sees_traces() -> None:
    agent = LinearActorCritic(
        "tests/Balls-v0", seed=3, traces=(0.8,), cells=Raw(256, 255.0), features=Raw(256, 255.0)
    )
    agent.learn(total_steps=50)
    assert agent.config.past == Past(traces=(0.8,))


def test_both_loops_and_a_saved_agent_learn_the_same_within_an_episode(tmp_path: Path) -> None:
    one, other = (SpikingActorCritic("tests/Balls-v0", seed=3, loop=k) for k in ("numpy", None))
    assert one.config.past == Past(traces=TRACES)
    one.learn(total_steps=100)
    other.learn(total_steps=70)
    other.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz")
    loaded.learn(total_steps=100)
    for key, weights in one.weights.items():
        assert np.array_equal(weights, loaded.weights[key])
