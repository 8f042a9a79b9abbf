"""Read kinds of arguments; what isn't one is refused before anything begins."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

_LONGEST_NAME = 255  # bytes; what common file systems take
_LONGEST_PATH = 4095


def path(text: str) -> Path:
    """Return the path. Raises ArgumentTypeError for one that no file system takes."""
    if "\0" in text:
        raise argparse.ArgumentTypeError("a path has no NUL")
    name = os.fsencode(text)
    if len(name) > _LONGEST_PATH or max(map(len, name.split(b"/"))) > _LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"a path of {len(name)} bytes is too long")
    return Path(text)


def run(text: str) -> Path:
    """Return the path of a run, or that of ``zoo:NAME``. Raises ArgumentTypeError."""
    from neurorl.errors import NeurorlError
    from neurorl.storage.zoo import located

    try:
        return located(path(text))
    except NeurorlError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def beside(run: Path, name: str) -> Path:
    """Return the default path of a file that is made from a run: inside the run's folder.

    For a pretrained agent it is in the current folder.
    """
    from neurorl.storage.zoo import is_within

    return Path(f"{run.name}-{name}") if is_within(run) else run / name
