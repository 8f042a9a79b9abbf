"""Define a program: a network with all names resolved, as statements, lists and arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from neurorl.expressions.expression import Expression, Statement
from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.numerics.random import DrawRows, NoiseRows, Stream

Numbers = npt.NDArray[np.integer]


@dataclass(frozen=True)
class Draw:
    """Describe a number that each neuron gets in each step.

    stream: number of the stream of `neurorl.numerics.random`; None for no draw, but the number of
    the step of its replica, from 0. is_logistic: whether it is a standard logistic draw; else the
    word itself, a whole number from 0 to 2**32 - 1.
    """

    stream: int | None
    is_logistic: bool = False

    @property
    def is_noise(self) -> bool:
        """Return whether it is noise of a threshold or a chip, that no user's statement names."""
        return self.stream is not None and self.stream < Stream.OF_EQUATIONS

    def rows(self, seed: int, n: int) -> Callable[[int], FloatArray]:
        """Return what gives the numbers of *n* neurons, by the step of their replica."""
        if self.stream is None:
            return lambda step: np.full(n, float(step))
        if self.is_logistic:
            return NoiseRows(seed, self.stream, n)
        return DrawRows(seed, self.stream, n, lambda drawn: drawn.astype(np.float64))


@dataclass(frozen=True)
class Release:
    """Hold the names of what multiplies weights, among those of the presynaptic node.

    projection: name of the one with short-term plasticity; that of the node itself if all that it
    projects releases the same, such as several spikes in one step. delay: in steps. variable: what
    a spike of now would release. u, used: state of short-term plasticity, as in
    `neurorl.network.plasticity.TsodyksMarkram`; empty without. constants: numbers by name.
    """

    projection: str
    delay: int
    variable: str
    u: str = ""
    used: str = ""
    constants: Mapping[str, float] = field(default_factory=dict)

    @property
    def states(self) -> dict[str, str]:
        """Return the state variables of short-term plasticity by their names in a state."""
        return {"u": self.u, "used": self.used} if self.u else {}

    @property
    def raised(self) -> str:
        """Return the variable of u after a spike."""
        return f"{self.u}_raised"


@dataclass(frozen=True, eq=False)
class NodeProgram:
    """Hold what a source or population does in one step, for all replicas side by side.

    Order: inputs are added to, *update* in order; in dead steps the variables *held* keep their
    old values; a spike where *threshold* holds and the neuron isn't dead; *reset* in order, where
    there is a spike. A source has its spikes from outside, so no threshold.

    size: neurons of all replicas. depth: steps for which spikes are kept, the longest delay.
    initial: state variables, ``(size,)`` each. constants: numbers, or arrays ``(size,)``.
    inputs: what projections add to; those that are no state variables begin at 0 in each step.
    limits: what inputs, state variables then, are clipped to after each weight that is added, one
    after another by projection and presynaptic neuron; None for plain sums. All of the node's
    numbers, those of statements too, are then exact in float32, and weights in int16.
    biased: the input to which the bias is added; None if statements name ``bias``, or none does.
    names_bias: whether statements name ``bias``.
    refractory: dead steps after a spike, ``(size,)``; None if there are none.
    draws: random numbers by the names that statements have for them.
    driven: inputs to which values from outside are added in each step, after the weights.
    releases: by the variable that holds what a spike releases.
    """

    name: str
    size: int
    depth: int
    is_source: bool
    initial: Mapping[str, FloatArray] = field(default_factory=dict)
    constants: Mapping[str, FloatArray] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    update: tuple[Statement, ...] = ()
    threshold: Expression | None = None
    reset: tuple[Statement, ...] = ()
    held: tuple[str, ...] = ()
    biased: str | None = None
    names_bias: bool = False
    refractory: IntArray | None = None
    draws: Mapping[str, Draw] = field(default_factory=dict)
    driven: tuple[str, ...] = ()
    releases: Mapping[str, Release] = field(default_factory=dict)
    limits: tuple[float, float] | None = None

    def release_to(self, projection: str) -> Release | None:
        """Return what its spikes release to a projection, by name; None for the whole weight."""
        of = (projection, self.name)
        return next((r for r in self.releases.values() if r.projection in of), None)

    def drive(self, x: str) -> str:
        """Return the name of what is added to an input that is driven, among a window's inputs."""
        return f"{self.name}.{x}"

    @property
    def has_bias(self) -> bool:
        """Return whether currents and silent weights act on it by a bias."""
        return self.names_bias or self.biased is not None

    def as_source(self) -> NodeProgram:
        """Return what the node releases alone, for spikes that are given from outside."""
        own = {x for r in self.releases.values() for x in (r.u, r.used, r.raised, r.variable)}
        return replace(
            self,
            is_source=True,
            initial={x: value for x, value in self.initial.items() if x in own},
            update=tuple(line for line in self.update if line.variable in own),
            threshold=None,
            reset=tuple(line for line in self.reset if line.variable in own),
            held=(),
            biased=None,
            names_bias=False,
            refractory=None,
            draws={},
        )

    @property
    def kept(self) -> tuple[str, ...]:
        """Return the variables of a step that *reset* needs, but that are no state."""
        known = {*self.initial, *self.constants, *self.releases, "bias"}
        used = [name for line in self.reset for name in (*line.value.names, line.variable)]
        return tuple(dict.fromkeys(name for name in used if name not in known))


