"""Check that images that hide how things move have a trace of those before, and others none."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from gymnasium.wrappers import TimeLimit
from moving_balls import Balls, Walk, balls

from neurorl import LinearActorCritic, SpikingActorCritic, evaluate
from neurorl.agents.replicas import Replicas
from neurorl.errors import DescriptionError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.memories import Memories
from neurorl.models.agent.past import NOTHING, Past
from neurorl.models.deep.patches import Patches
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults import layers
from neurorl.models.defaults.images import TRACES, hides_motion
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Raw
from neurorl.models.features.of_others import BlockMeans
from neurorl.runs.training import train
from neurorl.tasks.first_play import first_play
from neurorl.tasks.groups import env_group

SHAPES = [(5, 9), (8, 8), (10, 6)]


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


def test_motion_is_found_where_actions_are_numbers() -> None:
    class Numbers(gym.ActionWrapper[Any, Any, Any]):
        action_space: Any = Box(-1.0, 1.0, (1,))

        def action(self, action: Any) -> Any:
            return int(action[0] > 0.0)

    assert make_config(Numbers(balls())).past == Past(traces=TRACES)
    assert make_config(Numbers(balls(drawn=True))).past == NOTHING


def test_a_play_without_steps_hides_no_motion() -> None:
    play = first_play(balls(), steps=0)
    assert not hides_motion(play, Raw(128), Patches((8, 8, 2)))


def test_agents_of_modules_ask_no_first_play_of_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "shows_images", lambda *_: pytest.fail("a play was asked for"))
    make_config(balls(), "lif", {"actors": 2, "reward_scale": 1.0})


def test_traces_that_are_named_are_seen_by_each_patch() -> None:
    options: Any
    for options in ({}, {"model": "deep"}):
        agent = SpikingActorCritic(balls(drawn=True), seed=3, traces=(0.9, 0.5), **options)
        assert images_of(agent.config) == 3
        agent.learn(total_steps=40)


def test_large_images_have_traces_if_these_are_named() -> None:
    """Ask no first play that doesn't keep every observation, but heed what is named."""
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


@pytest.mark.parametrize("loop", [None, "numpy"])
@pytest.mark.parametrize("kind", [gym.vector.SyncVectorEnv, gym.vector.AsyncVectorEnv])
def test_agents_of_a_vector_have_traces_of_their_own(kind: Any, loop: str | None) -> None:
    """Agents whose episodes end at different steps learn as each does alone, bit for bit."""
    config, seeds = make_config(balls(), "lif"), (4, 0, 7)
    assert config.past.traces == TRACES
    makers = [functools.partial(TimeLimit, Balls(), steps) for steps in (30, 7, 11)]
    together = Replicas(env_group(kind(makers)), config, 2, seeds, backend="native", loop=loop)
    together.learn(total_steps=40)
    for k, (seed, make) in enumerate(zip(seeds, makers, strict=True)):
        agent = SpikingActorCritic(make(), config=config, backend="native", seed=seed, loop=loop)
        agent.learn(total_steps=40)
        ours, theirs = together.state(k), agent.state()
        assert ours.keys() == theirs.keys()
        assert [key for key in theirs if ours[key].tobytes() != theirs[key].tobytes()] == []
        agent.close()
    together.close()


def test_a_run_that_stops_within_an_episode_keeps_its_traces(tmp_path: Path) -> None:
    def digest(name: str, steps: int, resume: bool = False) -> str:
        return str(train("tests/Balls-v0", tmp_path / name, steps=steps, resume=resume)["digest"])

    whole = digest("whole", 100)
    assert digest("run", 47) != whole
    assert digest("run", 100, resume=True) == whole
