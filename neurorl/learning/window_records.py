"""Record what synapses have learned, window by window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Self

import numpy as np

from neurorl.backends.records import Array, Callback, Records, check_every


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
