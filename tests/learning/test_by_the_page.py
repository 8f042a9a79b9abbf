"""Compute an agent's learning from docs/agreement.md alone: every bit of weights, e and N."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
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
    Recorder,
    Source,
    SpikingActorCritic,
    load,
)
from neurorl.models import LIF
from neurorl.rules import Rule

Array = npt.NDArray[Any]
f32 = np.float32

DT, W, ACTIONS, PER_MODULE, BOUND = 1e-3, 12, 2, 8, 1.0
GAMMA, LAMBDA, LIMIT = 0.99, 0.9, 2.0
GRID = 2.0**-32  # of a membrane's scale: a threshold of 0.5 and noise of 0.5 have 0.5
UNIT = max(GRID * 0.5, 2.0 ** (math.ceil(math.log2(BOUND)) - 28))


def grid(x: Any) -> Array:
    return np.asarray(np.rint(np.asarray(x) * 2.0**20) * 2.0**-20)


def squared(x: Array) -> float:
    """Return |X|^2 in the page's order."""
    lanes = [0.0] * 8
    for i, one in enumerate(x):
        lanes[i % 8] += float(one) * float(one)
    total = lanes[0]
    for lane in lanes[1:]:
        total += lane
    return total


@dataclass
class Into:
    """Hold a projection: its source, d, blocks, weights and eligibilities."""

    pre: str
    d: float
    blocks: int
    w: Array
    e: Array = field(init=False)

    def __post_init__(self) -> None:
        self.w = np.clip(np.rint(self.w / UNIT), -BOUND / UNIT, BOUND / UNIT) * UNIT
        self.e = np.zeros(self.w.shape, f32)

    def traces(self, raster: Array) -> Array:
        x = np.zeros(raster.shape)
        for t in range(1, len(x)):
            x[t] = grid(self.d * x[t - 1]) + raster[t - 1]
        return x

    def remember(self, x: Array, f: Array) -> None:
        """Let e <- f(f(f(keep) e) + f(S))."""
        n_pre, n_post = self.w.shape[-2:]
        for block in range(self.blocks):
            rows, columns = (slice(block * n, block * n + n) for n in (n_pre, n_post))
            total = x[:, rows].T @ grid(f[:, columns])
            e = self.e[block] if self.w.ndim == 3 else self.e
            new = f32(GAMMA * LAMBDA) * e + total.astype(f32)
            e[...] = np.where(np.abs(new) < 2.0**-60, f32(0), new)

    def step(self, eta_m: float) -> None:
        steps = np.clip(f32(eta_m / UNIT) * self.e, -(2.0**29), 2.0**29)
        n = np.clip(self.w / UNIT + np.rint(steps), -BOUND / UNIT, BOUND / UNIT)
        self.w = n * UNIT


@dataclass
class Layer:
    """Hold a population: the step from which it counts, alpha, what enters it, and N."""

    first: int
    alpha: float
    into: dict[str, Into]
    n: float | None = None

    def learn(self, spikes: dict[str, Array], own: Array, phi: Array, m: float) -> None:
        counts = W - self.first
        gain = (1 - own[self.first :].sum(axis=0) / counts) * phi
        f = np.where(own, gain, 0.0)
        f[: self.first] = 0.0
        p = 0.0
        for one in self.into.values():
            x = one.traces(spikes[one.pre])
            p += squared(x[self.first :].sum(axis=0)) / one.blocks / counts
            one.remember(x, f)
        self.n = p if self.n is None else self.n + 0.01 * (p - self.n)
        for one in self.into.values():
            one.step(self.alpha * 1.0 / max(1.0, self.n) * max(-LIMIT, min(LIMIT, m)))


@pytest.mark.parametrize("loop", ["numpy", "native"])
def test_a_presets_agent(loop: str) -> None:
    agent = SpikingActorCritic("CartPole-v1", seed=3, loop=loop)
    rate = math.exp(-DT / 4.48e-3)
    names = ("input_hidden", "bias_hidden", "hidden_output", "bias_output")
    decays = (rate, rate, rate, 0.0)
    begin = {name: agent.backend.weights(name) for name in names}
    pres, blocks = ("input", "bias", "hidden", "bias"), (1, 1, 20, 1)
    parts = zip(names, pres, decays, blocks, strict=True)
    held = {name: Into(pre, d, n, begin[name]) for name, pre, d, n in parts}
    b = np.where(held["hidden_output"].w.ravel() < 0, -1.0, 1.0)
    hidden = Layer(1, 2.4, {name: held[name] for name in names[:2]})
    output = Layer(2, 0.36, {name: held[name] for name in names[2:]})
    kinds = [f"{name}.{kind}" for name in names for kind in ("weights", "eligibility")]
    spikes = ["input.spikes", "bias.spikes", "hidden.spikes", "output.spikes"]
    seen = Recorder([*kinds, *spikes, "action", "policy", "modulator"])
    ends = np.cumsum([episode.length for episode in agent.learn(total_episodes=3, record=seen)])
    assert ends[-1] > 30
    for k in range(ends[-1]):
        if k in ends:
            for one in held.values():
                one.e[...] = 0
        window = {name: seen[f"{name}.spikes"][k * W : k * W + W] for name in ("input", "bias")}
        own = {name: seen[f"{name}.spikes"][k * W : k * W + W] for name in ("hidden", "output")}
        phi = (np.arange(ACTIONS) == seen["action"][k]) - seen["policy"][k]
        of_outputs, m = np.tile(phi, 20 // ACTIONS), float(seen["modulator"][k])
        for layer, name, told in (
            (output, "output", of_outputs),
            (hidden, "hidden", np.repeat(of_outputs, PER_MODULE) * b),
        ):
            layer.learn({**window, **own}, own[name], told, m)
        for name, one in held.items():
            assert np.array_equal(one.e, seen[f"{name}.eligibility"][k]), (k, name)
            assert np.array_equal(one.w, seen[f"{name}.weights"][k]), (k, name)
    for layer, name in ((hidden, "hidden"), (output, "output")):
        assert layer.n == agent.state()[f"learner.norm.{name}"]
    assert all((one.w != begin[name]).any() for name, one in held.items())


def test_slow_is_decayed_to_the_step() -> None:
    """Compute e of a synapse by `slow` alone, over two windows."""
    plastic = Plasticity(0.0, -10.0, 10.0)
    ins = Source("in", 1), Source("force", 1), Population("cell", 1, LIF(0.0, threshold=1.0))
    learns = Projection("learns", "in", "cell", 0.25, plasticity=plastic)
    network = Network(ins, (learns, Projection("forces", "force", "cell", 4.0)), DT)
    with load("reference", network) as backend:
        rule = Rule("s", output="slow", slow_tau=0.01)
        learning = Learning(backend, rule, eligibility_tau=None)
        e, z, arrived = 0.0, 0.0, False
        for seed in (1, 2):
            inputs = {
                n: np.random.default_rng([seed, len(n)]).random((9, 1)) < 0.4
                for n in ("in", "force")
            }
            own = learning.window(inputs, 9)["cell"]
            for t in range(9):
                slow = float(grid(math.exp(-DT / 0.01) * z))
                e, z = e + arrived * slow, slow + bool(own[t, 0])
                arrived = bool(inputs["in"][t, 0])
        assert learning.eligibility("learns").item() == f32(e)
        assert e > 1.0
