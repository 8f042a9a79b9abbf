"""Lay lists of synapses out as matrices, so that a step is predicted as that of dense projections.

A list becomes a masked projection for each delay of its synapses: ``NAME``, ``NAME_2`` and so on.
Weights of several synapses between two neurons are added; in chip arithmetic, whose integers are
clipped one by one, each is of another projection.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Network, Projection
from neurorl.network.synapse_list import SynapseList, repeats
from neurorl.numerics.arrays import FloatArray
from neurorl.validation.history import History

__all__ = ["MOST_PLACES", "has_room", "unlisted"]

Numbers = npt.NDArray[np.intp]

MOST_PLACES = 2**22
"""Lay lists into a population out up to this many places in matrices."""


@dataclass
class _Parts(History):
    """Hold a history whose writes are those of whole lists; whole: by the name of a part."""

    whole: Mapping[str, str] = field(default_factory=dict)

    @property
    def written(self) -> set[str]:
        names = super().written
        return {part for part, name in self.whole.items() if name in names}

    def version(self, name: str, writes: int) -> int:
        return super().version(self.whole[name], writes)


def has_room(network: Network, population: str) -> bool:
    """Return whether `unlisted` lays out the lists that lead to a population."""
    places = (
        network.node(p.pre).size * network.node(p.post).size * len(_parts(network, p, apart=True))
        for p in _lists(network, population)
    )
    return sum(places) <= MOST_PLACES


def unlisted(network: Network, history: History, population: str) -> tuple[Network, History]:
    """Return both without lists of synapses that lead to a population; the same if there are none.

    Weights are rounded and transmitted as those of the lists.
    """
    lists = [p.name for p in _lists(network, population)]
    if not lists or not has_room(network, population):
        return network, history
    projections: list[Projection] = []
    whole: dict[str, str] = {}
    laid_out = {"versions": dict(history.versions), "reported": dict(history.reported)}
    held = dict(history.held)
    for p in network.projections:
        if p.name not in lists:
            projections.append(p)
            whole[p.name] = p.name
            continue
        synapses = network.synapses(p.name)
        assert synapses is not None
        taken = {*(q.name for q in network.projections), *whole} - {p.name}
        parts = _parts(network, p, history.arithmetic.is_chip)
        for part, (delay, numbers) in zip(_names(p.name, taken), parts, strict=False):
            whole[part] = p.name
            projections.append(_dense(p, part, delay * network.dt, synapses, numbers))
            for key, of_backend in (("versions", history.versions), ("reported", history.reported)):
                listed = of_backend[p.name]
                laid_out[key][part] = [_matrix(synapses, numbers, w) for w in listed]
            if p.name in history.held:
                held[part] = _matrix(synapses, numbers, history.held[p.name])
    dense = Network(network.nodes, tuple(projections), network.dt)
    known = {f.name: getattr(history, f.name) for f in dataclasses.fields(History)}
    known |= {**laid_out, "held": held, "arithmetic": history.arithmetic.of_parts(dense, whole)}
    return dense, _Parts(**known, whole=whole)


def _lists(network: Network, population: str) -> list[Projection]:
    return [p for p in network.projections if p.post == population and p.is_sparse]


def _parts(network: Network, p: Projection, apart: bool) -> list[tuple[int, Numbers]]:
    """Return the synapses of each part by their numbers, with their delay in steps.

    apart: whether synapses between the same neurons are of different parts.
    """
    synapses, delays = network.synapses(p.name), network.synapse_delays(p.name)
    assert synapses is not None
    again = repeats(synapses.pre * np.int64(synapses.n_post) + synapses.post) * apart
    steps = np.full(len(synapses), network.delay_steps(p.name)) if delays is None else delays
    kinds = sorted({*zip(steps.tolist(), again.tolist(), strict=True)})
    return [(d, np.flatnonzero((steps == d) & (again == k))) for d, k in kinds]


def _names(name: str, taken: set[str]) -> Iterator[str]:
    """Yield names of parts, without end."""
    yield name
    tried = (f"{name}_{number}" for number in itertools.count(2))
    yield from (other for other in tried if other not in taken)


def _dense(
    p: Projection, name: str, delay: float, synapses: SynapseList, numbers: Numbers
) -> Projection:
    mask = _matrix(synapses, numbers, np.ones(len(synapses))) > 0
    kept = None if p.delay is None else delay
    return dataclasses.replace(p, name=name, connect=None, weights=0.0, mask=mask, delay=kept)


def _matrix(synapses: SynapseList, numbers: Numbers, values: FloatArray) -> FloatArray:
    matrix = np.zeros((synapses.n_pre, synapses.n_post))
    np.add.at(matrix, (synapses.pre[numbers], synapses.post[numbers]), values[numbers])
    return matrix
