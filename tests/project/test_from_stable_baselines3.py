"""The two programs of a page do the same, run, and differ in the few lines that it says."""

from __future__ import annotations

import difflib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "from-stable-baselines3.md").read_text()
THEIRS, OURS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
CHANGED = 6


def changed_lines(before: str, after: str) -> int:
    """Return how many lines of one program are others, or aren't, in the other one."""
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), False)
    return sum(max(b - a, d - c) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal")


def printed(program: str, folder: Path, *options: str) -> list[str]:
    """Run a program; return what its lines are about."""
    command = [sys.executable, *options, "-c", program]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=folder, env=alone, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [line.rpartition(" ")[0] for line in done.stdout.splitlines()]


SAID = ["steps in all", "return of an episode", "mean return"]


def test_few_lines_change() -> None:
    assert changed_lines(THEIRS, OURS) == CHANGED
    assert PAGE.count("Six lines") == 1
    assert len(THEIRS.splitlines()) > 35


def test_changed_lines_are_counted() -> None:
    assert changed_lines("a\nb\nc", "a\nB\nc\nd") == 2


def test_our_program_runs(tmp_path: Path) -> None:
    assert printed(OURS, tmp_path, "-W", "error") == SAID


@pytest.mark.skipif(
    importlib.util.find_spec("stable_baselines3") is None,
    reason="needs Stable-Baselines3: pip install 'neurorl[baselines]'",
)
def test_their_program_runs(tmp_path: Path) -> None:
    assert printed(THEIRS, tmp_path) == SAID
