"""Try many inputs on a target, in this process or in one of its own with limits.

python -m fuzzing.run TARGET INPUTS SEED      prints a line of JSON
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from fuzzing import archives, callers, commands, descriptions, entries, graphs, runs
from fuzzing.guard import Tally, limited_time, set_trap, tried
from fuzzing.targets import Target

_MODULES = (runs, descriptions, callers, archives, graphs, entries, commands)
TARGETS: dict[str, type[Target]] = {
    target.name: target for module in _MODULES for target in module.TARGETS
}
_SHOWN = 20


def fuzz(target: type[Target], inputs: int, folder: Path, fixed: int | None = None) -> Tally:
    """Try so many inputs, the same ones if no seed is *fixed*; the first that fails is raised.

    fixed: a seed; all inputs are tried then, and those that fail are told in the tally.
    """
    set_trap(folder)
    made = target(folder)
    tally = Tally()
    phases = [Phase.generate] if fixed is not None else [Phase.generate, Phase.shrink]

    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        derandomize=fixed is None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    @given(made.inputs)
    def attempt(value: Any) -> None:
        if fixed is None:
            tried(made.attempt, value, tally, folder)
            return
        try:
            with limited_time():
                tried(made.attempt, value, tally, folder)
        except Exception as exc:
            where = traceback.extract_tb(exc.__traceback__)[-1]
            tally.failures.append(
                f"{type(exc).__name__} at {Path(where.filename).name}:{where.lineno}:"
                f" {str(exc)[:200]}; input {repr(value)[:300]}"
            )

    (attempt if fixed is None else seed(fixed)(attempt))()
    return tally


def main(arguments: list[str]) -> int:
    """Run one target with limits of memory and time; returns the exit status 0."""
    name, inputs, number = arguments
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        tally = fuzz(TARGETS[name], int(inputs), Path(folder), int(number))
    row = dataclasses.asdict(tally)
    row["failed"], row["failures"] = len(row["failures"]), row["failures"][:_SHOWN]
    print(json.dumps(row))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
