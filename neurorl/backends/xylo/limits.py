"""Say what each chip of the Xylo family has room for, and what of a network it hasn't.

Source: the vendor's table of the family, rockpool.ai/devices/xylo-overview. It has no largest
fan-in; open-neuromorphic.org's page of the chip has 63 for XyloAudio 2, which is taken for all.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from neurorl.arithmetic.xylo_integers import is_output
from neurorl.errors import check_name
from neurorl.network.description import Network


class XyloDevice(NamedTuple):
    """Hold the room of one chip.

    fan_in, fan_out: most synapses into a hidden neuron, and from one to hidden neurons. synapses:
    between hidden neurons, in all. entered: hidden neurons that inputs may reach. read: hidden
    neurons that may project to output neurons.
    """

    title: str
    hidden_neurons: int
    output_neurons: int
    fan_out: int
    synapses: int
    entered: int
    read: int
    inputs: int = 16
    fan_in: int = 63


DEVICES = {
    "audio3": XyloDevice("XyloAudio 3", 992, 32, 1024, 32 * 992, 128, 128),
    "audio2": XyloDevice("XyloAudio 2", 1000, 8, 64, 32 * 1000, 1000, 1000),
    "imu": XyloDevice("Xylo IMU", 496, 16, 512, 64 * 496, 128, 128),
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
    spiking = network.spiking
    sizes = {node.name: node.size for node in spiking.nodes}
    outputs = {p.name for p in network.populations if is_output(network, p.name)}
    sources = {source.name for source in spiking.sources}
    starts = dict(zip(sizes, np.cumsum([0, *sizes.values()]), strict=False))
    into, reached, out, read = np.zeros((4, sum(sizes.values())), dtype=np.int64)
    for p in spiking.projections:
        there = slice(None) if p.mask is None else p.mask.ravel()
        ends = zip(spiking.ends(p.name), (starts[p.pre], starts[p.post]), strict=True)
        pre, post = (np.bincount(x[there] + first, minlength=len(into)) for x, first in ends)
        is_read, is_entered = p.post in outputs, p.pre in sources
        read += pre * is_read
        into += post * (not is_read)
        reached += post * is_entered  # only hidden neurons project to outputs
        out += pre * (not is_read and not is_entered)
    fewer = "a mask or a list of fewer synapses"
    of = np.repeat([*sizes], [*sizes.values()]).tolist()
    kinds = {"inputs": sources, "output neurons": outputs}
    kinds["hidden neurons"] = {*sizes} - sources - outputs
    for kind, names in kinds.items():
        limit = getattr(device, kind.replace(" ", "_"))
        yield kind, sum(sizes[name] for name in names), limit, "smaller populations or sources"
    yield f"synapses into a neuron of {of[into.argmax()]!r}", int(into.max()), device.fan_in, fewer
    what = f"synapses from a neuron of {of[out.argmax()]!r} to hidden ones"
    yield what, int(out.max()), device.fan_out, fewer
    yield "synapses between hidden neurons", int(out.sum()), device.synapses, fewer
    what, smaller = "hidden neurons that inputs reach", "a smaller first hidden population"
    yield what, int(np.count_nonzero(reached)), device.entered, smaller
    what, smaller = "hidden neurons that outputs read", "a smaller last hidden population"
    yield what, int(np.count_nonzero(read)), device.read, smaller
