"""Compare the learner on a real window with the rule, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.learning.learner import Learner
from neurorl.learning.observer import Observer
from neurorl.learning.plan import LearningPlan
from neurorl.models import GLM, LIF
from neurorl.rules import feedback
from neurorl.rules.membrane import spike_probability
from neurorl.rules.three_factor import arrivals, eligibility, trace


def one_move(**options: Any) -> Any:
    """Return an agent, the rasters of one decision, and a learner that hasn't seen it yet."""
    agent = SpikingActorCritic("CartPole-v1", actors=2, hidden=3, seed=1, **options)
    move = agent.player(1, explore=True).move(np.array([0.1, -0.2, 0.05, 0.3]))
    return agent, move, Learner(LearningPlan(agent.network, agent.config), agent.memory)


def test_a_window_gives_the_rules_eligibility_step_by_step() -> None:
    agent, move, learner = one_move()
    learner.remember(move.inputs, move.rasters, move.action, move.policy)
    phi = feedback(move.action, move.policy)
    hidden, output = move.rasters["hidden"], move.rasters["output"]
    decay = np.exp(-1e-3 / agent.config.trace_tau)
    signs = np.where(agent.backend.weights("hidden_output").ravel() < 0, -1.0, 1.0)
    module = np.arange(12) // 3 % 2  # actors outer, then actions, then units
    gain = 1 - hidden[1:].sum(axis=0) / len(hidden[1:])
    x, e = np.zeros(40), np.zeros((40, 12))
    for t in range(1, len(hidden)):
        x = trace(x, move.inputs["input"][t - 1], decay)
        e = eligibility(e, x, phi[module] * signs * gain * hidden[t], 1.0)
    assert np.abs(e).max() > 0
    assert np.allclose(agent.memory.eligibility["input_hidden"], e, atol=1e-4)

    gain = 1 - output[2:].sum(axis=0) / len(output[2:])
    x, e = np.zeros(12), np.zeros((12, 4))
    for t in range(1, len(output)):
        x = trace(x, hidden[t - 1], decay)
        if t >= 2:
            e = eligibility(e, x, phi[np.arange(4) % 2] * gain * output[t], 1.0)
    own = np.concatenate([e[3 * m : 3 * m + 3, m] for m in range(4)])
    assert np.allclose(agent.memory.eligibility["hidden_output"].ravel(), own, atol=1e-4)


def test_weights_change_by_alpha_delta_e_over_n() -> None:
    agent, move, learner = one_move()
    before = {name: w.copy() for name, w in agent.memory.weights.items()}
    learner.remember(move.inputs, move.rasters, move.action, move.policy)
    learner.learn(-0.5, 0.2)
    for name, alpha in (("input_hidden", 2.4), ("bias_output", 0.36)):
        norm = agent.memory.norm[name.split("_")[1]][0]
        expected = before[name] + alpha * 0.2 * -0.5 * agent.memory.eligibility[name] / norm
        assert np.allclose(agent.memory.weights[name], expected, atol=1e-12)


def test_the_eligibility_fades_between_decisions() -> None:
    agent, move, learner = one_move()
    learner.remember(move.inputs, move.rasters, move.action, move.policy)
    once = agent.memory.eligibility["input_hidden"].copy()
    learner.remember(move.inputs, move.rasters, move.action, move.policy)
    keep = agent.config.gamma * agent.config.lambda_actor
    assert np.allclose(agent.memory.eligibility["input_hidden"], (1 + keep) * once)
    agent.memory.forget()
    assert not agent.memory.eligibility["input_hidden"].any()


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_probabilities_are_those_the_simulator_spikes_with(arithmetic: str) -> None:
    """The p computed from rasters and weights is the frequency of spikes."""
    agent = SpikingActorCritic(
        "CartPole-v1", model="glm", actors=2, hidden=3, window=400, seed=3, arithmetic=arithmetic
    )
    move = agent.player(3, explore=True).move(np.array([0.1, -0.2, 0.05, 0.3]))
    plan = LearningPlan(agent.network, agent.config)
    observer = Observer(plan, agent.memory, agent.memory.alone(), replica=0)
    spikes = {**move.inputs, **move.rasters}
    into = {layer.name: layer for layer in plan.layers}
    arrived = {
        p.name: [p.transmitted(arrivals(spikes[p.pre], 1))]
        for layer in into.values()
        for p in layer.into
    }
    for name in ("hidden", "output"):
        p = observer._of_layer(into[name], spikes, arrived, 0.0)["p"]
        seen = spikes[name][2:]
        error = (seen - p[2:]).mean(axis=0)
        assert np.abs(error).max() < 4 * np.sqrt(0.25 / len(seen))


def test_spike_probability_by_hand() -> None:
    p = spike_probability(
        GLM(bias=0.5).plan(1, 1e-3), {"q": np.array([[0.0], [1.0]])}, np.ones((2, 1), bool)
    )
    assert np.allclose(p.ravel(), 1 / (1 + np.exp([-1.0, -3.0])))
    half = LIF(tau_mem=-1e-3 / np.log(0.5), threshold=1.0, noise=1.0, refractory=1e-3)
    spikes = np.array([[False], [True], [False], [False]])
    drive = {"q": np.array([[2.0], [0.0], [9.0], [2.0]])}
    p = spike_probability(half.plan(1, 1e-3), drive, spikes)
    assert np.allclose(p.ravel(), [1 / (1 + np.exp(-1)), 0.5, 0.0, 1 / (1 + np.exp(-1))])
