"""Make rules of statements with a network that each learns in, and lessons for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from neurorl.models import LIF, FixedProbability
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.rules.synapse_rule import SynapseRule

_MS = 1e-3
_TRACES = "dx_pre/dt = -x_pre/tau; dy_post/dt = -y_post/tau"


@dataclass(frozen=True)
class Lesson:
    """Hold a window and what comes of it.

    inputs, n_steps, signals: as of `SynapseLearning.window`. rewards: modulators by name.
    """

    inputs: Mapping[str, BoolArray]
    n_steps: int
    signals: Mapping[str, FloatArray] = field(default_factory=dict)
    rewards: Mapping[str, float] = field(default_factory=dict)


def _dopamine() -> SynapseRule:
    """Return NEST's ``stdp_dopamine_synapse``, integrated exactly over steps of 1 ms."""
    tau, tau_c, tau_n, dt = 20 * _MS, 0.1, 0.05, _MS
    both = (tau_c + tau_n) / (tau_c * tau_n)
    return SynapseRule(
        "dopamine",
        equations="""
        dx_pre/dt = -x_pre*fades
        dy_post/dt = -y_post*fades
        dc/dt = -c*c_fades
        dn/dt = -n*n_fades + dopamine/(tau_n*dt)
        dw/dt = 1000*c*(n*with_n - b*with_b)
        """,
        on_pre="c -= minus*y_post; x_pre += 1",
        on_post="c += plus*x_pre; y_post += 1",
        method="euler",
        parameters={
            "fades": -np.expm1(-dt / tau) / dt,
            "c_fades": -np.expm1(-dt / tau_c) / dt,
            "n_fades": -np.expm1(-dt / tau_n) / dt,
            "with_n": -np.expm1(-both * dt) / both / dt,
            "with_b": -np.expm1(-dt / tau_c) * tau_c / dt,
            "tau_n": tau_n * 1e3,
            "b": 0.01,
            "plus": 0.01,
            "minus": 0.012,
        },
        signals=("dopamine",),
    )


RULES: dict[str, Callable[[], SynapseRule]] = {
    "pairs": lambda: SynapseRule(
        "pairs with soft bounds",
        equations=_TRACES,
        on_pre="x_pre += 1; w -= 0.03*w*y_post",
        on_post="y_post += 1; w += 0.02*(1 - w)*x_pre",
        parameters={"tau": 20 * _MS},
    ),
    "reward": lambda: SynapseRule(
        "reward-modulated pairs",
        equations=f"{_TRACES}; de/dt = -e/tau_e",
        on_pre="e -= 1.05*y_post; x_pre += 1",
        on_post="e += x_pre; y_post += 1",
        on_reward="w += eta*reward*e",
        parameters={"tau": 20 * _MS, "tau_e": 0.5, "eta": 0.02},
        modulators=("reward",),
    ),
    "oja": lambda: SynapseRule(
        "Oja 1982",
        equations=f"{_TRACES}; dw/dt = eta*y_post*(x_pre - y_post*w)",
        on_pre="x_pre += 1",
        on_post="y_post += 1",
        method="euler",
        parameters={"tau": 20 * _MS, "eta": 2.0},
    ),
    "bcm": lambda: SynapseRule(
        "Bienenstock, Cooper & Munro 1982",
        equations=f"""{_TRACES}
        dtheta_post/dt = (y_post*y_post/target - theta_post)/tau_theta
        dw/dt = eta*x_pre*y_post*(y_post - theta_post)
        """,
        on_pre="x_pre += 1",
        on_post="y_post += 1",
        method="euler",
        parameters={"tau": 50 * _MS, "tau_theta": 1.0, "target": 0.5, "eta": 0.2},
        initial={"theta_post": 1.0},
    ),
    "dopamine": _dopamine,
}
"""Map names to rules that differ in what they need of who runs them."""


def rule_network(delay: float = 2e-3, chance: float = 1.0) -> Network:
    """Return cells that spike a step after their teacher does, and what learns to drive them."""
    cells = Population("cells", 5, LIF(tau_mem=0.0, threshold=50.0))
    some = FixedProbability(chance, seed=1) if chance < 1 else None
    plastic = Plasticity(20e-3, 0.0, 1.0)
    learns = Projection(
        "learns", "input", "cells", 0.5, connect=some, plasticity=plastic, delay=delay
    )
    teach = Projection("teach", "teacher", "cells", 100 * np.eye(5))
    return Network((Source("input", 8), Source("teacher", 5), cells), (learns, teach))


def lessons_of(
    network: Network, rule: SynapseRule, n: int = 12, n_steps: int = 25, seed: int = 0
) -> list[Lesson]:
    """Return windows of random spikes, signals and rewards, with 5 quiet steps at the end of each.

    So nothing is under way when weights are read.
    """
    rng, lessons = np.random.default_rng(seed), []
    chances = (np.arange(n_steps) < n_steps - 5)[:, None]
    for _ in range(n):
        inputs = {s.name: rng.random((n_steps, s.size)) < 0.06 * chances for s in network.sources}
        given = np.repeat(rng.random((n_steps, 1)) < 0.08 * chances, 5, axis=1).astype(float)
        rewards = {m: float(rng.normal()) for m in rule.modulators}
        lessons.append(Lesson(inputs, n_steps, dict.fromkeys(rule.signals, given), rewards))
    return lessons
