"""Find what earlier names of backends and engines are called now."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from neurorl.errors import FallbackWarning, format_message, warn_outside

__all__ = ["current_engine", "current_name", "current_words"]

_ENGINE = "compiled"


def current_name(backend: str) -> str:
    """Return the backend that goes on with what was saved on one of this name; says so once.

    Until version 0.2, ``brian2`` was the engine in C++, which is ``native`` now, with equal bits.
    """
    if backend != "brian2":
        return backend
    _say("saved on brian2", "backend='brian2' runs Brian2's own code, much slower")
    return "native"


def current_engine(
    backend: str, engine: str | None, options: Mapping[str, Any]
) -> tuple[str, str | None, dict[str, Any]]:
    """Return what a choice of an earlier version means now: backend, engine and options."""
    rest = dict(options)
    if backend != "brian2" or _ENGINE not in (engine, rest.get("engine")):
        return backend, engine, rest
    rest.pop("engine", None)
    _say("brian2:compiled", "say backend='native'")
    return "native", None, rest


def current_words(backend: str, words: list[str]) -> tuple[str, list[str]]:
    """Return the words of a choice as text, backend and rest, as they are now."""
    if backend != "brian2" or _ENGINE not in words:
        return backend, words
    current_engine(backend, _ENGINE, {})
    return "native", [word for word in words if word != _ENGINE]


@functools.cache
def _say(where: str, remedy: str) -> None:
    message = format_message(where, "its engine in C++ is the backend native now", remedy=remedy)
    warn_outside(message, FallbackWarning)
