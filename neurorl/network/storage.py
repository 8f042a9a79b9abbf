"""Keep the description of a network in a file: data only, lists and weights as arrays."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np

from neurorl.errors import ArgumentError, DescriptionError, RunError, quoted
from neurorl.network.description import Network
from neurorl.network.serialization import arrays_apart
from neurorl.numerics.arrays import Array
from neurorl.storage import archive
from neurorl.storage.files import write_bytes
from neurorl.storage.reading import JSON_MEMORY, FilePlace, json_memory, parse_json

__all__ = ["load_network", "save_network"]

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
    size = len(text) + sum(array.nbytes for array in arrays.values())
    for what, got, limit in (
        ("too large", size, archive.LARGEST_FILE - 2**20),  # room for the archive's headers
        ("has too large a description", json_memory(text), JSON_MEMORY),
    ):
        if got > limit:
            raise RunError(f"network {path}", what, got=f"{got} bytes", limit=limit)
    described = {_DESCRIPTION: np.frombuffer(text, dtype=np.uint8)}
    write_bytes(Path(path), archive.packed(described | arrays), "network")


def load_network(path: str | os.PathLike[str]) -> Network:
    """Return the network of a file, exactly as it was saved.

    Raises RunError if it is missing, damaged or no network, DescriptionError for its contents.
    """
    place = FilePlace(f"network {path}")
    data = archive.read_signed(Path(path), place, "save it again")
    try:
        arrays = archive.read_arrays(data)
        del data
        text = arrays.pop(_DESCRIPTION)
        if text.dtype != np.uint8 or text.ndim != 1:
            raise ValueError("no text for a description")
    except (KeyError, ValueError, zipfile.BadZipFile) as exc:
        raise place.wrong("is not a network's", exc) from exc
    described = parse_json(text.tobytes(), place)
    try:
        with arrays_apart(arrays):
            return Network.from_dict(described)
    except DescriptionError as exc:
        raise DescriptionError(f"{place.where}: {exc}") from exc
