"""The one door from the library to the simulators: a backend is known here by name only.

Those of other distributions are found by their entry points (`neurorl.backends.plugins`).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from neurorl.backends.plugins import BackendInfo, check_class, plugins
from neurorl.errors import ArgumentError, BackendUnavailableError, check_name, say

if TYPE_CHECKING:
    from neurorl.backends.base import Backend
    from neurorl.network.description import Network

__all__ = [
    "BACKENDS",
    "BackendInfo",
    "available_backends",
    "backend_class",
    "backend_type",
    "load",
    "ways",
]


BACKENDS: dict[str, BackendInfo] = {
    "reference": BackendInfo(
        "neurorl.backends.reference:ReferenceBackend", "numpy", "pip install numpy"
    ),
    "brian2": BackendInfo("neurorl.backends.brian2:Brian2Backend", "brian2", "pip install brian2"),
    "loihi": BackendInfo(
        "neurorl.backends.loihi:LoihiBackend", "nengo-loihi", "pip install nengo nengo-loihi"
    ),
    "torch": BackendInfo(
        "neurorl.backends.torch:TorchBackend", "torch", "pip install 'neurorl[torch]'"
    ),
}


def backend_class(name: str) -> type[Backend]:
    """The class of a backend, its simulator imported only now.

    Raises UnknownNameError, or BackendUnavailableError with the remedy.
    """
    if isinstance(name, str) and name in BACKENDS:
        return _import(name, BACKENDS[name])
    offered = dict(plugins(BACKENDS))
    check_name("backend", name, [*offered, *BACKENDS])
    return _import_plugin(name, offered[name])


def _import(name: str, info: BackendInfo) -> type[Backend]:
    module, _, attribute = info.target.partition(":")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the simulators' own imports
            found: type[Backend] = getattr(importlib.import_module(module), attribute)
    except Exception as exc:  # a broken simulator may raise anything while it is imported
        raise BackendUnavailableError(
            say(
                f"backend {name}",
                f"{info.distribution} doesn't import",
                got=exc,
                remedy=info.remedy,
            )
        ) from exc
    return found


def _import_plugin(name: str, info: BackendInfo) -> type[Backend]:
    if info.problem is not None:
        raise BackendUnavailableError(say(f"backend {name}", info.problem, remedy=info.remedy))
    found = _import(name, info)
    check_class(name, found, info.remedy)
    return found


def load(name: str | type[Backend], network: Network, **options: Any) -> Backend:
    """Compile *network* for the backend *name*; options as in `neurorl.backends.base.Backend`.

    name: also a class of your own. Raises ArgumentError for an option that the backend hasn't.

    >>> from neurorl import Network, Source, load
    >>> with load("reference", Network((Source("input", 3),))) as backend:
    ...     backend.t
    0
    """
    cls = backend_type(name)
    _check_network(cls, network)
    _check_options(cls, options)
    return cls(network, **options)


def backend_type(backend: str | type[Backend]) -> type[Backend]:
    """Return the class of a backend, given by name or itself. Raises ArgumentError."""
    from neurorl.backends.base import Backend

    if isinstance(backend, str):
        return backend_class(backend)
    if not (isinstance(backend, type) and issubclass(backend, Backend)):
        got, limit = repr(backend)[:60], "a name, or a subclass of neurorl.backends.base.Backend"
        raise ArgumentError(say("backend", "is none", got=got, limit=limit))
    return backend


def _check_network(cls: type[Backend], network: object) -> None:
    from neurorl.network.description import Network

    if not isinstance(network, Network):
        kind = type(network)
        remedy = "describe it as a neurorl.Network"
        if kind.__module__.partition(".")[0] == "nengo":
            remedy += ", or run it on nengo_loihi.Simulator"
        got = f"{kind.__module__}.{kind.__qualname__}"
        raise ArgumentError(say(f"backend {cls.name}", "not a network", got=got, remedy=remedy))


def _check_options(cls: type[Backend], options: Mapping[str, Any]) -> None:
    known = inspect.signature(cls).parameters
    if any(p.kind is p.VAR_KEYWORD for p in known.values()):
        return
    for option in options:
        if option not in known:
            what, limit = "has no such option", ", ".join(list(known)[1:])
            raise ArgumentError(say(f"backend {cls.name}", what, got=option, limit=limit))


def ways(cls: type[Backend]) -> list[dict[str, Any]]:
    """Options of `load` for every way to run networks on a backend: each engine and arithmetic."""
    can = cls.capabilities
    chosen = "engine" in inspect.signature(cls.__init__).parameters
    engines = [{"engine": engine} for engine in can.engines] if chosen else [{}]
    return [{**e, "arithmetic": arithmetic} for e in engines for arithmetic in can.arithmetics]


def available_backends() -> list[dict[str, Any]]:
    """A row for each backend, the library's own first.

    Keys: name, distribution, available, version, target, engines, arithmetics, unverified (what of
    it nobody could try yet, None if nothing), remedy.
    """
    own = [_row(name, info, _import) for name, info in BACKENDS.items()]
    return own + [_row(name, info, _import_plugin) for name, info in plugins(BACKENDS)]


def _row(
    name: str, info: BackendInfo, import_: Callable[[str, BackendInfo], type[Backend]]
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
        row["remedy"] = _one_line(exc)
    except Exception as exc:  # a plug-in's own methods may raise anything
        row["remedy"] = f"{info.remedy} ({_one_line(exc)})"
    return row


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split())
