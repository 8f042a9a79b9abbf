"""Find compiled code that a wheel brought along, for processors like this one.

A wheel for Linux may hold libraries that were compiled for a few levels of processors, with the
flags that give the same bits everywhere. A folder of sources holds none.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Iterator
from pathlib import Path

from neurorl.native.toolchain import processor

FOLDER = Path(__file__).parent / "libraries"
DIGESTS = "digests.json"
"""Name the file that maps levels to their libraries, and each of these to its SHA-256."""

_V3 = "avx2 bmi1 bmi2 f16c fma abm movbe"
LEVELS: dict[str, dict[str, str]] = {
    "x86_64": {
        "x86-64-v4": f"{_V3} avx512f avx512bw avx512cd avx512dq avx512vl",
        "x86-64-v3": _V3,
        "x86-64-v2": "ssse3 sse4_1 sse4_2 popcnt cx16",
    },
    "aarch64": {"armv8-a": ""},
}
"""Map kinds of processors to ``-march=``, quickest first, and what it needs, as Linux calls it."""


def library(name: str) -> bytes | None:
    """Return the code of the library of this name for this processor, None if there is none.

    None too if its bytes aren't those that were built. name: as of `CppSource.name`.
    """
    for folder, digests in _folders():
        if name in digests:
            code = _read(folder / f"{name}.so")
            return code if hashlib.sha256(code).hexdigest() == digests[name] else None
    return None


def has(name: str) -> bool:
    """Return whether a library of this name was brought along for this processor."""
    return any(name in digests for _, digests in _folders())


@functools.cache
def _folders() -> list[tuple[Path, dict[str, str]]]:
    """Return the folders for this processor with what they hold, the quickest one first."""
    digests = json.loads(_read(FOLDER / DIGESTS) or b"{}")
    return [(FOLDER / level, digests[level]) for level in _levels() if level in digests]


def _levels() -> Iterator[str]:
    """Yield the levels that this processor reaches."""
    known = {*processor().split()}
    for level, needs in LEVELS.get(platform.machine(), {}).items():
        if known.issuperset(needs.split()):
            yield level


def _read(path: Path) -> bytes:
    """Return the bytes of a file, none if it can't be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
