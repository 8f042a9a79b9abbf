"""Hold what was recorded, by name, with the times of each row, such as windows of learning."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from neurorl.errors import ArgumentError, unknown_name_error
from neurorl.numerics.arrays import Array
from neurorl.storage.files import write_bytes

__all__ = ["Array", "Callback", "Records", "check_every", "read_names"]

Callback = Callable[[float, str, Array], object]


class Records:
    """Hold rows of named arrays and when each was taken, or hand each row to a callback.

    names: what is recorded. axis: what `times` count. callback: called with ``(t, name, value)``
    for each row, which is then not kept.
    """

    def __init__(self, names: tuple[str, ...], axis: str, callback: Callback | None) -> None:
        self.names, self.axis = names, axis
        self._callback = callback
        self._rows: dict[str, list[Array]] = {name: [] for name in names}
        self._times: dict[str, list[Array]] = {name: [] for name in names}

    def __getitem__(self, name: str) -> Array:
        """Return all rows of a name, ``(rows, ...)``."""
        return self._joined(self._rows, name)

    def times(self, name: str) -> Array:
        """Return when each row of a name was taken, ``(rows,)``."""
        return self._joined(self._times, name)

    @property
    def arrays(self) -> dict[str, Array]:
        """Return all rows by name."""
        return {name: self[name] for name in self.names}

    def to_npz(self, path: str | Path) -> None:
        """Write each array as ``NAME`` and its times as ``NAME.t``; replace the file as a whole.

        Raises RunError if the system refuses.
        """
        times = {f"{name}.t": self.times(name) for name in self.names}
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **self.arrays, **times)
        write_bytes(Path(path), file.getvalue(), "recording")

    def _begin(self, name: str, empty: Array) -> None:
        """Let a name without rows be *empty*, of no rows."""
        if not self._rows[name]:
            self._rows[name].append(empty.copy())
            self._times[name].append(np.zeros(0, dtype=np.int64))

    def _add(self, name: str, times: Array, rows: Array) -> None:
        """Add rows, which are copied."""
        if self._callback is None:
            self._rows[name].append(rows.copy())
            self._times[name].append(times)
            return
        for t, row in zip(times.tolist(), rows, strict=True):
            self._callback(t, name, row.copy())

    def _joined(self, parts: dict[str, list[Array]], name: str) -> Array:
        if name not in parts:
            raise unknown_name_error("recorded name", name, parts)
        if len(parts[name]) > 1:
            parts[name] = [np.concatenate(parts[name])]
        return parts[name][0] if parts[name] else np.zeros(0)


def read_names(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the names to record, each once.

    Raises ArgumentError unless it is a list of one or more, UnknownNameError for an unknown one.
    """
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        limit = "such as ['output.spikes']"
        raise ArgumentError("recording", "no list of names", got=repr(names)[:60], limit=limit)
    for name in names:
        if name not in known:
            raise unknown_name_error("recorded name", name, known)
    return tuple(dict.fromkeys(names))


def check_every(where: str, every: int) -> int:
    """Return *every*; raise ArgumentError unless it is a whole number, 1 or more."""
    if isinstance(every, bool) or not isinstance(every, int) or every < 1:
        raise ArgumentError(where, "must be a whole number", got=every, limit=">= 1")
    return every


class WindowRecords(Records):
    """Record in a ``with`` block; a row is of a window that is over, with all that reinforced it.

    It is over when the next begins, the network is reset or restored, or the block ends.

    told: what is recorded, by name. n_windows: says how many were made. among: those whose `take`
        is called when a window is over; this is there while in the block.
    every: take a row of every *every*-th window; `times` count them from 1. callback: called with
        ``(t, name, value)`` for each row, which is then not kept.
    """

    def __init__(
        self,
        told: Mapping[str, Callable[[], Array]],
        n_windows: Callable[[], int],
        among: list[WindowRecords],
        every: int,
        callback: Callback | None,
    ) -> None:
        super().__init__((*told,), "window", callback)
        self.every = check_every("record, every", every)
        self._told, self._n_windows, self._among = told, n_windows, among
        self._seen = 0

    def __enter__(self) -> Self:
        """Begin, or go on."""
        for name, tell in self._told.items():
            self._begin(name, tell()[None][:0])
        self._seen = self._n_windows()
        self._among.append(self)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._among.remove(self)
        if error is None:
            self.take()

    def take(self) -> None:
        """Take a row of the window that is over, unless it was taken or isn't due."""
        before, self._seen = self._seen, self._n_windows()
        if self._seen > before and self._seen % self.every == 0:
            for name, tell in self._told.items():
                self._add(name, np.array([self._seen]), tell()[None])
