"""Test what commands print for people: tables and the causes of differences, and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest

from neurorl.cli import main

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
