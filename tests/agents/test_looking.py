"""Agents look again at what a first play chose: alone, side by side, stopped and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from noise import Shows
from sampled import sampled
from tasks_that_grow import CueInTwo, Door

from neurorl import SpikingActorCritic
from neurorl.agents import looking
from neurorl.agents.budget import Budget
from neurorl.agents.sharding import LookingGroups, side_by_side
from neurorl.models.agent.past import Past
from neurorl.models.defaults import looks
from neurorl.models.defaults.presets import make_config
from neurorl.runs.training import train, train_seeds
from neurorl.storage.plain import PlainData
from neurorl.tasks.groups import SeparateEnvs

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")

Env = gym.Env[Any, Any]
STEPS = 900
TRUNKS = pytest.mark.parametrize(
    "options", [{}, {"trunk": "modules"}], ids=["hidden layers", "modules"]
)


@pytest.fixture(autouse=True)
def early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let agents look early, after fewer steps."""
    for module in (looks, looking):
        monkeypatch.setattr(module, "LOOKS", (300, 700))
        monkeypatch.setattr(module, "WINDOW", 250)


def agent_of(make: Callable[[], Env] = Door, seed: int = 1, **options: Any) -> SpikingActorCritic:
    return SpikingActorCritic(make(), seed=seed, **options)


def learned(agent: SpikingActorCritic) -> dict[str, Any]:
    """Return all that an agent has learned, and what it did, but for its weights in force."""
    kept = {n: a for n, a in agent.state().items() if not n.startswith("backend.")}
    return kept | {"config": agent.config.to_dict()}


