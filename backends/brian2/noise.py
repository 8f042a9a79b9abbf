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

    i: every neuron of a population in order, from 0 again in each replica. step: since the start.
    stream, seed: as in `neurorl.random.words`. step and seed are of each neuron if of replicas.
    """
    function = brian2.Function(
        _Rows(),
        arg_units=[1, 1, 1, 1],
        return_unit=1,
        arg_names=["i", "step", "stream", "seed"],
        arg_types=["integer", "integer", "integer", "integer"],
        return_type="float",
    )
    # Not add_numpy_implementation, whose wrapper formats an error message on every call.
    function.implementations.add_implementation("numpy", _Rows())
    function.implementations.add_implementation(
        "cython", _CYTHON, name="logistic", namespace={"_logistic_table": LOGISTIC_TABLE.copy()}
    )
    # In ``templates/neurorl.h``, with one table for all.
    function.implementations.add_implementation("cpp", "using neurorl::logistic;")
    return function


class _Rows:
    """`logistic_function` in NumPy: it keeps rows of draws made ahead, for each replica."""

    def __init__(self) -> None:
        self._rows: dict[tuple[int, int], NoiseRows] = {}

    def __call__(self, i: Any, step: Any, stream: Any, seed: Any) -> npt.NDArray[np.float64]:
        stream = int(np.ravel(stream)[0])
        steps, seeds = np.ravel(step), np.ravel(seed)
        if len(seeds) == 1:
            return self._draw(0, int(seeds[0]), stream, len(i), int(steps[0]))
        first = np.flatnonzero(np.ravel(i) == 0)
        size = len(seeds) // len(first)
        return np.concatenate(
            [self._draw(k, int(seeds[k]), stream, size, int(steps[k])) for k in first.tolist()]
        )

    def _draw(
        self, first: int, seed: int, stream: int, size: int, step: int
    ) -> npt.NDArray[np.float64]:
        """Rows of one replica, by its first neuron; equal seeds may be at different steps."""
        if (first, stream) not in self._rows:
            self._rows[first, stream] = NoiseRows(seed, stream, size)
        return self._rows[first, stream](step)
