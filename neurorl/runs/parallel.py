"""Train runs in several processes, each with its share of them side by side.

Processes are spawned (not forked: threads of the caller may hold locks). Each makes its agents and
reports it, opens its runs when all have made theirs, and learns when all have opened theirs: errors
of one run are found before any is written, as in a single process.
"""

from __future__ import annotations

import _thread
import contextlib
import importlib
import itertools
import multiprocessing
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from neurorl.agents.budget import Interrupt, held_interrupts
from neurorl.agents.episodes import Episode
from neurorl.errors import (
    ArgumentError,
    NeurorlError,
    PopulationWarning,
    RunError,
    own_warnings,
    warn_outside,
)
from neurorl.models.agent.fields import NAMED
from neurorl.runs.children import GUARD, begin_session, end_now, end_soon
from neurorl.runs.config import RunConfig
from neurorl.runs.directory import RunDirectory
from neurorl.runs.session import Session
from neurorl.runs.work import Summary, Work, lock

GO, STOP = "go", "stop"
_TOLD_SECONDS = 0.1

_ENDS = ("done", "stopped", "failed")


class _Line:
    """Talk to the parent process; stop as by Ctrl-C if it asks for it or has ended.

    is_lost: whether the parent ended before it was told how training ended.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._may_go = threading.Semaphore(0)
        self.is_lost, self._has_ended = False, False
        self._episodes: list[Episode] = []
        self._told = time.monotonic()

    def listen(self) -> None:
        """Listen to the parent; a KeyboardInterrupt may come as soon as this is called."""
        threading.Thread(target=self._listen, daemon=True).start()

    def say(self, kind: str, value: object = None) -> None:
        """Send the episodes that weren't sent yet, then this message."""
        self._told = time.monotonic()
        self._has_ended = kind in _ENDS
        with contextlib.suppress(OSError):
            if self._episodes:
                self._connection.send(("episodes", self._episodes))
                self._episodes = []
            self._connection.send((kind, value))

    def note(self, episode: Episode) -> None:
        """Send an episode, together with others, at most several times a second."""
        self._episodes.append(episode)
        if time.monotonic() - self._told >= _TOLD_SECONDS:
            played, self._episodes = self._episodes, []
            self.say("episodes", played)

    def wait_at_gate(self, progress: tuple[int, int] | None = None) -> None:
        """Wait until all processes are here. Raises KeyboardInterrupt if one of them has failed."""
        self.say("at_gate", progress)
        self._may_go.acquire()

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while self._connection.recv() == GO:
                self._may_go.release()
            self._stop()
            self._connection.recv()  # returns when the parent has ended
        self.is_lost = not self._has_ended
        if self.is_lost:  # else it is about to end
            self._stop()
            end_soon()

    def _stop(self) -> None:
        if not self._has_ended:
            _thread.interrupt_main()
        self._may_go.release()  # an interrupt alone doesn't wake who waits at a gate


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
        line.listen()
        for module in modules:
            importlib.import_module(module)
        with own_warnings(lambda *told: line.say("warned", told)):
            line.say("done", _train(work, line))
    except KeyboardInterrupt:
        line.say("stopped")
    except BaseException as exc:
        line.say("failed", _portable(exc))


def _train(work: Work, line: _Line) -> list[Summary]:
    with contextlib.ExitStack() as closing:  # an interrupt may come as soon as a run is locked
        runs = [RunDirectory(path) for path in work.paths]
        for run in runs:
            closing.callback(run.close)
        lock(runs, work.has_begun)
        session = closing.enter_context(contextlib.closing(Session(work, runs)))
        line.wait_at_gate()
        session.open()
        line.wait_at_gate(session.progress())
        session.learn(line.note, lambda *progress: line.say("progress", progress))
        return session.summaries()


def _portable(exc: BaseException) -> BaseException:
    """Return an error that another process can raise; foreign ones with their traceback's place."""
    if not isinstance(exc, NeurorlError):
        exc.add_note("".join(traceback.format_exception(exc)))
    try:
        pickle.loads(pickle.dumps(exc))
    except Exception:  # a foreign class may raise anything
        return RunError("train, jobs", f"{type(exc).__name__}", got=exc)
    return exc


_LOOK_SECONDS = 0.2
_END_SECONDS = 10.0


class _Worker:
    """Hold a process with its share of the runs, and its reports."""

    def __init__(self, work: Work) -> None:
        self.work = work
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = theirs, work, _modules(work.config)
        self.process: SpawnProcess = context.Process(target=work_alone, args=arguments)
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
        """Do what a process says: the name of a method below, and a value."""
        try:
            kind, value = worker.connection.recv()
        except (EOFError, OSError):
            self._lose(worker)
            return
        getattr(self, kind)(worker, value)

    def at_gate(self, worker: _Worker, progress: tuple[int, int] | None) -> None:
        """Let all go on when the last one is at the gate; with progress once runs are open."""
        if progress is not None:
            worker.progress = progress
        self._at_gate += 1
        if self._at_gate < len(self.workers):
            return
        self._at_gate, self._is_learning = 0, progress is not None
        if progress is not None:
            self.progress(worker, progress)
        for each in self.workers:
            each.tell(GO)

    def progress(self, worker: _Worker, progress: tuple[int, int]) -> None:
        """Tell how far all are."""
        worker.progress = progress
        if self._started is not None:
            done, total = zip(*(each.progress for each in self.workers), strict=True)
            self._started(sum(done), sum(total))

    def episodes(self, worker: _Worker, played: Sequence[Episode]) -> None:
        """Call back for each episode."""
        for episode in played if self._callback is not None else ():
            self._callback(episode)  # type: ignore[misc]

    def warned(self, worker: _Worker, told: tuple[type[Warning], str]) -> None:
        """Warn once of a matter of all agents, though every process reports it."""
        category, text = told
        if category is not PopulationWarning:
            if text in self._warned:
                return
            self._warned.add(text)
        warn_outside(text, category)

    def done(self, worker: _Worker, summaries: list[Summary]) -> None:
        """Take the results of a process that has ended."""
        worker.summaries, worker.is_open = summaries, False

    def stopped(self, worker: _Worker, error: BaseException | None) -> None:
        """Note that a process has ended, by an error if there is one."""
        worker.is_open, self.error = False, self.error or error

    failed = stopped

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
    names += [*config.wrappers, *config.callbacks]
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
