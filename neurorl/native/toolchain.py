"""Find the C++ compiler, and the flags with which it gives the reference's bits."""

from __future__ import annotations

import functools
import importlib.util
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

EXACT_FLAGS = ["-w", "-O3", "-march=native", "-ffp-contract=off", "-fno-fast-math"]
EXACT_FLAGS += ["-fno-trapping-math"]
"""Compile to the same bits everywhere. Brian2's default is -ffast-math; with it, and with fused
multiply-adds, the last bits of a membrane depend on the compiler. Nobody traps floating-point
exceptions here, and a compiler that knows it can vectorise floor and conditions, with the same
results."""

_SMALL = '#include <cmath>\nextern "C" double small(double x) { return std::exp(x); }\n'

# Unique symbols would keep a library loaded for ever.
_UNLOADABLE = ["-fno-gnu-unique"] if platform.system() == "Linux" else []
LIBRARY_FLAGS = [*EXACT_FLAGS, "-fno-math-errno", "-std=c++17", "-shared", "-pthread", "-fPIC"]
LIBRARY_FLAGS += ["-s", *_UNLOADABLE]


def compiler() -> list[str]:
    """Return the command of the C++ compiler: ``$CXX``, or the first that there is."""
    named = shlex.split(os.environ.get("CXX", ""))
    return named or [next(filter(shutil.which, ("c++", "g++", "clang++")), "c++")]


def problem() -> str | None:
    """Explain why no library can be compiled here; None if one can."""
    if importlib.util.find_spec("fcntl") is None:
        return f"not on {platform.system()}"
    if identity() is None:
        return f"no C++ compiler {compiler()[0]!r}"
    return None


def trial() -> str | None:
    """Compile a small library; return what the compiler said if it couldn't, else None."""
    return _trial(tuple(compiler()))


def failure() -> str | None:
    """Return why nothing can be compiled here, which is tried; None if something can be."""
    return problem() or trial()


@functools.cache
def _trial(command: tuple[str, ...]) -> str | None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "small.cpp"
        source.write_text(_SMALL)
        library = source.with_suffix(".so")
        whole = [*command, *LIBRARY_FLAGS, str(source), "-o", str(library)]
        done = subprocess.run(whole, capture_output=True, text=True, check=False)
        failed = done.returncode != 0 or not library.exists()
    return f"can't compile: {' '.join((done.stdout or done.stderr).split())}" if failed else None


def identity() -> str | None:
    """Return the compiler's version and the processor, on which code depends; None without one."""
    return _identity(tuple(compiler()))


@functools.cache
def _identity(command: tuple[str, ...]) -> str | None:
    try:
        done = subprocess.run([*command, "-v"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return "\n".join([*command, done.stderr, processor()])


def processor() -> str:
    """Return the processor's model and features, for which -march=native compiles."""
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    kept = ("model name", "flags", "Features", "CPU part")
    return "\n".join(line for line in lines if line.startswith(kept))
