"""Report what the doctor finds, a row for each thing.

A row's *status*: ``ok``; ``missing``, not installed, which nothing else needs; ``broken``, there
and not working; ``note``, worth knowing.
"""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def row(
    check: str,
    name: str,
    found: str | None,
    status: str = "ok",
    problem: str | None = None,
    remedy: str | None = None,
) -> Row:
    """Return the row of one check: its result, what is wrong with it and what helps."""
    result: Row = {"check": check, "name": name, "found": found, "status": status}
    return result | {"problem": problem, "remedy": remedy}
