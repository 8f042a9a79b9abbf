"""Let the eligibilities of a sparse projection take a window in, in C++ (``src/listed.cpp``)."""

from __future__ import annotations

import ctypes
import functools
from typing import ClassVar

from neurorl.native.build import CppSource, compiled
from neurorl.native.layout import asserted
from neurorl.native.structures import Fields, fields

__all__ = ["LONGEST", "ListedWindow", "library"]

LONGEST = 2**15 - 1
"""Count the most steps of a window that C++ takes."""


class ListedWindow(ctypes.Structure):
    """Hold a window and the synapses of one delay, as ``src/listed.cpp`` explains."""

    _fields_: ClassVar[Fields] = fields(
        int_1="n_pre n_post steps delay pre_stride post_stride pairs is_single is_dense",
        pointer_2="start row numbers post spikes last post_spikes trace post_trace",
        pointer_3="powers gain factors gate eligibility down",
        number_4="decay post_decay depression keep",
    )


@functools.cache
def library() -> ctypes.CDLL:
    """Return the compiled library. Raises BackendError if it doesn't compile."""
    source = CppSource('#include "listed.cpp"\n' + asserted([ListedWindow]))
    loaded = compiled(source, "learning of lists", "take a mask")
    loaded.neurorl_listed_window.restype = None
    loaded.neurorl_listed_window.argtypes = [ctypes.POINTER(ListedWindow)]
    pointer, number = ctypes.c_void_p, ctypes.c_double
    loaded.neurorl_listed_reinforce.restype = None
    loaded.neurorl_listed_reinforce.argtypes = [
        *(ctypes.c_int64, pointer, pointer, ctypes.c_float),
        *[number] * 3,
    ]
    return loaded
