"""Start processes that import the same modules as this one, whatever folder they start in."""

from __future__ import annotations

import os
import sys

__all__ = ["child_environment", "module_command"]


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs *module*; give it `child_environment`.

    ``python -m`` alone would look into the current folder first, where another neurorl may be.
    """
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Return this process's environment, with its search path for modules."""
    path = os.pathsep.join(filter(None, sys.path))
    return {**os.environ, "PYTHONPATH": path}
