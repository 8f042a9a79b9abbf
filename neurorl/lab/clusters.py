"""Run the units of a sweep as jobs of a batch system, by dask-jobqueue.

``neurorl sweep FILE --cluster slurm:jobs.yaml`` reads what each job asks for from a file, by the
names of dask-jobqueue's cluster of that system, and how many jobs there are at once::

    jobs: 20
    cores: 4                # each trains a unit of its own
    memory: 8GB
    walltime: "01:00:00"    # may be shorter than a unit, which goes on from its checkpoint
    queue: normal

Jobs that end are replaced. A unit whose worker is lost is trained on by another one; it fails when
it was lost `ATTEMPTS` times without a new checkpoint.
"""

from __future__ import annotations

import inspect
import logging
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurorl.errors import (
    ArgumentError,
    FallbackWarning,
    RunError,
    check_name,
    format_message,
    one_line,
)
from neurorl.lab.search import read_toml_or_yaml
from neurorl.storage.files import import_extra
from neurorl.storage.plain import check_count
from neurorl.storage.reading import FilePlace

if TYPE_CHECKING:
    from distributed import Client

SYSTEMS = ("slurm", "pbs", "sge", "lsf", "oar")
"""Name the batch systems; dask-jobqueue's classes are these in capitals and ``Cluster``."""
ATTEMPTS = 3

_LOGGERS = ("tornado.application", "asyncio", "distributed.scheduler")
_REFRESH, _POLL, _WAIT = "5s", 0.1, 60.0


@contextmanager
def scheduler_at(address: str) -> Iterator[Executor]:
    """Connect with a Dask cluster that runs. Raises UnsupportedError without Dask, RunError."""
    library = import_extra("distributed", "--scheduler", "Dask", "sweep")
    try:
        client = library.Client(address, timeout="10s")
    except (OSError, ValueError) as exc:
        where, remedy = f"scheduler {address}", "start it by 'dask scheduler'"
        raise RunError(where, "doesn't answer", got=exc, remedy=remedy) from exc
    with client:
        yield client.get_executor(pure=False)


def dask_jobqueue() -> Any:
    """Return dask-jobqueue. Raises UnsupportedError without it.

    Its import makes Ctrl-C end the program with status 0; what the user has is put back.
    """
    on_interrupt = signal.getsignal(signal.SIGINT)
    module = import_extra("dask_jobqueue", "--cluster", "dask-jobqueue", "cluster")
    if signal.getsignal(signal.SIGINT) is not on_interrupt:
        signal.signal(signal.SIGINT, on_interrupt)
    return module


@contextmanager
def batch_system(named: str, logs: Path) -> Iterator[Executor]:
    """Start jobs of a batch system, named ``SYSTEM:FILE``, and end them with the block.

    logs: folder for what jobs print, if the file names none. Warns if no job begins to work.
    Raises ArgumentError or RunError for what the file or the system refuses, UnsupportedError
    without dask-jobqueue.
    """
    vendor = dask_jobqueue()
    import dask
    from distributed import Client

    system, _, file = named.partition(":")
    check_name("batch system", system, SYSTEMS)
    kind = getattr(vendor, f"{system.upper()}Cluster")
    jobs, asked = _asked(kind, Path(file))
    asked = {"log_directory": str(logs), **asked}
    # Any free port: by itself Dask warns where another sweep has its own.
    asked["scheduler_options"] = {"dashboard_address": ":0", **asked.get("scheduler_options", {})}
    # A lost worker is ours to judge: Dask counts losses, but not what was done in between.
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), _quiet():
        answers: list[str | None] = []
        job = _telling(kind, answers, f"cluster {named}")
        try:
            # A first job on trial: a cluster that fails amid its own construction can't be closed.
            of_job = {option: asked[option] for option in _options(job) & asked.keys()}
            job(scheduler="tcp://127.0.0.1:1", name="trial", **of_job)
            cluster = kind(job_cls=job, **asked)
        except (TypeError, ValueError, OSError) as exc:
            raise ArgumentError(f"cluster {named}", "can't be started", got=exc) from exc
        with cluster, Client(cluster) as client:
            cluster.scale(jobs=1)
            while not answers:
                time.sleep(_POLL)
            if answers[0] is not None:
                raise RunError(f"cluster {named}", "refuses a job", got=answers[0])
            cluster.adapt(minimum_jobs=jobs, maximum_jobs=jobs, interval=_REFRESH)
            is_over = threading.Event()
            waiting = (client, named, is_over)
            watcher = threading.Thread(target=_warn_if_idle, args=waiting, daemon=True)
            watcher.start()
            try:
                yield client.get_executor(pure=False)
            finally:
                is_over.set()
                watcher.join()


