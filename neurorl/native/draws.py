"""Make the draws of `neurorl.numerics.random` in C++."""

from __future__ import annotations

import ctypes

import numpy as np

from neurorl.native.build import library
from neurorl.native.structures import pointer
from neurorl.numerics.random import U32

__all__ = ["quick_words"]


def quick_words(seed: int, stream: int, n: int, first_step: int, n_steps: int) -> U32:
    """Return what `neurorl.numerics.random.words` does, about ten times as quick."""
    first_block, end_block = first_step >> 2, (first_step + n_steps + 3) >> 2
    rows = np.empty((4 * (end_block - first_block), n), dtype=np.uint32)
    numbers = (seed, stream, n, first_block, end_block - first_block)
    library().neurorl_draw_blocks(*map(ctypes.c_int64, numbers), ctypes.c_void_p(pointer(rows)))
    start = first_step - 4 * first_block
    return rows[start : start + n_steps]
