"""Compile in a process of its own, while learning has begun.

It goes on when the process that began it has ended, so that the next one finds the library. Its
only output is the error, if there is one.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from neurorl.errors import NeurorlError
from neurorl.native.build import cache_folder, has_library
from neurorl.native.cache import CompileCache

__all__ = ["Building", "begin_building", "begin_library"]

_LIBRARY = "neurorl.native.build:library"
_FILE = "neurorl.native.build:compile_file"


class Building:
    """Hold the process that compiles.

    function: ``module:name`` of what it calls. arguments: of that, as plain data. folder: the cache
    that is written. Raises BackendError if it can't be.
    """

    def __init__(
        self, function: str = _LIBRARY, arguments: Sequence[Any] = (), folder: Path | None = None
    ) -> None:
        CompileCache(folder or cache_folder()).make()
        # What this process would import, as -m looks in the current folder first.
        command = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import main; main()"
        with tempfile.TemporaryFile("w+") as file:  # no pipe, which might be full
            json.dump([function, *arguments], file)
            file.seek(0)
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", command],
                stdin=file,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # so that it ends neither with us nor by a Ctrl-C
                text=True,
            )
        weakref.finalize(self, _let_go, self._process)

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


def _let_go(process: subprocess.Popen[str]) -> None:
    """Let a process go on alone when ours ends, without the warning that Popen has for that."""
    if process.stdout is not None:
        process.stdout.close()
    if process.poll() is None:
        process.returncode = 0


def begin_building() -> Building:
    """Begin to compile the loop's library, once in a process for each cache and compiler.

    Raises BackendError if the cache can't be written.
    """
    return _begin(cache_folder(), os.environ.get("CXX"), _LIBRARY)


def begin_library(source: Path) -> Building | None:
    """Begin to compile another C++ file as `begin_building` does; None if it is there."""
    if has_library(source):
        return None
    return _begin(cache_folder(), os.environ.get("CXX"), _FILE, str(source))


@functools.cache
def _begin(folder: Path, compiler: str | None, function: str, *arguments: str) -> Building:
    return Building(function, arguments)


def main() -> None:
    """Compile, or print why that isn't possible, with exit status 1."""
    function, *arguments = json.load(sys.stdin)
    module, _, name = function.partition(":")
    try:
        getattr(import_module(module), name)(*arguments)
    except NeurorlError as exc:
        print(exc)
        sys.exit(1)
