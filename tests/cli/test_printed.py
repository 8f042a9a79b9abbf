"""Test what commands print for people: tables and the causes of differences, and refusals.

What reads their output may know few characters, be a file, or go away.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurorl.cli import main
from neurorl.cli.output import print_rows

AGENT = "zoo:gridworld-lif"


def test_validate_shows_where_and_why_arithmetics_differ(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lanes = "reference:float,reference:loihi"
    assert main(["validate", AGENT, "--backends", lanes, "--steps", "200"]) == 0
    printed = capsys.readouterr().out
    assert "reference:float and reference:loihi" in printed
    assert "step 1, neuron" in printed
    assert "the rounding of weights" in printed
    assert printed.rstrip().splitlines()[-1].startswith(f"within: run {AGENT}, 2")


def test_validate_shows_that_lanes_agree(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", AGENT, "--backends", "reference,brian2:numpy", "--steps", "40"]) == 0
    printed = capsys.readouterr().out
    assert "spikes of output" in printed
    assert "exact: run" in printed


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("evaluate", AGENT, "--env-arg", "a=1"), "--env-arg: is of --env, which isn't given"),
        (("evaluate", AGENT, "--wrap", "gymnasium.wrappers:TimeLimit"), "--wrap: is of --env"),
        (("plot", AGENT, "--out", "x.what"), "unknown kind of picture"),
    ],
)
def test_what_doesnt_fit_is_refused_in_a_line(
    words: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "neurorl", *words]
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, check=False
    )


GRID = ("train", "neurorl/GridWorld-v0", "--episodes", "1")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_output_of_few_characters_loses_no_result(encoding: str, tmp_path: Path) -> None:
    said = {"PYTHONIOENCODING": encoding}
    trained = run(tmp_path, *GRID, "--out", "\u03b1", **said)
    assert (trained.returncode, trained.stderr) == (0, b""), trained.stderr
    for words in (("compare", "\u03b1"), ("plot", "\u03b1", "--out", "\u03b1.png")):
        done = run(tmp_path, *words, **said)
        assert (done.returncode, done.stderr) == (0, b""), done.stderr
        text = done.stdout.decode(encoding)
        assert ("\u03b1" if encoding == "utf-8" else "\\u03b1") in text


@pytest.mark.parametrize("columns", ["10", "80", "200"])
def test_cells_are_whole_in_files(
    columns: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    cells = [f"set.policy.beta=0.{k}, " + "a" * 90 for k in range(3)]
    print_rows("key: what it is, other", [{"key": cell, "other": cell[::-1]} for cell in cells])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert all(
        cell in line and cell[::-1] in line for cell, line in zip(cells, lines[1:], strict=True)
    )


@pytest.mark.parametrize(
    "words",
    [
        ("backends",),
        ("zoo",),
        ("show", AGENT),
        ("compare", "run"),
        ("train", "neurorl/GridWorld-v0", "--seeds", "0..1", "--episodes", "1", "--out", "new"),
    ],
    ids=" ".join,
)
def test_nobody_reads_on(words: tuple[str, ...], tmp_path: Path) -> None:
    assert run(tmp_path, *GRID, "--out", "run").returncode == 0
    command = [sys.executable, "-m", "neurorl", *words]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
    assert process.returncode == 141


def test_settings_that_matplotlib_refuses_are_told(tmp_path: Path) -> None:
    assert run(tmp_path, *GRID, "--out", "run").returncode == 0
    done = run(tmp_path, "plot", "run", MPLBACKEND="nonsense")
    assert done.returncode == 2
    assert done.stderr.startswith(b"neurorl: Matplotlib: refuses its settings")
    assert done.stderr.count(b"\n") == 1
