"""Input spikes of many environments at once, as tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.encoders import constant_currents
from neurorl.numerics.arrays import FloatArray


def draws_shape(config: AgentConfig) -> tuple[int, ...]:
    """Return the shape of the uniform draws that the spikes of one observation need."""
    return config.encoder.draws(config.window), config.cells.size


def encode(config: AgentConfig, flat: FloatArray, u: Tensor) -> Tensor:
    """Return what source ``input`` gets of observations, as the encoder defines it.

    flat: ``(n, n_inputs)``. u: ``(n, *draws_shape)``, in (0, 1). Returns spikes ``(window, n,
    cells)``, or the currents ``(n, cells)``; float32.
    """
    x, encoder = config.encoder.peak * config.cells.of_all(flat), config.encoder
    if encoder.kernel in _IN_TORCH:
        return _IN_TORCH[encoder.kernel](x, u, config.window)
    rows = zip(x, u.double().numpy(), strict=True)
    made = np.array([encoder.encode(*row, config.window) for row in rows], dtype=np.float32)
    return torch.from_numpy(made if encoder.flows else made.swapaxes(0, 1))


def _current(x: FloatArray, u: Tensor, window: int) -> Tensor:
    return torch.from_numpy(constant_currents(x)).float()


def _quiet(x: FloatArray, u: Tensor, window: int) -> Tensor:
    steps = torch.arange(window + 1, dtype=torch.float32)[:, None, None]
    level = torch.floor(u[:, 0] + steps * torch.from_numpy(x).float())
    return (level[1:] > level[:-1]).float()


def _bernoulli(x: FloatArray, u: Tensor, window: int) -> Tensor:
    return (u.transpose(0, 1) < torch.from_numpy(x).float()).float()


_IN_TORCH: dict[str | None, Callable[[FloatArray, Tensor, int], Tensor]] = {
    "current": _current,
    "quiet": _quiet,
    "bernoulli": _bernoulli,
}
