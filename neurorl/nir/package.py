"""The package ``nir``, imported when it is first needed, and reading and writing its files."""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any

from neurorl.errors import ArgumentError, BackendUnavailableError, say
from neurorl.files import write_bytes

__all__ = ["DroppedWarning", "load_package", "read_graph", "write_graph"]


class DroppedWarning(UserWarning):
    """Something has no counterpart on the other side, and was left out."""


def load_package() -> Any:
    """The module ``nir``. Raises BackendUnavailableError if it is missing."""
    try:
        return importlib.import_module("nir")
    except ImportError as exc:
        raise BackendUnavailableError(
            say("NIR", "the package nir can't be imported", remedy="pip install 'neurorl[nir]'")
        ) from exc


def read_graph(path: Path) -> Any:
    """The graph of a file. Raises ArgumentError if it is missing or of something else."""
    nir = load_package()
    if not path.is_file():
        raise ArgumentError(say(f"NIR file {path}", "there is no such file"))
    try:
        return nir.read(path, type_check=False)
    except Exception as exc:  # h5py and nir raise whatever they meet
        raise ArgumentError(say(f"NIR file {path}", "can't be read", got=exc)) from exc


def write_graph(path: Path, graph: Any) -> None:
    """Write a graph to a file, atomically. Raises ArgumentError if it can't be."""
    file = io.BytesIO()
    load_package().write(file, graph)
    write_bytes(path, file.getvalue(), "NIR file", ArgumentError)
