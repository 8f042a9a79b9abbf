"""Read files that anybody may have written: sizes are checked before memory is taken.

Whatever is wrong with a file is a RunError of one line; nothing in it is run.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from neurorl.errors import RunError
from neurorl.storage.plain import Named, PlainData, fits, kind_name

Fields = Named
"""Map the name of each field to its declared type."""
JSON_BYTES = 128 * 2**20
JSON_MEMORY = 400 * 2**20
"""Limit the bytes that a text and its objects take: about five million numbers."""
JSON_DEPTH = 48

_MEMORY_OF = {b"[": 72, b"{": 240, b",": 40, b'"': 32}  # of Python's objects, for each such byte


@dataclass(frozen=True)
class FilePlace:
    """Name what an error of a file begins with: *where*, such as a run, and the *part* of it."""

    where: str
    part: str = ""
    remedy: str | None = None

    def wrong(self, what: str, got: object = None, limit: object = None) -> RunError:
        """Return the error for what is wrong there."""
        what = f"{self.part} {what}".lstrip()
        return RunError(self.where, what, got=got, limit=limit, remedy=self.remedy)


def read_bytes(path: Path, limit: int, place: FilePlace) -> bytes:
    """Return the content of a file of at most *limit* bytes.

    Raises RunError if it is missing, larger, or no ordinary file.
    """
    with _opened(path, limit, place) as (file, size):
        return file.read(size)


def read_lines(path: Path, limit: int, longest: int, place: FilePlace) -> Iterator[str]:
    """Yield the lines of a text of at most *limit* bytes, none longer than *longest*.

    Raises RunError as `read_bytes`, and for what isn't text.
    """
    with _opened(path, limit, place) as (file, _):
        while line := file.readline(longest + 1):
            if len(line) > longest:
                raise place.wrong("has too long a line", limit=f"{longest} bytes")
            yield line.decode()


def read_json(path: Path, place: FilePlace, limit: int = JSON_BYTES) -> Any:
    """Return the content of a JSON file; see `read_bytes` and `parse_json`."""
    return parse_json(read_bytes(path, limit, place), place)


def parse_json(data: bytes, place: FilePlace) -> Any:
    """Return the value of JSON in UTF-8, with every key once and every number finite.

    Raises RunError for anything else, and for what is nested too deeply or would take more memory
    than `JSON_MEMORY`.
    """
    memory = json_memory(data)
    if memory > JSON_MEMORY:
        got, limit = f"{memory >> 20} MiB", f"{JSON_MEMORY >> 20} MiB"
        raise place.wrong("takes too much memory", got, limit)
    try:
        value = json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_no_number)
        _check_depth(value, JSON_DEPTH)
    except (ValueError, RecursionError) as exc:
        raise place.wrong("is damaged", exc) from exc
    return value


def check_fields(data: object, place: FilePlace, required: Fields, optional: Fields) -> PlainData:
    """Return *data*, a dictionary with these fields of these types, and maybe others.

    Raises RunError for anything else.
    """
    if not isinstance(data, dict):
        raise place.wrong("is of something else")
    for name in sorted(set(required) - set(data)):
        raise place.wrong("is of something else", f"no {name!r}")
    for name, kind in {**required, **optional}.items():
        if name in data and not fits(data[name], kind):
            raise place.wrong(f"{name!r} is damaged", repr(data[name])[:60], kind_name(kind))
    return data


def json_memory(data: bytes) -> int:
    """Return about how many bytes a JSON text and its objects take."""
    return 2 * len(data) + sum(data.count(mark) * each for mark, each in _MEMORY_OF.items())


@contextmanager
def _opened(path: Path, limit: int, place: FilePlace) -> Iterator[tuple[BinaryIO, int]]:
    """Open an ordinary file, and yield it with its size; all errors are a RunError."""

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NONBLOCK", 0))  # waits for no pipe's writer

    try:
        with open(path, "rb", opener=opener) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise place.wrong("is no ordinary file")
            if status.st_size > limit:
                got, most = f"{status.st_size} bytes", f"{limit} bytes"
                raise place.wrong("is too large", got, most)
            yield file, status.st_size
    except (OSError, ValueError) as exc:
        if isinstance(exc, RunError):
            raise
        raise _unreadable(place, exc) from exc


def _unreadable(place: FilePlace, exc: Exception) -> RunError:
    reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
    if isinstance(exc, PermissionError) and place.remedy is None:
        place = replace(place, remedy="let it and its folder be read, such as by chmod -R u+rX")
    return place.wrong("can't be read", reason)


def _unique(pairs: Sequence[tuple[str, object]]) -> PlainData:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key stands there twice")
    return result


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _check_depth(value: Any, left: int) -> None:
    parts = value.values() if isinstance(value, dict) else value
    for part in parts if isinstance(value, (dict, list)) else ():
        if isinstance(part, (dict, list)):
            if not left:
                raise ValueError(f"nested deeper than {JSON_DEPTH}")
            _check_depth(part, left - 1)
