"""Define noise as Brian2 functions: the draws of `neurorl.numerics.random`, on every engine.

Draws are counter-based, so there is no generator to seed, to save or to share between networks.
"""

from __future__ import annotations

from collections.abc import Callable
from textwrap import indent
from typing import Any

import numpy as np

from neurorl.backends.brian2.vendor import brian2
from neurorl.native import SOURCES
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import LOGISTIC_BITS, LOGISTIC_TABLE, U32, DrawRows, logistic

# The draws in C. The table is the function's own array, so it isn't compiled into the code.
_C = (SOURCES / "philox.h").read_text()
_CYTHON = f"""
cdef extern from *:
    '''
{indent(_C, "    ")}
    '''
    unsigned int neurorl_word(int64_t i, int64_t step, int64_t stream, int64_t seed) noexcept nogil

cdef inline double NAME(int64_t i, int64_t step, int64_t stream, int64_t seed) noexcept nogil:
    return VALUE
"""
_WORD = "neurorl_word(i, step, stream, seed)"


def noise_functions() -> dict[str, Any]:
    """Return new Brian2 functions of ``(i, step, stream, seed)``, by their names in the equations.

    ``logistic`` is a standard logistic draw; ``draw`` the 32 bits of any, 0 to 2**32 - 1.

    i: every neuron of a population in order, from 0 again in each replica.
    step: steps since the start.
    stream, seed: as in `neurorl.numerics.random.words`.

    With several replicas, step and seed have a value for each neuron.
    """
    looked_up = f"_namespace_logistic_table[{_WORD} >> {32 - LOGISTIC_BITS}]"
    table = {"_logistic_table": LOGISTIC_TABLE.copy()}
    return {
        "logistic": _function("logistic", logistic, looked_up, table),
        "draw": _function("draw", lambda drawn: drawn.astype(np.float64), _WORD, {}),
    }


def _function(
    name: str, convert: Callable[[U32], FloatArray], value: str, namespace: dict[str, Any]
) -> Any:
    """Return one Brian2 function.

    convert: what becomes of the words in NumPy.
    value: the same as an expression of C.
    namespace: arrays that *value* refers to.
    """
    function = brian2.Function(
        _Rows(convert),
        arg_units=[1, 1, 1, 1],
        return_unit=1,
        arg_names=["i", "step", "stream", "seed"],
        arg_types=["integer", "integer", "integer", "integer"],
        return_type="float",
    )
    # Not add_numpy_implementation, whose wrapper formats an error message on every call.
    function.implementations.add_implementation("numpy", _Rows(convert))
    code = _CYTHON.replace("NAME", name).replace("VALUE", value)
    function.implementations.add_implementation("cython", code, name=name, namespace=namespace)
    return function


class _Rows:
    """Compute one of `noise_functions` in NumPy, keeping rows of draws made ahead."""

    def __init__(self, convert: Callable[[U32], FloatArray]) -> None:
        self._convert = convert
        self._rows: dict[tuple[int, int], DrawRows] = {}

    def __call__(self, i: Any, step: Any, stream: Any, seed: Any) -> FloatArray:
        """Return the draws of one step for all replicas."""
        stream = int(np.ravel(stream)[0])
        steps, seeds = np.ravel(step), np.ravel(seed)
        if len(seeds) == 1:
            row = self._draw(0, int(seeds[0]), stream, len(i), int(steps[0]))
            return row.copy()  # Brian2 may write to what it gets
        first = np.flatnonzero(np.ravel(i) == 0)
        size = len(seeds) // len(first)
        return np.concatenate(
            [self._draw(k, int(seeds[k]), stream, size, int(steps[k])) for k in first.tolist()]
        )

    def _draw(self, first: int, seed: int, stream: int, size: int, step: int) -> FloatArray:
        """Return the draws of one replica.

        Rows are kept by its first neuron, as replicas of equal seeds may be at different steps.
        """
        if (first, stream) not in self._rows:
            self._rows[first, stream] = DrawRows(seed, stream, size, self._convert)
        return self._rows[first, stream](step)
