"""Find the simulator of a backend by its name; importing this module imports no simulator."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from neurorl.backends.plugins import BackendInfo, Engine, check_class, plugins
from neurorl.errors import BackendUnavailableError, check_name

if TYPE_CHECKING:
    from neurorl.backends.simulator import Simulator

__all__ = ["BACKENDS", "Vocabulary", "backend_class", "import_plugin", "import_shipped"]


BACKENDS: dict[str, BackendInfo] = {
    "reference": BackendInfo(
        "neurorl.backends.reference:ReferenceSimulator",
        "numpy",
        "pip install numpy",
        engines={"numpy": Engine()},
        speed=1,
    ),
    "native": BackendInfo(
        "neurorl.backends.native:NativeSimulator",
        "numpy",
        "install a C++ compiler",
        engines={"cpp": Engine(needs_compiler=True)},
        speed=2,
    ),
    "brian2": BackendInfo(
        "neurorl.backends.brian2:Brian2Simulator",
        "brian2",
        "pip install brian2",
        engines={
            "numpy": Engine({"engine": "numpy"}),
            "cython": Engine({"engine": "cython"}, needs_compiler=True, compiles=True),
        },
    ),
    "loihi": BackendInfo(
        "neurorl.backends.loihi:LoihiSimulator",
        "nengo-loihi",
        "pip install nengo nengo-loihi",
        arithmetics=("loihi",),
        engines={
            "native": Engine({"engine": "native"}),
            "stock": Engine({"engine": "stock"}, is_slow=True),
        },
    ),
    "torch": BackendInfo(
        "neurorl.backends.torch:TorchSimulator",
        "torch",
        "pip install 'neurorl[torch]'",
        engines={
            "compiled": Engine({"engine": "compiled"}, needs_compiler=True),
            "eager": Engine({"engine": "eager"}),
        },
    ),
}
"""Describe the library's own backends, and the options that a `BackendSpec` may name for each."""


class Vocabulary:
    """Hold the words that a spec of one backend may contain.

    arithmetics: the default one first. engines: the preferred one first.
    """

    def __init__(self, name: str, cls: type[Simulator] | None = None) -> None:
        """Look a backend up, without importing the simulator of one of the library's own.

        Raises UnknownNameError, or BackendUnavailableError of another distribution's.
        """
        self.engines: Mapping[str, Engine]
        if cls is None and name in BACKENDS:
            self.arithmetics = BACKENDS[name].arithmetics
            self.engines = BACKENDS[name].engines
        else:
            cls = cls or backend_class(name)
            self.arithmetics = cls.capabilities.arithmetics
            takes_engine = "engine" in inspect.signature(cls).parameters
            self.engines = {
                engine: Engine({"engine": engine} if takes_engine else {})
                for engine in cls.capabilities.engines
            }


def backend_class(name: str) -> type[Simulator]:
    """Return the class of a backend's simulator, which is imported only now.

    Raises UnknownNameError, or BackendUnavailableError with the remedy.
    """
    if isinstance(name, str) and name in BACKENDS:
        return import_shipped(name, BACKENDS[name])
    offered = dict(plugins(BACKENDS))
    check_name("backend", name, [*offered, *BACKENDS])
    return import_plugin(name, offered[name])


def import_shipped(name: str, info: BackendInfo) -> type[Simulator]:
    """Return the class that *info* names. Raises BackendUnavailableError."""
    module, _, attribute = info.target.partition(":")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the simulators' own imports
            cls: type[Simulator] = getattr(importlib.import_module(module), attribute)
    except Exception as exc:  # a broken simulator may raise anything while it is imported
        problem = f"{info.distribution} doesn't import"
        raise BackendUnavailableError(
            f"backend {name}", problem, got=exc, remedy=info.remedy
        ) from exc
    return cls


def import_plugin(name: str, info: BackendInfo) -> type[Simulator]:
    """Return and check a class of another distribution. Raises BackendUnavailableError."""
    if info.problem is not None:
        raise BackendUnavailableError(f"backend {name}", info.problem, remedy=info.remedy)
    cls = import_shipped(name, info)
    check_class(name, cls, info.remedy)
    return cls
