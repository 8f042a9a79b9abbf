"""Post factors of the rules, computed by hand for one actor with two actions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neurorl.errors import UnknownNameError
from neurorl.factors import Decision, centred_feedback, feedback, rule, spikes_only
from neurorl.policy import softmax

PHI = np.array([0.75, -0.75])  # action 0 taken with probability 1/4

# Two modules of two hidden units; a window of 4 steps, hidden from step 1, output from step 2.
DECISION = Decision(
    phi=PHI,
    output=np.array([[1, 1], [0, 1], [1, 0], [1, 1]], dtype=bool),
    hidden=np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1], [1, 0, 1, 0]], dtype=bool),
    output_from=2,
    hidden_from=1,
    signs=np.array([1.0, -1.0, 1.0, -1.0]),
    output_p=np.full((4, 2), 0.25),
    hidden_p=np.full((4, 4), 0.5),
)


def test_feedback_is_centred() -> None:
    policy = softmax(np.array([1.0, 3.0, 0.0]), 0.7)
    phis = np.array([feedback(a, policy) for a in range(3)])
    assert np.allclose(policy @ phis, 0.0, atol=1e-15)
    assert phis[1, 1] == 1 - policy[1]


def test_spikes_only_by_hand() -> None:
    factors = spikes_only(DECISION)
    # Output counts from step 2: unit 0 spikes twice of 2 (gain 0), unit 1 once (gain 1/2).
    assert factors.output.tolist() == [[0, 0], [0, 0], [0, 0], [0, -0.375]]
    # Hidden counts of 3 steps: 2, 0, 3, 1 -> gains 1/3, 1, 0, 2/3; signs +, -, +, -.
    assert factors.hidden is not None
    expected = np.zeros((4, 4))
    expected[[1, 3], 0] = 0.75 / 3
    expected[2, 3] = -0.75 * -1 * 2 / 3
    assert np.allclose(factors.hidden, expected, atol=1e-15)


def test_centred_feedback_by_hand() -> None:
    factors = centred_feedback(DECISION)
    # phi |y - tanh z| = phi 2 |spike - p|: 1.5 for a spike, 0.5 for silence, times +-0.75.
    expected = np.array([[0, 0], [0, 0], [1.125, -0.375], [1.125, -1.125]])
    assert np.allclose(factors.output, expected)
    # phi y(t+1) (s - tanh z), s = +-1 with tanh z = 0; the last step has no answer.
    assert factors.hidden is not None
    expected = np.zeros((4, 4))
    expected[1] = np.array([1, -1, 1, -1]) * np.array([0.75, 0.75, 0.75, 0.75])
    expected[2] = np.array([-1, -1, 1, 1]) * np.array([0.75, 0.75, -0.75, -0.75])
    assert np.allclose(factors.hidden, expected)


def test_rules_without_a_hidden_layer() -> None:
    alone = replace(DECISION, hidden=None, hidden_p=None, signs=np.ones(0))
    for name in ("spikes-only", "centred-feedback"):
        factors = rule(name)(alone)
        assert factors.hidden is None
        assert np.array_equal(factors.output, rule(name)(DECISION).output)


def test_unknown_rule_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'spikes-only'"):
        rule("spike-only")
