"""Hold the test vectors of conformance/ to what the emulators do, and their checker to its word."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from load_script import load_script

SCRIPT = load_script("conformance")
FOLDER: Path = SCRIPT.FOLDER
CHECK: Any = SCRIPT.checker()
NAMES: list[str] = CHECK.names()


@pytest.mark.parametrize("name", NAMES)
def test_files_hold_what_nengo_loihi_and_the_reference_do(name: str) -> None:
    """Make each case anew on both, and compare it with the stored files."""
    data, _, _ = SCRIPT.make(SCRIPT.CASES[name], CHECK)
    stored, arrays = CHECK.load(name)
    assert data == stored
    assert CHECK.digest(arrays) == data["sha256"]


def test_every_case_has_its_file() -> None:
    assert sorted(SCRIPT.CASES) == NAMES


def _write(folder: Path, name: str, arrays: dict[str, Any]) -> None:
    np.savez(folder / f"{name}.npz", **arrays)


@pytest.mark.parametrize("name", NAMES)
def test_the_checker_names_the_first_difference(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, arrays = CHECK.load(name)
    expected = {key: arrays[key].copy() for key in case["expected"]}
    _write(tmp_path, name, expected)
    assert CHECK.main([str(tmp_path), name]) == 0
    key = next(key for key in sorted(expected) if key.endswith(".spikes"))
    expected[key][37, 2] ^= 1
    _write(tmp_path, name, expected)
    assert CHECK.main([str(tmp_path), name]) == 1
    assert f"{key}: 1 of" in (line := capsys.readouterr().out.splitlines()[-1])
    assert "step 37, index (2,)" in line


def test_the_checker_refuses_what_it_cant_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "decays.npz").write_bytes(b"no file of arrays")
    assert CHECK.main([str(tmp_path), "decays"]) == 1
    assert CHECK.main([str(tmp_path), "bias"]) == 1
    _write(tmp_path, "bias", {"cells.current": np.zeros(3)})
    assert CHECK.main([str(tmp_path), "bias"]) == 1
    assert CHECK.main([str(tmp_path), "no-such-case"]) == 2
    said = capsys.readouterr().out
    for words in ("can't be read", "bias.npz", "holds no POPULATION.spikes", "no case no-such"):
        assert words in said


def test_a_changed_file_of_a_case_is_noticed(tmp_path: Path) -> None:
    copy = tmp_path / "conformance"
    shutil.copytree(FOLDER, copy)
    with np.load(copy / "vectors" / "decays.npz") as file:
        arrays = dict(file)
    arrays["cells.voltage"][5, 5] += 1
    np.savez(copy / "vectors" / "decays.npz", **arrays)
    done = subprocess.run([sys.executable, copy / "check.py"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "decays: the file of the case was changed" in done.stdout
    assert done.stdout.count("equal") == len(NAMES) - 1


@pytest.mark.parametrize("fault", ["decay", "wrap", "dead", "order"])
def test_a_wrong_model_fails(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Break the model of the checker in one place: some case must notice."""
    if fault == "decay":  # rounded down, not towards zero
        monkeypatch.setattr(CHECK, "left", lambda x, factor: (x * factor) >> 12)
    elif fault == "wrap":
        monkeypatch.setattr(CHECK, "wrap", lambda x, bits: np.clip(x, -(1 << bits), 1 << bits))
    elif fault == "dead":
        monkeypatch.setattr(CHECK.Neurons, "__init__", _without_dead_steps(CHECK.Neurons.__init__))
    else:
        monkeypatch.setattr(CHECK.Synapses, "arrived", _a_step_early(CHECK.Synapses.arrived))
    wrong = [name for name in NAMES if CHECK.problem_of(name, None) is not None]
    assert wrong


def _without_dead_steps(made: Any) -> Any:
    def make(self: Any, description: Any) -> None:
        made(self, {**description, "refractory": [0] * description["size"]})

    return make


def _a_step_early(arrived: Any) -> Any:
    return lambda self, spikes, t: arrived(self, spikes, t + 1 if self.delay > 1 else t)


@pytest.mark.witness("brian2_loihi")
def test_brian2_loihi_computes_the_same(tmp_path: Path) -> None:
    """Run the adapter: what it can hold must be equal, and that is six cases."""
    adapter = FOLDER / "adapters" / "run_brian2_loihi.py"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", adapter, tmp_path], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ran = done.stdout.split()
    assert ran == ["at-threshold", "decays", "delays", "recurrent", "refractory", "uniform"]
    assert CHECK.main([str(tmp_path), *ran]) == 0
