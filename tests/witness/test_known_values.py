"""Compare `neurorl.rules.three_factor` with values that other projects' tests state.

Only numbers are taken from there: what goes in, and what their tests say comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl.rules.three_factor import apply_modulator, eligibility, trace

Array = npt.NDArray[Any]
Measured = Callable[[str, str, float, float], None]

LAVA = "Lava R-STDP, floating point"

# tests/lava/proc/dense/test_stdp_sim.py of Lava (commit b6822fbc, of 2025): 100 steps, the last of
# 50 with a reward. Steps of spikes were recorded from a run of these tests with lava-nc 0.10.0.
TO_THE_END = range(40, 101)
ONE = ([range(11, 101, 11)], [[*range(7, 43, 7), *range(45, 101)]])
SIX = (
    [range(13, 101, 13), range(11, 101, 11), range(10, 101, 10)],
    [[*range(9, 37, 9), *TO_THE_END], [*range(7, 36, 7), *TO_THE_END]],
)
REWARDED = range(35, 52)
PUBLISHED = [
    (ONE, [[33.4210359]]),
    (SIX, [[191.7300724, 31.3616088, 255.5749675], [187.6922553, 17.4506295, 250.7446092]]),
]
EPOCH, IMPULSE, TAU, A, FADES, LONGEST = 2, 16.0, 10.0, 2.0, 0.5, 65535.0


def raster(spikes: Any) -> Array:
    """Return spikes ``(steps, neurons)``; their first step is 1."""
    found = np.zeros((100, len(spikes)), dtype=bool)
    for column, steps in enumerate(spikes):
        found[np.array(steps) - 1, column] = True
    return found


def by_the_rule(pre: Array, post: Array) -> Array:
    """Return weights ``(n_pre, n_post)`` after their rule, acting once in an epoch of two steps.

    Of the spikes of a neuron in an epoch the last counts; a postsynaptic trace is a step late, and
    a presynaptic spike meets that of the epoch's end. Eligibility falls by half in an epoch and
    the weights change by what it was before. What comes to the synapse from the neuron, its trace
    and the reward, fades there once more, until the spike or the epoch's end, with Lava's longest
    time constant.
    """
    keep, fades = float(np.exp(-1 / TAU)), float(np.exp(-1 / LONGEST))
    x, y = np.zeros(pre.shape[1]), np.zeros(post.shape[1])
    e = np.zeros((len(x), len(y)))
    w = np.zeros_like(e)
    late = np.zeros(len(y), dtype=bool)
    for start in range(0, 100, EPOCH):
        seen = []
        for t in range(start, start + EPOCH):
            x, y = trace(x, IMPULSE * pre[t], keep), trace(y, IMPULSE * late, keep)
            late = post[t]
            seen.append(x)
        reward = fades**EPOCH * (start + EPOCH in REWARDED)
        w = apply_modulator(w, e, reward, 1.0, -np.inf, np.inf)
        e = FADES * e
        for t, x_then in enumerate(seen):
            came, spiked = (
                r[start + t] & ~r[start + t + 1 : start + EPOCH].any(0) for r in (pre, post)
            )
            e = eligibility(e, came, -A * fades ** (t + 1) * y, 1.0)
            e = eligibility(e, x_then, A * spiked, 1.0)
    return w


@pytest.mark.parametrize(("spikes", "published"), PUBLISHED, ids=["one synapse", "six synapses"])
def test_lavas_reward_modulated_stdp(spikes: Any, published: Any, measured: Measured) -> None:
    expected = np.array(published).T
    found = by_the_rule(*(raster(side) for side in spikes))
    worst = float((np.abs(found - expected) / np.abs(expected)).max())
    measured(LAVA, f"functions of the rule: {expected.size} weights as published", worst, 5e-9)


def test_ngc_learns_mstdp_with_eligibility(measured: Measured) -> None:
    """The values are from tests/components/synapses/modulated/test_MSTDPETSynapse.py (6cfadd53).

    Weight 0.75, presynaptic trace 1.25, a postsynaptic spike, rate 0.1; a reward of 1, and then all
    again with a reward of -1: 0.875 and 0.75.
    """
    x, spiked, w = np.array([1.25]), np.array([1.0]), np.array([[0.75]])
    worst = 0.0
    for reward, published in ((1.0, 0.875), (-1.0, 0.75)):
        e = eligibility(np.zeros((1, 1)), x, spiked, 1.0)
        w = apply_modulator(w, e, reward, 0.1, 0.0, 1.0)
        worst = max(worst, abs(w.item() - published))
    measured("ngc-learn MSTDPETSynapse", "functions of the rule: weight as published", worst, 1e-15)
