"""Test a run's directory: begun in one step, one process at a time, equal for equal runs."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import gymnasium
import numpy as np
import pytest
from attacker import hashes

from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import digest, packed, read_checkpoint, write_checkpoint
from neurorl.agents.episodes import Episode
from neurorl.cli import main
from neurorl.errors import EnvError, RunError
from neurorl.models.defaults.presets import make_config
from neurorl.runs import session
from neurorl.runs.directory import RunDirectory
from neurorl.runs.training import train, train_seeds
from neurorl.runs.work import solved_at
from neurorl.tasks.environments import make_env

GRID = "neurorl/GridWorld-v0"
SMALL: dict[str, Any] = {"actors": 2, "hidden": 2}


def config(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "config.json").read_text())
    return found


@pytest.mark.parametrize("options", [{}, {"backend": "native"}, {"model": "glm"}])
def test_equal_runs_have_equal_files(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        train(GRID, tmp_path / name, seed=3, episodes=3, overrides=SMALL, **options)
        monkeypatch.setattr(time, "time", lambda: 2e9)  # another day
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    a, b = (tmp_path / name / "checkpoint.npz" for name in ("a", "b"))
    assert a.read_bytes() == b.read_bytes()
    assert (tmp_path / "a" / "config.json").read_bytes() == (
        tmp_path / "b" / "config.json"
    ).read_bytes()
    train(GRID, tmp_path / "c", seed=4, episodes=3, overrides=SMALL, **options)
    assert digest(tmp_path / "c" / "checkpoint.npz") != digest(a)


def test_the_digest_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = train(GRID, tmp_path / "run", episodes=2, overrides=SMALL)
    found = digest(tmp_path / "run" / "checkpoint.npz")
    assert summary["digest"] == found
    assert main(["show", str(tmp_path / "run")]) == 0
    assert found in capsys.readouterr().out
    assert main(["show", str(tmp_path / "run"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == found
    with pytest.raises(RunError, match="can't be read"):
        digest(tmp_path / "nothing")
    (tmp_path / "half").write_bytes((tmp_path / "run" / "checkpoint.npz").read_bytes()[:-1])
    with pytest.raises(RunError, match="is damaged"):
        digest(tmp_path / "half")


def test_the_order_of_an_array_in_memory_is_nobodys_business() -> None:
    x = np.arange(6.0).reshape(2, 3)
    assert packed({}, {"x": x}) == packed({}, {"x": np.asfortranarray(x)})
    assert packed({}, {"x": x}) != packed({}, {"x": x.T})
    assert packed({}, {"x": np.array(1)}) != packed({}, {"x": np.array([1])})


def test_wall_times_are_kept_over_a_resume(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(GRID, run, episodes=3, overrides=SMALL)
    before = (run / "episodes.csv").read_text().splitlines()
    train(GRID, run, episodes=5, resume=True)
    after = (run / "episodes.csv").read_text().splitlines()
    assert after[:4] == before
    assert all(float(line.split(",")[4]) > 0 for line in after[1:])
    for damaged in ("", "nothing\n1\n2\n", "\n".join(after[:3]), "a\n0,1,2,3,nan,5\n"):
        (run / "episodes.csv").write_text(damaged)
        train(GRID, run, resume=True)
        rows = RunDirectory(run).read_episodes()
        assert rows["episode"] == [0, 1, 2, 3, 4]
        assert all(0 <= wall < 100 for wall in rows["wall_s"])


def test_a_checkpoint_of_before_with_wall_times_loads(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(GRID, run, episodes=3, overrides=SMALL)
    described, arrays = read_checkpoint(run / "checkpoint.npz")
    assert "episodes.wall_s" not in arrays
    arrays["episodes.wall_s"] = np.array([1.0, 2.0, 3.0])
    write_checkpoint(run / "checkpoint.npz", described, arrays)
    assert [e.wall_s for e in SpikingActorCritic.load(run).episodes] == [1.0, 2.0, 3.0]
    (run / "episodes.csv").unlink()
    train(GRID, run, episodes=4, resume=True)
    assert RunDirectory(run).read_episodes()["wall_s"][:3] == [1.0, 2.0, 3.0]
    train(GRID, tmp_path / "whole", episodes=4, overrides=SMALL)
    assert hashes(run) == hashes(tmp_path / "whole")


def test_a_finished_run_is_left_as_it_is(tmp_path: Path) -> None:
    runs = [(k, tmp_path / f"seed{k}") for k in (0, 1)]
    first = train_seeds(GRID, runs, episodes=3, overrides=SMALL)

    def state() -> dict[Path, tuple[int, bytes]]:
        paths = sorted(tmp_path.rglob("*.*"))
        return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}

    before = state()
    assert train_seeds(GRID, runs, resume=True) == first
    assert state() == before


def test_extended_and_stopped_a_plain_resume_goes_on_to_the_new_end(tmp_path: Path) -> None:
    def stop(episode: Any) -> None:
        if episode.episode == 5:
            raise KeyboardInterrupt

    runs = [(k, tmp_path / f"seed{k}") for k in (0, 1)]
    train_seeds(GRID, runs, episodes=3, overrides=SMALL)
    with pytest.raises(KeyboardInterrupt):
        train_seeds(GRID, runs, episodes=10, resume=True, callback=stop)
    assert [config(path)["episodes"] for _, path in runs] == [10, 10]
    assert not (runs[0][1] / "summary.json").exists()  # it was of 3 episodes
    summaries = train_seeds(GRID, runs, resume=True)
    assert [summary["episodes"] for summary in summaries] == [10, 10]
    whole = [(k, tmp_path / f"whole{k}") for k in (0, 1)]
    train_seeds(GRID, whole, episodes=10, overrides=SMALL)
    for (_, run), (_, other) in zip(runs, whole, strict=True):
        assert hashes(run) == hashes(other)


def test_fewer_episodes_than_were_played_change_nothing(tmp_path: Path) -> None:
    train(GRID, tmp_path / "run", episodes=3, overrides=SMALL)
    before = hashes(tmp_path / "run")
    assert train(GRID, tmp_path / "run", episodes=2, resume=True)["episodes"] == 3
    assert hashes(tmp_path / "run") == before


def begin(path: Path, how: str) -> None:
    """Leave what a process that was killed while it made a run may have left."""
    path.mkdir(parents=True)
    if how != "empty":
        (path / ".lock").touch()
    if how == "temporary":
        (path / ".config.json.abcd1234.tmp").write_text('{"env": "Cart')


@pytest.mark.parametrize("how", ["empty", "locked", "temporary"])
@pytest.mark.parametrize("resume", [False, True])
def test_a_directory_that_was_never_begun_is_begun(how: str, resume: bool, tmp_path: Path) -> None:
    begin(tmp_path / "run", how)
    options: dict[str, Any] = {"episodes": 2, "overrides": SMALL}
    train(GRID, tmp_path / "run", resume=resume, **options)
    train(GRID, tmp_path / "whole", **options)
    assert hashes(tmp_path / "run") == hashes(tmp_path / "whole")


@pytest.mark.parametrize("how", ["empty", "locked", "temporary"])
def test_one_of_several_that_was_never_begun_blocks_none(how: str, tmp_path: Path) -> None:
    def runs(name: str) -> list[tuple[int | None, Path]]:
        return [(k, tmp_path / name / f"seed{k}") for k in (0, 1, 2)]

    options: dict[str, Any] = {"episodes": 2, "overrides": SMALL}
    train_seeds(GRID, runs("whole"), **options)
    begin(tmp_path / "new" / "seed1", how)
    train_seeds(GRID, runs("new"), **options)
    train_seeds(GRID, runs("old")[:1], **{**options, "episodes": 1})
    begin(tmp_path / "old" / "seed1", how)
    with pytest.raises(RunError, match=r"seed0: already exists; use --resume"):
        train_seeds(GRID, runs("old"), **options)
    train_seeds(GRID, runs("old"), resume=True, **options)
    for name in ("new", "old"):
        for (_, run), (_, whole) in zip(runs(name), runs("whole"), strict=True):
            assert hashes(run) == hashes(whole)


def test_one_of_several_that_exists_is_named_before_any_is_made(tmp_path: Path) -> None:
    (tmp_path / "seed1").mkdir()
    (tmp_path / "seed1" / "of somebody").touch()
    with pytest.raises(RunError, match="seed1: already exists"):
        train_seeds(GRID, [(k, tmp_path / f"seed{k}") for k in (0, 1)], episodes=1)
    assert [path.name for path in tmp_path.iterdir()] == ["seed1"]


def test_a_run_that_isnt_there_is_not_resumed_and_the_line_says_what_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", GRID, "--episodes", "1", "--out", str(tmp_path / "run")]
    assert main([*command, "--resume"]) == 2
    assert "no such run directory; make it by neurorl train, without --resume" in (
        capsys.readouterr().err
    )
    assert main(command) == 0


def test_what_kills_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(GRID, run, episodes=1, overrides=SMALL)
    names = {path.name for path in run.iterdir()}
    for name in names:
        (run / f".{name}.abcd1234.tmp").write_text("half")
    (run / ".mine.tmp").touch()
    train(GRID, run, resume=True)
    assert {path.name for path in run.iterdir()} == names | {".mine.tmp"}


HOLD = """
import sys, time
from pathlib import Path
from neurorl.runs import training
def wait(_):
    print("playing", flush=True)
    time.sleep(60)
