"""The one door from the library to the simulators: a backend is known here by name only."""

from __future__ import annotations

import importlib
import importlib.metadata
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neurorl.errors import BackendUnavailableError, say, unknown

if TYPE_CHECKING:
    from neurorl.backends.base import Backend
    from neurorl.description import Network

__all__ = ["BACKENDS", "BackendInfo", "available_backends", "backend_class", "load"]


@dataclass(frozen=True)
class BackendInfo:
    """Where a backend lives and which distribution it needs (None: only NumPy)."""

    target: str
    distribution: str
    remedy: str


BACKENDS: dict[str, BackendInfo] = {
    "reference": BackendInfo(
        "neurorl.backends.reference:ReferenceBackend", "numpy", "pip install numpy"
    ),
    "brian2": BackendInfo("neurorl.backends.brian2:Brian2Backend", "brian2", "pip install brian2"),
    "loihi": BackendInfo(
        "neurorl.backends.loihi:LoihiBackend", "nengo-loihi", "pip install nengo nengo-loihi"
    ),
}


def backend_class(name: str) -> type[Backend]:
    """The class of a backend, its simulator imported only now.

    Raises UnknownNameError, or BackendUnavailableError with the remedy.
    """
    if name not in BACKENDS:
        raise unknown("backend", name, BACKENDS)
    info = BACKENDS[name]
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


def load(name: str, network: Network, **options: Any) -> Backend:
    """Compile *network* for the backend *name*; options as in `neurorl.backends.base.Backend`.

    >>> from neurorl import Network, Source, load
    >>> with load("reference", Network((Source("input", 3),))) as backend:
    ...     backend.t
    0
    """
    return backend_class(name)(network, **options)


def available_backends() -> list[dict[str, Any]]:
    """A row for each backend: name, available, version, target, engines, arithmetics, remedy."""
    return [_row(name, info) for name, info in BACKENDS.items()]


def _row(name: str, info: BackendInfo) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "available": False, "version": None}
    row |= {"target": None, "engines": [], "arithmetics": [], "remedy": None}
    try:
        cls = backend_class(name)
        row["version"] = importlib.metadata.version(info.distribution)
        row |= {"target": cls.default_target(), "engines": list(cls.capabilities.engines)}
        row |= {"arithmetics": list(cls.capabilities.arithmetics), "available": True}
    except (BackendUnavailableError, importlib.metadata.PackageNotFoundError) as exc:
        row["remedy"] = f"{info.remedy} ({exc})"
    return row
