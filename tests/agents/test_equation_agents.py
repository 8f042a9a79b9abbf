"""Test agents of neurons by equations: learning, files, what is said of them."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError, DivergenceError, UnsupportedError
from neurorl.models import ADAPTIVE_LIF, COBA_LIF, CubaLIF, Equations
from neurorl.rules import Rule
from neurorl.rules.membrane import spike_probability
from neurorl.runs.training import train

NEURON = dataclasses.replace(ADAPTIVE_LIF.with_parameters(v_t=0.5, tau_m=4e-3), noise=0.1)


def agent(backend: str, **options: Any) -> SpikingActorCritic:
    chosen = {"neuron": NEURON, "actors": 3, "seed": 1, **options}
    return SpikingActorCritic("CartPole-v1", backend=backend, **chosen)


@pytest.mark.parametrize("encoder", ["quiet", "current"])
def test_backends_learn_the_same_weights(encoder: str) -> None:
    learned = {}
    for backend in ("reference", "native", "torch"):
        with closing(agent(backend, encoder=encoder)) as one:
            before = {name: w.copy() for name, w in one.weights.items()}
            one.learn(total_episodes=4)
            learned[backend] = dict(one.weights), [episode.ret for episode in one.episodes]
        assert any(not np.array_equal(before[name], w) for name, w in one.weights.items())
    expected, returns = learned["reference"]
    for weights, seen in learned.values():
        assert seen == returns
        assert all(np.array_equal(weights[name], expected[name]) for name in expected)


@pytest.mark.parametrize("encoder", ["quiet", "current"])
def test_rules_of_probabilities_learn_the_same_everywhere(encoder: str) -> None:
    learned = []
    for backend in ("reference", "native", "torch"):
        with closing(agent(backend, rule="coagent", encoder=encoder)) as one:
            before = {name: w.copy() for name, w in one.weights.items()}
            one.learn(total_episodes=2)
            learned.append(dict(one.weights))
        assert any(not np.array_equal(before[name], w) for name, w in learned[-1].items())
    for weights in learned[1:]:
        assert all(np.array_equal(weights[name], w) for name, w in learned[0].items())


def test_the_probabilities_are_those_of_a_built_in_neuron() -> None:
    """One neuron by its class and by equations has the same p to the bit, and learns the same."""
    built_in = CubaLIF(2e-3, 6e-3, threshold=0.5, bias=0.1, noise=0.2, refractory=2e-3)
    d = built_in.integrator(1, 1e-3)
    own = Equations(
        "u = keep_u*u + q\nv = keep_v*v + u + bias",
        threshold="v > 0.5",
        reset="v = 0",
        parameters={"keep_u": d.current_decay[0], "keep_v": d.membrane_decay[0], "bias": 0.1},
        initial={"u": 0.0, "v": 0.0},
        noise=0.2,
        refractory=2e-3,
    )
    rng, size, steps = np.random.default_rng(0), 7, 40
    drive, spikes = rng.normal(0.1, 0.4, (steps, size)), rng.random((steps, size)) < 0.2
    plan = own.plan(size, 1e-3)
    described = spike_probability(built_in.plan(size, 1e-3), {"q": drive}, spikes)
    ours = spike_probability(plan, {"q": drive}, spikes)
    dead = described == 0
    assert np.array_equal(ours == 0, dead)
    assert ours[~dead] == pytest.approx(described[~dead], rel=1e-12)


def test_gradients_train_them(tmp_path: Path) -> None:
    """Gradients pass a threshold `left > right`, with noise and without; another is refused."""

    def trained(neuron: Equations, folder: str) -> dict[str, Any]:
        options: dict[str, Any] = {"backend": "torch", "overrides": {"neuron": neuron}}
        options |= {"approach": "reparameterization", "episodes": 8}
        train("CartPole-v1", tmp_path / folder, seed=1, **options)
        with np.load(tmp_path / folder / "checkpoint.npz") as arrays:
            return {name: arrays[name] for name in arrays.files if "weights" in name}

    one, two = (trained(NEURON, folder) for folder in ("one", "two"))
    hard = trained(dataclasses.replace(NEURON, noise=0.0), "hard")
    assert one
    assert all(np.array_equal(one[name], two[name]) for name in one)
    assert any(not np.array_equal(one[name], hard[name]) for name in one)
    odd = Equations("v = 0.9*v + q", "v > 1 and v < 9", "v = 0", initial={"v": 0.0})
    with pytest.raises(UnsupportedError, match=r"gradients need a threshold `left > right`"):
        trained(odd, "odd")


def test_saved_and_gone_on(tmp_path: Path) -> None:
    with closing(agent("reference")) as one:
        one.learn(total_episodes=3)
        one.save(tmp_path / "run")
        with closing(SpikingActorCritic.load(tmp_path / "run")) as other:
            one.learn(total_episodes=5)
            other.learn(total_episodes=5)
            assert other.weights.keys() == one.weights.keys()
            for name, weights in one.weights.items():
                assert np.array_equal(other.weights[name], weights)
            assert other.diagnostics["populations"]


def test_what_is_refused() -> None:
    with pytest.raises(
        DescriptionError, match=r"needs spike probabilities, and 'hidden' has no noise; noise= of"
    ):
        agent("reference", rule="coagent", neuron=dataclasses.replace(NEURON, noise=0.0))
    own = Rule("mine", output="spike - p")
    with pytest.raises(DescriptionError, match=r"'mine', output, character 9 \(p .*has no noise"):
        agent("reference", rule=own, neuron=dataclasses.replace(NEURON, noise=0.0))
    with pytest.raises(DescriptionError, match=r"say which input of 'hidden' \(limit ge, gi\)"):
        agent("reference", neuron=COBA_LIF)
    with pytest.raises(UnsupportedError, match=r"by equations in chip arithmetic.*CubaLIF, LIF"):
        agent("reference", arithmetic="loihi")


@pytest.mark.parametrize("backend", ["reference", "native", "torch"])
def test_neurons_that_diverge_are_named(backend: str) -> None:
    wild = Equations("v = 1e99*v*v + q + 2", "v > 1e308", initial={"v": 0.0})
    with (
        closing(agent(backend, neuron=wild)) as one,
        pytest.raises(DivergenceError, match=r"population '\w+', neuron \d+, .*v has become"),
    ):
        one.learn(total_episodes=30)
