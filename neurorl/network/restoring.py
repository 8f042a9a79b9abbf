"""Keep networks in files, data only; check the arrays of a checkpoint against what is expected.

A checkpoint with a correct digest may still belong to another agent, or be made to do harm.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from neurorl.errors import ArgumentError, DescriptionError, RunError, quoted
from neurorl.network.description import Network
from neurorl.network.serialization import LARGEST, arrays_apart
from neurorl.numerics.arrays import Array, IntArray
from neurorl.storage import archive
from neurorl.storage.files import write_bytes
from neurorl.storage.reading import FilePlace, parse_json

MOST_STEPS = 2**48
"""Limit the steps, decisions or episodes that a state counts: thousands of years, far from
overflow."""

_MOST_SHOWN = float(np.finfo(np.float64).max)
_KINDS = {"float": "f", "whole": "iu", "bool": "b"}


def take(
    state: Mapping[str, Array],
    name: str,
    shape: tuple[int | None, ...],
    kind: str = "float",
    low: float = -LARGEST,
    high: float = LARGEST,
    *,
    may_be_nan: bool = False,
) -> Array:
    """Return the array of this name.

    shape: the expected shape, None where any length will do. kind: ``'float'``, ``'whole'`` or
    ``'bool'``. low, high: limits of all its numbers, which must be finite; may_be_nan: allows NaN.
    Raises RunError if it is missing or differs.
    """
    if name not in state:
        raise RunError(name, "is missing")
    array = state[name]
    if array.dtype.kind not in _KINDS[kind]:
        raise RunError(name, "of another kind", got=array.dtype, limit=kind)
    if len(shape) != array.ndim or any(
        n not in (None, length) for n, length in zip(shape, array.shape, strict=True)
    ):
        axes = tuple("any" if n is None else n for n in shape)
        raise RunError(name, "another shape", got=array.shape, limit=axes)
    numbers = array[~np.isnan(array)] if may_be_nan else array
    if kind != "bool" and numbers.size:
        least, most = float(numbers.min()), float(numbers.max())
        if not (least >= low and most <= high):
            raise RunError(name, "out of range, or not a number", limit=f"{low:g} to {high:g}")
    return array


def take_shown(
    state: Mapping[str, Array],
    name: str,
    shape: tuple[int | None, ...],
    kind: str = "float",
    *,
    may_be_nan: bool = False,
) -> Array:
    """Return what an environment showed or paid, or what follows from that, as `take` does.

    Any finite numbers are allowed.
    """
    return take(state, name, shape, kind, -_MOST_SHOWN, _MOST_SHOWN, may_be_nan=may_be_nan)


def take_count(state: Mapping[str, Array], name: str, most: int = MOST_STEPS) -> int:
    """Return the one whole number of this name, 0 to *most*. Raises RunError."""
    return int(take(state, name, (), "whole", 0, most))


def take_counts(state: Mapping[str, Array], name: str, n: int | None, least: int = 0) -> IntArray:
    """Return the *n* whole numbers of this name, which may be held as floats. Raises RunError."""
    array = state.get(name, np.zeros(0))
    kind = "float" if array.dtype.kind == "f" else "whole"
    counts = take(state, name, (n,), kind, least, MOST_STEPS)
    if (counts != np.floor(counts)).any():
        raise RunError(name, "not whole numbers")
    return counts.astype(np.int64)


_DESCRIPTION = "network.json"


def save_network(path: str | os.PathLike[str], network: Network) -> None:
    """Write a description to an npz, atomically; equal networks have equal files.

    Raises RunError if the system refuses, or for a network too large to be read again.
    """
    if not isinstance(network, Network):
        raise ArgumentError("save_network", "not a Network", got=quoted(network))
    arrays: dict[str, Array] = {}
    with arrays_apart(arrays):
        text = json.dumps(network.to_dict(), allow_nan=False).encode()
    content = archive.packed_with(text, arrays, _DESCRIPTION, f"network {path}")
    write_bytes(Path(path), content, "network")


def load_network(path: str | os.PathLike[str]) -> Network:
    """Return the network of a file, exactly as it was saved.

    Raises RunError if it is missing, damaged or no network, DescriptionError for its contents.
    """
    place = FilePlace(f"network {path}")
    data = archive.read_signed(Path(path), place, "save it again")
    text, arrays = archive.read_with(data, _DESCRIPTION, place, "is not a network's")
    del data
    described = parse_json(text, place)
    try:
        with arrays_apart(arrays):
            return Network.from_dict(described)
    except DescriptionError as exc:
        raise DescriptionError(f"{place.where}: {exc}") from exc
