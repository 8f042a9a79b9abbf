"""List backends without importing them again, as long as nothing that they need has changed."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from neurorl._version import __version__
from neurorl.backends.lookup import BACKENDS
from neurorl.backends.plugins import plugins
from neurorl.backends.registry import available_backends
from neurorl.storage.files import as_json, replace

_IMPORTED = ("numpy", "brian2", "nengo", "nengo_loihi", "nxsdk", "torch")


def remembered_backends() -> list[dict[str, Any]]:
    """Return what `available_backends` does, or did when all was as it is now.

    Nothing is remembered of backends of other distributions, or of ones that are broken.
    """
    file, key = user_cache_path("neurorl") / "backends.json", _fingerprint()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(file.read_text())
        if kept["key"] == key and not plugins(BACKENDS):
            rows: list[dict[str, Any]] = kept["rows"]
            return rows
    rows = available_backends()
    if len(rows) == len(BACKENDS) and not any(map(_is_broken, rows)):
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            replace(file, as_json({"key": key, "rows": rows}))
    return rows


def _is_broken(row: dict[str, Any]) -> bool:
    """Return whether a backend is there and doesn't work."""
    module = row["distribution"].replace("-", "_")
    return not row["available"] and _origin(module) is not None


def _fingerprint() -> list[str]:
    """Return what the list depends on: versions, packages, and this library's own code."""
    here = Path(__file__).parent
    folders = {Path(path) for path in sys.path if path and path != os.getcwd()}
    code = [*here.glob("*.py"), *here.glob("*/*.py")]
    times = [f"{path} {_changed(path)}" for path in sorted({*folders, *code})]
    origins = [f"{name} {_origin(name)}" for name in _IMPORTED]
    return [__version__, platform.python_version(), *origins, *times]


def _origin(module: str) -> str | None:
    """Return the file of a module and when it changed, without importing it."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return None if spec is None else f"{spec.origin} {_changed(Path(spec.origin or ''))}"


def _changed(path: Path) -> int:
    """Return when a file or folder was changed last, 0 if it isn't there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
