"""Hold the arrays that printed code reads and writes, in memory that begins at cache lines."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping

import numpy as np

from neurorl.numerics.arrays import Array

__all__ = ["Table", "allocate"]

_CPP = {"f8": "double", "i8": "int64_t", "i4": "int32_t", "u4": "uint32_t", "u1": "uint8_t"}
_LINE, _HUGE = 64, 2 << 20  # bytes
_MADV_HUGEPAGE = 14


class Table:
    """List arrays by name, with the dtype and size of each, in the order of their addresses."""

    def __init__(self) -> None:
        self._arrays: dict[str, tuple[str, int]] = {}

    def add(self, name: str, dtype: str, size: int) -> str:
        """Add an array unless it is there, and return its name."""
        self._arrays.setdefault(name, (dtype, size))
        return name

    def declarations(self) -> Iterator[str]:
        """Yield the C++ that gives each array its name."""
        for k, (name, (dtype, _)) in enumerate(self._arrays.items()):
            cpp = _CPP[dtype]
            yield f"{cpp} *__restrict const {name} = ({cpp} *)at[{k}];"

    def allocated(self, own: Mapping[str, Array]) -> dict[str, Array]:
        """Return the arrays by name, all 0 but those of the caller's own."""
        return {
            name: own[name] if name in own else allocate(size, dtype)
            for name, (dtype, size) in self._arrays.items()
        }


def allocate(size: int, dtype: str) -> Array:
    """Return an array of zeros.

    It begins at a line of the cache: a vector that straddles two lines costs twice as much. A large
    one gets huge pages where the system has them: of others, the processor holds too few addresses.
    """
    n_bytes = size * np.dtype(dtype).itemsize
    unit = _HUGE if n_bytes >= 2 * _HUGE else _LINE
    raw = np.zeros(n_bytes + unit, np.uint8)
    first = -raw.ctypes.data % unit
    if unit == _HUGE and (advise := getattr(ctypes.CDLL(None), "madvise", None)) is not None:
        length = ctypes.c_size_t(n_bytes // unit * unit)
        advise(ctypes.c_void_p(raw.ctypes.data + first), length, _MADV_HUGEPAGE)
    return raw[first : first + n_bytes].view(dtype)
