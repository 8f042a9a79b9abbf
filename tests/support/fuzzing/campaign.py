"""Try many inputs on every target, each in processes of its own: a row of a table for each."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fuzzing.run import TARGETS

_AT_ONCE = 5000  # inputs of one process: hypothesis remembers them all
COLUMNS = ("target", "inputs", "refused", "failed", "peak MB", "slowest s")


@dataclasses.dataclass
class Row:
    """Count what came of a target. refused: by an error of ours; the others were valid."""

    target: str
    inputs: int = 0
    refused: int = 0
    failed: int = 0
    peak_mb: float = 0.0
    slowest: float = 0.0
    failures: list[str] = dataclasses.field(default_factory=list)

    def add(self, found: dict[str, Any]) -> None:
        self.inputs += found["inputs"]
        self.refused += found["refused"]
        self.failed += found["failed"]
        self.peak_mb = max(self.peak_mb, found["peak_mb"])
        self.slowest = max(self.slowest, found["slowest"])
        self.failures += found["failures"]

    def cells(self) -> list[str]:
        """Return the row as text, in the order of `COLUMNS`."""
        counts = [str(n) for n in (self.inputs, self.refused, self.failed)]
        return [self.target, *counts, f"{self.peak_mb:.0f}", f"{self.slowest:.2f}"]


def shares(inputs: int) -> dict[str, int]:
    """Return how many of all inputs each target gets, of those whose packages are installed."""
    able = {n: t for n, t in TARGETS.items() if all(find_spec(need) for need in t.needs)}
    whole = sum(target.weight for target in able.values())
    return {name: -(-inputs * target.weight // whole) for name, target in able.items()}


def campaign(inputs: int, seed: int, told: Callable[[Row], None]) -> list[Row]:
    """Try so many *inputs* in all; *told* of each row when it is done."""
    rows = []
    for name, share in shares(inputs).items():
        row = Row(name)
        while share > 0:
            row.add(_in_a_process(name, min(share, _AT_ONCE), seed))
            share -= _AT_ONCE
            seed += 1
        rows.append(row)
        told(row)
    return rows


def _in_a_process(name: str, inputs: int, seed: int) -> dict[str, Any]:
    """Return the tally of one target; a process that dies has failed, its attempts don't count."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-m", "fuzzing.run", name, str(inputs), str(seed)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found
    last = done.stderr.strip().splitlines()[-1:] or ["no word"]
    died = f"the process ended with {done.returncode} (seed {seed}): {last[0][:300]}"
    empty = {"inputs": 0, "refused": 0, "peak_mb": 0.0, "slowest": 0.0}
    return {**empty, "failed": 1, "failures": [died]}