training.train(sys.argv[1], Path(sys.argv[2]), episodes=3, callback=wait)
"""


def test_a_run_that_another_process_trains_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    command = [sys.executable, "-c", HOLD, GRID, str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            before = {path: path.read_bytes() for path in run.iterdir()}
            assert main(["train", GRID, "--out", str(run), "--resume"]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert "is being trained by another process; wait for it" in line
            assert main(["train", GRID, "--out", str(run)]) == 2
            assert {path: path.read_bytes() for path in run.iterdir()} == before
        finally:
            process.kill()
    assert main(["train", GRID, "--out", str(run), "--resume"]) == 0
    train(GRID, tmp_path / "whole", episodes=3)
    assert hashes(run) == hashes(tmp_path / "whole")


def test_two_threads_of_one_process_do_not_train_one_run(tmp_path: Path) -> None:
    first, second = (RunDirectory(tmp_path) for _ in range(2))
    first.create({"env": GRID})
    with pytest.raises(RunError, match="another process"):
        second.lock()
    first.close()
    second.lock()
    second.close()
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_lock_file_that_was_removed_meanwhile_locks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The holder removes the lock between a second one's opening and locking it."""
    import fcntl

    first, second = (RunDirectory(tmp_path) for _ in range(2))
    first.lock()
    real, calls = fcntl.flock, []

    def release_first(descriptor: int, operation: int) -> None:
        calls.append(operation)
        if len(calls) == 1:
            first.close()
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", release_first)
    second.lock()
    assert len(calls) == 2
    assert (tmp_path / ".lock").exists()
    second.close()


