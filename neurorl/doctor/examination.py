"""Examine everything, one thing after the other."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from neurorl.backends.lookup import quickest
from neurorl.backends.registry import available_backends
from neurorl.doctor.backends import backend
from neurorl.doctor.rows import Row, row
from neurorl.doctor.tools import cache, compiler, learning_loop
from neurorl.doctor.versions import versions


def examine(watch: Callable[[str], None] = lambda name: None) -> list[Row]:
    """Return all rows; *watch* is told what comes next, as an engine may compile for seconds."""
    rows: list[Row] = []
    for name, check in (
        ("versions", versions),
        ("compiler", compiler),
        ("learning loop", learning_loop),
        ("cache", cache),
    ):
        watch(name)
        rows += check()
    for listed in available_backends():
        watch(f"backend {listed['name']}")
        rows += backend(listed)
    return [*rows, *default_backend()]


def default_backend() -> list[Row]:
    """Name the backend of who names none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the rows above say why it isn't another
        return [row("default backend", quickest(), "the quickest here")]


def verdict(rows: list[Row]) -> str:
    """Return ``'broken'`` if something that is there doesn't work, else ``'ok'``."""
    return "broken" if any(row["status"] == "broken" for row in rows) else "ok"
