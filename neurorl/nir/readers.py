"""Describe simulators that read NIR files: how each reads a node, and what it can't hold.

Each was read and tried; docs/nir.md has the findings, tests/witness/test_nir_readers.py plays
our files in all of them.

Networks are brought into one of two forms that simulators without a step per layer play exactly.
In these a projection takes no step, except one from a population to itself, which takes one. So
the forms are
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

from neurorl.errors import ArgumentError, UnsupportedError, check_name
from neurorl.network.description import Projection
from neurorl.nir.package import NirObject
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
    """Return the network as a chain of layers. Raises NoFormError."""
    lags = parts.lags()
    order: list[str] = []
    before = set(parts.columns)
    while len(order) < len(parts.integrators):
        into = (p for name in parts.integrators for p in parts.into(name))
        nexts = {p.post for p in into if p.pre in before and p.pre != p.post}
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
    """Return the network as one population with a loop. Raises NoFormError."""
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
    ends = zip(network.populations, sizes[:-1], sizes[1:], strict=True)
    places = {p.name: slice(int(low), int(high)) for p, low, high in ends}
    n = int(sizes[-1])
    weights, loop = np.zeros((n, parts.width)), np.zeros((n, n))
    for p in inputs:
        weights[places[p.post]] += parts.matrix(p)
    for p in inner:
        loop[places[p.post], places[p.pre]] += parts.matrix(p)
    every = [parts.integrators[name] for name in places]
    together = {x: np.concatenate([getattr(d, x) for d in every]) for x in _PARAMETERS}
    bias = np.concatenate([_bias(parts, name) for name in places])
    lasting = loop if inner else None
    layer = RecurrentLayer(None, **together, weights=weights, bias=bias, loop=lasting)
    pick = tuple(int(i) for name in parts.last() for i in np.arange(n)[places[name]])
    lead = _lead(parts, dict.fromkeys(places, lag))
    return Form((layer,), None if pick == tuple(range(n)) else pick, lag, lead)


def _layer(parts: Parts, name: str) -> RecurrentLayer:
    d = parts.integrators[name]
    ahead = [p for p in parts.into(name) if p.pre != name]
    loops = [p for p in parts.into(name) if p.pre == name]
    loop, own = _sum(parts, loops) if loops else None, {x: getattr(d, x) for x in _PARAMETERS}
    weights, bias = _sum(parts, ahead), _bias(parts, name)
    return RecurrentLayer(name, **own, weights=weights, bias=bias, loop=loop)


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


_PARAMETERS = {
    "current_decay": "synaptic time constants",
    "threshold": "thresholds",
    "membrane_decay": "membrane time constants",
}


@dataclass(frozen=True)
class Reader:
    """Describe how one library reads NIR.

    name: name of the library. dt: its default step, s. dt_is_fixed: whether users can't change it.
    single: whether it computes in float32; False if you make it compute in float64.
    spikes_at_threshold: whether it spikes at ``v >= threshold``, not at ``v > threshold``.
    one_of_a_layer: parameters that all neurons of a layer share. least_threshold: the lowest one.
    has_r: whether it multiplies a LIF's input by r; else the weights must include it.
    has_lif: whether a LIF is as exact as a CubaLIF without memory in its current.
    has_if: whether it has integrators without a leak.
    has_loop: whether it reads a matrix from neurons to themselves correctly.
    """

    name: str
    dt: float
    dt_is_fixed: bool = False
    single: bool = True
    spikes_at_threshold: bool = False
    one_of_a_layer: tuple[str, ...] = ()
    least_threshold: float = -np.inf
    has_r: bool = True
    has_lif: bool = True
    has_if: bool = True
    has_loop: bool = True

    def step(self, dt: float | None) -> float:
        """Return the step to read with. Raises ArgumentError if the user's *dt* is impossible."""
        if dt is None or dt == self.dt:
            return self.dt
        if self.dt_is_fixed:
            raise ArgumentError(f"NIR for {self.name}, dt", "is fixed", got=dt, limit=self.dt)
        return dt

    def form(self, parts: Parts) -> tuple[Form | None, tuple[str, ...]]:
        """Return the first form that is exact for this network, or why there is none."""
        reasons: list[str] = []
        if not parts.columns or not parts.integrators:
            return None, ("no source of spikes, or no population",)
        for title, make in (("as a chain", chain), ("as one population", one_population)):
            try:
                form = make(parts)
            except NoFormError as exc:
                reasons.append(f"{title}: {exc}")
                continue
            against = [line for layer in form.layers for line in self._against(layer)]
            if not against:
                return form, ()
            reasons.append(f"{title}: {', '.join(dict.fromkeys(against))}")
        return None, tuple(reasons)

    def nodes(
        self, nir: NirObject, layer: RecurrentLayer, dt: float
    ) -> tuple[NirObject, FloatArray]:
        """Return a layer's neurons, and the factor ``(n,)`` of their inputs."""
        n = len(layer.threshold)
        zeros, ones = np.zeros(n), np.ones(n)
        fixed = {"v_threshold": self.threshold(layer.threshold), "v_reset": zeros}
        if _keeps_all(layer):
            return nir.IF(r=np.full(n, 1 / dt if self.has_r else 1.0), **fixed), ones
        fixed["v_leak"] = zeros
        fraction = 1.0 - layer.membrane_decay
        tau = self.tau(fraction, dt)
        if self.has_lif and not layer.current_decay.any():
            r, gain = (1.0 / fraction, ones) if self.has_r else (ones, 1.0 / fraction)
            return nir.LIF(tau=tau, r=r, **fixed), gain
        of_current = 1.0 - layer.current_decay
        tau_syn = self.tau(of_current, dt)
        w_in, r = 1.0 / of_current, 1.0 / fraction
        return nir.CubaLIF(tau_syn=tau_syn, tau_mem=tau, r=r, w_in=w_in, **fixed), ones

    def tau(self, fraction: FloatArray, dt: float) -> FloatArray:
        """Return the time constant (s) for which its step forgets *fraction*."""
        return dt / fraction

    def threshold(self, threshold: FloatArray) -> FloatArray:
        """Return the threshold with which it spikes strictly above *threshold*, as ours does."""
        if not self.single:
            return np.nextafter(threshold, np.inf) if self.spikes_at_threshold else threshold
        # In float32: the largest number not above *threshold*, or for >= the next one.
        near = threshold.astype(np.float32)
        below = np.where(near > threshold, np.nextafter(near, np.float32(-np.inf)), near)
        if self.spikes_at_threshold:
            below = np.nextafter(below, np.float32(np.inf))
        return below.astype(np.float64)

    def _against(self, layer: RecurrentLayer) -> list[str]:
        name = "the neurons" if layer.name is None else repr(layer.name)
        differing = [x for x in self.one_of_a_layer if np.ptp(getattr(layer, x)) > 0]
        reasons = [f"{_PARAMETERS[field]} differ in {name}" for field in differing]
        if layer.threshold.min() < self.least_threshold:
            reasons.append(f"thresholds of {name} are below {self.least_threshold:g}")
        if (layer.current_decay == 1.0).any():
            reasons.append(f"a current of {name} never decays")
        if (layer.membrane_decay == 1.0).any():
            if not _keeps_all(layer):
                what = "keep everything, and have a current or a neighbour that doesn't"
                reasons.append(f"some membranes of {name} {what}")
            elif not self.has_if:
                reasons.append(f"membranes of {name} keep everything")
        return reasons


