"""Import all that is used of nengo-loihi in one place (`hardware` imports one more class).

nengo-loihi warns of every nengo newer than 3.2. The tests compare what this backend uses of nengo
with the reference, so the warning is silenced.

nengo-loihi 1.1 doesn't support NumPy 2: it calls ``np.array(x, copy=False)`` where it means "copy
if you must", which NumPy 2 takes for "never copy", so that ``nengo_loihi.Simulator`` builds no
network. `mend` gives the two modules that do so a NumPy in which ``copy=False`` means what it meant
before, for the whole process. Nothing else of NumPy or of nengo-loihi changes, and no other package
sees it.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import operator
import types
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from neurorl.errors import BackendUnavailableError

__all__ = [
    "MAX_COMPARTMENTS",
    "MAX_IN_AXONS",
    "MAX_OUT_AXONS",
    "MAX_SYNAPSE_BITS",
    "Axon",
    "BuildError",
    "EmulatorInterface",
    "LoihiBlock",
    "LoihiProbe",
    "Model",
    "SpikeInput",
    "Synapse",
    "SynapseConfig",
    "overflow_signed",
    "validate_model",
]

_OF_COMPARTMENTS = "update current voltage spiked ref_count vth bias _overflow"
NEEDED = ("t", "step", *(f"compartment.{name}" for name in _OF_COMPARTMENTS.split()))
"""Name the attributes of an `EmulatorInterface` that running a network needs."""


def missing(emulator: Any, names: Iterable[str]) -> tuple[str, ...]:
    """Return the dotted *names* that *emulator* lacks."""

    def has(name: str) -> bool:
        try:
            operator.attrgetter(name)(emulator)
        except AttributeError:
            return False
        return True

    return tuple(name for name in names if not has(name))


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


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from nengo.exceptions import BuildError
    from nengo_loihi.block import (
        MAX_COMPARTMENTS,
        MAX_IN_AXONS,
        MAX_OUT_AXONS,
        MAX_SYNAPSE_BITS,
        Axon,
        LoihiBlock,
        Synapse,
        SynapseConfig,
    )
    from nengo_loihi.builder import Model
    from nengo_loihi.builder.discretize import overflow_signed
    from nengo_loihi.builder.validate import validate_model
    from nengo_loihi.emulator.interface import EmulatorInterface
    from nengo_loihi.inputs import SpikeInput
    from nengo_loihi.probe import LoihiProbe

mend()


def has_nxsdk() -> bool:
    """Return whether Intel's NxSDK is installed, without which there can be no chip."""
    return importlib.util.find_spec("nxsdk") is not None


def version() -> str:
    """Return the version of nengo-loihi."""
    return importlib.metadata.version("nengo-loihi")
