"""Make standard logistic draws as tensors."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neurorl.numerics.random import LOGISTIC_BITS, LOGISTIC_TABLE, DrawRows

__all__ = ["SharedNoise", "draw_words", "logistic", "logistic_table"]

_WORDS = 4  # draws made from one number of 64 bits


@functools.cache
def logistic_table(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return `neurorl.numerics.random.LOGISTIC_TABLE` as a tensor."""
    return torch.tensor(LOGISTIC_TABLE, dtype=dtype, device=device)


def draw_words(
    shape: Sequence[int], generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """Return indices into the table, all equally likely: int16 of this shape.

    generator: None for torch's own.

    Of each 16 bits drawn 14 are used: four draws cost what one would cost by a logarithm.
    """
    n = math.prod(shape)
    drawn = torch.empty(-(-n // _WORDS), dtype=torch.int64, device=device)
    drawn.random_(generator=generator)  # 63 bits; the missing one is among those cut off
    return drawn.view(torch.int16)[:n].bitwise_and_(2**LOGISTIC_BITS - 1).view(*shape)


def logistic(words: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the draws that *words* encode, with the distribution that every simulator has."""
    table = logistic_table(dtype, words.device)
    return table.index_select(0, words.flatten().int()).view(words.shape)


class SharedNoise:
    """Draw one population's noise in all replicas, as every backend does.

    rows: the draws of each replica.
    """

    def __init__(self, rows: Sequence[DrawRows]) -> None:
        self._rows = rows

    def __call__(self, steps: Sequence[int], n_steps: int) -> Tensor:
        """Return draws ``(n_replicas, n_steps, 1, size)``, replica k from ``steps[k]`` on."""
        drawn = [
            [rows(first + t) for t in range(n_steps)]
            for rows, first in zip(self._rows, steps, strict=True)
        ]
        return torch.from_numpy(np.array(drawn)[:, :, None])
