"""Examine versions, the compiler, caches and every backend, one thing after the other.

Each backend runs five steps in a process of its own: a simulator may end the whole process, as a
library compiled for another processor does.

A row's *status*: ``ok``; ``missing``, not installed, which nothing else needs; ``broken``, there
and not working; ``note``, worth knowing.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from platformdirs import user_cache_path

from neurorl._version import __version__
from neurorl.backends.lookup import quickest
from neurorl.backends.plugins import installed_version
from neurorl.backends.registry import available_backends, variants
from neurorl.errors import BackendError, one_line
from neurorl.native import toolchain
from neurorl.native.build import is_shipped, kernels, lacking, library
from neurorl.native.cache import CompileCache
from neurorl.runs.children import child_environment, module_command
from neurorl.storage.plain import PlainData

Row = PlainData


def row(
    check: str,
    name: str,
    found: str | None,
    status: str = "ok",
    problem: str | None = None,
    remedy: str | None = None,
) -> Row:
    """Return the row of one check: its result, what is wrong with it and what helps."""
    result: Row = {"check": check, "name": name, "found": found, "status": status}
    return result | {"problem": problem, "remedy": remedy}


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
    """Load the learning loop in C++, compiled now if it is neither shipped nor in the cache."""
    if lacking() is not None:
        return [row("learning loop", "in C++", None, "missing", "needs a C++ compiler")]
    try:
        library()
    except Exception as exc:  # of the compiler, the loader or the file system
        remedy = "set CXX to another compiler, or take it away to learn in Python"
        return [row("learning loop", "in C++", None, "broken", one_line(exc), remedy)]
    return [row("learning loop", "in C++", "shipped" if is_shipped(kernels()) else "compiled")]


def _file_sizes(folder: Path) -> list[int]:
    """Return the bytes of each file under *folder*, but for those that others remove meanwhile."""
    sizes = []
    for parent, _, names in os.walk(folder):  # Path.rglob raises where a folder vanishes
        for name in names:
            with contextlib.suppress(OSError):
                sizes.append(os.stat(os.path.join(parent, name)).st_size)
    return sizes


def cache() -> list[Row]:
    """Examine where compiled libraries are kept, and how much is there."""
    folder = user_cache_path("neurorl")
    sizes = _file_sizes(folder)
    size = f"{sum(sizes) / 1e6:.1f} MB in {len(sizes)} files"
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


PATIENCE = 600
"""Allow each way of a backend this many seconds."""

_TRIAL = "neurorl.doctor.trial"


def backend(listed: Row) -> Iterator[Row]:
    """Return a backend's rows, given its row of `neurorl.backends.registry.available_backends`."""
    name, installed = listed["name"], installed_version(listed["distribution"])
    if not listed["available"]:
        status = "missing" if installed is None else "broken"
        yield row("backend", name, installed, status, "can't be loaded", listed["remedy"])
        return
    tried = _try_all(name)
    for spec in variants(name):
        shown = ", ".join(part for part in (name, spec.engine, spec.arithmetic) if part)
        problem = next(tried, "not tried, as the one before ended the process")
        if problem is None:
            yield row("backend", shown, installed)
            continue
        without = spec.chosen_engine.needs_compiler and toolchain.problem() is not None
        yield row("backend", shown, installed, "missing" if without else "broken", problem)


def _try_all(name: str) -> Iterator[str | None]:
    """Return the problem of each way, None if it works; stops if the process ends."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "problems"
        out.touch()
        end = _wait(module_command(_TRIAL, name, str(out)), out)
        problems = [json.loads(line) for line in out.read_text().splitlines()]
    yield from problems
    yield end


def _wait(command: list[str], out: Path) -> str:
    """Wait for a trial, as long as lines are added to *out*; return how it ended."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=child_environment(), stdout=quiet, stderr=quiet) as process:
        while True:
            before = out.stat().st_size
            try:
                return f"its process ended with status {process.wait(PATIENCE)}"
            except subprocess.TimeoutExpired:
                if out.stat().st_size == before:
                    process.kill()
                    again = "on a busy machine, run it again: what was compiled is kept"
                    return f"not done after {PATIENCE} s; {again}"
            except BaseException:
                process.kill()
                raise