def assert_alike(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_equal(value, other[name], name)


@TRUNKS
def test_a_look_changes_what_must_change_and_says_so(options: Any) -> None:
    agent = agent_of(**options)
    before = agent.config
    agent.learn(total_steps=STEPS)
    first, second = agent.looks
    all_tested = ("reward_scale", "memories", "cells")
    assert first.tested == (all_tested if options else all_tested[-1:])
    assert second.changed == ()
    assert first.steps == 300
    assert any(text.startswith("cells") for text in first.changed)
    assert agent.config.cells != before.cells
    assert agent.config.cells.size > before.cells.size
    assert agent.config.looked == (f"300: {'; '.join(first.changed)}",)
    assert len(agent.episodes) == STEPS // 60
    assert agent.steps_taken == STEPS
    assert agent.network.node("input").size == agent.config.cells.size


@pytest.mark.parametrize(
    "make", [partial(gym.make, "FrozenLake-v1"), partial(gym.make, "Pendulum-v1")]
)
def test_where_nothing_must_change_no_bit_does(make: Callable[[], Env]) -> None:
    looking_again, not_looking = agent_of(make), agent_of(make, looks_at=())
    for agent in (looking_again, not_looking):
        agent.learn(total_steps=STEPS)
    one, other = learned(looking_again), learned(not_looking)
    assert one.pop("config").pop("looks_at")
    assert other.pop("config")
    assert len(looking_again.looks) == 2
    assert not_looking.looks == []
    assert_alike(one, other)


@pytest.mark.parametrize("stop", sampled([300, 40, 299, 130, 301, 690, 420, 720, 730], 2))
@TRUNKS
def test_a_saved_agent_comes_to_the_same_looks(options: Any, stop: int, tmp_path: Path) -> None:
    agent, other = agent_of(**options), agent_of(**options)
    agent.learn(total_steps=STEPS)
    other.learn(total_steps=stop)
    other.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz", env=Door())
    for one in (loaded, other):
        one.learn(total_steps=STEPS)
        assert_alike(learned(one), learned(agent))
        assert one.looks == agent.looks


@pytest.mark.parametrize(
    "space",
    [
        Discrete(40, start=-3),
        MultiBinary((2, 2)),
        MultiDiscrete(np.array([[2, 3]])),
        Box(0, 1, ()),
        Box(0, 1, (3, 3)),
        Box(0, 255, (8, 8, 1), np.uint8),
        Dict(a=Tuple((Discrete(2), Box(-1, 1, (1,)))), b=Box(0, 9, (2, 2), np.int64)),
    ],
    ids=str,
)
def test_an_agent_saved_before_a_look_goes_on_in_every_space(
    space: Space[Any], tmp_path: Path
) -> None:
    """Join what was seen before and after an agent was saved, in whatever form it is shown."""
    agent, other = (SpikingActorCritic(Shows(space), seed=1) for _ in range(2))
    agent.learn(total_steps=390)
    other.learn(total_steps=210)
    other.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz", env=Shows(space))
    loaded.learn(total_steps=390)
    assert_alike(learned(loaded), learned(agent))
    assert loaded.looks == agent.looks


@pytest.mark.parametrize(
    "acts",
    [{}, {"sees_actions": True}, {"sees_rewards": True, "held_by": (0,), "summed_by": (1,)}],
)
def test_hidden_layers_go_on_with_a_memory(
    acts: PlainData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looks, "past_of", lambda *_: Past(memories=(1.0,), **acts))
    agent, other = agent_of(CueInTwo), agent_of(CueInTwo)
    agent.learn(total_steps=STEPS)
    assert agent.looks[0].changed[0] == "memories () -> (1.0,)"
    assert agent.config.trunk.is_shared
    assert agent.config.past == Past(memories=(1.0,), **acts)
    assert agent.network.node("input").size == agent.config.cells.size
    for stop in (200, 420):
        other.learn(total_steps=stop)
        other.save(tmp_path / "agent.npz")
        other = SpikingActorCritic.load(tmp_path / "agent.npz", env=CueInTwo())
    other.learn(total_steps=STEPS)
    assert_alike(learned(other), learned(agent))


@TRUNKS
def test_seeds_side_by_side_play_as_each_alone(options: Any) -> None:
    config = make_config(Door(), overrides=options)
    seeds = (1, 2, 4, 6, 12)  # which change early, late, never and twice
    envs = SeparateEnvs([Door() for _ in seeds])
    together = side_by_side(envs, config, 2, seeds, backend="native")
    assert isinstance(together, LookingGroups)
    together.learn(total_steps=330)
    together.learn(total_steps=STEPS)
    for k, seed in enumerate(seeds):
        alone = agent_of(seed=seed, **options)
        alone.learn(total_steps=STEPS)
        assert together.config_of(k) == alone.config
        assert together.looks(k) == alone.looks
        assert together.episodes[k] == alone.episodes
        one, other = together.state(k), alone.state()
        assert_alike(*({n: a for n, a in s.items() if n[:8] != "backend."} for s in (one, other)))
    changed = [bool(together.config_of(k).looked) for k in range(len(seeds))]
    assert any(changed)
    assert not all(changed)
    together.close()


def test_a_run_that_was_stopped_ends_with_the_same_files(tmp_path: Path) -> None:
    gym.register("Door-v0", "tasks_that_grow:Door", max_episode_steps=60)
    runs = [(seed, tmp_path / f"seed{seed}") for seed in (1, 2)]
    train_seeds("Door-v0", runs, steps=330)
    again = train_seeds("Door-v0", runs, steps=STEPS, resume=True)
    for seed, row in zip((1, 2), again, strict=True):
        alone = train("Door-v0", tmp_path / f"alone{seed}", seed=seed, steps=STEPS)
        assert (row["digest"], row["looks"]) == (alone["digest"], alone["looks"])
        told = json.loads((tmp_path / f"seed{seed}" / "summary.json").read_text())["looks"]
        assert [look["steps"] for look in told] == [300, 720]
    assert any(look["changed"] for row in again for look in row["looks"])
    finished = train("Door-v0", tmp_path / "seed1", resume=True)
    assert finished["digest"] == again[0]["digest"]


def test_a_group_that_is_stopped_before_a_change_comes_to_it_again() -> None:
    config, seeds = make_config(Door()), (1, 6)  # the second goes on as it is
    together = side_by_side(
        SeparateEnvs([Door() for _ in seeds]), config, 2, seeds, backend="native"
    )
    assert isinstance(together, LookingGroups)
    steps = together.play(Budget(None, STEPS))
    while not together.groups[0].left:
        next(steps)
    k = next(iter(together.groups[0].left))
    agent, alone = agent_of(seed=seeds[k]), agent_of(seed=seeds[k])
    agent.restore(together.state(k))
    together.close()
    for one in (agent, alone):
        one.learn(total_steps=STEPS)
    assert agent.looks == alone.looks
    assert_alike(learned(agent), learned(alone))


def test_it_looks_on_in_another_environment_and_forgets_endless_episodes() -> None:
    agent = agent_of()
    agent.learn(total_steps=200)
    agent.set_env(Door())
    agent.learn(total_steps=290)
    assert len(agent.state()["look.rewards"]) == 60
    endless = Door()
    endless.length = 10**6
    other = agent_of(lambda: endless, config=make_config(Door()))
    other.learn(total_steps=STEPS)
    assert not [name for name in other.state() if name.startswith("look.")]
    assert other.looks == []
