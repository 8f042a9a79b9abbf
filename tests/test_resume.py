"""A run that is killed and resumed ends as one that was not: SIGKILL, all backends."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neurorl.checkpoint import read_checkpoint

# A process of its own, checkpointing after every episode so that kills fall between and inside.
PROGRAM = """
import sys
from pathlib import Path
from neurorl import training
training.CHECKPOINT_SECONDS = 0.0
backend, out, episodes, resume = sys.argv[1:]
out, episodes, resume = Path(out), int(episodes), resume == "1"
training.train("neurorl/GridWorld-v0", out, backend=backend, seed=4, episodes=episodes,
               resume=resume, overrides=None if resume else {"actors": 2, "hidden": 2})
"""
EPISODES = 12


def start(backend: str, out: Path, resume: bool) -> subprocess.Popen[bytes]:
    arguments = [backend, str(out), str(EPISODES), "1" if resume else "0"]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments])


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "episodes.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "wall_s"} for row in csv.DictReader(file)]


@pytest.mark.parametrize("backend", ["reference", "brian2", "loihi"])
def test_killed_and_resumed_it_ends_the_same(backend: str, tmp_path: Path) -> None:
    assert start(backend, tmp_path / "whole", resume=False).wait() == 0
    out = tmp_path / "killed"
    kills = 0
    rng = np.random.default_rng(0)
    for _ in range(40):
        process = start(backend, out, resume=(out / "config.json").exists())
        seen = len(rows(out)) if (out / "episodes.csv").exists() else 0
        deadline = time.monotonic() + 60
        # Wait for one more episode than before, then a moment that falls anywhere in the next.
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
            if (out / "episodes.csv").exists() and len(rows(out)) > seen:
                time.sleep(float(rng.uniform(0, 0.03)))
                break
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        if process.wait() == 0:
            break
        kills += 1
    assert start(backend, out, resume=True).wait() == 0
    assert kills >= 3
    assert rows(out) == rows(tmp_path / "whole")
    assert len(rows(out)) == EPISODES
    described, arrays = read_checkpoint(out / "checkpoint.npz")
    described_whole, arrays_whole = read_checkpoint(tmp_path / "whole" / "checkpoint.npz")
    assert described == described_whole
    assert set(arrays) == set(arrays_whole)
    for key in set(arrays) - {"episodes.wall_s"}:
        assert np.array_equal(arrays[key], arrays_whole[key]), key
    assert not [p for p in out.iterdir() if p.suffix == ".npz" and p.name != "checkpoint.npz"]


def test_a_finished_run_is_extended(tmp_path: Path) -> None:
    from neurorl.training import train

    small = {"actors": 2, "hidden": 2}
    train("neurorl/GridWorld-v0", tmp_path / "long", seed=4, episodes=5, overrides=small)
    train("neurorl/GridWorld-v0", tmp_path / "short", seed=4, episodes=2, overrides=small)
    summary = train("neurorl/GridWorld-v0", tmp_path / "short", episodes=5, resume=True)
    assert summary["episodes"] == 5
    assert rows(tmp_path / "short") == rows(tmp_path / "long")
