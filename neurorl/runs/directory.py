"""Keep a run in its directory: config.json, episodes.csv, checkpoint.npz, summary.json, a lock."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import errno
import math
import os
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import numpy as np

from neurorl.agents.budget import Budget, held_interrupts
from neurorl.agents.episodes import Episode
from neurorl.errors import RunError
from neurorl.runs.config import RunConfig
from neurorl.storage.files import as_csv, as_json, replace, temporary_files, unwritable
from neurorl.storage.plain import Named
from neurorl.storage.reading import FilePlace, read_bytes, read_json, read_lines

_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


class LockedRunError(RunError):
    """Report a run that another process trains."""


class RunLock:
    """Lock a run directory until the process that holds it ends.

    The lock file is removed on release, which `filelock` doesn't do, so that the directory of a
    finished run has no other files. Without ``fcntl``, and on file systems without locks (on some
    clusters), nothing is locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock; False if another process, or this one, holds it. Raises OSError."""
        try:
            import fcntl
        except ImportError:
            return True
        with held_interrupts():  # one between the file and the descriptor would leave the file
            return self._acquire(fcntl)

    def _acquire(self, fcntl: ModuleType) -> bool:
        while True:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(descriptor, self.path):
                    self._descriptor = descriptor
                    return True
            except BlockingIOError:
                os.close(descriptor)
                return False
            except OSError as exc:
                if exc.errno in _NO_LOCKS:
                    self._descriptor = descriptor
                    return True
                os.close(descriptor)
                raise
            os.close(descriptor)  # the last holder removed the file while we waited to open it

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                # While it is locked: after the close another process may hold this file.
                self.path.unlink()
            os.close(self._descriptor)
            self._descriptor = None


def _is_at(descriptor: int, path: Path) -> bool:
    """Return whether an open file is the one that has this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


_LARGEST_TABLE = 2**28
_LONGEST_ROW = 1000

COLUMNS = ("episode", "return", "length", "env_steps", "wall_s", "discounted_return")


