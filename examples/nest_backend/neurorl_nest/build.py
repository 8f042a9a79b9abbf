"""Compile the models against the headers that come with NEST."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
from pathlib import Path

import platformdirs

import neurorl.native
from neurorl.errors import BackendUnavailableError
from neurorl.native import toolchain

__all__ = ["headers", "library"]

SOURCES = Path(__file__).parent / "src"
PHILOX = Path(neurorl.native.__file__).parent / "src"
# NEST's own are -O2 -fopenmp; membranes must not be fused, see `toolchain`.
_OLD = b"_ZN4nest12ModelManager20get_synapse_model_idESs"
FLAGS = ["-std=c++20", "-O2", "-fPIC", "-shared", "-fopenmp", "-ffp-contract=off", "-w"]


def headers() -> Path:
    """Return the folder of NEST's headers. Raises BackendUnavailableError; imports no NEST."""
    remedy = "pip install 'nest-simulator >= 3.10, < 4'"
    spec = importlib.util.find_spec("nest")
    if spec is None or spec.origin is None:
        raise BackendUnavailableError("backend nest", "NEST isn't installed", remedy=remedy)
    folder = Path(spec.origin).parent / "include" / "nest"
    if not (folder / "nest_extension_interface.h").is_file():
        what = "NEST was installed without its headers"
        raise BackendUnavailableError("backend nest", what, got=folder, remedy=remedy)
    return folder


def library() -> Path:
    """Return the compiled models, compiled if they aren't in the user's cache yet."""
    folder = headers()
    command = [
        *toolchain.compiler(),
        *FLAGS,
        f"-D_GLIBCXX_USE_CXX11_ABI={int(not _has_old_strings(folder))}",
        *("-iquote", str(folder), "-idirafter", str(folder)),
        *("-iquote", str(PHILOX), f"-I{SOURCES}"),
        *("-include", "cstdint", "-include", str(SOURCES / "without_boost.h")),
        str(SOURCES / "nodes.cpp"),
    ]
    texts = [p.read_bytes() for p in (*sorted(SOURCES.rglob("*.[hc]*")), PHILOX / "philox.h")]
    key = "\n".join([*command, str(toolchain.identity()), (folder / "config.h").read_text()])
    digest = hashlib.sha256(key.encode() + b"".join(texts)).hexdigest()[:20]
    path = Path(platformdirs.user_cache_dir("neurorl")) / "nest" / f"{digest}.so"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}")
        done = subprocess.run([*command, "-o", str(scratch)], capture_output=True, text=True)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line] or ["?"]
            what, remedy = "NEST's models don't compile", "install g++ 11 or later, or set CXX"
            raise BackendUnavailableError("backend nest", what, got=errors[0], remedy=remedy)
        scratch.replace(path)
    return path


def _has_old_strings(folder: Path) -> bool:
    """Return whether NEST was built with the strings that C++ libraries had before C++11."""
    kernels = folder.parents[1].glob("nestkernel_api*.so")
    return any(_OLD in kernel.read_bytes() for kernel in kernels)
