"""Escape noise as a Brian2 function: the draws of `neurorl.random`, on both engines.

Counter-based, so there is no generator to seed, to save or to share between networks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.vendor import brian2
from neurorl.random import LOGISTIC_BITS, LOGISTIC_TABLE, NoiseRows

__all__ = ["logistic_function"]

# `neurorl.random.philox4x32`, one word. The table is the function's own array, so it is no part of
# the text that is compiled.
_CYTHON = """
cdef extern from *:
    '''
    #include <stdint.h>
    static inline uint32_t neurorl_word(
        const int64_t i, const int64_t step, const int64_t stream, const int64_t seed) {
        const uint64_t block = (uint64_t)step >> 2;
        uint32_t c0 = (uint32_t)i, c1 = (uint32_t)block;
        uint32_t c2 = (uint32_t)(block >> 32), c3 = (uint32_t)stream;
        uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)((uint64_t)seed >> 32);
        for (int r = 0; r < 10; r++) {
            const uint64_t p0 = (uint64_t)c0 * 0xD2511F53U, p1 = (uint64_t)c2 * 0xCD9E8D57U;
            c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
            c1 = (uint32_t)p1;
            c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
            c3 = (uint32_t)p0;
            k0 += 0x9E3779B9U;
            k1 += 0xBB67AE85U;
        }
        const int word = (int)(step & 3);
        return word < 2 ? (word == 0 ? c0 : c1) : (word == 2 ? c2 : c3);
    }
    '''
    unsigned int neurorl_word(int64_t i, int64_t step, int64_t stream, int64_t seed) noexcept nogil

cdef inline double logistic(int64_t i, int64_t step, int64_t stream, int64_t seed) noexcept nogil:
    return _namespace_logistic_table[neurorl_word(i, step, stream, seed) >> SHIFT]
""".replace("SHIFT", str(32 - LOGISTIC_BITS))


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
    return function
