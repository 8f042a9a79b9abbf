"""A rule as sPyNNaker's neuromodulated STDP: its equations in NumPy against `Learning`."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from spynnaker_stdp import weights_after

import neurorl
from neurorl import Learning, Network, Plasticity, Population, Projection, Source
from neurorl.errors import UnsupportedError
from neurorl.models import LIF
from neurorl.rules import find_rule
from neurorl.spinnaker import neuromodulated_stdp

PLASTIC = Plasticity(trace_tau=0.02, low=0.0, high=3.0)
OWN: dict[str, Any] = {"rate": 0.02, "eligibility_tau": 0.5}


def learned(
    rule: str, rewards: list[float], depression: float, seed: int, silence: int = 300
) -> tuple[Any, ...]:
    """Weights of `Learning`, and those of sPyNNaker's equations; none pairs within a step.

    Inputs arrive in even steps, a strong one makes the neurons spike in odd ones; after each
    reward there is silence.
    """
    rng = np.random.default_rng(seed)
    start = rng.uniform(0.5, 1.0, (6, 4))
    cells = Population("cells", 4, LIF(threshold=50.0, tau_mem=1e-4))
    network = Network(
        (Source("input", 6), Source("teacher", 4), cells),
        (
            Projection("learns", "input", "cells", start, plasticity=PLASTIC),
            Projection("tells", "teacher", "cells", 100.0 * np.eye(4)),
        ),
    )
    k = neuromodulated_stdp(rule, PLASTIC, depression=depression, c_max=500.0, **OWN)
    pre: list[Any] = []
    post: list[Any] = []
    dopamine: dict[int, float] = {}
    with neurorl.load("reference", network) as backend:
        learning = Learning(backend, rule, depression=depression, post_tau=0.02, **OWN)
        for reward in rewards:
            inputs = {"input": rng.random((60, 6)) < 0.2, "teacher": rng.random((60, 4)) < 0.2}
            inputs["input"][::2] = inputs["teacher"][1::2] = False
            inputs["input"][-2:] = inputs["teacher"][-2:] = False
            post.append(learning.window(inputs, 60)["cells"])
            learning.reinforce(reward)
            dopamine[59 + (60 + silence) * len(pre)] = reward * k.concentration
            pre.append(np.roll(inputs["input"], 1, axis=0))
            silent = {
                name: np.zeros((silence, raster.shape[1]), bool) for name, raster in inputs.items()
            }
            if silence:
                post.append(learning.window(silent, silence)["cells"])
            pre[-1] = np.concatenate([pre[-1], silent["input"]])
        ours = learning.weights("learns")
    theirs = weights_after(k, start, np.concatenate(pre), np.concatenate(post), dopamine)
    return start, ours, theirs


@pytest.mark.parametrize("rewards", [[1.0], [1.0, -0.5, 2.0, 0.0, 1.0]])
def test_weights_are_those_of_its_equations(rewards: list[float]) -> None:
    start, ours, theirs = learned("reward-stdp", rewards, 0.0, 1)
    assert np.abs(ours - start).max() > 0.01
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=5e-5)  # of weights that move by 1


def test_an_eligibility_that_falls_below_0_is_what_differs() -> None:
    start, ours, theirs = learned("reward-stdp", [1.0, 1.0], 0.2, 2)
    apart = np.abs(theirs - ours).max() / np.abs(ours - start).max()
    assert apart > 0.01
    (note,) = neuromodulated_stdp("mstdpet", PLASTIC, **OWN).notes[2:]
    assert "below 0" in note


def test_spikes_while_dopamine_lasts_are_a_part_of_what_is_learned() -> None:
    start, ours, theirs = learned("reward-stdp", [0.1] * 8, 0.0, 3, silence=0)
    apart = np.abs(theirs - ours).max() / np.abs(ours - start).max()
    assert 0.01 < apart < 0.25


def test_constants_are_shown_in_its_units() -> None:
    k = neuromodulated_stdp("mstdpet", PLASTIC, **OWN)
    assert (k.tau_plus, k.tau_minus, k.tau_c, k.tau_d) == (20.0, 20.0, 25.0, 5.0)
    assert (k.A_plus, k.A_minus) == (1 / 25, 0.04)
    assert k.concentration == pytest.approx(0.02 / (25 * 5 / 30))


def test_its_synapse_types_get_them() -> None:
    def named(**values: Any) -> dict[str, Any]:
        return values

    simulator = SimpleNamespace(
        SpikePairRule=named,
        AdditiveWeightDependence=named,
        STDPMechanism=named,
        extra_models=SimpleNamespace(Neuromodulation=named),
    )
    k = neuromodulated_stdp("reward-stdp", PLASTIC, **OWN)
    learns, dopamine = k.build(simulator, weight=0.5, delay=1.0)
    assert learns["timing_dependence"]["A_plus"] == 1.0
    assert learns["weight_dependence"] == {"w_min": 0.0, "w_max": 16.0}
    assert (dopamine["w_max"], dopamine["tau_c"]) == (3.0, 500.0)


@pytest.mark.parametrize(
    ("rule", "plasticity", "more", "words"),
    [
        ("td-stdp", PLASTIC, {}, "one modulator for all"),
        ("triplet-stdp", PLASTIC, {}, "one modulator for all"),
        ("coagent", PLASTIC, {}, "one modulator for all"),
        ("reward-stdp", Plasticity(trace_tau=0.02), {}, "weights below 0"),
        ("reward-stdp", Plasticity(low=0.0), {}, "trace_tau of 0"),
        ("reward-stdp", PLASTIC, {"rate": 1e-6}, "beyond 16 bits"),
    ],
)
def test_what_means_something_else_there_is_refused(
    rule: str, plasticity: Plasticity, more: dict[str, Any], words: str
) -> None:
    with pytest.raises(UnsupportedError, match=words):
        neuromodulated_stdp(rule, plasticity, **{**OWN, **more})


@pytest.mark.parametrize(("text", "gain"), [("spike*0.5", 0.5), ("spike/4", 0.25), ("spike", 1)])
def test_a_rule_of_ones_own_may_weigh_its_pairs(text: str, gain: float) -> None:
    rule = dataclasses.replace(find_rule("mstdpet"), name="own", output=text, hidden=text)
    assert neuromodulated_stdp(rule, PLASTIC, **OWN).A_plus == pytest.approx(gain)
