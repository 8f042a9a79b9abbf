"""Name the kinds of arrays that functions take and return, and make such as C reads quickly."""

from __future__ import annotations

import mmap
import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
"""Represent an array of numbers or booleans of any type."""

FloatArray = npt.NDArray[np.float64]
"""Represent an array of float64."""

BoolArray = npt.NDArray[np.bool_]
"""Represent an array of truth values."""

IntArray = npt.NDArray[np.int64]
"""Represent an array of whole numbers."""

Int32Array = npt.NDArray[np.int32]
"""Represent an array of whole numbers of 32 bits, such as registers of a chip."""

LINE = 64
"""Number the bytes of a line of the cache."""
HUGE_PAGE = 2**21
"""Number the bytes of a huge page of memory."""
_LARGE = 2 * HUGE_PAGE


def carry_newest(old: Array, to: Array) -> None:
    """Write the last rows of *old* to the last of *to*, as many as both have."""
    n = min(len(old), len(to))
    to[len(to) - n :] = old[len(old) - n :]


def zeros_on_lines(shape: tuple[int, ...], kind: npt.DTypeLike) -> Array:
    """Return zeros that begin at a line of the cache, which C reads and writes twice as fast.

    Large arrays take huge pages where Linux has them: the processor holds addresses of too few
    small ones, and looks for those of others all the time. NumPy asks for huge pages too, but in
    vain where it is given memory that was in use before.
    """
    dtype = np.dtype(kind)
    size = int(np.prod(shape)) * dtype.itemsize
    whole, step = (_huge(size), HUGE_PAGE) if size >= _LARGE else (None, LINE)
    if whole is None:
        whole, step = np.zeros(size + LINE, dtype=np.uint8), LINE
    first = -whole.__array_interface__["data"][0] % step
    # NumPy doesn't move an empty slice to where it begins, so that it is cut from the end.
    return whole[first:][:size].view(dtype).reshape(shape)


def _huge(size: int) -> npt.NDArray[np.uint8] | None:
    """Return *size* bytes of zeros and a huge page more, or None where they can't be had."""
    if sys.platform != "linux":
        return None
    try:
        memory = mmap.mmap(-1, size + HUGE_PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:
        return None
    return np.frombuffer(memory, dtype=np.uint8)
