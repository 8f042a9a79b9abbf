"""Import Brian2 in one place, without the import's effects on the whole process.

Importing Brian2 opens a log file and copies the main script into the temporary folder, takes over
`sys.excepthook` and Ctrl-C, and sends Python's warnings to a logger. A program that only asked for
a backend wants none of it. If the program imported Brian2 itself before, all of it is left as is.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings

from neurorl.storage.files import keep_matplotlib_in_our_cache

keep_matplotlib_in_our_cache()  # Brian2 imports matplotlib
_was_imported = "brian2" in sys.modules
_excepthook = sys.excepthook
_showwarning = warnings.showwarning
_on_interrupt = signal.getsignal(signal.SIGINT)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses deprecated names of its own dependencies
    import brian2
    from brian2.codegen.runtime.cython_rt import CythonCodeObject
    from brian2.core.base import BrianObject
    from brian2.devices.device import all_devices
    from brian2.utils.logger import BrianLogger, catch_logs

__all__ = [
    "BrianObject",
    "CythonCodeObject",
    "all_devices",
    "brian2",
    "catch_logs",
]


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
