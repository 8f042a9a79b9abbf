"""Set how the C library treats the memory of large tensors."""

from __future__ import annotations

import ctypes
import sys

__all__ = ["keep_freed_memory"]

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt, from glibc's malloc.h
_LARGEST_MMAP = 2**25
_NEVER = 2**31 - 1


def keep_freed_memory() -> bool:
    """Let this process keep the memory that its tensors free, for later tensors.

    glibc gives blocks above some 100 kB back to the system and gets them again, page by page, in
    every window. To be called once by a program that trains for long; it acts on the whole process.
    Returns whether the setting was made; only glibc has it.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return bool(mallopt(_TRIM_THRESHOLD, _NEVER) and mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP))
