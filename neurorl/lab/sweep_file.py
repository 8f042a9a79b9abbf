"""Read the files of sweeps and searches; errors name the line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurorl.errors import ArgumentError, NeurorlError, format_message
from neurorl.lab.search import Search
from neurorl.lab.sweep import Sweep
from neurorl.storage.reading import JSON_BYTES, FilePlace, read_bytes


def read_sweep(path: Path) -> Sweep | Search:
    """Read a sweep or a search from TOML or YAML. Raises ArgumentError that names the line."""
    place = FilePlace(f"sweep {path}")
    text = read_bytes(path, JSON_BYTES, place).decode(errors="replace")
    data = _parse(path, text, place)
    if not isinstance(data, Mapping):
        raise place.wrong("is of something else", limit="fields by name")
    try:
        return Search.read(data) if "search" in data else Sweep.grid(data)
    except NeurorlError as exc:
        line = _line_of(str(exc), text)
        where = f"sweep {path}" + (f", line {line}" if line else "")
        raise ArgumentError(format_message(where, str(exc).removeprefix("sweep, "))) from exc


def _parse(path: Path, text: str, place: FilePlace) -> Any:
    """Return the data of a file. Errors of both parsers name line and column."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        try:
            return tomllib.loads(text)
        except (ValueError, RecursionError) as exc:
            raise place.wrong("is no TOML", got=exc) from exc
    try:
        import yaml
    except ImportError as exc:
        raise place.wrong("needs PyYAML", limit="TOML without it") from exc
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as exc:
        raise place.wrong("is no YAML", got=" ".join(str(exc).split())) from exc


def _line_of(message: str, text: str) -> int | None:
    """Return the line of *text* that begins with a name in *message*, if there is one."""
    table = r"""\s*\[+\s*["']?([\w.]+)["']?\s*\]"""  # messages name a table before its key
    for pattern in (r"""\s*["']?([\w.]+)["']?\s*[=:]""", table):
        for number, line in enumerate(text.splitlines(), start=1):
            name = re.match(pattern, line)
            if name and re.search(rf"(?<![\w.]){re.escape(name[1])}(?!\w)", message):
                return number
    return None
