"""Run populations in Loihi's integers, which float64 holds exactly, and train them.

See `neurorl.arithmetic.quantiser`. In the backward pass, rounding and overflow count as the
identity, and values beyond a range have no gradient (straight-through: Bengio et al. 2013,
arXiv:1308.3432): quantisation-aware training.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorl.arithmetic.quantiser import CURRENT_BITS, VOLTAGE_MAX, ChipPopulation
from neurorl.arithmetic.rounding import Rounding
from neurorl.backends.torch.cells import Cells
from neurorl.backends.torch.noise import logistic
from neurorl.backends.torch.state import Carried
from neurorl.network.integrator import Integrator

__all__ = ["ChipCells", "bias_integers", "quanta", "truncated"]

_STATE_BITS = 23
_BIAS_MANTISSA, _BIAS_EXPONENTS = 4095, 7


class ChipCells(Cells):
    """Run a population in the chip's integers; arguments as in `Cells`."""

    registers = (float(1 << CURRENT_BITS), float(1 << _STATE_BITS), float(VOLTAGE_MAX))

    def __init__(self, chip: ChipPopulation, surrogate_width: float, **options: Any) -> None:
        """Take integers from *chip*; *surrogate_width* is in the description's units."""
        factors = Integrator(
            current_decay=np.asarray((4095 - chip.current_decay) / 4096, dtype=np.float64),
            membrane_decay=np.asarray((4096 - chip.voltage_decay) / 4096, dtype=np.float64),
            threshold=chip.threshold.astype(np.float64),
            bias=chip.bias.astype(np.float64),
            noise_width=chip.noise_width,
            refractory_steps=chip.refractory - 1,
        )
        width = surrogate_width * chip.unit
        super().__init__(factors, torch.float64, width, **options)

    def rounded_bias(self, bias: Tensor) -> Tensor:
        """Return the nearest biases that the chip can represent."""
        return bias_integers(bias)

    def jitter(self, noise: Tensor | None) -> Tensor | None:
        """Return the noise ``w L``, rounded to integers; None without noise."""
        if noise is None:
            return None
        if noise.dtype == torch.int16:
            noise = logistic(noise, self.bias.dtype)
        return torch.floor(self.noise_width * noise + 0.5)

    def _logits(self, v: Tensor) -> Tensor:
        """Return logits of ``w L + 1/2 >= threshold - v + 1``, as noise is rounded."""
        return (v - self.threshold - 0.5) / self.width

    def _integrate(
        self, q: Tensor, bias: Tensor, carried: Carried
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return current, membrane and a mask of neurons alive, in the order of
        `neurorl.arithmetic.quantiser`.
        """
        left = truncated(self.current_decay * carried.u)
        u = _wrapped(left + _wrapped(q, CURRENT_BITS), _STATE_BITS)
        left = truncated(self.membrane_decay * carried.v)
        v = left + _wrapped(u + bias, _STATE_BITS)
        return self._alive(u, torch.clamp(v, -VOLTAGE_MAX, VOLTAGE_MAX), carried)


def quanta(weight: Tensor, rounding: Rounding) -> Tensor:
    """Return *weight* in whole numbers of ``rounding.unit``, as `Rounding.round` rounds it."""
    scaled = weight * rounding.inverse
    return torch.clamp(_through(scaled, torch.round(scaled)), -rounding.limit, rounding.limit)


def bias_integers(bias: Tensor) -> Tensor:
    """Round as `neurorl.arithmetic.quantiser.bias_integers`, with straight-through gradients."""
    with torch.no_grad():
        size = bias.abs()
        exponent = torch.zeros_like(bias)
        for e in range(_BIAS_EXPONENTS):
            exponent += torch.round(size / 2**e) > _BIAS_MANTISSA
        step = 2.0**exponent
    mantissa = _through(bias / step, torch.round(bias / step))
    return torch.clamp(mantissa, -_BIAS_MANTISSA, _BIAS_MANTISSA) * step


def truncated(x: Tensor) -> Tensor:
    """Round *x* towards zero, with straight-through gradients."""
    return _through(x, torch.trunc(x))


def _wrapped(x: Tensor, bits: int) -> Tensor:
    """Wrap *x* to a register of *bits* bits and a sign, with straight-through gradients."""
    half = float(1 << bits)
    return _through(x, torch.remainder(x + half, 2.0 * half) - half)


def _through(x: Tensor, value: Tensor) -> Tensor:
    """Return *value*, with the gradient of *x*."""
    if not (torch.is_grad_enabled() and x.requires_grad):
        return value
    passed: Tensor = _Through.apply(x, value)  # type: ignore[no-untyped-call]
    return passed


class _Through(torch.autograd.Function):
    """Pass *value* forward and the gradient to *x* back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        """Return *value*."""
        return value.detach().clone()

    @staticmethod
    def backward(ctx: Any, *gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient by *x*; *value* gets none."""
        return gradient[0], None
