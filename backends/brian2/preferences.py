"""Which engine to use, and Brian2's preferences while this package compiles."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Iterator

import numpy as np
from platformdirs import user_cache_path

from neurorl.backends.brian2.vendor import (
    CythonCodeObject,
    brian2,
    catch_logs,
)
from neurorl.errors import BackendError, say, unknown

__all__ = ["ENGINES", "check_engine", "exact_preferences"]

ENGINES = ("cython", "numpy")

# Brian2's default is -ffast-math; with it, and with fused multiply-adds, the last bits of a
# membrane depend on the compiler.
_EXACT_FLAGS = ["-w", "-O3", "-march=native", "-ffp-contract=off", "-fno-fast-math"]
_REMEDY = "install Cython, setuptools and a C++ compiler, or take engine='numpy'"


@contextlib.contextmanager
def exact_preferences(engine: str) -> Iterator[None]:
    """Brian2 preferences with which both engines give the reference's bits; restored at the end.

    Run `brian2.Network.run` on a network of this backend inside it for the same exactness.
    """
    wanted = {
        "codegen.target": engine,
        "codegen.string_expression_target": "numpy",
        # Terms are neither reordered nor taken out of loops.
        "codegen.loop_invariant_optimisations": False,
        "codegen.cpp.extra_compile_args": _EXACT_FLAGS,
        "core.default_float_dtype": np.float64,
    }
    # Brian2's name of a cached module doesn't tell its flags, so exact ones need their own folder.
    wanted["codegen.runtime.cython.cache_dir"] = str(user_cache_path("neurorl") / "brian2")
    before = {name: brian2.prefs[name] for name in wanted}
    try:
        for name, value in wanted.items():
            brian2.prefs[name] = value
        with warnings.catch_warnings():
            # Brian2 calls old names of its own dependencies.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for name, value in before.items():
            brian2.prefs[name] = value


def check_engine(engine: str | None) -> str:
    """*engine*, or the best one here for None.

    Raises UnknownNameError, or BackendError if Cython or the compiler is missing.
    """
    if engine is None:
        return _best_engine()
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    if engine == "cython" and _compiler_problem() is not None:
        raise BackendError(
            say("engine 'cython'", "can't compile", got=_compiler_problem(), remedy=_REMEDY)
        )
    return engine


@functools.cache
def _best_engine() -> str:
    problem = _compiler_problem()
    if problem is None:
        return "cython"
    message = say(
        "backend brian2", "runs on the slower engine 'numpy'", got=problem, remedy=_REMEDY
    )
    warnings.warn(message, RuntimeWarning, stacklevel=2)
    return "numpy"


@functools.cache
def _compiler_problem() -> str | None:
    """What a test compilation says, None if it works (Brian2 logs it instead of raising)."""
    with exact_preferences("cython"), catch_logs() as logged:
        if CythonCodeObject.is_available():
            return None
    return str(logged[0][2]).splitlines()[0] if logged else "no reason given"
