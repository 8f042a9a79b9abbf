"""Try every way to run networks on a backend for five steps, in a process of its own.

A simulator may end the whole process, as a library compiled for another processor does.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from neurorl.backends.plugins import installed_version
from neurorl.backends.registry import variants
from neurorl.doctor.rows import Row, row
from neurorl.native import toolchain
from neurorl.runs.children import child_environment, module_command

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
