"""Import nengo and nengo-loihi when they are first needed, without their warnings."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

from neurorl.errors import BackendUnavailableError

__all__ = ["load_nengo", "load_nengo_loihi"]


def load_nengo() -> Any:
    """Return the module ``nengo``. Raises BackendUnavailableError if it is missing."""
    return _load("nengo")


def load_nengo_loihi() -> Any:
    """Return the module ``nengo_loihi``, mended for NumPy 2; else as `load_nengo`."""
    module = _load("nengo_loihi")
    importlib.import_module("neurorl.backends.loihi.vendor")
    return module


def _load(name: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nengo-loihi warns of every nengo newer than 3.2
            return importlib.import_module(name)
    except ImportError as exc:
        distribution = name.replace("_", "-")
        raise BackendUnavailableError(
            "nengo", f"{name} can't be imported", remedy=f"pip install {distribution}"
        ) from exc
