"""Draw one window in time: what a synapse and its neuron do in it, and what comes after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from documentation.drawing import Drawing
from neurorl.backends.recording import Recording
from neurorl.backends.registry import load
from neurorl.models import CubaLIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.numerics.arrays import FloatArray
from neurorl.rules import Decision, feedback, find_rule
from neurorl.rules.three_factor import apply_modulator, arrivals, window_traces

_STEPS, _DT, _TAU = 12, 1e-3, 4.48e-3
_NEURON = CubaLIF(tau_syn=1.44e-3, tau_mem=4.48e-3, threshold=0.5, noise=0.1)
_POLICY, _M, _ALPHA, _WEIGHT = np.array([0.4, 0.6]), 0.8, 0.1, 0.2


@dataclass(frozen=True)
class Example:
    """Hold a window of one synapse, ``(W,)`` each: spikes before and after, x, v, f, sum of x f.

    change: of the weight, once the modulator is known.
    """

    before: FloatArray
    after: FloatArray
    trace: FloatArray
    membrane: FloatArray
    factor: FloatArray
    eligibility: FloatArray
    change: float

    @classmethod
    def run(cls) -> Example:
        """Run a neuron with four inputs on the reference, and learn as *spikes-only* does."""
        network = Network(
            (Source("input", 4), Population("output", 1, _NEURON)),
            (Projection("synapses", "input", "output", _WEIGHT),),
            _DT,
        )
        spikes = np.zeros((_STEPS, 4), dtype=np.bool_)
        spikes[[0, 4, 8], 0] = spikes[[2, 6, 10], 1] = spikes[1::3, 2] = spikes[::4, 3] = True
        with (
            load("reference", network, seed=3) as backend,
            Recording(backend, ["output.voltage"]) as seen,
        ):
            after = backend.step({"input": spikes}, _STEPS)["output"]
            membrane = np.ravel(seen["output.voltage"])
        trace = window_traces(arrivals(spikes[:, :1], 1), float(np.exp(-_DT / _TAU)))
        # The neuron stands for the module of the action that was taken.
        decision = Decision(0, feedback(0, _POLICY)[:1], after, output_from=1)
        factor = find_rule("spikes-only")(decision).output
        eligibility = np.cumsum(trace * factor)
        weight = np.array([_WEIGHT])
        new = apply_modulator(weight, eligibility[-1:], _M, _ALPHA, -1.0, 1.0)
        return cls(
            spikes[:, 0].astype(float),
            after[:, 0].astype(float),
            trace[:, 0],
            membrane,
            factor[:, 0],
            eligibility,
            float((new - weight)[0]),
        )


def window() -> Drawing:
    """Draw the window of `Example`, step by step, and what comes after it."""
    one = Example.run()
    d = Drawing(
        "window", 760, 600, "Spikes, trace, membrane, post factor and eligibility in 12 steps"
    )
    d.text(20, 24, "A window of W = 12 steps, in which weights don't change", "h")
    d.text(590, 24, "After it", "h")
    rows = (
        ("input spikes", one.before, "one", True),
        ("trace x", one.trace, "one", False),
        ("membrane v", one.membrane, "two", False),
        ("its spikes", one.after, "two", True),
        ("post factor f", one.factor, "two", True),
        ("sum of x f", one.eligibility, "three", False),
    )
    for k, (name, values, kind, is_event) in enumerate(rows):
        _row(d, 80 + 84 * k, name, values, kind, is_event)
    for k in range(_STEPS):
        d.text(_x(k), 566, str(k))
    d.text(360, 590, "step of the window")
    d.line([(568, 40), (568, 550)])
    d.box(590, 52, 150, 76, "votes, action", "then phi is known,", "here 1 - 0.4", kind="blue")
    d.box(590, 166, 150, 76, "environment", "reward, next", "observation", kind="blue")
    d.box(590, 280, 150, 76, "modulator", f"M, here {_M:g}", kind="green")
    d.box(
        590,
        394,
        150,
        76,
        "eligibility",
        "e: keep e + sum,",
        f"here {one.eligibility[-1]:.2f}",
        kind="gold",
    )
    d.box(590, 508, 150, 76, "weight", "w: w + alpha M e,", f"here + {one.change:.3f}", kind="gold")
    for y in (128, 242, 356, 470):
        d.arrow([(665, y), (665, y + 36)])
    return d


def _x(step: float) -> float:
    return 190 + 31.5 * step


def _row(
    d: Drawing, y: float, name: str, values: Sequence[float] | FloatArray, kind: str, is_event: bool
) -> None:
    """Draw *values* of the steps, 54 units high, above a line at *y* + 20."""
    base, high = y + 20, max(float(np.max(values)), 1e-9)
    d.text(20, y, name, "l")
    d.line([(178, base), (552, base)])
    heights = [base - 54 * float(value) / high for value in values]
    if is_event:
        for k, top in enumerate(heights):
            if top != base:
                d.line([(_x(k), base), (_x(k), top)], kind)
        return
    d.line([(_x(k), top) for k, top in enumerate(heights)], kind)
