"""Split a formula that is linear in some names into ``sum_x a_x x + rest``.

Parts of formulas that use constants alone are computed once, so that no step does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from neurorl.expressions.expression import Expression
from neurorl.expressions.functions import computed, evaluate_arrays
from neurorl.expressions.nodes import (
    Binary,
    Flag,
    FunctionCall,
    Name,
    Node,
    Number,
    Power,
    Unary,
    kind_of,
    names_in,
    with_parts,
)
from neurorl.numerics.arrays import Array

_ONE = Number(1.0)
_MINUS_ONE = Unary("-", _ONE)


class NotLinearError(ValueError):
    """Tell at which node a formula isn't linear."""

    def __init__(self, node: Node) -> None:
        super().__init__("not linear")
        self.at = node.at


@dataclass(frozen=True)
class LinearForm:
    """Hold ``sum_x coefficients[x]*x + rest``; None or a missing name is 0."""

    coefficients: Mapping[str, Node]
    rest: Node | None


def linear(node: Node, variables: Collection[str]) -> LinearForm:
    """Return the parts of a tree. Factors 1 and terms 0 are left out.

    Raises NotLinearError for a variable in a place that isn't linear, such as a divisor or power.
    """
    if not _has(node, variables):
        return LinearForm({}, node)
    match node:
        case Name(name=name):
            return LinearForm({name: _ONE}, None)
        case Unary(op="-", operand=operand):
            return _each(linear(operand, variables), lambda part: Unary("-", part))
        case Binary(op="+" | "-" as op, left=left, right=right):
            return _sum(op, linear(left, variables), linear(right, variables))
        case Binary(op="*", left=left, right=right) if not _has(left, variables):
            return _each(linear(right, variables), lambda part: _product(left, part))
        case Binary(op="*", left=left, right=right) if not _has(right, variables):
            return _each(linear(left, variables), lambda part: _product(part, right))
        case Binary(op="/", left=left, right=right) if not _has(right, variables):
            return _each(linear(left, variables), lambda part: Binary("/", part, right))
        case Power(base=base, exponent=1):
            return linear(base, variables)
    raise NotLinearError(node)


def substituted(node: Node, values: Mapping[str, Node]) -> Node:
    """Return a tree with some names replaced by trees."""
    if isinstance(node, Name):
        return values.get(node.name, node)
    return with_parts(node, lambda part: substituted(part, values))


def _has(node: Node, variables: Collection[str]) -> bool:
    return any(name in variables for name in names_in(node))


def _product(a: Node, b: Node) -> Node:
    if a == _ONE or b == _ONE:
        return b if a == _ONE else a
    if _MINUS_ONE in (a, b):
        return Unary("-", b if a == _MINUS_ONE else a)
    return Binary("*", a, b)


def _each(parts: LinearForm, change: Callable[[Node], Node]) -> LinearForm:
    coefficients = {name: change(part) for name, part in parts.coefficients.items()}
    return LinearForm(coefficients, None if parts.rest is None else change(parts.rest))


def _sum(op: str, a: LinearForm, b: LinearForm) -> LinearForm:
    names = dict.fromkeys((*a.coefficients, *b.coefficients))
    terms = {x: _term(op, a.coefficients.get(x), b.coefficients.get(x)) for x in names}
    coefficients = {x: term for x, term in terms.items() if term is not None}
    return LinearForm(coefficients, _term(op, a.rest, b.rest))


def _term(op: str, a: Node | None, b: Node | None) -> Node | None:
    if b is None:
        return a
    if a is None:
        return b if op == "+" else Unary("-", b)
    return Binary(op, a, b)


_PREFIX = "fixed_"


class Constants:
    """Hold constants by name, and add constants that formulas compute from them.

    values: numbers, or arrays of one number for each neuron. taken: names that may not be used.

    Every backend computes operations and functions to the same bits, so NumPy's result here is the
    same as a step's.
    """

    def __init__(self, values: Mapping[str, Array], taken: Collection[str]) -> None:
        self.values = dict(values)
        self._taken = {*values, *taken}
        self._names: dict[Node, str] = {}

    def holds(self, node: Node) -> bool:
        """Return whether a formula has the same value in every step."""
        return all(name in self.values for name in names_in(node))

    def value(self, node: Node) -> Array:
        """Return the value of a formula that `holds`."""
        return evaluate_arrays(computed(node), names_in(node), self.values)

    def folded(self, expression: Expression) -> Expression:
        """Return a formula of the same bits, its constant parts replaced by constants."""
        tree = self._folded(expression.tree)
        return expression if tree == expression.tree else Expression.of(tree)

    def _folded(self, node: Node) -> Node:
        match node:
            case Name() | Number() | Flag():
                return node
            case FunctionCall("where", (condition, one, other)) if self.holds(condition):
                chosen = self.value(condition)
                if chosen.all() or not chosen.any():  # all neurons take the same side
                    return self._folded(one if chosen.all() else other)
        if kind_of(node) == "number" and self.holds(node):
            is_literal = isinstance(node, Unary) and isinstance(node.operand, Number)
            return node if is_literal else self._constant(node)
        return with_parts(node, self._folded)

    def _constant(self, node: Node) -> Node:
        """Return the name of a formula's value; equal formulas share one."""
        if node not in self._names:
            names = (f"{_PREFIX}{k}" for k in itertools.count(len(self._names)))
            name = next(name for name in names if name not in self._taken)
            self._names[node] = name
            self._taken.add(name)
            self.values[name] = self.value(node)
        return Name(self._names[node], at=node.at)
