"""Agents of neurons by equations: learning, files, what is said of them."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError, DivergenceError, UnsupportedError
from neurorl.models import ADAPTIVE_LIF, COBA_LIF, Equations

NEURON = dataclasses.replace(ADAPTIVE_LIF.with_parameters(v_t=0.5, tau_m=4e-3), noise=0.1)


def agent(backend: str, **options: Any) -> SpikingActorCritic:
    chosen = {"neuron": NEURON, "actors": 3, "seed": 1, **options}
    return SpikingActorCritic("CartPole-v1", backend=backend, **chosen)


@pytest.mark.parametrize("encoder", ["quiet", "current"])
def test_backends_learn_the_same_weights(encoder: str) -> None:
    learned = {}
    for backend in ("reference", "brian2", "torch"):
        with closing(agent(backend, encoder=encoder)) as one:
            before = {name: w.copy() for name, w in one.weights.items()}
            one.learn(4)
            learned[backend] = dict(one.weights), [episode.ret for episode in one.episodes]
        assert any(not np.array_equal(before[name], w) for name, w in one.weights.items())
    expected, returns = learned["reference"]
    for weights, seen in learned.values():
        assert seen == returns
        assert all(np.array_equal(weights[name], expected[name]) for name in expected)


def test_saved_and_gone_on(tmp_path: Path) -> None:
    with closing(agent("reference")) as one:
        one.learn(3)
        one.save(tmp_path / "run")
        with closing(SpikingActorCritic.load(tmp_path / "run")) as other:
            one.learn(2)
            other.learn(2)
            assert other.weights.keys() == one.weights.keys()
            for name, weights in one.weights.items():
                assert np.array_equal(other.weights[name], weights)
            assert other.diagnostics["populations"]


def test_what_is_refused() -> None:
    with pytest.raises(
        DescriptionError, match=r"'hidden' has neurons by equations.*rule of spikes"
    ):
        agent("reference", rule="coagent")
    with pytest.raises(DescriptionError, match=r"say which input of 'hidden' \(limit ge, gi\)"):
        agent("reference", neuron=COBA_LIF)
    with pytest.raises(UnsupportedError, match=r"by equations in chip arithmetic.*CubaLIF, LIF"):
        agent("reference", arithmetic="loihi")


@pytest.mark.parametrize("backend", ["reference", "brian2", "torch"])
def test_neurons_that_diverge_are_named(backend: str) -> None:
    wild = Equations("v = 1e99*v*v + q + 2", "v > 1e308", initial={"v": 0.0})
    with (
        closing(agent(backend, neuron=wild)) as one,
        pytest.raises(DivergenceError, match=r"population '\w+', neuron \d+, .*v has become"),
    ):
        one.learn(30)
