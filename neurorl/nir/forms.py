"""Bring networks into the two forms that simulators without a step per layer play exactly.

In these simulators a projection takes no step, except one from a population to itself, which takes
one. So the forms are
- **a chain**: input, layer, layer, ..., each with or without a loop: a layer that our spikes reach
  in k steps answers k steps earlier;
- **one population**: all neurons together, with one matrix from all to all: every projection inside
  takes one step, as here, and all neurons answer earlier by the steps from the input. A last matrix
  of zeros and ones picks the neurons of the output.
In both, a bias acts from a layer's first step on. A network with other biases has neither form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorl.network.description import Projection
from neurorl.nir.parts import Parts
from neurorl.numerics.arrays import FloatArray


class NoFormError(Exception):
    """Say why a network doesn't have a form."""


@dataclass(frozen=True)
class RecurrentLayer:
    """Hold neurons, ``(n,)`` each, their input matrix, ``(n, n_in)``, and loop, ``(n, n)``, if any.

    name: the population's name; None for all together.
    """

    name: str | None
    current_decay: FloatArray
    membrane_decay: FloatArray
    threshold: FloatArray
    weights: FloatArray
    bias: FloatArray
    loop: FloatArray | None


@dataclass(frozen=True)
class Form:
    """Hold a network in one of the two forms.

    layers: layers from the input on. pick: output neurons of the last layer, all if None.
    lag: by how many steps output spikes come earlier than here. lead: silent steps that must
    precede the input, which delay spikes again.
    """

    layers: tuple[RecurrentLayer, ...]
    pick: tuple[int, ...] | None
    lag: int
    lead: int


def chain(parts: Parts) -> Form:
    """Return the network as a chain of layers. Raises UnfitError."""
    lags = parts.lags()
    order: list[str] = []
    before = set(parts.columns)
    while len(order) < len(parts.integrators):
        nexts = {
            p.post
            for name in parts.integrators
            for p in parts.into(name)
            if p.pre in before and p.pre != p.post
        }
        if len(nexts) != 1 or (name := nexts.pop()) in order:
            raise NoFormError("its populations are no chain")
        if any(p.pre not in before and p.pre != name for p in parts.into(name)):
            raise NoFormError("its populations are no chain")
        order.append(name)
        before = {name}
    if lags is None:
        raise NoFormError("delays of several lengths on ways to one population")
    for p in parts.network.projections:
        if p.pre == p.post and parts.network.delay_steps(p.name) > 1:
            raise NoFormError(f"the loop {p.name!r} takes more than a step")
    layers = tuple(_layer(parts, name) for name in order)
    return Form(layers, None, lags[order[-1]], _lead(parts, lags))


def one_population(parts: Parts) -> Form:
    """Return the network as one population with a loop. Raises UnfitError."""
    network = parts.network
    inputs = [p for p in network.projections if p.pre in parts.columns]
    inner = [p for p in network.projections if p.pre in parts.integrators]
    delays = {network.delay_steps(p.name) for p in inputs}
    if len(delays) > 1:
        raise NoFormError("delays of several lengths from the input")
    late = [p.name for p in inner if network.delay_steps(p.name) > 1]
    if late:
        names = ", ".join(map(repr, late))
        raise NoFormError(f"delays of more than a step between populations: {names}")
    lag = delays.pop() if delays else 1
    sizes = np.cumsum([0, *(p.size for p in network.populations)])
    places = {
        p.name: slice(int(low), int(high))
        for p, low, high in zip(network.populations, sizes[:-1], sizes[1:], strict=True)
    }
    n = int(sizes[-1])
    weights, loop = np.zeros((n, parts.width)), np.zeros((n, n))
    for p in inputs:
        weights[places[p.post]] += parts.matrix(p)
    for p in inner:
        loop[places[p.post], places[p.pre]] += parts.matrix(p)
    together = {
        field: np.concatenate([getattr(parts.integrators[name], field) for name in places])
        for field in ("current_decay", "membrane_decay", "threshold")
    }
    bias = np.concatenate([_bias(parts, name) for name in places])
    layer = RecurrentLayer(
        None, **together, weights=weights, bias=bias, loop=loop if inner else None
    )
    pick = tuple(int(i) for name in parts.last() for i in np.arange(n)[places[name]])
    lead = _lead(parts, dict.fromkeys(places, lag))
    return Form((layer,), None if pick == tuple(range(n)) else pick, lag, lead)


def _layer(parts: Parts, name: str) -> RecurrentLayer:
    d = parts.integrators[name]
    ahead = [p for p in parts.into(name) if p.pre != name]
    loops = [p for p in parts.into(name) if p.pre == name]
    return RecurrentLayer(
        name,
        d.current_decay,
        d.membrane_decay,
        d.threshold,
        _sum(parts, ahead),
        _bias(parts, name),
        _sum(parts, loops) if loops else None,
    )


def _sum(parts: Parts, projections: list[Projection]) -> FloatArray:
    """Add all matrices into one; exact, as weights are on a grid."""
    return np.asarray(sum(parts.matrix(p) for p in projections), dtype=np.float64)


def _bias(parts: Parts, name: str) -> FloatArray:
    bias = parts.bias[name].copy()
    for p in parts.network.projections:
        if p.name in parts.folded and p.post == name:
            bias += parts.added(p.name)
    return bias


def _lead(parts: Parts, lags: dict[str, int]) -> int:
    """Return the silent steps after which every bias begins with its layer."""
    wanted: dict[int, list[str]] = {}
    for name, bias in parts.bias.items():
        if not bias.any():
            continue
        if parts.integrators[name].current_decay[bias != 0].any():
            raise NoFormError(f"the bias of {name!r}, which doesn't go through its current")
        wanted.setdefault(lags[name], []).append(f"that of {name!r}")
    for p in parts.network.projections:
        if p.name in parts.folded and parts.added(p.name).any():
            lead = lags[p.post] - parts.network.delay_steps(p.name)
            wanted.setdefault(lead, []).append(repr(p.name))
    if len(wanted) > 1 or min(wanted, default=0) < 0:
        names = ", ".join(name for _, names in sorted(wanted.items()) for name in names)
        raise NoFormError(f"biases that begin in other steps than their layers: {names}")
    return next(iter(wanted), 0)
