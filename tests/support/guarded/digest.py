"""Digest arrays, so that a changed bit is seen and named."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

Digests = dict[str, str]
"""Map the name of what a case computes to its digest."""

_DIGITS = 12


def digested(computed: Mapping[str, Any]) -> Digests:
    """Return the digest of each array: of its kind of number, its shape and its values.

    Whether a zero is negative doesn't count; integers and flags have the same digest whatever
    their size in memory.
    """
    return {name: _digest(np.asarray(array)) for name, array in sorted(computed.items())}


def _digest(array: np.ndarray[Any, Any]) -> str:
    kind, dtype = ("number", np.float64) if array.dtype.kind == "f" else ("integer", np.int64)
    values = np.ascontiguousarray(array, dtype=dtype) + dtype(0)
    whole = hashlib.sha256(f"{kind} {array.shape}".encode())
    whole.update(values.astype(values.dtype.newbyteorder("<")).tobytes())
    return whole.hexdigest()[:_DIGITS]
