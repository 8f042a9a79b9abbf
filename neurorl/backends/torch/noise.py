"""Make standard logistic draws as tensors."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from neurorl.numerics.random import LOGISTIC_BITS, LOGISTIC_TABLE

_WORDS = 4  # draws made from one number of 64 bits


@functools.cache
def _table(dtype: torch.dtype, device: torch.device) -> Tensor:
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
    table = _table(dtype, words.device)
    return table.index_select(0, words.flatten().int()).view(words.shape)
