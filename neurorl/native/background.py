"""Compile the library of the learning loop in a process of its own, while learning has begun.

``python -m neurorl.native.background``: it goes on when the process that began it has ended, so
that the next one finds the library. Its only output is the error, if there is one.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from pathlib import Path

from neurorl.errors import NeurorlError
from neurorl.native.build import cache_folder, library
from neurorl.native.cache import CompileCache

__all__ = ["Building", "begin_building"]


class Building:
    """Hold the process that compiles."""

    def __init__(self) -> None:
        CompileCache(cache_folder()).make()
        # What this process would import, as -m looks in the current folder first.
        command = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that it ends neither with us nor by a Ctrl-C
            text=True,
        )

    @functools.cached_property
    def problem(self) -> str | None:
        """Wait for its end, and return why there is no library; None if there is one."""
        said, _ = self._process.communicate()
        if self._process.returncode == 0:
            return None
        return said.strip() or "its library doesn't compile"

    def is_over(self) -> bool:
        """Return whether it has ended."""
        return self._process.poll() is not None


def begin_building() -> Building:
    """Begin to compile the library, once in a process for each cache and compiler.

    Raises BackendError if the cache can't be written.
    """
    return _begin(cache_folder(), os.environ.get("CXX"))


@functools.cache
def _begin(folder: Path, compiler: str | None) -> Building:
    return Building()


def main() -> None:
    """Compile, or print why that isn't possible, with exit status 1."""
    try:
        library()
    except NeurorlError as exc:
        print(exc)
        sys.exit(1)


if __name__ == "__main__":
    main()
