"""Propose other orders of a step, resets, dead steps, thresholds and roundings, without numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from neurorl.arithmetic.quantiser import VOLTAGE_MAX
from neurorl.program import NodeProgram
from neurorl.validation.evidence import Evidence
from neurorl.validation.rewriting import (
    calling,
    changed,
    setting,
    table,
    with_constants,
    without_overflow,
)
from neurorl.validation.variants import Variant

_ORDERS = table("""
the membrane moves before the current of the same step has arrived -> membrane reads u: was_u
the membrane meets the threshold before it moves -> threshold reads v: was_v
the noise stays in the membrane -> after: v = met_level | spikes if: met_moved > met_threshold
""")
_MOVED = table("""
input decays with the current: u <- d (u + q), not d u + q -> u = U[u + q]
the current takes 1 - d of its input: u <- d u + (1 - d) q -> u = U[u] + q - U[q]
input decays with the membrane: v <- d (v + u + bias), not d v + u + bias -> v = V[v + u + bias]
the current decays with the membrane: v <- d (v + u) + bias, not d v + u + bias
    -> v = V[v + u] + bias
the bias decays with the membrane: v <- d (v + bias) + u, not d v + u + bias
    -> v = V[v + bias] + u
the bias goes into the current, not into the membrane -> u = U[u] + q + bias | v = V[v] + u
the membrane takes 1 - d of the current: v <- d v + (1 - d) u + bias
    -> v = V[v] + (u - V[u]) + bias
the membrane takes 1 - d of its input: v <- d v + (1 - d) (u + bias)
    -> v = V[v] + (u + bias) - V[u + bias]
""")
"""Map what is said to other lines; ``U[x]``, ``V[x]`` is what a step leaves of x."""


def orders(evidence: Evidence) -> Iterator[Variant]:
    """Propose another order of what happens in a step of neurons with a current and a membrane."""
    yield from _as_said("step order", _ORDERS)
    kept, total = "(kept_{}*({}))", r"v = \1"
    if evidence.history.arithmetic.is_chip:
        kept, total = "(trunc(kept_{}*({})/4096))", rf"v = clip(\1, {-VOLTAGE_MAX}, {VOLTAGE_MAX})"
    for detail, text in _MOVED.items():
        lines = re.sub(r"([UV])\[(.*?)\]", lambda x: kept.format(x[1].lower(), x[2]), text)
        lines = re.sub("v = (.*)", total, lines)
        # What decays to nothing may as well be missing, which is said in fewer words.
        is_alone = "|" not in text and not evidence.constant(f"kept_{text[0]}").any()
        yield Variant("step order", detail, changed(lines), freedom=int(is_alone))


_RESETS = table("""
a spike subtracts the threshold and doesn't reset to 0 -> on spike: v = v - met_threshold
a spike doesn't reset the membrane -> on spike:
a spike resets the membrane late, as the next step begins
    -> on spike: | reads v: where(was_spike > 0, 0, v)
a spike resets the membrane a step late, before its threshold
    -> on spike: | after: v = where(was_spike > 0, 0, v)
a spike resets the membrane a step late
    -> on spike: | after: full_v = v; v = where(was_spike > 0, 0, v) | threshold reads v: full_v
a spike clears the current too -> also on spike: u = 0
a spike clears the current too, as the next step begins -> before: u = where(was_spike > 0, 0, u)
""")


def resets(evidence: Evidence) -> Iterator[Variant]:
    """Propose other resets of a membrane, with fixed values."""
    yield from _as_said("reset", _RESETS)


def _as_said(cause: str, known: Mapping[str, str]) -> Iterator[Variant]:
    return (Variant(cause, detail, changed(text)) for detail, text in known.items())


def reset_lines(evidence: Evidence) -> Iterator[Variant]:
    """Propose a reset without some of its lines, or with another order of them."""
    lines, cause = evidence.node.reset, "reset"
    if lines:
        yield Variant(cause, "nothing is reset after a spike", changed("on spike:"))
    if len(lines) > 1:
        yield Variant(cause, "the lines of the reset run in reverse", setting(reset=lines[::-1]))
        for k, line in enumerate(lines):
            left = (*lines[:k], *lines[k + 1 :])
            yield Variant(cause, f"a reset leaves out {str(line)!r}", setting(reset=left))


_IN_DEAD_STEPS = table("""
the membrane integrates while refractory, and isn't held at 0 -> holds:
the membrane integrates in the last refractory step
    -> holds: | after: v = where(was_dead > 1, 0, v)
the membrane is frozen while refractory, and isn't held at 0
    -> holds: | after: v = where(was_dead > 0, was_v, v)
neurons spike while refractory -> only counts dead steps:
the refractory time is counted, but nothing comes of it -> only counts dead steps: | holds:
the current is cleared while refractory, but for what arrives
    -> before: u = where(was_dead > 0, 0, u)
