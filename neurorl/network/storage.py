"""Keep the description of a network in a file: data only, lists and weights as arrays."""

from __future__ import annotations

import json
import os
from pathlib import Path

from neurorl.errors import ArgumentError, DescriptionError, quoted
from neurorl.network.description import Network
from neurorl.network.serialization import arrays_apart
from neurorl.numerics.arrays import Array
from neurorl.storage import archive
from neurorl.storage.files import write_bytes
from neurorl.storage.reading import FilePlace, parse_json

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
