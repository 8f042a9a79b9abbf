"""Ctrl-C ends each command in one line, whenever it comes; it says what goes on, and only then."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest

from neurorl.cli import main
from neurorl.cli.status import GOES_ON
from neurorl.runs.parallel import STOP, _Line, work_alone

pytestmark = pytest.mark.skipif(
    not hasattr(os, "setsid"), reason="Ctrl-C is sent to a group of processes, which only POSIX has"
)

INTERRUPTS = """
import importlib.abc, os, signal, sys

class At(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["STOPPED_AT"]:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, At())
"""
SCRIPT = "from neurorl.cli import main\nraise SystemExit(main())\n"
SWEEP = 'env = "{}"\nepisodes = {}\nseeds = "0"\nevaluate = 0\n'


class Interrupts(gym.Wrapper[Any, Any, Any, Any]):
    """Interrupt the process at a step of all that are taken."""

    at, taken = -1, 0

    def step(self, action: Any) -> Any:
        Interrupts.taken += 1
        if Interrupts.taken == self.at:
            os.kill(os.getpid(), signal.SIGINT)
        return super().step(action)


def interrupted(**_: Any) -> Interrupts:
    """Return a task whose steps are counted."""
    return Interrupts(gym.make("neurorl/Bandit-v0").unwrapped)


gym.register("neurorl-tests/Interrupts-v0", interrupted)


def stopped(folder: Path, module: str, *words: str, script: bool = False) -> str:
    """Return what the command line says that is interrupted where it imports *module*."""
    (folder / "sitecustomize.py").write_text(INTERRUPTS)
    command = ["-m", "neurorl"]
    if script:
        (folder / "neurorl").write_text(SCRIPT)
        command = [str(folder / "neurorl")]
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-P", *command, *words],
        env={**os.environ, "PYTHONPATH": paths, "STOPPED_AT": module},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 130
    return done.stderr


@pytest.mark.parametrize(
    ("module", "script"),
    [("numpy", False), ("gymnasium.wrappers", True), ("neurorl.lab.cli.runs", False)],
)
def test_while_the_program_is_imported(module: str, script: bool, tmp_path: Path) -> None:
    assert stopped(tmp_path, module, "--version", script=script) == "neurorl: stopped\n"


@pytest.mark.parametrize(
    ("command", "module"),
    [
        ("train", "neurorl.agents.sharding"),
        ("sweep", "neurorl.agents.sharding"),
        ("evaluate", "neurorl.agents.evaluation"),
        ("bench", "neurorl.bench.command"),
    ],
)
def test_nothing_goes_on_where_nothing_was_written(
    command: str, module: str, tmp_path: Path
) -> None:
    (tmp_path / "file.toml").write_text(SWEEP.format("CartPole-v1", 1))
    words = {
        "train": ["CartPole-v1", "--out", str(tmp_path / "run")],
        "sweep": [str(tmp_path / "file.toml"), "--out", str(tmp_path / "run")],
        "evaluate": ["zoo:cartpole-lif"],
        "bench": [],
    }
    assert stopped(tmp_path, module, command, *words[command]) == "neurorl: stopped\n"
    assert not [*tmp_path.rglob("checkpoint.npz")]


def test_a_sweep_goes_on_where_a_checkpoint_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file.toml").write_text(SWEEP.format("neurorl-tests/Interrupts-v0", 3000))
    command = ["sweep", str(tmp_path / "file.toml"), "--out", str(tmp_path / "run")]
    monkeypatch.setattr(Interrupts, "at", 2100)  # behind the first play
    assert main(command) == 130
    assert capsys.readouterr().err == f"neurorl: stopped; {GOES_ON}\n"
    monkeypatch.setattr(Interrupts, "at", -1)
    assert main(command) == 0


def idle(connection: Connection) -> None:
    """Wait with what talks to another process."""
    line = _Line(connection)
    time.sleep(0.2)
    line.say("done")


@pytest.mark.parametrize("works", [False, True])
def test_a_worker_that_is_stopped_before_it_starts(
    works: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is interrupted only where it can say so; nothing is printed when the other end closes."""
    (tmp_path / "slow_part.py").write_text("import time\nwhile True:\n    time.sleep(0.01)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    arguments = (theirs, None, ["slow_part"]) if works else (theirs,)
    process = context.Process(target=work_alone if works else idle, args=arguments)
    ours.send(STOP)
    process.start()
    theirs.close()
    assert ours.recv()[0] == ("stopped" if works else "done")
    ours.close()
    process.join()
    assert process.exitcode == 0
    assert capfd.readouterr().err == ""
