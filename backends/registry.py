"""The one door from the library to the simulators: a backend is known here by name only.

Those of other distributions are found by their entry points (`neurorl.backends.plugins`).
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from neurorl.backends.plugins import BackendInfo, check_class, plugins
from neurorl.errors import ArgumentError, BackendUnavailableError, check_name, say

if TYPE_CHECKING:
    from neurorl.backends.base import Backend
    from neurorl.backends.simulator import Simulator
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
        "neurorl.backends.reference:ReferenceSimulator", "numpy", "pip install numpy"
    ),
    "brian2": BackendInfo(
        "neurorl.backends.brian2:Brian2Simulator", "brian2", "pip install brian2"
    ),
    "loihi": BackendInfo(
        "neurorl.backends.loihi:LoihiSimulator", "nengo-loihi", "pip install nengo nengo-loihi"
    ),
    "torch": BackendInfo(
        "neurorl.backends.torch:TorchSimulator", "torch", "pip install 'neurorl[torch]'"
    ),
}


def backend_class(name: str) -> type[Simulator]:
    """Return the class of a backend's simulator, which is imported only now.

    Raises UnknownNameError, or BackendUnavailableError with the remedy.
    """
    if isinstance(name, str) and name in BACKENDS:
        return _import(name, BACKENDS[name])
    offered = dict(plugins(BACKENDS))
    check_name("backend", name, [*offered, *BACKENDS])
    return _import_plugin(name, offered[name])


def _import(name: str, info: BackendInfo) -> type[Simulator]:
    module, _, attribute = info.target.partition(":")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the simulators' own imports
            found: type[Simulator] = getattr(importlib.import_module(module), attribute)
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


def _import_plugin(name: str, info: BackendInfo) -> type[Simulator]:
    if info.problem is not None:
        raise BackendUnavailableError(say(f"backend {name}", info.problem, remedy=info.remedy))
    found = _import(name, info)
    check_class(name, found, info.remedy)
    return found


def load(name: str | type[Simulator], network: Network, **options: Any) -> Backend:
    """Compile *network* for a backend.

    name: of the backend; also a simulator's class of your own.
    options: those of `neurorl.backends.base.Backend` and of the simulator.

    Raises ArgumentError for an option that the backend hasn't.

    >>> from neurorl import Network, Source, load
    >>> with load("reference", Network((Source("input", 3),))) as backend:
    ...     backend.t
    0
    """
    from neurorl.backends.base import Backend

    cls = backend_type(name)
    _check_network(cls, network)
    shared = list(inspect.signature(Backend).parameters)[2:]
    _check_options(cls, options, shared)
    common = {option: options.pop(option) for option in shared if option in options}
    return Backend(cls(**options), network, **common)


def backend_type(backend: str | type[Simulator]) -> type[Simulator]:
    """Return the class of a simulator, given by name or itself. Raises ArgumentError."""
    from neurorl.backends.simulator import Simulator

    if isinstance(backend, str):
        return backend_class(backend)
    if not (isinstance(backend, type) and issubclass(backend, Simulator)):
        got = repr(backend)[:60]
        limit = "a name, or a subclass of neurorl.backends.simulator.Simulator"
        raise ArgumentError(say("backend", "is none", got=got, limit=limit))
    return backend


def _check_network(cls: type[Simulator], network: object) -> None:
    from neurorl.network.description import Network

    if not isinstance(network, Network):
        kind = type(network)
        remedy = "describe it as a neurorl.Network"
        if kind.__module__.partition(".")[0] == "nengo":
            remedy += ", or run it on nengo_loihi.Simulator"
        got = f"{kind.__module__}.{kind.__qualname__}"
        raise ArgumentError(say(f"backend {cls.name}", "not a network", got=got, remedy=remedy))


def _check_options(cls: type[Simulator], options: Mapping[str, Any], shared: Sequence[str]) -> None:
    own = inspect.signature(cls).parameters
    if any(p.kind is p.VAR_KEYWORD for p in own.values()):
        return
    known = [*shared, *own]
    for option in options:
        if option not in known:
            what, limit = "has no such option", ", ".join(known)
            raise ArgumentError(say(f"backend {cls.name}", what, got=option, limit=limit))


def ways(cls: type[Simulator]) -> list[dict[str, Any]]:
    """Options of `load` for every way to run networks on a backend: each engine and arithmetic."""
    can = cls.capabilities
    chosen = "engine" in inspect.signature(cls).parameters
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
        row["remedy"] = _one_line(exc)
    except Exception as exc:  # a plug-in's own methods may raise anything
        row["remedy"] = f"{info.remedy} ({_one_line(exc)})"
    return row


def _one_line(exc: Exception) -> str:
    return " ".join(str(exc).split())
