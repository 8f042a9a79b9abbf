"""Read kinds of arguments; what isn't one is refused before anything begins."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

__all__ = ["path"]

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
