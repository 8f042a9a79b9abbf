"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["span", "table_head", "table_row"]


def table_row(*cells: str) -> str:
    """One row."""
    return "| " + " | ".join(cells) + " |"


def table_head(columns: Sequence[str]) -> list[str]:
    """The head of a table."""
    return [table_row(*columns), "|" + "---|" * len(columns)]


def span(values: Sequence[int]) -> str:
    """``low to high``, or the one number that all are."""
    low, high = min(values), max(values)
    return f"{low}" if low == high else f"{low} to {high}"
