"""Weights as the chip holds them, for training that knows of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from neurorl.arithmetic import Arithmetic, Rounding
from neurorl.backends.torch import SpikingModule

__all__ = ["Rounded", "round_weights"]


class Rounded(nn.Module):
    """``clip(rint(w / unit), -limit, limit) unit`` forward, the identity backward.

    Source: the straight-through estimator of quantisation-aware training, Jacob et al. 2018
    (arXiv:1712.05877).
    """

    def __init__(self, rounding: Rounding) -> None:
        super().__init__()
        self._rounding = rounding

    def forward(self, w: Tensor) -> Tensor:
        r = self._rounding
        rounded = torch.round(w.detach() * r.inverse).clamp(-r.limit, r.limit) * r.unit
        return w + (rounded - w.detach())


def round_weights(module: SpikingModule, arithmetic: Arithmetic) -> None:
    """Let *module* compute with the weights in force in a coarse arithmetic; floats still learn."""
    if arithmetic.is_fine:
        return
    for name, synapses in module.synapses.items():
        rounded = Rounded(arithmetic.rounding(name))
        parametrize.register_parametrization(synapses, "weight", rounded)
