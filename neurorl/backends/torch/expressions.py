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
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorl.arithmetic.rounding import Rounding
from neurorl.errors import ArgumentError
from neurorl.expressions.expression import Expression
from neurorl.expressions.functions import power
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
    return Style(
        number=literal,
        flag=literal,
        call=call,
        power=lambda base, exponent: f"power({base}, {exponent})",
        operators={"and": "&", "or": "|", "not": "~"},
        brackets_all=True,
    )


def _polynomial(x: Tensor, terms: list[float]) -> Tensor:
    value = torch.full_like(x, terms[-1])
    for term in terms[-2::-1]:
        value = value * x + term
    return value


def _reduced(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return r and 2**k of ``e**x = e**r 2**k``."""
    k = torch.round(x * elementary.LOG2_E)
    r = (x - k * elementary.LN2_HIGH) - k * elementary.LN2_LOW
    return r, ((k.to(torch.int64) + 1023) << 52).view(torch.float64)


class _Exact(torch.autograd.Function):
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


def _with_slope(function: Function, slope: Function) -> Function:
    return lambda x: _Exact.apply(x, function, slope)  # type: ignore[no-untyped-call, no-any-return]


def _exp_of(x: Tensor) -> Tensor:
    limit = elementary.EXP_LIMIT
    r, power = _reduced(torch.clamp(x, -limit, limit))
    return _polynomial(r, elementary.EXP_TERMS) * power


def _log_of(x: Tensor) -> Tensor:
    is_regular = (x > 0.0) & (x < torch.inf)
    is_small = is_regular & (x < 2.0**-1022)
    scaled = torch.where(is_regular, x, 1.0) * torch.where(is_small, 2.0**54, 1.0)
    bits = scaled.view(torch.int64) + (elementary.ONE_BITS - elementary.ROOT_HALF_BITS)
    k = ((bits >> 52) - 1023).to(torch.float64) - torch.where(is_small, 54.0, 0.0)
    m = ((bits & elementary.FRACTION) + elementary.ROOT_HALF_BITS).view(torch.float64)
    f = m - 1.0
    half_square = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    rest = s * (half_square + z * _polynomial(z, elementary.LOG_TERMS))
    value = rest + k * elementary.LN2_LOW - half_square + f + k * elementary.LN2_HIGH
    outside = torch.where(x == 0.0, -torch.inf, torch.where(x > 0.0, x, torch.nan))
    return torch.where(is_regular, value, outside)


def _sqrt_of(x: Tensor) -> Tensor:
    """Round the root as IEEE 754 does; PyTorch's own, of MKL, is off by a bit now and then."""
    if x.device.type != "cpu":
        return torch.sqrt(x)
    with np.errstate(invalid="ignore"):
        return torch.from_numpy(np.asarray(np.sqrt(x.detach().numpy())))


def _tanh_of(x: Tensor) -> Tensor:
    r, power = _reduced(2.0 * torch.clamp(x.abs(), max=elementary.TANH_LIMIT))
    less_one = r * _polynomial(r, elementary.EXP_TERMS[1:]) * power + (power - 1.0)
    return torch.copysign(less_one / (less_one + 2.0), x)


def _wave_of(x: Tensor, turn: float) -> Tensor:
    """Return the sine, or the cosine for a turn of 1, as `neurorl.numerics.elementary` does."""
    k = torch.round(x * elementary.TWO_BY_PI)
    r = x
    for part in elementary.HALF_PI:
        r = r - k * part
    r = torch.clamp(r, -elementary.QUARTER_LIMIT, elementary.QUARTER_LIMIT)
    z = r * r
    sine = r + r * (z * _polynomial(z, elementary.SIN_TERMS))
    cosine = (1.0 - 0.5 * z) + z * z * _polynomial(z, elementary.COS_RESTS)
    ahead = k + turn
    quarter = ahead - 4.0 * torch.floor(0.25 * ahead)
    value = torch.where((quarter == 1.0) | (quarter == 3.0), cosine, sine)
    return torch.where(quarter >= 2.0, -value, value)


def _sin_of(x: Tensor) -> Tensor:
    return torch.where(x == 0.0, x, _wave_of(x, 0.0))


_exp: Function = _with_slope(
    _exp_of, lambda x: torch.where(x.abs() > elementary.EXP_LIMIT, 0.0, _exp(x))
)
_log: Function = _with_slope(_log_of, lambda x: 1.0 / x)
_sqrt: Function = _with_slope(_sqrt_of, lambda x: 1.0 / (2.0 * _sqrt(x)))
_sin: Function = _with_slope(_sin_of, lambda x: _cos(x))
_cos: Function = _with_slope(lambda x: _wave_of(x, 1.0), lambda x: -_sin(x))
_tanh: Function = _with_slope(_tanh_of, lambda x: (1.0 - _tanh(x)) * (1.0 + _tanh(x)))


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


_BIAS_MANTISSA, _BIAS_EXPONENTS = 4095, 7


def in_quanta(weight: Tensor, rounding: Rounding) -> Tensor:
    """Return *weight* in whole numbers of ``rounding.unit``, as `Rounding.round` rounds it."""
    return torch.clamp(
        through(weight * rounding.inverse, torch.round), -rounding.limit, rounding.limit
    )


def bias_integers(bias: Tensor) -> Tensor:
    """Round as `neurorl.arithmetic.quantiser.bias_integers`."""
    with torch.no_grad():
        size = bias.abs()
        exponent = torch.zeros_like(bias)
        for e in range(_BIAS_EXPONENTS):
            exponent += torch.round(size / 2**e) > _BIAS_MANTISSA
        step = 2.0**exponent
    return torch.clamp(through(bias / step, torch.round), -_BIAS_MANTISSA, _BIAS_MANTISSA) * step


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
