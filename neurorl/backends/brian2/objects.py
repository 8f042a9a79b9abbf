"""Make the Brian2 objects of a program, and step them.

Draws are counter-based, so there is no generator to seed, to save or to share between networks.

`brian2.Network.run` generates and looks up all code again and collects garbage on every call. Here
that is done once; a step is then the calls that Brian2 would make, in Brian2's order.

Every private name of Brian2 that stepping relies on is in this file. Tried on 2.9, 2.10 and 2.11;
tests/backends/brian2/test_brian2_stepper.py fails if a release changes what is assumed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from textwrap import indent
from typing import Any

import numpy as np

from neurorl.backends.brian2.equations import (
    GroupText,
    SynapsesText,
    expression_functions,
    function_of,
    group_text,
    synapses_text,
)
from neurorl.backends.brian2.vendor import BrianObject, brian2
from neurorl.errors import BackendError
from neurorl.native import SOURCES
from neurorl.numerics.arrays import Array, BoolArray, FloatArray, IntArray
from neurorl.numerics.random import LOGISTIC_BITS, LOGISTIC_TABLE, U32, DrawRows, logistic
from neurorl.program import Program, ProjectionProgram
from neurorl.storage.plain import PlainData

_SYNAPSES_SLOTS = ("before_synapses", "synapses", "after_synapses")


class Stepper:
    """Step a `brian2.Network` of one clock, which is prepared once.

    A step begins with the 'synapses' slot of the step before, so that weights written between two
    steps act on every spike that arrives after. The result is that of `Network.run` as long as no
    reset reads or writes what synapses do; those of this package only add to ``q``.
    """

    def __init__(self, network: Any, clock: Any) -> None:
        self.network = network
        self._clock = clock
        self._timestep: IntArray = array(clock, "timestep")
        self._time: FloatArray = array(clock, "t")
        self._dt = float(clock.dt_)
        self._objects: set[Any] = set()
        self._calls: list[Callable[[], object]] = []
        self.prepare()

    def prepare(self) -> None:
        """Generate, compile and collect the code of all objects; call it again after `add`.

        Raises BackendError for an object that it can't step.
        """
        objects = self.network.sorted_objects
        clocks = {obj.clock for obj in objects}
        if clocks - {self._clock}:
            elsewhere = sorted(obj.name for obj in objects if obj.clock is not self._clock)
            what, remedy = "an object on another clock", "pass clock=..."
            raise BackendError("Brian2 network", what, got=elsewhere, remedy=remedy)
        self.network._clocks = clocks
        try:
            self.network.before_run({})
        except Exception:
            for obj in objects:  # else Brian2 warns for each that it was never run
                obj._network = self.network.id
            raise
        self._objects = set(self.network.objects)
        late = [obj for obj in objects if obj.when in _SYNAPSES_SLOTS]
        rest = [obj for obj in objects if obj.when not in _SYNAPSES_SLOTS]
        self._calls = [call for obj in late + rest if obj.active for call in _calls(obj)]

    def is_stale(self) -> bool:
        """Return whether objects were added to the network or removed since `prepare`."""
        return bool(self.network.objects != self._objects)

    def advance(self) -> None:
        """Make one step."""
        for call in self._calls:
            call()
        self.t = int(self._timestep[0]) + 1

    @property
    def t(self) -> int:
        """Return the steps since the start, which are ``t_in_timesteps`` in equations."""
        return int(self._timestep[0])

    @t.setter
    def t(self, step: int) -> None:
        self._timestep[0] = step
        self._time[0] = step * self._dt

    def show_time(self) -> None:
        """Set ``network.t`` to the clock's time, from which a later `Network.run` continues."""
        self.network.t_ = float(self._time[0])


def _calls(obj: Any) -> list[Callable[[], object]]:
    """Return the functions that Brian2 calls for an object in a step, without wrappers."""
    if type(obj).run is not BrianObject.run:
        return [obj.run]  # NetworkOperation, SpikeGeneratorGroup, ...
    calls: list[Callable[[], object]] = []
    for proxy in obj._code_objects:
        code = proxy.__repr__.__self__  # the object behind the weak proxy, to keep it alive
        block = code.compiled_code["run"]
        if code.nonconstant_values:
            calls.append(code)  # monitors have arrays that grow, so each call looks them up
        elif hasattr(block, "main"):
            calls.append(partial(block.main, code.namespace))
        elif block is not None:
            calls.append(partial(exec, block, code.namespace))
    return calls


def array(owner: Any, variable: str) -> Array:
    """Return a variable's own memory: no units, no copies, valid as long as its size stays."""
    value: Array = owner.variables[variable].get_value()
    return value


