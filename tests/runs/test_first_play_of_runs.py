"""A run whose agent is chosen by a first play goes on exactly, wherever it was stopped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neurorl.models.defaults import tasks as task_defaults
from neurorl.runs.training import train

FROZEN = "FrozenLake-v1"
SMALL: dict[str, Any] = {"actors": 1}


def digest(run: Path, steps: int, resume: bool = False) -> str:
    summary = train(FROZEN, run, steps=steps, resume=resume, seed=3, overrides=SMALL)
    return str(summary["digest"])


def never(*_: object) -> None:
    raise AssertionError("it has been played already")


def test_after_it_nothing_is_chosen_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = digest(tmp_path / "whole", 80)
    digest(tmp_path / "run", 33)
    chosen = json.loads((tmp_path / "run" / "config.json").read_text())["agent"]
    assert (chosen["reward_scale"], chosen["bias"]) == (2.0, False)
    monkeypatch.setattr(task_defaults, "first_play", never)
    assert digest(tmp_path / "run", 80, resume=True) == whole


def test_stopped_within_it_a_run_hasnt_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, whole = tmp_path / "run", digest(tmp_path / "whole", 40)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(task_defaults, "first_play", stopped)
        with pytest.raises(KeyboardInterrupt):
            digest(run, 40)
    assert not run.exists()
    assert digest(run, 40) == whole  # by the same command


KILLED = f"""
import os, signal, sys
from pathlib import Path
from neurorl.models.defaults import tasks as task_defaults
from neurorl.runs.training import train
from neurorl.tasks import first_play

where, run = sys.argv[1], Path(sys.argv[2])

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if where == "within":
    first_play.Answers.step = kill
train({FROZEN!r}, run, steps=60, seed=3, overrides={SMALL!r}, callback=kill)
"""


@pytest.mark.slow
@pytest.mark.parametrize("where", ["within", "after"])
def test_killed_runs_go_on(where: str, tmp_path: Path) -> None:
    run, whole = tmp_path / "run", digest(tmp_path / "whole", 60)
    ended = subprocess.run([sys.executable, "-c", KILLED, where, str(run)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert run.exists() == (where == "after")
    assert digest(run, 60, resume=run.exists()) == whole
