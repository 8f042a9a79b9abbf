"""Keep an agent in one file: arrays and a description, no pickle, all under a digest.

The file is an ordinary npz; the archive's comment holds the SHA-256 of all bytes before it. The
file holds no clock times, so that equal runs have equal files: the same command with the same seed
gives the same `digest` at another time, in another folder, and after it was killed.

The digest detects damage, not malice: so all contents are checked before use, and take no more
memory than the file is long.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neurorl.agents.algorithms import ALGORITHMS, LOCAL
from neurorl.numerics.arrays import Array
from neurorl.storage import archive
from neurorl.storage.files import write_bytes
from neurorl.storage.reading import FilePlace, check_fields, parse_json

FORMAT = 1
_DESCRIPTION = "description.json"
_REQUIRED = {
    "backend": str,
    "arithmetic": str,
    "seed": int,
    "config": dict,
}
# Its environment is checked by `neurorl.tasks.loading`.
_OPTIONAL = {"approach": str, "noise": str, "gradient": dict | None}


def checkpoint_in(run: Path) -> Path:
    """Return the checkpoint of a run directory; the zoo's are compressed."""
    path = run / "checkpoint.npz"
    small = path.with_name(path.name + archive.COMPRESSED)
    return small if small.exists() and not path.exists() else path


def write_checkpoint(path: Path, description: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Write *description* (plain data) and *arrays* to *path*, atomically. Raises RunError."""
    write_bytes(path, packed(description, arrays), "checkpoint")


def packed(description: dict[str, Any], arrays: dict[str, Array]) -> bytes:
    """Return the file of *description* (plain data) and *arrays*; equal data give equal bytes.

    Raises RunError for data too large to be read again.
    """
    text = json.dumps({"format": FORMAT, **description}, allow_nan=False).encode()
    return packed_text(text, arrays)


def packed_text(text: bytes, arrays: dict[str, Array]) -> bytes:
    """Return the file of a description's *text* and *arrays*; RunError as `packed`."""
    return archive.packed_with(text, arrays, _DESCRIPTION, "checkpoint")


def digest(path: Path) -> str:
    """Return the SHA-256 that signs a checkpoint or an agent's file, in hexadecimal.

    Two runs have the same digest if and only if they are of one kind and have learned the same:
    every weight, trace and episode, bit for bit. Raises RunError if the file is missing or damaged.
    """
    return _whole(path)[-archive.DIGEST :].decode()


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """Read the description and arrays of a file. Raises RunError if it is damaged."""
    text, arrays = read_text(path)
    place = FilePlace(f"checkpoint {path}")
    return _checked(place, parse_json(text, place)), arrays


def read_text(path: Path) -> tuple[bytes, dict[str, Array]]:
    """Read a file's description, as text, and its arrays. Raises RunError if it is damaged."""
    place = FilePlace(f"checkpoint {path}")
    return archive.read_with(_whole(path), _DESCRIPTION, place, "is not an agent's")


def _checked(place: FilePlace, description: Any) -> dict[str, Any]:
    """Return the description of an agent, complete. Raises RunError."""
    if not isinstance(description, dict):
        raise place.wrong("is not an agent's")
    if description.get("format") != FORMAT:
        got, limit = f"format {description.get('format')}", f"format {FORMAT}"
        raise place.wrong("was written by another version", got, limit)
    described = {"approach": LOCAL.name, **description}  # the only one in the first version
    check_fields(described, place, _REQUIRED, _OPTIONAL)
    algorithm = ALGORITHMS.get(described["approach"])
    if algorithm is None:
        got = repr(described["approach"])[:60]
        raise place.wrong("learned by an unknown approach", got)
    if algorithm.config is not None and not described.get("gradient"):
        raise place.wrong("is not an agent's", "no 'gradient'")
    if not 0 <= described["seed"] < 2**63:
        raise place.wrong("'seed' is damaged", limit="0 to 2**63-1")
    return described


def _whole(path: Path) -> bytes:
    """Read a file. Raises RunError if it is missing or doesn't match its signature."""
    place = FilePlace(f"checkpoint {path}", remedy="train it first")
    return archive.read_signed(path, place, "restore it from a copy, or train again")
