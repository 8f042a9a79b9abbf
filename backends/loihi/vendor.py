"""All that is used of nengo-loihi, imported in one place; only `hardware` imports its own.

It warns of every nengo newer than 3.2; what this backend touches of it is compared with the
reference by the tests, so the warning is silenced. On NumPy 2 it is mended here (`numpy2`).
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
    """Whether Intel's NxSDK, and so perhaps a chip, is there."""
    return importlib.util.find_spec("nxsdk") is not None


def version() -> str:
    """The version of nengo-loihi."""
    return importlib.metadata.version("nengo-loihi")
