"""Propose other lines of a step in a chip's whole numbers, such as another order or reset.

A hypothesis is other text of lines of the program in `neurorl.program.membranes`, see `changed`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurorl.expressions.expression import Expression
from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence
from neurorl.validation.observed import Observed
from neurorl.validation.rewriting import changed, table
from neurorl.validation.variants import Variant, silence_after_reset

SPIKES = "floor((level + 0.5)*inverse)"
"""State how many thresholds a membrane is worth."""

_FIXED = table("""
saturation: the current saturates once in a step, not at each weight
    -> once summed: u = clip(u, low, high)
saturation: what arrives in a step saturates first by itself, then the current
    -> once summed: u = clip(was_u + clip(arrived_u, low, high), low, high)
saturation: decay, current and bias are added to the membrane, and saturate, one by one
    -> driven = clip(v + back, low, high) | change = clip(driven + u, low, high)
    | level = clip(change + bias, low, high)
saturation: the bias is added before the current, in sums that saturate
    -> driven = clip(back + bias, low, high) | change = clip(driven + u, low, high)
floor: the membrane has a floor: it never goes below 0
    -> level = max(clip(v + change, low, high), 0)
floor: the current has a floor: it never goes below 0 -> u = max(u - {lost_u}, 0)
reset: a spike resets the membrane to 0 and doesn't subtract -> v = where(count > 0, 0, level)
reset: a spike doesn't reset the membrane -> v = level
reset: the threshold is subtracted once, however often a neuron spikes
    -> v = level - min(count, 1)*threshold
reset: all that the membrane is worth is subtracted, not what was sent
    -> v = level - threshold*max({spikes}, 0)
reset: a spike subtracts a step late, before the membrane moves
    -> v = level | before: v = v - was_count*threshold
reset: a spike subtracts a step late, after the membrane has moved
    -> v = level - was_count*threshold
reset: a spike subtracts a step late, before the threshold
    -> level = clip(v + change, low, high) - was_count*threshold | v = level
reset: a spike clears the current too -> u = where(count > 0, 0, u); v = level - count*threshold
reset: a spike sets the membrane to minus the threshold
    -> v = where(count > 0, 0 - threshold, level)
step order: the membrane meets the threshold before it moves
    -> count = clip(floor((v + 0.5)*inverse), 0, most)
step order: the membrane decays after current and bias are added
    -> back = 0 | moved = clip(v + change, low, high); level = moved - {lost_moved}
step order: the membrane decays after the current is added
    -> back = 0 | change = driven
    | moved = clip(v + change, low, high); level = clip(moved - {lost_moved} + bias, low, high)
step order: the membrane decays after its reset
    -> back = 0 | moved = level - count*threshold; v = moved - {lost_moved}
step order: the bias is added after the threshold
    -> change = driven | v = clip(level - count*threshold + bias, low, high)
step order: the bias goes into the current before it decays
    -> change = driven | u = clip(u + bias, low, high); u = u - {lost_u}
step order: the bias goes into the current after it has decayed
    -> change = driven | u = u - {lost_u}; u = clip(u + bias, low, high)
step order: the membrane takes the current before it decays -> membrane reads u: arrived_u
step order: the membrane takes the current of the step before -> membrane reads u: was_u
refractory: a neuron that spiked doesn't spike in the next step
    -> count = where(was_count > 0, 0, clip({spikes}, 0, most))
threshold: a membrane must exceed the threshold to spike
    -> count = clip(floor((level - 0.5)*inverse), 0, most)
threshold: a membrane must exceed the threshold to spike, once or several times
    -> count = where(level > threshold, clip({spikes}, 0, most), 0)
bias: biases saturate at 8 bits -> reads bias: clip(bias, -128, 127)
bias: biases wrap around at 8 bits -> reads bias: (bias - 256*floor(bias/256 + 0.5))
bias: the bias is subtracted -> reads bias: (0 - bias)
""")
"""Map a cause and what is said to other lines."""
_LOST = "(max(min({x}, 1), floor({x}*lost_{y})))"
"""State what a step takes off x; y is the current u or the membrane v, whose shift it is."""

_LOST_U = _LOST.format(x="u", y="u")
_MACROS = {"lost_u": _LOST_U, "lost_moved": _LOST.format(x="moved", y="v"), "spikes": SPIKES}


def fixed(evidence: Evidence) -> Iterator[Variant]:
    """Propose other lines of a step, without numbers."""
    for told, text in _FIXED.items():
        cause, _, detail = told.partition(": ")
        yield Variant(cause, detail, changed(text.format(**_MACROS)))
    cause, left = "step order", Expression(f"u - {_LOST_U}")
    constants = {"lost_u": evidence.node.constants["lost_u"]}

    def decayed(e: Observed, variable: str, state: Array) -> Array:
        start = silence_after_reset(e, variable, state)
        if variable != "current":
            return start
        return np.asarray(left.evaluate({"u": start.astype(np.float64), **constants}))

    at_once = "the current decays before its input is added"
    yield Variant(cause, at_once, changed("u = u + 0"), start=decayed)
    told = "weights are added in another order: those between populations first"
    yield Variant(cause, told, order=lambda into: into[::-1])
