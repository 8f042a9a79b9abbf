"""Standard logistic draws as tensors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neurorl.random import LOGISTIC_BITS, LOGISTIC_TABLE, NoiseRows

__all__ = ["LogisticNoise", "SharedNoise"]


_WORDS = 4  # draws from 64 bits


class LogisticNoise(torch.nn.Module):
    """Draws of a `torch.Generator`, of the distribution that every simulator has.

    They are entries of `neurorl.random.LOGISTIC_TABLE`, by 14 of each 16 bits: four draws cost what
    one costs by a logarithm.
    """

    table: Tensor

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.register_buffer("table", torch.tensor(LOGISTIC_TABLE, dtype=dtype), persistent=False)

    def forward(self, shape: Sequence[int], generator: torch.Generator | None = None) -> Tensor:
        """Draws of this shape; generator: None for torch's own."""
        n = math.prod(shape)
        drawn = torch.empty(-(-n // _WORDS), dtype=torch.int64, device=self.table.device)
        drawn.random_(generator=generator)  # 63 bits: the last word lacks one, of those cut off
        words = drawn.view(torch.int16)[:n].to(torch.int32).bitwise_and_(2**LOGISTIC_BITS - 1)
        return self.table.index_select(0, words).view(*shape)


class SharedNoise:
    """The draws of `neurorl.random` for one population in replicas, as every backend has them."""

    def __init__(self, seeds: Sequence[int], stream: int, size: int) -> None:
        self._rows = [NoiseRows(seed, stream, size) for seed in seeds]

    def __call__(self, steps: Sequence[int], n_steps: int) -> Tensor:
        """``(n_steps, n_replicas, 1, size)`` from step ``steps[k]`` of replica k on."""
        drawn = [
            np.stack([rows(first + t) for t in range(n_steps)])
            for rows, first in zip(self._rows, steps, strict=True)
        ]
        return torch.from_numpy(np.stack(drawn, axis=1)[:, :, None])
