"""Turn a text into a checked tree; errors point at the character that isn't in the language."""

from __future__ import annotations

import ast
import math
import re

from neurorl.expressions import nodes as trees
from neurorl.expressions.functions import FUNCTIONS
from neurorl.expressions.scan import INPUT, MAX_DEPTH, ExpressionError, TextPlace, hint, scan

MAX_EXPONENT = 16

_ARITHMETIC: dict[type[ast.operator], str] = dict(
    zip((ast.Add, ast.Sub, ast.Mult, ast.Div), "+-*/", strict=True)
)
_COMPARED: dict[type[ast.cmpop], str] = dict(
    zip((ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq), trees.COMPARISONS, strict=True)
)
_BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)
_DEEPEST = f"{MAX_DEPTH} operators, one inside the other"


def parse(text: str, place: TextPlace | None = None) -> trees.Node:
    """Return the tree of an expression; nothing in it is simplified or reordered.

    place: names the text in errors.
    Raises ExpressionError, a DescriptionError, with the wrong character.
    """
    if not isinstance(text, str):
        what = f"not a text but {type(text).__name__}"
        where = place.where if place else "expression"
        raise TextPlace(where, "").problem(0, what, "write it as a text")
    place = place or TextPlace("expression", text)
    scan(text, place)
    line = text.translate(_ONE_LINE)
    begin = len(line) - len(line.lstrip())
    if begin == len(line):
        raise place.problem(0, "is empty", "write a name, a number or a formula")
    try:
        tree = ast.parse(line[begin:], mode="eval")
    except _BROKEN as exc:
        raise _broken(text, begin, place, exc) from exc
    return _Reader(begin, place).node(tree.body, 0)


_ONE_LINE = str.maketrans("\t\r\n", "   ")
_UNFINISHED = re.compile(r"(\*\*|[<>=!]=|[-+*/<>(,]|\b(?:and|or|not))\s*$")


def _broken(text: str, begin: int, place: TextPlace, exc: Exception) -> ExpressionError:
    """Return the error for a text that Python's parser refuses."""
    if not isinstance(exc, SyntaxError):
        return place.problem(begin, "too deep", "split it", _DEEPEST)
    ending = _UNFINISHED.search(text)
    if ending is not None:
        what = f"ends in {ending[1]!r}"
        return place.problem(ending.start(1), what, "finish it, or leave that out")
    at = min(begin + max((exc.offset or 1) - 1, 0), len(text) - 1)
    return place.problem(at, f"isn't a formula: {exc.msg}")


def check_kind(node: trees.Node, kind: trees.Kind, place: TextPlace) -> None:
    """Raise ExpressionError unless the node's value is of this kind."""
    if trees.kind_of(node) != kind:
        what = f"a {trees.kind_of(node)} where a {kind} is needed"
        remedy = "compare it, such as x > 0"
        if kind == "number":
            remedy = "where(condition, 1, 0) makes a number of it"
        raise place.problem(node.at, what, remedy)


