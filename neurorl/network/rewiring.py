"""Change which neurons a projection's list of synapses connects, and know where each was before.

Synapses with their delays are *wires*: an array ``(3, n)`` of presynaptic neurons, postsynaptic
neurons and delays in steps, in the order of the projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, UnsupportedError, quoted
from neurorl.network.connectors import Connector, Ends, Sparse, Synapses, check_count
from neurorl.network.description import Network
from neurorl.network.initial_weights import initial_weights
from neurorl.network.plasticity import Normal, Uniform
from neurorl.network.serialization import positive
from neurorl.numerics.arrays import Array, BoolArray, FloatArray, IntArray
from neurorl.numerics.random import Stream, derive, uniforms_at


def wires_of(network: Network, name: str) -> IntArray:
    """Return the wires of a projection. Raises UnsupportedError if it has no list."""
    synapses = network.synapses(name)
    if synapses is None:
        what, remedy = "isn't a list of synapses", "connect=, such as FixedProbability(1.0)"
        raise UnsupportedError(f"projection {name!r}", what, remedy=remedy)
    return np.stack([synapses.pre, synapses.post, network.synapse_steps(name)])


def rewired(network: Network, name: str, wires: IntArray) -> Network:
    """Return the network with these wires in place of a projection's.

    Initial weights keep their range alone, on which the grid of weights may depend.
    """
    p, (pre, post, steps) = network.projection(name), wires
    weights, delay = p.weights, steps * network.dt
    if isinstance(weights, np.ndarray) and weights.ndim:
        weights = Uniform(weights.min(initial=0.0), weights.max(initial=0.0))
    if not p.has_delays and (steps == network.delay_steps(name)).all():
        delay = p.delay
    connect = Synapses(pre, post, multapses=bool(_again(wires).any()))
    changed = replace(p, weights=weights, delay=delay, connect=connect)
    projections = tuple(changed if q is p else q for q in network.projections)
    return replace(network, projections=projections)


@dataclass(frozen=True, eq=False)
class Rewiring:
    """Hold a projection's wires as they shall be.

    before: where each was in the list before, -1 of a new one. weights: of the new ones,
    ``(n_replicas or 1, n)``.
    """

    wires: IntArray
    before: IntArray
    weights: FloatArray

    def carry(self, old: Array, to: Array) -> None:
        """Write the values of synapses that were there before, ``(..., n)``, to where they are."""
        stays = self.before >= 0
        to[..., stays] = old[..., self.before[stays]]

    def all_weights(self, old: FloatArray) -> FloatArray:
        """Return the weights of all, given those of before, of replicas in rows."""
        weights = np.zeros((len(old), len(self.before)))
        weights[:, self.before < 0] = self.weights
        self.carry(old, weights)
        return weights


@dataclass(frozen=True, eq=False)
class Growth:
    """Describe synapses that a projection gets beside those that it has.

    to: `Synapses` to add, or another sparse connector, among whose pairs *n* are drawn that had
    none, by default as many as go. weights, delay: as of `Projection`; delay None is that of all.
    """

    to: Connector
    n: int | None
    weights: float | npt.ArrayLike | Uniform
    delay: float | npt.ArrayLike | Uniform | Normal | None

    def made(
        self, network: Network, name: str, where: npt.ArrayLike | None, t: int, seeds: Sequence[int]
    ) -> Rewiring:
        """Return a projection without the synapses *where* that is true, and with these.

        t: the step, and seeds: of replicas, which key draws.
        """
        p, old = network.projection(name), wires_of(network, name)
        goes = _mask(name, where, old.shape[1])
        sizes = network.node(p.pre).size, network.node(p.post).size
        ends = Ends(f"{name}_at_{t}", *sizes, p.pre == p.post)
        pairs, delay = self._pairs(ends, goes, old), self.delay
        if delay is None and not p.has_delays:
            delay = p.delay
        elif delay is None and len(pairs.pre):
            what, remedy = "synapses have delays of their own", "delay= of the new ones"
            raise ArgumentError(f"rewire, delay of {name!r}", what, remedy=remedy)
        more: dict[str, Any] = {"weights": self.weights, "connect": pairs, "delay": delay}
        nodes = tuple(x for x in network.nodes if x.name in (p.pre, p.post))
        alone = Network(nodes, (replace(p, name=ends.name, **more),), network.dt)
        weights = [initial_weights(alone, ends.name, derive(seed, t)) for seed in seeds]
        stays, new = np.flatnonzero(~goes), wires_of(alone, ends.name)
        wires = np.concatenate([old[:, stays], new], axis=1)
        order = np.lexsort((wires[1], wires[0]))
        before = np.append(stays, np.full(new.shape[1], -1))[order]
        self._check_twice(wires[:, order], before)
        return Rewiring(wires[:, order], before, np.stack(weights))

    def _check_twice(self, wires: IntArray, before: IntArray) -> None:
        """Refuse a new synapse of the neurons of another."""
        twice = np.flatnonzero(_again(wires) & ((before[1:] < 0) | (before[:-1] < 0)))
        if len(twice) and not getattr(self.to, "multapses", False):
            pair = " to ".join(map(str, wires[:2, twice[0]]))
            what, remedy = "two synapses of the same neurons", "multapses=True"
            raise ArgumentError("rewire, to", what, got=pair, remedy=remedy)

    def _pairs(self, ends: Ends, goes: BoolArray, old: IntArray) -> Synapses:
        """Return the pairs of new synapses: those listed, or as many as are wanted, by chance."""
        to, n = self.to, int(goes.sum()) if self.n is None else positive("rewire, n", self.n)
        if isinstance(to, Synapses):
            if self.n not in (None, len(to.pre)):
                raise ArgumentError("rewire, n", "is for pairs by chance", remedy="leave it out")
            return to
        if not isinstance(to, Sparse):
            what, remedy = "makes no list", "Synapses(pre, post), or FixedProbability(p)"
            raise ArgumentError("rewire, to", what, got=quoted(to), remedy=remedy)
        check_count(to, ends)
        made = to.make(ends)
        places = made.pre * np.int64(ends.n_post) + made.post
        free = np.setdiff1d(places, old[0] * ends.n_post + old[1])
        if len(free) < n:
            what, remedy = "too few pairs without a synapse", "a connector of more pairs"
            raise ArgumentError("rewire, to", what, got=len(free), limit=n, remedy=remedy)
        draws = uniforms_at(ends.seed(getattr(to, "seed", 0)), Stream.PLACES, free, 1)
        taken = np.sort(free[np.argsort(draws, kind="stable")[:n]])
        return Synapses(*np.divmod(taken, ends.n_post))


def _mask(name: str, where: npt.ArrayLike | None, n: int) -> BoolArray:
    """Return which of *n* synapses are meant, none by None. Raises ArgumentError for no mask."""
    mask = np.zeros(n, dtype=np.bool_) if where is None else np.asarray(where)
    if mask.dtype != np.bool_ or mask.shape != (n,):
        got, limit = f"{mask.dtype}, shape {mask.shape}", f"one boolean for each synapse, ({n},)"
        remedy = "such as weights < 0.1; replicas have one mask"
        raise ArgumentError(f"where, {name!r}", "no mask", got=got, limit=limit, remedy=remedy)
    return mask


def _again(wires: IntArray) -> BoolArray:
    """Return which wires but the first connect the neurons of the one before."""
    return np.asarray((np.diff(wires[:2], axis=1) == 0).all(axis=0))
