"""Test the chip's path with a stand-in for NxSDK; nothing here has met a chip.

nengo-loihi decides when it is imported whether NxSDK is there, so ``tests/stand_in/test_*.py`` run
in processes of their own, which find the package ``nxsdk`` beside them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STAND_IN = Path(__file__).parents[2] / "stand_in"
FILES = sorted(path.name for path in STAND_IN.glob("test_*.py"))


@pytest.mark.parametrize("name", FILES)
def test_with_the_stand_in(name: str) -> None:
    path = os.pathsep.join([str(STAND_IN), *filter(None, [os.environ.get("PYTHONPATH")])])
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--show-capture=no"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(STAND_IN / name)],
        cwd=STAND_IN.parents[1],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout


def test_there_are_such_tests() -> None:
    assert len(FILES) >= 4
