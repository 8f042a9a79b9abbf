"""Delays of several steps, of which the chip has none here: sources shifted, relays for neurons.

nengo-loihi writes no delays to the chip and its emulator delivers in the next step, so the network
that runs is another one, of delays of one step only. A spike of a source is injected once more, d -
1 steps later, by a source of its own. A population's spikes run through a chain of relays, neurons
that forget within the step and spike once, a step later, for each spike that arrives.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from neurorl.backends.checks import Inputs
from neurorl.backends.window import Raster
from neurorl.description import Network, Node, Population, Projection, Source
from neurorl.models import LIF

__all__ = ["InputHistory", "Relayed", "relayed"]

_RELAY = LIF(tau_mem=0.0, threshold=0.5)


@dataclasses.dataclass(frozen=True)
class Relayed:
    """A network of one-step delays that gives the spikes of one with longer ones.

    network: nodes and projections of the original, under their names and first; then relays.
    later: of each node, the nodes that repeat its spikes 1, 2, ... steps later, by that number.
    depths: of each node, steps of its longest delay.
    """

    network: Network
    later: dict[str, dict[int, str]]
    depths: dict[str, int]


def relayed(network: Network) -> Relayed:
    """*network* with relays instead of delays; without such, *network* itself."""
    delays = {p.name: network.delay_steps(p.name) for p in network.projections}
    depths = {
        node.name: max([1, *(delays[p.name] for p in network.projections if p.pre == node.name)])
        for node in network.nodes
    }
    later: dict[str, dict[int, str]] = {node.name: {} for node in network.nodes}
    if max(depths.values(), default=1) == 1:
        return Relayed(network, later, depths)
    names = {*(n.name for n in network.nodes), *delays}
    nodes: list[Node] = list(network.nodes)
    projections = [dataclasses.replace(p, delay=None) for p in network.projections]
    for node in network.nodes:
        for steps in _needed(node, network, delays, depths[node.name]):
            name = later[node.name][steps] = _free(f"{node.name}_after_{steps}", names)
            if isinstance(node, Source):
                nodes.append(Source(name, node.size))
                continue
            before = later[node.name].get(steps - 1, node.name)
            nodes.append(Population(name, node.size, _RELAY))
            link = _free(f"{before}_relay", names)
            projections.append(Projection(link, before, name, 1.0, blocks=node.size))
    for k, p in enumerate(network.projections):
        pre = later[p.pre].get(delays[p.name] - 1, p.pre)
        projections[k] = dataclasses.replace(projections[k], pre=pre)
    return Relayed(Network(tuple(nodes), tuple(projections), network.dt), later, depths)


def _needed(node: Node, network: Network, delays: dict[str, int], depth: int) -> list[int]:
    """Steps by which a node's spikes are repeated: a chain has no gaps, the host may leave some."""
    if isinstance(node, Population):
        return list(range(1, depth))
    steps = {delays[p.name] - 1 for p in network.projections if p.pre == node.name}
    return sorted(k for k in steps if k > 0)


def _free(name: str, names: set[str]) -> str:
    """*name*, or one like it that no one has; it is then had."""
    while name in names:
        name += "_"
    names.add(name)
    return name


class InputHistory:
    """The last spikes of every source of spikes, and from them the rasters of the later ones.

    past: of each source, its last spikes ``(steps of its longest delay, size)``, newest last.
    """

    def __init__(self, relayed: Relayed) -> None:
        sources = [s for s in relayed.network.spiking.sources if s.name in relayed.later]
        self._later = {s.name: relayed.later[s.name] for s in sources}
        self.past = {
            s.name: np.zeros((relayed.depths[s.name], s.size), dtype=bool) for s in sources
        }

    def extend(self, inputs: Inputs, n_steps: int) -> Inputs:
        """*inputs* of the next steps, with those of the later sources; they become the past."""
        found = dict(inputs)
        for name, past in self.past.items():
            if len(past) == 1:
                past[0] = inputs[name][-1]
                continue
            known = np.concatenate([past, inputs[name]])
            for steps, later in self._later[name].items():
                first = len(past) - steps
                found[later] = known[first : first + n_steps]
            past[:] = known[n_steps:]
        return found

    def pending(self) -> dict[str, Raster]:
        """Of every source and later one, the row that arrives in the next step, ``(size,)``."""
        rows = {}
        for name, past in self.past.items():
            rows[name] = past[-1]
            rows |= {later: past[-1 - steps] for steps, later in self._later[name].items()}
        return rows
