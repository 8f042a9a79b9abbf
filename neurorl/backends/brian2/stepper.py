"""Step a Brian2 network without `Network.run`, which takes a tenth of a second per call.

`brian2.Network.run` generates and looks up all code again and collects garbage on every call. Here
that is done once; a step is then the calls that Brian2 would make, in Brian2's order.

Every private name of Brian2 that stepping relies on is in this file. Tried on 2.9, 2.10 and 2.11;
tests/backends/brian2/test_brian2_stepper.py fails if a release changes what is assumed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.vendor import BrianObject
from neurorl.errors import BackendError
from neurorl.numerics.arrays import Array

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
        self._timestep: npt.NDArray[np.int64] = array(clock, "timestep")
        self._time: npt.NDArray[np.float64] = array(clock, "t")
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
            raise BackendError(
                "Brian2 network",
                "an object on another clock",
                got=elsewhere,
                remedy="pass clock=...",
            )
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


def refill_queue(synapses: Any, rows: Iterable[npt.NDArray[np.bool_]], delay_steps: int) -> None:
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
