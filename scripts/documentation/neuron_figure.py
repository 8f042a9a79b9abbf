"""Draw how a neuron answers: its variables in time, and its rate against its input."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from neurorl.backends.recording import Recording
from neurorl.backends.registry import load
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.network.neuron import Neuron, integrator_of
from neurorl.numerics.arrays import FloatArray

_MORE = 60.0  # spikes a second above those without input
_STEPS = 300
_FROM = 50


def rates(neuron: Neuron, weights: FloatArray, seed: int = 1) -> FloatArray:
    """Return spikes a second of a cell for each weight of an input that spikes in every ms."""
    n = len(weights)
    with load("reference", _driven(neuron, np.diag(weights)), seed=seed) as backend:
        raster = backend.step({"input": np.ones((1000, n), dtype=np.bool_)}, 1000)["cells"]
    return np.asarray(raster.sum(axis=0), dtype=np.float64)


def response(neuron: Neuron) -> tuple[Figure, float]:
    """Return a figure of a neuron's answers, and the weight of the input on its left side.

    The weight is the least power of two times 1e-3 at which it spikes 60 times a second more than
    without input.
    """
    weights = 1e-3 * 2.0 ** np.arange(0, 24)
    found = rates(neuron, np.concatenate([[0.0], weights]))
    enough = np.flatnonzero(found[1:] >= found[0] + _MORE)
    weight = float(f"{weights[enough[0] if enough.size else -1]:.2g}")
    recorded = _recorded(neuron, weight)
    figure = Figure(figsize=(8, max(2.6, 1.25 * len(recorded))), layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=(3, 2))
    left, right = parts
    axes = np.atleast_1d(left.subplots(len(recorded), 1, sharex=True))
    for one, (name, values) in zip(axes, recorded.items(), strict=True):
        one.plot(values, linewidth=1)
        one.set_ylabel(name)
    axes[-1].set_xlabel("ms")
    low = -8 * weight if found[0] else 0.0
    high = 8 * weight if found[0] else 2 * weight
    several = np.linspace(low, high, 41)
    curve = right.subplots()
    curve.plot(several, rates(neuron, several), ".-", linewidth=1)
    curve.set(xlabel="weight of an input in every ms", ylabel="spikes a second")
    return figure, weight


def _driven(neuron: Neuron, weights: FloatArray) -> Network:
    n = len(weights)
    target = neuron.inputs[0] if len(neuron.inputs) > 1 else None
    nodes = (Source("input", n), Population("cells", n, neuron))
    return Network(nodes, (Projection("drive", "input", "cells", weights, target=target),), 1e-3)


def _recorded(neuron: Neuron, weight: float) -> dict[str, FloatArray]:
    """Return the variables of a cell, and its spikes, in each step."""
    network = _driven(neuron, np.array([[weight]]))
    plan = neuron.plan(1, network.dt)
    integrator = integrator_of(plan)
    names = ["voltage", "current"] if integrator else list(plan.initial)
    if integrator and not integrator.current_decay.any():
        names = ["voltage"]
    spikes = np.arange(_STEPS)[:, None] >= _FROM
    wanted = [f"cells.{name}" for name in names]
    with load("reference", network, seed=1) as backend, Recording(backend, wanted) as seen:
        raster = backend.step({"input": spikes}, _STEPS)["cells"]
        values = {name: np.ravel(seen[f"cells.{name}"]) for name in names}
    return {**values, "spikes": raster[:, 0].astype(np.float64)}
