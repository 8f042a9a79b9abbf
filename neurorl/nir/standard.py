"""Write standard files, with a node for each population and projection, for any reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.models import CubaLIF
from neurorl.network.description import Population, Projection
from neurorl.network.limits import free_name
from neurorl.network.neuron import Integrator
from neurorl.nir.convolution import Kernel, Shape, find_convolution, window_node
from neurorl.nir.discretise import NEVER, keep_and_fraction, tidy
from neurorl.nir.layout import Layout, node_names
from neurorl.nir.package import NirObject
from neurorl.nir.parts import Parts
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData


class StandardWriter:
    """Write one network for readers with a step of *dt*.

    shapes: shapes of nodes that are images; see `neurorl.nir.write.to_nir`.
    """

    def __init__(
        self, nir: NirObject, parts: Parts, dt: float, shapes: Mapping[str, Shape]
    ) -> None:
        self._nir = nir
        self._parts = parts
        self._network = parts.network
        self._dt = dt
        named = self._network.populations, self._network.projections
        self._names = node_names(*([x.name for x in some] for some in named))
        self._layout = Layout(
            sources=[(s.name, s.size) for s in self._network.sources if s.name in parts.columns],
            names={node: ours for ours, node in self._names.items() if node != ours},
        )
        self._shapes = dict(shapes)
        self._windows = dict(self._find_windows())
        while flat := self._matrices_into() & {*self._shapes}:
            for name in flat:  # NIR has no node that turns a vector into an image
                del self._shapes[name]
            self._windows = dict(self._find_windows())
        self._nodes: PlainData = {}
        self._edges: list[tuple[str, str]] = []

    def graph(self) -> NirObject:
        """Return the network's graph. Raises UnsupportedError."""
        network, nir = self._network, self._nir
        if self._parts.width:
            only = next(iter(self._parts.columns)) if len(self._parts.columns) == 1 else ""
            self._nodes["input"] = nir.Input(np.array(self._shapes.get(only, (self._parts.width,))))
        affine: dict[str, FloatArray] = {}
        for population in network.populations:
            affine.update(self._add_population(population))
        for p in network.projections:
            if p.name not in self._parts.folded:
                self._add_projection(p, affine.get(p.name))
        for p in network.projections:
            if p.name in self._parts.folded:
                self._fold(p)
        self._add_output()
        order = [n.name for n in network.nodes] + [p.name for p in network.projections]
        lags = self._parts.lags() or {}
        of_last = {lags.get(name) for name in self._parts.last()}
        self._layout.lag = of_last.pop() if len(of_last) == 1 else None
        # Only our own reader uses the metadata.
        metadata = {"writer": "neurorl", "dt": self._dt, "discretisation": "euler"}
        metadata |= {"order": " ".join(order), **self._layout.metadata()}
        # Its type check refuses networks without a source; all types are given here anyway.
        return nir.NIRGraph(self._nodes, self._edges, metadata=metadata, type_check=False)

    def _find_windows(self) -> Iterator[tuple[str, Kernel]]:
        """Yield the projections between images that are convolutions."""
        for p in self._network.projections:
            alone = p.pre not in self._parts.columns or len(self._parts.columns) == 1
            if p.name in self._parts.lists and {p.pre, p.post} <= {*self._shapes} and alone:
                ends = self._shapes[p.pre], self._shapes[p.post]
                window = find_convolution(self._parts.lists[p.name], *ends)
                if window is not None:
                    yield p.name, window

    def _matrices_into(self) -> set[str]:
        """Return the populations into which a projection isn't a convolution."""
        return {p.post for p in self._network.projections if p.name not in self._windows}

    def _add_population(self, population: Population) -> dict[str, FloatArray]:
        """Add the neurons; return the bias that a projection must carry."""
        d, bias = self._parts.integrators[population.name], self._parts.bias[population.name]
        cuba = isinstance(population.neuron, CubaLIF) or bool(d.current_decay.any())
        into = [p for p in self._parts.into(population.name) if not self._parts.single(p)]
        carried = bool(bias.any()) and not cuba and bool(into)
        if carried and into[0].name in self._windows:
            of_channel = bias.reshape(self._shapes[population.name][0], -1)
            carried = bool((of_channel == of_channel[:, :1]).all())
        leak = np.zeros_like(bias) if carried else bias
        self._nodes[self._names[population.name]] = self._neuron(population.name, d, leak, cuba)
        return {into[0].name: bias} if carried else {}

    def _neuron(self, name: str, d: Integrator, bias: FloatArray, cuba: bool) -> NirObject:
        nir, dt = self._nir, self._dt
        forgets = d.membrane_decay < 1.0
        if not forgets.all() and (cuba or forgets.any() or bias.any()):
            what = "a membrane that keeps everything, with a synapse, a bias or others that forget"
            raise UnsupportedError(f"NIR, population {name!r}", what)
        if cuba and (d.current_decay == 1.0).any():
            raise UnsupportedError(f"NIR, population {name!r}", "a current that never decays")
        drives = any(p.pre == name for p in self._network.projections)
        silent = bool((d.threshold >= NEVER).all()) and not drives  # then its value is read
        fixed = {} if silent else {"v_threshold": d.threshold, "v_reset": np.zeros(len(bias))}
        if not forgets.all():
            kind, values = nir.I if silent else nir.IF, {"r": np.full(len(bias), 1 / dt)}
        else:
            tau, r = self._constants(d.membrane_decay)
            fixed["v_leak"] = _leak(bias, tau, dt)
            kind, values = nir.LI if silent else nir.LIF, {"tau": tau, "r": r}
            if cuba:
                tau_syn, w_in = self._constants(d.current_decay)
                kind = nir.CubaLI if silent else nir.CubaLIF
                values = {"tau_syn": tau_syn, "tau_mem": tau, "r": r, "w_in": w_in}
        shape = self._shapes.get(name, (len(bias),))
        return kind(**{key: np.reshape(value, shape) for key, value in (values | fixed).items()})

    def _constants(self, keep: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the time constant and resistance that make ``x <- keep x + i`` in Euler's step."""
        return self._dt / (1.0 - keep), 1.0 / (1.0 - keep)

    def _add_projection(self, p: Projection, bias: FloatArray | None) -> None:
        nir, node = self._nir, self._names[p.name]
        several = p.pre in self._parts.columns and len(self._parts.columns) > 1
        if several:
            self._layout.pre[node] = p.pre
        if self._parts.single(p) and not several:
            self._nodes[node] = nir.Scale(self._parts.sent[p.name].ravel())
        elif p.name in self._windows:
            channels = len(self._windows[p.name].kernel)
            of_channel = None if bias is None else bias.reshape(channels, -1)[:, 0]
            self._nodes[node] = window_node(nir, self._windows[p.name], of_channel)
        else:
            matrix = self._parts.matrix(p)
            self._nodes[node] = nir.Linear(matrix) if bias is None else nir.Affine(matrix, bias)
            if self._parts.single(p):
                self._layout.scaled.append(node)
        pre = "input" if p.pre in self._parts.columns else self._names[p.pre]
        steps = self._network.delay_steps(p.name)
        if steps > 1:
            size = self._parts.width if pre == "input" else self._network.node(p.pre).size
            late = np.full(self._shapes.get(p.pre, (size,)), (steps - 1) * self._dt)
            pre = self._add_behind(pre, f"{p.name}_delay", nir.Delay(late))
        if len(self._shapes.get(p.pre, ())) > 1 and p.name not in self._windows:
            flat = nir.Flatten(np.array(self._shapes[p.pre]), 0, -1)
            pre = self._add_behind(pre, f"{p.name}_flat", flat)
        self._edges += [(pre, node), (node, self._names[p.post])]

    def _fold(self, p: Projection) -> None:
        """Put a bias on a projection into its population that has none, or on a new one."""
        nir, added = self._nir, self._parts.added(p.name)
        into = [self._names[other.name] for other in self._parts.into(p.post)]
        free = [name for name in into if type(self._nodes[name]) is nir.Linear]
        node = self._names[p.name]
        if free:
            carrier = free[0]
            self._nodes[carrier] = nir.Affine(self._nodes[carrier].weight, added)
        else:
            carrier = node
            self._nodes[node] = nir.Affine(np.zeros((len(added), self._parts.width)), added)
            self._edges += [("input", node), (node, self._names[p.post])]
        delay = (self._network.delay_steps(p.name) - 1) * self._dt
        self._layout.folded[node] = (p.pre, self._names[p.post], carrier, delay)

    def _add_output(self) -> None:
        """Connect the last populations to the output, several by a matrix of zeros and ones."""
        last = self._parts.last()
        if not last:
            return
        sizes = [self._network.node(name).size for name in last]
        self._nodes["output"] = self._nir.Output(np.array([sum(sizes)]))
        if len(last) == 1:
            self._edges.append((self._names[last[0]], "output"))
            return
        for k, name in enumerate(last):
            places = self._nir.Linear(np.eye(sum(sizes))[:, sum(sizes[:k]) : sum(sizes[: k + 1])])
            node = self._add_behind(self._names[name], f"output_{name}", places)
            self._edges.append((node, "output"))
            self._layout.readouts.append(node)

    def _add_behind(self, pre: str, name: str, node: NirObject) -> str:
        """Add a node behind another, and return its name: this one, if it is free."""
        free = free_name(name, {*self._nodes, *self._names, *self._names.values()})
        self._nodes[free] = node
        self._edges.append((pre, free))
        return free


def _leak(bias: FloatArray, tau: FloatArray, dt: float) -> FloatArray:
    """Return the v_leak that is read back as *bias*, in every bit if a neighbouring float is."""
    _, fraction = keep_and_fraction(tau, dt, "euler")
    best = bias / fraction
    low, high = np.nextafter(best, -np.inf), np.nextafter(best, np.inf)
    # The quotient times *fraction* may round to a neighbour of *bias*.
    for other in (low, high):
        right = (tidy(fraction * best) == bias) | (tidy(fraction * other) != bias)
        best = np.where(right, best, other)
    return best
