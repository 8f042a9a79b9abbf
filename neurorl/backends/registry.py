"""Load and list backends by name: the library's only way to the simulators.

Backends of other distributions are found by their entry points (`neurorl.backends.plugins`).
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from neurorl.backends.lookup import (
    BACKENDS,
    Vocabulary,
    backend_class,
    import_plugin,
    import_shipped,
    quickest,
)
from neurorl.backends.plugins import BackendInfo, plugins
from neurorl.backends.spec import BackendSpec
from neurorl.errors import BackendUnavailableError, one_line
from neurorl.network.description import Network

if TYPE_CHECKING:
    from neurorl.backends.base import Backend
    from neurorl.backends.simulator import Simulator

__all__ = [
    "BACKENDS",
    "BackendInfo",
    "BackendSpec",
    "available_backends",
    "backend_class",
    "load",
    "variants",
]


@overload
def load(name: str | type[Simulator] | BackendSpec, network: Network, **options: Any) -> Backend:
    pass


@overload
def load(name: Network, **options: Any) -> Backend:
    pass


def load(
    name: str | type[Simulator] | BackendSpec | Network,
    network: Network | None = None,
    **options: Any,
) -> Backend:
    """Compile *network* for a backend; options as in `neurorl.backends.base.Backend`.

    name: of a backend; or a text as of `BackendSpec`, one of these, or a class of your own.
    ``load(network)`` takes the quickest backend here (`neurorl.backends.lookup`).
    Raises ArgumentError for an option that the backend hasn't, or that *name* contradicts.

    >>> from neurorl import Network, Source, load
    >>> with load("reference:loihi", Network((Source("input", 3),))) as backend:
    ...     backend.t
    0
    """
    if isinstance(name, Network) and network is None:
        return load(quickest(name, options.get("arithmetic")), name, **options)
    return BackendSpec.parse(name).load(network, **options)  # type: ignore[arg-type]


def variants(name: str) -> list[BackendSpec]:
    """Return every way to run networks on a backend: each of its engines in each arithmetic.

    Raises BackendUnavailableError.
    """
    cls = backend_class(name)
    words = Vocabulary(cls.name, cls).engines
    engines: list[str | None] = [name for name, engine in words.items() if engine.options]
    return [
        BackendSpec(name, arithmetic, engine=engine)
        for engine in engines or [None]
        for arithmetic in cls.capabilities.arithmetics
    ]


def available_backends() -> list[dict[str, Any]]:
    """Return a row for each backend, the library's own first.

    Keys: name, distribution, available, version, target, engines, arithmetics, unverified (the
    part that nobody could try yet, None if there is none), remedy.
    """
    own = [_row(name, info, import_shipped) for name, info in BACKENDS.items()]
    return own + [_row(name, info, import_plugin) for name, info in plugins(BACKENDS)]


def _row(
    name: str, info: BackendInfo, import_: Callable[[str, BackendInfo], type[Simulator]]
) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "distribution": info.distribution, "available": False}
    row |= {"version": None, "target": None, "engines": [], "arithmetics": [], "unverified": None}
    row["remedy"] = None
    try:
        cls = import_(name, info)
        row["version"] = importlib.metadata.version(info.distribution)
        row |= {"target": cls.default_target(), "engines": list(cls.capabilities.engines)}
        row |= {"arithmetics": list(cls.capabilities.arithmetics), "available": True}
        row["unverified"] = cls.unverified
    except BackendUnavailableError as exc:
        row["remedy"] = one_line(exc)
    except Exception as exc:  # a plug-in's own methods may raise anything
        row["remedy"] = f"{info.remedy} ({one_line(exc)})"
    return row
