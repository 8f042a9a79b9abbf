"""Make the Brian2 objects of a program, and find their memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.equations import (
    GroupText,
    SynapsesText,
    constants_of,
    group_text,
    synapses_text,
)
from neurorl.backends.brian2.expressions import expression_functions
from neurorl.backends.brian2.noise import noise_functions
from neurorl.backends.brian2.stepper import Stepper, array
from neurorl.backends.brian2.vendor import brian2
from neurorl.numerics.arrays import Array
from neurorl.program import Program, ProjectionProgram

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
