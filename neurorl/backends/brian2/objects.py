"""Make the Brian2 objects of a program, and find their memory.

Draws are counter-based, so there is no generator to seed, to save or to share between networks.
"""

from __future__ import annotations

from collections.abc import Callable
from textwrap import indent
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.equations import (
    GroupText,
    SynapsesText,
    constants_of,
    expression_functions,
    group_text,
    synapses_text,
)
from neurorl.backends.brian2.stepper import Stepper, array
from neurorl.backends.brian2.vendor import brian2
from neurorl.native import SOURCES
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import LOGISTIC_BITS, LOGISTIC_TABLE, U32, DrawRows, logistic
from neurorl.program import Program, ProjectionProgram

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


_DTYPES: dict[str, type] = {"1": np.float64, "integer": np.int64, "boolean": np.bool_}


class Objects:
    """Hold the Brian2 objects of one program, compiled and at rest, with their memory as arrays.

    network: the `brian2.Network`. stepper: steps it.
    memory: of each node, its arrays by their names in the equations.
    synapses, weights: of each projection, the `brian2.Synapses` and their weights.
    """

    def __init__(self, program: Program, dt: float) -> None:
        self._clock = brian2.Clock(dt * brian2.second, name="clock")
        self.network = brian2.Network(name="network")
        self._groups: list[Any] = []
        self.memory: list[dict[str, Array]] = []
        self.synapses: list[Any] = []
        self.weights: list[npt.NDArray[np.float64]] = []
        for k in range(len(program.nodes)):
            self._add_group(group_text(program, k), constants_of(program, k))
        for k, projection in enumerate(program.projections):
            self._add_synapses(synapses_text(program, k), projection)
        self.stepper = Stepper(self.network, self._clock)

    def _add_group(self, text: GroupText, values: dict[str, Array]) -> None:
        """Add the group of a node, and write what its variables are at the start."""
        kinds = dict(line.split(" : ") for line in text.model.splitlines())
        group = brian2.NeuronGroup(
            text.size,
            text.model,
            threshold=text.threshold,
            reset=text.reset,
            clock=self._clock,
            name=text.name,
            dtype={name: _DTYPES[kind.split()[0]] for name, kind in kinds.items()},
            namespace=noise_functions() | expression_functions(),
        )
        if not text.reset:
            group.resetter["spike"].active = False  # nothing to reset, so nothing to call
        if text.update:
            group.run_regularly(text.update, when="groups", name=f"{text.name}_update")
        self.network.add(group)
        self._groups.append(group)
        memory = {name: array(group, name) for name in (*kinds, "_spikespace")}
        for name, value in values.items():
            if name in memory:
                memory[name][:] = value
        self.memory.append(memory)

    def _add_synapses(self, text: SynapsesText, projection: ProjectionProgram) -> None:
        """Add the synapses of a projection."""
        pre, post, delays = projection.synapses()
        made = brian2.Synapses(
            self._groups[projection.pre],
            self._groups[projection.post],
            text.model,
            on_pre=text.on_pre,
            delay=None if text.delay is None else text.delay * self._clock.dt,
            clock=self._clock,
            name=text.name,
            dtype={"w": np.float64},
            namespace={},
        )
        target = brian2.prefs["codegen.target"]
        brian2.prefs["codegen.target"] = "numpy"  # done once, so not worth a compilation
        made.connect(i=pre, j=post)
        if text.delay is None:
            made.pre.delay = (delays - 1) * self._clock.dt
        if "age" in text.model:
            made.age = delays
        brian2.prefs["codegen.target"] = target
        self.network.add(made)
        self.synapses.append(made)
        self.weights.append(array(made, "w"))
