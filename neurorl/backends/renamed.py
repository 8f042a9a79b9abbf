"""Find what earlier names of backends and engines are called now."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from neurorl.errors import FallbackWarning, format_message, warn_outside

__all__ = ["current_engine", "current_name", "current_words"]

_ENGINES = {("brian2", "compiled"): "native", ("loihi", "accelerated"): "loihi"}
"""Map backend and engine of version 0.2 to the backend whose default engine goes on with them."""
_OPTIONS = {("loihi", "accelerate", True): "accelerated", ("loihi", "accelerate", False): "stock"}
"""Map backend, option and value of version 0.2 to an engine."""


def current_name(backend: str) -> str:
    """Return the backend that goes on with what was saved on one of this name; says so once.

    Until version 0.2, ``brian2`` was an engine in C++, which is ``native`` now, with equal bits.
    """
    if backend != "brian2":
        return backend
    _say("saved on brian2", "native", "backend='brian2' runs Brian2's own code, much slower")
    return "native"


def current_engine(
    backend: str, engine: str | None, options: Mapping[str, Any]
) -> tuple[str, str | None, dict[str, Any]]:
    """Return what a choice of an earlier version means now: backend, engine and options."""
    rest = dict(options)
    for option, value in options.items():
        if isinstance(value, bool) and (backend, option, value) in _OPTIONS:
            del rest[option]
            rest["engine"] = _OPTIONS[backend, option, value]
    for named in (engine, rest.get("engine")):
        now = _ENGINES.get((backend, named)) if isinstance(named, str) else None
        if now is not None:
            rest.pop("engine", None)
            _say(f"{backend}:{named}", now, f"say backend={now!r}")
            return now, None, rest
    return backend, engine, rest


def current_words(backend: str, words: list[str]) -> tuple[str, list[str]]:
    """Return the words of a choice as text, backend and rest, as they are now."""
    for word in words:
        if (backend, word) in _ENGINES:
            rest = [other for other in words if other != word]
            return current_engine(backend, word, {})[0], rest
    return backend, words


@functools.cache
def _say(where: str, now: str, remedy: str) -> None:
    what = f"its engine in C++ is the backend {now} now"
    warn_outside(format_message(where, what, remedy=remedy), FallbackWarning)
