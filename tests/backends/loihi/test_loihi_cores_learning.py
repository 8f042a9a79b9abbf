"""Agents on small cores learn what they learn on large ones, in every bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from simulators import loihi_of

from neurorl import SpikingActorCritic
from neurorl.agents.replicas import Replicas
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import SeparateEnvs

LEARN: dict[str, dict[str, Any]] = {
    "actors": {"actors": 2, "hidden": 3},
    "spiking critic": {"model": "lif-spiking-critic", "actors": 2, "hidden": 3},
    "8-bit writes": {"actors": 2, "hidden": 3, "writes": "stochastic"},
    "signed units": {"model": "glm", "actors": 2, "hidden": 3},
    "taps": {"actors": 2, "hidden": 3, "stimulus_lags": 2, "history_lags": 2},
}


def learned(**options: Any) -> tuple[Any, Any]:
    agent = SpikingActorCritic("CartPole-v1", seed=3, **options)
    agent.learn(total_episodes=3)
    state = {k: v for k, v in agent.state().items() if "wall" not in k}
    played = [(e.ret, e.length, e.discounted) for e in agent.episodes]
    agent.close()
    return played, state


@pytest.mark.parametrize("stock", [False, True])
@pytest.mark.parametrize("kind", LEARN)
def test_agents_learn_the_same_on_small_cores(kind: str, stock: bool) -> None:
    core = CoreLimits(compartments=8)
    ways = [("reference", {}), ("loihi", {"core": core, "engine": "stock" if stock else "native"})]
    (expected, theirs), (played, ours) = (
        learned(backend=name, arithmetic="loihi", backend_options=options, **LEARN[kind])
        for name, options in ways
    )
    assert played == expected
    assert ours.keys() == theirs.keys()
    assert [key for key, value in theirs.items() if not np.array_equal(ours[key], value)] == []


def test_agents_side_by_side_learn_the_same_on_small_cores() -> None:
    config = make_config(make_env("CartPole-v1"), "lif", {"actors": 2, "hidden": 3})
    together = Replicas(
        SeparateEnvs([make_env("CartPole-v1") for _ in range(2)]),
        config,
        2,
        (5, 6),
        backend="loihi",
        options={"core": CoreLimits(compartments=5)},
    )
    together.learn(total_episodes=3)
    for k, seed in enumerate((5, 6)):
        agent = SpikingActorCritic("CartPole-v1", seed=seed, arithmetic="loihi", actors=2, hidden=3)
        agent.learn(total_episodes=3)
        theirs, ours = agent.state(), together.state(k)
        assert [
            k for k, v in theirs.items() if "wall" not in k and not np.array_equal(ours[k], v)
        ] == []


def test_the_spiking_critic_of_256_cells_and_200_neurons() -> None:
    options: dict[str, Any] = {"model": "lif-spiking-critic", "critic.neurons": 200}
    agent = SpikingActorCritic("CartPole-v1", backend="loihi", **options)
    rows = {row["population"]: row for row in loihi_of(agent._replicas.backend).chip_table()}
    agent.close()
    critic = rows["critic"]
    assert (critic["cores"], critic["compartments"], critic["axons_in"]) == (1, 200, 256)
    assert critic["synapse_bits"] == 256 * (3 * 576 + 128)  # 64, 64, 64 and 8 weights, and headers
