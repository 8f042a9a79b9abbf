"""Define the functions of expressions to the bit, in NumPy, and compute a tree's value.

``native/src/expressions.h`` is the same in C, `neurorl.backends.torch.expressions` in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError
from neurorl.expressions.nodes import Kind, Node, Style, names_in, render
from neurorl.numerics import elementary
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.storage.plain import Named


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


PYTHON = Style(
    number=lambda value: f"float64({value!r})",
    flag=lambda flag: f"bool_({flag})",
    call=lambda name, arguments: f"{name}_({', '.join(arguments)})",
    power=lambda base, exponent: f"power({base}, {exponent})",
    operators={"and": "&", "or": "|", "not": "~"},
    brackets_all=True,
)
"""Print formulas as Python that takes arrays. Both sides of ``and``, ``or`` and ``where`` are
computed."""
MEANING: Named = {
    **{f"{name}_": function.numpy for name, function in FUNCTIONS.items()},
    "power": power,
    "float64": np.float64,
    "bool_": np.bool_,
}
"""Map the names in formulas that are printed as Python to what they mean in NumPy."""
Computed = Callable[[Mapping[str, FloatArray]], Any]
"""Return the value of a formula, given an array for each name."""


def computed(tree: Node) -> Computed:
    """Return a tree's formula as a function on NumPy arrays.

    Nothing of a user is in its text but a checked tree, whose names are quoted.
    """
    names = {name: f"of[{name!r}]" for name in names_in(tree)}
    function: Computed = eval(f"lambda of: {render(tree, PYTHON, names)}", {**MEANING})
    return function


def evaluate_arrays(
    formula: Computed, needed: Iterable[str], names: Mapping[str, npt.ArrayLike]
) -> Array:
    """Return a formula's value in NumPy, float64 or bool; a bool that has a name is 0 or 1.

    needed: the names that it uses. Nothing warns: undefined results are nan, results too large are
    infinite. Raises ArgumentError for a name that has no array of numbers.
    """
    arrays = {name: _array(name, names) for name in needed}
    with np.errstate(all="ignore"):
        return np.asarray(formula(arrays))


def _array(name: str, names: Mapping[str, npt.ArrayLike]) -> FloatArray:
    if name not in names:
        raise ArgumentError("expression", f"{name!r} has no value")
    try:
        return np.asarray(names[name], dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise ArgumentError("expression", f"{name!r} is no array of numbers") from exc
