"""What becomes of errors in a command: one line on stderr, and an exit status."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Protocol

from neurorl.errors import NeurorlError

__all__ = ["GOES_ON", "Main", "exit_status"]

GOES_ON = "goes on from here when it is started again"


class Main(Protocol):
    """A command: the words after its name (None takes the process's own), to an exit status."""

    def __call__(self, arguments: list[str] | None = None) -> int: ...


def exit_status(command: str, stopped: str = "") -> Callable[[Main], Main]:
    """Let a *main* raise what it may: it returns a status instead, and says why it isn't its own.

    2 for a NeurorlError, 130 if the user stops it, 141 if nobody reads what it prints. command:
    what the line begins with. stopped: what a user who stopped it is told beside that it has.
    """

    def wrap(main: Main) -> Main:
        @functools.wraps(main)
        def status(arguments: list[str] | None = None) -> int:
            try:
                return main(arguments)
            except NeurorlError as exc:
                print(f"{command}: {' '.join(str(exc).split())}", file=sys.stderr)
                return 2
            except KeyboardInterrupt:
                said = "; ".join(filter(None, ("stopped", stopped)))
                print(f"{command}: {said}", file=sys.stderr)
                return 130
            except BrokenPipeError:
                sys.stderr.close()
                return 141

        return status

    return wrap
