"""Propose other lines of a step in a chip's whole numbers: shifts, decays, saturation, spikes.

A hypothesis is other text of lines of the program in `neurorl.program.membranes`, see `changed`.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from functools import partial

import numpy as np

from neurorl.arithmetic.xylo_integers import DECAY_MAX, STATE_MAX
from neurorl.expressions.expression import Expression
from neurorl.numerics.arrays import Array
from neurorl.validation.evidence import Evidence, Steps
from neurorl.validation.hypotheses.arrivals import arriving, by_node
from neurorl.validation.hypotheses.numbers import VARIABLES
from neurorl.validation.observed import Observed, Pathway
from neurorl.validation.rewriting import (
    Change,
    calling,
    chained,
    changed,
    setting,
    table,
    with_constants,
)
from neurorl.validation.variants import Variant, silence_after_reset

SPIKES = "floor((level + 0.5)*inverse)"
"""State how many thresholds a membrane is worth."""

_DECAYS = table("""
have no least step of 1: small numbers stay -> floor({x}*lost_{y})
are rounded towards zero -> trunc({x}*lost_{y})
are rounded towards zero, by 1 at least
    -> sign({x})*max(min(abs({x}), 1), floor(abs({x})*lost_{y}))
are rounded to the nearest -> floor({x}*lost_{y} + 0.5)
are rounded to the nearest, by 1 at least -> max(min({x}, 1), floor({x}*lost_{y} + 0.5))
are rounded away from zero -> sign({x})*(0 - floor(0 - abs({x})*lost_{y}))
multiply by a factor and round down, and aren't shifts -> {x} - floor({x}*kept_{y})
multiply by a factor and round to zero, and aren't shifts -> {x} - trunc({x}*kept_{y})
multiply by a factor and round, and aren't shifts -> {x} - floor({x}*kept_{y} + 0.5)
multiply by a factor and aren't rounded -> {x} - {x}*kept_{y}
are missing: nothing is lost -> 0
lose everything -> {x}
""")
_OF = {"uv": "decays", "u": "decays of the current", "v": "decays of the membrane"}


def decays(evidence: Evidence) -> Iterator[Variant]:
    """Propose other roundings of decays, factors in place of shifts, and other shifts."""
    d = evidence.population.integrator(evidence.network.dt)
    lost = {y: evidence.constant(f"lost_{y}") for y in "uv"}
    factors = (
        {f"kept_{y}": 1 - x for y, x in lost.items()},
        {f"kept_{y}": np.exp(-x) for y, x in lost.items()},
        {"kept_u": d.current_decay, "kept_v": d.membrane_decay},
    )
    for names, subject in _OF.items():
        for detail, text in _DECAYS.items():
            of_u, of_v = (f"({text.format(x=y, y=y)})" for y in "uv")
            lines = {"u": f"u = u - {of_u}", "v": f"back = 0 - {of_v}"}
            for kept in factors if "kept" in text else factors[:1]:
                change = changed(" | ".join(lines[y] for y in names), **kept)
                yield Variant("decay", f"{subject} {detail}", change)
        for more in (1, -1, 2, -2, 3, -3):
            shifted = {f"lost_{y}": np.minimum(lost[y] * 2.0**-more, 1.0) for y in names}
            detail = f"shifts of {subject} are {abs(more)} {'more' if more > 0 else 'less'}"
            yield Variant("decay", f"{detail} than described", with_constants(**shifted))
    other = with_constants(lost_u=lost["v"], lost_v=lost["u"])
    yield Variant("decay", "current and membrane have each other's shifts", other)
    for names in ("u", "v", "uv"):
        constants, told = dict[str, Array](), list[str]()
        for y in names:  # the membrane with the current that fits, if both are others
            fit = _fitted_shifts(evidence, y, -np.log2(lost[y]), constants)
            if fit is not None:
                constants[f"lost_{y}"] = 2.0 ** -fit[0]
                told.append(f"shifts of {_OF[y]} are others: {fit[1]}")
        if len(told) == len(names):
            yield Variant("decay", "; ".join(told), with_constants(**constants), 2)


def _fitted_shifts(
    evidence: Evidence, y: str, described: Array, given: Mapping[str, Array]
) -> tuple[Array, str] | None:
    """Return the shift of each neuron that explains where it deviates, and words for the first.

    given: constants that are others, too. None if a neuron that deviates in the variable has none.
    """
    steps, variable, values = Steps(evidence), VARIABLES[y][0], described.copy()
    odd = steps.odd[variable]
    wrong = odd.any(axis=0)
    for shift in range(DECAY_MAX + 1):
        change = with_constants(**given, **{f"lost_{y}": 2.0**-shift})
        now = evidence.in_one_step(Variant("", "", change), steps.calls)[variable]
        found = wrong & ~((now != steps.now[variable]) & odd).any(axis=0)
        values[found] = shift
        wrong = wrong & ~found
    if wrong.any() or not odd.any():
        return None
    j = int(odd.any(axis=0).argmax())
    return values, f"of neuron {j} {values[j]:g}, not {described[j]:g}"


_PLACES = {
    "u": "the sum of the current",
    "driven": "the sum of decay and current",
    "change": "the sum of these and bias",
    "level": "the sum of the membrane",
}
_WIDTHS = (*range(15, 7, -1), *range(17, 25))


def saturations(evidence: Evidence) -> Iterator[Variant]:
    """Propose sums that don't saturate, wrap around, or saturate at other numbers."""
    ends = {f"at {n} bits, not 16": (-(2 ** (n - 1)), 2 ** (n - 1) - 1) for n in _WIDTHS}
    ends[f"at {-STATE_MAX}, not below"] = -STATE_MAX, STATE_MAX
    ends["above only"], ends["below only"] = (-(2**40), STATE_MAX), (-STATE_MAX - 1, 2**40)
    ways = {"don't saturate": "{x}", "wrap around": "{x} - 65536*floor({x}/65536 + 0.5)"}
    for n in (len(_PLACES), 1, 2, 3):
        for places in itertools.combinations(_PLACES, n):
            subject = "sums" if n == len(_PLACES) else " and ".join(_PLACES[x] for x in places)
            for way, text in ways.items():
                yield Variant("saturation", f"{subject}: {way}", _saturating(places, text))
            for told, limits in ends.items() if n in (1, len(_PLACES)) else ():
                change = _saturating(places, "clip({x}, {}, {})", *limits)
                yield Variant("saturation", f"{subject}: saturate {told}", change)


