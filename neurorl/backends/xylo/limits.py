"""Say what each chip of the Xylo family has room for, and what of a network it hasn't.

Source: the vendor's table of the family, rockpool.ai/devices/xylo-overview. It has no largest
fan-in; open-neuromorphic.org's page of the chip has 63 for XyloAudio 2, which is taken for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from neurorl.arithmetic.xylo_integers import is_output
from neurorl.errors import check_name
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array


@dataclass(frozen=True)
class XyloDevice:
    """Hold the room of one chip.

    fan_in, fan_out: most synapses into a hidden neuron, and from one to hidden neurons. synapses:
    between hidden neurons, in all. entered: hidden neurons that inputs may reach. read: hidden
    neurons that may project to output neurons.
    """

    name: str
    title: str
    hidden: int
    outputs: int
    fan_out: int
    synapses: int
    entered: int
    read: int
    inputs: int = 16
    fan_in: int = 63


DEVICES = {
    device.name: device
    for device in (
        XyloDevice("audio3", "XyloAudio 3", 992, 32, 1024, 32 * 992, 128, 128),
        XyloDevice("audio2", "XyloAudio 2", 1000, 8, 64, 32 * 1000, 1000, 1000),
        XyloDevice("imu", "Xylo IMU", 496, 16, 512, 64 * 496, 128, 128),
    )
}
"""Map the name of each chip to its room; the first is the default."""

DEFAULT = next(iter(DEVICES))


def find_device(name: str) -> XyloDevice:
    """Return the chip of this name. Raises UnknownNameError."""
    check_name("device", name, DEVICES)
    return DEVICES[name]


def problems(network: Network, device: XyloDevice) -> list[str]:
    """Return a line for each number of *network* that the chip hasn't room for."""
    return [
        f"{got} {what} on {device.title} (limit {limit}; {remedy})"
        for what, got, limit, remedy in _numbers(network, device)
        if got > limit
    ]


def _numbers(network: Network, device: XyloDevice) -> Iterator[tuple[str, int, int, str]]:
    """Yield what is counted, how much of it there is, its limit and a remedy."""
    outputs = {p.name for p in network.populations if is_output(network, p.name)}
    hidden = [p.name for p in network.populations if p.name not in outputs]
    sources = {source.name for source in network.spiking.sources}
    into, reached = (_zeros(network, hidden) for _ in range(2))
    out, read = (_zeros(network, hidden) for _ in range(2))
    for p in network.spiking.projections:
        entering, leaving = _degrees(network, p.name)
        if p.post in outputs:
            read[p.pre] += leaving
            continue
        into[p.post] += entering
        if p.pre in sources:
            reached[p.post] += entering
        else:
            out[p.pre] += leaving
    n_inputs = sum(network.node(name).size for name in sources)
    yield "inputs", n_inputs, device.inputs, "an encoder of fewer neurons"
    n_hidden = sum(network.node(name).size for name in hidden)
    yield "hidden neurons", n_hidden, device.hidden, "smaller populations"
    n_outputs = sum(network.node(name).size for name in outputs)
    yield "output neurons", n_outputs, device.outputs, "smaller populations"
    fewer = "a mask or a list of fewer synapses"
    for name in hidden:
        yield f"synapses into a neuron of {name!r}", _most(into[name]), device.fan_in, fewer
        what = f"synapses from a neuron of {name!r} to hidden ones"
        yield what, _most(out[name]), device.fan_out, fewer
    everything = sum(int(counts.sum()) for counts in out.values())
    yield "synapses between hidden neurons", everything, device.synapses, fewer
    n_entered = sum(int((counts > 0).sum()) for counts in reached.values())
    yield (
        "hidden neurons that inputs reach",
        n_entered,
        device.entered,
        "a smaller first population",
    )
    n_read = sum(int((counts > 0).sum()) for counts in read.values())
    yield (
        "hidden neurons that outputs read",
        n_read,
        device.read,
        "a smaller last hidden population",
    )


def _zeros(network: Network, populations: list[str]) -> dict[str, Array]:
    return {name: np.zeros(network.node(name).size, dtype=np.int64) for name in populations}


def _most(counts: Array) -> int:
    return int(counts.max(initial=0))


def _degrees(network: Network, name: str) -> tuple[Array, Array]:
    """Return the synapses into each postsynaptic neuron, and from each presynaptic one."""
    p, synapses = network.projection(name), network.synapses(name)
    sizes = network.node(p.post).size, network.node(p.pre).size
    if synapses is not None:
        ends = synapses.post, synapses.pre
        return np.bincount(ends[0], minlength=sizes[0]), np.bincount(ends[1], minlength=sizes[1])
    there = np.ones(network.weight_shape(name), bool) if p.mask is None else p.mask
    return there.sum(axis=-2).ravel(), there.sum(axis=-1).ravel()
