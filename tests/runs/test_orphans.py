"""Processes that train end when the one that began them has ended, however it has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

fcntl = pytest.importorskip("fcntl", reason="signals and locks of POSIX")

WITNESSED = """
    import fcntl, os, subprocess, sys
    from pathlib import Path
    import gymnasium as gym

    class Witnessed(gym.Env):
        '''Lock a file as long as this process lives, or what it has started.'''
        observation_space = gym.spaces.Discrete(2)
        action_space = gym.spaces.Discrete(2)
        held = {}
        def __init__(self, folder="", busy=True):
            self.folder, self.busy, self.n = Path(folder), busy, 0
        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return 0, {}
        def step(self, action):
            self.n += 1
            if self.n > 30 and os.getpid() not in self.held and self.busy:
                part = self.folder / f"{os.getpid()}.part"
                file = self.held[os.getpid()] = part.open("w")
                fcntl.flock(file, fcntl.LOCK_EX)
                sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
                subprocess.Popen(sleep, pass_fds=[file.fileno()])
                part.rename(part.with_suffix(".held"))
            return self.n % 2, float(action == self.n % 2), self.n % 10 == 0, False, {}

    gym.register("Witnessed-v0", Witnessed)
"""
SWEEP = """
    env = "witnessed_env:Witnessed-v0"
    evaluate = 0
    episodes = 1000000
    env_args = {folder = "FOLDER"}
    rule = ["spikes-only", "td-stdp"]
"""
SEARCH = """
    env = "witnessed_env:Witnessed-v0"
    evaluate = 0
    episodes = 1000000
    env_args = {folder = "FOLDER"}
    [search]
    trials = 2
    batch = 2
    [search.space]
    alpha_output = {choices = [0.1, 0.2]}
"""


def arguments(kind: str, folder: Path) -> list[str]:
    """Return the command line of training that goes on for hours in two processes."""
    if kind == "train":
        task = ["witnessed_env:Witnessed-v0", "--env-arg", f"folder={folder}"]
        return ["train", *task, "--seeds", "0..1", "--jobs", "2", "--episodes", "1000000"]
    if kind == "search":
        pytest.importorskip("optuna", reason="searches need Optuna")
    text = {"sweep": SWEEP, "search": SEARCH}[kind]
    file = folder / f"{kind}.toml"
    file.write_text(textwrap.dedent(text).replace("FOLDER", str(folder)))
    return ["sweep", str(file), "--jobs", "2"]


def begin(kind: str, folder: Path) -> subprocess.Popen[bytes]:
    """Begin training, and return when two processes play."""
    (folder / "witnessed_env.py").write_text(textwrap.dedent(WITNESSED))
    command = [
        sys.executable,
        "-m",
        "neurorl",
        *arguments(kind, folder),
        "--out",
        str(folder / "out"),
    ]
    path = os.pathsep.join([str(folder), *filter(None, sys.path)])
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": path},
            stdout=said,
            stderr=said,
            # Tests that run under nohup hand on that SIGHUP is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
    while len(list(folder.glob("*.held"))) < 2:
        assert process.poll() is None, (folder / "said").read_text()
        time.sleep(0.02)
    return process


def wait_until_all_have_ended(folder: Path) -> None:
    """Return when no process holds a lock of the environments any more."""
    for path in folder.glob("*.held"):
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX)


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("kind", ["train", "sweep", "search"])
def test_no_process_is_left(kind: str, by: signal.Signals, tmp_path: Path) -> None:
    process = begin(kind, tmp_path)
    process.send_signal(by)
    process.wait()
    wait_until_all_have_ended(tmp_path)
    assert "Traceback" not in (tmp_path / "said").read_text()
    assert not list((tmp_path / "out").rglob("*.tmp"))
