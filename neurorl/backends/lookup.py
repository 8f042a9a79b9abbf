"""Find the simulator of a backend by its name, an earlier name's, or the quickest one.

Importing this module imports no simulator.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import operator
import os
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from neurorl.backends.plugins import BackendInfo, Engine, check_class, plugins
from neurorl.errors import BackendUnavailableError, FallbackWarning, check_name, one_line, warn_of
from neurorl.network.description import Network

if TYPE_CHECKING:
    from neurorl.backends.simulator import Simulator


BACKENDS: dict[str, BackendInfo] = {
    "reference": BackendInfo(
        "neurorl.backends.reference:ReferenceSimulator",
        "numpy",
        "pip install numpy",
        arithmetics=("float", "loihi", "xylo"),
        engines={"numpy": Engine()},
        speed=1,
    ),
    "native": BackendInfo(
        "neurorl.backends.native:NativeSimulator",
        "numpy",
        "install a C++ compiler",
        arithmetics=("float", "loihi", "xylo"),
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
    "xylo": BackendInfo(
        "neurorl.backends.xylo.simulator:XyloSimulator",
        "xylosim",
        "pip install xylosim",
        arithmetics=("xylo",),
        engines={"xylosim": Engine()},
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
        return import_class(name, BACKENDS[name])
    offered = dict(plugins(BACKENDS))
    check_name("backend", name, [*offered, *BACKENDS])
    return import_class(name, offered[name])


def import_class(name: str, info: BackendInfo) -> type[Simulator]:
    """Return the class that *info* names, and check it. Raises BackendUnavailableError."""
    where, remedy = f"backend {name}", info.remedy
    if info.problem is not None:
        raise BackendUnavailableError(where, info.problem, remedy=remedy)
    module, _, attribute = info.target.partition(":")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the simulators' own imports
            imported = importlib.import_module(module)
            cls: type[Simulator] = operator.attrgetter(attribute)(imported)
    except Exception as exc:  # a broken simulator may raise anything while it is imported
        problem = f"{info.distribution} doesn't import"
        raise BackendUnavailableError(where, problem, got=exc, remedy=remedy) from exc
    check_class(name, cls, remedy)
    return cls


_ENGINES = {("brian2", "compiled"): "native", ("loihi", "accelerated"): "loihi"}
"""Map a replaced backend and engine to the backend whose default engine goes on with it."""
_OPTIONS = {("loihi", "accelerate", True): "accelerated", ("loihi", "accelerate", False): "stock"}
"""Map an option of a backend, with its value, that was replaced to an engine."""


def current_name(backend: str) -> str:
    """Return the backend that goes on with what was saved on one of this name; says so once.

    Once, ``brian2`` was an engine in C++, which is ``native`` now, with equal bits.
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
    warn_of(FallbackWarning, where, what, remedy=remedy)


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
    *quicker, last = _by_speed()
    for name in quicker:
        problem = _hindrance(name)
        if problem is not None:
            warn_slower(name, problem)
            continue
        chosen = arithmetic or BACKENDS[name].arithmetics[0]
        if network is None or not backend_class(name).problems(network, chosen):
            return name
    return last


def slowest() -> str:
    """Return the last backend of `quickest`, which runs everywhere."""
    return _by_speed()[-1]


def _by_speed() -> list[str]:
    ordered = sorted(BACKENDS, key=lambda name: BACKENDS[name].speed, reverse=True)
    return [name for name in ordered if BACKENDS[name].speed > 0]


def _hindrance(name: str) -> str | None:
    """Return why a backend is missing or slow here; None if it isn't."""
    try:
        return backend_class(name).hindrance()
    except BackendUnavailableError as exc:
        return one_line(exc)


@functools.cache
def warn_slower(name: str, problem: str) -> None:
    """Say once that a backend isn't taken, and why."""
    what, remedy = f"{name} isn't taken, so all is slower", "neurorl doctor says more"
    warn_of(FallbackWarning, "default backend", what, got=problem, remedy=remedy)
