"""Replace delays of several steps, which the chip lacks here, by shifted sources and relay neurons.

nengo-loihi writes no delays to the chip, and its emulator delivers a spike in the next step. So a
different network runs, in which every delay is one step. A spike of a source is injected a second
time, ``delay - 1`` steps later, by an extra source. A population's spikes run through a chain of
relays: neurons that forget within the step and that spike once, a step later, for each spike that
arrives.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from neurorl.backends.checks import Inputs
from neurorl.backends.window import Raster
from neurorl.models import LIF
from neurorl.network.connectors import Copies, Synapses
from neurorl.network.description import Network, Node, Population, Projection, Source, Uniform
from neurorl.network.limits import free_name

_RELAY = LIF(tau_mem=0.0, threshold=0.5)


@dataclasses.dataclass(frozen=True)
class RelayNetwork:
    """Hold a network of one-step delays that gives the same spikes as one with longer delays.

    network: nodes and projections of the original first, under their own names; then the relays.
    later: by node, the names of the nodes that repeat its spikes, keyed by how many steps later.
    depths: by node, its longest delay in steps.
    parts: by projection whose synapses have a delay each, the projections in its place, one for
        each delay: their names, and the numbers of their synapses in its list.
    """

    network: Network
    later: dict[str, dict[int, str]]
    depths: dict[str, int]
    parts: dict[str, dict[str, npt.NDArray[np.intp]]]


def relayed(network: Network) -> RelayNetwork:
    """Return *network* with relays in place of delays; *network* itself if it has none."""
    delays = {p.name: network.delay_steps(p.name) for p in network.projections}
    depths = {
        node.name: max([1, *(delays[p.name] for p in network.projections if p.pre == node.name)])
        for node in network.nodes
    }
    later: dict[str, dict[int, str]] = {node.name: {} for node in network.nodes}
    if max(depths.values(), default=1) == 1:
        return RelayNetwork(network, later, depths, {})
    names = {*(n.name for n in network.nodes), *delays}
    nodes: list[Node] = list(network.nodes)
    projections = [dataclasses.replace(p, delay=None) for p in network.projections]
    for node in network.nodes:
        for steps in _needed(node, network, depths[node.name]):
            name = later[node.name][steps] = free_name(f"{node.name}_after_{steps}", names)
            if isinstance(node, Source):
                nodes.append(Source(name, node.size))
                continue
            before = later[node.name].get(steps - 1, node.name)
            nodes.append(Population(name, node.size, _RELAY))
            link = free_name(f"{before}_relay", names)
            projections.append(Projection(link, before, name, 1.0, blocks=node.size))
    parts: dict[str, dict[str, npt.NDArray[np.intp]]] = {}
    split: list[Projection] = []
    for k, p in enumerate(network.projections):
        if network.synapse_delays(p.name) is not None:
            made = _parts(network, p, later[p.pre], names)
            parts[p.name] = {part.name: numbers for part, numbers in made}
            split += [part for part, _ in made]
            continue
        pre = later[p.pre].get(delays[p.name] - 1, p.pre)
        synapses = network.synapses(p.name)
        # What is drawn between other ends might be others.
        connect = p.connect if synapses is None else Copies(synapses, 1)
        projections[k] = dataclasses.replace(projections[k], pre=pre, connect=connect)
    kept = [p for p in projections if p.name not in parts]
    run = Network(tuple(nodes), (*kept, *split), network.dt)
    return RelayNetwork(run, later, depths, parts)


def _parts(
    network: Network, p: Projection, later: dict[int, str], names: set[str]
) -> list[tuple[Projection, npt.NDArray[np.intp]]]:
    """Return a projection for each delay of a list of synapses, and the numbers of its synapses."""
    synapses, delays = network.synapses(p.name), network.synapse_delays(p.name)
    assert synapses is not None
    assert delays is not None
    weights, pre, made = p.weights, synapses.pre, []
    if not isinstance(weights, Uniform):
        reach = float(np.abs(weights).max(initial=0.0))
        weights = Uniform(-reach, reach)  # all parts have the resolution of the whole
    for steps in np.unique(delays).tolist():
        numbers = np.flatnonzero(delays == steps)
        part = dataclasses.replace(
            p,
            name=free_name(f"{p.name}_delay_{steps}", names),
            pre=later.get(steps - 1, p.pre),
            weights=weights,
            delay=None,
            connect=Synapses(pre[numbers], synapses.post[numbers], multapses=True),
        )
        made.append((part, numbers))
    return made


def _needed(node: Node, network: Network, depth: int) -> list[int]:
    """Return the numbers of steps by which a node's spikes must be repeated, ascending.

    A population's chain of relays has no gaps; for a source the host injects only what is used.
    """
    if isinstance(node, Population):
        return list(range(1, depth))
    steps: set[int] = set()
    for p in network.projections:
        if p.pre == node.name:
            each = network.synapse_delays(p.name)
            all_of = [network.delay_steps(p.name)] if each is None else np.unique(each).tolist()
            steps |= {k - 1 for k in all_of}
    return sorted(k for k in steps if k > 0)


class InputHistory:
    """Keep the last spikes of every source of spikes, and make the rasters of its repeats.

    of_all: of every population too, for rasters that are known already.
    past: by source, its last spikes, booleans ``(steps of its longest delay, size)``, newest last.
    """

    def __init__(self, relayed: RelayNetwork, of_all: bool = False) -> None:
        spiking = relayed.network.spiking
        every = spiking.nodes if of_all else spiking.sources
        nodes = [n for n in every if n.name in relayed.later]
        self._later = {n.name: relayed.later[n.name] for n in nodes}
        self.past = {n.name: np.zeros((relayed.depths[n.name], n.size), dtype=bool) for n in nodes}

    def extend(self, inputs: Inputs, n_steps: int) -> Inputs:
        """Return *inputs* with the rasters of the repeating sources; remember the last steps.

        inputs: rasters of the next *n_steps* steps, by source.
        """
        extended = dict(inputs)
        for name, past in self.past.items():
            if len(past) == 1:
                past[0] = inputs[name][-1]
                continue
            known = np.concatenate([past, inputs[name]])
            for steps, later in self._later[name].items():
                first = len(past) - steps
                extended[later] = known[first : first + n_steps]
            past[:] = known[n_steps:]
        return extended

    def pending(self) -> dict[str, Raster]:
        """Return the row of each source and repeating source that arrives in the next step."""
        rows = {}
        for name, past in self.past.items():
            rows[name] = past[-1]
            rows |= {later: past[-1 - steps] for steps, later in self._later[name].items()}
        return rows
