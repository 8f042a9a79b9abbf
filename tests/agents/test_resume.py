"""A run that is killed and resumed ends as one that was not: at random moments, all backends."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attacker import Attack, Attacker

from neurorl.agents.checkpoint import read_checkpoint

EPISODES = 48
LONGEST_DELAY = 0.003  # seconds
Task = tuple[str, dict[str, Any]]
GRID: Task = ("neurorl/GridWorld-v0", {"actors": 2, "hidden": 2})
# Its policy is soon always one action, which is warned of.
UNCENTRED = {"rule": "agreement", "modulator": "reward", "critic.alpha": 0.0}
STUCK: Task = ("CartPole-v1", {"actors": 5, "hidden": 2, "policy.beta": 1.0, **UNCENTRED})


@pytest.fixture(scope="module")
def attacker() -> Iterator[Attacker]:
    """Start the process whose children train, with a checkpoint after every episode.

    So kills fall between and inside of episodes. A timer whose signal nobody handles ends a child
    as SIGKILL would. The child sets it itself: a process that watched from outside would come too
    late where episodes take a millisecond.
    """
    with Attacker(["neurorl.backends.native", "neurorl.backends.loihi"]) as started:
        yield started


def run(
    attacker: Attacker,
    backend: str,
    out: Path,
    *,
    episodes: int = EPISODES,
    what: Task = GRID,
    kill_after: int = 0,
    delay: float = 0.0,
) -> int:
    """Start or go on, until it ends or some time after *kill_after* more episodes; exit status."""
    resume = (out / "config.json").exists()
    env, overrides = what
    options: dict[str, Any] = {"env": env, "path": str(out), "backend": backend, "seed": 4}
    options |= {"episodes": episodes, "resume": resume, "overrides": None if resume else overrides}
    options |= {"arithmetic": "loihi" if "writes" in overrides else None}
    options |= {"kill_after": kill_after, "delay": delay}
    return attacker.run(Attack("train_for", options)).status


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "episodes.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "wall_s"} for row in csv.DictReader(file)]


def summary(out: Path) -> dict[str, object]:
    found = json.loads((out / "summary.json").read_text())
    return {key: value for key, value in found.items() if key != "run"}


def kill_now_and_then(
    attacker: Attacker,
    backend: str,
    out: Path,
    *,
    kills: int = 6,
    episodes: int = EPISODES,
    what: Task = GRID,
    apart: int = 1,
) -> None:
    """Start and kill the run again and again, each time after at least *apart* more episodes."""
    rng = np.random.default_rng(0)
    for _ in range(kills):
        delay = float(rng.uniform(1e-6, LONGEST_DELAY))
        options: dict[str, Any] = {"kill_after": apart, "delay": delay}
        found = run(attacker, backend, out, episodes=episodes, what=what, **options)
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
        *[(backend, None) for backend in ("reference", "native", "loihi")],
        *[("native", "register"), ("loihi", "stochastic")],
        pytest.param("reference", "accumulate", marks=pytest.mark.slow),
        pytest.param("loihi", "pes", marks=pytest.mark.slow),
    ],
)
def test_killed_and_resumed_it_ends_the_same(
    backend: str, writes: str | None, attacker: Attacker, tmp_path: Path
) -> None:
    field = "learning" if writes == "pes" else "writes"
    what = GRID if writes is None else (GRID[0], {**GRID[1], field: writes})
    assert run(attacker, backend, tmp_path / "whole", what=what) == 0
    out = tmp_path / "killed"
    kill_now_and_then(attacker, backend, out, what=what)
    assert run(attacker, backend, out, what=what) == 0
    assert rows(out) == rows(tmp_path / "whole")
    assert len(rows(out)) == EPISODES
    same_files(out, tmp_path / "whole")
    assert not [p for p in out.iterdir() if p.suffix == ".npz" and p.name != "checkpoint.npz"]


def test_killed_and_resumed_it_ends_with_the_same_warnings(
    attacker: Attacker, tmp_path: Path
) -> None:
    """Runs are killed before the window of the means is full, within it, and after the warning."""
    episodes = 80
    assert run(attacker, "reference", tmp_path / "whole", episodes=episodes, what=STUCK) == 0
    out = tmp_path / "killed"
    kill_now_and_then(attacker, "reference", out, kills=4, episodes=episodes, what=STUCK, apart=11)
    assert run(attacker, "reference", out, episodes=episodes, what=STUCK) == 0
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
