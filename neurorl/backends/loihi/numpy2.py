"""Make nengo-loihi 1.1 work on NumPy 2, which it doesn't support.

It calls ``np.array(x, copy=False)`` where it means "copy if you must". NumPy 2 takes this for
"never copy" and raises ValueError, so that ``nengo_loihi.Simulator`` builds no network. `mend`
gives the two modules that do so a NumPy in which ``copy=False`` means what it meant before.
Nothing else of NumPy or of nengo-loihi changes, and no other package sees it.

Importing `neurorl.backends.loihi` mends nengo-loihi for the whole process, its own `Simulator`
too.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import types
from typing import Any

import numpy as np

from neurorl.errors import BackendUnavailableError

__all__ = ["PLACES", "mend"]

PLACES = {"nengo_loihi.block": 3, "nengo_loihi.neurons": 3}
"""Count how often `_PHRASE` occurs in each module of nengo-loihi 1.1 that has it."""

_PHRASE = "copy=False"


class _EarlierNumPy(types.ModuleType):
    """Stand in for NumPy, differing only in the meaning of ``array(copy=False)``."""

    def __init__(self) -> None:
        super().__init__("numpy", "NumPy, whose array(copy=False) copies if it must.")
        self.__dict__.update(np.__dict__)
        self.__dict__["array"] = _array

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)  # submodules that NumPy itself loads on demand


def _array(x: Any, *args: Any, copy: bool | None = True, **options: Any) -> Any:
    """Return ``np.array(x, ...)``, where ``copy=False`` copies if it must, as in NumPy 1."""
    return np.array(x, *args, copy=copy or None, **options)


def mend() -> tuple[str, ...]:
    """Make nengo-loihi work on NumPy 2, and return the names of the modules that were changed.

    Changes none on NumPy 1, or where nengo-loihi has been mended before.
    Raises BackendUnavailableError, and changes nothing, if nengo-loihi isn't what this was written
    for.
    """
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        return ()
    modules = [importlib.import_module(name) for name in PLACES]
    broken = [m for m in modules if not isinstance(getattr(m, "np", None), _EarlierNumPy)]
    for module in broken:
        _check(module)
    for module in broken:
        module.np = _EarlierNumPy()  # type: ignore[attr-defined]
    return tuple(module.__name__ for module in broken)


def _check(module: types.ModuleType) -> None:
    """Raise BackendUnavailableError unless *module* is from nengo-loihi 1.1."""
    count = inspect.getsource(module).count(_PHRASE)
    uses_numpy = getattr(module, "np", None) is np
    if uses_numpy and count == PLACES[module.__name__]:
        return
    version = importlib.metadata.version("nengo-loihi")
    raise BackendUnavailableError(
        f"backend loihi, {module.__name__} of nengo-loihi {version}",
        "changed where it is made to work on NumPy 2",
        got=f"{count} times {_PHRASE!r}" if uses_numpy else "another 'np'",
        limit=f"{PLACES[module.__name__]} times, in nengo-loihi 1.1",
        remedy="pip install 'nengo-loihi==1.1.0'",
    )
