"""`--backend` takes a whole spec; what other flags contradict is refused before all else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neurorl import SpikingActorCritic
from neurorl.backends.spec import BackendSpec
from neurorl.cli import main

GRID = "neurorl/GridWorld-v0"


def files(run: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((run / "config.json").read_text())
    return config


def test_a_run_of_a_spec_is_that_of_its_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    common = ["train", GRID, "--episodes", "1", "--json", "--out"]
    flags = ["--backend", "brian2", "--arithmetic", "loihi", "--noise", "chip"]
    assert main([*common, str(one), *flags]) == 0
    assert main([*common, str(other), "--backend", "brian2:numpy:loihi+chip"]) == 0
    assert (one / "config.json").read_bytes() == (other / "config.json").read_bytes()
    shown = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert shown[0]["digest"] == shown[1]["digest"]
    results = []
    for backend in (["--backend", "reference:loihi"], ["--backend", "reference"]):
        arithmetic = [] if ":" in backend[1] else ["--arithmetic", "loihi"]
        assert main(["evaluate", str(one), *backend, *arithmetic, "--episodes", "1", "--json"]) == 0
        results.append(capsys.readouterr().out)
    assert results[0] == results[1]


@pytest.mark.parametrize("command", [["train", GRID], ["evaluate", "nowhere"], ["show", "lif"]])
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--backend", "brian2:loihi", "--arithmetic", "float"], "arithmetic is said twice"),
        (["--backend", "brian2:loihi+chip", "--noise", "exact"], "noise is said twice"),
        (["--backend", "loihi:target=loihi", "--target", "emulator"], "target is said twice"),
        (["--backend", "brian2:cyton"], "did you mean 'cython'"),
    ],
)
def test_a_contradiction_is_one_line_and_status_2(
    command: list[str], flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *flags]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_an_agent_takes_a_spec() -> None:
    for backend in ("brian2:numpy:loihi", BackendSpec("brian2", "loihi", engine="numpy")):
        agent = SpikingActorCritic(GRID, backend=backend, seed=1)
        assert (agent.backend_name, agent.arithmetic) == ("brian2", "loihi")
        assert agent.backend.engine == "numpy"  # type: ignore[attr-defined]
        agent.close()
