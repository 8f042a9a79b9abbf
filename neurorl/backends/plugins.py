"""Find backends of other distributions by their entry points; see docs/backends.md.

A distribution offers a backend by an entry point of the group ``neurorl.backends``: its name is
that of the backend, its value the ``module:Class`` of its simulator. None of it is imported here.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from neurorl.errors import BackendUnavailableError

GROUP = "neurorl.backends"

_TARGET = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")


@dataclass(frozen=True)
class Engine:
    """Describe an engine: the options that choose it, and what it costs to use it.

    options: arguments of the backend's class; empty if it is the only engine.
    needs_compiler: whether it can't run without a C++ compiler.
    compiles: whether it takes seconds to compile each network.
    is_slow: whether a step of an agent takes tens of milliseconds.
    """

    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    needs_compiler: bool = False
    compiles: bool = False
    is_slow: bool = False


@dataclass(frozen=True)
class BackendInfo:
    """Describe where a backend lives, which distribution it needs, and how to get that.

    problem: why it can't be loaded, as known without importing it; None if it may work.
    arithmetics, engines: of the library's own backends, as in
        `neurorl.backends.lookup.Vocabulary`.
    speed: its place among those that `neurorl.backends.lookup` chooses from, larger is quicker;
        0 if it runs only when it is named.
    """

    target: str
    distribution: str
    remedy: str
    problem: str | None = None
    arithmetics: tuple[str, ...] = ("float", "loihi")
    engines: Mapping[str, Engine] = field(default_factory=dict, hash=False)
    speed: int = 0


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def plugins(taken: Collection[str]) -> list[tuple[str, BackendInfo]]:
    """Return name and place of every backend that other distributions offer, sorted.

    taken: names of the library's own backends; an entry of such a name, or of a name that several
    distributions offer, has a `problem`.
    """
    points: dict[str, dict[str, str]] = {}
    for point in importlib.metadata.entry_points(group=GROUP):
        of = point.dist.name if point.dist is not None else "an unnamed distribution"
        points.setdefault(point.name, {}).setdefault(of, point.value)
    return [
        (name, _info(values, of, name in taken))
        for name, values in sorted(points.items())
        for of in sorted(values)
    ]


def _info(values: dict[str, str], of: str, is_taken: bool) -> BackendInfo:
    problem, remedy = None, f"pip install --upgrade {of}"
    if is_taken:
        problem = f"{of} offers a backend of a name that is neurorl's own"
    elif len(values) > 1:
        problem = f"offered by {' and '.join(sorted(values))}"
    if problem is not None:
        remedy = f"uninstall {of if is_taken else 'all but one'}, or ask its authors for another"
        remedy += " name"
    elif not _TARGET.fullmatch(values[of]):
        problem = f"{of} has a malformed entry point {values[of]!r}, not module:Class"
    return BackendInfo(values[of], of, remedy, problem)


def check_class(name: str, offered: Any, remedy: str) -> None:
    """Raise BackendUnavailableError if a plug-in's object can't be the backend *name*."""
    from neurorl.backends.capabilities import Capabilities
    from neurorl.backends.simulator import Simulator

    shown = getattr(offered, "__qualname__", offered)
    problem = None
    if not (inspect.isclass(offered) and issubclass(offered, Simulator)):
        problem = "is no subclass of neurorl.backends.simulator.Simulator"
    elif inspect.isabstract(offered):
        problem = f"lacks {', '.join(sorted(offered.__abstractmethods__))}"
    elif not isinstance(getattr(offered, "capabilities", None), Capabilities):
        problem = "has no capabilities"
    elif getattr(offered, "name", None) != name:
        problem = f"calls itself {getattr(offered, 'name', None)!r}"
    if problem is not None:
        raise BackendUnavailableError(f"backend {name}", f"{shown} {problem}", remedy=remedy)
