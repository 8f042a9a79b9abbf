"""Import Brian2 in one place, without the import's effects on the whole process.

Importing Brian2 opens a log file and copies the main script into the temporary folder, takes over
`sys.excepthook` and Ctrl-C, and sends Python's warnings to a logger. A program that only asked for
a backend wants none of it. If the program imported Brian2 itself before, all of it is left as is.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import sys
import warnings
from collections.abc import Iterator

import numpy as np
from platformdirs import user_cache_path

from neurorl.backends.lookup import BACKENDS
from neurorl.native.cache import CompileCache
from neurorl.native.toolchain import EXACT_FLAGS
from neurorl.storage.files import import_matplotlib

import_matplotlib()  # Brian2 imports matplotlib
_was_imported = "brian2" in sys.modules
_excepthook = sys.excepthook
_showwarning = warnings.showwarning
_on_interrupt = signal.getsignal(signal.SIGINT)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses deprecated names of its own dependencies
    import brian2 as brian2
    from brian2.codegen.runtime.cython_rt import CythonCodeObject
    from brian2.core.base import BrianObject as BrianObject
    from brian2.devices.device import all_devices as all_devices
    from brian2.stateupdaters.base import (
        UnsupportedEquationsException as UnsupportedEquationsException,
    )
    from brian2.utils.logger import BrianLogger, catch_logs


def _undo_global_changes() -> None:
    """Undo what importing Brian2 has changed outside of it."""
    sys.excepthook = _excepthook
    if signal.getsignal(signal.SIGINT) is not _on_interrupt:
        signal.signal(signal.SIGINT, _on_interrupt)
    logging.captureWarnings(False)
    if warnings.showwarning is not _showwarning:
        logging.captureWarnings(True)  # the program itself had asked for that before
    logging.getLogger("py.warnings").removeHandler(BrianLogger.console_handler)
    if BrianLogger.file_handler is not None:
        logging.getLogger("brian2").removeHandler(BrianLogger.file_handler)
        BrianLogger.file_handler.close()
        BrianLogger.file_handler = None
    for attribute in ("tmp_log", "tmp_script"):
        path = getattr(BrianLogger, attribute)
        if path is not None:
            os.remove(path)
            setattr(BrianLogger, attribute, None)


if not _was_imported:
    _undo_global_changes()

_NO_SYMBOLS = "-g0"
"""Override the flag -g that most Pythons compile modules with: a third of the compiler's time."""


@contextlib.contextmanager
def exact_preferences(engine: str) -> Iterator[None]:
    """Set preferences with which *engine* gives the reference's bits; restore them at the end.

    Run `brian2.Network.run` on a network of this backend inside it for the same exactness.
    """
    wanted = {
        "codegen.target": engine,
        "codegen.string_expression_target": "numpy",
        # So that terms are neither reordered nor taken out of loops.
        "codegen.loop_invariant_optimisations": False,
        "codegen.cpp.extra_compile_args": [*EXACT_FLAGS, _NO_SYMBOLS],
        "core.default_float_dtype": np.float64,
    }
    # Brian2 names a cached module without regard to its flags, so exact ones need a folder of their
    # own.
    folder = user_cache_path("neurorl") / "brian2"
    wanted["codegen.runtime.cython.cache_dir"] = str(folder)
    if BACKENDS["brian2"].engines[engine].compiles:
        CompileCache(folder).make()
    before = {name: brian2.prefs[name] for name in wanted}
    try:
        for name, value in wanted.items():
            brian2.prefs[name] = value
        with warnings.catch_warnings():
            # Brian2 uses deprecated names of its own dependencies.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    finally:
        for name, value in before.items():
            brian2.prefs[name] = value


@functools.cache
def cython_problem() -> str | None:
    """Return the error of a test compilation, which Brian2 only logs; None if it works."""
    with exact_preferences("cython"), catch_logs() as logged:
        if CythonCodeObject.is_available():
            return None
    return str(logged[0][2]).splitlines()[0] if logged else "no reason given"
