"""Define every exception that neurorl raises on purpose.

    NeurorlError
    ├── DescriptionError        (ValueError)           a network or agent described wrongly
    ├── ArgumentError           (ValueError)           a bad argument of a call or command
    ├── UnknownNameError        (LookupError)          no backend, model, ... of this name
    ├── UnsupportedError        (NotImplementedError)  right in itself, but not on this backend
    ├── BackendUnavailableError (ImportError)          the simulator is missing or broken
    ├── BackendError            (RuntimeError)         the simulator failed while it ran
    ├── EnvError                (RuntimeError)         an environment that answers wrongly
    ├── DivergenceError         (ArithmeticError)      what is learned has become infinite or NaN
    └── RunError                (ValueError)           a run directory that cannot be used

and its warnings (UserWarning): `PopulationWarning`, of a population that learning has lost,
`FallbackWarning`, of something else that runs in place of what isn't there,
`EnvironmentWarning`, of an environment that can't be saved as it is, or is no known task, and
`GridWarning`, of weights that are nothing on their grid. `ChangeWarning` (FutureWarning) tells of a
call that means something else than it did.

Messages read *where: what, got, limit, remedy*; see `format_message`.
"""

from __future__ import annotations

import difflib
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

__all__ = [
    "ArgumentError",
    "BackendError",
    "BackendUnavailableError",
    "ChangeWarning",
    "DefinitionWarning",
    "DescriptionError",
    "DivergenceError",
    "EnvError",
    "EnvironmentWarning",
    "FallbackWarning",
    "GridWarning",
    "NeurorlError",
    "PopulationWarning",
    "RunError",
    "UnknownNameError",
    "UnsupportedError",
    "check_name",
    "format_message",
    "one_line",
    "quoted",
    "unknown_name_error",
    "warn_of",
    "warn_outside",
]

_LONGEST = 300  # letters of what an error quotes


class NeurorlError(Exception):
    """Stand for every error of neurorl; the command line prints one line and exits with 2.

    where, what, got, limit, remedy: as in `format_message`; without *what*, *where* is all.
    """

    def __init__(
        self,
        where: str = "",
        what: str | None = None,
        *,
        got: object = None,
        limit: object = None,
        remedy: str | None = None,
    ) -> None:
        if what is not None:
            where = format_message(where, what, got=got, limit=limit, remedy=remedy)
        super().__init__(where)


class DescriptionError(NeurorlError, ValueError):
    """Report a description that contradicts itself or leaves the allowed range."""


class ArgumentError(NeurorlError, ValueError):
    """Report an argument of the wrong kind, shape or range."""


class UnknownNameError(NeurorlError, LookupError):
    """Report a name that nothing is registered under."""


class UnsupportedError(NeurorlError, NotImplementedError):
    """Report a valid request that this backend, or this version, can't serve."""


class BackendUnavailableError(NeurorlError, ImportError):
    """Report a simulator that is not installed, or that doesn't import."""


class BackendError(NeurorlError, RuntimeError):
    """Report a simulator that failed while it compiled or ran."""


class NotShippedError(BackendError):
    """Report a network for which no compiled code was shipped, where none can be compiled."""


class EnvError(NeurorlError, RuntimeError):
    """Report an environment with answers that nothing can be learned from."""


class DivergenceError(NeurorlError, ArithmeticError):
    """Report weights or values that have become infinite or NaN."""


class RunError(NeurorlError, ValueError):
    """Report a run directory that is missing, damaged, in the way, or of another run."""


class PopulationWarning(UserWarning):
    """Warn of a population that is silent, saturated, clipped, drifting or stuck."""


class FallbackWarning(UserWarning):
    """Warn that something slower runs: the emulator for a chip, another backend or loop."""


class EnvironmentWarning(UserWarning):
    """Warn of an environment that a file can't hold, or that a preset isn't for."""


class GridWarning(UserWarning):
    """Warn of weights, or steps of learning, that the grid of weights rounds to nothing."""


class DefinitionWarning(UserWarning):
    """Warn that what goes on was begun when this version's definition of learning was another."""


class ChangeWarning(FutureWarning):
    """Warn that a call means something else than it did in an earlier version."""


def warn_outside(message: str, category: type[Warning]) -> None:
    """Warn as if from the first line outside of this package that led here."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_globals["__name__"].startswith("neurorl."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def own_warnings(tell: Callable[[type[Warning], str], None]) -> Iterator[None]:
    """Pass all warnings of what goes wrong here to a function, and show others as usual."""
    own, others = (PopulationWarning, FallbackWarning, EnvironmentWarning), warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **options: Any) -> None:
        if issubclass(category, own):
            tell(category, str(message))
        else:
            others(message, category, *where, **options)

    with warnings.catch_warnings():
        for each in own:
            warnings.simplefilter("always", each)
        warnings.showwarning = show
        yield


def format_message(
    where: str, what: str, *, got: object = None, limit: object = None, remedy: str | None = None
) -> str:
    """Return one line *where: what (got ..., limit ...); remedy*."""
    facts = [
        f"got {_short(got)}" if got is not None else "",
        f"limit {_short(limit)}" if limit is not None else "",
    ]
    shown = ", ".join(fact for fact in facts if fact)
    begun, then = _short(f"{where}: {what}", 3 * _LONGEST), _short(remedy or "", 3 * _LONGEST)
    text = begun + (f" ({shown})" if shown else "") + (f"; {then}" if then else "")
    return re.sub(r"\s*\n\s*", " ", text) if "\n" in text else text


def warn_of(
    category: type[Warning],
    where: str,
    what: str,
    *,
    got: object = None,
    limit: object = None,
    remedy: str | None = None,
) -> None:
    """Warn in one line, see `format_message`, as `warn_outside` does."""
    warn_outside(format_message(where, what, got=got, limit=limit, remedy=remedy), category)


def one_line(message: object) -> str:
    """Return a message without its line breaks."""
    return " ".join(str(message).split())


def quoted(value: object) -> str:
    """Return *value* as code of at most 60 letters in a line, or its type if it can't be shown."""
    try:
        return " ".join(repr(value).split())[:60]
    except Exception:  # of a foreign object, or an integer of thousands of digits
        return type(value).__name__


def check_name(kind: str, name: object, known: Iterable[str]) -> None:
    """Raise UnknownNameError unless *name* is one of the *known* ones."""
    if not isinstance(name, str) or name not in known:
        raise unknown_name_error(kind, name, known)


def check_mapping(where: str, given: object) -> None:
    """Raise ArgumentError unless something is said by name."""
    if not isinstance(given, Mapping):
        raise ArgumentError(where, "not by name", got=quoted(given), limit="a dict")


def _short(value: object, longest: int = _LONGEST) -> str:
    """Return *value*, which may come from somebody else's file, as short text."""
    try:
        text = str(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        text = type(value).__name__
    return text if len(text) <= longest else f"{text[:longest]}..."


def unknown_name_error(
    kind: str, name: object, known: Iterable[str], hints: Mapping[str, str] | None = None
) -> UnknownNameError:
    """Return the error for a *name* that isn't *known*, with the nearest of the known ones.

    hints: what to do instead, by names that aren't known but meant something elsewhere.
    """
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1, cutoff=0.5)
    listed = ", ".join(names[:12]) + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
    remedy = f"did you mean {near[0]!r}?" if near else f"known: {listed}"
    if hints and isinstance(name, str):
        remedy = hints.get(name, remedy)
    return UnknownNameError(kind, "unknown name", got=quoted(name), remedy=remedy)
