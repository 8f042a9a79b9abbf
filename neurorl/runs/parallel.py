"""Train runs in several processes, each with its share of them side by side.

Processes are spawned (not forked: threads of the caller may hold locks). Each makes its agents and
reports it, opens its runs when all have made theirs, and learns when all have opened theirs: errors
of one run are found before any is written, as in a single process.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from neurorl.agents.budget import Interrupt, held_interrupts
from neurorl.agents.episodes import Episode
from neurorl.errors import ArgumentError, PopulationWarning, RunError, warn_outside
from neurorl.models.agent.fields import NAMED
from neurorl.runs.children import GUARD
from neurorl.runs.config import RunConfig
from neurorl.runs.summary import Summary
from neurorl.runs.work import Work
from neurorl.runs.worker import GO, STOP, Kind, Message, work_alone

_LOOK_SECONDS = 0.2
_END_SECONDS = 10.0


class _Worker:
    """Hold a process with its share of the runs, and its reports."""

    def __init__(self, work: Work) -> None:
        self.work = work
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=work_alone, args=(theirs, work, _modules(work.config))
        )
        with _not_interrupted():
            try:
                self.process.start()
            except (AttributeError, TypeError, pickle.PicklingError) as exc:
                what, remedy = "can't be sent to another process", "jobs=1"
                raise ArgumentError("train, jobs", what, got=exc, remedy=remedy) from exc
        theirs.close()
        self.progress = (0, 0)
        self.summaries: list[Summary] = []
        self.is_open = True

    def tell(self, word: str) -> None:
        """Send a word to the process, if it still runs."""
        with contextlib.suppress(OSError):
            self.connection.send(word)

    def end(self) -> None:
        """Wait for the process to end, and kill it if it doesn't."""
        self.connection.close()
        self.process.join(_END_SECONDS)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class _Crew:
    """Follow all processes to their end."""

    def __init__(
        self,
        workers: Sequence[_Worker],
        callback: Callable[[Episode], None] | None,
        started: Callable[[int, int], None] | None,
    ) -> None:
        self.workers, self._callback, self._started = workers, callback, started
        self._warned: set[str] = set()
        self._at_gate = 0
        self._is_learning = False
        self.error: BaseException | None = None
        self.lost: list[int] = []

    def follow(self, interrupt: Interrupt) -> None:
        """Receive all messages; stop the processes if the user asks for it, or one fails."""
        told = False
        while running := {w.connection: w for w in self.workers if w.is_open}:
            if (interrupt.requested or self.error is not None) and not told:
                told = True
                for worker in running.values():
                    worker.tell(STOP)
            for connection in wait(list(running), _LOOK_SECONDS):
                assert isinstance(connection, Connection)
                self._hear(running[connection])

    def _hear(self, worker: _Worker) -> None:
        try:
            message: Message = worker.connection.recv()
        except (EOFError, OSError):
            self._lose(worker)
            return
        kind, value = message
        match kind:
            case Kind.AT_GATE:
                self._open_gate(worker, value)
            case Kind.PROGRESS:
                self._show(worker, value)
            case Kind.EPISODES:
                if self._callback is not None:
                    for episode in value:
                        self._callback(episode)
            case Kind.WARNED:
                self._warn(*value)
            case Kind.DONE:
                worker.summaries, worker.is_open = value, False
            case Kind.STOPPED:
                worker.is_open = False
            case Kind.FAILED:
                worker.is_open = False
                self.error = self.error or value

    def _open_gate(self, worker: _Worker, progress: tuple[int, int] | None) -> None:
        """Let all go on when the last one is at the gate."""
        if progress is not None:
            worker.progress = progress
        self._at_gate += 1
        if self._at_gate < len(self.workers):
            return
        self._at_gate, self._is_learning = 0, progress is not None
        if progress is not None:
            self._show(worker, progress)
        for each in self.workers:
            each.tell(GO)

    def _show(self, worker: _Worker, progress: tuple[int, int]) -> None:
        worker.progress = progress
        if self._started is not None:
            done, total = zip(*(each.progress for each in self.workers), strict=True)
            self._started(sum(done), sum(total))

    def _warn(self, category: type[Warning], text: str) -> None:
        """Warn once of a matter of all agents, though every process reports it."""
        if category is not PopulationWarning:
            if text in self._warned:
                return
            self._warned.add(text)
        warn_outside(text, category)

    def _lose(self, worker: _Worker) -> None:
        """Note that a process ended without a report, for example because it was killed."""
        worker.is_open = False
        self.lost += worker.work.seeds
        if not self._is_learning and self.error is None:
            what, remedy = "a process ended before it began", f"{GUARD}; or take jobs=1"
            self.error = RunError("train, jobs", what, remedy=remedy)


def train_in_processes(
    work: Work,
    jobs: int,
    callback: Callable[[Episode], None] | None,
    started: Callable[[int, int], None] | None,
) -> list[Summary]:
    """Train runs in so many processes; see `neurorl.runs.training.train_seeds`.

    Raises a process's error once the others have stopped at a checkpoint. If a process was killed,
    raises RunError once the others have finished.
    """
    n, workers = len(work.seeds), list[_Worker]()
    ends = [n * k // jobs for k in range(jobs + 1)]
    try:
        with held_interrupts() as interrupt:
            for first, end in itertools.pairwise(ends):
                workers.append(_Worker(work.part(slice(first, end))))
            crew = _Crew(workers, callback, started)
            crew.follow(interrupt)
    finally:
        for worker in workers:
            worker.end()
    if crew.error is not None:
        raise crew.error
    if crew.lost:
        seeds, remedy = ", ".join(map(str, crew.lost)), "these go on with --resume"
        raise RunError("train, jobs", "a process was killed", got=f"seeds {seeds}", remedy=remedy)
    return [row for worker in workers for row in worker.summaries]


def _modules(config: RunConfig) -> list[str]:
    """Return the modules, imported here, of the user's rule and parts by name."""
    agent = config.agent or {}
    named = [*config.overrides.values(), *agent.values()]
    for choices in (agent.get(name) or {} for name in NAMED):
        named += choices.values()
    names = [value.get("type") if isinstance(value, dict) else value for value in named]
    names += config.wrappers
    modules = [name.partition(":")[0] for name in names if isinstance(name, str) and ":" in name]
    return sorted({name for name in modules if name in sys.modules and name != "__main__"})


@contextlib.contextmanager
def _not_interrupted() -> Iterator[None]:
    """Keep Ctrl-C from a process that is started now, until it can handle it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: Any = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
