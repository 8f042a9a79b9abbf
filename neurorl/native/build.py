"""The library of ``src/``: compiled into the user's cache folder, loaded by ctypes."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from platformdirs import user_cache_path

from neurorl import elementary
from neurorl.errors import BackendError, say
from neurorl.native import SOURCES, toolchain
from neurorl.native.structures import Terms

__all__ = ["cache_folder", "library"]


def cache_folder() -> Path:
    """Where compiled libraries are kept; it may be deleted at any time."""
    return user_cache_path("neurorl") / "native"


@functools.cache
def library() -> ctypes.CDLL:
    """The library, compiled now if it isn't there. Raises BackendError if it doesn't compile."""
    loaded = _load(cache_folder() / f"{_key()}.so") or _load(_build())
    if loaded is None:
        raise BackendError(say("learning loop", "its library can't be loaded"))
    loaded.neurorl_set_terms(ctypes.byref(_terms()))
    loaded.neurorl_dot.restype = ctypes.c_double
    for name in ("features", "begin", "encode", "decide", "learn"):
        getattr(loaded, f"neurorl_{name}").restype = ctypes.c_int64
    for name in ("choose", "learn_late", "chip_update", "chip_add_spiking"):
        getattr(loaded, f"neurorl_{name}").restype = None
    return loaded


def _load(path: Path) -> ctypes.CDLL | None:
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # missing, or not whole
        return None


def _key() -> str:
    depends = [*toolchain.LIBRARY_FLAGS, toolchain.identity() or ""]
    found = hashlib.sha256("\0".join(depends).encode())
    for path in sorted(SOURCES.iterdir()):
        if path.is_file():
            found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()[:32]


def _build() -> Path:
    """Compile under another name and rename, so that no other process sees half a file."""
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    descriptor, made = tempfile.mkstemp(suffix=".so", dir=folder)
    os.close(descriptor)
    command = [*toolchain.compiler(), *toolchain.LIBRARY_FLAGS]
    try:
        done = subprocess.run(
            [*command, str(SOURCES / "kernels.cpp"), "-o", made],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            log = folder / "build.log"
            log.write_text(done.stdout)
            remedy = f"all of it is in {log}; or take loop='numpy'"
            lines = [line for line in done.stdout.splitlines() if "error" in line] or [""]
            raise BackendError(
                say("learning loop", "its library doesn't compile", got=lines[0], remedy=remedy)
            )
        os.replace(made, folder / f"{_key()}.so")
    finally:
        Path(made).unlink(missing_ok=True)
    return folder / f"{_key()}.so"


def _terms() -> Terms:
    return Terms(
        exp=(ctypes.c_double * 14)(*elementary.EXP_TERMS),
        cos=(ctypes.c_double * 13)(*elementary.COS_TERMS),
        log2_e=elementary.LOG2_E,
        ln2_high=elementary.LN2_HIGH,
        ln2_low=elementary.LN2_LOW,
    )
