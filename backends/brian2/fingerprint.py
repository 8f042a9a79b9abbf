"""Detect a Brian2 whose code generation is not the one that the compiled engine was made for.

Nothing here imports Brian2, whose import takes a second.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path

__all__ = ["KNOWN", "fingerprint", "is_known", "version"]

KNOWN = {
    "2.9.0": "0469791e71937cda",
    "2.10.1": "b1dca57b3c9c2a9d",
    "2.11.0": "f4dbca45563f2f1a",
}
"""Map each release on which the compiled engine was tested to the fingerprint of its sources."""

# Files that `neurorl.backends.brian2.device` derives from, fills or includes.
_STANDALONE = "devices/cpp_standalone"
_FILES = (
    *(f"{_STANDALONE}/{name}" for name in ("device.py", "codeobject.py")),
    *(
        f"{_STANDALONE}/templates/{name}.cpp"
        for name in (
            "common_group",
            "main",
            "network",
            "objects",
            "reset",
            "run",
            "stateupdate",
            "synapses_classes",
            "threshold",
        )
    ),
    *(f"{_STANDALONE}/brianlib/{name}.h" for name in ("clocks", "common_math")),
    "codegen/templates.py",
)


def version() -> str:
    """Return the installed release; raise ImportError if Brian2 is missing or is no package."""
    _folder()
    return importlib.metadata.version("brian2")


def is_known() -> bool:
    """Return whether the installed Brian2 is one of `KNOWN`."""
    return fingerprint() in KNOWN.values()


@functools.cache
def fingerprint() -> str:
    """Return a hash of the files of Brian2 that matter; a missing file counts as empty."""
    digest = hashlib.sha256()
    for name in _FILES:
        path = _folder() / name
        digest.update(path.read_bytes() if path.is_file() else b"")
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def _folder() -> Path:
    """Return the folder of Brian2; raise ImportError if it is missing or is no package."""
    spec = importlib.util.find_spec("brian2")
    if spec is None:
        raise ImportError("Brian2 is not installed")
    if not spec.submodule_search_locations:
        raise ImportError(f"{spec.origin} is in the place of Brian2")
    return Path(spec.submodule_search_locations[0])
