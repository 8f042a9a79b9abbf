"""Read a network from a NIR graph."""

from __future__ import annotations

import itertools
import re
import warnings
from pathlib import Path

import numpy as np

from neurorl.errors import ArgumentError, UnsupportedError, check_name
from neurorl.models import LIF, CubaLIF
from neurorl.network.connectors import Synapses
from neurorl.network.description import Network, Neuron, Node, Population, Projection, Source
from neurorl.network.serialization import number
from neurorl.nir import discretise
from neurorl.nir.convolution import SparseMap
from neurorl.nir.discretise import NEVER
from neurorl.nir.graph import READOUTS, Drive, SpikingGraph, Term
from neurorl.nir.layout import Layout, restore, text_of
from neurorl.nir.package import DroppedWarning, NirObject, check_graph, read_graph
from neurorl.nir.write import FORM
from neurorl.numerics.arrays import FloatArray

RESETS = ("value", "subtract")


def from_nir(
    graph: NirObject,
    dt: float | None = None,
    *,
    discretisation: str | None = None,
    align: bool | None = None,
    reset: str = "value",
) -> Network:
    """Return the network of a NIR graph or file, for inference: Inputs become sources of spikes.

    dt: length of a step, seconds; files of `to_nir` have their own, others need it (snnTorch's
    exporter takes 1e-4). discretisation: ``'euler'`` (default) or ``'exponential'``.
    LIF, CubaLIF, IF and Threshold become populations; LI, CubaLI and I at the end of the graph
    become equations that never spike, with ``v`` as their value. Linear, Affine, Scale, Flatten and
    Delay become projections, Conv1d, Conv2d, SumPool2d and AvgPool2d lists of synapses. Voltages
    here are NIR's minus v_reset, and start at 0.

    align: True (the default for foreign files) gives the spikes of a simulator whose layers answer
    within a step; a layer k projections from the input spikes k steps later here. A projection that
    skips layers gets a longer delay, and the bias of an Affine node comes from a neuron ``clock``
    that begins with the layer. False (the default for our own files): each projection takes one
    step, and neurons have the bias.
    reset: ``'value'``, NIR's own meaning: a spike sets v to v_reset. ``'subtract'``: it subtracts
    the threshold from v, as most networks of snnTorch, Sinabs and Rockpool do, though their files
    don't say so; populations are then equations.
    Exact except for a cycle of several populations, which takes a step for each of them here (with
    a DroppedWarning), and a CubaLIF whose v_leak isn't v_reset, which drifts from step 0 on.

    Raises UnsupportedError naming what has no counterpart, DescriptionError for a graph that
    contradicts itself, ArgumentError for a file that can't be read or a *dt* that is missing.
    """
    if isinstance(graph, (str, Path)):
        graph = read_graph(Path(graph))
    if not (hasattr(graph, "nodes") and hasattr(graph, "edges")):
        raise ArgumentError("NIR", "not a graph or file", got=type(graph).__name__)
    check_graph(graph)
    metadata = getattr(graph, "metadata", None)
    metadata = dict(metadata) if isinstance(metadata, dict) else {}
    own = text_of(metadata.get("writer")) == "neurorl"
    if dt is None:
        if not (own and "dt" in metadata):
            remedy = "give dt, the step that the network was trained with"
            raise ArgumentError("NIR", "the graph has no time step", remedy=remedy)
        dt = metadata["dt"]
    chosen = discretisation or "euler"
    check_name("discretisation", chosen, discretise.DISCRETISATIONS)
    layout = Layout.of(metadata) if own else None
    restored = graph if layout is None else restore(graph, layout)
    check_name("NIR reset", reset, RESETS)
    reader = _Reader(SpikingGraph(restored), number("NIR dt", dt, 1e-12), chosen, reset)
    if align is None:
        align = not own or text_of(metadata.get("form")) == FORM
    return reader.network(align, text_of(metadata.get("order", "")))