def test_a_file_system_without_locks_is_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    train(GRID, tmp_path / "run", episodes=1, overrides=SMALL)
    assert not (tmp_path / "run" / ".lock").exists()


def test_equal_agents_have_equal_files_and_episodes(tmp_path: Path) -> None:
    agents = [SpikingActorCritic(GRID, seed=2, actors=2, hidden=2) for _ in range(2)]
    for k, agent in enumerate(agents):
        agent.learn(total_episodes=3)
        agent.save(tmp_path / f"{k}.npz")
    assert agents[0].episodes == agents[1].episodes
    assert agents[0].episodes[0].wall_s > 0
    assert (tmp_path / "0.npz").read_bytes() == (tmp_path / "1.npz").read_bytes()
    assert SpikingActorCritic.load(tmp_path / "0.npz").episodes == agents[0].episodes


def test_a_checkpoint_is_written_after_the_rows_of_its_episodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise wall times would be lost with the power."""
    monkeypatch.setattr(session, "CHECKPOINT_SECONDS", 0.0)
    synced: list[int] = []
    real = os.fsync

    def note(descriptor: int) -> None:
        synced.append(os.fstat(descriptor).st_ino)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    train(GRID, tmp_path / "run", episodes=3, overrides=SMALL)
    rows = (tmp_path / "run" / "episodes.csv").stat().st_ino
    assert synced.count(rows) >= 3


class _BrokenStart(gymnasium.Env[np.int64, np.int64]):
    """Stand in for a task whose reset fails, which nothing finds before it is played."""

    observation_space = gymnasium.spaces.Discrete(2)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.int64, dict[str, Any]]:
        raise TypeError("no such level")


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_task_that_never_starts_leaves_no_run(seeds: int, tmp_path: Path) -> None:
    gymnasium.register("BrokenStart-v0", lambda **_: _BrokenStart(), max_episode_steps=5)
    runs: list[tuple[int | None, Path]] = [(k, tmp_path / f"seed{k}") for k in range(seeds)]
    (tmp_path / "seed0").mkdir()
    try:
        for _ in range(2):  # the second isn't told that a run exists
            with pytest.raises(EnvError, match="no such level"):
                train_seeds("BrokenStart-v0", runs, episodes=2, overrides=SMALL)
            assert not list(tmp_path.iterdir())
    finally:
        del gymnasium.registry["BrokenStart-v0"]


def test_the_episode_at_which_a_task_is_solved_ends_the_first_100_good_enough() -> None:
    config = make_config(make_env("CartPole-v1"), "lif")
    assert config.solved_at is not None
    good = config.solved_at + 10.0
    returns = [0.0] * 20 + [good] * 150
    played = [Episode(n, r, 1, n + 1, 0.0, 0.0) for n, r in enumerate(returns)]
    solved = solved_at(played, config)
    assert solved is not None
    assert np.mean(returns[solved - 100 : solved]) >= config.solved_at
    assert np.mean(returns[solved - 101 : solved - 1]) < config.solved_at
    assert solved_at(played[:99], config) is None
    assert solved_at(played[:110], config) is None


def test_an_interrupt_while_it_is_locked_leaves_no_lock(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="signals and locks of POSIX")
    countdown = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal countdown
        if frame.f_code.co_name not in ("lock", "acquire", "_acquire", "held_interrupts"):
            return None
        frame.f_trace_opcodes = True
        countdown -= event == "opcode"
        if countdown == 0:
            countdown = -1
            signal.raise_signal(signal.SIGINT)
        return trace

    def locked_and_closed() -> None:
        with contextlib.closing(RunDirectory(tmp_path)) as run:
            run.lock()

    number, was_interrupted, outer = 0, True, sys.gettrace()
    while was_interrupted:
        number = countdown = number + 1
        was_interrupted = False
        try:
            sys.settrace(trace)
            locked_and_closed()
        except KeyboardInterrupt:
            was_interrupted = True
        finally:
            sys.settrace(outer)
        assert not list(tmp_path.iterdir()), number
    assert number > 20
