"""Hold the report of `neurorl.conformance` to what ran, with backends that are right and wrong."""

from __future__ import annotations

import getpass
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xylo_vendor import needs_xylosim

from neurorl.backends.checks import Inputs
from neurorl.backends.loihi import LoihiSimulator
from neurorl.backends.reference import ReferenceSimulator
from neurorl.backends.simulator import State
from neurorl.backends.window import Raster
from neurorl.conformance.__main__ import main, report, without_paths
from neurorl.conformance.vectors import BURST, CHIPS, ERROR_STEP, N_STEPS, make_vector

FEW = 6


def results(made: dict[str, Any]) -> list[str]:
    return [row["result"] for row in made["vectors"]]


class Late(ReferenceSimulator):
    """Let no neuron spike in step 41."""

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        spikes = super().step(inputs, n_steps)
        if self.time(0) == 42:
            spikes = {name: np.zeros_like(raster) for name, raster in spikes.items()}
        return spikes


class OneMore(ReferenceSimulator):
    """Show membranes that are 3 larger from step 10 on, with the spikes as they are."""

    def state(self, replica: int) -> State:
        state = super().state(replica)
        late = 3 * (self.time(replica) > 10)
        return {k: v + late if k.endswith("voltage") else v for k, v in state.items()}


class Unlearning(LoihiSimulator):
    """Learn nothing, whatever the errors."""

    def learn(self, inputs: Inputs, errors: Any, n_steps: int) -> dict[str, Raster]:
        return super().learn(inputs, {name: 0 * e for name, e in errors.items()}, n_steps)


class Broken(ReferenceSimulator):
    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        raise OSError("no answer from /home/someone/board/port 7 on C:\\Users\\someone\\x")


@pytest.mark.parametrize(
    ("chip", "backend"),
    [
        ("loihi", ""),
        ("loihi", "loihi"),
        ("loihi", "native"),
        ("xylo", "native"),
        pytest.param("xylo", "", marks=needs_xylosim),
    ],
)
def test_a_right_backend_is_equal_in_every_vector(chip: str, backend: str) -> None:
    made = report(chip, backend, FEW)
    assert results(made) == ["equal"] * FEW
    assert made["read"][1:3] == ["learning off: 3 equal of 3", "learning on: 3 equal of 3"]
    assert all(len(row["compared"]) >= 6 for row in made["vectors"])
    ran = {row["target"] for row in made["vectors"]}
    assert ran == {"cpu" if backend == "native" else "emulator"}


@pytest.mark.parametrize("chip", CHIPS)
def test_a_spike_too_few_is_named_with_its_step(chip: str) -> None:
    made = report(chip, Late, FEW)
    assert made["backend"] == "Late"
    wrong = [row["first"] for row in made["vectors"] if row["result"] == "differs"]
    assert wrong
    for first in wrong:
        assert (first["step"], first["got"], first["expected"], first["by"]) == (41, 0, 1, -1)
        assert first["what"].endswith(".spikes")
        assert f"step 41, what {first['what']}" in "\n".join(made["read"])


def test_a_membrane_is_named_with_how_much_it_is_off() -> None:
    for row in report("loihi", OneMore, 2)["vectors"]:
        assert row["first"]["what"] == "cells.voltage"
        assert (row["first"]["step"], row["first"]["neuron"], row["first"]["by"]) == (10, 0, 3)