class _Norse(Reader):
    """Describe Norse, which computes ``dt * (1 / tau)`` in float32; see `tau`."""

    def tau(self, fraction: FloatArray, dt: float) -> FloatArray:
        """Return the float32 number whose step is nearest to *fraction*."""
        step, one = np.float32(dt), np.float32(1.0)
        first = (dt / fraction).astype(np.float32)
        best, error = first, np.full(fraction.shape, np.inf)
        for way in (np.float32(-np.inf), np.float32(np.inf)):
            tau = first
            # Quotient and product are rounded, so a neighbour of dt / fraction may be nearer.
            for _ in range(4):
                off = np.abs((step * (one / tau)).astype(np.float64) - fraction)
                best, error = np.where(off < error, tau, best), np.minimum(off, error)
                tau = np.nextafter(tau, way)
        return best.astype(np.float64)


def _keeps_all(layer: RecurrentLayer) -> bool:
    return bool((layer.membrane_decay == 1.0).all() and not layer.current_decay.any())


SNNTORCH = Reader(
    "snntorch",
    dt=1e-4,
    dt_is_fixed=True,
    one_of_a_layer=("threshold",),
    least_threshold=0.0,
    has_if=False,
    has_loop=False,
)
_EACH = ("current_decay", "membrane_decay", "threshold")
SPIKINGJELLY = Reader(
    "spikingjelly", dt=1e-4, spikes_at_threshold=True, one_of_a_layer=_EACH, has_lif=False
)
NORSE = _Norse("norse", dt=1e-3, has_r=False)
READERS = {reader.name: reader for reader in (SNNTORCH, SPIKINGJELLY, NORSE)}


_SUBTRACT = (
    "its importer makes neurons that a spike takes the threshold from, which NIR doesn't mean"
)
_REFUSED = {
    "sinabs": (
        f"{_SUBTRACT}, and that spike several times a step",
        "reader=None, and spike_fn=SingleSpike, reset_fn=MembraneReset(), min_v_mem=None there",
    ),
    "rockpool": (f"{_SUBTRACT}, with a step of tau_mem/(1 + r)", "reader=None, for others"),
}
"""Name the libraries whose importers can't play NIR's neurons, with reasons and remedies."""


def find_reader(reader: str | Reader) -> Reader:
    """Return the reader of this name. Raises UnknownNameError, UnsupportedError with the reason."""
    if isinstance(reader, Reader):
        return reader
    if reader in _REFUSED:
        what, remedy = _REFUSED[reader]
        raise UnsupportedError(f"NIR for {reader}", what, remedy=remedy)
    check_name("NIR reader", reader, READERS)
    return READERS[reader]
