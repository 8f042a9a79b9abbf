"""Compare the rules with the gradient, with two hidden layers in each module.

As in test_gradient.py: one decision, of the papers' units, whose outcomes are enumerated. Spikes of
step 0 reach ``hidden_2`` in step 1, ``hidden`` in step 2 and the output in step 3, the last.
"""

from __future__ import annotations

import functools
import itertools
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

Array = npt.NDArray[np.float64]
Weights = dict[str, Array]

INPUT = np.array([True, False, True])
REWARD = np.array([0.9, -0.4])
BETA = 0.8
# Of one actor with two modules of 2 and 2 hidden units; the step in which each layer answers.
SIZES = {"hidden_2": 4, "hidden": 4, "output": 2}
SHAPES = {
    "input_hidden_2": (3, 4),
    "bias_hidden_2": (1, 4),
    "hidden_2_hidden": (2, 2, 2),
    "bias_hidden": (1, 4),
    "hidden_output": (2, 2, 1),
    "bias_output": (1, 2),
}
SPREADS = {"initial": 0.4, "learned": 1.0}


def config(name: str) -> AgentConfig:
    cells = OneHot(3)
    rest: dict[str, Any] = {
        "actors": 1,
        "hidden": (2, 2),
        "policy": Softmax(BETA),
        "signed": True,
        "normalises": False,
    }
    return AgentConfig("glm", GLM(), name, cells, cells, 4, **rest)


def weights(stage: str) -> Weights:
    rng = np.random.default_rng(5)
    spread = SPREADS[stage]
    return {name: rng.uniform(-spread, spread, shape) for name, shape in SHAPES.items()}


def sent(spikes: npt.NDArray[np.bool_], w: Array) -> Array:
    """Return what patterns of +-1 units send to the layer above, module by module."""
    signed = (2.0 * spikes - 1.0).reshape(len(spikes), len(w), -1)
    return np.asarray(np.einsum("kmi,mij->kmj", signed, w).reshape(len(spikes), -1))


def outcomes(w: Weights) -> Array:
    """Return P(hidden_2 pattern, hidden pattern, output pattern, action), ``(16, 16, 4, 2)``."""
    lowest, hidden, output = (patterns(n) for n in SIZES.values())
    first = probability_of(lowest, INPUT @ w["input_hidden_2"] + w["bias_hidden_2"][0])
    z = sent(lowest, w["hidden_2_hidden"]) + w["bias_hidden"][0]
    then = probability_of(hidden[None], z[:, None])
    z = sent(hidden, w["hidden_output"]) + w["bias_output"][0]
    last = probability_of(output[None], z[:, None])
    policy = np.array([softmax(votes(row[None], 2, 0), BETA) for row in output])
    return np.asarray(np.einsum("a,ab,bc,cd->abcd", first, then, last, policy))


def gradient(w: Weights, name: str, step: float = 1e-5) -> Array:
    """Return central differences of the expected return by the weights of a projection."""
    found = np.zeros(w[name].shape)
    for index in np.ndindex(found.shape):
        returns = []
        for change in (step, -step):
            moved = {**w, name: w[name].copy()}
            moved[name][index] += change
            returns.append(float((outcomes(moved) @ REWARD).sum()))
        found[index] = (returns[0] - returns[1]) / (2.0 * step)
    return found.ravel()


@functools.cache
def tags(name: str, stage: str) -> dict[str, Array]:
    """Return a rule's eligibilities in each outcome, ``(2048, synapses)`` by projection."""
    network = config(name).network(2)
    plan = LearningPlan(network, config(name))
    memory = memory_for(plan, {k: v[None] for k, v in weights(stage).items()}).of(0)
    learner = Learner(plan, memory)
    inputs = {"input": np.zeros((4, 3), dtype=bool), "bias": np.ones((4, 1), dtype=bool)}
    inputs["input"][0] = INPUT
    rasters = {layer: np.zeros((4, n), dtype=bool) for layer, n in SIZES.items()}
    found: dict[str, list[Array]] = {p: [] for p in SHAPES}
    for *spikes, action in itertools.product(*(patterns(n) for n in SIZES.values()), (0, 1)):
        for step, (layer, pattern) in enumerate(zip(SIZES, spikes, strict=True), 1):
            rasters[layer][step] = pattern
        memory.forget()
        learner.remember(inputs, rasters, action, softmax(votes(rasters["output"], 2, 3), BETA))
        for p, e in found.items():
            e.append(memory.eligibility[p].ravel().copy())
    return {p: np.array(e) for p, e in found.items()}


def mean_change(name: str, stage: str, modulator: Array) -> dict[str, Array]:
    """Return E[delta e] by projection; modulator: delta of each action."""
    weighted = (outcomes(weights(stage)) * modulator).ravel()
    return {p: weighted @ e for p, e in tags(name, stage).items()}


@pytest.mark.parametrize("baseline", [0.0, 0.3])
@pytest.mark.parametrize("stage", SPREADS)
def test_the_mean_of_coagent_is_the_gradient(stage: str, baseline: float) -> None:
    assert outcomes(weights(stage)).sum() == pytest.approx(1.0, abs=1e-12)
    for p, found in mean_change("coagent", stage, REWARD - baseline).items():
        exact = gradient(weights(stage), p)
        assert np.abs(exact).max() > 1e-3
        assert np.abs(found - exact).max() < 1e-6


@pytest.mark.parametrize("name", ["centred-feedback", "surrogate"])
@pytest.mark.parametrize("stage", SPREADS)
def test_rules_with_phi_do_not_drift(stage: str, name: str) -> None:
    for drift in mean_change(name, stage, np.ones(2)).values():
        assert np.abs(drift).max() < 1e-6


def centred(stage: str) -> Array:
    return np.asarray(REWARD - outcomes(weights(stage)).sum(axis=(0, 1, 2)) @ REWARD)


def cosine(a: Array, b: Array) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


@pytest.mark.parametrize("name", ["agreement", "centred-feedback"])
@pytest.mark.parametrize("stage", SPREADS)
def test_every_layer_goes_where_the_gradient_goes(stage: str, name: str) -> None:
    exact, change = (mean_change(rule, stage, centred(stage)) for rule in ("coagent", name))
    for layer in SIZES:
        into = [p for p in SHAPES if p.endswith(f"_{layer}")]
        found = cosine(*(np.concatenate([e[p] for p in into]) for e in (change, exact)))
        print(f"{name}, {stage}, {layer}: cosine {found:.5f}")
        assert found > 0.9


def modules(change: Array) -> list[Array]:
    """Split a change of ``input_hidden_2`` by module."""
    return [part.ravel() for part in np.split(change.reshape(3, 4), 2, axis=1)]


@pytest.mark.parametrize("stage", SPREADS)
def test_centred_feedback_is_the_gradient_in_each_module(stage: str) -> None:
    """A module decides by one spike, so all it can be told of delta is one number for each of two
    answers: in every hidden layer the mean is the gradient, times a number above 0."""
    exact, change = (
        mean_change(rule, stage, centred(stage))["input_hidden_2"]
        for rule in ("coagent", "centred-feedback")
    )
    for a, b in zip(modules(change), modules(exact), strict=True):
        assert cosine(a, b) > 1 - 1e-6


def test_surrogate_goes_through_the_weights() -> None:
    """The input is there in one step only, as in the gradient; biases are in all steps."""
    exact, change = (
        mean_change(rule, "initial", centred("initial"))["input_hidden_2"]
        for rule in ("coagent", "surrogate")
    )
    print(f"surrogate, input: cosine {cosine(change, exact):.4f}")
    assert cosine(change, exact) > 0.9
