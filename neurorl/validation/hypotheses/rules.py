"""Propose what a learner may do otherwise than its rule of statements says."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from neurorl.expressions.expression import Statement
from neurorl.expressions.methods import METHODS
from neurorl.rules.synapse_rule import SynapseRule, owner_of
from neurorl.storage.plain import PlainData
from neurorl.validation.courses import SHIFTED, Way

_FAR = 1e300

Change = tuple[str, str, Callable[[Way], Way]]
"""Hold a cause, a sentence, and what is done otherwise."""


def later_or_earlier(delay: int) -> Iterator[Change]:
    """Yield what may count in other steps."""
    dendritic = f"the delay is dendritic: postsynaptic spikes count {delay} step(s) later than"
    sent = "described, presynaptic ones when they are sent"
    yield "delay", f"{dendritic} {sent}", lambda way: way.later({"pre": -delay, "post": delay})
    for name, subject in SHIFTED.items():
        for n in (1, 2) if name == "read" else (1, -1, 2, -2):
            told = f"{subject} {abs(n)} step(s) {'later' if n > 0 else 'earlier'} than described"
            if name == "read":
                told = f"{subject} {n} step(s) old"
            yield "delay", told, partial(Way.later, shifts={name: n})


def orders(rule: SynapseRule) -> Iterator[Change]:
    """Yield other orders of a step."""
    parts = Way(rule).order
    told = "spikes that meet in a step don't see each other: traces are read before any is raised"
    found: dict[tuple[str, ...], str] = {("equations", "reads", "raises"): told}
    for order in itertools.permutations(parts):
        if order != parts:
            found[order] = f"a step makes {', '.join(order)}, not {', '.join(parts)}"
    found["equations", "reads on_post", "reads on_pre", "raises"] = f"{told}, by on_post first"
    for order, detail in found.items():
        yield "step order", detail, lambda way, order=order: replace(way, order=order)  # type: ignore[misc]


def fixed(rule: SynapseRule) -> Iterator[Change]:
    """Yield changes without numbers."""
    detail = "a reward counts one decision late: it is the one before"
    yield "reward", detail, lambda way: way.later({"reward": 1})
    yield from orders(rule)
    for event, lines in lines_of(rule).items():
        if len(lines) > 1 and event != "equations":
            backwards = "; ".join(str(line) for line in lines[::-1])
            told = f"{event} runs its lines in reverse: it reads traces before, or after,"
            yield "step order", f"{told} they change", partial(_ruled, {event: backwards})
        for number, line in enumerate(lines):
            for k, said in ((0.0, "isn't done"), (-1.0, "has the other sign")):
                told = f"{event}, {str(line)!r} {said}"
                yield "learning rule", told, partial(scaled, rule, event, number, k)
            if owner_of(line.variable) != "synapse" and event != "equations":
                told = f"{event} sets {line.variable}, and doesn't raise it: the nearest spikes"
                nearest = _with_line(rule, event, number, f"({line.value.text}) - {line.variable}")
                yield "learning rule", f"{told} count", partial(_ruled, nearest)
    for method in METHODS:
        if method != rule.method:
            told = f"equations are solved by {method!r}, not {rule.method!r}"
            yield "method", told, partial(_ruled, {"method": method})
    for k, side in enumerate(("low", "high")):
        bounds = tuple((-_FAR, _FAR)[k] if i == k else None for i in range(2))
        change = partial(replace, bounds=bounds)
        yield "clipping of weights", f"weights have no bound {side!r}", change
    told = "weights stay as they are computed, on no grid"
    yield "rounding of weights", told, lambda way: replace(way, is_rounded=False)


def lines_of(rule: SynapseRule) -> dict[str, tuple[Statement, ...]]:
    """Return the lines of a rule by the event that runs them."""
    return {"equations": rule.derivatives, **rule.events}


def _ruled(changes: PlainData, way: Way) -> Way:
    return replace(way, rule=replace(way.rule, **changes))


def scaled(rule: SynapseRule, event: str, number: int, k: float, way: Way) -> Way:
    """Let a line change its variable by *k* times as much."""
    line = lines_of(rule)[event][number]
    x, value = line.variable, line.value.text
    times = f"{k!r}*({value})" if event == "equations" else f"{x} + {k!r}*(({value}) - {x})"
    return _ruled(_with_line(rule, event, number, times), way)


def _with_line(rule: SynapseRule, event: str, number: int, value: str) -> PlainData:
    """Return the text of an event in which a line sets its variable to something else."""
    sides = [(line.variable, line.value.text) for line in lines_of(rule)[event]]
    sides[number] = sides[number][0], value
    form = "d{}/dt = {}" if event == "equations" else "{} = {}"
    return {event: "; ".join(form.format(*side) for side in sides)}


def with_parameter(name: str, value: float, k: float, way: Way) -> Way:
    """Let a parameter be *k* times its value."""
    return _ruled({"parameters": {**way.rule.parameters, name: k * value}}, way)
