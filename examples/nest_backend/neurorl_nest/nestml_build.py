"""Generate C++ of models in NESTML by pynestml, and compile it as a module that NEST installs.

pynestml's own build asks ``nest-config`` where NEST is; that of NEST's wheel names the machine on
which it was made. So only its generator is used, in a process of its own, and the files are
compiled as `neurorl_nest.build` compiles the backend's.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from neurorl.errors import BackendError, BackendUnavailableError
from neurorl.native import toolchain
from neurorl_nest import build

__all__ = ["module", "run_python"]

NEURON, SYNAPSE, MODULE = "cells_neuron", "rule_synapse", "neurorlmodule"
_PORTS = {"post_ports": ["post_spikes"], "vt_ports": ["mod_spikes"]}
_VERSION = "v3.10.0"


def module(texts: Mapping[str, str]) -> Path:
    """Return the module of a neuron and a synapse, made if it isn't in the user's cache yet.

    texts: in NESTML, by the names `NEURON` and `SYNAPSE`, of a synapse with all three ports. NEST
    then has the models ``cells_neuron__with_rule_synapse`` and ``rule_synapse__with_cells_neuron``.
    Raises BackendUnavailableError without NEST, pynestml or a compiler, and BackendError, with
    pynestml's last line, for what it can't generate.
    """
    headers = build.headers()
    if importlib.util.find_spec("pynestml") is None:
        what, remedy = "pynestml isn't installed", "pip install 'nestml >= 9, < 10'"
        raise BackendUnavailableError("NESTML", what, remedy=remedy)
    key = [*texts.values(), _VERSION, str(toolchain.identity()), (headers / "config.h").read_text()]
    digest = hashlib.sha256("\n".join(key).encode()).hexdigest()[:20]
    cache = Path(platformdirs.user_cache_dir("neurorl")) / "nest"
    path = cache / f"nestml-{digest}" / f"{MODULE}.so"
    if not path.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            for name, text in texts.items():
                (Path(scratch) / f"{name}.nestml").write_text(text)
            run_python("neurorl_nest.nestml_build", scratch)
            made = Path(scratch) / "made"
            _compile(made, headers)
            with contextlib.suppress(OSError):  # another process was first
                made.rename(path.parent)
    return path


def run_python(name: str, folder: str) -> None:
    """Run a module in a process of its own, in a folder. Raises BackendError with its last line."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(x for x in sys.path if x)}
    command = [sys.executable, "-m", name, folder]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment)
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] or ["?"]
        what = f"{name} failed"
        raise BackendError(what, lines[-1], remedy="neurorl's own backends")


def _compile(folder: Path, headers: Path) -> None:
    sources = sorted(str(path) for path in folder.glob("*.cpp"))
    command = [
        *toolchain.compiler(),
        *build.FLAGS,
        f"-D_GLIBCXX_USE_CXX11_ABI={int(not build.has_old_strings())}",
        *("-iquote", str(headers), "-idirafter", str(headers), f"-I{folder}"),
        *("-include", "cstdint", "-include", str(build.SOURCES / "without_boost.h")),
        *build.of_mpi(headers),
        *(f"-I{build.SOURCES}", *sources, "-o", str(folder / f"{MODULE}.so")),
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or ["?"]
        what, remedy = "what pynestml generated doesn't compile", "install g++ 11 or later"
        raise BackendUnavailableError("NESTML", what, got=errors[0], remedy=remedy)


def main(folder: str) -> None:
    """Generate the models of a folder into ``made`` there."""
    from pynestml.exceptions.generated_code_build_exception import GeneratedCodeBuildException
    from pynestml.exceptions.invalid_path_exception import InvalidPathException
    from pynestml.frontend.pynestml_frontend import generate_target

    pair = {"neuron": NEURON, "synapses": {SYNAPSE: _PORTS}}
    with contextlib.suppress(GeneratedCodeBuildException, InvalidPathException):
        generate_target(
            input_path=[f"{folder}/{name}.nestml" for name in (NEURON, SYNAPSE)],
            target_platform="NEST",
            target_path=f"{folder}/made",
            module_name=MODULE,
            codegen_opts={
                "neuron_synapse_pairs": [pair],
                "weight_variable": {SYNAPSE: "w"},
                "nest_version": _VERSION,
            },
        )


if __name__ == "__main__":
    main(sys.argv[1])
