"""Hold the tree of an expression: frozen dataclasses with their places in the text."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["number", "boolean"]

COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")
LOGIC = ("and", "or")


@dataclass(frozen=True)
class _Placed:
    """Place a node. at: index of its first character in the text, which equality ignores."""

    at: int = field(default=0, compare=False, kw_only=True)


@dataclass(frozen=True)
class Number(_Placed):
    """Hold a literal: finite, not negative."""

    value: float


@dataclass(frozen=True)
class Flag(_Placed):
    """Hold ``True`` or ``False``."""

    value: bool


@dataclass(frozen=True)
class Name(_Placed):
    """Refer to a number that the namespace has."""

    name: str


@dataclass(frozen=True)
class Unary(_Placed):
    """Apply *op*: ``-`` to a number, ``not`` to a boolean."""

    op: str
    operand: Node


@dataclass(frozen=True)
class Binary(_Placed):
    """Apply *op*: ``+ - * /`` or one of `COMPARISONS` to numbers, one of `LOGIC` to booleans."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True)
class Power(_Placed):
    """Compute ``base * base * ...`` from the left, *exponent* times."""

    base: Node
    exponent: int


@dataclass(frozen=True)
class FunctionCall(_Placed):
    """Call one of `neurorl.expressions.functions.FUNCTIONS`."""

    function: str
    arguments: tuple[Node, ...]


Node = Number | Flag | Name | Unary | Binary | Power | FunctionCall


def kind_of(node: Node) -> Kind:
    """Return the kind of a node's value; every function returns a number."""
    match node:
        case Flag() | Unary(op="not"):
            return "boolean"
        case Binary(op=op) if op in COMPARISONS or op in LOGIC:
            return "boolean"
    return "number"


def nodes_of(node: Node) -> Iterator[Node]:
    """Yield all nodes of a tree, from the left."""
    match node:
        case Unary(operand=operand):
            yield from nodes_of(operand)
        case Binary(left=left, right=right):
            yield from nodes_of(left)
            yield from nodes_of(right)
        case Power(base=base):
            yield from nodes_of(base)
        case FunctionCall(arguments=arguments):
            for argument in arguments:
                yield from nodes_of(argument)
    yield node


def names_in(node: Node) -> tuple[str, ...]:
    """Return the names that a tree uses, each once, in the order of their first use."""
    return tuple(dict.fromkeys(n.name for n in nodes_of(node) if isinstance(n, Name)))


def with_parts(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a node with *change* applied to each node directly below it."""
    match node:
        case Unary(operand=operand):
            return replace(node, operand=change(operand))
        case Binary(left=left, right=right):
            return replace(node, left=change(left), right=change(right))
        case Power(base=base):
            return replace(node, base=change(base))
        case FunctionCall(arguments=arguments):
            return replace(node, arguments=tuple(map(change, arguments)))
    return node