class RunDirectory:
    """Read and write the files of one training run.

    A run has begun when its ``config.json`` exists, which is written first and atomically; a
    process killed before may have left an empty directory or temporary files, which don't matter.

    Rows of ``episodes.csv`` may be ahead of the checkpoint when a run is killed; `rewind` removes
    them, and the episodes played again give the same rows, except for ``wall_s``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config, self.episodes = path / "config.json", path / "episodes.csv"
        self.checkpoint, self.summary = path / "checkpoint.npz", path / "summary.json"
        self.evaluations, self.best = path / "evaluations.csv", path / "best.npz"
        self._rows: BinaryIO | None = None
        self._lock = RunLock(path / ".lock")

    def has_begun(self) -> bool:
        """Return whether there is a run to resume, as far as this user can see."""
        try:
            return self.config.exists()
        except OSError:
            return False

    def is_free(self) -> bool:
        """Return whether a run can begin here: there are at most leftovers of a killed one.

        Raises RunError if it can't be read.
        """
        try:
            if not self.path.exists():
                return not self.path.is_symlink()
            if not self.path.is_dir():
                return False
            return set(self.path.iterdir()) <= {self._lock.path, *temporary_files(self.config)}
        except OSError as exc:
            raise RunError(unwritable(f"run {self.path}", exc, "can't be read")) from exc

    def check_free(self) -> None:
        """Raise RunError if something is there already."""
        if not self.is_free():
            remedy = "use --resume, or another --out"
            raise RunError(f"run {self.path}", "already exists", remedy=remedy)

    def create(self, config: Named) -> None:
        """Start a new run and lock it. Raises RunError if something is there already."""
        self.check_free()
        with self._writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        self.lock()
        self.check_free()  # another process may have begun a run meanwhile
        self.keep(self.config, as_json(config))

    def discard(self) -> None:
        """Remove the files of `create`, and the directory if it is empty then."""
        self.close_rows()
        with self._writing(self.path):
            for path in (self.config, self.episodes, self.evaluations):
                path.unlink(missing_ok=True)
        self.close()
        with contextlib.suppress(OSError):  # other files are in it
            self.path.rmdir()

    def lock(self) -> None:
        """Lock the run for this process until `close`; remove leftovers of killed ones.

        Raises RunError if another process trains it.
        """
        with self._writing(self.path):
            is_ours = self._lock.acquire()
            if is_ours:
                results = (self.checkpoint, self.summary, self.evaluations, self.best)
                for path in (self.config, self.episodes, *results):
                    for left in temporary_files(path):
                        left.unlink(missing_ok=True)
        if not is_ours:
            what, remedy = "is being trained by another process", "wait for it, or stop it"
            raise LockedRunError(f"run {self.path}", what, remedy=remedy)

    def read_config(self, remedy: str = "make it by neurorl train") -> RunConfig:
        """Return the run's configuration. Raises RunError if it is missing or damaged.

        remedy: what to do if there is no run.
        """
        if not self.path.is_dir():
            raise RunError(f"run {self.path}", "no such run directory", remedy=remedy)
        if not os.path.lexists(self.config):
            raise RunError(f"run {self.path}", "is not a run: config.json is missing")
        place = FilePlace(f"run {self.path}", "config.json")
        return RunConfig.from_file(read_json(self.config, place), place)

    def change_budget(self, budget: Budget) -> None:
        """Put *budget* into ``config.json`` if it has another; the rest stays the same."""
        config = read_json(self.config, FilePlace(f"run {self.path}", "config.json"))
        changes = {"episodes": budget.episodes, "steps": budget.steps}
        if any(config.get(name) != value for name, value in changes.items()):
            self.keep(self.config, as_json({**config, **changes}))

    def rewind(self, episodes: Sequence[Episode]) -> None:
        """Make ``episodes.csv`` hold exactly *episodes*, and open it for more.

        Wall times come from the file, as checkpoints have none.
        """
        self.close_rows()
        pairs = zip(episodes, self._wall_times(), strict=False)
        timed = [dataclasses.replace(e, wall_s=wall_s) for e, wall_s in pairs]
        every = (_row(episode) for episode in [*timed, *episodes[len(timed) :]])
        self.keep(self.episodes, as_csv([COLUMNS, *every]))
        with self._writing(self.episodes):
            self._rows = self.episodes.open("ab", buffering=0)

    def append(self, episode: Episode) -> None:
        """Add a row, which is in the file on return; remove the summary, which is outdated now."""
        assert self._rows is not None
        left = as_csv([_row(episode)])
        with self._writing(self.episodes):
            self.summary.unlink(missing_ok=True)
            while left:
                left = left[self._rows.write(left) :]

    def keep(self, path: Path, data: bytes) -> None:
        """Write *data* to a file of the run, unless it holds the same already.

        Raises RunError, and leaves the file as it was, if the system refuses.
        """
        with self._writing(path):
            is_alike = path.exists() and path.stat().st_size == len(data)
            if not (is_alike and path.read_bytes() == data):
                replace(path, data)

    def keep_checkpoint(self, data: bytes) -> None:
        """Write the checkpoint, after the rows of its episodes."""
        with self._writing(self.episodes):
            # Rows reach the disk before a checkpoint that counts them.
            if self._rows is not None:
                os.fsync(self._rows.fileno())
        self.keep(self.checkpoint, data)

    def read_episodes(self) -> dict[str, list[float]]:
        """Return the columns of ``episodes.csv``. Raises RunError if it is missing or damaged."""
        place = FilePlace(f"run {self.path}", "episodes.csv")
        rows = csv.reader(read_lines(self.episodes, _LARGEST_TABLE, _LONGEST_ROW, place))
        try:
            names = next(rows, [])
            places = [names.index(name) for name in COLUMNS]
            numbers = array("d")
            for row in rows:
                numbers.extend([float(row[place]) for place in places])
        except RunError:
            raise
        except (csv.Error, LookupError, ValueError) as exc:
            raise place.wrong("is damaged", exc) from exc
        columns = np.array(numbers).reshape(-1, len(COLUMNS)).T
        if not np.isfinite(columns).all():
            raise place.wrong("is damaged: not all of it are finite numbers")
        return dict(zip(COLUMNS, columns.tolist(), strict=True))

    def close_rows(self) -> None:
        """Close the file of rows."""
        if self._rows is not None:
            self._rows.close()
            self._rows = None

    def close(self) -> None:
        """Add no more rows, and let other processes train the run."""
        self.close_rows()
        self._lock.release()

    def _wall_times(self) -> list[float]:
        """Return the wall times of ``episodes.csv`` up to the first incomplete row."""
        times: list[float] = []
        try:
            data = read_bytes(self.episodes, _LARGEST_TABLE, FilePlace(f"run {self.path}"))
        except RunError:
            return times
        text = data.decode(errors="replace")
        for number, line in enumerate(text.split("\n")[1:-1]):
            values = line.split(",")
            if len(values) != len(COLUMNS) or values[0] != str(number):
                break
            with contextlib.suppress(ValueError):
                times.append(float(values[COLUMNS.index("wall_s")]))
            if len(times) <= number or not math.isfinite(times[number]):
                return times[:number]
        return times

    @contextlib.contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        """Report in one line what the system refuses; earlier files stay complete."""
        try:
            yield
        except OSError as exc:
            what = "can't be written" if path == self.path else f"{path.name} can't be written"
            then = "go on with --resume" if self.has_begun() else None
            raise RunError(unwritable(f"run {self.path}", exc, what, then)) from exc


def _row(e: Episode) -> tuple[str, ...]:
    numbers = (e.episode, e.ret, e.length, e.env_steps, round(e.wall_s, 6), e.discounted)
    return tuple(repr(n) for n in numbers)
