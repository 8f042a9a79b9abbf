"""Compute a tree's value, operation by operation, on arrays."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError
from neurorl.expressions.functions import FUNCTIONS, power
from neurorl.expressions.nodes import Binary, Flag, FunctionCall, Name, Node, Number, Power, Unary
from neurorl.numerics.arrays import Array

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


def evaluate_arrays(node: Node, needed: Iterable[str], names: Mapping[str, npt.ArrayLike]) -> Array:
    """Return a tree's value in NumPy, float64 or bool; a bool that has a name is 0 or 1.

    needed: the names that the tree uses. Both sides of ``and``, ``or`` and ``where`` are computed.
    Nothing warns: undefined results are nan, results too large are infinite. Raises ArgumentError
    for a name that has no array of numbers.
    """
    arrays = {name: _array(name, names) for name in needed}

    def value(node: Node) -> Any:
        match node:
            case Name(name=name):
                return arrays[name]
            case Number(value=number):
                return np.float64(number)
            case Flag(value=flag):
                return np.bool_(flag)
            case Binary(op=op, left=left, right=right):
                return _OPERATIONS[op](value(left), value(right))
            case Unary(op="-", operand=operand):
                return -value(operand)
            case Unary(operand=operand):
                return ~value(operand)
            case Power(base=base, exponent=exponent):
                return power(value(base), exponent)
            case FunctionCall(function=function, arguments=arguments):
                return FUNCTIONS[function].numpy(*map(value, arguments))

    with np.errstate(all="ignore"):
        return np.asarray(value(node))


def _array(name: str, names: Mapping[str, npt.ArrayLike]) -> npt.NDArray[np.float64]:
    if name not in names:
        raise ArgumentError("expression", f"{name!r} has no value")
    try:
        return np.asarray(names[name], dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise ArgumentError("expression", f"{name!r} is no array of numbers") from exc
