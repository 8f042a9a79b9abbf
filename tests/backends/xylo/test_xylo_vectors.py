"""Test the vectors of Xylo's neurons: files, the model beside them, and what the check says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from load_script import load_script

ROOT = Path(__file__).parents[3]
CHECK = ROOT / "conformance" / "check_xylo.py"
CASE = "network-03"


def check(*arguments: object) -> tuple[int, str]:
    command = [sys.executable, str(CHECK), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def arrays() -> dict[str, Any]:
    with np.load(CHECK.parent / "xylo" / f"{CASE}.npz") as file:
        return {key: file[key] for key in file}


def test_files_hold_what_the_model_beside_them_plays() -> None:
    status, text = check()
    assert status == 0, text
    assert text.count(": equal") == 20


def test_files_are_as_they_would_be_made() -> None:
    """Play each again on the reference, and on xylosim where that is installed."""
    assert load_script("xylo_conformance").main(["--check"]) == 0


@pytest.mark.parametrize("kind", ["count", "current", "voltage"])
def test_one_wrong_number_is_found(kind: str, tmp_path: Path) -> None:
    found = {key: x for key, x in arrays().items() if key.rpartition(".")[2] in ("count", kind)}
    key = next(x for x in found if x.endswith(kind))
    found[key] = found[key].astype(np.int64)
    np.savez(tmp_path / f"{CASE}.npz", **found)
    assert check(tmp_path, CASE) == (0, f"{CASE}: equal\n")
    found[key][7, 1] += 1
    np.savez(tmp_path / f"{CASE}.npz", **found)
    status, text = check(tmp_path, CASE)
    assert status == 1
    assert f"{CASE}: {key}: step 7, neuron 1: " in text


def test_wrong_use(tmp_path: Path) -> None:
    assert check(tmp_path / "none")[0] == 2
    assert check(tmp_path, "network-99")[0] == 2
    status, text = check(tmp_path, CASE)
    assert status == 1
    assert "can't be read" in text
    np.savez(tmp_path / f"{CASE}.npz", nothing=np.zeros(1))
    status, text = check(tmp_path, CASE)
    assert status == 1
    assert ".count is missing" in text
