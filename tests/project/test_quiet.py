"""No warning of a simulator, of NumPy or of anything else reaches a user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

GRID = "neurorl/GridWorld-v0"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command with every warning shown, as Python does with ``-W default``."""
    return subprocess.run(
        [sys.executable, "-m", "neurorl", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("backend", ["reference", "native", "loihi"])
def test_a_run_says_nothing_but_its_result(backend: str, tmp_path: Path) -> None:
    train = ("train", GRID, "--backend", backend, "--episodes", "1", "--out", "r", "--json")
    commands = (
        train,
        ("evaluate", "r", "--episodes", "1", "--json"),
        ("show", "r", "--backend", backend),
    )
    for command in commands:
        done = run(tmp_path, *command)
        assert (done.returncode, done.stderr) == (0, ""), command


def test_lists_say_nothing_else(tmp_path: Path) -> None:
    for command in (("backends",), ("backends", "--json"), ("show", "glm", "--backend", "loihi")):
        done = run(tmp_path, *command)
        assert (done.returncode, done.stderr) == (0, ""), command