PYTHONS = SpecifierSet(">=3.11,<3.14")

COMBINATIONS: list[tuple[dict[str, str], str, str]] = [
    (
        {"brian2": "<2.10", "numpy": ">=2.4"},
        "brian2 2.9 uses what NumPy 2.4 took away",
        "pip install 'numpy<2.4', or Python 3.12 and brian2 2.10",
    ),
    (
        {"brian2": ">=2.10", "numpy": "<2.2"},
        "brian2 2.10 needs NumPy 2.2",
        "pip install 'numpy>=2.2'",
    ),
]
"""List versions that are known not to work together, with the reason and the remedy."""

_DEVELOPERS = ("all", "dev", "docs")


def versions() -> list[Row]:
    """Return rows of Python, neurorl, its requirements, its extras, and combinations that fail."""
    python = platform.python_version()
    rows = [row("version", "neurorl", __version__), row("version", "python", python)]
    if ".".join(platform.python_version_tuple()[:2]) not in PYTHONS:
        rows[1] |= {"status": "broken", "problem": f"neurorl needs Python {PYTHONS}"}
        rows[1]["remedy"] = "make an environment with Python 3.13"
    return [*rows, *_requirements(), *_combinations()]


def _requirements() -> list[Row]:
    """Return what neurorl needs, and what its extras do."""
    metadata = importlib.metadata.metadata("neurorl")
    extras = [e for e in metadata.get_all("Provides-Extra") or [] if e not in _DEVELOPERS]
    rows: dict[str, Row] = {}
    for line in importlib.metadata.requires("neurorl") or []:
        needed = Requirement(line)
        for extra in ("", *extras):
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                rows.setdefault(needed.name, _requirement(needed, extra))
                break
    return list(rows.values())


def _requirement(needed: Requirement, extra: str) -> Row:
    alone = f"pip install '{needed.name}{needed.specifier}'"
    installed = installed_version(needed.name)
    if installed is None:
        command = f"pip install 'neurorl[{extra}]'" if extra else alone
        return row("version", needed.name, None, "missing", "isn't installed", command)
    if not needed.specifier.contains(installed, prereleases=True):
        what = f"neurorl needs {needed.specifier}"
        return row("version", needed.name, installed, "broken", what, alone)
    return row("version", needed.name, installed)


def _combinations() -> Iterator[Row]:
    for ranges, why, remedy in COMBINATIONS:
        installed = {name: installed_version(name) for name in ranges}
        wanted = {name: SpecifierSet(wanted, prereleases=True) for name, wanted in ranges.items()}
        if all(v is not None and v in wanted[name] for name, v in installed.items()):
            shown = " with ".join(f"{name} {number}" for name, number in installed.items())
            yield row("combination", shown, None, "broken", why, remedy)


def examine(watch: Callable[[str], None] = lambda name: None) -> list[Row]:
    """Return all rows; *watch* is told what comes next, as an engine may compile for seconds."""
    rows: list[Row] = []
    checks = {"versions": versions, "compiler": compiler, "learning loop": learning_loop}
    for name, check in {**checks, "cache": cache}.items():
        watch(name)
        rows += check()
    for listed in available_backends():
        watch(f"backend {listed['name']}")
        rows += backend(listed)
    with warnings.catch_warnings(action="ignore"):  # the rows above say why it isn't another
        return [*rows, row("default backend", quickest(), "the quickest here")]


def verdict(rows: list[Row]) -> str:
    """Return ``'broken'`` if something that is there doesn't work, else ``'ok'``."""
    return "broken" if any(row["status"] == "broken" for row in rows) else "ok"
