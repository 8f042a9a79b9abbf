"""Load a compiled network as a shared library, with its arrays as NumPy views."""

from __future__ import annotations

import _ctypes
import ctypes
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.window import Raster
from neurorl.errors import BackendError
from neurorl.native.cache import load_copy
from neurorl.numerics.random import LOGISTIC_TABLE

__all__ = ["Library", "Rasters", "places"]


class Library:
    """Load a private copy of a library, with memory of its own.

    It is unloaded when this object and all of its views are gone.

    folder: the folder of `neurorl.backends.brian2.cache`.
    code: the contents of the library's file.
    arrays: the contents of its ``arrays.json``.

    advance, reset_replica: functions of ``templates/main.cpp``.
    """

    def __init__(self, folder: Path, code: bytes, arrays: list[list[Any]]) -> None:
        self._library = _load(folder, code)
        self.advance = self._library.neurorl_advance
        self.advance.argtypes = [ctypes.c_int, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
        self.advance.restype = None
        self.reset_replica = self._library.neurorl_reset_replica
        self.reset_replica.argtypes = [ctypes.c_int64, ctypes.c_int64]
        self.reset_replica.restype = None
        self._library.neurorl_array.restype = ctypes.c_void_p
        table = ctypes.c_void_p(LOGISTIC_TABLE.__array_interface__["data"][0])
        self._library.neurorl_setup(table)
        weakref.finalize(self, _unload, self._library).atexit = False
        self._views = {
            (owner, name): self._view(k, np.dtype(dtype), size)
            for k, (owner, name, dtype, size) in enumerate(arrays)
        }

    def array(self, owner: str, name: str) -> npt.NDArray[Any]:
        """Return a variable's memory by its Brian2 object's name; it keeps the library loaded."""
        address, dtype, size = self._views[owner, name]
        memory = (ctypes.c_char * (size * dtype.itemsize)).from_address(address)
        memory._owner = self  # type: ignore[attr-defined]
        view: npt.NDArray[Any] = np.frombuffer(memory, dtype=dtype)  # type: ignore[call-overload]
        return view

    def names(self, owner: str) -> list[str]:
        """Return the names of a Brian2 object's variables."""
        return [name for this, name in self._views if this == owner]

    def _view(self, k: int, dtype: np.dtype[Any], size: int) -> tuple[int, np.dtype[Any], int]:
        """Return the address, dtype and size of array number *k*."""
        return self._library.neurorl_array(k), dtype, size


def _load(folder: Path, code: bytes) -> ctypes.CDLL:
    """Load the library from a private copy of its file."""
    try:
        return load_copy(code, folder)
    except OSError as exc:
        raise BackendError("engine 'compiled'", "can't load", got=exc) from exc


def _unload(library: ctypes.CDLL) -> None:
    """Free the library's arrays and unload it."""
    library.neurorl_free()
    _ctypes.dlclose(library._handle)


class Rasters:
    """Hold buffers for the rasters of some nodes, as long as the longest window so far.

    They stay in place until a longer window is reserved.

    sizes: sizes of the nodes, 0 for a node without a raster.

    pointers: addresses of all buffers, for C.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._length = 0
        self.buffers: list[Raster] = []
        self.pointers = ctypes.c_void_p()
        self.reserve(16)

    def reserve(self, n_steps: int) -> None:
        """Make room for windows of *n_steps*."""
        if n_steps <= self._length:
            return
        self._length = n_steps
        self.buffers = [np.empty((n_steps, size), dtype=np.bool_) for size in self._sizes]
        self._places = places(self.buffers)
        self.pointers = ctypes.c_void_p(ctypes.addressof(self._places))


def places(buffers: Sequence[Raster]) -> ctypes.Array[ctypes.c_void_p]:
    """Return pointers to rasters for C, NULL for an empty one; keep both while C uses them."""
    addresses = [b.__array_interface__["data"][0] if b.size else None for b in buffers]
    return (ctypes.c_void_p * len(addresses))(*addresses)
