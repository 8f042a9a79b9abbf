"""Hold the tree of an expression, and print it: as a text of the language, and as C++."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from neurorl.errors import ArgumentError

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


@dataclass(frozen=True)
class Style:
    """Say how the parts of a language are written; `render` puts brackets by Python's precedence.

    number, flag: write a literal. call, power: write a function of printed arguments.
    divide: writes a quotient whose divisor may be 0; None: like any other.
    operators: operators that are written differently than in Python.
    brackets_all: whether every operation stands in brackets.
    """

    number: Callable[[float], str] = repr
    flag: Callable[[bool], str] = repr
    call: Callable[[str, Sequence[str]], str] = lambda name, args: f"{name}({', '.join(args)})"
    power: Callable[[str, int], str] | None = None
    divide: Callable[[str, str], str] | None = None
    operators: Mapping[str, str] | None = None
    brackets_all: bool = False


_OR, _AND, _NOT, _COMPARE, _ADD, _MULTIPLY, _NEGATE, _POWER, _ATOM = range(9)
_LEVELS = {"or": _OR, "and": _AND, "not": _NOT}
_LEVELS |= dict.fromkeys("+-", _ADD) | dict.fromkeys("*/", _MULTIPLY)
_LEVELS |= dict.fromkeys(COMPARISONS, _COMPARE)


def render(node: Node, style: Style, names: Mapping[str, str] | None = None) -> str:
    """Return *node* as a text of a language.

    names: text for each name; None keeps names.
    Raises ArgumentError if *names* lacks one.
    """
    return _Writer(style, names).write(node, _OR)


class _Writer:
    def __init__(self, style: Style, names: Mapping[str, str] | None) -> None:
        self._style, self._names = style, names

    def write(self, node: Node, least: int) -> str:
        """Return a node's text, in brackets if it binds less than *least*."""
        text, level = self._parts(node)
        if self._style.brackets_all:
            return text if level == _ATOM else f"({text})"
        return text if level >= least else f"({text})"

    def _parts(self, node: Node) -> tuple[str, int]:
        """Return a node's text and how strongly it binds."""
        style = self._style
        match node:
            case Number(value=value):
                return style.number(value), _ATOM
            case Flag(value=flag):
                return style.flag(flag), _ATOM
            case Name(name=name):
                return self._name(name), _ATOM
            case FunctionCall(function=function, arguments=arguments):
                return style.call(function, [self.write(a, _OR) for a in arguments]), _ATOM
            case Power(base=base, exponent=exponent):
                if style.power is not None:
                    return style.power(self.write(base, _OR), exponent), _ATOM
                return f"{self.write(base, _ATOM)}**{exponent}", _POWER
            case Unary(op=op, operand=operand):
                level = _NOT if op == "not" else _NEGATE
                return f"{self._operator(op)}{self.write(operand, level)}", level
        return self._binary(node)

    def _binary(self, node: Binary) -> tuple[str, int]:
        """Return the text of two operands; those of equal strength bind from the left."""
        level, style = _LEVELS[node.op], self._style
        is_literal = isinstance(node.right, Number) and node.right.value != 0
        if node.op == "/" and style.divide and not is_literal:
            return style.divide(self.write(node.left, _OR), self.write(node.right, _OR)), _ATOM
        above = level + 1 if level == _COMPARE else level
        left, right = self.write(node.left, above), self.write(node.right, level + 1)
        return f"{left} {self._operator(node.op)} {right}", level

    def _operator(self, op: str) -> str:
        symbol = (self._style.operators or {}).get(op, op)
        return "not " if symbol == "not" else symbol

    def _name(self, name: str) -> str:
        if self._names is None:
            return name
        if name not in self._names:
            raise ArgumentError("printing", f"nothing stands for {name!r}")
        return self._names[name]


TEXT = Style()
"""Print the language itself: parsed again, the text gives the same tree."""

CPP = Style(
    number=float.hex,
    flag=lambda flag: "true" if flag else "false",
    call=lambda name, args: f"neurorl_{name}({', '.join(args)})",
    power=lambda base, exponent: f"neurorl_power({base}, {exponent})",
    operators={"and": "&&", "or": "||", "not": "!"},
    brackets_all=True,
)
"""Print C++ (also valid C) that includes ``native/src/expressions.h``; compile it with
`neurorl.native.toolchain.EXACT_FLAGS`."""
