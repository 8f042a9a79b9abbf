"""Train a share of runs in a separate process, and report to the parent."""

from __future__ import annotations

import _thread
import contextlib
import enum
import importlib
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from neurorl.agents.episodes import Episode
from neurorl.errors import NeurorlError, RunError, own_warnings
from neurorl.runs.children import begin_session, end_now, end_soon
from neurorl.runs.session import Session
from neurorl.runs.summary import Summary
from neurorl.runs.work import Work

GO, STOP = "go", "stop"
_TOLD_SECONDS = 0.1


class Kind(enum.Enum):
    """Name the messages of a process."""

    AT_GATE = enum.auto()  # it waits; with progress once runs are open
    PROGRESS = enum.auto()
    EPISODES = enum.auto()
    WARNED = enum.auto()
    DONE = enum.auto()
    STOPPED = enum.auto()
    FAILED = enum.auto()


_ENDS = (Kind.DONE, Kind.STOPPED, Kind.FAILED)
Message = tuple[Kind, Any]


class _Line:
    """Talk to the parent process; stop as by Ctrl-C if it asks for it or has ended.

    is_lost: whether the parent ended before it was told how training ended.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._may_go, self._is_over = threading.Semaphore(0), False
        self.is_lost, self._has_ended = False, False
        self._episodes: list[Episode] = []
        self._told = time.monotonic()
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, kind: Kind, value: object = None) -> None:
        """Send the episodes that weren't sent yet, then this message."""
        self._told = time.monotonic()
        self._has_ended = kind in _ENDS
        with contextlib.suppress(OSError):
            if self._episodes:
                self._connection.send((Kind.EPISODES, self._episodes))
                self._episodes = []
            self._connection.send((kind, value))

    def note(self, episode: Episode) -> None:
        """Send an episode, together with others, at most several times a second."""
        self._episodes.append(episode)
        if time.monotonic() - self._told >= _TOLD_SECONDS:
            played, self._episodes = self._episodes, []
            self.say(Kind.EPISODES, played)

    def wait_at_gate(self, progress: tuple[int, int] | None = None) -> None:
        """Wait until all processes are here. Raises KeyboardInterrupt if one of them has failed."""
        self.say(Kind.AT_GATE, progress)
        self._may_go.acquire()
        if self._is_over:
            raise KeyboardInterrupt

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while self._connection.recv() == GO:
                self._may_go.release()
            self._stop()
            self._connection.recv()  # returns when the parent has ended
        self.is_lost = not self._has_ended
        self._stop()
        end_soon()

    def _stop(self) -> None:
        self._is_over = True
        self._may_go.release()
        _thread.interrupt_main()


def work_alone(connection: Connection, work: Work, modules: Sequence[str]) -> None:
    """Train these runs to their end in a new process; *modules* are imported first."""
    begin_session()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    line = _Line(connection)
    with contextlib.suppress(KeyboardInterrupt):  # it had ended before it was asked to stop
        _work(line, work, modules)
    if line.is_lost:
        end_now()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(line: _Line, work: Work, modules: Sequence[str]) -> None:
    """Train, and report how it ended."""
    try:
        for module in modules:
            importlib.import_module(module)
        with own_warnings(lambda *told: line.say(Kind.WARNED, told)):
            line.say(Kind.DONE, _train(work, line))
    except KeyboardInterrupt:
        line.say(Kind.STOPPED)
    except BaseException as exc:
        line.say(Kind.FAILED, _portable(exc))


def _train(work: Work, line: _Line) -> list[Summary]:
    session = Session(work, work.locked())
    try:
        line.wait_at_gate()
        session.open()
        line.wait_at_gate(session.progress())
        session.learn(line.note, lambda *progress: line.say(Kind.PROGRESS, progress))
        return session.summaries()
    finally:
        session.close()


def _portable(exc: BaseException) -> BaseException:
    """Return an error that another process can raise; foreign ones with their traceback's place."""
    if not isinstance(exc, NeurorlError):
        exc.add_note("".join(traceback.format_exception(exc)))
    try:
        pickle.loads(pickle.dumps(exc))
    except Exception:  # a foreign class may raise anything
        return RunError("train, jobs", f"{type(exc).__name__}", got=exc)
    return exc
