"""Writing files so that a reader sees the old one or the new one, never a half."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path, user_config_path

from neurorl.errors import BackendError, say

__all__ = ["keep_matplotlib_in_our_cache", "make_cache_folder", "write_bytes", "write_json"]


def write_bytes(path: Path, data: bytes) -> None:
    """Replace *path* by *data*, atomically and durably."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def write_json(path: Path, data: Any) -> None:
    """Replace *path* by *data* as JSON."""
    write_bytes(path, (json.dumps(data, indent=1, allow_nan=False) + "\n").encode())


def make_cache_folder(path: Path) -> None:
    """Make a folder for compiled code. Raises BackendError if nothing can be written there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        problem = None if os.access(path, os.W_OK | os.X_OK) else "no permission"
    except OSError as exc:
        problem = exc.strerror
    if problem is not None:
        remedy = "set XDG_CACHE_HOME to a folder that can"
        raise BackendError(say(f"cache {path}", "can't be written", got=problem, remedy=remedy))


def keep_matplotlib_in_our_cache() -> None:
    """Before Matplotlib is imported, by us or by a simulator: no new folders of it in the home.

    It makes some when first used. If the user has a configuration of it, all stays as it is.
    """
    if "matplotlib" not in sys.modules and not user_config_path("matplotlib").exists():
        os.environ.setdefault("MPLCONFIGDIR", str(user_cache_path("neurorl") / "matplotlib"))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