def _warn_if_idle(client: Client, named: str, is_over: threading.Event) -> None:
    """Warn if a cluster gets no worker: a system may take jobs that can never begin."""
    until = time.monotonic() + _WAIT
    while not client.ncores():
        if is_over.wait(1.0):
            return
        if time.monotonic() < until:
            continue
        where, what = f"cluster {named}", f"no job has begun to work in {_WAIT:g} s"
        remedy = "the system's list of jobs says why, such as squeue; or wait"
        warnings.warn(format_message(where, what, remedy=remedy), FallbackWarning, stacklevel=2)
        return


def _telling(kind: type, answers: list[str | None], where: str) -> type:
    """Return a cluster's class of jobs, which notes why the system refuses one, None if it doesn't.

    Dask itself logs a traceback and goes on asking. Warns once of each later refusal.
    """
    from distributed import Status

    job: type = kind.job_cls  # type: ignore[attr-defined]

    async def start(self: Any) -> None:
        try:
            await job.start(self)  # type: ignore[attr-defined]
        except (RuntimeError, OSError) as exc:
            said = one_line(str(exc).partition("stderr:")[2].strip() or exc)
            if None in answers and said not in answers:
                message = format_message(where, "refuses a further job", got=said)
                warnings.warn(message, FallbackWarning, stacklevel=2)
            answers.append(said)
            self.status = Status.closed  # else the cluster can't be closed
            raise
        answers.append(None)

    return type(job.__name__, (job,), {"start": start})


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep off the terminal what Dask says of jobs that are refused or lost."""
    levels = {logger: logger.level for logger in map(logging.getLogger, _LOGGERS)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def is_lost_worker(problem: Exception) -> bool:
    """Return whether an executor's error says that the process ended, not that the work failed."""
    try:
        from distributed import KilledWorker
    except ImportError:
        return False
    return isinstance(problem, KilledWorker)


class Losses:
    """Count how often a unit's worker was lost without having written a checkpoint."""

    def __init__(self, place: str) -> None:
        self.place = Path(place)
        self.seen = self._checkpoints()
        self.in_vain = 0

    def goes_on(self) -> bool:
        """Return whether to try again after one more loss."""
        seen = self._checkpoints()
        self.in_vain = self.in_vain + 1 if seen == self.seen else 0
        self.seen = seen
        return self.in_vain < ATTEMPTS

    def _checkpoints(self) -> list[int]:
        times = []
        for path in self.place.glob("*/checkpoint.npz"):
            with suppress(OSError):  # it is just being replaced
                times.append(path.stat().st_mtime_ns)
        return sorted(times)


def _asked(kind: type, file: Path) -> tuple[int, dict[str, Any]]:
    """Return how many jobs a file wants, and the options of dask-jobqueue's cluster."""
    place = FilePlace(f"cluster file {file}")
    options = dict(read_toml_or_yaml(file, place)[1])
    known = _options(kind) | _options(kind.job_cls)  # type: ignore[attr-defined]
    for name in options:
        check_name(place.where, name, {"jobs", *known})
    jobs = check_count(f"{place.where}, jobs", options.pop("jobs", 1))
    # A unit fills a core, so each core of a job gets a worker of its own.
    return jobs, {"processes": options.get("cores", 1), **options}


def _options(kind: type) -> set[str]:
    """Return the names of the options of a class and of what it is derived from."""
    classes = [c for c in kind.__mro__ if c.__module__.startswith("dask_jobqueue")]
    names = {name for c in classes for name in inspect.signature(c).parameters}
    return names - {"self", "n_workers", "job_cls", "loop", "asynchronous", "kwargs", "scheduler"}
