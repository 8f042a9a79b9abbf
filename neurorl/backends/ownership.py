"""Close a backend once, and let one object alone advance it, so that nothing passes that by."""

from __future__ import annotations

import abc
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, Self

import numpy.typing as npt

from neurorl.errors import ArgumentError, BackendError
from neurorl.numerics.arrays import FloatArray


class Closable(abc.ABC):
    """Close once, by `close` or at the end of a ``with`` block.

    name: the backend's name, for the error message.
    closed: whether `close` was called.
    """

    name: str
    closed: bool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
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


class Owner(Protocol):
    """Declare what a backend needs of who learns on it."""

    def learns(self, name: str) -> bool:
        """Return whether it changes the weights of a projection."""
        ...

    def set_weights(self, name: str, weights: npt.ArrayLike) -> FloatArray:
        """Go on from weights that somebody else wrote; return those in force."""
        ...


class Ownable(Closable):
    """Know who alone may advance this; it is forgotten with its last reference.

    A `neurorl.Learning` owns its backend: steps that it doesn't see would leave its traces and
    eligibilities behind.
    """

    _owner: weakref.ref[Owner] | None = None
    _owner_acts = False

    @property
    def owner(self) -> Owner | None:
        """Return who owns this, None if nobody does."""
        return None if self._owner is None else self._owner()

    def own(self, owner: Owner) -> None:
        """Belong to *owner* until `disown`, or until nobody holds it.

        Raises ArgumentError if this belongs to another.
        """
        if self.owner is not None:
            what, remedy = "another Learning learns on this backend", "learning.close() first"
            raise ArgumentError("Learning(backend)", what, remedy=remedy)
        self._owner = weakref.ref(owner)

    def disown(self) -> None:
        """Belong to nobody."""
        self._owner = None

    @contextmanager
    def owner_acts(self) -> Iterator[None]:
        """Let what happens in the block be the owner's doing."""
        self._owner_acts = True
        try:
            yield
        finally:
            self._owner_acts = False

    def set_weights(self, name: str, weights: npt.ArrayLike) -> FloatArray:
        """Write a projection's weights; return those in force (read-only use). See `weights`.

        Where a `neurorl.Learning` learns on this backend, it goes on from them: see its method.
        Raises ArgumentError for a wrong shape, a number that is not finite, or one too large.
        """
        owner = self.owner
        if owner is not None and owner.learns(name):
            return owner.set_weights(name, weights)
        return self.write(name, weights)

    @abc.abstractmethod
    def write(self, name: str, weights: npt.ArrayLike) -> FloatArray:
        """Do what `set_weights` does, without a word to the owner."""

    def check_free(self, what: str, instead: str) -> None:
        """Raise BackendError if this is closed, ArgumentError for a call that isn't the owner's.

        what: the call. instead: what to do by the owner.
        """
        self.check_open()
        if self._owner is not None and not self._owner_acts and self._owner() is not None:
            problem = "a neurorl.Learning learns on this backend, and would not see it"
            raise ArgumentError(what, problem, remedy=f"{instead}, or learning.close() first")
