"""Escape noise as a Brian2 function: the draws of `neurorl.random`, on every engine.

Counter-based, so there is no generator to seed, to save or to share between networks.
"""

from __future__ import annotations

from textwrap import indent
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.vendor import brian2
from neurorl.native import SOURCES
from neurorl.random import LOGISTIC_BITS, LOGISTIC_TABLE, NoiseRows

__all__ = ["logistic_function"]

# The draws as C. The table is the function's own array, so it is no part of what is compiled.
_C = (SOURCES / "philox.h").read_text()
_CYTHON = f"""
cdef extern from *:
    '''
{indent(_C, "    ")}
    '''
    unsigned int neurorl_word(int64_t i, int64_t step, int64_t stream, int64_t seed) noexcept nogil

cdef inline double logistic(int64_t i, int64_t step, int64_t stream, int64_t seed) noexcept nogil:
    return _namespace_logistic_table[neurorl_word(i, step, stream, seed) >> {32 - LOGISTIC_BITS}]
"""


def logistic_function() -> Any:
    """A new Brian2 function ``logistic(i, step, stream, seed)``, a standard logistic draw.

    i: every neuron of a population in order. step: since the start. stream, seed: as in
    `neurorl.random.words`. Each function keeps its own rows of draws made ahead (engine numpy).
    """
    rows: dict[tuple[int, int, int], NoiseRows] = {}

    def logistic(i: Any, step: Any, stream: Any, seed: Any) -> npt.NDArray[np.float64]:
        size = len(i)
        key = (int(np.ravel(seed)[0]), int(np.ravel(stream)[0]), size)
        if key not in rows:
            rows[key] = NoiseRows(*key)
        return rows[key](int(np.ravel(step)[0]))

    function = brian2.Function(
        logistic,
        arg_units=[1, 1, 1, 1],
        return_unit=1,
        arg_names=["i", "step", "stream", "seed"],
        arg_types=["integer", "integer", "integer", "integer"],
        return_type="float",
    )
    # Not add_numpy_implementation, whose wrapper formats an error message on every call.
    function.implementations.add_implementation("numpy", logistic)
    function.implementations.add_implementation(
        "cython", _CYTHON, name="logistic", namespace={"_logistic_table": LOGISTIC_TABLE.copy()}
    )
    # In ``templates/neurorl.h``, with one table for all.
    function.implementations.add_implementation("cpp", "using neurorl::logistic;")
    return function
