"""Compute a tree's value, operation by operation, on arrays or on objects like them."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError
from neurorl.expressions.functions import FUNCTIONS, power
from neurorl.expressions.nodes import Binary, Flag, FunctionCall, Name, Node, Number, Power, Unary
from neurorl.numerics.arrays import Array

__all__ = ["Mathematics", "evaluate", "evaluate_arrays"]


class Mathematics(Protocol):
    """Compute with arrays of NumPy, or with tensors of PyTorch."""

    def constant(self, value: float | bool) -> Any:
        """Return a literal as an array or tensor, for which x / 0 raises nothing."""

    def call(self, function: str, arguments: list[Any]) -> Any:
        """Return the value of one of `neurorl.expressions.functions.FUNCTIONS`."""


_OPERATIONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "and": operator.and_,
    "or": operator.or_,
}


def evaluate(node: Node, names: Mapping[str, Any], mathematics: Mathematics) -> Any:
    """Return the value of a tree; both sides of ``and``, ``or`` and ``where`` are computed."""

    def value(node: Node) -> Any:
        match node:
            case Name(name=name):
                return names[name]
            case Number(value=number):
                return mathematics.constant(number)
            case Flag(value=flag):
                return mathematics.constant(flag)
            case Binary(op=op, left=left, right=right):
                return _OPERATIONS[op](value(left), value(right))
            case Unary(op="-", operand=operand):
                return -value(operand)
            case Unary(operand=operand):
                return ~value(operand)
            case Power(base=base, exponent=exponent):
                return power(value(base), exponent)
            case FunctionCall(function=function, arguments=arguments):
                return mathematics.call(function, [value(a) for a in arguments])

    return value(node)


class _Arrays:
    """Compute in NumPy, in float64."""

    def constant(self, value: float | bool) -> Any:
        return np.bool_(value) if isinstance(value, bool) else np.float64(value)

    def call(self, function: str, arguments: list[Any]) -> Any:
        return FUNCTIONS[function].numpy(*arguments)


_ARRAYS = _Arrays()


def evaluate_arrays(node: Node, needed: Iterable[str], names: Mapping[str, npt.ArrayLike]) -> Array:
    """Return a tree's value in NumPy, float64 or bool; a bool that has a name is 0 or 1.

    needed: the names that the tree uses. Nothing warns: undefined results are nan, results too
    large are infinite. Raises ArgumentError for a name that has no array of numbers.
    """
    arrays = {name: _array(name, names) for name in needed}
    with np.errstate(all="ignore"):
        return np.asarray(evaluate(node, arrays, _ARRAYS))


def _array(name: str, names: Mapping[str, npt.ArrayLike]) -> npt.NDArray[np.float64]:
    if name not in names:
        raise ArgumentError("expression", f"{name!r} has no value")
    try:
        return np.asarray(names[name], dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise ArgumentError("expression", f"{name!r} is no array of numbers") from exc
