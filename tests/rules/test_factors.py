"""Test post factors of the rules, computed by hand for one actor with two actions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from configs import config_of

from neurorl.errors import DescriptionError, UnknownNameError
from neurorl.models import GLM, LIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.policies import softmax
from neurorl.models.features import OneHot
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.rules import Decision, HiddenLayer, feedback, find_rule

# test_sources.py has the others, by the equations of their sources.
BY_HAND = [
    *("coagent", "agreement", "centred-feedback", "surrogate", "spikes-only"),
    *("spikes-only-hebbian", "reward-stdp", "td-stdp", "random-feedback"),
]

PHI = np.array([0.75, -0.75])  # action 0 taken with probability 1/4

# Two modules of two hidden units; a window of 4 steps, hidden from step 1, output from step 2.
DECISION = Decision(
    action=0,
    phi=PHI,
    output=np.array([[1, 1], [0, 1], [1, 0], [1, 1]], dtype=bool),
    output_from=2,
    hidden=(
        HiddenLayer(
            spikes=np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1], [1, 0, 1, 0]], dtype=bool),
            first=1,
            lag=1,
            signs=np.array([1.0, -1.0, 1.0, -1.0]),
            p=np.full((4, 4), 0.5),
            paths=np.array([2.0, -1.0, 0.5, 0.0]),
        ),
    ),
    output_p=np.full((4, 2), 0.25),
)

# One unit in each module below, of a spike in turn; one step longer: hidden_2 from step 1, hidden
# from 2, output from 3. Spikes of step 2 are the last of hidden_2 that reach the output, in 4.
DEEP = Decision(
    action=0,
    phi=PHI,
    output=np.array([[0, 0], [0, 0], [1, 1], [0, 1], [1, 0]], dtype=bool),
    output_from=3,
    hidden=(
        HiddenLayer(
            spikes=np.array([[1, 1], [1, 0], [1, 0], [0, 1], [1, 1]], dtype=bool),
            first=2,
            lag=1,
            signs=np.array([1.0, -1.0]),
            p=np.full((5, 2), 0.75),
            paths=np.array([2.0, -1.0]),
        ),
        HiddenLayer(
            spikes=np.array([[1, 1], [1, 0], [0, 0], [1, 1], [1, 0]], dtype=bool),
            first=1,
            lag=2,
            signs=np.array([-1.0, 1.0]),
            p=np.full((5, 2), 0.5),
            paths=np.array([-0.5, 4.0]),
        ),
    ),
    output_p=np.full((5, 2), 0.25),
)


def test_feedback_is_centred() -> None:
    policy = softmax(np.array([1.0, 3.0, 0.0]), 0.7)
    phis = np.array([feedback(a, policy) for a in range(3)])
    assert np.allclose(policy @ phis, 0.0, atol=1e-15)
    assert phis[1, 1] == 1 - policy[1]


def test_spikes_only_by_hand() -> None:
    factors = find_rule("spikes-only")(DECISION)
    # Output counts from step 2: unit 0 spikes twice of 2 (gain 0), unit 1 once (gain 1/2).
    assert factors.output.tolist() == [[0, 0], [0, 0], [0, 0], [0, -0.375]]
    # Hidden counts of 3 steps: 2, 0, 3, 1 -> gains 1/3, 1, 0, 2/3; signs +, -, +, -.
    expected = np.zeros((4, 4))
    expected[[1, 3], 0] = 0.75 / 3
    expected[2, 3] = -0.75 * -1 * 2 / 3
    assert np.allclose(factors.hidden[0], expected, atol=1e-15)


def test_centred_feedback_by_hand() -> None:
    factors = find_rule("centred-feedback")(DECISION)
    # phi |y - tanh z| = phi 2 |spike - p|: 1.5 for a spike, 0.5 for silence, times +-0.75.
    expected = np.array([[0, 0], [0, 0], [1.125, -0.375], [1.125, -1.125]])
    assert np.allclose(factors.output, expected)
    # phi y(t+1) (s - tanh z), s = +-1 with tanh z = 0; the last step has no answer.
    expected = np.zeros((4, 4))
    expected[1] = np.array([1, -1, 1, -1]) * np.array([0.75, 0.75, 0.75, 0.75])
    expected[2] = np.array([-1, -1, 1, 1]) * np.array([0.75, 0.75, -0.75, -0.75])
    assert np.allclose(factors.hidden[0], expected)


def test_coagent_by_hand() -> None:
    factors = find_rule("coagent")(DECISION)
    # 2 (spike - p), whatever the action; the last hidden spikes reach no output.
    assert factors.output.tolist() == [[0, 0], [0, 0], [1.5, -0.5], [1.5, 1.5]]
    assert factors.hidden[0].tolist() == [[0] * 4, [1, -1, 1, -1], [-1, -1, 1, 1], [0] * 4]
    other = replace(DECISION, action=1, phi=-PHI)
    assert np.array_equal(find_rule("coagent")(other).output, factors.output)


def test_agreement_by_hand() -> None:
    factors = find_rule("agreement")(DECISION)
    # t y (y - tanh z) = t 2 |spike - p|, t = 1 for module 0, -1 for module 1.
    assert factors.output.tolist() == [[0, 0], [0, 0], [1.5, -0.5], [1.5, -1.5]]
    # t y(t+1) (s - tanh z): y(2) = +1, -1 and y(3) = +1, +1.
    expected = [[0] * 4, [1, -1, 1, -1], [-1, -1, -1, -1], [0] * 4]
    assert factors.hidden[0].tolist() == expected
    taken = find_rule("agreement")(replace(DECISION, action=1))
    assert np.array_equal(taken.output, -factors.output)
    assert np.array_equal(taken.hidden[0], -factors.hidden[0])


def test_surrogate_by_hand() -> None:
    factors = find_rule("surrogate")(DECISION)
    # phi p (1 - p) with p = 1/4, in every step that counts, spike or not.
    slope = 0.75 * 0.1875
    assert factors.output.tolist() == [[0, 0], [0, 0], [slope, -slope], [slope, -slope]]
    # phi V p (1 - p) with p = 1/2.
    row = [0.75 * 2 / 4, -0.75 / 4, -0.75 * 0.5 / 4, 0]
    assert factors.hidden[0].tolist() == [[0] * 4, row, row, row]


def test_spikes_only_hebbian_by_hand() -> None:
    factors = find_rule("spikes-only-hebbian")(DECISION)
    assert factors.output.tolist() == [[0, 0], [0, 0], [0.75, 0], [0.75, -0.75]]
    expected = [[0] * 4, [0.75, 0, -0.75, 0], [0, 0, -0.75, 0.75], [0.75, 0, -0.75, 0]]
    assert factors.hidden[0].tolist() == expected


def test_td_stdp_by_hand() -> None:
    """The factor is phi for every spike, also of first steps, times b = +, -, +, - if hidden."""
    factors = find_rule("td-stdp")(DECISION)
    assert factors.output.tolist() == [[0.75, -0.75], [0, -0.75], [0.75, 0], [0.75, -0.75]]
    expected = [
        [0.75, -0.75, -0.75, 0.75],
        [0.75, 0, -0.75, 0],
        [0, 0, -0.75, 0.75],
        [0.75, 0, -0.75, 0],
    ]
    assert factors.hidden[0].tolist() == expected


@pytest.mark.parametrize("name", BY_HAND)
def test_rules_without_a_hidden_layer(name: str) -> None:
    factors = find_rule(name)(replace(DECISION, hidden=()))
    assert factors.hidden == ()
    assert np.array_equal(factors.output, find_rule(name)(DECISION).output)


# Of DEEP, both hidden layers by hand. Steps that count: 2 to 4 of hidden, 1 to 4 of hidden_2.
# hidden: 2 (spike - p) is 1/2 for a spike, else -3/2; y(3) = -1, +1 and y(4) = +1, -1.
# hidden_2: 2 (spike - p) is +-1; y(3) answers step 1 and y(4) step 2; later ones have no answer.
# Counts: hidden 2 of 3 and 2 of 3, hidden_2 3 of 4 and 1 of 4.
ZERO = [0.0, 0.0]
SLOPE, SLOPE_2 = 0.75 * 3 / 16, 0.75 / 4
DEEP_FACTORS: dict[str, tuple[list[list[float]], list[list[float]]]] = {
    "coagent": (
        [ZERO, ZERO, [0.5, -1.5], [-1.5, 0.5], ZERO],
        [ZERO, [1, -1], [-1, -1], ZERO, ZERO],
    ),
    "agreement": (  # t = 1, -1
        [ZERO, ZERO, [-0.5, 1.5], [-1.5, 0.5], ZERO],
        [ZERO, [-1, 1], [-1, -1], ZERO, ZERO],
    ),
    "centred-feedback": (  # phi = 3/4, -3/4
        [ZERO, ZERO, [-0.375, 1.125], [-1.125, 0.375], ZERO],
        [ZERO, [-0.75, 0.75], [-0.75, -0.75], ZERO, ZERO],
    ),
    "surrogate": (  # phi V p (1 - p)
        [ZERO, ZERO, *[[2 * SLOPE, SLOPE]] * 3],
        [ZERO, *[[-0.5 * SLOPE_2, -4 * SLOPE_2]] * 4],
    ),
    "spikes-only": (  # phi b (1 - n/W)
        [ZERO, ZERO, [0.25, 0], [0, 0.25], [0.25, 0.25]],
        [ZERO, [-0.1875, 0], ZERO, [-0.1875, -0.5625], [-0.1875, 0]],
    ),
    "spikes-only-hebbian": (  # phi b
        [ZERO, ZERO, [0.75, 0], [0, 0.75], [0.75, 0.75]],
        [ZERO, [-0.75, 0], ZERO, [-0.75, -0.75], [-0.75, 0]],
    ),
    "random-feedback": (  # phi b (1 - n/W)
        [ZERO, ZERO, [0.25, 0], [0, 0.25], [0.25, 0.25]],
        [ZERO, [-0.1875, 0], ZERO, [-0.1875, -0.5625], [-0.1875, 0]],
    ),
    "reward-stdp": (
        [[1, 1], [1, 0], [1, 0], [0, 1], [1, 1]],
        [[1, 1], [1, 0], ZERO, [1, 1], [1, 0]],
    ),
    "td-stdp": (  # phi b
        [[0.75, 0.75], [0.75, 0], [0.75, 0], [0, 0.75], [0.75, 0.75]],
        [[-0.75, -0.75], [-0.75, 0], ZERO, [-0.75, -0.75], [-0.75, 0]],
    ),
}


@pytest.mark.parametrize("name", DEEP_FACTORS)
def test_two_hidden_layers_by_hand(name: str) -> None:
    factors = find_rule(name)(DEEP)
    assert len(factors.hidden) == 2
    for found, expected in zip(factors.hidden, DEEP_FACTORS[name], strict=True):
        assert np.allclose(found, expected, atol=1e-15)
    # The output hears nothing of what is below it.
    assert np.array_equal(factors.output, find_rule(name)(replace(DEEP, hidden=())).output)


def test_a_lag_beyond_the_window_leaves_nothing() -> None:
    late = replace(DEEP, hidden=(replace(DEEP.hidden[1], lag=6),))
    for name in ("coagent", "agreement", "centred-feedback"):
        assert not find_rule(name)(late).hidden[0].any()


def deep(blocks: int = 2) -> Network:
    """Return 4 -> 4 -> 2 -> 2, the lower hidden layer in modules if there are two blocks."""
    plastic, cell = Plasticity(), LIF(noise=0.5)
    sizes = {"hidden_2": 4, "hidden": 2, "output": 2}
    populations = tuple(Population(name, n, cell) for name, n in sizes.items())
    projections = (
        Projection("a", "input", "hidden_2", plasticity=plastic),
        Projection("b", "hidden_2", "hidden", blocks=blocks, plasticity=plastic),
        Projection("c", "hidden", "output", blocks=2, plasticity=plastic),
    )
    return Network((Source("input", 4), *populations), projections)


def own(blocks: int = 2, noise: float = 0.5, fixed: bool = False) -> Network:
    """Return 4 -> 4 -> 2, in modules if there are two blocks."""
    plastic, cell = Plasticity(), LIF(noise=noise)
    projections = [
        Projection("a", "input", "hidden", plasticity=plastic),
        Projection("b", "hidden", "output", blocks=blocks, plasticity=plastic),
        Projection("c", "input", "output", plasticity=None if fixed else plastic),
    ]
    nodes = (Source("input", 4), Population("hidden", 4, cell), Population("output", 2, cell))
    return Network(nodes, tuple(projections))


def configured(name: str, network: Network | None = None, **options: Any) -> AgentConfig:
    chosen = {"neuron": GLM(), "cells": OneHot(4), "features": OneHot(4)}
    given = {**chosen, "window": 6, "rule": name, "description": network, **options}
    return config_of(**given)


def test_rules_refuse_networks_that_they_do_not_fit() -> None:
    assert configured("surrogate", own())
    assert configured("coagent", own(blocks=1))
    assert configured("coagent", own(fixed=True))
    assert configured("td-stdp", own(blocks=1, noise=0.0, fixed=True), carries=True)
    with pytest.raises(DescriptionError, match=r"'surrogate' needs modules.*of 2 blocks"):
        configured("surrogate", own(blocks=1))
    with pytest.raises(DescriptionError, match="'spikes-only' needs modules"):
        configured("spikes-only", own(blocks=1))
    with pytest.raises(DescriptionError, match="'hidden' has no noise"):
        configured("coagent", own(noise=0.0))
    with pytest.raises(DescriptionError, match="'hidden' has no noise"):
        configured("coagent", neuron=LIF()).network(2)
    with pytest.raises(DescriptionError, match="computed from rest"):
        configured("coagent", own(), carries=True)
    with pytest.raises(DescriptionError, match="modulated by the TD error"):
        configured("td-stdp", own(), modulator="reward")
    with pytest.raises(DescriptionError, match="'td-stdp' has no signed units"):
        configured("td-stdp", signed=True)


def test_rules_and_networks_of_several_hidden_layers() -> None:
    assert configured("surrogate", deep())
    assert configured("coagent", deep(blocks=1))
    with pytest.raises(DescriptionError, match=r"from 'hidden_2' to 'hidden' of 2 blocks"):
        configured("surrogate", deep(blocks=1))
    with pytest.raises(DescriptionError, match=r"too short for 3 layers.*got 3, limit >= 4"):
        configured("coagent", deep(), window=3)
    gap = Network(
        (Source("input", 4), Population("hidden_2", 2, LIF()), Population("output", 2, LIF())),
        (
            Projection("a", "input", "hidden_2", plasticity=Plasticity()),
            Projection("b", "hidden_2", "output", plasticity=Plasticity()),
        ),
    )
    with pytest.raises(DescriptionError, match=r"learns only in 'output', 'hidden'.*hidden_2"):
        configured("spikes-only", gap)
    assert configured("td-stdp", gap, carries=True)


def test_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'spikes-only'"):
        find_rule("spike-only")
