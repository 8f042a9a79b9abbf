"""Call the emulator's loops in ``src/`` by ctypes: their structures, and their library."""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import ClassVar

from neurorl.native.build import compiled
from neurorl.native.layout import check_structures
from neurorl.native.structures import Fields, fields

__all__ = [
    "ALL",
    "SOURCE",
    "Arrivals",
    "BlockRows",
    "Compartments",
    "Emulator",
    "Gathered",
    "Learning",
    "Twister",
    "library",
]

SOURCE = Path(__file__).parent / "src" / "chip.cpp"


class BlockRows(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(
        pointer_1="spiked", int_2="rows", pointer_3="table index", int_4="width", pointer_5="q"
    )


class Compartments(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(
        int_1="n has_refractory",
        pointer_2="q current voltage ref_count spike_count spiked",
        pointer_3="bias vmin vmax ref vth current_factor voltage_factor",
    )


class Twister(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(pointer_1="words used")


class Learning(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(
        pointer_1="arrived came trace table error",
        int_2="axons neurons exponent",
        number_3="decay magnitude",
    )


class Arrivals(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(pointer_1="raster arrived", int_2="n")


class Gathered(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(pointer_1="places arrived", int_2="n")


class Emulator(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(
        pointer_1="arrivals gathered blocks compartments parts generator",
        int_2="n_inputs n_gathered n_blocks n_parts n_noise",
    )


ALL = (BlockRows, Compartments, Twister, Learning, Arrivals, Gathered, Emulator)
"""List every structure; loading a library compares them with C++."""


@functools.cache
def library() -> ctypes.CDLL:
    """Return the library of ``src/``; compiled on first use."""
    loaded = compiled(SOURCE, "backend loihi", "take accelerate=False")
    check_structures(loaded, ALL, "backend loihi")
    for name in ("update", "add_spiking", "learn", "run"):
        getattr(loaded, f"neurorl_chip_{name}").restype = None
    place, number = ctypes.c_void_p, ctypes.c_int64
    loaded.neurorl_chip_run.argtypes = [place, number, number, place, place]
    return loaded
