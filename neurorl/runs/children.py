"""Start processes that import the same modules as this one, and that end with it.

Whoever starts a process holds one end of a pipe. However it ends, killed or not, the system closes
that end, which the process hears of.
"""

from __future__ import annotations

import _thread
import io
import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import NoReturn

_CHECKPOINT_SECONDS = 1.0

GUARD = 'in a script, call it under if __name__ == "__main__"'
"""Say what a script must do whose processes import it."""


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs *module*; give it `child_environment`.

    ``python -m`` alone would look into the current folder first, where another neurorl may be.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Return this process's environment, with its search path for modules."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def end_if_importing_main() -> None:
    """End a new process of `multiprocessing` that got here by importing the script that began it.

    It has nothing to do here: the first process says what is wrong with the script, see `GUARD`.
    Raises SystemExit.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as spawn.py asks itself
        raise SystemExit(1)


def begin_session() -> None:
    """Let a terminal's Ctrl-C go to the process that started this one, which says when to stop."""
    if hasattr(os, "setsid"):
        os.setsid()


def end_with(connection: Connection) -> None:
    """Let this process, and what it starts, end when the other end of a silent pipe is closed."""

    def wait() -> None:
        connection.poll(None)
        sys.stderr = io.StringIO()  # as nobody is there to be told of an interrupt
        end_soon()

    begin_session()
    threading.Thread(target=wait, daemon=True).start()


def end_soon() -> NoReturn:
    """End this process from another of its threads: as by Ctrl-C, and soon after by SIGKILL.

    So it has a moment for a checkpoint; without one, its runs go on from the last.
    """
    _thread.interrupt_main()
    time.sleep(_CHECKPOINT_SECONDS)
    end_now()


def end_now() -> NoReturn:
    """End this process, and if it has a session of its own, all that it has started."""
    # Only a group of our own: else the caller's processes would be killed, too.
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
