"""Compare shipped rules with their sources' equations, computed here by themselves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import (
    Learning,
    Network,
    Plasticity,
    Population,
    Projection,
    Source,
    SpikingActorCritic,
    load,
)
from neurorl.models import LIF
from neurorl.rules import Decision, HiddenLayer, find_rule

Array = npt.NDArray[np.float64]


def pair(trace_tau: float, weight: float = 0.2) -> Network:
    """Return a synapse that learns, onto a cell that another input makes spike."""
    plasticity = Plasticity(trace_tau=trace_tau, low=-5.0, high=5.0)
    return Network(
        nodes=(
            Source("in", 1),
            Source("force", 1),
            Population("cell", 1, LIF(0.02, threshold=1.0)),
        ),
        projections=(
            Projection("learns", "in", "cell", weight, plasticity=plasticity),
            Projection("forces", "force", "cell", 9.0),
        ),
        dt=1e-3,
    )


def arriving(steps: Sequence[int], n: int) -> npt.NDArray[np.bool_]:
    """Return the raster of spikes that arrive in these steps, one after they were sent."""
    raster = np.zeros((n, 1), dtype=bool)
    raster[np.array(steps) - 1] = True
    return raster


def test_mstdpet_follows_the_lecture() -> None:
    """ngc-learn's lecture 4C has these spikes, a reward that changes sign, and these constants."""
    n, pre, post = 200, [5, 80, 115, 135], [10, 70, 110, 140]
    inputs = {"in": arriving(pre, n), "force": arriving(post, n)}
    with load("reference", pair(trace_tau=0.02)) as backend:
        learning = Learning(backend, "mstdpet", rate=0.2 / 25)
        weights = []
        for t in range(n):
            learning.window({name: raster[t : t + 1] for name, raster in inputs.items()}, 1)
            learning.reinforce({"reward": 1.0 if t < n // 2 else -1.0})
            weights.append(learning.weights("learns").item())
    x = y = e = 0.0
    w, expected = 0.2, []
    for t in range(n):
        arrived, spike = float(t in pre), float(t in post)
        x, y = x * np.exp(-1 / 20) + arrived, y * np.exp(-1 / 20) + spike
        e = e * np.exp(-1 / 25) + (x * spike - arrived * y) / 25
        w += 0.2 / 25 * (1.0 if t < n // 2 else -1.0) * e
        expected.append(w)
    assert np.allclose(weights, expected, atol=2e-5)
    assert np.ptp(expected) > 0.004


def triplet(delta: int, period: int, pairs: int = 60) -> tuple[float, float]:
    """Return what the rule leaves of pairings, and what the paper's equations do for its spikes."""
    start = 20
    pre = [start + period * k for k in range(pairs)]
    post = [t + delta for t in pre]
    n = pre[-1] + 40
    with load("reference", pair(trace_tau=0.0168, weight=0.0)) as backend:
        learning = Learning(backend, "triplet-stdp", eligibility_tau=None)
        learning.window({"in": arriving(pre, n), "force": arriving(post, n)}, n)
        e = float(learning.eligibility("learns").item())

    def left(times: list[int], now: int, tau: float) -> float:
        return sum(math.exp(-(now - t) / tau) for t in times if t < now)

    potentiation = sum(6.5e-3 * left(pre, t, 16.8) * left(post, t, 114.0) for t in post)
    depression = sum(7.1e-3 * left(post, t, 33.7) for t in pre)
    return e, potentiation - depression


@pytest.mark.parametrize("delta", [10, -10])
@pytest.mark.parametrize("period", [100, 20])
def test_triplets_follow_the_equations(delta: int, period: int) -> None:
    e, expected = triplet(delta, period)
    assert e == pytest.approx(expected, abs=2e-3)


def test_triplets_potentiate_at_high_rates_in_any_order() -> None:
    """By the paper's figure 5, post before pre potentiates too at 50 Hz, and depresses at 10 Hz."""
    assert triplet(-10, 100)[0] < -0.2 < 0.2 < triplet(-10, 20)[0]
    assert triplet(10, 20)[0] > triplet(10, 100)[0] > 0


def test_e_prop_follows_the_membrane() -> None:
    n = 30
    arrived = np.zeros(n)
    arrived[[2, 3, 4, 8, 9, 15, 16, 17, 18, 25]] = 1.0
    inputs = {"in": arriving([t for t in range(n) if arrived[t]], n)}
    with load("reference", pair(trace_tau=0.02, weight=0.35)) as backend:
        learning = Learning(backend, "e-prop", eligibility_tau=None)
        spikes = learning.window(inputs, n)["cell"][:, 0]
        learning.reinforce(0.0, phi=-0.75)
        e = float(learning.eligibility("learns").item())
    v = x = expected = 0.0
    leak = np.exp(-1 / 20)
    for t in range(n):
        v, x = leak * v + 0.35 * arrived[t], leak * x + arrived[t]
        is_spike = v > 1.0
        assert is_spike == spikes[t]
        psi = 0.3 * (1.0 if is_spike else max(0.0, 1.0 - abs(v - 1.0)))
        expected += -0.75 * psi * x
        v = 0.0 if is_spike else v
    assert spikes.sum() == 2
    assert e == pytest.approx(expected, abs=1e-4)


def decided(rng: np.random.Generator, td: float) -> tuple[Decision, Any]:
    """Return a decision of one actor of one-step units, and what the authors' code has of it."""
    action, hidden = int(rng.integers(3)), 4
    z_h, z_o = rng.normal(size=(3, hidden)), rng.normal(size=3)
    s_h, s_o = rng.choice([-1, 1], (3, hidden)), rng.choice([-1, 1], 3)

    def two_steps(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Array:
        return np.stack([first, second]).astype(np.float64)

    named = {"M": np.float64(td)}
    silent, flat = np.zeros(3 * hidden), s_h.ravel() > 0
    layer = HiddenLayer(
        spikes=two_steps(flat, silent) > 0,
        first=0,
        lag=1,
        signs=np.ones(3 * hidden),
        p=two_steps(1 / (1 + np.exp(-2 * z_h.ravel())), silent),
        named=named,
    )
    decision = Decision(
        action=action,
        phi=np.zeros(3),
        output=two_steps(np.zeros(3), s_o > 0) > 0,
        output_from=1,
        hidden=(layer,),
        output_p=two_steps(np.zeros(3), 1 / (1 + np.exp(-2 * z_o))),
        output_named=named,
    )
    return decision, (action, z_h, z_o, s_h, s_o)


@pytest.mark.parametrize("seed", range(8))
def test_the_authors_rule_for_cartpole(seed: int) -> None:
    """Copy update_weights of spiking_agent_cartpole.py, for a TD error of 1 and a rate of 1."""
    decision, (action, z_h, z_o, s_h, s_o) = decided(np.random.default_rng(seed), 1.0)
    factors = find_rule("authors-cartpole")(decision)
    for i in range(3):
        sign = 1.0 if i == action or s_o[i] == -1 else -1.0
        hidden = sign * 2 * s_h[i] / (1 + np.exp(2 * z_h[i] * s_h[i]))
        output = sign * 2 * s_o[i] / (1 + np.exp(2 * z_o[i] * s_o[i]))
        assert np.allclose(factors.hidden[0][0].reshape(3, -1)[i], hidden)
        assert factors.output[1, i] == pytest.approx(output)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("td", [0.5, -0.5])
def test_the_authors_rule_for_mountaincar(seed: int, td: float) -> None:
    """Copy update_weights of spiking_agent_mountaincar.py: gradients that stay the spikes."""
    decision, (action, _, _, s_h, s_o) = decided(np.random.default_rng(seed), td)
    factors = find_rule("authors-mountaincar")(decision)
    assert np.array_equal(factors.hidden[0][0], s_h.ravel())
    learns = np.array([i == action or td > 0 for i in range(3)])
    assert np.array_equal(factors.output[1], np.where(learns, s_o, 0))


def perturbed() -> Network:
    """Return quiet cells with an input that learns, and a source that perturbs each."""
    cells = LIF(0.02, threshold=1.0)
    plasticity = Plasticity(trace_tau=0.02, low=0.0, high=0.3)
    return Network(
        nodes=(Source("in", 20), Source("empiric", 4), Population("cells", 4, cells)),
        projections=(
            Projection("learns", "in", "cells", 0.05, plasticity=plasticity),
            Projection(
                "perturbs", "empiric", "cells", 0.15 * np.eye(4), mask=np.eye(4, dtype=bool)
            ),
        ),
        dt=1e-3,
    )


def test_node_perturbation_sums_what_was_perturbed() -> None:
    rng = np.random.default_rng(0)
    spikes, noise = rng.random((50, 20)) < 0.1, rng.random((50, 4)) < 0.2
    xi = np.roll(noise, 1, axis=0) - 0.2  # as it arrives
    with load("reference", perturbed()) as backend:
        learning = Learning(backend, "node-perturbation", eligibility_tau=None)
        learning.window({"in": spikes, "empiric": noise}, 50, {"perturbation": xi})
        e = learning.eligibility("learns")
    x, expected = np.zeros(20), np.zeros((20, 4))
    for t in range(50):
        x = np.exp(-1 / 20) * x + (spikes[t - 1] if t else 0.0)
        expected += np.outer(x, xi[t])
    assert np.allclose(e, expected, atol=1e-3)


def test_node_perturbation_brings_cells_to_rates_that_are_paid() -> None:
    """Cells learn to spike 8, 4, 4 and 0 times, from one number of how far off they are."""
    wanted = np.array([8.0, 4.0, 4.0, 0.0])
    rng, errors = np.random.default_rng(1), []
    with load("reference", perturbed()) as backend:
        learning = Learning(backend, "node-perturbation", rate=4e-4, eligibility_tau=None)
        mean = None
        spikes = rng.random((100, 20)) < 0.06
        for _ in range(400):
            learning.reset()
            noise = rng.random((100, 4)) < 0.15
            xi = np.roll(noise, 1, axis=0) - 0.15
            inputs = {"in": spikes, "empiric": noise}
            counts = learning.window(inputs, 100, {"perturbation": xi})["cells"].sum(axis=0)
            reward = -float(((counts - wanted) ** 2).sum())
            mean = reward if mean is None else mean + 0.1 * (reward - mean)
            learning.reinforce(float(np.clip((reward - mean) / 20.0, -1, 1)))
            errors.append(-reward)
    assert np.mean(errors[-50:]) < 0.4 * np.mean(errors[:50])


def test_e_prop_finds_the_goal_of_the_gridworld_in_half_the_steps() -> None:
    agent = SpikingActorCritic("neurorl/GridWorld-v0", model="lif", rule="e-prop", seed=100)
    lengths = [episode.length for episode in agent.learn(total_episodes=120)]
    assert np.mean(lengths[-20:]) < 0.5 * np.mean(lengths[:20])


def test_the_authors_rule_for_cartpole_balances() -> None:
    agent = SpikingActorCritic("CartPole-v1", model="glm", rule="authors-cartpole", seed=100)
    lengths = [episode.length for episode in agent.learn(total_episodes=60)]
    assert np.mean(lengths[-20:]) > 2.0 * np.mean(lengths[:20])