def test_what_learns_nothing_differs_where_vectors_learn_and_only_there() -> None:
    made = report("loihi", Unlearning, FEW)
    assert results(made) == ["equal", "differs"] * (FEW // 2)
    learned = {row["first"]["step"] % BURST for row in made["vectors"][1::2]}
    assert learned == {2}  # with the burst after the first error


def test_a_backend_that_fails_is_reported_without_paths() -> None:
    made = report("xylo", Broken, 2)
    assert results(made) == ["refused"] * 2
    said = json.dumps(made)
    assert "OSError: no answer from PATH" in said
    assert "someone" not in said
    assert made["read"][1] == "learning off: 1 refused of 1"


def test_vectors_follow_from_the_seed() -> None:
    digests = {seed: report("xylo", "reference", 2, seed)["sha256_of_vectors"] for seed in (0, 1)}
    assert report("xylo", "native", 2, 0)["sha256_of_vectors"] == digests[0]
    assert digests[0] != digests[1]


@given(number=st.integers(0, 10**6), seed=st.integers(0, 2**32))
def test_learning_has_nothing_to_round(number: int, seed: int) -> None:
    """Errors come where every trace is 0 or that of one spike, and move weights by whole steps."""
    vector = make_vector("loihi", 2 * number + 1, seed)
    assert vector.errors is not None
    given_in = np.flatnonzero(vector.errors.any(axis=1))
    spiked_in = np.flatnonzero(vector.inputs["input"].any(axis=1))
    assert set(given_in % BURST) <= {2}
    assert set(given_in % 4) <= {2}
    assert set(spiked_in % BURST) <= {1}
    assert not (vector.errors % ERROR_STEP).any()
    assert vector.errors.shape[0] == N_STEPS


@given(st.lists(st.from_regex(r"[\w.-]{1,8}", fullmatch=True), min_size=2, max_size=5))
def test_no_path_is_left_in_a_message(parts: list[str]) -> None:
    for path in ("/" + "/".join(parts), "~/" + "/".join(parts), "C:\\" + "\\".join(parts)):
        assert without_paths(f"can't read '{path}'") == "can't read 'PATH'"
    assert without_paths("1/2 of it, and/or 3 us/step") == "1/2 of it, and/or 3 us/step"


def test_the_command_writes_one_file_that_tells_no_names(tmp_path: Path) -> None:
    words = ["-m", "neurorl.conformance", "loihi", "--backend", "native", "--vectors", "2"]
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    (file,) = tmp_path.iterdir()
    assert file.name == "conformance-loihi.json"
    made = json.loads(file.read_text())
    assert done.stdout.splitlines() == made["read"]
    assert not re.search(rf"{getpass.getuser()}|/home|/tmp|{re.escape(str(tmp_path))}", str(made))
    assert {"system", "machine"} == set(made["host"])


def test_what_is_not_installed_is_one_line_and_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "xylosim", None)
    for name in ("simulator", "vendor"):  # where another test has imported them
        monkeypatch.delitem(sys.modules, f"neurorl.backends.xylo.{name}", raising=False)
    out = tmp_path / "report.json"
    assert main(["xylo", "--vectors", "2", "--out", str(out)]) == 2
    assert not out.exists()
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "pip install xylosim" in told[0]


@pytest.mark.parametrize(
    ("out", "remedy"),
    [
        ("", "name a file in it"),
        (".", "name a file in it"),
        ("none/x.json", "make its folder"),
        ("file/x.json", "name another folder"),
        ("x" * 300, "take a shorter name"),
    ],
)
def test_a_report_that_cannot_be_written_is_refused_before_anything_runs(
    out: str,
    remedy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    ran: list[object] = []
    monkeypatch.setattr(
        "neurorl.conformance.__main__.play", lambda *arguments: ran.append(arguments)
    )
    assert main(["loihi", "--vectors", "1", "--out", out]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert remedy in told
    assert not ran
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_board_s_adapter_without_xylosim_is_one_line() -> None:
    script = Path(__file__).parents[2] / "conformance" / "adapters" / "run_xylo_board.py"
    hidden = "import runpy, sys; sys.modules['xylosim'] = None; "
    words = ["-c", hidden + f"runpy.run_path({str(script)!r}, run_name='__main__')"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (told,) = done.stderr.splitlines()
    assert "pip install" in told


def test_what_differs_is_the_exit_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "report.json")
    words = ["--vectors", "1", "--out", out]
    assert main(["xylo", "--backend", "native", *words]) == 0
    assert main(["loihi", "--backend", "no-such", *words]) == 2
    assert main(["xylo", "--backend", "native", "--vectors", "0"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "no-such" in said[0]
    assert "vectors" in said[1]