def _saturating(places: Collection[str], text: str, *limits: int) -> Change:
    """Return the change in which the clips of some sums are another formula of x, or of limits."""
    changes = [calling("clip", text.format(*limits, x="x"), places)]
    if "u" in places:  # a sum that wraps is the same in any order
        at_end = changed(f"once summed: u = {text.format(*limits, x='u')}")
        changes.append(setting(limits=limits) if limits else at_end)
    return chained(*changes)


UNLIMITED = _saturating(_PLACES, "{x}")
"""Let all sums hold any number."""

SEVERAL = "several spikes"
_TAKEN_OFF = {
    "": "level - count*threshold",
    ", and take off all that the membrane is worth": f"level - threshold*max({SPIKES}, 0)",
    ", and take off as many thresholds as described": f"level - threshold*clip({SPIKES}, 0, most)",
    ", and take the threshold off once": "level - min(count, 1)*threshold",
    ", and reset the membrane to 0": "where(count > 0, 0, level)",
}


def spikes(evidence: Evidence) -> Iterator[Variant]:
    """Propose other limits of the spikes of a step, and what several of them transmit."""
    steps, described = Steps(evidence), float(evidence.node.constants["most"])
    now = steps.now["release"][steps.odd["release"] | steps.odd["voltage"]]
    seen = max(float(now.max(initial=0.0)), 1.0)
    likely = (seen, seen + 1, 2, 15, 16, 30, 31, 32, 63, 64, 127, 128, 255, 1e9)
    for limit in (x for x in dict.fromkeys(likely) if x >= seen and x != described):
        for number, (more, left) in enumerate(_TAKEN_OFF.items()):
            text = f"count = clip({SPIKES}, 0, {limit:.0f}) | v = {left}"
            detail = f"neurons spike up to {limit:.0f} times in a step, not {described:.0f}{more}"
            yield Variant(SEVERAL, detail, changed(text), int(number > 2))  # two faults
    for size in (8, 16, 32, 64):
        for sent, left in (("", "count"), (" that are sent", "full")):
            text = f"full = max({SPIKES}, 0); count = full - {size}*floor(full/{size})"
            detail = f"the number of spikes{sent} wraps around at {size}"
            yield Variant(SEVERAL, detail, changed(f"{text} | v = level - {left}*threshold"))
    for group in by_node(evidence, evidence.into, "spikes"):
        for limit in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 16, 20, 24, 30):
            times = "once" if limit == 1 else f"up to {limit} times"
            detail = f"{{}} count {times} in a step, however many they are"
            yield from arriving(SEVERAL, detail, [group], partial(_at_most, limit))


def _at_most(limit: int, e: Observed, p: Pathway) -> Array:
    return np.minimum(e.arriving(p), limit)


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
