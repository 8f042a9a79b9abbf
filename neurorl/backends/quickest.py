"""Choose the backend of who names none: the quickest that works here, with the same bits."""

from __future__ import annotations

import functools
import os

from neurorl.backends.lookup import BACKENDS, backend_class
from neurorl.errors import (
    BackendUnavailableError,
    FallbackWarning,
    format_message,
    one_line,
    warn_outside,
)
from neurorl.network.description import Network

__all__ = ["VARIABLE", "quickest"]

VARIABLE = "NEURORL_BACKEND"
"""Name the environment variable whose value is taken, if it is set, as if it had been named."""


def quickest(network: Network | None = None, arithmetic: str | None = None) -> str:
    """Return the name of the quickest backend that can run *network*; None is any.

    The order is declared, `neurorl.backends.plugins.BackendInfo.speed`. Warns once of a quicker one
    that is missing, or is slow without a compiler.
    """
    named = os.environ.get(VARIABLE)
    if named:
        return named
    ordered = sorted(BACKENDS, key=lambda name: BACKENDS[name].speed, reverse=True)
    *quicker, last = [name for name in ordered if BACKENDS[name].speed > 0]
    for name in quicker:
        problem = _hindrance(name)
        if problem is not None:
            _warn(name, problem)
        elif network is None or not _problems(name, network, arithmetic):
            return name
    return last


def _hindrance(name: str) -> str | None:
    """Return why a backend is missing or slow here; None if it isn't."""
    try:
        return backend_class(name).hindrance()
    except BackendUnavailableError as exc:
        return one_line(exc)


def _problems(name: str, network: Network, arithmetic: str | None) -> list[str]:
    cls = backend_class(name)
    return cls.problems(network, arithmetic or cls.capabilities.arithmetics[0])


@functools.cache
def _warn(name: str, problem: str) -> None:
    what, remedy = f"{name} isn't taken, so all is slower", "neurorl doctor says more"
    message = format_message("default backend", what, got=problem, remedy=remedy)
    warn_outside(message, FallbackWarning)
