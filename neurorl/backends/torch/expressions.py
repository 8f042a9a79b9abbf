"""Compute expressions on tensors, in float64: the bits of NumPy, with gradients.

A function of exact operations only, such as exp, has its derivative written here, in terms of the
function itself. At a corner (abs, min, max, clip, where) the derivative is that of the side taken,
that of floor and sign is 0, and comparisons have none.

Other roundings let gradients straight through, as if nothing were rounded; values beyond a range
have none (Bengio et al. 2013, arXiv:1308.3432): training with the chip's integers is
quantisation-aware.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorl.arithmetic.quantiser import BIAS_MANTISSA, bias_steps
from neurorl.arithmetic.rounding import Rounding
from neurorl.errors import ArgumentError
from neurorl.expressions.expression import Expression
from neurorl.expressions.functions import FUNCTIONS, PYTHON, power
from neurorl.expressions.nodes import Style, render
from neurorl.numerics import elementary
from neurorl.storage.plain import PlainData

Function = Callable[[Tensor], Tensor]


def evaluate_tensors(expression: Expression, names: Mapping[str, Tensor]) -> Tensor:
    """Return an expression's value, float64 or bool, broadcast, with a graph for gradients.

    Tensors of another dtype are converted; a bool is 0 or 1.
    Raises ArgumentError for a name without a tensor.
    """
    space: PlainData = {}
    for name in expression.names:
        if not isinstance(names.get(name), Tensor):
            raise ArgumentError("expression", f"{name!r} has no tensor")
        space[f"x_{name}"] = names[name].to(torch.float64)
    written = {name: f"x_{name}" for name in expression.names}
    style = tensor_style(space, torch.float64)
    value: Tensor = eval(render(expression.tree, style, written), space)
    return value


def tensor_style(
    space: PlainData, dtype: torch.dtype, straight: Mapping[str, Callable[..., Tensor]] = {}
) -> Style:
    """Return how an expression is written in Python, to be run in *space*, which is added to.

    dtype: of its numbers. straight: functions that stand for those of the same name.
    """

    def literal(value: float | bool) -> str:
        """Write a number as a tensor, for which x / 0 is no exception."""
        is_flag = isinstance(value, bool)
        name = f"number_{len(space)}"
        space[name] = torch.tensor(value, dtype=torch.bool if is_flag else dtype)
        return name

    def call(name: str, arguments: Any) -> str:
        function = straight.get(name, _FUNCTIONS[name])
        written = f"{'straight' if name in straight else 'exact'}_{name}"
        space[written] = function
        return f"{written}({', '.join(arguments)})"

    space["power"] = power
    return replace(PYTHON, number=literal, flag=literal, call=call)


class _WithSlope(torch.autograd.Function):
    """Compute a function whose derivative is another one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, function: Function, slope: Function) -> Tensor:
        """Return the function's value."""
        ctx.save_for_backward(x)
        ctx.slope = slope
        return function(x)

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient by x."""
        (x,) = ctx.saved_tensors
        return gradient[0] * ctx.slope(x), None, None


def with_slope(x: Tensor, function: Function, slope: Function) -> Tensor:
    """Return a function of *x*, through which gradients pass times *slope*."""
    return _WithSlope.apply(x, function, slope)  # type: ignore[no-untyped-call, no-any-return]


def _exact(name: str, elsewhere: Function, slope: Function) -> Function:
    """Return a function that has NumPy's bits on the CPU. elsewhere: the same on a GPU."""

    def value(x: Tensor) -> Tensor:
        if x.device.type != "cpu":
            return elsewhere(x)
        with np.errstate(all="ignore"):
            return torch.from_numpy(np.asarray(FUNCTIONS[name].numpy(x.detach().numpy())))

    return lambda x: with_slope(x, value, slope)


_MOST = elementary.EXP_LIMIT
_exp: Function = _exact(
    "exp",
    lambda x: torch.exp(torch.clamp(x, -_MOST, _MOST)),
    lambda x: torch.where(x.abs() > _MOST, 0.0, _exp(x)),
)
_log: Function = _exact("log", torch.log, lambda x: 1.0 / x)
_sqrt: Function = _exact("sqrt", torch.sqrt, lambda x: 1.0 / (2.0 * _sqrt(x)))
_sin: Function = _exact("sin", torch.sin, lambda x: _cos(x))
_cos: Function = _exact("cos", torch.cos, lambda x: -_sin(x))
_tanh: Function = _exact("tanh", torch.tanh, lambda x: (1.0 - _tanh(x)) * (1.0 + _tanh(x)))


def _minimum(a: Tensor, b: Tensor) -> Tensor:
    return torch.where((b < a) | (b != b), b, a)


def _maximum(a: Tensor, b: Tensor) -> Tensor:
    return torch.where((b > a) | (b != b), b, a)


def _sign(x: Tensor) -> Tensor:
    return torch.where(x > 0.0, 1.0, torch.where(x < 0.0, -1.0, torch.where(x == 0.0, 0.0, x)))


_FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "abs": torch.abs,
    "clip": lambda x, low, high: _minimum(_maximum(x, low), high),
    "cos": _cos,
    "exp": _exp,
    "floor": torch.floor,
    "log": _log,
    "max": _maximum,
    "min": _minimum,
    "sigmoid": lambda x: 1.0 / (1.0 + _exp(-x)),
    "sign": _sign,
    "sin": _sin,
    "sqrt": _sqrt,
    "tanh": _tanh,
    "trunc": torch.trunc,
    "where": torch.where,
}


def in_quanta(weight: Tensor, rounding: Rounding) -> Tensor:
    """Return *weight* in whole numbers of ``rounding.unit``, as `Rounding.round` rounds it."""
    n = through(weight * rounding.inverse, torch.round)
    return torch.clamp(n, -rounding.limit, rounding.limit)


def bias_integers(bias: Tensor) -> Tensor:
    """Round as `neurorl.arithmetic.quantiser.bias_integers`."""
    step = torch.from_numpy(bias_steps(bias.detach().cpu().numpy())).to(bias)
    return torch.clamp(through(bias / step, torch.round), -BIAS_MANTISSA, BIAS_MANTISSA) * step


def truncated(x: Tensor) -> Tensor:
    """Round *x* towards zero."""
    return through(x, torch.trunc)


def through(x: Tensor, rounding: Callable[[Tensor], Tensor]) -> Tensor:
    """Return what *rounding* makes of *x*, with the gradient of *x*; exact below 2**52."""
    rounded = rounding(x.detach())
    return x + (rounded - x.detach()) if torch.is_grad_enabled() and x.requires_grad else rounded


CHIP: Mapping[str, Callable[..., Tensor]] = {
    "clip": lambda x, low, high: torch.clamp(x, float(low), float(high)),
    "floor": lambda x: torch.floor(x.detach()),
    "trunc": truncated,
}
"""Map functions in the statements of a chip's integers to those with their gradients."""

RELEASE: Mapping[str, Callable[..., Tensor]] = {"floor": lambda x: through(x, torch.floor)}
"""Map the same in what a spike releases, which is rounded to a grid."""
