"""A run that is killed and resumed ends as one that was not: at random moments, all backends."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurorl.agents.checkpoint import read_checkpoint

# A process of its own, checkpointing after every episode so that kills fall between and inside. A
# timer whose signal nobody handles ends it as SIGKILL would. The process sets it itself: one that
# watched from outside would come too late where episodes take a millisecond.
PROGRAM = """
import signal, sys
from pathlib import Path
from neurorl.runs import session, training
session.CHECKPOINT_SECONDS = 0.0
backend, out, episodes, resume, kill_after, delay, env, overrides = sys.argv[1:]
out, episodes, resume, left = Path(out), int(episodes), resume == "1", int(kill_after)
def count(_):
    global left
    left -= 1
    if left == 0:
        signal.setitimer(signal.ITIMER_REAL, float(delay))
training.train(env, out, backend=backend, seed=4, episodes=episodes, resume=resume,
               arithmetic="loihi" if "writes" in overrides else None, callback=count,
               overrides=None if resume else eval(overrides))
"""
EPISODES = 48
LONGEST_DELAY = 0.003  # seconds
GRID = ("neurorl/GridWorld-v0", repr({"actors": 2, "hidden": 2}))
# Its policy is soon always one action, which is warned of.
UNCENTRED = {"rule": "agreement", "modulator": "reward", "alpha_critic": 0.0}
STUCK = ("CartPole-v1", repr({"actors": 5, "hidden": 2, "beta": 1.0, **UNCENTRED}))


def run(
    backend: str,
    out: Path,
    *,
    episodes: int = EPISODES,
    what: tuple[str, str] = GRID,
    kill_after: int = 0,
    delay: float = 0.0,
) -> int:
    """Start or go on, until it ends or some time after *kill_after* more episodes; exit status."""
    resume = (out / "config.json").exists()
    options = [str(episodes), "1" if resume else "0", str(kill_after), str(delay)]
    arguments = [sys.executable, "-c", PROGRAM, backend, str(out), *options, *what]
    return subprocess.run(arguments, check=False).returncode


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "episodes.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "wall_s"} for row in csv.DictReader(file)]


def summary(out: Path) -> dict[str, object]:
    found = json.loads((out / "summary.json").read_text())
    return {key: value for key, value in found.items() if key != "run"}


def kill_now_and_then(
    backend: str,
    out: Path,
    *,
    kills: int = 6,
    episodes: int = EPISODES,
    what: tuple[str, str] = GRID,
    apart: int = 1,
) -> None:
    """Start and kill the run again and again, each time after at least *apart* more episodes."""
    rng = np.random.default_rng(0)
    for _ in range(kills):
        delay = float(rng.uniform(1e-6, LONGEST_DELAY))
        found = run(backend, out, episodes=episodes, what=what, kill_after=apart, delay=delay)
        assert found == -signal.SIGALRM
        assert not (out / "summary.json").exists()


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
        ("loihi", "pes"),
    ],
)
def test_killed_and_resumed_it_ends_the_same(
    backend: str, writes: str | None, tmp_path: Path
) -> None:
    field = "learning" if writes == "pes" else "writes"
    what = GRID if writes is None else (GRID[0], repr({"actors": 2, "hidden": 2, field: writes}))
    assert run(backend, tmp_path / "whole", what=what) == 0
    out = tmp_path / "killed"
    kill_now_and_then(backend, out, what=what)
    assert run(backend, out, what=what) == 0
    assert rows(out) == rows(tmp_path / "whole")
    assert len(rows(out)) == EPISODES
    same_files(out, tmp_path / "whole")
    assert not [p for p in out.iterdir() if p.suffix == ".npz" and p.name != "checkpoint.npz"]


def test_killed_and_resumed_it_ends_with_the_same_warnings(tmp_path: Path) -> None:
    """Runs are killed before the window of the means is full, within it, and after the warning."""
    episodes = 80
    assert run("reference", tmp_path / "whole", episodes=episodes, what=STUCK) == 0
    out = tmp_path / "killed"
    kill_now_and_then("reference", out, kills=4, episodes=episodes, what=STUCK, apart=11)
    assert run("reference", out, episodes=episodes, what=STUCK) == 0
    assert rows(out) == rows(tmp_path / "whole")
    same_files(out, tmp_path / "whole")
    warnings = summary(out)["warnings"]
    assert isinstance(warnings, list)
    assert ("output", "stuck") in [(w["population"], w["kind"]) for w in warnings]


def test_a_finished_run_is_extended(tmp_path: Path) -> None:
    from neurorl.runs.training import train

    small = {"actors": 2, "hidden": 2}
    train("neurorl/GridWorld-v0", tmp_path / "long", seed=4, episodes=5, overrides=small)
    train("neurorl/GridWorld-v0", tmp_path / "short", seed=4, episodes=2, overrides=small)
    summary = train("neurorl/GridWorld-v0", tmp_path / "short", episodes=5, resume=True)
    assert summary["episodes"] == 5
    assert rows(tmp_path / "short") == rows(tmp_path / "long")
