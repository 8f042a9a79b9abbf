"""Makes the Brian2 objects of a description, and finds their memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import Arithmetic, ChipArithmetic
from neurorl.backends.brian2.equations import (
    NodeText,
    ProjectionText,
    population_text,
    projection_text,
    source_text,
)
from neurorl.backends.brian2.noise import logistic_function
from neurorl.backends.brian2.stepper import Stepper, array, spike_space
from neurorl.backends.brian2.vendor import brian2
from neurorl.description import Network, Population, Projection

__all__ = ["Simulation"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Weights:
    """A projection's synapses, and where each finds its weight in the flat array of all."""

    synapses: Any
    memory: npt.NDArray[np.float64]
    flat: npt.NDArray[np.intp] | None

    def write(self, transmitted: Array) -> None:
        """Put weights of the description's shape in force."""
        values = transmitted.ravel()
        self.memory[:] = values if self.flat is None else values[self.flat]


class Simulation:
    """The Brian2 objects of one network, compiled, at rest; their memory as plain arrays.

    network: the `brian2.Network`. texts: what was generated, in order. spikes, inject, variables:
    memory of each node, see `stepper.spike_space`. weights: of each projection that has a synapse.
    """

    def __init__(self, network: Network, arithmetic: Arithmetic, seed: int) -> None:
        self.texts: list[NodeText | ProjectionText] = []
        self.spikes: dict[str, npt.NDArray[np.int32]] = {}
        self.inject: dict[str, npt.NDArray[np.bool_]] = {}
        self.variables: dict[str, dict[str, Array]] = {}
        self.weights: dict[str, Weights] = {}
        self._clock = brian2.Clock(network.dt * brian2.second, name="clock")
        self._groups: dict[str, Any] = {}
        self.network = brian2.Network(name="network")
        for source in network.sources:
            self._add_source(source_text(network, source.name), source.name)
        for population in network.populations:
            self._add_population(network, population, arithmetic, seed)
        for projection in network.projections:
            self._add_projection(network, projection)
        self.stepper = Stepper(self.network, self._clock)

    def _add_group(self, text: NodeText, node: str, **options: Any) -> Any:
        variables = [line.split(":") for line in text.model.splitlines()]
        dtypes = {name.strip(): _DTYPES[kind.split()[0]] for name, kind in variables}
        group = brian2.NeuronGroup(
            text.size,
            text.model,
            threshold=text.threshold,
            reset=text.reset,
            clock=self._clock,
            name=text.name,
            dtype=dtypes,
            **options,
        )
        self.texts.append(text)
        self.network.add(group)
        self._groups[node] = group
        self.spikes[node] = spike_space(group)
        return group

    def _add_source(self, text: NodeText, node: str) -> None:
        group = self._add_group(text, node)
        group.resetter["spike"].active = False  # nothing to reset, so nothing to call
        self.inject[node] = array(group, "inject")

    def _add_population(
        self, network: Network, population: Population, arithmetic: Arithmetic, seed: int
    ) -> None:
        chip = isinstance(arithmetic, ChipArithmetic)
        constants = _constants(network, population, arithmetic)
        text = population_text(
            network,
            population,
            chip=chip,
            noisy=bool(constants["noise_width"].any()),
            refractory=bool(constants["refractory_steps"].any()),
        )
        constants["seed"] = np.array(seed)
        constants["stream"] = np.array(network.index(population.name))
        group = self._add_group(text, population.name, namespace={"logistic": logistic_function()})
        group.run_regularly(text.update, when="groups", name=f"{text.name}_update")
        memory = {name: array(group, name) for name in group.equations.names}
        for name, value in constants.items():
            if name in memory:
                memory[name][:] = value
        self.variables[population.name] = memory

    def _add_projection(self, network: Network, projection: Projection) -> None:
        text = projection_text(network, projection)
        self.texts.append(text)
        if not text.synapses:
            return  # Brian2 refuses to run synapses that were never made
        pre, post, flat = _synapses(network, projection)
        synapses = brian2.Synapses(
            self._groups[projection.pre],
            self._groups[projection.post],
            text.model,
            on_pre=text.on_pre,
            delay=text.delay_steps * self._clock.dt,
            clock=self._clock,
            name=text.name,
            dtype={"w": np.float64},
            namespace={},
        )
        target = brian2.prefs["codegen.target"]
        brian2.prefs["codegen.target"] = "numpy"  # done once, so not worth a compilation
        synapses.connect(i=pre, j=post)
        brian2.prefs["codegen.target"] = target
        self.network.add(synapses)
        self.weights[projection.name] = Weights(synapses, array(synapses, "w"), flat)


_DTYPES: dict[str, type] = {"1": np.float64, "integer": np.int64, "boolean": np.bool_}


def _constants(
    network: Network, population: Population, arithmetic: Arithmetic
) -> dict[str, Array]:
    """The values of the variables that the equations only read."""
    if isinstance(arithmetic, ChipArithmetic):
        chip = arithmetic.chip.populations[population.name]
        return {
            "current_kept": 4095 - chip.current_decay,
            "membrane_kept": 4096 - chip.voltage_decay,
            "threshold": chip.threshold,
            "noise_width": chip.noise_width,
            "refractory_steps": chip.refractory - 1,
        }
    d = population.neuron.dynamics(population.size, network.dt)
    return {
        "current_decay": d.current_decay,
        "membrane_decay": d.membrane_decay,
        "threshold": d.threshold,
        "noise_width": d.noise_width,
        "refractory_steps": d.refractory_steps,
    }


def _synapses(
    network: Network, projection: Projection
) -> tuple[Array, Array, npt.NDArray[np.intp] | None]:
    """Pre- and postsynaptic neuron of every synapse, and its place in the flat weights.

    The last is None if every weight has its synapse, in the same order.
    """
    shape = network.weight_shape(projection.name)
    every = projection.mask is None
    where = np.ones(shape, dtype=bool) if every else projection.mask
    block, pre, post = np.nonzero(where.reshape(-1, *shape[-2:]))
    flat = None if every else np.flatnonzero(where)
    return block * shape[-2] + pre, block * shape[-1] + post, flat