the current is cleared from a spike on while refractory
    -> after: u = where(was_dead > 1, 0, u) | also on spike: u = where(refractory_steps > 0, 0, u)
the current is cleared while refractory -> after: u = where(was_dead > 0, 0, u)
the current is frozen while refractory -> after: u = where(was_dead > 0, was_u, u)
input that arrives while refractory is lost -> before: q = where(was_dead > 0, 0, q)
""")


def refractory(evidence: Evidence) -> Iterator[Variant]:
    """Propose other lengths of the refractory period, or other behaviour during it."""
    node, steps, cause = evidence.node, evidence.dead_steps, "refractory"
    plain = node.names_bias
    none = "there is no refractory period" if plain else "there are no dead steps"
    for more in (1, -1, 2, -2, 3)[: 5 if plain else 4]:
        size = "a step" if abs(more) == 1 else f"{abs(more)} steps"
        detail = f"the refractory period is {size} {'longer' if more > 0 else 'shorter'}"
        if not plain:
            detail = f"{abs(more)} dead step(s) {'more' if more > 0 else 'fewer'} than described"
        yield Variant(cause, detail, setting(refractory=np.maximum(steps + more, 0)))
    if steps.any():
        yield Variant(cause, none, setting(refractory=0 * steps))
        if not plain:
            every = "all variables keep their values", tuple(node.initial)
            for detail, names in (every, ("no variable keeps its value", ())):
                if set(names) != set(node.held):
                    yield Variant(cause, f"{detail} in dead steps", setting(held=names))
            return
        detail = "the refractory period is twice as long"
        yield Variant(cause, detail, setting(refractory=2 * steps))
        yield from _as_said(cause, _IN_DEAD_STEPS)


AT_THRESHOLD = Variant(
    "threshold",
    "a membrane that is exactly at the threshold spikes; it must exceed it",
    changed("spikes if: met_level >= met_threshold"),
)
"""Try this to the last bit: from afar it looks like float error."""


def thresholds(evidence: Evidence) -> Iterator[Variant]:
    """Propose other comparisons with the described threshold."""
    yield AT_THRESHOLD
    both = changed("spikes if: met_level > met_threshold or met_level < -met_threshold")
    yield Variant("threshold", "a membrane below minus the threshold spikes too", both)


def roundings(evidence: Evidence) -> Iterator[Variant]:
    """Propose other roundings of decays, and other widths of registers."""
    node = evidence.node
    if evidence.history.arithmetic.is_chip:
        yield from _of_chip(node)
        return
    said = {"v": "the membrane decays", "u": "the current decays"}
    said["vu"] = "current and membrane decay"
    for names, subject in said.items():
        decays = {f"kept_{x}": node.constants[f"kept_{x}"] for x in names}
        detail = f"{subject} by Euler's 1 - dt/tau, not by exp(-dt/tau)"
        with np.errstate(divide="ignore"):
            logs = {x: np.where(y > 0, np.log(y), -1.0) for x, y in decays.items()}
        kept = {x: np.maximum(1.0 + log, 0.0) for x, log in logs.items()}
        yield Variant("decay", detail, with_constants(**kept))


_NEAREST = 1.5 * 2.0**52
"""Round a smaller number to the nearest whole one by adding this and taking it away again."""


def _of_chip(node: NodeProgram) -> Iterator[Variant]:
    detail = "registers don't overflow, as the chip's do"
    yield Variant("overflow", detail, without_overflow(holds=False))
    detail = "registers stay at their largest value, where the chip's overflow"
    yield Variant("overflow", detail, without_overflow(holds=True))
    down, nearest = (calling("trunc", x) for x in ("floor(x)", f"x + {_NEAREST} - {_NEAREST}"))
    yield Variant("decay", "decays are rounded down, not towards zero", down)
    yield Variant("decay", "decays are rounded to the nearest", nearest)
    detail = "the current decays by 1/4096 less in each step: the chip adds 1 to its decay"
    more = with_constants(kept_u=node.constants["kept_u"] + 1)
    yield Variant("decay", detail, more)


def precisions(evidence: Evidence) -> Iterator[Variant]:
    """Propose a state variable, or all, in single precision, of neurons by equations."""
    state = tuple(evidence.node.initial)
    for names in (state, *((x,) for x in state[1:] and state)):
        told = "all variables are" if len(names) > 1 else f"{names[0]} is"
        # Of 53 bits, 24 are left.
        lines = "; ".join(f"{x} = {x}*536870913 - ({x}*536870913 - {x})" for x in names)
        change = changed(f"after: {lines} | also on spike: {lines}")
        yield Variant("float error", f"{told} kept in single precision", change)