@dataclass(frozen=True, eq=False)
class SynapseRows:
    """Hold the synapses of a sparse projection by delay, then by presynaptic neuron.

    start: number of the first synapse, ``(delays, n_pre + 1)``. to: postsynaptic neuron of each
    synapse. places: where the weight of each stands among those described; None: in this order.
    """

    start: Numbers
    to: Numbers
    places: Numbers | None = None


@dataclass(frozen=True, eq=False)
class ProjectionProgram:
    """Hold where the spikes of a node arrive, and when.

    pre, post: numbers of nodes. target: the input to which weights are added. delays: in steps;
    one, or those of *rows*. block: presynaptic and postsynaptic neurons of each of the equal blocks
    of dense weights. rows: the synapses of a sparse projection, whose *block* isn't used.
    n_weights: how many a simulator holds. has_levels: whether they may be held as whole multiples
    of a unit, as `neurorl.backends.simulator.Simulator.levels` says.
    release: the variable of *pre* by which the weights of each spike are multiplied; None for 1.
    gap: the variable that gap junctions couple, whose *rows* are all synapses; empty for spikes.
    """

    name: str
    pre: int
    post: int
    target: str
    delays: tuple[int, ...]
    block: tuple[int, int]
    n_weights: int
    rows: SynapseRows | None = None
    has_levels: bool = False
    release: str | None = None
    gap: str = ""

    def places(self) -> Numbers | None:
        """Return where each weight stands among those described; None: in this order."""
        return None if self.rows is None else self.rows.places

    def synapses(self) -> tuple[Numbers, Numbers, Numbers]:
        """Return the presynaptic neuron, postsynaptic neuron and delay of each weight's synapse."""
        if self.rows is None:
            n_pre, n_post = self.block
            pre, post = np.divmod(np.arange(self.n_weights), n_post)
            return pre, pre // n_pre * n_post + post, np.full(self.n_weights, self.delays[0])
        counts = np.diff(self.rows.start, axis=1)
        pre = np.tile(np.arange(counts.shape[1]), len(counts))
        delays = np.repeat(self.delays, counts.sum(axis=1))
        return np.repeat(pre, counts.ravel()), self.rows.to, delays


@dataclass(frozen=True, eq=False)
class Program:
    """Hold a network as every executor runs it.

    seeds: of the replicas, copies of the network that stand side by side.
    nodes: sources of spikes and populations, in the order of the description.
    projections: those that have a synapse.
    """

    seeds: tuple[int, ...]
    nodes: tuple[NodeProgram, ...]
    projections: tuple[ProjectionProgram, ...]

    def gaps(self, post: int, target: str) -> list[int]:
        """Return the numbers of gap junctions that add to an input, after weights and values."""
        into = (post, target)
        return [k for k, p in enumerate(self.projections) if p.gap and (p.post, p.target) == into]

    @property
    def n_replicas(self) -> int:
        """Return how many copies of the network stand side by side."""
        return len(self.seeds)
