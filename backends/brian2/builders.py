"""Build networks in a process that has imported Brian2, each in a child that it forks.

Importing Brian2 takes as long as the compiler. So the process stays for a while, for the next
network of the program that started it; it ends with that program.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from neurorl.children import child_environment, module_command

__all__ = ["SAID", "run_builder"]

_MODULE = "neurorl.backends.brian2.builder"
SAID = "said"
"""Name the file, in the folder that a network is built in, of all that was printed there."""


class _Builder:
    """Hold the process of `neurorl.backends.brian2.builder` that waits for networks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            module_command(_MODULE),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=child_environment(),
            text=True,
        )

    def run(self, request: str) -> int | None:
        """Return the exit status of a build, or None if the process has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            return None
        return int(answer) if answer else None

    def end(self) -> None:
        """End the process, also in the midst of a build."""
        self._process.kill()
        self._process.wait()
        self._close()

    def disown(self) -> None:
        """Forget the process in a copy of this one, to which it doesn't belong."""
        self._process.returncode = 0  # else Popen warns of a process that is left behind
        self._close()

    def _close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):  # of what it didn't read any more
                pipe.close()


class _Kept:
    """Keep at most one builder for this process, used by one thread at a time."""

    def __init__(self) -> None:
        self._builder: _Builder | None = None
        self._lock = threading.Lock()

    def run(self, request: str, folder: Path) -> int | None:
        """Return the exit status of a build in an empty folder, by a new builder if need be.

        Returns None if a new one ended, too.
        """
        with self._lock:
            status = None if self._builder is None else self._ask(self._builder, request)
            if status is None:
                self.end()
                _empty(folder)
                self._builder = _Builder()
                status = self._ask(self._builder, request)
            return status

    def _ask(self, builder: _Builder, request: str) -> int | None:
        try:
            return builder.run(request)
        except BaseException:  # a Ctrl-C: its answer would be read as the next one's
            self.end()
            raise

    def end(self) -> None:
        """End the builder, if there is one."""
        if self._builder is not None:
            self._builder.end()
            self._builder = None

    def begin_again(self) -> None:
        """Leave the builder to the process that this one was forked from."""
        if self._builder is not None:
            self._builder.disown()
        self.__init__()  # type: ignore[misc]


_kept = _Kept()
atexit.register(_kept.end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_kept.begin_again)


def run_builder(folder: Path, plan: dict[str, Any]) -> int:
    """Build a plan in an empty folder, and return the exit status; `SAID` has what was printed.

    plan: see `neurorl.backends.brian2.plan`.
    """
    status = None
    if sys.platform == "linux":  # where a fork may follow any import
        request = {"folder": str(folder), "plan": plan, "environment": dict(os.environ)}
        status = _kept.run(json.dumps({**request, "directory": _directory(folder)}), folder)
    return _run_once(folder, plan) if status is None else status


def _directory(folder: Path) -> str:
    """Return where this program is, or *folder* if that place has been removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return str(folder)


def _run_once(folder: Path, plan: dict[str, Any]) -> int:
    """Build a plan in a process of its own, which also says why it can't import Brian2."""
    _empty(folder)
    with (folder / SAID).open("w") as said:
        done = subprocess.run(
            module_command(_MODULE, str(folder)),
            input=json.dumps(plan),
            env=child_environment(),
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return done.returncode


def _empty(folder: Path) -> None:
    """Remove what a builder that ended has left."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
