"""Turn errors of a command into one line on stderr and an exit status."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from neurorl.errors import NeurorlError

GOES_ON = "goes on from here when it is started again"

_PERMIT = "let it and its folder be read and written, or name another"


class Main(Protocol):
    """Run a command. Takes the words after its name, None the process's own; returns the status."""

    def __call__(self, arguments: list[str] | None = None) -> int: ...


def exit_status(command: str, stopped: str = "") -> Callable[[Main], Main]:
    """Decorate a *main* so that exceptions become an exit status and one line on stderr.

    2 for a NeurorlError, and for what the system refuses: a file, or memory. 130 if the user stops
    it, 141 if nobody reads what it prints. command: what the line begins with. stopped: what a user
    who stopped it is told beside that it has, if the KeyboardInterrupt doesn't say.
    """

    def wrap(main: Main) -> Main:
        @functools.wraps(main)
        def status(arguments: list[str] | None = None) -> int:
            if isinstance(sys.stdout, io.TextIOWrapper):  # of a narrow encoding, maybe
                sys.stdout.reconfigure(errors="backslashreplace")
            try:
                done = main(arguments)
                if sys.stdout is not None:
                    sys.stdout.flush()
                return done
            except NeurorlError as exc:
                print(f"{command}: {' '.join(str(exc).split())}", file=sys.stderr)
                return 2
            except KeyboardInterrupt as exc:
                said = "; ".join(filter(None, ("stopped", str(exc) or stopped)))
                print(f"{command}: {said}", file=sys.stderr)
                return 130
            except BrokenPipeError:
                _print_no_more()
                return 141
            except MemoryError:
                print(f"{command}: not enough memory", file=sys.stderr)
                return 2
            except OSError as exc:
                _print_no_more()
                name = f"{exc.filename}: " if exc.filename else ""
                then = f"; {_PERMIT}" if isinstance(exc, PermissionError) else ""
                print(f"{command}: {name}{exc.strerror or exc}{then}", file=sys.stderr)
                return 2

        return status

    return wrap


@contextlib.contextmanager
def goes_on(kept: Iterable[Path], how: str) -> Iterator[None]:
    """Tell a user who stops what is inside *how* it goes on, if a file of *kept* is there."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(how if any(path.exists() for path in kept) else "") from None


def _print_no_more() -> None:
    """Print no more, so that the interpreter doesn't try again when it ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