def refill_queue(synapses: Any, rows: Iterable[BoolArray], delay_steps: int) -> None:
    """Put the spikes of past steps in flight.

    rows: spikes of the presynaptic group in all steps but the last, oldest first, at least as many
        as the delay.
    delay_steps: the delay of the queue, one less than the projection's.
    """
    queue = synapses.pre.queue
    for _ in range(delay_steps + 1):
        queue.advance()  # forgets the spikes due in this step
    for row in rows:
        queue.push(np.flatnonzero(row).astype(np.int32))
        queue.advance()


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


def noise_functions() -> PlainData:
    """Return new Brian2 functions of ``(i, step, stream, seed)``, by their names in the equations.

    ``logistic`` is a standard logistic draw; ``draw`` the 32 bits of any, 0 to 2**32 - 1.

    i: every neuron of a population in order, from 0 again in each replica.
    step: steps since the start.
    stream, seed: as in `neurorl.numerics.random.words`.

    With several replicas, step and seed have a value for each neuron.
    """
    looked_up = f"_namespace_logistic_table[{_WORD} >> {32 - LOGISTIC_BITS}]"
    table = {"_logistic_table": LOGISTIC_TABLE.copy()}
    told: dict[str, tuple[Callable[[U32], FloatArray], str, PlainData]] = {
        "logistic": (logistic, looked_up, table),
        "draw": (lambda drawn: drawn.astype(np.float64), _WORD, {}),
    }
    made = {}
    for name, (convert, value, namespace) in told.items():
        code = _CYTHON.replace("NAME", name).replace("VALUE", value)
        made[name] = function_of(name, _Rows(convert), ["integer"] * 4, code, namespace)
    return made


class _Rows:
    """Compute one of `noise_functions` in NumPy, keeping rows of draws made ahead."""

    def __init__(self, convert: Callable[[U32], FloatArray]) -> None:
        self._convert = convert
        self._rows: dict[tuple[int, int], DrawRows] = {}

    def __call__(self, i: Any, step: Any, stream: Any, seed: Any) -> FloatArray:
        """Return the draws of one step for all replicas."""
        stream = int(np.ravel(stream)[0])
        steps, seeds = (np.broadcast_to(np.ravel(x), len(i)) for x in (step, seed))
        first = np.flatnonzero(np.ravel(i) == 0).tolist()
        for k in first:  # not by seeds: replicas of equal ones may be at different steps
            if (k, stream) not in self._rows:
                args = int(seeds[k]), stream, len(i) // len(first)
                self._rows[k, stream] = DrawRows(*args, self._convert)
        return np.concatenate([self._rows[k, stream](int(steps[k])) for k in first])


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
        self.weights: list[FloatArray] = []
        for k in range(len(program.nodes)):
            self._add_group(group_text(program, k))
        for k, projection in enumerate(program.projections):
            self._add_synapses(synapses_text(program, k), projection)
        self.stepper = Stepper(self.network, self._clock)

    def _add_group(self, text: GroupText) -> None:
        """Add the group of a node, and write what its variables are at the start."""
        group = brian2.NeuronGroup(
            text.size,
            text.model,
            threshold=text.threshold,
            reset=text.reset,
            clock=self._clock,
            name=text.name,
            dtype={name: getattr(np, of) for name, of in text.dtypes.items()},
            namespace=noise_functions() | expression_functions(),
        )
        if not text.reset:
            group.resetter["spike"].active = False  # nothing to reset, so nothing to call
        if text.update:
            group.run_regularly(text.update, when="groups", name=f"{text.name}_update")
        self.network.add(group)
        self._groups.append(group)
        self.memory.append({name: array(group, name) for name in (*text.dtypes, "_spikespace")})
        for name, value in text.begins.items():
            self.memory[-1][name][:] = value

    def _add_synapses(self, text: SynapsesText, projection: ProjectionProgram) -> None:
        """Add the synapses of a projection."""
        pre, post, delays = projection.synapses()
        made = brian2.Synapses(
            self._groups[projection.pre],
            self._groups[projection.post],
            text.model,
            on_pre=text.on_pre or None,
            delay=None if text.delay is None else text.delay * self._clock.dt,
            clock=self._clock,
            name=text.name,
            dtype={"w": np.float64},
            namespace={},
        )
        target = brian2.prefs["codegen.target"]
        brian2.prefs["codegen.target"] = "numpy"  # done once, so not worth a compilation
        made.connect(i=pre, j=post)
        if text.delay is None and text.on_pre:
            made.pre.delay = (delays - 1) * self._clock.dt
        if "age" in text.model:
            made.age = delays
        brian2.prefs["codegen.target"] = target
        self.network.add(made)
        self.synapses.append(made)
        self.weights.append(array(made, "w"))
