"""A run that is killed and resumed ends as one that was not: SIGKILL, all backends."""

from __future__ import annotations

import csv
import json
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
backend, out, episodes, resume, env, overrides = sys.argv[1:]
out, episodes, resume = Path(out), int(episodes), resume == "1"
training.train(env, out, backend=backend, seed=4, episodes=episodes, resume=resume,
               arithmetic="loihi" if "writes" in overrides else None,
               overrides=None if resume else eval(overrides))
"""
EPISODES = 12
GRID = ("neurorl/GridWorld-v0", repr({"actors": 2, "hidden": 2}))
# Its policy is soon always one action, which is warned of.
UNCENTRED = {"rule": "agreement", "modulator": "reward", "alpha_critic": 0.0}
STUCK = ("CartPole-v1", repr({"actors": 5, "hidden": 2, "beta": 1.0, **UNCENTRED}))


def start(
    backend: str,
    out: Path,
    resume: bool,
    episodes: int = EPISODES,
    what: tuple[str, str] = GRID,
) -> subprocess.Popen[bytes]:
    arguments = [backend, str(out), str(episodes), "1" if resume else "0", *what]
    return subprocess.Popen([sys.executable, "-c", PROGRAM, *arguments])


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "episodes.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "wall_s"} for row in csv.DictReader(file)]


def summary(out: Path) -> dict[str, object]:
    found = json.loads((out / "summary.json").read_text())
    return {key: value for key, value in found.items() if key != "run"}


def kill_now_and_then(
    backend: str,
    out: Path,
    kills: int = 40,
    episodes: int = EPISODES,
    what: tuple[str, str] = GRID,
    apart: int = 1,
) -> int:
    """Start and kill the run, each time after *apart* more episodes; how often it was killed."""
    rng = np.random.default_rng(0)
    for killed in range(kills):
        process = start(backend, out, (out / "config.json").exists(), episodes, what)
        seen = len(rows(out)) if (out / "episodes.csv").exists() else 0
        deadline = time.monotonic() + 60
        # Wait for more episodes than before, then a moment that falls anywhere in the next.
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
            if (out / "episodes.csv").exists() and len(rows(out)) >= seen + apart:
                time.sleep(float(rng.uniform(0, 0.03)))
                break
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        if process.wait() == 0:
            return killed
    return kills


def same_files(out: Path, whole: Path) -> None:
    assert summary(out) == summary(whole)
    described, arrays = read_checkpoint(out / "checkpoint.npz")
    described_whole, arrays_whole = read_checkpoint(whole / "checkpoint.npz")
    assert described == described_whole
    assert set(arrays) == set(arrays_whole)
    for key in set(arrays) - {"episodes.wall_s"}:
        assert np.array_equal(arrays[key], arrays_whole[key]), key


@pytest.mark.parametrize(
    ("backend", "writes"),
    [
        *[(backend, None) for backend in ("reference", "brian2", "loihi")],
        *[("reference", "accumulate"), ("brian2", "register"), ("loihi", "stochastic")],
    ],
)
def test_killed_and_resumed_it_ends_the_same(
    backend: str, writes: str | None, tmp_path: Path
) -> None:
    what = GRID if writes is None else (GRID[0], repr({"actors": 2, "hidden": 2, "writes": writes}))
    assert start(backend, tmp_path / "whole", resume=False, what=what).wait() == 0
    out = tmp_path / "killed"
    kills = kill_now_and_then(backend, out, what=what)
    assert start(backend, out, resume=True, what=what).wait() == 0
    assert kills >= 3
    assert rows(out) == rows(tmp_path / "whole")
    assert len(rows(out)) == EPISODES
    same_files(out, tmp_path / "whole")
    assert not [p for p in out.iterdir() if p.suffix == ".npz" and p.name != "checkpoint.npz"]


def test_killed_and_resumed_it_ends_with_the_same_warnings(tmp_path: Path) -> None:
    """Killed before the window of the means is full, within it, and after the warning."""
    episodes = 60
    assert start("reference", tmp_path / "whole", False, episodes, STUCK).wait() == 0
    out = tmp_path / "killed"
    assert kill_now_and_then("reference", out, 5, episodes, STUCK, apart=11) >= 3
    assert start("reference", out, True, episodes, STUCK).wait() == 0
    assert rows(out) == rows(tmp_path / "whole")
    same_files(out, tmp_path / "whole")
    warnings = summary(out)["warnings"]
    assert isinstance(warnings, list)
    assert ("output", "stuck") in [(w["population"], w["kind"]) for w in warnings]


def test_a_finished_run_is_extended(tmp_path: Path) -> None:
    from neurorl.training import train

    small = {"actors": 2, "hidden": 2}
    train("neurorl/GridWorld-v0", tmp_path / "long", seed=4, episodes=5, overrides=small)
    train("neurorl/GridWorld-v0", tmp_path / "short", seed=4, episodes=2, overrides=small)
    summary = train("neurorl/GridWorld-v0", tmp_path / "short", episodes=5, resume=True)
    assert summary["episodes"] == 5
    assert rows(tmp_path / "short") == rows(tmp_path / "long")
