"""Go on from files and beside others as if nothing had happened: every bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deep_agents import REGISTERED, Small, deep_agent, differing, known

from neurorl import SpikingActorCritic
from neurorl.agents.replicas import Replicas
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Raw
from neurorl.native import toolchain
from neurorl.numerics.arrays import Array
from neurorl.tasks.groups import env_group

WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bits": ({}, {}),
    "in NumPy": ({}, {"loop": "numpy"}),
    "two layers, pool": ({}, {"hidden": (7, 5), "trunk.normalisation": "pool"}),
    "plain steps": ({}, {"trunk.step_size": "plain", "trunk.feedback": "random"}),
    "traces cut soon": ({"seen": "states"}, {"trunk.faded": 0.5}),
    "no traces": ({"seen": "states"}, {"lambda_actor": 0.0, "critic.lambda_": 0.0}),
    "numbers": ({"seen": "numbers", "taken": "numbers"}, {}),
    "numbers, homeostasis": ({"seen": "numbers"}, {"trunk.normalisation": "homeostasis"}),
    "patches": ({"seen": "picture"}, {}),
    "patches of the chip": ({"seen": "shades"}, {"backend": "native", "arithmetic": "loihi"}),
    "memories": ({"seen": "numbers"}, {"memories": (0.0, 0.9, 1.0, 2.0), "cells": Raw(15)}),
    "masks": ({"masked": True, "taken": "several"}, {}),
    "chip arithmetic": ({"seen": "image"}, {"arithmetic": "loihi"}),
    "the chip": ({}, {"backend": "loihi"}),
    "native": ({}, {"backend": "native"}),
    "native chip": ({}, {"backend": "native", "arithmetic": "loihi"}),
}
SEEDS = (4, 0, 2**62)


def state(agent: SpikingActorCritic) -> dict[str, Array]:
    return {key: np.array(value) for key, value in agent.state().items()}


def made(way: str, **others: Any) -> SpikingActorCritic:
    env, options = WAYS[way]
    if options.get("backend") == "native" and toolchain.problem() is not None:
        pytest.skip("no C++ compiler")
    return deep_agent(Small(**env), **{**options, **others})


def loaded(agent: SpikingActorCritic, way: str, path: Path) -> SpikingActorCritic:
    """Return an agent of a file of *agent*, which isn't used any more."""
    agent.save(path / "agent.npz")
    agent.close()
    return SpikingActorCritic.load(path / "agent.npz", env=Small(**WAYS[way][0]))


@pytest.mark.filterwarnings("ignore:.*environment")
@pytest.mark.parametrize("way", WAYS)
def test_saved_between_episodes_it_goes_on_the_same(way: str, tmp_path: Path) -> None:
    whole, stopped = made(way), made(way)
    for total in (3, 5):
        stopped.learn(total_episodes=total)
        stopped = loaded(stopped, way, tmp_path)
    stopped.learn(total_episodes=9)
    whole.learn(total_episodes=9)
    assert not differing(state(stopped), state(whole))


@pytest.mark.filterwarnings("ignore:.*environment")
@pytest.mark.parametrize("way", WAYS)
def test_saved_in_an_episode_it_goes_on_the_same(way: str, tmp_path: Path) -> None:
    whole, stopped = made(way), made(way)
    for total in (1, 14, 15, 37):
        stopped.learn(total_steps=total)
        stopped = loaded(stopped, way, tmp_path)
    stopped.learn(total_steps=70)
    whole.learn(total_steps=70)
    assert not differing(state(stopped), state(whole))
    assert not differing(known(stopped), known(whole))


@pytest.mark.parametrize(
    "way", ["bits", "two layers, pool", "numbers", "chip arithmetic", "native"]
)
def test_side_by_side_each_is_as_it_is_alone(way: str) -> None:
    env, options = WAYS[way]
    alone = [made(way, seed=seed) for seed in SEEDS]
    backend, arithmetic = options.get("backend", "reference"), options.get("arithmetic")
    together = Replicas(
        env_group([Small(**env) for _ in SEEDS]),
        alone[0].config,
        alone[0]._replicas.n_actions,
        SEEDS,
        backend=backend,
        arithmetic=arithmetic,
    )
    together.learn(total_episodes=4)
    for k, agent in enumerate(alone):
        agent.learn(total_episodes=4)
        ours = {name: np.array(array) for name, array in together.state(k).items()}
        assert not differing(ours, state(agent)), k
        agent.close()
    together.close()


@pytest.mark.parametrize("loop", ["native", "numpy"])
@pytest.mark.parametrize("environments", [2, 3])
def test_several_environments_repeat_and_go_on(
    environments: int, loop: str, tmp_path: Path
) -> None:
    if loop == "native" and toolchain.problem() is not None:
        pytest.skip("no C++ compiler")

    def several() -> SpikingActorCritic:
        return deep_agent(REGISTERED, environments=environments, loop=loop)

    one, again, stopped = several(), several(), several()
    one.learn(total_steps=90)
    again.learn(total_steps=90)
    assert not differing(state(again), state(one))
    stopped.learn(total_steps=41)
    stopped.save(tmp_path / "agent.npz")
    resumed = SpikingActorCritic.load(tmp_path / "agent.npz")
    resumed.learn(total_steps=90)
    assert not differing(state(resumed), state(one))
    loops = {"native": "numpy", "numpy": "native"}
    if toolchain.problem() is None:
        other = deep_agent(REGISTERED, environments=environments, loop=loops[loop])
        other.learn(total_steps=90)
        assert not differing(state(other), state(one))


def test_all_environments_have_the_same_weights() -> None:
    agent = deep_agent(REGISTERED, environments=3)
    before = agent.weights
    agent.learn(total_steps=60)
    for name, weights in agent._replicas.loop.memory.weights.items():
        assert np.array_equal(weights, np.stack([weights[0]] * 3)), name
        assert name == "x" or not np.array_equal(weights[0], before[name]), name
    agent.close()


def test_files_without_a_trunk_are_of_modules(tmp_path: Path) -> None:
    """Files of agents with modules are as they were before there were trunks."""
    config = make_config(Small(), "lif")
    data = config.to_dict()
    assert "trunk" not in data
    assert type(config).from_dict(json.loads(json.dumps(data))) == config
    agent = SpikingActorCritic("neurorl/Bandit-v0", actors=2)
    agent.learn(total_episodes=2)
    agent.save(tmp_path / "agent.npz")
    assert b"trunk" not in json.dumps(agent.describe()).encode()
    again = SpikingActorCritic.load(tmp_path / "agent.npz")
    assert again.config.trunk.name == "modules"
    deep = deep_agent("neurorl/Bandit-v0")
    assert deep.config.to_dict()["trunk"]["type"] == "Shared"


def test_a_file_that_lacks_an_array_is_refused(tmp_path: Path) -> None:
    from neurorl.errors import RunError

    agent = deep_agent()
    agent.learn(total_steps=20)
    held = agent.state()
    for name in ("deep.seen.mean", "deep.input_hidden.h", "learner.weights.input_hidden"):
        with pytest.raises(RunError):
            deep_agent().restore({key: value for key, value in held.items() if key != name})
    with pytest.raises(RunError):
        deep_agent().restore({**held, "deep.hidden.mean": np.zeros(3)})
    with pytest.raises(RunError):
        deep_agent().restore({**held, "deep.hidden.mean": np.full(6, np.nan)})
