"""Train runs in several processes: the files of one process, whatever happens to the others."""

from __future__ import annotations

import _thread
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from neurorl.agents.episodes import Episode
from neurorl.cli import main
from neurorl.errors import ArgumentError, EnvironmentWarning, RunError
from neurorl.models.features import Tiles
from neurorl.runs import parallel
from neurorl.runs.training import train_seeds

BANDIT, CAR = "neurorl/Bandit-v0", "MountainCar-v0"
CAR_EPISODES = 12  # of 200 steps: long enough to be broken off

pytestmark = pytest.mark.skipif(not hasattr(os, "setsid"), reason="no POSIX signals")


def places(out: Path, n: int) -> list[tuple[int | None, Path]]:
    """Return seeds from 0 on, each with its run directory."""
    return [(seed, out / f"seed{seed}") for seed in range(n)]


def kept(out: Path) -> dict[str, bytes]:
    """Return all files of runs, without the seconds of episodes and their own folder's name."""
    files = {}
    for path in sorted(out.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            if path.name == "episodes.csv":
                rows = [row.split(b",") for row in data.splitlines()]
                data = b"\n".join(b",".join([*row[:4], *row[5:]]) for row in rows)
            files[str(path.relative_to(out))] = data.replace(os.fsencode(out), b"OUT")
    return files


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of four runs that one process has trained without a break."""
    out = tmp_path_factory.mktemp("whole")
    train_seeds(CAR, places(out, 4), episodes=CAR_EPISODES)
    return kept(out)


def test_files_and_summaries_are_those_of_one_process(tmp_path: Path) -> None:
    seen: list[Episode] = []
    said: list[tuple[int, int]] = []
    one, three = tmp_path / "one", tmp_path / "three"
    alone = train_seeds(BANDIT, places(one, 5), episodes=40)
    together = train_seeds(
        BANDIT,
        places(three, 5),
        episodes=40,
        jobs=3,
        callback=seen.append,
        started=lambda *progress: said.append(progress),
    )
    assert kept(one) == kept(three)
    assert [{**row, "run": ""} for row in alone] == [{**row, "run": ""} for row in together]
    assert sorted(e.episode for e in seen) == sorted([*range(40)] * 5)
    assert said == [(0, 200)]
    # Extended, two of them begun by nobody: as if one process had done it all.
    for out, jobs in ((one, 1), (three, 2)):
        with pytest.raises(RunError, match="already exists"):
            train_seeds(BANDIT, places(out, 7), jobs=jobs, episodes=50)
        train_seeds(BANDIT, places(out, 7), jobs=jobs, resume=True, episodes=50)
    assert kept(one) == kept(three)
    assert len(kept(three)) == 7 * 4


def test_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "own_rule_for_jobs.py").write_text(
        "from neurorl.rules import Rule\n"
        'MINE = Rule("mine", output="spike*phi", hidden="spike*phi*b")\n'
    )
    monkeypatch.chdir(tmp_path)
    flags = ["--steps", "60", "--rule", "own_rule_for_jobs:MINE", "--json"]
    for out, jobs in (("one", "1"), ("two", "2")):
        common = ["train", BANDIT, "--seeds", "0..2", "--out", out, "--jobs", jobs]
        assert main([*common, *flags]) == 0
    one, two = (json.loads(line)["rows"] for line in capsys.readouterr().out.splitlines())
    assert [row["digest"] for row in one] == [row["digest"] for row in two]
    assert kept(tmp_path / "one").keys() == kept(tmp_path / "two").keys()
    assert main(["train", "CartPol-v1", "--seeds", "0..1", "--jobs", "2", "--out", "not"]) == 2
    error = capsys.readouterr().err
    assert "did you mean 'CartPole-v1'" in error
    assert error.count("\n") == 1
    assert main(["train", BANDIT, "--seeds", "0..1", "--jobs", "0", "--out", "not"]) == 2
    assert "jobs" in capsys.readouterr().err
    assert not (tmp_path / "not").exists()


def test_what_is_wrong_with_one_run_is_found_before_any_goes_on(tmp_path: Path) -> None:
    runs = places(tmp_path / "runs", 4)
    train_seeds(BANDIT, runs, episodes=20)
    checkpoint = runs[3][1] / "checkpoint.npz"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-9])
    before = kept(tmp_path / "runs")
    with pytest.raises(RunError, match=r"seed3.*is damaged"):
        train_seeds(BANDIT, runs, jobs=2, resume=True, episodes=30)
    assert kept(tmp_path / "runs") == before


def test_who_is_stopped_at_a_gate_is_interrupted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def late() -> None:
        time.sleep(0.2)  # as if the thread that listens had to wait here
        interrupt_main()

    interrupt_main = _thread.interrupt_main
    monkeypatch.setattr(_thread, "interrupt_main", late)
    parent, theirs = multiprocessing.Pipe()
    line = parallel._Line(theirs)
    line.listen()
    parent.send(parallel.STOP)
    with pytest.raises(KeyboardInterrupt):
        line.wait_at_gate()
    time.sleep(0.4)  # a second interrupt would come while locks are released
    line.say("stopped")
    parent.close()


def test_what_no_process_can_be_sent_is_said(tmp_path: Path) -> None:
    class Mine(Tiles):
        """Stand for a class that another process can't import."""

    overrides = {"cells": Mine((-1.2, -0.07), (0.6, 0.07), 4, 6)}
    with pytest.raises(ArgumentError, match=r"can't be sent to another process.*jobs=1"):
        train_seeds(CAR, places(tmp_path / "x", 2), jobs=2, episodes=1, overrides=overrides)
    assert not (tmp_path / "x").exists()


class Endless(gym.Env[Any, Any]):
    """Never end, and after a number of steps raise what no library knows."""

    observation_space = gym.spaces.Discrete(2)
    action_space = gym.spaces.Discrete(2)
    taken = 0

    def __init__(self, worst: int = 10**9) -> None:
        self.worst = worst

    def reset(self, **_: Any) -> tuple[int, dict[str, Any]]:
        return 0, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.taken += 1
        if self.taken == self.worst:
            raise LookupError("worst")
        return self.taken % 2, 1.0, False, False, {}


gym.register("tests/Endless-v0", Endless)  # type: ignore[arg-type]
ENDLESS = f"{__name__}:tests/Endless-v0"


def test_an_error_stops_all_and_a_warning_of_all_is_one(tmp_path: Path) -> None:
    with (
        pytest.raises(Exception, match="worst"),
        pytest.warns(EnvironmentWarning, match="no time limit") as caught,
    ):
        train_seeds(ENDLESS, places(tmp_path, 2), jobs=2, episodes=1, env_args={"worst": 50})
    assert len([w for w in caught if "no time limit" in str(w.message)]) == 1
    assert multiprocessing.active_children() == []


def broken_off(out: Path, act: Callable[[], None]) -> None:
    """Train until *act* breaks it off, once something has been played."""
    acted: list[bool] = []

    def callback(_: Episode) -> None:
        if not acted:
            acted.append(True)
            act()

    train_seeds(CAR, places(out, 4), jobs=2, episodes=CAR_EPISODES, callback=callback)


def test_after_control_c_all_go_on(tmp_path: Path, whole: dict[str, bytes]) -> None:
    with pytest.raises(KeyboardInterrupt):
        broken_off(tmp_path, lambda: os.kill(os.getpid(), signal.SIGINT))
    assert multiprocessing.active_children() == []
    played = [(tmp_path / f"seed{k}" / "episodes.csv").read_text().count("\n") for k in range(4)]
    assert max(played) <= CAR_EPISODES
    assert all((tmp_path / f"seed{k}" / "checkpoint.npz").exists() for k in range(4))
    train_seeds(CAR, places(tmp_path, 4), jobs=2, resume=True)
    assert kept(tmp_path) == whole


def test_of_a_process_that_is_killed_only_its_own_runs_are_left(
    tmp_path: Path, whole: dict[str, bytes]
) -> None:
    def kill() -> None:
        process = multiprocessing.active_children()[0]
        process.kill()

    with pytest.raises(RunError, match=r"a process was killed \(got seeds (0, 1|2, 3)\)"):
        broken_off(tmp_path, kill)
    done = [(tmp_path / f"seed{k}" / "summary.json").exists() for k in range(4)]
    assert done in ([True, True, False, False], [False, False, True, True])
    train_seeds(CAR, places(tmp_path, 4), jobs=2, resume=True)
    assert kept(tmp_path) == whole


def test_when_the_one_that_waits_is_killed_the_others_stop(
    tmp_path: Path, whole: dict[str, bytes]
) -> None:
    command = ["train", CAR, "--seeds", "0..3", "--episodes", str(CAR_EPISODES), "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "neurorl", *command, "--out", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    rows = [tmp_path / f"seed{k}" / "episodes.csv" for k in (0, 3)]
    while not all(path.exists() and path.read_text().count("\n") > 2 for path in rows):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    while any((tmp_path / f"seed{k}" / ".lock").exists() for k in range(4)):
        time.sleep(0.01)
    train_seeds(CAR, places(tmp_path, 4), resume=True)
    assert kept(tmp_path) == whole
