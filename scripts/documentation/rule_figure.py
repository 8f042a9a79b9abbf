"""Draw what a rule does: its post factors in a window, and its window of spike timing."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neurorl.backends.registry import load
from neurorl.learning.standalone import Learning
from neurorl.models import LIF
from neurorl.network.connectors import OneToOne
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.numerics.arrays import FloatArray
from neurorl.rules import Decision, HiddenLayer, Rule, feedback

_STEPS, _POLICY = 12, np.array([0.4, 0.6])
_LAGS = np.arange(-40, 41)


def response(rule: Rule) -> Figure:
    """Return a figure of a rule's post factors, or of spike timing if it pairs spikes."""
    if rule.pairs_spikes:
        return _timing_figure(rule)
    found = factors(rule)
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True)
    for row, layer in enumerate(("output", "hidden")):
        for column, said in enumerate(("of the action taken", "of another action")):
            _stems(axes[row][column], *(array[:, column] for array in found[layer]))
            axes[row][column].set_title(f"{layer} neuron {said}", fontsize=10)
    for one in axes[-1]:
        one.set_xlabel("step of the window")
    figure.supylabel("post factor f")
    return figure


def factors(rule: Rule) -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return f and spikes of two modules, that of the action taken first, ``(W, 2)`` each.

    The window is made up: spikes at random with a probability that rises and falls, a membrane and
    signals to match, M = 1, and a policy that gives the action 0.4.
    """
    rng, shape = np.random.default_rng(5), (_STEPS, 2)
    p = 0.25 + 0.35 * np.sin(np.pi * np.arange(_STEPS) / _STEPS)[:, None] * np.ones(2)
    raster = {name: rng.random(shape) < p for name in ("output", "hidden")}
    raster = {name: spikes & (np.arange(_STEPS)[:, None] > 0) for name, spikes in raster.items()}
    named: dict[str, dict[str, FloatArray | float]] = {
        name: {
            "v": np.where(spikes, 0.0, 2 * p - 0.2),
            "theta": 1.0,
            "M": 1.0,
            "slow": np.zeros(shape),
            **{signal: rng.normal(size=shape) for signal in rule.signals},
        }
        for name, spikes in raster.items()
    }
    hidden = HiddenLayer(
        raster["hidden"], 1, 1, np.ones(2), p, np.full(2, 0.5), named=named["hidden"]
    )
    decision = Decision(0, feedback(0, _POLICY), raster["output"], 1, (hidden,), p, named["output"])
    made = rule(decision)
    return {
        "output": (made.output, raster["output"].astype(np.float64)),
        "hidden": (made.hidden[0], raster["hidden"].astype(np.float64)),
    }


def timing(rule: Rule, pairs: int, interval: int = 100) -> FloatArray:
    """Return the eligibility that pairs of spikes leave for each lag of `_LAGS`, in ms.

    pairs: how many, every *interval* ms. The neuron spikes so many ms after its input has arrived.
    """
    n, steps = len(_LAGS), 50 + interval * pairs
    network = Network(
        (Source("before", n), Source("makes", n), Population("cells", n, LIF(threshold=0.5))),
        (
            Projection(
                "learns",
                "before",
                "cells",
                0.01,
                connect=OneToOne(),
                plasticity=Plasticity(0.02, low=-1.0, high=1.0),
            ),
            Projection("forces", "makes", "cells", 1.0, connect=OneToOne()),
        ),
        dt=1e-3,
    )
    at = 45 + interval * np.arange(pairs)
    inputs = {name: np.zeros((steps, n), dtype=np.bool_) for name in ("before", "makes")}
    inputs["before"][at] = True
    for k, lag in enumerate(_LAGS):
        inputs["makes"][at + lag, k] = True
    with load("reference", network) as backend:
        learning = Learning(backend, rule)
        learning.window(inputs, steps)
        learning.reinforce(0.0, phi=1.0 if rule.names("phi") else None)
        return np.ravel(learning.eligibility("learns"))


def _timing_figure(rule: Rule) -> Figure:
    figure = Figure(figsize=(8, 3), layout="constrained")
    axes = figure.subplots(1, 2)
    for one, pairs in zip(axes, (1, 5), strict=True):
        one.plot(_LAGS, timing(rule, pairs), ".-", linewidth=1)
        one.axhline(0, color="0.7", linewidth=0.8)
        what = "one pair" if pairs == 1 else f"{pairs} pairs, every 100 ms"
        one.set(title=what, xlabel="ms from the input to the spike")
    axes[0].set_ylabel("eligibility")
    return figure


def _stems(axes: Axes, f: FloatArray, spikes: FloatArray) -> None:
    steps = np.arange(len(f))
    axes.vlines(steps, 0, f, linewidth=2)
    axes.plot(steps, f, "o", markersize=4)
    axes.plot(steps[spikes > 0], f[spikes > 0], "o", markersize=9, fillstyle="none", color="C3")
    axes.axhline(0, color="0.7", linewidth=0.8)
