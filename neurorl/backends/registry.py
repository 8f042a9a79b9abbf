"""Load and list backends by name: the library's only way to the simulators.

Backends of other distributions are found by their entry points (`neurorl.backends.plugins`).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from platformdirs import user_cache_path

from neurorl._version import __version__
from neurorl.backends.lookup import BACKENDS as BACKENDS
from neurorl.backends.lookup import Vocabulary, import_class, quickest
from neurorl.backends.lookup import backend_class as backend_class
from neurorl.backends.plugins import BackendInfo, plugins
from neurorl.backends.spec import BackendSpec
from neurorl.errors import BackendUnavailableError, one_line
from neurorl.network.description import Network
from neurorl.storage.files import as_json, replace
from neurorl.storage.plain import PlainData

if TYPE_CHECKING:
    from neurorl.backends.base import Backend
    from neurorl.backends.simulator import Simulator


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


def available_backends() -> list[PlainData]:
    """Return a row for each backend, the library's own first.

    Keys: name, distribution, available, version, target, engines, arithmetics, unverified (the
    part that nobody could try yet, None if there is none), remedy.
    """
    return [_row(name, info) for name, info in (*BACKENDS.items(), *plugins(BACKENDS))]


def _row(name: str, info: BackendInfo) -> PlainData:
    row: PlainData = {"name": name, "distribution": info.distribution, "available": False}
    row |= {"version": None, "target": None, "engines": [], "arithmetics": [], "unverified": None}
    row["remedy"] = None
    try:
        cls = import_class(name, info)
        row["version"] = importlib.metadata.version(info.distribution)
        row |= {"target": cls.default_target(), "engines": list(cls.capabilities.engines)}
        row |= {"arithmetics": list(cls.capabilities.arithmetics), "available": True}
        row["unverified"] = cls.unverified
    except BackendUnavailableError as exc:
        row["remedy"] = one_line(exc)
    except Exception as exc:  # a plug-in's own methods may raise anything
        row["remedy"] = f"{info.remedy} ({one_line(exc)})"
    return row


_IMPORTED = ("numpy", "brian2", "nengo", "nengo_loihi", "nxsdk", "torch")


def remembered_backends() -> list[PlainData]:
    """Return what `available_backends` does, or did when all was as it is now.

    Nothing is remembered of backends of other distributions, or of ones that are broken.
    """
    file, key = user_cache_path("neurorl") / "backends.json", _fingerprint()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        kept = json.loads(file.read_text())
        if kept["key"] == key and not plugins(BACKENDS):
            rows: list[PlainData] = kept["rows"]
            return rows
    rows = available_backends()
    missing = [row["distribution"].replace("-", "_") for row in rows if not row["available"]]
    is_broken = any(_origin(module) is not None for module in missing)  # it is there, and fails
    if len(rows) == len(BACKENDS) and not is_broken:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            replace(file, as_json({"key": key, "rows": rows}))
    return rows


def _fingerprint() -> list[str]:
    """Return what the list depends on: versions, packages, and this library's own code."""
    here = Path(__file__).parent
    folders = {Path(path) for path in sys.path if path and path != os.getcwd()}
    code = [*here.glob("*.py"), *here.glob("*/*.py")]
    times = [f"{path} {_changed(path)}" for path in sorted({*folders, *code})]
    origins = [f"{name} {_origin(name)}" for name in _IMPORTED]
    return [__version__, platform.python_version(), *origins, *times]


def _origin(module: str) -> str | None:
    """Return the file of a module and when it changed, without importing it."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return None if spec is None else f"{spec.origin} {_changed(Path(spec.origin or ''))}"


def _changed(path: Path) -> int:
    """Return when a file or folder was changed last, 0 if it isn't there."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
