"""Compare the rules with the gradient of the expected return, on a task of one decision.

The network is that of the papers' units: spikes of step 0 reach the hidden layer in step 1 and the
output in step 2, the last of the window. So what decides is the hidden layer's spikes in step 1 and
the output's in step 2, and for few neurons all their outcomes can be enumerated: means over them
are exact, but for the factors' grid of 2**-20.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from binary_patterns import patterns, probability_of

from neurorl.learning.learner import Learner
from neurorl.learning.memory import memory_for
from neurorl.learning.plan import LearningPlan
from neurorl.models import GLM
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.policies import Softmax, softmax, votes
from neurorl.models.features import OneHot
from neurorl.rules import Decision, HiddenLayer, find_rule
from neurorl.rules.membrane import spike_probability

Array = npt.NDArray[np.float64]
Weights = dict[str, Array]

INPUT = np.array([True, False, True])
REWARD = np.array([0.9, -0.4])
BETA = 0.8
LAYERS = {"hidden": ("input_hidden", "bias_hidden"), "output": ("hidden_output", "bias_output")}
# Half-ranges of the weights of both layers: at the start, and of a network that knows something.
SPREADS = {"initial": (0.1, 0.5, 0.0), "learned": (0.8, 1.0, 0.5)}


def config(name: str, **options: Any) -> AgentConfig:
    chosen = {"actors": 2, "hidden": 2, "policy": Softmax(BETA), **options}
    cells = OneHot(3)
    return AgentConfig("glm", GLM(), name, cells, cells, 3, signed=True, normalises=False, **chosen)


def weights(stage: str) -> Weights:
    rng = np.random.default_rng(11)
    hidden, output, bias = SPREADS[stage]
    shapes = {
        "input_hidden": ((3, 8), hidden),
        "bias_hidden": ((1, 8), hidden),
        "hidden_output": ((4, 2, 1), output),
        "bias_output": ((1, 4), bias),
    }
    return {name: rng.uniform(-spread, spread, shape) for name, (shape, spread) in shapes.items()}


def outcomes(w: Weights) -> Array:
    """Return P(hidden pattern, output pattern, action), ``(256, 16, 2)``."""
    hidden, output = patterns(8), patterns(4)
    first = probability_of(hidden, INPUT @ w["input_hidden"] + w["bias_hidden"][0])
    sent = (2.0 * hidden - 1.0) * w["hidden_output"].ravel()
    z = sent.reshape(-1, 4, 2).sum(axis=2) + w["bias_output"][0]
    then = probability_of(output[None], z[:, None])
    policy = np.array([softmax(votes(row[None], 2, 0), BETA) for row in output])
    return np.asarray(first[:, None, None] * then[:, :, None] * policy)


def gradient(w: Weights, step: float = 1e-5) -> Weights:
    """Return central differences of the expected return."""
    found = {name: np.zeros(array.shape) for name, array in w.items()}
    for name, array in w.items():
        for index in np.ndindex(array.shape):
            returns = []
            for change in (step, -step):
                moved = {**w, name: array.copy()}
                moved[name][index] += change
                returns.append(float((outcomes(moved) @ REWARD).sum()))
            found[name][index] = (returns[0] - returns[1]) / (2.0 * step)
    return found


@functools.cache
def tags(name: str, stage: str) -> tuple[Array, dict[str, Array]]:
    """Return P and a rule's eligibilities of each outcome, ``(8192, synapses)`` by layer."""
    w = weights(stage)
    network = config(name).network(2)
    plan = LearningPlan(network, config(name))
    memory = memory_for(plan, {k: v[None] for k, v in w.items()}).of(0)
    learner = Learner(plan, memory)
    inputs = {"input": np.zeros((3, 3), dtype=bool), "bias": np.ones((3, 1), dtype=bool)}
    inputs["input"][0] = INPUT
    rasters = {"hidden": np.zeros((3, 8), dtype=bool), "output": np.zeros((3, 4), dtype=bool)}
    found: dict[str, list[Array]] = {layer: [] for layer in LAYERS}
    for rasters["hidden"][1] in patterns(8):
        for rasters["output"][2] in patterns(4):
            policy = softmax(votes(rasters["output"], 2, 2), BETA)
            for action in range(2):
                memory.forget()
                learner.remember(inputs, rasters, action, policy)
                for layer, into in LAYERS.items():
                    e = [memory.eligibility[p].ravel() for p in into]
                    found[layer].append(np.concatenate(e))
    return outcomes(w).ravel(), {layer: np.array(e) for layer, e in found.items()}