class _Reader:
    """Turn Python's tree into ours."""

    def __init__(self, begin: int, place: TextPlace) -> None:
        self._begin, self._place, self._problem = begin, place, place.problem

    def node(self, node: ast.expr, depth: int) -> trees.Node:
        """Return our node for one of Python's; *depth*: how many others enclose it."""
        at = self._begin + node.col_offset
        if depth > MAX_DEPTH:
            raise self._problem(at, "too deep", "split it", _DEEPEST)
        match node:
            case ast.Constant(value=bool() as value):
                return trees.Flag(value, at=at)
            case ast.Constant(value=int() | float() as value):
                return trees.Number(self._finite(value, at), at=at)
            case ast.Name(id=name):
                if name in FUNCTIONS:
                    what = f"{name!r} is a function"
                    raise self._problem(at, what, f"write {name}(...), or take another name")
                return trees.Name(name, at=at)
            case ast.UnaryOp(op=ast.USub()):
                return trees.Unary("-", self._a(node.operand, "number", depth), at=at)
            case ast.UnaryOp(op=ast.Not()):
                return trees.Unary("not", self._a(node.operand, "boolean", depth), at=at)
            case ast.BoolOp():
                return self._logic(node, depth)
            case ast.BinOp(op=ast.Pow()):
                return self._power(node, depth)
            case ast.BinOp(op=op) if type(op) in _ARITHMETIC:
                left = self._a(node.left, "number", depth)
                right = self._a(node.right, "number", depth)
                return trees.Binary(_ARITHMETIC[type(op)], left, right, at=at)
            case ast.Compare():
                return self._comparison(node, depth)
            case ast.Call():
                return self._call(node, depth)
        remedy = "leave it out" if isinstance(node, ast.UnaryOp) else None
        raise self._problem(at, f"{_SAID.get(type(node), 'this')} isn't in the language", remedy)

    def _a(self, node: ast.expr, kind: trees.Kind, depth: int) -> trees.Node:
        """Return the node of an operand, which must be of this kind."""
        made = self.node(node, depth + 1)
        check_kind(made, kind, self._place)
        return made

    def _finite(self, value: float, at: int) -> float:
        """Return a literal as a float."""
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self._problem(at, "a number beyond the largest float", limit="1.8e308")
        return number

    def _logic(self, node: ast.BoolOp, depth: int) -> trees.Node:
        """Return ``a and b and c`` as ``(a and b) and c``."""
        op = "and" if isinstance(node.op, ast.And) else "or"
        made = self._a(node.values[0], "boolean", depth + len(node.values) - 2)
        for value in node.values[1:]:
            made = trees.Binary(op, made, self._a(value, "boolean", depth), at=made.at)
        return made

    def _power(self, node: ast.BinOp, depth: int) -> trees.Node:
        base = self._a(node.left, "number", depth)
        exponent = node.right.value if isinstance(node.right, ast.Constant) else None
        if type(exponent) is not int or not 1 <= exponent <= MAX_EXPONENT:
            at, limit = self._begin + node.right.col_offset, f"a whole number, 1 to {MAX_EXPONENT}"
            remedy = _POWERS.get(_literal(node.right), "write exp(y*log(x)) for x**y")
            raise self._problem(at, "the exponent isn't a small whole number", remedy, limit)
        return trees.Power(base, exponent, at=base.at)

    def _comparison(self, node: ast.Compare, depth: int) -> trees.Node:
        left = self._a(node.left, "number", depth)
        right = self._a(node.comparators[0], "number", depth)
        if len(node.ops) > 1:
            at = self._begin + node.comparators[1].col_offset
            raise self._problem(at, "a chain of comparisons", "write a < b and b < c")
        op = _COMPARED.get(type(node.ops[0]))
        if op is None:
            raise self._problem(right.at, "this comparison isn't in the language")
        return trees.Binary(op, left, right, at=left.at)

    def _call(self, node: ast.Call, depth: int) -> trees.Node:
        at = self._begin + node.col_offset
        if not isinstance(node.func, ast.Name):
            raise self._problem(at, "a value is called", "write a product as a*(b)")
        name = node.func.id
        if name not in FUNCTIONS:
            is_timed = any(isinstance(a, ast.Name) and a.id == "t" for a in node.args)
            listed = f"known: {', '.join(sorted(FUNCTIONS))}; a product is written a*(b)"
            remedy = INPUT if is_timed else listed
            raise self._problem(at, f"unknown function {name!r}", hint(name, FUNCTIONS) or remedy)
        kinds = FUNCTIONS[name].arguments
        if node.keywords or len(node.args) != len(kinds):
            what = f"{name} takes {len(kinds)} argument{'s' * (len(kinds) > 1)}, by place"
            raise self._problem(at, f"{what}, not {len(node.args) + len(node.keywords)}")
        arguments = (self._a(a, kind, depth) for a, kind in zip(node.args, kinds, strict=True))
        return trees.FunctionCall(name, tuple(arguments), at=at)


_POWERS = {-0.5: "write 1/sqrt(x)", 0: "write 1", 0.5: "write sqrt(x)", 1.5: "write x*sqrt(x)"}
_POWERS |= {n: f"write x**{n}" for n in range(1, MAX_EXPONENT + 1)}
_POWERS |= {-n: f"write 1/x**{n}" for n in range(1, MAX_EXPONENT + 1)}
"""Say what to write for other powers of x."""


def _literal(node: ast.expr) -> float:
    """Return the value of a literal, maybe with a minus; nan for another node."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return sign * node.value
    return math.nan


_SAID: dict[type[ast.expr], str] = {
    ast.Tuple: "a list of values",
    ast.Starred: "a star before a value",
    ast.UnaryOp: "a plus sign before a value",
}
