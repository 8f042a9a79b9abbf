"""Import all that is used of nengo-loihi in one place (`hardware` imports one more class).

nengo-loihi warns of every nengo newer than 3.2. The tests compare what this backend uses of nengo
with the reference, so the warning is silenced. On NumPy 2 nengo-loihi is mended here (`numpy2`).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import warnings

from neurorl.backends.loihi.numpy2 import mend

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
    "has_nxsdk",
    "overflow_signed",
    "validate_model",
    "version",
]


def has_nxsdk() -> bool:
    """Return whether Intel's NxSDK is installed, without which there can be no chip."""
    return importlib.util.find_spec("nxsdk") is not None


def version() -> str:
    """Return the version of nengo-loihi."""
    return importlib.metadata.version("nengo-loihi")
