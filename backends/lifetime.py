"""Let whatever holds a simulator be closed, once, and say so afterwards."""

from __future__ import annotations

import abc
from types import TracebackType
from typing import Self

from neurorl.errors import BackendError, say

__all__ = ["Closable"]


class Closable(abc.ABC):
    """Is a context manager that closes itself at the end.

    name: of the backend, for the error.
    closed: whether `close` was called.
    """

    name: str
    closed: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def check_open(self) -> None:
        """Raise BackendError if the backend has been closed."""
        if self.closed:
            raise BackendError(say(f"backend {self.name}", "is closed", remedy="make a new one"))

    def close(self) -> None:
        """Free what the simulator holds; any later call but `close` raises BackendError."""
        if not self.closed:
            self.closed = True
            self._free()

    @abc.abstractmethod
    def _free(self) -> None:
        """Free it; called once."""
