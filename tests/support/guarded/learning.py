"""Let networks learn without an agent: dense, blocks and lists, alone and side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from random_rules import text

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.models import ADAPTIVE_LIF, IZHIKEVICH, CubaLIF, FixedInDegree
from neurorl.rules import RULES, Rule

_DT, _WINDOWS = 1e-3, 6
_NEURONS = {
    "CubaLIF": CubaLIF(tau_syn=3e-3, tau_mem=15e-3, threshold=0.8, noise=0.1),
    "ADAPTIVE_LIF": ADAPTIVE_LIF,
    "IZHIKEVICH": IZHIKEVICH,
}


def _network(rng: np.random.Generator, on_chip: bool) -> Network:
    """Draw a network of two layers whose projections learn in different ways."""
    name = "CubaLIF" if on_chip else str(rng.choice([*_NEURONS]))
    neuron = _NEURONS[name]
    high = 20.0 if name == "IZHIKEVICH" else 0.9

    def learns() -> dict[str, Any]:
        low, tau = float(rng.uniform(-1.0, 0.0)) * high, float(rng.choice([0.0, 5e-3, 20e-3]))
        return {"plasticity": Plasticity(trace_tau=tau, low=low, high=2 * high)}

    mask = rng.random((6, 8)) < 0.7
    shapes: list[dict[str, Any]] = [
        {"mask": mask},
        {"connect": FixedInDegree(3)},
        {"blocks": 2},
        {"delay": 3e-3},
        {"connect": FixedInDegree(2), "delay": _DT * (1 + np.arange(16) % 5)},
        {},
    ]
    up, out = (shapes[int(k)] for k in rng.choice(len(shapes) - 1, size=2, replace=False))
    if "mask" in out:
        out = {}
    if len(np.atleast_1d(out.get("delay", 0))) > 1:
        out = {"connect": FixedInDegree(3)}
    return Network(
        (Source("in", 6), Population("cells", 8, neuron), Population("output", 4, neuron)),
        (
            Projection("up", "in", "cells", Uniform(0, high), **up, **learns()),
            Projection("out", "cells", "output", Uniform(0, high), **out, **learns()),
            Projection("back", "output", "cells", Uniform(-0.2, 0.0), **learns()),
        ),
        _DT,
    )


def _rule(rng: np.random.Generator, seed: int, missing: set[str]) -> Rule | str:
    """Draw a shipped rule that needs neither an agent nor a *missing* name, or random texts."""
    if rng.random() < 0.5:
        return str(rng.choice([n for n in RULES if _stands_alone(n, missing)]))
    names = sorted({"spike", "p", "v", "slow", "phi", "n", "W", "theta"} - missing)
    output, hidden = (f"clip({text(rng, names, 3)}, -2, 2)" for _ in range(2))
    slow = 0.03 if "slow" in output + hidden else None
    return Rule(f"drawn {seed}", output=output, hidden=hidden, slow_tau=slow)


def _stands_alone(name: str, missing: set[str]) -> bool:
    rule = RULES[name]
    return rule.is_text and not rule.names("V", "y", "t", "M", *missing)


def _learn(seed: int, on_chip: bool) -> dict[str, Any]:
    """Return weights, eligibilities and spikes after windows of random input and modulators."""
    rng = np.random.default_rng(seed)
    network = _network(rng, on_chip)
    has_equations = network.populations[0].neuron != _NEURONS["CubaLIF"]
    missing = {"p"} if on_chip else {"p", "theta"} if has_equations else set()
    rule = _rule(rng, seed, missing)
    seeds = [seed, seed + 1] if seed % 2 else seed
    n, total, told = 1 + seed % 2, [], {"cells": 8, "output": 4}
    arithmetic = "loihi" if on_chip else "float"
    with load("reference", network, seed=seeds, arithmetic=arithmetic) as backend:
        learning = Learning(backend, rule, rate=0.05)
        for _ in range(_WINDOWS):
            n_steps = int(rng.integers(5, 25))
            rasters = learning.window({"in": rng.random((n_steps, 6 * n)) < 0.4}, n_steps)
            total.append([int(raster.sum()) for _, raster in sorted(rasters.items())])
            says = {name: rng.normal(size=size) for name, size in told.items()}
            named = [s for s in ("phi", *learning.rule.signals) if learning.rule.names(s)]
            learning.reinforce(rng.normal(), signals=dict.fromkeys(named, says))
        names = ("up", "out", "back")
        return {
            **{f"weights {p}": learning.weights(p) for p in names},
            **{f"eligibility {p}": learning.eligibility(p) for p in names},
            "spikes": np.array(total),
        }


LEARNING: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    **{f"learning {k}": partial(_learn, k, False) for k in range(40)},
    **{f"learning on chip {k}": partial(_learn, k, True) for k in range(40, 55)},
}
"""Map the names of the cases of `Learning` to what computes them."""
