"""Make the Brian2 objects of a description, and find their memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import Arithmetic
from neurorl.backends.brian2.equations import NodeText
from neurorl.backends.brian2.expressions import expression_functions
from neurorl.backends.brian2.noise import noise_functions
from neurorl.backends.brian2.plan import constants, node_text, projection_text, synapses
from neurorl.backends.brian2.stepper import Stepper, array, spike_space
from neurorl.backends.brian2.vendor import brian2
from neurorl.network.description import Network, Node, Population, Projection

__all__ = ["Simulation", "make_group"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Weights:
    """Hold a projection's synapses, and the place of their weights in the flat array of all.

    synapses: the `brian2.Synapses`.
    memory: its weights.
    flat: for each synapse, the index of its weight; None if every weight has its synapse, in order.
    """

    synapses: Any
    memory: npt.NDArray[np.float64]
    flat: npt.NDArray[np.intp] | None

    def write(self, transmitted: Array) -> None:
        """Write transmitted weights of the description's shape."""
        values = transmitted.ravel()
        self.memory[:] = values if self.flat is None else values[self.flat]


class Simulation:
    """Hold the Brian2 objects of one network, compiled and at rest, with their memory as arrays.

    network: all replicas as one network; as an attribute, the `brian2.Network`.
    seeds: the seed of each replica.

    spikes: by node, see `stepper.spike_space`.
    inject: by source, which of its neurons spike in the next step.
    variables: by population, its arrays by their names in the equations.
    weights: by projection that has a synapse.
    stepper: steps the network.
    """

    def __init__(self, network: Network, arithmetic: Arithmetic, seeds: tuple[int, ...]) -> None:
        self.spikes: dict[str, npt.NDArray[np.int32]] = {}
        self.inject: dict[str, npt.NDArray[np.bool_]] = {}
        self.variables: dict[str, dict[str, Array]] = {}
        self.weights: dict[str, Weights] = {}
        self._clock = brian2.Clock(network.dt * brian2.second, name="clock")
        self._groups: dict[str, Any] = {}
        self.network = brian2.Network(name="network")
        for source in network.spiking.sources:
            group = self._add_node(network, source, arithmetic, seeds)
            self.inject[source.name] = array(group, "inject")
        for population in network.populations:
            self._add_node(network, population, arithmetic, seeds)
        for projection in network.spiking.projections:
            self._add_projection(network, projection)
        self.stepper = Stepper(self.network, self._clock)

    def _add_group(self, text: NodeText, node: str) -> Any:
        """Add a node's group to the network, and return it."""
        group = make_group(text, self._clock)
        self.network.add(group)
        self._groups[node] = group
        self.spikes[node] = spike_space(group)
        return group

    def _add_node(
        self, network: Network, node: Node, arithmetic: Arithmetic, seeds: tuple[int, ...]
    ) -> Any:
        """Add a node, write the constants of its neurons, and return its group."""
        text = node_text(network, node.name, arithmetic, len(seeds))
        group = self._add_group(text, node.name)
        memory = {name: array(group, name) for name in group.equations.names}
        for name, value in constants(network, node, arithmetic, seeds).items():
            if name in memory:
                memory[name][:] = value
        if isinstance(node, Population) or text.states:
            self.variables[node.name] = memory
        return group

    def _add_projection(self, network: Network, projection: Projection) -> None:
        """Add the synapses of a projection, if it has any."""
        text = projection_text(network, projection)
        if not text.synapses:
            return  # Brian2 refuses to run synapses that were never made
        pre, post, flat = synapses(network, projection)
        is_aged = bool(text.release and text.delays)
        made = brian2.Synapses(
            self._groups[projection.pre],
            self._groups[projection.post],
            text.model + "\nage : integer" * is_aged,
            on_pre=text.on_pre,
            delay=None if text.delays else text.delay_steps * self._clock.dt,
            clock=self._clock,
            name=text.name,
            dtype={"w": np.float64},
            namespace={},
        )
        target = brian2.prefs["codegen.target"]
        brian2.prefs["codegen.target"] = "numpy"  # done once, so not worth a compilation
        made.connect(i=pre, j=post)
        delays = network.synapse_delays(projection.name)
        if delays is not None:
            made.pre.delay = (delays - 1) * self._clock.dt
            if is_aged:
                made.age = delays
        brian2.prefs["codegen.target"] = target
        self.network.add(made)
        self.weights[projection.name] = Weights(made, array(made, "w"), flat)


_DTYPES: dict[str, type] = {"1": np.float64, "integer": np.int64, "boolean": np.bool_}


def make_group(text: NodeText, clock: Any) -> Any:
    """Return the `brian2.NeuronGroup` of a node, on whatever device is set."""
    variables = [line.split(":") for line in text.model.splitlines()]
    group = brian2.NeuronGroup(
        text.size,
        text.model,
        threshold=text.threshold,
        reset=text.reset,
        clock=clock,
        name=text.name,
        dtype={name.strip(): _DTYPES[kind.split()[0]] for name, kind in variables},
        namespace=noise_functions() | expression_functions(),
    )
    if not text.reset:
        group.resetter["spike"].active = False  # nothing to reset, so nothing to call
    if text.update:
        group.run_regularly(text.code, when="groups", name=f"{text.name}_update")
    return group
