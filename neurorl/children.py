"""Start processes that import the same modules as this one, whatever folder they start in."""

from __future__ import annotations

import multiprocessing
import os
import sys

__all__ = ["GUARD", "child_environment", "end_if_importing_main", "module_command"]

GUARD = 'in a script, call it under if __name__ == "__main__"'
"""Say what a script must do whose processes import it."""


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs *module*; give it `child_environment`.

    ``python -m`` alone would look into the current folder first, where another neurorl may be.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Return this process's environment, with its search path for modules."""
    path = os.pathsep.join(filter(None, sys.path))
    return {**os.environ, "PYTHONPATH": path}


def end_if_importing_main() -> None:
    """End a new process of `multiprocessing` that got here by importing the script that began it.

    It has nothing to do here: the first process says what is wrong with the script, see `GUARD`.
    Raises SystemExit.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as spawn.py asks itself
        raise SystemExit(1)
