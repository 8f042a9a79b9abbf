"""Change the program of a neuron, and spell out as statements what it does in dead steps.

A change is a function of `NodeProgram`. Its statements may also name ``was_x``, a variable before
the step, ``was_dead``, the dead steps left then, ``was_spike``, whether the neuron itself spiked in
the step before (0 or 1), and ``is_sent``, whether the backend let it spike in this one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.expressions.expression import Expression, Statement, read_statements
from neurorl.expressions.linear import substituted
from neurorl.expressions.nodes import Binary, FunctionCall, Name, Node, Number, with_parts
from neurorl.program import NodeProgram

Change = Callable[[NodeProgram], NodeProgram]
SEEN = ("met_level", "met_moved", "met_threshold")
"""Name what the threshold sees: the membrane with noise, without noise, and the threshold."""
ARRIVED = "arrived_"
_WRAP = re.compile(r"(\w+) - (\d+)\*floor\(\1/\2 \+ 0\.5\)")


@cache
def _lines(text: str) -> tuple[Statement, ...]:
    return read_statements(text, "a hypothesis")


def _set(name: str, tree: Node) -> Statement:
    return Statement(name, Expression.of(tree))


def in_line(line: Statement, parts: Mapping[str, Node]) -> Statement:
    """Return a line with formulas in place of names."""
    if parts.keys().isdisjoint(line.value.names):
        return line
    return replace(line, value=Expression.of(substituted(line.value.tree, parts)))


def _seen(node: NodeProgram) -> dict[str, Node]:
    """Return the formulas of `SEEN`; of a condition without sides, spikes against a half."""
    known = sides(node)
    if known is None:
        assert node.threshold is not None
        spikes = FunctionCall("where", (node.threshold.tree, Number(1.0), Number(0.0)))
        known = spikes, Number(0.5)
    if node.releases:  # as many as the membrane is worth
        known = Name("level"), Name("threshold")
    quiet = substituted(known[0], {"logistic": Number(0.0)})
    return dict(zip(SEEN, (known[0], quiet, known[1]), strict=True))


def counting(node: NodeProgram) -> NodeProgram:
    """Return the same step with how often neurons spike, and what is left, among its lines.

    ``level`` is the membrane v that meets the threshold; ``low`` and ``high`` are limits of sums,
    and ``most`` is how often a neuron of any membrane spikes.
    """
    *lines, moved = node.update
    assert node.limits is not None
    (low, high), most = node.limits, node.reset[0].value.evaluate({"v": 1e9, "inverse": 1.0})
    node = with_constants(low=low, high=high, most=most)(node)
    count, left = (substituted(x.value.tree, {"v": Name("level")}) for x in node.reset)
    told = FunctionCall("max", (count, Number(0.0)))
    update = (*lines, _set("level", moved.value.tree), _set("count", told), _set("v", left))
    return replace(node, update=update, threshold=Expression("count > 0"), reset=())


def _adding(text: str, place: Callable[[NodeProgram], int]) -> Change:
    """Run lines, which may name `SEEN`, before the line with a number."""

    def change(n: NodeProgram) -> NodeProgram:
        at, lines = place(n), (in_line(line, _seen(n)) for line in _lines(text))
        return replace(n, update=(*n.update[:at], *lines, *n.update[at:]))

    return change


def chained(*changes: Change) -> Change:
    """Make several changes, in order."""

    return lambda node: reduce(lambda now, change: change(now), changes, node)


def with_constants(**values: npt.ArrayLike) -> Change:
    """Give constants other values, or add some."""
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    return lambda n: replace(n, constants={**n.constants, **arrays})


def setting(**fields: Any) -> Change:
    """Give other fields of the program other values."""
    return lambda n: replace(n, **fields)


def reading(name: str, formula: str, but: str = "") -> Change:
    """Read a formula where the lines of a step, but those that set *but*, name something."""
    parts = {name: Expression(formula).tree}

    def changed(x: Statement) -> Statement:
        return x if x.variable == but else in_line(x, parts)

    return lambda node: replace(node, update=tuple(map(changed, node.update)))


def _counting_dead(node: NodeProgram) -> NodeProgram:
    """Count dead steps of neurons that spike in them."""
    dead = 0 if node.refractory is None else node.refractory
    lines = "after: refractory = max(was_dead - 1, 0) | also on spike: refractory = dead_steps"
    return chained(setting(refractory=None), changed(lines, dead_steps=dead))(node)


_PARTS: Mapping[str, Callable[[str], Change]] = {
    "before": lambda text: _adding(text, lambda n: 0),
    "once summed": lambda text: chained(setting(limits=None), _adding(text, lambda n: 0)),
    "after": lambda text: _adding(text, lambda n: len(n.update)),
    "on spike": lambda text: setting(reset=_lines(text)),
    "also on spike": lambda text: lambda n: replace(n, reset=(*n.reset, *_lines(text))),
    "spikes if": lambda text: with_threshold(text),
    "threshold reads v": lambda text: with_threshold("met_level > met_threshold", v=text),
    "membrane reads u": lambda text: reading("u", text, but="u"),
    "holds": lambda text: setting(held=()),
    "only counts dead steps": lambda text: _counting_dead,
}


def changed(text: str, **constants: npt.ArrayLike) -> Change:
    """Make several changes, with ``|`` between them: where a line goes, a colon, and the line.

    A line *after x* goes after the last that sets x; *reads x* puts a formula in place of x in all
    lines. Where else is a key of `_PARTS`: *once summed*, it runs before all, on the sum of what
    arrives, without limits. Without a colon, lines go in place of the first that sets what the last
    of them sets. constants: that are added.
    """
    made = [with_constants(**constants)]
    for part in text.split(" | "):
        where, colon, line = part.strip().partition(":")
        kind, _, name = where.partition(" ")
        if not colon:
            made.append(partial(_in_place, _lines(where)))
        elif kind == "reads":
            made.append(reading(name, line))
        elif kind == "after" and name:
            made.append(_adding(line, partial(_last, name)))
        else:
            made.append(_PARTS[where](line))
    return chained(*made)


def _in_place(lines: Sequence[Statement], n: NodeProgram) -> NodeProgram:
    at = [line.variable for line in n.update].index(lines[-1].variable)
    return replace(n, update=(*n.update[:at], *lines, *n.update[at + 1 :]))


def _last(name: str, node: NodeProgram) -> int:
    return max(k for k, line in enumerate(node.update, 1) if line.variable == name)


def table(text: str) -> dict[str, str]:
    """Read sentences and what they say of a program, ``sentence -> change``, a line or more each.

    A line that is indented goes on with the one before.
    """
    rows = re.sub(r"\n +", " ", text.strip()).splitlines()
    return {detail: change for detail, _, change in (row.partition(" -> ") for row in rows)}


def calling(function: str, formula: str, names: Collection[str] = ()) -> Change:
    """Read a formula of x for a function of x, in the lines of some variables, or all."""
    other = Expression(formula).tree

    def put(tree: Node) -> Node:
        tree = with_parts(tree, put)
        is_it = isinstance(tree, FunctionCall) and tree.function == function
        return substituted(other, {"x": tree.arguments[0]}) if is_it else tree  # type: ignore[union-attr]

    def changed(x: Statement) -> Statement:
        return x if names and x.variable not in names else _set(x.variable, put(x.value.tree))

    return lambda node: replace(node, update=tuple(map(changed, node.update)))


def sides(node: NodeProgram) -> tuple[Node, Node] | None:
    """Return the sides of a threshold ``left > right`` or ``left >= right``; None for another."""
    assert node.threshold is not None
    tree = node.threshold.tree
    while isinstance(tree, Binary) and tree.op in ("and", "or"):
        tree = tree.left
    if isinstance(tree, Binary) and tree.op in (">", ">="):
        return tree.left, tree.right
    return None


def with_threshold(text: str, **parts: str) -> Change:
    """Spike by another condition, which may name `SEEN`.

    parts: formulas in place of names that are in the described condition, too.
    """
    trees = {name: Expression(part).tree for name, part in parts.items()}

    def seen(n: NodeProgram) -> Expression:
        return Expression.of(substituted(substituted(Expression(text).tree, _seen(n)), trees))

    return lambda n: replace(n, threshold=seen(n))


def without_overflow(holds: bool) -> Change:
    """Let registers hold any number, or stay at their largest (*holds*), where they overflow."""

    def kept(line: Statement) -> Iterable[Statement]:
        found = _WRAP.fullmatch(line.value.text)
        if found is None:
            return (line,)
        half = int(found[2]) // 2
        return _lines(f"{found[1]} = clip({found[1]}, -{half}, {half - 1})") if holds else ()

    return lambda n: replace(n, update=tuple(x for line in n.update for x in kept(line)))


def spelled(node: NodeProgram, described: NodeProgram) -> NodeProgram:
    """Return a program of the same step in which all that a change may name is a variable.

    A variable that is *described* to be reset to a number is at that number in dead steps.
    """
    resets = {line.variable: line.value.tree for line in described.reset}
    at = {x: y for x, y in resets.items() if isinstance(y, Number)}
    dead = Expression("was_dead > 0").tree
    lines = [_set(f"was_{x}", Name(x)) for x in (*node.initial, *node.releases)]
    lines += _lines("was_dead = refractory")
    for x in node.inputs:
        came = Name(f"{ARRIVED}{x}")
        adds = x in node.initial and node.limits is None
        lines.append(_set(x, Binary("+", Name(x), came) if adds else came))
    lines += node.update
    for x in node.held:
        lines.append(_set(x, FunctionCall("where", (dead, at.get(x, Name(f"was_{x}")), Name(x)))))
    threshold, reset, constants = node.threshold, node.reset, dict(node.constants)
    assert threshold is not None
    lines += [_set(x, tree) for x, tree in _seen(node).items()]
    if node.refractory is not None:
        lines += _lines("refractory = max(was_dead - 1, 0)")
        threshold = Expression.of(Binary("and", threshold.tree, Expression("was_dead == 0").tree))
        constants["refractory_steps"] = node.refractory.astype(np.float64)
        reset = (*reset, *_lines("refractory = refractory_steps"))
    zeros = {x: np.zeros(node.size) for x in ("refractory", *node.releases, *SEEN)}
    return replace(
        node,
        initial={**node.initial, **zeros},
        constants=constants,
        inputs=(*(f"{ARRIVED}{x}" for x in described.inputs), "was_spike", "is_sent"),
        update=tuple(lines),
        threshold=threshold,
        reset=reset,
        held=(),
        biased=None,
        refractory=None,
        releases={},
    )
