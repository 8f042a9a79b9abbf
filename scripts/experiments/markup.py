"""Write tables in Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neurorl.errors import RunError
from neurorl.storage.files import write_bytes


def put_between(page: Path, name: str, lines: Sequence[str]) -> None:
    """Write *lines* between ``<!-- NAME: begin -->`` and its end in *page*. Raises RunError."""
    first, last = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    try:
        text = page.read_text()
    except OSError as exc:
        raise RunError(f"page {page}", "can't be read", got=exc.strerror) from exc
    before, begin, rest = text.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        what, limit = f"has no marks for {name}", f"{first}, {last}"
        raise RunError(f"page {page}", what, limit=limit)
    write_bytes(page, (before + "\n".join([first, *lines, last]) + after).encode())


def read_data(file: Path) -> Any:
    """Read what a script measured, JSON. Raises RunError."""
    try:
        return json.loads(file.read_text())
    except (OSError, ValueError) as exc:
        raise RunError(f"file {file}", "is damaged or missing", got=exc) from exc


def table_row(*cells: str) -> str:
    """Format one row."""
    return "| " + " | ".join(cells) + " |"


def table_head(columns: Sequence[str]) -> list[str]:
    """Format the head of a table."""
    return [table_row(*columns), "|" + "---|" * len(columns)]


def span(values: Sequence[int]) -> str:
    """Format ``low to high``, or the one number that all are."""
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"
