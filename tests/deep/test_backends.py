"""Learn on every backend, with the same bits; players, too, on whatever they play."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from deep_agents import Small, deep_agent, differing, known, loop_of

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import evaluate
from neurorl.native import toolchain
from neurorl.numerics.arrays import Array

compiled = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
FLOAT: dict[str, dict[str, Any]] = {
    "reference": {},
    "native": {},
    "brian2": {"engine": "cython"},
    "torch": {},
}
CHIP: dict[str, dict[str, Any]] = {"reference": {}, "native": {}, "loihi": {}}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "spikes, homeostasis": ({}, {"hidden": (7, 5)}),
    "spikes, pool": ({}, {"trunk.normalisation": "pool", "hidden": (7, 5)}),
    "currents, homeostasis": ({"seen": "image"}, {"hidden": (7, 5)}),
    "patches": ({"seen": "picture"}, {}),
    "patches of shades": ({"seen": "shades"}, {"trunk.normalisation": "homeostasis"}),
    "currents, pool": ({"seen": "numbers", "taken": "numbers"}, {"hidden": (7, 5)}),
    "currents, no hidden layers": ({"seen": "numbers"}, {"hidden": 0}),
}


def learned(backend: str, arithmetic: str, kind: str, options: dict[str, Any]) -> dict[str, Array]:
    env, chosen = KINDS[kind]
    agent = deep_agent(
        Small(**env), backend=backend, arithmetic=arithmetic, backend_options=options, **chosen
    )
    agent.learn(total_steps=60)
    found = known(agent)
    found |= {name: x for name, x in agent.state().items() if name.endswith(".voltage")}
    agent.close()
    return found


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_backends_have_the_same_bits_in_float_arithmetic(kind: str) -> None:
    expected = learned("reference", "float", kind, {})
    for backend in ("native", "brian2", "torch"):
        if backend == "torch":
            pytest.importorskip("torch", reason="torch is not installed")
        assert not differing(learned(backend, "float", kind, FLOAT[backend]), expected), backend


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_backends_have_the_same_bits_in_chip_arithmetic(kind: str) -> None:
    expected = learned("reference", "loihi", kind, {})
    for backend in ("native", "loihi"):
        assert not differing(learned(backend, "loihi", kind, CHIP[backend]), expected), backend


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("kind", KINDS)
def test_neurons_spike_where_the_host_says(kind: str, backend: str) -> None:
    """A drive beyond the neuron's mean by its deviation is a spike, and no other is."""
    if backend == "native" and toolchain.problem() is not None:
        pytest.skip("no C++ compiler")
    env, options = KINDS[kind]
    agent = deep_agent(Small(**env), backend=backend, **options)
    loop, seen = loop_of(agent), []

    def look(*_: Any) -> None:
        held = loop.memory.passing_arrays
        for layer in loop.layers.hidden:
            u, spikes = held[f"{layer.name}.u"][0], loop.window.rasters[layer.name][layer.row]
            sure = np.abs(u - 1.0) > 1e-4  # a bias is rounded to 2**-20
            assert np.array_equal((u > 1.0)[sure], spikes[sure]), layer.name
            seen.append(spikes.mean())

    for step in range(1, 60):
        agent.learn(total_steps=step)
        if not np.isnan(loop.memory.passing_arrays["before"]).any():
            look()
    assert 0.02 < np.mean(seen) < 0.98
    agent.close()


def prefer_by_features(agent: SpikingActorCritic) -> None:
    """Let actions depend on hidden neurons alone, so that all of them are taken."""
    weights = agent.memory.weights
    weights["bias_output"][...] = 0.0
    shape = weights["hidden_output"].shape
    drawn = np.random.default_rng(1).uniform(-1.0, 1.0, shape)
    weights["hidden_output"][...] = drawn - drawn.mean(axis=0)


def choices(agent: SpikingActorCritic, seed: int, **options: Any) -> list[Any]:
    """Return what a player does and how probable it found it, for fixed observations."""
    player = agent.player(seed, **options)
    draw = np.random.default_rng(3)
    found: list[Any] = []
    for _ in range(25):
        move = player.move(3.0 * draw.standard_normal(3) + 1.0)
        found.append((move.action, move.policy.tolist()))
    player.backend.close()
    return found


@compiled
@pytest.mark.parametrize("explore", [False, True])
@pytest.mark.parametrize("normalisation", ["homeostasis", "pool"])
def test_players_of_all_backends_do_the_same(normalisation: str, explore: bool) -> None:
    options: dict[str, Any] = {"trunk.normalisation": normalisation, "hidden": 20}
    agent = deep_agent(Small("numbers"), **options)
    agent.learn(total_steps=80)
    prefer_by_features(agent)
    before = known(agent)
    expected = choices(agent, 5, explore=explore)
    assert len({action for action, _ in expected}) > 1
    for backend in ("native", "brian2"):
        found = choices(agent, 5, backend=backend, explore=explore, arithmetic="float")
        assert found == expected, backend
    of_chip = choices(agent, 5, explore=explore, backend="reference", arithmetic="loihi")
    assert choices(agent, 5, explore=explore, backend="loihi") == of_chip
    assert not differing(known(agent), before)
    agent.close()


def test_statistics_travel_with_a_player() -> None:
    """An agent that has seen another range of numbers chooses otherwise, with the same weights."""
    agent = deep_agent(Small("numbers"), **{"trunk.normalisation": "homeostasis"})
    agent.learn(total_steps=80)
    prefer_by_features(agent)
    player = agent.player(5)
    played, own = player._loop.memory.lasting_arrays(), loop_of(agent).memory.lasting
    for name in ("seen.mean", "seen.square", "seen.count", "hidden.mean", "hidden.variance"):
        assert np.array_equal(played[name], own[name])
        assert own[name].any()
    player.move(np.full(3, 50.0))
    assert np.array_equal(played["seen.mean"], own["seen.mean"])  # it has learned nothing
    assert np.array_equal(played["hidden.mean"], own["hidden.mean"])
    expected = choices(agent, 5)
    own["seen.mean"] += 2.0
    assert choices(agent, 5) != expected
    player.backend.close()
    agent.close()


@compiled
def test_evaluation_is_the_same_on_all_backends() -> None:
    agent = deep_agent(Small())
    agent.learn(total_steps=80)
    prefer_by_features(agent)
    found: list[dict[str, Any]] = [
        dict(evaluate(agent, episodes=4, backend=backend, seed=3, arithmetic="float"))
        for backend in ("reference", "native")
    ]
    assert found[0].pop("backend") == "reference"
    assert found[1].pop("backend") == "native"
    assert found[0] == found[1]
    agent.close()


@pytest.mark.parametrize("taken", ["one", "several", "numbers"])
def test_predictions_have_the_form_of_actions(taken: str) -> None:
    env = Small("bits", taken)
    agent = deep_agent(env)
    agent.learn(total_steps=30)
    seen = np.array([True, False, True, True, False])
    action = agent.predict(seen)
    assert env.action_space.contains(action if taken != "one" else np.int64(action))
    assert np.array_equal(action, agent.predict(seen))
    assert np.array_equal(agent.predict_batch(np.array([seen, seen])), [action, action])
    agent.close()
