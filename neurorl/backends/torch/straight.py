"""Round with gradients that go straight through, as if nothing were rounded.

Values beyond a range have no gradient (Bengio et al. 2013, arXiv:1308.3432): training with the
chip's integers is quantisation-aware.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from neurorl.arithmetic.rounding import Rounding

__all__ = ["CHIP", "RELEASE", "bias_integers", "in_quanta", "truncated"]

_BIAS_MANTISSA, _BIAS_EXPONENTS = 4095, 7


def in_quanta(weight: Tensor, rounding: Rounding) -> Tensor:
    """Return *weight* in whole numbers of ``rounding.unit``, as `Rounding.round` rounds it."""
    return torch.clamp(
        _through(weight * rounding.inverse, torch.round), -rounding.limit, rounding.limit
    )


def bias_integers(bias: Tensor) -> Tensor:
    """Round as `neurorl.arithmetic.quantiser.bias_integers`."""
    with torch.no_grad():
        size = bias.abs()
        exponent = torch.zeros_like(bias)
        for e in range(_BIAS_EXPONENTS):
            exponent += torch.round(size / 2**e) > _BIAS_MANTISSA
        step = 2.0**exponent
    return torch.clamp(_through(bias / step, torch.round), -_BIAS_MANTISSA, _BIAS_MANTISSA) * step


def truncated(x: Tensor) -> Tensor:
    """Round *x* towards zero."""
    return _through(x, torch.trunc)


def _through(x: Tensor, rounding: Callable[[Tensor], Tensor]) -> Tensor:
    """Return what *rounding* makes of *x*, with the gradient of *x*; exact below 2**52."""
    rounded = rounding(x.detach())
    return x + (rounded - x.detach()) if torch.is_grad_enabled() and x.requires_grad else rounded


CHIP: Mapping[str, Callable[..., Tensor]] = {
    "clip": lambda x, low, high: torch.clamp(x, float(low), float(high)),
    "floor": lambda x: torch.floor(x.detach()),
    "trunc": truncated,
}
"""Map functions in the statements of a chip's integers to those with their gradients."""

RELEASE: Mapping[str, Callable[..., Tensor]] = {"floor": lambda x: _through(x, torch.floor)}
"""Map the same in what a spike releases, which is rounded to a grid."""
