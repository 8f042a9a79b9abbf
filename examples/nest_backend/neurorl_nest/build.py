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

__all__ = ["headers", "library", "own_nest"]

SOURCES = Path(__file__).parent / "src"
PHILOX = Path(neurorl.native.__file__).parent / "src"
# NEST's own are -O2 -fopenmp; membranes must not be fused, see `toolchain`.
_OLD = b"_ZN4nest12ModelManager20get_synapse_model_idESs"
_REMEDY = "pip install 'nest-simulator >= 3.10, < 4'"
FLAGS = ["-std=c++20", "-O2", "-fPIC", "-shared", "-fopenmp", "-ffp-contract=off", "-w"]


def headers() -> Path:
    """Return the folder of NEST's headers. Raises BackendUnavailableError; imports no NEST."""
    package = _package()
    # Those of the wheel; a NEST built from its source is at PREFIX/lib/pythonX/site-packages/nest.
    folders = [parent / "include" / "nest" for parent in (package, package.parents[3])]
    for folder in folders:
        if (folder / "nest_extension_interface.h").is_file():
            return folder
    what = "NEST was installed without its headers"
    raise BackendUnavailableError("backend nest", what, got=folders[0], remedy=_REMEDY)


def library() -> Path:
    """Return the compiled models, compiled if they aren't in the user's cache yet."""
    folder = headers()
    command = [
        *toolchain.compiler(),
        *FLAGS,
        f"-D_GLIBCXX_USE_CXX11_ABI={int(not _has_old_strings())}",
        *("-iquote", str(folder), "-idirafter", str(folder)),
        *("-iquote", str(PHILOX), f"-I{SOURCES}"),
        *("-include", "cstdint", "-include", str(SOURCES / "without_boost.h")),
        *_of_mpi(folder),
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


def own_nest() -> str:
    """Return the folder, of modules, with the NEST that ``NEURORL_NEST`` names; or nothing."""
    return os.environ.get("NEURORL_NEST", "")


def _package() -> Path:
    """Return the folder of NEST. Raises BackendUnavailableError; imports no NEST."""
    if own_nest():
        package = Path(own_nest()) / "nest"
        if not (package / "__init__.py").is_file():
            what, limit = "there is no NEST where NEURORL_NEST says", "PREFIX/lib/.../site-packages"
            raise BackendUnavailableError("backend nest", what, got=own_nest(), limit=limit)
        return package
    spec = importlib.util.find_spec("nest")
    if spec is None or spec.origin is None:
        raise BackendUnavailableError("backend nest", "NEST isn't installed", remedy=_REMEDY)
    return Path(spec.origin).parent


def _of_mpi(folder: Path) -> list[str]:
    """Return the flags of MPI's headers, which those of a NEST that was built with it include."""
    if "#define HAVE_MPI 1" not in (folder / "config.h").read_text():
        return []
    try:
        asked = ["mpicxx", "--showme:compile"]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as exc:
        what, remedy = "NEST has MPI, and mpicxx isn't here", "apt-get install libopenmpi-dev"
        raise BackendUnavailableError("backend nest", what, got=exc, remedy=remedy) from exc


def _has_old_strings() -> bool:
    """Return whether NEST was built with the strings that C++ libraries had before C++11."""
    kernels = _package().glob("nestkernel_api*.so")
    return any(_OLD in kernel.read_bytes() for kernel in kernels)
