"""Test the encoder 'current': what an agent learns with it, on every backend; refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl import Network, SpikingActorCritic
from neurorl.agents.evaluation import evaluate
from neurorl.agents.replicas import Replicas
from neurorl.errors import DescriptionError
from neurorl.models import GLM
from neurorl.models.agent.encoders import constant_currents
from neurorl.models.defaults.presets import make_config
from neurorl.network.description import Population, Projection, Source
from neurorl.network.neuron import Integrator
from neurorl.numerics.elementary import exp
from neurorl.rules.membrane import Start, spike_probability
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import env_group

SMALL: dict[str, Any] = {"actors": 2, "hidden": 3, "encoder": "current"}
WAYS: list[tuple[str, str, dict[str, Any]]] = [
    ("reference", "loihi", {}),
    ("native", "loihi", {}),
    ("brian2", "loihi", {"engine": "numpy"}),
    ("loihi", "loihi", {}),
    ("loihi", "loihi", {"engine": "stock"}),
    ("reference", "float", {}),
    ("native", "float", {}),
    ("brian2", "float", {"engine": "numpy"}),
]


def test_activations_on_the_grid_by_hand() -> None:
    seen = constant_currents(np.array([0.0, 0.3, 1.0, 0.001, 1.5 / 256]))
    assert seen.tolist() == [0.0, 77 / 256, 1.0, 0.0, 2 / 256]


def test_the_same_episodes_on_every_backend() -> None:
    first: dict[str, Any] = {}
    for backend, arithmetic, options in WAYS:
        agent = SpikingActorCritic(
            "CartPole-v1", "lif", backend, arithmetic, 7, backend_options=options, **SMALL
        )
        episodes = [(e.ret, e.length) for e in agent.learn(total_episodes=6)]
        state = {key: value for key, value in agent.state().items() if "wall" not in key}
        agent.close()
        expected_episodes, expected = first.setdefault(arithmetic, (episodes, state))
        assert episodes == expected_episodes
        for key, value in expected.items():
            assert np.array_equal(state[key], value), (backend, options, key)
    weights = [first[arithmetic][1]["learner.weights.input_hidden"] for arithmetic in first]
    assert len(weights) == 2
    assert not np.array_equal(*weights)


@pytest.mark.parametrize(("backend", "arithmetic"), [("native", "float"), ("loihi", "loihi")])
def test_agents_side_by_side_are_as_they_are_alone(backend: str, arithmetic: str) -> None:
    envs = [make_env("CartPole-v1") for _ in range(2)]
    config = make_config(envs[0], "lif", SMALL)
    together = Replicas(env_group(envs), config, 2, (4, 9), backend=backend, arithmetic=arithmetic)
    together.learn(total_episodes=3)
    for k, seed in enumerate((4, 9)):
        agent = SpikingActorCritic(
            "CartPole-v1", backend=backend, arithmetic=arithmetic, seed=seed, config=config
        )
        agent.learn(total_episodes=3)
        ours = together.state(k)
        for key, value in agent.state().items():
            assert "wall" in key or np.array_equal(ours[key], value), key
        agent.close()
    together.close()


def test_no_spike_enters_the_network() -> None:
    agent = SpikingActorCritic("CartPole-v1", seed=3, **SMALL)
    assert agent.network.currents == {"input", "bias"}
    assert agent.network.depth("output") == 1
    window = agent._replicas.loop.window
    before = agent.memory.weights["input_hidden"].copy()
    agent.learn(total_episodes=2)
    assert window.inputs["bias"].tolist() == [1.0]
    assert window.inputs["input"].shape == (agent.config.cells.size,)
    assert 0 < window.inputs["input"].max() <= 1
    assert (agent.memory.weights["input_hidden"] != before).any()


def test_probability_with_a_current_by_hand() -> None:
    """The membrane is 0.25 + 0.5 in the first step, and half of it more in the second."""
    one = np.ones(1)
    d = Integrator(0 * one, 0.5 * one, 0 * one, 0.25 * one, 0.5 * one, np.zeros(1, dtype=np.int64))
    start = Start(bias=0.75 * one)
    seen = spike_probability(d.plan(), {}, np.zeros((2, 1), bool), start)
    assert seen.ravel().tolist() == (1 / (1 + exp(-2 * np.array([0.75, 1.125])))).tolist()


def test_synops_of_a_current_are_products_of_a_decision() -> None:
    """The one-hot state and the bias go to 4 outputs each, once a decision."""
    agent = SpikingActorCritic(
        make_env("FrozenLake-v1"), actors=1, hidden=0, window=3, encoder="current"
    )
    assert evaluate(agent, 2)["synops_per_decision"] == 2 * 4
    agent.close()


def own(kind: str) -> Network:
    return Network(
        (Source("input", 40, kind), Population("output", 4, GLM())),
        (Projection("drive", "input", "output"),),
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rule": "reward-stdp"}, "pairs spikes, of which a current has none.*'quiet'"),
        ({"description": own("spikes")}, "needs a source 'input' of another kind.*'current'"),
        ({"description": own("current"), "encoder": "quiet"}, "another kind.*'spikes'"),
        ({"window": 1}, "too short for 1 layers"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DescriptionError, match=words):
        make_config(make_env("CartPole-v1"), "lif", {"encoder": "current", **options})
