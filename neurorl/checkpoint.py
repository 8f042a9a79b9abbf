"""One file for an agent: arrays and a description, no pickle, every byte covered by a digest.

The file is an ordinary npz; SHA-256 of all that comes before it stands in the archive's comment.
It has no times of any clock in it, so that equal runs have equal files: the same command with the
same seed gives the same `digest` at another time, in another folder, and after it was killed.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import RunError, say
from neurorl.files import write_bytes

__all__ = ["digest", "packed", "read_checkpoint", "write_checkpoint"]

FORMAT = 1
_DIGEST = 64
_DESCRIPTION = "description.json"
_NO_TIME = (1980, 1, 1, 0, 0, 0)  # the first that a zip has


def write_checkpoint(
    path: Path, description: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]
) -> None:
    """Write *description* (plain data) and *arrays* to *path*, atomically. Raises RunError."""
    write_bytes(path, packed(description, arrays), "checkpoint")


def packed(description: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    """Return the file of *description* (plain data) and *arrays*, the same for the same."""
    text = json.dumps({"format": FORMAT, **description}, allow_nan=False)
    all_arrays = {_DESCRIPTION: np.frombuffer(text.encode(), dtype=np.uint8), **arrays}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in all_arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=_NO_TIME)
            with archive.open(entry, "w", force_zip64=True) as file:
                np.save(file, np.asarray(array, order="C"), allow_pickle=False)
    return _sign(buffer.getvalue())


def digest(path: Path) -> str:
    """Return the SHA-256 that a checkpoint, or an agent's file, is signed with, in hexadecimal.

    Two runs have the same if and only if they are of one kind and have learned the same: every
    weight, trace and episode, bit for bit. Raises RunError if the file is missing or not whole.
    """
    return hashlib.sha256(_whole(path)).hexdigest()


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The description and arrays of a file. Raises RunError if it is missing or not whole."""
    content = _whole(path)
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        description = json.loads(bytes(arrays.pop(_DESCRIPTION)).decode())
    except (KeyError, ValueError, zipfile.BadZipFile) as exc:
        raise RunError(say(f"checkpoint {path}", "is not an agent's", got=exc)) from exc
    if description.get("format") != FORMAT:
        raise RunError(
            say(
                f"checkpoint {path}",
                "was written by another version",
                got=f"format {description.get('format')}",
                limit=f"format {FORMAT}",
            )
        )
    return {"approach": "local", **description}, arrays  # the only one there was at first


def _whole(path: Path) -> bytes:
    """What was signed in a file. Raises RunError if it is missing or not whole."""
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise RunError(
            say(f"checkpoint {path}", "can't be read", got=exc.strerror, remedy="train it first")
        ) from exc
    content = _unsigned(data)
    if content is None:
        raise RunError(
            say(
                f"checkpoint {path}",
                "is damaged: its digest doesn't match",
                remedy="restore it from a copy, or train again",
            )
        )
    return content


def _sign(content: bytes) -> bytes:
    """*content*, a zip without a comment, with its digest as the comment."""
    digest = hashlib.sha256(content).hexdigest().encode()
    return content[:-2] + _DIGEST.to_bytes(2, "little") + digest


def _unsigned(data: bytes) -> bytes | None:
    """What was signed, or None if any byte differs."""
    content, size, digest = data[: -_DIGEST - 2], data[-_DIGEST - 2 : -_DIGEST], data[-_DIGEST:]
    content += b"\0\0"
    if size != _DIGEST.to_bytes(2, "little"):
        return None
    return content if hashlib.sha256(content).hexdigest().encode() == digest else None