class _Reader:
    """Read one graph; see `from_nir`."""

    def __init__(self, graph: SpikingGraph, dt: float, discretisation: str, reset: str) -> None:
        self._graph = graph
        self._subtracts = reset == "subtract"
        self._dt = dt
        self._discretisation = discretisation
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()
        for name in (*graph.sources, *graph.neurons):
            self._names[name] = self._fresh(name)

    def network(self, align: bool, order: str) -> Network:
        graph = self._graph
        drives = {name: graph.drive(name) for name in graph.neurons}
        late = self._levels(drives) if align else {}
        nodes: list[Node] = [Source(self._names[n], graph.width(n)) for n in graph.sources]
        projections: list[Projection] = []
        clocked: dict[str, FloatArray] = {}
        for name, drive in drives.items():
            gain, neuron, leak = self._neuron(name)
            bias = self._spread(name, gain * drive.constant)
            if align and isinstance(neuron, LIF):
                bias, leak = bias + leak, np.zeros_like(leak)
            if align and bias.any():
                clocked[name] = bias
                bias = np.zeros_like(bias)
            if bias.any() and isinstance(neuron, CubaLIF):
                what = "a bias that goes through the synapse's time constant"
                raise UnsupportedError(f"NIR node {name!r}", what, remedy="use align=True")
            nodes.append(self._population(name, neuron, bias + leak))
            projections += [self._projection(t, name, gain, late) for t in drive.terms]
        clocks, ticks = self._clocks({name: (late[name], c) for name, c in clocked.items()})
        rank = {name: k for k, name in enumerate(order.split())}
        place = lambda x: rank.get(x.name, len(rank))  # noqa: E731
        parts = sorted([*nodes, *clocks], key=place), sorted([*projections, *ticks], key=place)
        return Network(tuple(parts[0]), tuple(parts[1]), self._dt)

    def _neuron(self, name: str) -> tuple[FloatArray, Neuron, FloatArray]:
        """Return the input's gain, the neuron without bias, and the bias from its leak."""
        node, dt = self._graph.nodes[name], self._dt
        kind, n = type(node).__name__, self._graph.width(name)
        if kind == "Threshold":
            threshold = self._spread(name, node.threshold)
            return np.ones(n), LIF(0.0, _plain(threshold)), np.zeros(n)
        reset = self._spread(name, 0.0 if getattr(node, "v_reset", None) is None else node.v_reset)
        if reset.any() and self._subtracts:
            what, remedy = "a v_reset other than 0", "reset='value'"
            raise UnsupportedError(f"NIR node {name!r}, reset='subtract'", what, remedy=remedy)
        threshold = np.full(n, NEVER)
        if kind not in READOUTS:
            threshold = self._spread(name, node.v_threshold) - reset
        if kind in ("IF", "I"):
            gain = discretise.near_one(self._spread(name, node.r) * dt)
            tau_mem = _plain(discretise.tau_of(np.ones(n), dt))
            return gain, LIF(tau_mem, _plain(threshold)), np.zeros(n)
        keep, fraction = self._keep(name, node.tau if kind in ("LIF", "LI") else node.tau_mem)
        gain = discretise.near_one(self._spread(name, node.r) * fraction)
        leak = discretise.tidy(fraction * (self._spread(name, node.v_leak) - reset))
        tau_mem = _plain(discretise.tau_of(keep, dt))
        if kind in ("LIF", "LI"):
            return gain, LIF(tau_mem, _plain(threshold)), leak
        keep, fraction = self._keep(name, node.tau_syn)
        gain = gain * discretise.near_one(self._spread(name, node.w_in) * fraction)
        return gain, CubaLIF(_plain(discretise.tau_of(keep, dt)), tau_mem, _plain(threshold)), leak

    def _keep(self, name: str, tau: NirObject) -> tuple[FloatArray, FloatArray]:
        taus, how = self._spread(name, tau), self._discretisation
        keep, fraction = discretise.keep_and_fraction(taus, self._dt, how)
        where, what = f"NIR node {name!r}", "a time constant shorter than the step"
        if taus.min() < 0.0:
            raise UnsupportedError(where, "a time constant below 0", got=f"{taus.min():g} s")
        if not (np.isfinite(keep).all() and keep.min() >= 0.0):
            got, limit = f"{np.min(tau):g} s", f"{self._dt:g} s"
            remedy = "take the dt of its training, or discretisation='exponential'"
            raise UnsupportedError(where, what, got=got, limit=limit, remedy=remedy)
        return keep, fraction

    def _spread(self, name: str, value: object) -> FloatArray:
        shape, n = self._graph.shape(name), self._graph.width(name)
        array = np.asarray(value, dtype=np.float64)
        if array.ndim == len(shape) and 1 in array.shape and array.size > 1:
            fits = all(size in (1, full) for size, full in zip(array.shape, shape, strict=True))
            array = np.broadcast_to(array, shape) if fits else array
        array = array.ravel()
        if array.size not in (1, n):
            what = "inputs or parameters of another size"
            raise UnsupportedError(f"NIR node {name!r}", what, got=array.size, limit=n)
        return np.broadcast_to(array, (n,)).copy()

    def _population(self, name: str, neuron: Neuron, bias: FloatArray) -> Population:
        is_readout = type(self._graph.nodes[name]).__name__ in READOUTS
        if is_readout or self._subtracts:
            integrator = neuron.integrator(len(bias), self._dt)
            neuron = discretise.stepped(integrator, bias, subtracts=not is_readout)
            return Population(self._names[name], len(bias), neuron)
        parameters = {**vars(neuron), "bias": _plain(bias)}
        return Population(self._names[name], self._graph.width(name), type(neuron)(**parameters))

    def _projection(
        self, term: Term, post: str, gain: FloatArray, late: dict[str, int]
    ) -> Projection:
        pre, n = self._names[term.pre], self._graph.width(post)
        name = self._fresh(term.path[0] if len(term.path) == 1 else f"{pre}_{self._names[post]}")
        steps = max(1, late.get(post, 1) - late.get(term.pre, 0)) + self._whole_steps(term, post)
        delay = None if steps == 1 else steps * self._dt
        if len(term.weights) != n:
            what = "inputs of another size"
            raise UnsupportedError(f"NIR node {post!r}", what, got=len(term.weights), limit=n)
        if isinstance(term.weights, SparseMap):
            listed = term.weights.synapses
            connect, values = Synapses(listed.pre, listed.post), term.weights.values
            if not len(values):  # all zeros: a projection needs at least one synapse
                connect, values = Synapses([0], [0]), np.zeros(1)
            values = gain[connect.post] * values
            return Projection(name, pre, self._names[post], values, connect=connect, delay=delay)
        if term.weights.ndim == 1:  # neuron to neuron
            weights = (gain * term.weights).reshape(n, 1, 1)
            single = weights.reshape(1, 1) if n == 1 else weights
            return Projection(name, pre, self._names[post], single, blocks=n, delay=delay)
        weights = (gain[:, None] * term.weights).T
        mask = None if weights.all() else weights != 0
        return Projection(name, pre, self._names[post], weights, mask=mask, delay=delay)

    def _whole_steps(self, term: Term, post: str) -> int:
        steps = term.delay / self._dt
        if term.delay < 0 or abs(steps - round(steps)) > 1e-3:
            what = "a delay that is no whole number of steps"
            raise UnsupportedError(f"NIR node {post!r}, input", what, got=f"{term.delay:g} s")
        return round(steps)

    def _levels(self, drives: dict[str, Drive]) -> dict[str, int]:
        edges = [(t.pre, post) for post, drive in drives.items() for t in drive.terms]
        names = [*self._graph.sources, *self._graph.neurons]
        for cycle in discretise.cycles(names, edges):
            if len(cycle) > 1:
                told = f"NIR: the cycle of {', '.join(map(repr, sorted(cycle)))} takes a step for"
                told += " each of its populations; a simulator whose layers answer within a step"
                warnings.warn(f"{told} takes one", DroppedWarning, stacklevel=4)
        return discretise.levels(names, edges, self._graph.sources)

    def _clocks(
        self, wanted: dict[str, tuple[int, FloatArray]]
    ) -> tuple[list[Population], list[Projection]]:
        """Add neurons that spike in every step, each from a step after the previous one on."""
        clocks: list[Population] = []
        ticks: list[Projection] = []
        for k in range(max((level for level, _ in wanted.values()), default=0)):
            neuron = LIF(0.0, 0.5, bias=0.0 if clocks else 1.0)
            clocks.append(Population(self._fresh("clock"), 1, neuron))
            if k:
                pre, post = clocks[-2].name, clocks[-1].name
                ticks.append(Projection(self._fresh(f"{pre}_{post}"), pre, post, 1.0))
        for name, (level, constant) in wanted.items():
            pre, post = clocks[level - 1].name, self._names[name]
            ticks.append(Projection(self._fresh(f"{pre}_{post}"), pre, post, constant[None, :]))
        return clocks, ticks

    def _fresh(self, name: str) -> str:
        """Return a valid name that isn't taken, *name* itself if possible."""
        base = re.sub(r"[^A-Za-z0-9_]", "_", name)
        base = base if re.match(r"[A-Za-z]", base) else f"n{base}"
        names = itertools.chain([base], (f"{base}_{k}" for k in itertools.count(2)))
        fresh = next(name for name in names if name not in self._taken)
        self._taken.add(fresh)
        return fresh


def _plain(values: FloatArray) -> NirObject:
    """Return one number if all are equal."""
    return float(values[0]) if (values == values[0]).all() else values
