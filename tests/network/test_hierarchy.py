"""Test modules of several hidden layers: the network, paths, checkpoints, all backends alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import Network, SpikingActorCritic
from neurorl.agents.episodes import State
from neurorl.agents.replicas import Replicas
from neurorl.errors import DescriptionError
from neurorl.models import GLM, LIF, actor_network
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.presets import make_config
from neurorl.network.description import Plasticity, Population, Projection, Source
from neurorl.network.modules import hidden_layers, lag, module_projections, path_weights
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import env_group

DEEP: dict[str, Any] = {"actors": 2, "hidden": (3, 2)}


def deep(model: str = "lif", **options: Any) -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", model=model, **{**DEEP, **options})


def test_one_hidden_layer_is_the_same_network_either_way() -> None:
    one, other = (actor_network(5, 3, neuron=GLM(), hidden=hidden) for hidden in (8, (8,)))
    assert one == other
    none, empty = (actor_network(5, 3, neuron=GLM(), hidden=hidden) for hidden in (0, ()))
    assert none == empty


def test_the_network_of_three_hidden_layers() -> None:
    network = actor_network(
        5, 3, neuron=GLM(), actors=2, hidden=(4, 3, 2), signed=True, trace_tau=3e-3
    )
    sizes = {p.name: p.size for p in network.populations}
    assert sizes == {"hidden_3": 24, "hidden_2": 18, "hidden": 12, "output": 6}
    shapes = {p.name: network.weight_shape(p.name) for p in network.projections}
    assert shapes == {
        "input_hidden_3": (5, 24),
        "bias_hidden_3": (1, 24),
        "hidden_3_hidden_2": (6, 4, 3),
        "bias_hidden_2": (1, 18),
        "hidden_2_hidden": (6, 3, 2),
        "bias_hidden": (1, 12),
        "hidden_output": (6, 2, 1),
        "bias_output": (1, 6),
    }
    for p in network.projections:
        assert p.plasticity is not None
        assert p.signed == p.pre.startswith("hidden")
        above = p.pre == "bias" and p.post != "hidden_3"
        assert p.plasticity.trace_tau == (0.0 if above else 3e-3)
    assert network.depth("output") == 4
    assert hidden_layers(network) == ("hidden", "hidden_2", "hidden_3")
    assert module_projections(network) == ("hidden_output", "hidden_2_hidden", "hidden_3_hidden_2")
    assert [lag(network, layer) for layer in hidden_layers(network)] == [1, 2, 3]


def test_a_shorter_way_makes_the_lag_shorter() -> None:
    plastic = Plasticity()
    layers = tuple(Population(name, 2, GLM()) for name in ("hidden_2", "hidden", "output"))
    projections = [
        Projection("a", "input", "hidden_2", plasticity=plastic),
        Projection("b", "hidden_2", "hidden", plasticity=plastic, delay=5e-3),
        Projection("c", "hidden", "output", plasticity=plastic, delay=5e-3),
    ]
    chain = Network((Source("input", 1), *layers), tuple(projections))
    assert (lag(chain, "hidden"), lag(chain, "hidden_2")) == (1, 2)
    projections.append(Projection("d", "hidden_2", "output", plasticity=plastic))
    past = Network(chain.nodes, tuple(projections))
    assert (lag(past, "hidden"), lag(past, "hidden_2")) == (1, 1)
    assert (past.steps("hidden_2", "hidden"), past.steps("output", "hidden")) == (5, None)


def test_path_weights_by_hand() -> None:
    above = np.array([[[2.0], [-1.0]], [[0.5], [0.0]]])  # two modules of two units
    below = np.array([[[1.0, 3.0]], [[4.0, 7.0]]])  # and of one unit
    lowest = np.array([[[-2.0, 1.0]], [[0.5, 0.0]]]).reshape(2, 1, 2).transpose(0, 2, 1)
    paths = path_weights([above, below, lowest], 2)
    assert paths[0].tolist() == [2, -1, 0.5, 0]
    assert paths[1].tolist() == [2 * 1 - 3, 2]  # 0.5 x 4 + 0 x 7
    assert paths[2].tolist() == [2, -1, 1, 0]


def test_signs_are_those_of_the_paths_and_stay() -> None:
    agent = deep()
    w = {name: agent.memory.weights[name].copy() for name in ("hidden_output", "hidden_2_hidden")}
    through = (w["hidden_2_hidden"] @ w["hidden_output"]).ravel()
    expected = {"hidden": w["hidden_output"].ravel(), "hidden_2": through}
    agent.learn(total_episodes=3)
    assert not np.array_equal(agent.memory.weights["hidden_2_hidden"], w["hidden_2_hidden"])
    for layer, path in expected.items():
        assert np.array_equal(agent.memory.signs[layer], np.where(path < 0, -1.0, 1.0))
        assert np.ptp(agent.memory.signs[layer]) == 2


def test_checkpoints_keep_the_signs_of_every_layer(tmp_path: Path) -> None:
    """One layer has the key it always had."""
    keys = {key for key in deep().state() if "signs" in key}
    assert keys == {"learner.signs", "learner.signs.hidden_2"}
    for hidden in (3, 0):
        keys = {key for key in deep(hidden=hidden).state() if "signs" in key}
        assert keys == {"learner.signs"}
    whole, first = deep(seed=2), deep(seed=2)
    first.learn(total_episodes=2)
    first.save(tmp_path / "agent.npz")
    second = SpikingActorCritic.load(tmp_path / "agent.npz")
    assert second.config.hidden == (3, 2)
    assert np.array_equal(second.memory.signs["hidden_2"], first.memory.signs["hidden_2"])
    second.learn(total_episodes=4)
    whole.learn(total_episodes=4)
    same(second.state(), whole.state())


@pytest.mark.parametrize("hidden", [8, 0, (8,), (8, 4), ()])
def test_the_configuration_is_exact_through_json(hidden: Any) -> None:
    config = make_config(make_env("CartPole-v1"), "lif", {"hidden": hidden})
    again = AgentConfig.from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert again.hidden == hidden
    assert type(again.hidden) is type(hidden)


@pytest.mark.parametrize("hidden", [-1, 2.5, True, (8, 0), (8, 2.5), ((2,),)])
def test_layers_are_whole_numbers_of_units(hidden: Any) -> None:
    with pytest.raises(DescriptionError, match="hidden: must be a whole number"):
        deep(hidden=hidden)


def test_the_window_is_long_enough() -> None:
    with pytest.raises(DescriptionError, match=r"too short for 3 layers.*got 3, limit >= 4"):
        deep(window=3)
    assert deep(window=4).config.window == 4
    assert deep("glm").config.window == 4  # the preset, without hidden layers, has 2
    assert deep("glm", hidden=3).config.window == 3


def same(ours: State, theirs: State) -> None:
    """Assert that what two agents know is equal, apart from wall times."""
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert "wall" in key or np.array_equal(ours[key], value), key


@pytest.mark.parametrize("model", ["lif", "glm"])
@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_every_backend_learns_the_same(model: str, arithmetic: str) -> None:
    backends = ["reference", "native", *(["loihi"] if arithmetic == "loihi" else [])]
    found = []
    for backend in backends:
        agent = deep(model, backend=backend, arithmetic=arithmetic, seed=3)
        before = {name: w.copy() for name, w in agent.memory.weights.items()}
        agent.learn(total_episodes=6)
        found.append(agent.state())
        for name, w in agent.memory.weights.items():
            assert not np.array_equal(w, before[name])
    for other in found[1:]:
        same(other, found[0])


@pytest.mark.parametrize("loop", ["native", "numpy"])
@pytest.mark.parametrize("backend", ["reference", "native"])
def test_replicas_are_as_each_is_alone(backend: str, loop: str) -> None:
    seeds = (4, 0, 2**62)
    config = make_config(make_env("CartPole-v1"), "lif", DEEP)
    envs = env_group([make_env("CartPole-v1") for _ in seeds])
    together = Replicas(envs, config, 2, seeds, backend=backend, loop=loop)
    together.learn(total_episodes=3)
    for k, seed in enumerate(seeds):
        alone = deep(backend=backend, loop=loop, seed=seed)
        alone.learn(total_episodes=3)
        same(together.state(k), alone.state())


def test_the_stdp_gate_covers_every_hidden_layer() -> None:
    """The change of td-stdp without depression, phi b x s, has the sign of phi b."""
    neuron = LIF(threshold=0.2, noise=0.5)
    agent = deep(rule="td-stdp", actors=1, neuron=neuron, hidden=(3, 2), depression=0.0)
    loop = agent._replicas.loop
    loop.see(0, np.zeros(4))
    loop.begin(0)
    loop.decide()
    loop.see(0, np.zeros(4))
    loop.learn()
    action = int(loop.actions[0])
    for name, layer, per_module in (
        ("input_hidden_2", "hidden_2", 3),
        ("bias_hidden", "hidden", 2),
        ("bias_output", "output", 1),
    ):
        e = agent.memory.eligibility[name]
        expected = -np.ones(e.shape[1])
        expected[action * per_module : (action + 1) * per_module] = 1.0
        expected *= agent.memory.signs.get(layer, 1.0)
        assert e.any()
        assert np.array_equal(np.sign(e), np.where(e == 0.0, 0.0, expected))
