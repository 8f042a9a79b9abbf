"""Describe a spiking network: sources, populations of neurons, and projections between them.

Nothing here simulates. All numbers are in SI units (seconds) or in the units of the neuron's
membrane variable, which is dimensionless.

**Order inside a step of length** ``dt``, the same on every backend: spikes of earlier steps arrive
-> current -> membrane -> refractory -> spike -> reset. A projection of spikes takes at least one
step, so a network of L layers needs a window of at least L + 1 steps to answer; a source of
currents or values acts in the same step, which saves one.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from neurorl.errors import DescriptionError, check_name, quoted, unknown_name_error
from neurorl.network.limits import (
    MAX_PARTS,
    MAX_REMEMBERED,
    MAX_SIZE,
    MAX_SYNAPSES,
    check_delays,
    check_identifier,
    check_limit,
    check_names,
)
from neurorl.network.neuron import Integrator, StepPlan, integrator_of
from neurorl.network.neuron import Neuron as Neuron
from neurorl.network.plasticity import Normal as Normal
from neurorl.network.plasticity import Plasticity as Plasticity
from neurorl.network.plasticity import TsodyksMarkram as TsodyksMarkram
from neurorl.network.plasticity import Uniform as Uniform
from neurorl.network.plasticity import check_drawn, most_steps
from neurorl.network.projection import Projection as Projection
from neurorl.network.serialization import Described, number, positive, several
from neurorl.network.synapse_list import SynapseList
from neurorl.numerics.arrays import Array, Int32Array, IntArray

SOURCE_KINDS = ("spikes", "current", "values")
CURRENT_GRID = 2.0**-8
"""Round activations of current sources to this grid, so that sums with weights stay exact."""

_DT = (1e-12, 1e6)


@dataclass(frozen=True, eq=False)
class Source(Described):
    """Describe input from outside.

    name: unique in the network. size: number of channels, at least 1.
    kind: ``'spikes'``, a raster ``(steps, size)``, or ``'current'``, constant for a window:
        activations x in [0, 1], ``(size,)``, add ``c_j = sum_i x_i w_ij`` to the bias of neuron j
        in every step. They are multiples of `CURRENT_GRID`. Or ``'values'``, numbers of any range
        for each step, ``(steps, size)``, which add ``sum_i x_i w_ij`` to an input in that step, as
        spikes do; rounded to `neurorl.arithmetic.values.VALUE_BITS` bits of the largest of a step.
    """

    name: str
    size: int
    kind: str = "spikes"
    _added = ("kind",)

    def __post_init__(self) -> None:
        check_identifier(f"{type(self).__name__}.name", self.name)
        size = positive(f"Source {self.name!r}.size", self.size, most=MAX_SIZE)
        object.__setattr__(self, "size", size)
        check_name("kind of source", self.kind, SOURCE_KINDS)


@dataclass(frozen=True, eq=False)
class Population(Described):
    """Describe *size* neurons of one model.

    neuron: the model; its parameters are numbers, or arrays of shape ``(size,)``.
    Raises DescriptionError if they are of another shape or out of range.
    """

    name: str
    size: int
    neuron: Neuron

    def __post_init__(self) -> None:
        check_identifier(f"{type(self).__name__}.name", self.name)
        where = f"Population {self.name!r}"
        object.__setattr__(self, "size", positive(f"{where}.size", self.size, most=MAX_SIZE))
        if not isinstance(self.neuron, Neuron):
            raise DescriptionError(f"{where}.neuron", "not a neuron model", got=self.neuron)
        try:
            plan = self.plan(1e-3)
        except DescriptionError as exc:
            raise DescriptionError(f"{where}: {exc}") from exc
        if not isinstance(plan, StepPlan):
            got = type(plan).__name__
            raise DescriptionError(f"{where}.neuron", "plan() of no StepPlan", got=got)
        if plan.bias is not None and integrator_of(plan) is None:
            what, remedy = "a bias in statements that are no Integrator's", "add it to an input"
            raise DescriptionError(f"{where}.neuron", what, remedy=remedy)

    def plan(self, dt: float) -> StepPlan:
        """Return the statements of its neurons for a step of *dt* seconds."""
        return self.neuron.plan(self.size, dt)

    def integrator(self, dt: float) -> Integrator:
        """Return the parameters of LIF, CubaLIF and GLM; raise UnsupportedError for others."""
        return self.neuron.integrator(self.size, dt)

    def is_integrator(self, dt: float) -> bool:
        """Return whether its neurons are `Integrator`, the neuron of chips and other simulators."""
        return integrator_of(self.plan(dt)) is not None

    def variables(self, dt: float) -> tuple[str, ...]:
        """Return the variables of its state by name; last the refractory steps left."""
        own = ("current", "voltage") if self.is_integrator(dt) else tuple(self.plan(dt).initial)
        return (*own, "refractory")

    def is_noisy(self, dt: float) -> bool:
        """Return whether a neuron has escape noise."""
        return self.plan(dt).is_noisy


Node = Source | Population


@dataclass(frozen=True, eq=False)
class Network(Described):
    """Hold nodes, the projections between them, and the length of a step.

    dt: seconds. Raises DescriptionError for names used twice or missing, sizes that blocks don't
    divide, weights of the wrong shape, or delays that aren't whole steps.
    """

    nodes: tuple[Node, ...]
    projections: tuple[Projection, ...] = ()
    dt: float = 1e-3

    def __post_init__(self) -> None:
        for name, kinds in (("nodes", (Source, Population)), ("projections", (Projection,))):
            parts = several(f"Network.{name}", getattr(self, name))
            for part in parts:
                if not isinstance(part, kinds):
                    limit = " or ".join(kind.__name__ for kind in kinds)
                    where, got = f"Network.{name}", quoted(part)
                    raise DescriptionError(where, "of another type", got=got, limit=limit)
            object.__setattr__(self, name, parts)
        sizes = {node.name: node.size for node in self.nodes}
        projections = (
            p.resolved(sizes[p.pre], sizes[p.post]) if {p.pre, p.post} <= {*sizes} else p
            for p in self.projections
        )
        object.__setattr__(self, "projections", tuple(projections))
        if number("Network.dt", self.dt) <= 0:
            raise DescriptionError("Network.dt", "must be positive", got=self.dt, limit="> 0")
        number("Network.dt", self.dt, *_DT)
        check_limit("Network", "nodes", len(self.nodes), MAX_PARTS)
        check_limit("Network", "projections", len(self.projections), MAX_PARTS)
        check_names("Network", [part.name for part in (*self.nodes, *self.projections)])
        for projection in self.projections:
            self._check_projection(projection)
        self._check_sizes()

    @functools.cached_property
    def _index(self) -> dict[str, int]:
        return {node.name: k for k, node in enumerate(self.nodes)}

    @property
    def sources(self) -> tuple[Source, ...]:
        """Return the sources, in order."""
        return tuple(node for node in self.nodes if isinstance(node, Source))

    @functools.cached_property
    def currents(self) -> frozenset[str]:
        """Return the names of the sources of currents."""
        return frozenset(source.name for source in self.sources if source.kind == "current")

    @functools.cached_property
    def analog(self) -> Mapping[str, str]:
        """Return the sources that don't spike, sorted, with a word for what they give."""
        found = sorted((source.name, source.kind) for source in self.sources)
        return {name: f"{kind.rstrip('s')}s" for name, kind in found if kind != "spikes"}

    @functools.cached_property
    def spiking(self) -> Network:
        """Return the network without analog sources; nodes have other positions in it."""
        if not self.analog:
            return self
        return dataclasses.replace(
            self,
            nodes=tuple(node for node in self.nodes if node.name not in self.analog),
            projections=tuple(p for p in self.projections if p.pre not in self.analog),
        )

    @property
    def populations(self) -> tuple[Population, ...]:
        """Return the populations, in order."""
        return tuple(node for node in self.nodes if isinstance(node, Population))

    def index(self, name: str) -> int:
        """Return the position of a node, which is also the stream number of its random draws.

        Raises UnknownNameError.
        """
        if name not in self._index:
            raise unknown_name_error("node", name, self._index)
        return self._index[name]

    def node(self, name: str) -> Node:
        """Return the node of this name."""
        return self.nodes[self.index(name)]

    def projection(self, name: str) -> Projection:
        """Return the projection of this name. Raises UnknownNameError."""
        for projection in self.projections:
            if projection.name == name:
                return projection
        raise unknown_name_error("projection", name, [p.name for p in self.projections])

    def synapses(self, name: str) -> SynapseList | None:
        """Return the list of a sparse projection's synapses; None for a dense one."""
        projection = self.projection(name)
        return projection.synapses(self.node(projection.pre).size, self.node(projection.post).size)

    def ends(self, name: str) -> tuple[Array, Array]:
        """Return the presynaptic and postsynaptic neuron of each weight of a projection, flat."""
        p, synapses = self.projection(name), self.synapses(name)
        if synapses is not None:
            return np.asarray(synapses.pre), np.asarray(synapses.post)
        rows, columns = (self.node(end).size // p.blocks for end in (p.pre, p.post))
        block, row, column = np.indices((p.blocks, rows, columns)).reshape(3, -1)
        return block * rows + row, block * columns + column

    def synapse_delays(self, name: str) -> Int32Array | None:
        """Return each synapse's delay in steps; None if all have `delay_steps`."""
        p = self.projection(name)
        return p.delays(self.node(p.pre).size, self.node(p.post).size, self.dt)

    def synapse_steps(self, name: str) -> IntArray:
        """Return the steps from a spike to its arrival by each weight, flat."""
        delays = self.synapse_delays(name)
        if delays is None:
            return np.full(math.prod(self.weight_shape(name)), self.delay_steps(name))
        return np.asarray(delays, dtype=np.int64)

    def fan_in(self, name: str) -> int:
        """Return the largest number of synapses into one neuron, masked ones included."""
        projection, synapses = self.projection(name), self.synapses(name)
        if synapses is not None:
            return int(np.bincount(synapses.post, minlength=1).max())
        return self.node(projection.pre).size // projection.blocks

    def sums_into(self, name: str, values: Array) -> Array:
        """Return for each postsynaptic neuron the sum of *values*, shaped as weights; ``(n,)``."""
        synapses = self.synapses(name) if self.projection(name).is_sparse else None
        if synapses is not None:
            return synapses.sums(values)
        exact = np.int64 if values.dtype.kind == "i" else None
        return np.asarray(values.sum(axis=-2, dtype=exact).ravel())

    def weight_shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a projection's weights."""
        projection = self.projection(name)
        return projection.shape(self.node(projection.pre).size, self.node(projection.post).size)

    def target(self, projection: Projection) -> str:
        """Return the input variable that a projection adds to.

        Raises DescriptionError if there is none of that name.
        """
        post = self.node(projection.post)
        assert isinstance(post, Population)
        inputs = post.neuron.inputs
        default = inputs[0] if len(inputs) == 1 else "q"
        name = default if projection.target is None else projection.target
        if name not in inputs:
            where, kind = f"Projection {projection.name!r}.target", f"input of {post.name!r}"
            if projection.target is None:
                raise DescriptionError(where, f"say which {kind}", limit=", ".join(inputs))
            raise DescriptionError(str(unknown_name_error(f"{where}: {kind}", name, inputs)))
        return name

    def biased(self, population: str) -> str | None:
        """Return the input that currents and silent signed synapses add to, if any."""
        for p in self.projections:
            if p.post == population and (p.signed or p.pre in self.currents):
                return self.target(p)
        return None

    @property
    def n_synapses(self) -> int:
        """Return the number of synapses, masked ones included."""
        sizes = {node.name: node.size for node in self.nodes}
        shapes = (p.shape(sizes[p.pre], sizes[p.post]) for p in self.projections)
        return sum(math.prod(shape) for shape in shapes)

    def delay_steps(self, name: str) -> int:
        """Return the steps from a spike to its arrival, at least 1; 0 of an analog source.

        If every synapse has a delay of its own, it is the longest.
        """
        return self._steps_of(self.projection(name))[1]

    def _steps_of(self, projection: Projection) -> tuple[int, int]:
        """Return the fewest and the most steps from a spike to its arrival."""
        if projection.pre in self.analog:
            return 0, 0
        delay = projection.delay
        if isinstance(delay, np.ndarray) and len(delay):
            return round(float(delay.min()) / self.dt), round(float(delay.max()) / self.dt)
        if projection.has_delays:
            drawn = self.synapse_delays(projection.name)
            if drawn is None or not len(drawn):
                return 1, 1
            return int(drawn.min()), int(drawn.max())
        steps = 1 if delay is None else round(delay / self.dt)
        return steps, steps

    def depth(self, name: str) -> int:
        """Return the steps until all sources that lead to this node can have reached it."""
        self.index(name)
        return max((self._hops(source.name).get(name, 0) for source in self.sources), default=0)

    def steps(self, pre: str, post: str) -> int | None:
        """Return the fewest steps from a spike of *pre* to its effect on *post*; None if none."""
        self.index(pre)
        return self._hops(pre).get(post)

    def returns(self, name: str) -> bool:
        """Return whether a path of projections leads from this node back to it."""
        return name in reached_by(name, [(p.pre, p.post) for p in self.projections])

    def _hops(self, source: str) -> dict[str, int]:
        """Return the fewest steps from a node to each node that it reaches."""
        reached = {source: 0}
        for _ in self.nodes:
            for p in self.projections:
                if p.pre in reached:
                    steps = reached[p.pre] + self._steps_of(p)[0]
                    reached[p.post] = min(steps, reached.get(p.post, steps))
        return reached

    def _check_sizes(self) -> None:
        """Raise DescriptionError for a network that no machine could hold."""
        longest = dict.fromkeys(self._index, 1)
        for p in self.projections:
            is_drawn = isinstance(p.delay, (Uniform, Normal))  # drawn only when needed
            most = most_steps(p.delay, self.dt) if is_drawn else self._steps_of(p)[1]
            longest[p.pre] = max(longest[p.pre], most)
        remembered = sum(steps * self.node(name).size for name, steps in longest.items())
        check_limit("Network", "spikes under way", remembered, MAX_REMEMBERED)
        sizes = {node.name: node.size for node in self.nodes}
        synapses = sum(p.most(sizes[p.pre], sizes[p.post]) for p in self.projections)
        check_limit("Network", "synapses", synapses, MAX_SYNAPSES)

    def _check_projection(self, p: Projection) -> None:
        where = f"Projection {p.name!r}"
        for end, name in (("pre", p.pre), ("post", p.post)):
            if name not in self._index:
                remedy = "write a part as 'NAME[FIRST:END]', whole numbers from 0" * ("[" in name)
                known = list(self._index)
                raise DescriptionError(
                    f"{where}.{end}", "no such node", got=repr(name), limit=known, remedy=remedy
                )
        pre, post = self.node(p.pre), self.node(p.post)
        if not isinstance(post, Population):
            raise DescriptionError(f"{where}.post", "a source takes no input", got=p.post)
        self._check_target(p)
        kind = self.analog.get(p.pre, "")[:-1]
        if kind and (p.signed or p.delay is not None):
            what = f"a {kind} has no delay and no silence to be signed"
            raise DescriptionError(where, what, remedy="leave both out")
        if kind and p.short_term is not None:
            what = f"a {kind} has no spikes that release"
            raise DescriptionError(f"{where}.short_term", what, remedy="leave it out")
        if kind == "value" and p.plasticity is not None:
            what = "a value has no spikes to learn from"
            raise DescriptionError(f"{where}.plasticity", what, remedy="leave it out")
        for end, node in (("pre", pre), ("post", post)) if p.gap is not None else ():
            known = [*node.plan(self.dt).initial] if isinstance(node, Population) else []
            if p.gap not in known:
                what = f"{end}={node.name!r} has no such variable"
                raise DescriptionError(f"{where}.gap", what, got=p.gap, limit=", ".join(known))
        for node in (pre, post):
            if node.size % p.blocks:
                what = f"must divide {node.name}'s size {node.size}"
                raise DescriptionError(f"{where}.blocks", what, got=p.blocks)
        p.check_weights(pre.size, post.size)
        if isinstance(p.delay, (Uniform, Normal)):
            check_drawn(f"{where}.delay", p.delay, self.dt)
        elif p.delay is not None:
            check_delays(f"{where}.delay", p.delay, self.dt)

    def _check_target(self, p: Projection) -> None:
        """Check that a projection enters an input, and biases of a population only one."""
        target = self.target(p)
        if (p.signed or p.pre in self.currents) and self.biased(p.post) != target:
            what = "signed projections and currents of a population have one target"
            got = f"{target}, and {self.biased(p.post)} of another"
            raise DescriptionError(f"Projection {p.name!r}.target", what, got=got)


def reached_by(name: str, ends: Iterable[tuple[str, str]]) -> set[str]:
    """Return the nodes to which a path over such *ends*, from node to node, leads from one."""
    after: dict[str, set[str]] = {}
    for pre, post in ends:
        after.setdefault(pre, set()).add(post)
    reached = new = after.get(name, set())
    while new:
        new = {far for node in new for far in after.get(node, ())} - reached
        reached = reached | new
    return reached
