"""Define the functions of expressions to the bit, in NumPy.

``native/src/expressions.h`` is the same in C, `neurorl.backends.torch.expressions` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.expressions.nodes import Kind
from neurorl.numerics import elementary

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Function:
    """Describe a function that returns a number.

    arguments: the kind of each argument.
    numpy: the function that computes it.
    """

    arguments: tuple[Kind, ...]
    numpy: Callable[..., Any]


def minimum(a: Array, b: Array) -> Array:
    """Return the smaller one, *a* if they are equal (-0 is 0), nan if either is."""
    return np.where((b < a) | (b != b), b, a)


def maximum(a: Array, b: Array) -> Array:
    """Return the larger one, *a* if they are equal (-0 is 0), nan if either is."""
    return np.where((b > a) | (b != b), b, a)


def clip(x: Array, low: Array, high: Array) -> Array:
    """Return ``min(max(x, low), high)``: *high* where low > high."""
    return minimum(maximum(x, low), high)


def sign(x: Array) -> Array:
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
    "exp": Function(_ONE, elementary.exp),
    "floor": Function(_ONE, np.floor),
    "log": Function(_ONE, elementary.log),
    "max": Function(_TWO, maximum),
    "min": Function(_TWO, minimum),
    "sigmoid": Function(_ONE, elementary.sigmoid),
    "sign": Function(_ONE, sign),
    "sqrt": Function(_ONE, np.sqrt),
    "tanh": Function(_ONE, elementary.tanh),
    "trunc": Function(_ONE, np.trunc),
    "where": Function(("boolean", "number", "number"), np.where),
}
"""Map each name to its function. Users can't add any: each must be defined on every backend."""
