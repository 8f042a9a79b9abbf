"""Compute how long a chip must wait for silence, as its state can't be cleared.

Currents and membranes decay towards 0 in integers and reach it, from any value that the registers
can hold. A population falls silent after those that project to it. Silence never comes in a loop of
projections, where a membrane doesn't leak, or where a bias drives neurons without noise. Noise
itself goes on, so a noisy population ends up as if it had rested, but not silent.
"""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import numpy as np

from neurorl.arithmetic.quantiser import VOLTAGE_MAX
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.numerics.arrays import FloatArray, IntArray

LONGEST = 4096
"""Wait at most this many steps for silence; beyond it, building a new backend is cheaper."""

_WHOLE_EPOCHS = 4  # waiting must not shift the steps in which a chip learns, every fourth


def silence(arithmetic: ChipArithmetic, weights: dict[str, FloatArray]) -> tuple[int, str]:
    """Return the steps in which a network falls silent after any input, or why it doesn't, else ''.

    arithmetic: the network that runs and its chip integers. weights: effective ones by projection.

    Source: Davies et al. 2018; the order of decays is that of `neurorl.arithmetic.quantiser`.
    """
    network, chip = arithmetic.network, arithmetic.chip
    into = network.spiking.projections
    before = {p.name: {q.pre for q in into if q.post == p.name} for p in network.populations}
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as exc:
        return 0, f"spikes go round in a loop of {', '.join(map(repr, exc.args[1][1:]))}"
    ends = dict.fromkeys((s.name for s in network.sources), 0)
    for name in (name for name in order if name in chip.populations):
        p = chip.populations[name]
        if not p.voltage_decay.all():
            return 0, f"the membrane of {name!r} doesn't leak"
        if (np.asarray(arithmetic.bias(name, weights))[p.noise_width == 0] != 0).any():
            return 0, f"a bias drives {name!r}"
        arrives = 1 + max((ends[pre] for pre in before[name]), default=0)
        fades = _fades(4095 - p.current_decay) + _fades(4096 - p.voltage_decay)
        ends[name] = arrives + int(fades.max()) + int(p.refractory.max())
    steps = -(-max(ends.values()) // _WHOLE_EPOCHS) * _WHOLE_EPOCHS
    if steps > LONGEST:
        return 0, f"it would take {steps} steps to fall silent"
    return steps, ""


def _fades(kept: IntArray) -> IntArray:
    """Return the number of steps in which ``x * kept >> 12`` brings the largest x to 0."""
    unique, places = np.unique(kept, return_inverse=True)
    x = np.full(len(unique), VOLTAGE_MAX + 1, dtype=np.int64)
    steps = np.zeros(len(unique), dtype=np.int64)
    while x.any() and steps.max() <= LONGEST:
        steps += x > 0
        x = (x * unique) >> 12
    return steps[places]
