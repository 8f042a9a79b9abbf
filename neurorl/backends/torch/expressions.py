"""Evaluate expressions on tensors, in float64: the bits of NumPy, with gradients.

A function of exact operations only, such as exp, has its derivative written here, in terms of the
function itself. At a corner (abs, min, max, clip, where) the derivative is that of the side taken,
that of floor and sign is 0, and comparisons have none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorl.errors import ArgumentError
from neurorl.expressions.evaluate import evaluate
from neurorl.expressions.expression import Expression
from neurorl.numerics import elementary

__all__ = ["evaluate_tensors"]


def evaluate_tensors(expression: Expression, names: Mapping[str, Tensor]) -> Tensor:
    """Return an expression's value, float64 or bool, broadcast, with a graph for gradients.

    Tensors of another dtype are converted; a bool is 0 or 1.
    Raises ArgumentError for a name without a tensor.
    """
    tensors = {}
    for name in expression.names:
        if not isinstance(names.get(name), Tensor):
            raise ArgumentError("expression", f"{name!r} has no tensor")
        tensors[name] = names[name].to(torch.float64)
    device = next(iter(tensors.values())).device if tensors else torch.device("cpu")
    value: Tensor = evaluate(expression.tree, tensors, _Tensors(device))
    return value


class _Tensors:
    """Compute in PyTorch on one device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def constant(self, value: float | bool) -> Tensor:
        dtype = torch.bool if isinstance(value, bool) else torch.float64
        return torch.tensor(value, dtype=dtype, device=self._device)

    def call(self, function: str, arguments: list[Any]) -> Tensor:
        return _FUNCTIONS[function](*arguments)


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


class _Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        limit = elementary.EXP_LIMIT
        r, power = _reduced(torch.clamp(x, -limit, limit))
        ctx.save_for_backward(x)
        return _polynomial(r, elementary.EXP_TERMS) * power

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return torch.where(x.abs() > elementary.EXP_LIMIT, 0.0, gradient * _exp(x))


class _Log(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
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

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient / x


class _Sqrt(torch.autograd.Function):
    """Round the root as IEEE 754 does; PyTorch's own, of MKL, is off by a bit now and then."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        if x.device.type != "cpu":
            return torch.sqrt(x)
        with np.errstate(invalid="ignore"):
            return torch.from_numpy(np.asarray(np.sqrt(x.detach().numpy())))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient / (2.0 * _sqrt(x))


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        r, power = _reduced(2.0 * torch.clamp(x.abs(), max=elementary.TANH_LIMIT))
        less_one = r * _polynomial(r, elementary.EXP_TERMS[1:]) * power + (power - 1.0)
        return torch.copysign(less_one / (less_one + 2.0), x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        value = _tanh(x)
        return gradient * ((1.0 - value) * (1.0 + value))


def _exp(x: Tensor) -> Tensor:
    return _Exp.apply(x)  # type: ignore[no-untyped-call, no-any-return]


def _log(x: Tensor) -> Tensor:
    return _Log.apply(x)  # type: ignore[no-untyped-call, no-any-return]


def _sqrt(x: Tensor) -> Tensor:
    return _Sqrt.apply(x)  # type: ignore[no-untyped-call, no-any-return]


def _tanh(x: Tensor) -> Tensor:
    return _Tanh.apply(x)  # type: ignore[no-untyped-call, no-any-return]


def _minimum(a: Tensor, b: Tensor) -> Tensor:
    return torch.where((b < a) | (b != b), b, a)


def _maximum(a: Tensor, b: Tensor) -> Tensor:
    return torch.where((b > a) | (b != b), b, a)


def _sign(x: Tensor) -> Tensor:
    return torch.where(x > 0.0, 1.0, torch.where(x < 0.0, -1.0, torch.where(x == 0.0, 0.0, x)))


_FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "abs": torch.abs,
    "clip": lambda x, low, high: _minimum(_maximum(x, low), high),
    "exp": _exp,
    "floor": torch.floor,
    "log": _log,
    "max": _maximum,
    "min": _minimum,
    "sigmoid": lambda x: 1.0 / (1.0 + _exp(-x)),
    "sign": _sign,
    "sqrt": _sqrt,
    "tanh": _tanh,
    "trunc": torch.trunc,
    "where": torch.where,
}
