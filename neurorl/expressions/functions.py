"""Define the functions of expressions to the bit, in NumPy, and compute a tree's value.

``native/src/expressions.h`` is the same in C, `neurorl.backends.torch.expressions` in PyTorch.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError
from neurorl.expressions.nodes import (
    Binary,
    Flag,
    FunctionCall,
    Kind,
    Name,
    Node,
    Number,
    Power,
    Unary,
)
from neurorl.numerics import elementary
from neurorl.numerics.arrays import Array, FloatArray


@dataclass(frozen=True)
class Function:
    """Describe a function that returns a number.

    arguments: the kind of each argument.
    numpy: the function that computes it.
    """

    arguments: tuple[Kind, ...]
    numpy: Callable[..., Any]


def minimum(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the smaller one, *a* if they are equal (-0 is 0), nan if either is."""
    return np.where((b < a) | (b != b), b, a)


def maximum(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the larger one, *a* if they are equal (-0 is 0), nan if either is."""
    return np.where((b > a) | (b != b), b, a)


def clip(x: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return ``min(max(x, low), high)``: *high* where low > high."""
    return minimum(maximum(x, low), high)


def sign(x: FloatArray) -> FloatArray:
    """Return -1, 1, nan, or 0 for both zeros."""
    return np.where(x > 0.0, 1.0, np.where(x < 0.0, -1.0, np.where(x == 0.0, 0.0, x)))


def power(x: Any, exponent: int) -> Any:
    """Return ``x * x * ...`` from the left, for arrays and tensors."""
    value = x
    for _ in range(exponent - 1):
        value = value * x
    return value


_ONE: tuple[Kind, ...] = ("number",)
_TWO: tuple[Kind, ...] = ("number", "number")

FUNCTIONS: Mapping[str, Function] = {
    "abs": Function(_ONE, np.abs),
    "clip": Function(("number", "number", "number"), clip),
    "cos": Function(_ONE, elementary.cos),
    "exp": Function(_ONE, elementary.exp),
    "floor": Function(_ONE, np.floor),
    "log": Function(_ONE, elementary.log),
    "max": Function(_TWO, maximum),
    "min": Function(_TWO, minimum),
    "sigmoid": Function(_ONE, elementary.sigmoid),
    "sign": Function(_ONE, sign),
    "sin": Function(_ONE, elementary.sin),
    "sqrt": Function(_ONE, np.sqrt),
    "tanh": Function(_ONE, elementary.tanh),
    "trunc": Function(_ONE, np.trunc),
    "where": Function(("boolean", "number", "number"), np.where),
}
"""Map each name to its function. Users can't add any: each must be defined on every backend."""


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


def _array(name: str, names: Mapping[str, npt.ArrayLike]) -> FloatArray:
    if name not in names:
        raise ArgumentError("expression", f"{name!r} has no value")
    try:
        return np.asarray(names[name], dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise ArgumentError("expression", f"{name!r} is no array of numbers") from exc
