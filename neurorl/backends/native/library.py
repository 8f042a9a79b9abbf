"""Compile printed networks, and load each once for a process."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

from neurorl.native import SOURCES
from neurorl.native.build import CppSource, compiled

__all__ = ["library_of"]

_FOLDERS = (SOURCES, Path(__file__).parent / "src")
_WHERE, _REMEDY = "backend native", "take backend='reference'"


@functools.cache
def library_of(source: str) -> ctypes.CDLL:
    """Return the library of printed code, whose function is ``neurorl_advance``; it stays loaded.

    Raises BackendError if it doesn't compile.
    """
    kernels = _kernels()
    loaded = compiled(CppSource(source, _FOLDERS), _WHERE, _REMEDY)
    for name in ("neurorl_list_spikes", "neurorl_draw_rows"):
        address = ctypes.cast(getattr(kernels, name), ctypes.c_void_p).value
        ctypes.c_void_p.in_dll(loaded, name).value = address
    pointers = [ctypes.c_void_p, ctypes.c_void_p]
    loaded.neurorl_advance.argtypes = [ctypes.c_int, ctypes.c_int64, *pointers]
    loaded.neurorl_advance.restype = None
    return loaded


@functools.cache
def _kernels() -> ctypes.CDLL:
    return compiled(CppSource('#include "engine.cpp"', _FOLDERS), _WHERE, _REMEDY)
