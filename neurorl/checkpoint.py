"""One file for an agent: arrays and a description, no pickle, every byte covered by a digest.

The file is an ordinary npz; SHA-256 of all that comes before it stands in the archive's comment.
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

__all__ = ["read_checkpoint", "write_checkpoint"]

FORMAT = 1
_DIGEST = 64
_DESCRIPTION = "description.json"


def write_checkpoint(
    path: Path, description: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]
) -> None:
    """Write *description* (plain data) and *arrays* to *path*, atomically."""
    text = json.dumps({"format": FORMAT, **description}, allow_nan=False)
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        **{_DESCRIPTION: np.frombuffer(text.encode(), dtype=np.uint8)},
        **arrays,
    )
    write_bytes(path, _sign(buffer.getvalue()))


def read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The description and arrays of a file. Raises RunError if it is missing or not whole."""
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
