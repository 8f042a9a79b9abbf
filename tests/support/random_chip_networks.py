"""Draw random networks whose equations are LIF or CubaLIF in other words."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl.models import CubaLIF, Equations, FixedInDegree, FixedProbability
from neurorl.network.description import (
    Network,
    Neuron,
    Node,
    Population,
    Projection,
    Source,
    Uniform,
)

DT = 1e-3


def random_chip_network(seed: int) -> Network:
    """Return a source of spikes, one of currents, and 1 to 3 populations that the chip has."""
    rng = np.random.default_rng(seed)
    sources = [Source("input", 4), Source("level", 2, "current")]
    cells = []
    for k in range(rng.integers(1, 4)):
        size = 2 * int(rng.integers(1, 5))
        cells.append(Population(f"cells_{k}", size, _neuron(rng, size)))
    nodes: list[Node] = [*sources, *cells]
    projections = []
    for post in cells:
        for k in range(rng.integers(2, 5)):
            pre = nodes[0 if k == 0 else int(rng.integers(len(nodes)))]
            is_current = isinstance(pre, Source) and pre.kind == "current"
            signed = not is_current and rng.random() < 0.15
            scale = rng.uniform(0.2, 0.9)
            projections.append(
                Projection(
                    f"to_{post.name}_{k}",
                    pre.name,
                    post.name,
                    Uniform(-0.3 * scale, scale),
                    signed=signed,
                    target=post.neuron.inputs[0],
                    **({} if is_current or signed else _synapses(rng, pre.size, post.size)),
                )
            )
    return Network(tuple(nodes), tuple(projections), DT)


def _synapses(rng: np.random.Generator, n_pre: int, n_post: int) -> dict[str, Any]:
    """Return which synapses there are, and their delays."""
    delay, seed = DT * int(rng.integers(1, 5)), int(rng.integers(99))
    kind = rng.random()
    if kind < 0.5:
        return {"delay": delay, "mask": rng.random((n_pre, n_post)) < 0.6 if kind < 0.2 else None}
    if kind < 0.7:
        return {"delay": delay, "connect": FixedProbability(0.5, seed=seed)}
    n = int(rng.integers(1, n_pre + 1))
    delays = DT * rng.integers(1, 6, n * n_post)
    return {"delay": delays, "connect": FixedInDegree(n, seed=seed)}


def _neuron(rng: np.random.Generator, size: int) -> Neuron:
    """Return a neuron of one variable or two, as an update or by any method, or a CubaLIF."""
    kind = int(rng.integers(6))
    tau, share = rng.uniform(3e-3, 3e-2, size), float(rng.uniform(5, 20))
    shared: dict[str, Any] = {
        "refractory": float(rng.choice([0.0, 1e-3, 3e-3])),
        "noise": float(rng.choice([0.0, 0.2])),
    }
    if kind == 0:
        return CubaLIF(3e-3, 9e-3, 0.6, 0.0, **shared)
    if kind == 1:
        keep = float(rng.uniform(0.5, 0.95))
        update = f"u = 0.7*u + q\nv = {keep!r}*v + u + b"
        numbers: dict[str, Any] = {"b": rng.uniform(0, 0.02, size)}
        initial = {"u": 0.0, "v": 0.0}
        return Equations(update, "v > 0.9", "v = 0", "", numbers, initial, **shared)
    if kind == 2:
        lines = "dv/dt = (-v + R*i)/tau\ndi/dt = -i/tau_s"
        numbers = {"R": share, "tau": tau, "tau_s": float(rng.uniform(2e-3, 8e-3))}
        return Equations(lines, "v > 1", "v = 0", "exact", numbers, inputs=("i",), **shared)
    method = ("exact", "exponential_euler", "euler")[kind - 3]
    numbers = {"E": -65.0, "R": 15 * share, "tau": tau}
    shared["noise"] *= 15
    lines = "dv/dt = (E - v + R*q)/tau"
    return Equations(lines, "v > -50", "v = E", method, numbers, {"v": -65.0}, **shared)
