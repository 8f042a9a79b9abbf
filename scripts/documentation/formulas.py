"""Print expressions, statements and numbers as LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from neurorl.expressions.expression import Statement, read_statements
from neurorl.expressions.nodes import (
    COMPARISONS,
    Binary,
    Flag,
    FunctionCall,
    Name,
    Node,
    Number,
    Power,
    Unary,
)
from neurorl.expressions.parse import parse
from neurorl.expressions.scan import TextPlace

_GREEK = ("tau", "alpha", "beta", "gamma", "theta", "phi", "psi", "xi", "sigma", "mu", "rho")
_WHOLE = {"ms": r"\mathrm{ms}", "DT": r"\Delta_T"}
_OPERATORS = {
    "<=": r"\le",
    ">=": r"\ge",
    "==": "=",
    "!=": r"\ne",
    "and": r"\wedge",
    "or": r"\vee",
    "*": r"\,",
}
_LEVELS = {"or": 0, "and": 1, "+": 4, "-": 4, "*": 5, "/": 5} | dict.fromkeys(COMPARISONS, 3)
_NEGATE, _ATOM = 6, 8


def symbol(name: str) -> str:
    """Return a name as LaTeX: Greek letters, and what follows ``_`` below the line."""
    first, *rest = name.split("_")
    if name in _WHOLE:
        return _WHOLE[name]
    if first in _GREEK:
        written = f"\\{first}"
    elif len(first) == 2:
        written, rest = first[0], [first[1], *rest]
    else:
        written = first if len(first) == 1 else rf"\mathrm{{{first}}}"
    below = ",".join(part if len(part) == 1 else rf"\mathrm{{{part}}}" for part in rest)
    return f"{written}_{{{below}}}" if below else written


def number(value: float) -> str:
    """Return a number as short as it can be read back."""
    text = f"{value:.12g}"
    mantissa, e, exponent = text.partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else mantissa


def expression(text: str, names: Mapping[str, str] | None = None) -> str:
    """Return the text of an expression as LaTeX. names: how names are written, if not by `symbol`.

    Raises ExpressionError for what isn't an expression.
    """
    return _Writer(names or {}).write(parse(text, TextPlace("formula", text)), 0)


def statements(
    text: str, names: Mapping[str, str] | None = None, derivatives: bool = True
) -> list[str]:
    """Return each line of updates or differential equations as LaTeX, ``left & right``."""
    lines = read_statements(text, "formula", derivatives=derivatives)
    return [_statement(line, _Writer(names or {})) for line in lines]


def _statement(line: Statement, writer: _Writer) -> str:
    left = writer.write(Name(line.variable), 0)
    right = writer.write(parse(line.value.text, TextPlace("formula", line.value.text)), 0)
    if line.is_derivative:
        return rf"\frac{{d{left}}}{{dt}} &= {right}"
    return rf"{left} &\leftarrow {right}"


class _Writer:
    """Write the nodes of a tree; names: how names are written, if not by `symbol`."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def write(self, node: Node, least: int) -> str:
        """Return a node, in brackets if it binds less than *least*."""
        text, level = self._parts(node)
        return text if level >= least else rf"\left({text}\right)"

    def _parts(self, node: Node) -> tuple[str, int]:
        match node:
            case Number(value=value):
                return number(value), _ATOM
            case Flag(value=flag):
                return rf"\text{{{str(flag).lower()}}}", _ATOM
            case Name(name=name):
                return self._names.get(name) or symbol(name), _ATOM
            case Power(base=base, exponent=exponent):
                return f"{{{self.write(base, _ATOM)}}}^{{{exponent}}}", 7
            case Unary(op=op, operand=operand):
                sign = "-" if op == "-" else r"\neg "
                return f"{sign}{self.write(operand, _NEGATE)}", _NEGATE if op == "-" else 2
            case FunctionCall(function=function, arguments=arguments):
                return self._call(function, arguments), _ATOM
            case Binary(op="/", left=left, right=right):
                return rf"\frac{{{self.write(left, 0)}}}{{{self.write(right, 0)}}}", _ATOM
            case Binary(op=op, left=left, right=right):
                level = _LEVELS[op]
                sign, above = _OPERATORS.get(op, op), level + (op not in ("+", "*"))
                return f"{self.write(left, level)} {sign} {self.write(right, above)}", level
        raise TypeError(type(node).__name__)

    def _call(self, function: str, arguments: Sequence[Node]) -> str:
        inside = [self.write(argument, 0) for argument in arguments]
        match function:
            case "abs":
                return rf"\left|{inside[0]}\right|"
            case "where":
                yes, no = (
                    rf"{inside[1]} & \text{{if }} {inside[0]}",
                    rf"{inside[2]} & \text{{else}}",
                )
                return rf"\begin{{cases}} {yes} \\ {no} \end{{cases}}"
            case "exp":
                return rf"e^{{{inside[0]}}}"
        name = rf"\{function}" if function in ("max", "min") else rf"\operatorname{{{function}}}"
        return rf"{name}\left({', '.join(inside)}\right)"
