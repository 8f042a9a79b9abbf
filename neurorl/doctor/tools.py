"""Examine the compiler, what it has compiled, and where that is kept."""

from __future__ import annotations

import os
import subprocess

from platformdirs import user_cache_path

from neurorl.doctor.rows import Row, row
from neurorl.errors import BackendError, one_line
from neurorl.native import toolchain
from neurorl.native.build import library
from neurorl.native.cache import CompileCache


def compiler() -> list[Row]:
    """Try the C++ compiler on a small library."""
    command = " ".join(toolchain.compiler())
    problem = toolchain.problem()
    remedy = "install a C++ compiler (g++ or clang++); till then engines are slower"
    if problem is not None:
        return [row("compiler", command, None, "missing", problem, remedy)]
    asked = [*toolchain.compiler(), "--version"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    version = (done.stdout or done.stderr).partition("\n")[0]
    why = toolchain.trial()
    if why is not None:
        remedy = "install the compiler's standard library (Debian: g++), or set CXX to another"
        return [row("compiler", command, version, "broken", why, remedy)]
    return [row("compiler", command, version)]


def learning_loop() -> list[Row]:
    """Load the learning loop in C++, compiled now if it isn't in the cache."""
    if toolchain.problem() is not None:
        return [row("learning loop", "in C++", None, "missing", "needs a C++ compiler")]
    try:
        library()
    except Exception as exc:  # of the compiler, the loader or the file system
        remedy = "set CXX to another compiler, or take it away to learn in Python"
        return [row("learning loop", "in C++", None, "broken", one_line(exc), remedy)]
    return [row("learning loop", "in C++", "compiled")]


def cache() -> list[Row]:
    """Examine where compiled libraries are kept, and how much is there."""
    folder = user_cache_path("neurorl")
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    size = f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB in {len(files)} files"
    try:
        for kept in (folder, *(path for path in folder.glob("*") if path.is_dir())):
            CompileCache(kept).check()
    except BackendError as exc:
        what, _, remedy = str(exc).partition("; ")
        return [row("cache", str(folder), size, "broken", what, remedy)]
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK):
        remedy = "set XDG_CACHE_HOME to a folder that can be written"
        what = "can't be written: what isn't in it yet can't be compiled"
        return [row("cache", str(folder), size, "note", what, remedy)]
    return [row("cache", str(folder), size)]
