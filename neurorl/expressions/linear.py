"""Split a formula that is linear in some names into ``sum_x a_x x + rest``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from neurorl.expressions.nodes import (
    Binary,
    Name,
    Node,
    Number,
    Power,
    Unary,
    names_in,
    with_parts,
)

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
    names = [*a.coefficients, *(name for name in b.coefficients if name not in a.coefficients)]
    coefficients = {}
    for name in names:
        term = _term(op, a.coefficients.get(name), b.coefficients.get(name))
        if term is not None:
            coefficients[name] = term
    return LinearForm(coefficients, _term(op, a.rest, b.rest))


def _term(op: str, a: Node | None, b: Node | None) -> Node | None:
    if b is None:
        return a
    if a is None:
        return b if op == "+" else Unary("-", b)
    return Binary(op, a, b)
