"""Keep compiled networks on disk: one folder for each kind, built once, safe for many processes."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from neurorl.backends.brian2 import fingerprint
from neurorl.backends.brian2.builders import SAID, run_builder
from neurorl.errors import BackendError, RunError
from neurorl.native import SOURCES, toolchain
from neurorl.native.background import Building
from neurorl.native.cache import CompileCache
from neurorl.reading import Place, parse_json

__all__ = ["Entry", "begin", "cache_folder", "find_or_build", "key"]

_HERE = Path(__file__).parent
_BEGUN: dict[tuple[Path, str], Building] = {}


@dataclass(frozen=True)
class Entry:
    """Hold the compiled code for one kind of network.

    folder: where it is kept.
    code: what the library's file contains.
    arrays: [owner, variable, dtype, size] of each array.
    """

    folder: Path
    code: bytes
    arrays: list[list[Any]]


def cache_folder() -> Path:
    """Return the folder of compiled networks; it may be deleted at any time."""
    return user_cache_path("neurorl") / "brian2-compiled"


def key(plan: dict[str, Any]) -> str:
    """Return a hash of everything that the compiled code depends on.

    It doesn't depend on weights, seeds and parameters.
    """
    depends = [plan, toolchain.LIBRARY_FLAGS, toolchain.identity()]
    depends += [fingerprint.version(), fingerprint.fingerprint()]
    digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode())
    headers = (SOURCES / "philox.h", SOURCES / "expressions.h")
    for path in sorted([*_HERE.glob("*.py"), *_HERE.glob("templates/*"), *headers]):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:32]


def find_or_build(plan: dict[str, Any]) -> Entry:
    """Return the entry for a plan, compiling it if it is missing.

    plan: see `neurorl.backends.brian2.plan`.

    Raises BackendError with the compiler's first error, and the path of all that it said; or if
    others can write to the cache.
    """
    cache, name = CompileCache(cache_folder()), key(plan)
    entry = _read(cache, name)
    if entry is None:
        with cache.building(name) as scratch:
            entry = _read(cache, name) or _build(cache, name, scratch, plan)
    else:
        cache.tidy()
    return entry


def begin(plan: dict[str, Any]) -> Building | None:
    """Begin `find_or_build` in a process of its own, once for each plan; None if it is there."""
    folder, name = cache_folder(), key(plan)
    if _read(CompileCache(folder), name) is not None:
        return None
    building = _BEGUN.get((folder, name))
    if building is None or building.is_over():
        building = Building(f"{__name__}:{find_or_build.__name__}", (plan,), folder)
        _BEGUN[folder, name] = building
    return building


def _read(cache: CompileCache, name: str) -> Entry | None:
    """Return an entry, or None if it is missing or not as it was built."""
    files = ("library.so", "arrays.json", "sha256")
    code, text, built = (cache.read(name, file) for file in files)
    if code is None or text is None or built is None:
        return None
    try:
        arrays = parse_json(text, Place("cache"))
    except RunError:
        return None
    whole = built == _hash(code, arrays).encode()
    return Entry(cache.folder / name, code, arrays) if whole else None


def _hash(code: bytes, arrays: list[list[Any]]) -> str:
    """Return the hash that shows whether an entry is as it was built."""
    return hashlib.sha256(code + json.dumps(arrays).encode()).hexdigest()


def _build(cache: CompileCache, name: str, scratch: Path, plan: dict[str, Any]) -> Entry:
    """Compile in the empty folder *scratch*, which becomes the entry."""
    log = cache.folder / f"{name}.log"
    status = run_builder(scratch, plan)
    said = (scratch / SAID).read_text(errors="replace") if (scratch / SAID).exists() else ""
    if status:
        log.write_text(said)
        remedy = f"all of it is in {log}; or take engine='cython'"
        reason = _first_error(said)
        raise BackendError("backend brian2", "can't build the network", got=reason, remedy=remedy)
    (scratch / SAID).unlink(missing_ok=True)
    code = (scratch / "library.so").read_bytes()
    arrays = json.loads((scratch / "arrays.json").read_text())
    (scratch / "sha256").write_text(_hash(code, arrays))
    cache.publish(scratch, name)
    log.unlink(missing_ok=True)
    return Entry(cache.folder / name, code, arrays)


def _first_error(printed: str) -> str:
    """Return the compiler's first error, else Python's innermost one, else the last line."""
    lines = [line.rstrip() for line in printed.splitlines() if line.strip()] or ["no reason given"]
    errors = [line for line in lines if " error: " in line]
    errors += [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return [*errors, lines[-1]][0]
