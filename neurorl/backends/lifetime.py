"""Close objects that hold a simulator once, and raise an error if they are used afterwards."""

from __future__ import annotations

import abc
from types import TracebackType
from typing import Self

from neurorl.errors import BackendError

__all__ = ["Closable"]


class Closable(abc.ABC):
    """Close once, by `close` or at the end of a ``with`` block.

    name: the backend's name, for the error message.
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
            raise BackendError(f"backend {self.name}", "is closed", remedy="make a new one")

    def close(self) -> None:
        """Release the simulator's resources; any later call but `close` raises BackendError."""
        if not self.closed:
            self.closed = True
            self._free()

    @abc.abstractmethod
    def _free(self) -> None:
        """Release the simulator's resources; called once."""