def mean_change(name: str, stage: str, modulator: Array) -> dict[str, Array]:
    """Return E[delta e] by layer; modulator: delta of each action."""
    p, e = tags(name, stage)
    weighted = p * np.tile(modulator, len(p) // 2)
    return {layer: weighted @ e[layer] for layer in LAYERS}


def noise(name: str, stage: str, layer: str) -> float:
    """Divide the trace of delta e's covariance by its mean's squared norm; delta is centred."""
    p, e = tags(name, stage)
    delta = np.tile(REWARD, len(p) // 2)
    delta = delta - p @ delta
    mean = (p * delta) @ e[layer]
    return float((p * delta**2) @ (e[layer] ** 2).sum(axis=1) / (mean @ mean) - 1.0)


def cosine(a: Array, b: Array) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("baseline", [0.0, 0.3])
@pytest.mark.parametrize("stage", SPREADS)
def test_the_mean_of_coagent_is_the_gradient(stage: str, baseline: float) -> None:
    assert outcomes(weights(stage)).sum() == pytest.approx(1.0, abs=1e-12)
    exact = gradient(weights(stage))
    found = mean_change("coagent", stage, REWARD - baseline)
    for layer, into in LAYERS.items():
        expected = np.concatenate([exact[p].ravel() for p in into])
        assert np.abs(expected).max() > 0.01
        assert np.abs(found[layer] - expected).max() < 1e-6


@pytest.mark.parametrize("name", ["centred-feedback", "surrogate"])
@pytest.mark.parametrize("stage", SPREADS)
def test_rules_with_phi_do_not_drift(stage: str, name: str) -> None:
    """A modulator that is the same for every action changes nothing in the mean."""
    for drift in mean_change(name, stage, np.ones(2)).values():
        assert np.abs(drift).max() < 1e-6


def test_agreement_drifts() -> None:
    change = mean_change("agreement", "learned", REWARD - REWARD.mean())
    for layer, drift in mean_change("agreement", "learned", np.ones(2)).items():
        assert np.linalg.norm(drift) > 0.05 * np.linalg.norm(change[layer])


@pytest.mark.parametrize("name", ["agreement", "centred-feedback", "surrogate"])
def test_rules_go_where_the_gradient_goes_at_first(name: str) -> None:
    p, _ = tags("coagent", "initial")
    centred = REWARD - p.reshape(-1, 2).sum(axis=0) @ REWARD
    exact = mean_change("coagent", "initial", centred)
    for layer, change in mean_change(name, "initial", centred).items():
        found = cosine(change, exact[layer])
        noises = [noise(rule, "initial", layer) for rule in ("coagent", name)]
        print(
            f"{name}, {layer}: cosine {found:.4f}; noise {noises[1]:.3g}, coagent {noises[0]:.3g}"
        )
        assert found > 0.9


P, A, H, SAMPLES, CHUNK = 10, 4, 8, 40000, 500
ADVANTAGE = np.array([1.0, 0.2, -0.5, -0.7])


class Moments:
    """Measure the noise of a sum over samples, as in `noise`, less the mean's own error."""

    def __init__(self) -> None:
        self.total: Any = 0.0
        self.square, self.n = 0.0, 0

    def add(self, samples: Array) -> None:
        self.total = self.total + samples.sum(axis=0)
        self.square += float((samples**2).sum())
        self.n += len(samples)

    @property
    def mean(self) -> Array:
        return np.asarray(self.total / self.n)

    def noise(self) -> float:
        spread = self.square / self.n - float(self.mean @ self.mean)
        return spread / (float(self.mean @ self.mean) - spread / self.n)


def decisions(rng: np.random.Generator, p_hidden: Array, v: Array) -> tuple[Decision, Array]:
    """Draw many decisions, as one of one actor with a module for each of their modules.

    p_hidden: ``(3, n)``. v: output weights ``(n,)``. Also the modulator of each, ``(CHUNK,)``.
    """
    hidden = np.zeros((3, CHUNK * len(v)), dtype=bool)
    hidden[1] = (rng.random((CHUNK, len(v))) < p_hidden[1]).ravel()
    sent = (2.0 * hidden[1] - 1.0).reshape(CHUNK, -1) * v
    drive = np.zeros((3, CHUNK * P * A))
    drive[2] = sent.reshape(-1, H).sum(axis=1)
    output = np.zeros(drive.shape, dtype=bool)
    p = spike_probability(GLM().plan(drive.shape[1], 1e-3), {"q": drive}, output)
    output[2] = rng.random(drive.shape[1]) < p[2]
    cast = output[2].reshape(CHUNK, P * A)
    policy = np.array([softmax(votes(row[None], A, 0), 1.0) for row in cast])
    actions = (rng.random((CHUNK, 1)) > policy.cumsum(axis=1)).sum(axis=1)
    phi = np.eye(A)[actions] - policy
    decision = Decision(
        action=0,
        phi=np.tile(phi, P).ravel(),
        output=output,
        output_from=2,
        hidden=(
            HiddenLayer(
                spikes=hidden,
                first=1,
                lag=1,
                signs=np.ones(0),
                p=np.tile(p_hidden, CHUNK),
                paths=np.tile(v, CHUNK),
            ),
        ),
        output_p=p,
    )
    return decision, ADVANTAGE[actions]


@functools.cache
def sampled(names: tuple[str, ...]) -> dict[str, dict[str, Moments]]:
    """Return delta e of the hidden biases, and of the output's weights and biases; new network."""
    rng = np.random.default_rng(2)
    drive = np.zeros((3, P * A * H))
    drive[1:] = rng.uniform(-0.1, 0.1, (2, P * A * H)).sum(axis=0)
    v = rng.uniform(-0.5, 0.5, P * A * H)
    quiet = np.zeros(drive.shape, dtype=bool)
    p_hidden = spike_probability(GLM().plan(P * A * H, 1e-3), {"q": drive}, quiet)
    found = {name: {layer: Moments() for layer in LAYERS} for name in names}
    for _ in range(SAMPLES // CHUNK):
        decision, delta = decisions(rng, p_hidden, v)
        arrived = (2.0 * decision.hidden[0].spikes[1] - 1.0).reshape(CHUNK, -1)
        for name in names:
            f = find_rule(name)(decision)
            output = f.output[2].reshape(CHUNK, -1)
            per_weight = np.hstack([arrived * output.repeat(H, axis=1), output])
            found[name]["output"].add(delta[:, None] * per_weight)
            found[name]["hidden"].add(delta[:, None] * f.hidden[0][1].reshape(CHUNK, -1))
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_centred_feedback_is_far_less_noisy_than_the_gradient(layer: str) -> None:
    """Measure the noise of one sample at the start: 10 actors, 4 actions, 8 hidden units."""
    found = sampled(("coagent", "centred-feedback", "surrogate"))
    noises = {name: moments[layer].noise() for name, moments in found.items()}
    ratio = noises["coagent"] / noises["centred-feedback"]
    shown = ", ".join(f"{name} {value:.4g}" for name, value in noises.items())
    print(f"{layer}: noise {shown}; coagent / centred-feedback {ratio:.1f}")
    assert ratio > 20
    assert noises["surrogate"] < noises["centred-feedback"]
    close = cosine(found["centred-feedback"][layer].mean, found["surrogate"][layer].mean)
    assert close > 0.9
