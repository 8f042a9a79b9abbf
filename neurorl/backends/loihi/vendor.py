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
import types
import warnings
from typing import Any

import numpy as np

from neurorl.errors import BackendUnavailableError

MENDED = ("nengo_loihi.block", "nengo_loihi.neurons")
"""Name the modules of nengo-loihi 1.1 that say ``copy=False``."""


def has_nxsdk() -> bool:
    """Return whether Intel's NxSDK is installed, without which there can be no chip."""
    return importlib.util.find_spec("nxsdk") is not None


def version() -> str:
    """Return the version of nengo-loihi."""
    return importlib.metadata.version("nengo-loihi")


def _array(x: Any, *args: Any, copy: bool | None = True, **options: Any) -> Any:
    """Return ``np.array(x, ...)``, where ``copy=False`` copies if it must, as in NumPy 1."""
    return np.array(x, *args, copy=copy or None, **options)


def mend() -> tuple[str, ...]:
    """Make nengo-loihi work on NumPy 2, and return the names of the modules that were changed.

    Changes none on NumPy 1, or where nengo-loihi has been mended before.
    Raises BackendUnavailableError, and changes nothing, for another version of nengo-loihi.
    """
    if not version().startswith("1.1."):
        what, remedy = "another version than this was written for", "pip install nengo-loihi==1.1.0"
        raise BackendUnavailableError(
            "backend loihi", what, got=version(), limit="nengo-loihi 1.1", remedy=remedy
        )
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        return ()
    modules: list[Any] = [importlib.import_module(name) for name in MENDED]
    broken = [module for module in modules if module.np.array is not _array]
    for module in broken:
        module.np = types.ModuleType("numpy")
        module.np.__dict__.update({**np.__dict__, "array": _array})
    return tuple(module.__name__ for module in broken)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from nengo.exceptions import BuildError as BuildError
    from nengo_loihi.block import MAX_COMPARTMENTS as MAX_COMPARTMENTS
    from nengo_loihi.block import MAX_IN_AXONS as MAX_IN_AXONS
    from nengo_loihi.block import MAX_OUT_AXONS as MAX_OUT_AXONS
    from nengo_loihi.block import MAX_SYNAPSE_BITS as MAX_SYNAPSE_BITS
    from nengo_loihi.block import Axon as Axon
    from nengo_loihi.block import LoihiBlock as LoihiBlock
    from nengo_loihi.block import Synapse as Synapse
    from nengo_loihi.block import SynapseConfig as SynapseConfig
    from nengo_loihi.builder import Model as Model
    from nengo_loihi.builder.validate import validate_model as validate_model
    from nengo_loihi.emulator.interface import EmulatorInterface as EmulatorInterface
    from nengo_loihi.inputs import SpikeInput as SpikeInput
    from nengo_loihi.probe import LoihiProbe as LoihiProbe

mend()
