"""Input spikes of many environments at once, as tensors."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorl.models.config import AgentConfig
from neurorl.models.encoders import constant_currents
from neurorl.network.serialization import FloatArray

__all__ = ["draws_shape", "encode"]


def draws_shape(config: AgentConfig) -> tuple[int, ...]:
    """Of the uniform draws that the spikes of one observation need."""
    if config.encoder == "current":
        return (0,)
    quiet = config.encoder == "quiet"
    return (config.cells.size,) if quiet else (config.window, config.cells.size)


def encode(config: AgentConfig, flat: FloatArray, u: Tensor) -> Tensor:
    """What source ``input`` gets of observations: see `neurorl.models.encoders`, which is the
    definition.

    flat: ``(n, n_inputs)``. u: ``(n, *draws_shape)``, in (0, 1). Returns spikes ``(window, n,
    cells)``, or the currents ``(n, cells)``; float32.
    """
    x = config.peak * config.cells.of_all(flat)
    if config.encoder == "current":
        return torch.from_numpy(constant_currents(x)).float()
    activation = torch.from_numpy(x).float()
    if config.encoder == "quiet":
        steps = torch.arange(config.window + 1, dtype=torch.float32)[:, None, None]
        level = torch.floor(u + steps * activation)
        return (level[1:] > level[:-1]).float()
    return (u.transpose(0, 1) < activation).float()
