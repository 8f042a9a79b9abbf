"""Observe one population in one history, step by step, and what leads to it as matrices."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Raster
from neurorl.backends.reference.node import NumpyNode
from neurorl.expressions.nodes import Binary, Name, nodes_of
from neurorl.learning.tags import SynapseGroup, groups_by_delay
from neurorl.network.description import Network, Population, Projection
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import NoiseRows
from neurorl.program import NodeProgram, Release
from neurorl.program.lowering import lower_node
from neurorl.program.projections import release_of, with_release
from neurorl.validation.history import History
from neurorl.validation.rewriting import counting
from neurorl.validation.tolerance import membrane_scale

MOST_PLACES = 2**22
"""Lay lists into a population out up to this many places in matrices."""


def times(weights: Array, factor: FloatArray) -> Array:
    """Return weights, perhaps in blocks, times a number, or one of each postsynaptic neuron."""
    is_blocks = factor.ndim and weights.ndim == 3
    return np.asarray(weights * (factor.reshape(len(weights), 1, -1) if is_blocks else factor))


@dataclass(frozen=True, eq=False)
class Pathway:
    """Hold a projection, or those synapses of its list that have one delay.

    name: of the projection, with a number if it has several delays. delay: in steps. blocks: equal
    blocks of the matrix. n_post: neurons that it leads to. group: the synapses, of a list.
    """

    name: str
    projection: Projection
    delay: int
    target: str
    blocks: int
    n_post: int
    group: SynapseGroup | None = None

    @property
    def pre(self) -> str:
        """Return the presynaptic node."""
        return self.projection.pre

    def matrices(self, weights: npt.NDArray[np.generic]) -> FloatArray:
        """Return the weights of the projection as ``(blocks, presynaptic, postsynaptic)``."""
        if self.group is None:
            return weights.reshape(-1, *weights.shape[-2:]).astype(np.float64)
        return self.group.synapses.dense(weights[self.group.numbers])[None]

    def times(self, weights: FloatArray, factor: FloatArray) -> FloatArray:
        """Return the projection's weights with these times a number, or one of each neuron."""
        if self.group is None:
            return times(weights, factor)
        weights = weights.copy()
        weights[self.group.numbers] *= factor[self.group.synapses.post] if factor.ndim else factor
        return weights

    def into(self, weights: FloatArray, neuron: int) -> FloatArray:
        """Return the projection's weights of the synapses into a neuron."""
        if self.group is not None:
            return np.asarray(weights[self.group.numbers][self.group.synapses.post == neuron])
        block, column = divmod(neuron, weights.shape[-1])
        return np.asarray(self.matrices(weights)[block, :, column])


def _parts(network: Network, p: Projection) -> Iterator[Pathway]:
    """Yield the pathways of a projection, also of currents: one for each delay of a list."""
    target, size = network.target(p), network.node(p.post).size
    if network.synapses(p.name) is None:
        yield Pathway(p.name, p, network.delay_steps(p.name), target, p.blocks, size)
        return
    taken = {q.name for q in network.projections if q is not p}
    numbered = (f"{p.name}_{number}" for number in itertools.count(2))
    names = (x for x in itertools.chain([p.name], numbered) if x not in taken)
    for name, group in zip(names, groups_by_delay(network, p.name), strict=False):
        yield Pathway(name, p, group.delay, target, 1, size, group)


def unpredicted(network: Network, population: str) -> str:
    """Say what keeps steps of a population from being predicted; '' if nothing does.

    It is values or gap junctions, or lists that don't fit into matrices.
    """
    into = [p for p in network.projections if p.post == population]
    if any(p.gap or network.analog.get(p.pre) == "values" for p in into):
        return "that values or gap junctions enter"
    lists = ((p, s) for p in into if (s := network.synapses(p.name)) is not None)
    places = (s.n_pre * s.n_post * len(groups_by_delay(network, p.name)) for p, s in lists)
    many = f"that lists of synapses of more than {MOST_PLACES} places in matrices lead to"
    return many if sum(places) > MOST_PLACES else ""


FLOAT_ERROR = 1e-9  # of the membrane's scale
MOST = 900  # steps that are predicted of a history
Mask = npt.NDArray[np.bool_]
Releases = Callable[["Observed", Pathway], FloatArray]


def described_releases(
    evidence: Observed,
    part: Pathway,
    change: Callable[[NodeProgram, Release], NodeProgram] = lambda node, release: node,
    silenced: Mask | None = None,
) -> FloatArray:
    """Return what each spike of a projection's presynaptic node releases, ``(steps, n_pre)``.

    change: of the program that releases. silenced: rows before which all is at rest, in place of
    those after a reset.
    """
    network, history = evidence.network, evidence.history
    release = release_of(network, part.projection)
    pre = lower_node(network, history.arithmetic, network.node(part.pre))
    source = replace(with_release(pre, release).as_source(), inputs=())
    made = NumpyNode(change(source, release), (history.seed,))
    spikes = evidence.sent(part.pre)
    after_reset = evidence.fresh[evidence.call] & (evidence.within == 0)
    at_rest = after_reset if silenced is None else silenced
    released = np.zeros(spikes.shape)
    for row, now in enumerate(spikes):
        if at_rest[row]:
            made.state = {x: initial.copy() for x, initial in made.node.initial.items()}
        made.update({}, [row], now)
        released[row] = now * made.released[release.variable][-1]
    return released


@dataclass(eq=False)
class Observed:
    """Hold what one population did in a history; rows are steps, in order.

    t: number by which noise is drawn. step: steps since the start. call, within: the call of each
    row, and the step within it. since: steps since the last reset. starts, lasts: the first and
    last row of each call. fresh: calls just after a reset. spikes: those that the backend sent.
    before, after: its variables around each call, ``(calls, size)``. units: what a spike transmits
    for a mantissa of 1, by pathway. kept: calls that are predicted, the last ones with up to *most*
    steps; the others are taken as recorded. Of neurons that spike several times a step, these are
    calls of one step that end *reach* such, or more. single: kept calls of one step.
    """

    network: Network
    population: Population
    history: History
    most: int = MOST
    reach: int = 1

    def __post_init__(self) -> None:
        network, population, history = self.network, self.population, self.history
        node = lower_node(network, history.arithmetic, population)
        self.node = counting(node) if node.releases else node
        self.variables = tuple(history.calls[0].after[population.name])
        own = (*self.node.initial, "refractory", *self.node.releases)
        self.names = dict(zip(self.variables, own, strict=True))
        into = [p for p in network.projections if p.post == population.name]
        self.parts = [part for p in into for part in _parts(network, p)]
        self.into = [part for part in self.parts if part.pre not in network.currents]
        if self.node.limits is not None:
            clipped = (replace(part, target=self.node.inputs[0]) for part in self.into)
            names = [*(s.name for s in network.sources), *(p.name for p in network.populations)]
            self.into = sorted(clipped, key=lambda part: names.index(part.pre))
        roundings = {p.name: history.arithmetic.rounding(p.projection.name) for p in self.into}
        self.units = {name: x.transmitted_unit for name, x in roundings.items()}
        lengths = np.array([call.n_steps for call in history.calls])
        self.starts = np.cumsum(lengths) - lengths
        self.lasts = self.starts + lengths - 1
        self.lengths = lengths
        self.kept = np.cumsum(lengths[::-1])[::-1] <= max(self.most, int(lengths[-1]))
        if self.node.releases:  # how often neurons spiked is known where a call ends
            last = (lengths[max(k - self.reach, 0) : k] for k in range(1, len(lengths) + 1))
            self.kept &= np.array([(some == 1).all() for some in last])
        self.single = (lengths == 1) & self.kept
        self.n_steps = int(lengths.sum())
        self.step = np.arange(self.n_steps)
        self.t = history.t + self.step
        self.call = np.repeat(np.arange(len(lengths)), lengths)
        self.kept_rows = self.kept[self.call]
        self.within = self.step - self.starts[self.call]
        self.fresh = np.array([call.fresh for call in history.calls])
        self.resets = np.cumsum(self.fresh)
        self.writes = np.array([call.writes for call in history.calls])
        self.silent_since = np.maximum.accumulate(np.where(self.fresh, self.starts, 0))[self.call]
        self.since = self.step - self.silent_since
        self.spikes = self.sent(population.name)
        self.after = {v: history.after(population.name, v) for v in self.variables}
        ended = self.after.items()
        self.before = {v: np.vstack([0 * x[:1] + self.rest(v), x[:-1]]) for v, x in ended}
        scale = membrane_scale(population, network.dt)
        self.limit = 0.0 if history.arithmetic.is_chip else FLOAT_ERROR * scale
        self._cache: dict[Any, Any] = {}

    @property
    def wrote(self) -> Mask:
        """Mark the calls that come just after a write."""
        return np.asarray(self.writes > np.concatenate([[0], self.writes[:-1]]))

    @property
    def width(self) -> str | None:
        """Return the name of the constant that is the width of the escape noise, if any."""
        assert self.node.threshold is not None
        products = (n for n in nodes_of(self.node.threshold.tree) if isinstance(n, Binary))
        scaled = (n.left for n in products if n.op == "*" and n.right == Name("logistic"))
        return next((n.name for n in scaled if isinstance(n, Name)), None)

    @property
    def noise_width(self) -> Array:
        """Return the width of the escape noise of each neuron."""
        return self.constant(self.width) if self.width else np.zeros(self.population.size)

    @property
    def dead_steps(self) -> Array:
        """Return the dead steps after a spike of each neuron."""
        steps = self.node.refractory
        return np.zeros(self.population.size, dtype=np.int64) if steps is None else steps

    @property
    def dead_before(self) -> Array:
        """Return the dead steps that are left before each call, ``(calls, size)``."""
        return np.where(self.fresh[:, None], 0, self.before["refractory"])

    @property
    def kind(self) -> str:
        """Return which neurons these are, of `neurorl.validation.hypotheses.Family`."""
        if self.node.releases:
            return "shifts"
        return "currents" if self.node.names_bias else "equations"

    @property
    def moving(self) -> list[Projection]:
        """Return the projections that move the bias: signed ones, and those of currents."""
        into = (p for p in self.network.projections if p.post == self.population.name)
        return [p for p in into if p.signed or p.pre in self.network.currents]

    @property
    def own_bias(self) -> Array:
        """Return the bias without what projections add to it."""
        silent = {p.name: np.zeros(self.network.weight_shape(p.name)) for p in self.moving}
        return self.history.arithmetic.bias(self.population.name, silent)

    def constant(self, name: str) -> Array:
        """Return a constant of the program for each neuron."""
        return np.array(np.broadcast_to(self.node.constants[name], self.population.size))

    def rest(self, variable: str) -> Array | int:
        """Return what a variable is after a reset."""
        initial = self.node.initial.get(self.names[variable])
        return 0 if initial is None else initial.astype(self.after[variable].dtype)

    def counted(self, node: str) -> Array:
        """Return how often each neuron of a node spikes in every step.

        It is known of the last step of each call; in others, a neuron spikes once.
        """
        counts: Array = self.sent(node)
        if self.node.releases and node in self.history.calls[0].after:
            counts = counts.astype(np.float64)
            counts[self.lasts] = self.history.after(node, "release")
        return counts

    def sent(self, node: str) -> Raster:
        """Return the spikes of a node in every step."""
        size, rows = self.network.node(node).size, []
        for call in self.history.calls:
            sent = call.rasters.get(node, call.inputs.get(node))
            silent = np.zeros((call.n_steps, size), bool)
            rows.append(silent if sent is None else np.asarray(sent, dtype=bool))
        return np.concatenate(rows)

    def arrived(self, node: str, delay: int, oldest: Array | None = None) -> Array:
        """Return the spikes sent *delay* steps before each step; none from before row *oldest*."""
        return self._late(self._once(("sent", node), lambda: self.counted(node)), delay, oldest)

    def arriving(
        self,
        part: Pathway,
        later: int = 0,
        oldest: Array | None = None,
        releases: Releases | None = None,
    ) -> Array:
        """Return what arrives by a projection: spikes, or by short-term plasticity their releases.

        later: steps after the described delay. oldest: as in `arrived`. releases: what the
        presynaptic spikes release, in place of what is described.
        """
        delay = part.delay + later
        if part.projection.short_term is None:
            return self.arrived(part.pre, delay, oldest)
        make = releases or described_releases
        sent = self._once(("released", part.name, make), lambda: make(self, part))
        return self._late(sent, delay, oldest)

    def _late(self, sent: Array, delay: int, oldest: Array | None) -> Array:
        """Return rows *delay* steps later; none from before row *oldest*."""
        then = self.step - delay
        kept = (then >= (self.silent_since if oldest is None else oldest)) & (then >= 0)
        kept &= then < self.n_steps
        return np.asarray(sent[np.clip(then, 0, self.n_steps - 1)] * kept[:, None])

    def draws(self, steps: Array, stream: int = 0, seed: int = 0) -> FloatArray:
        """Return the noise of some steps; stream, seed: offsets to another population or seed."""
        size = self.population.size
        steps = steps[self.kept_rows]
        steps = steps - min(int(steps.min()), 0)
        first, last = int(steps.min()), int(steps.max())
        number = self.network.index(self.population.name) + stream
        rows = NoiseRows(max(self.history.seed + seed, 0), number, size)
        noise = np.zeros((self.n_steps, size))
        noise[self.kept_rows] = rows.rows(first, last - first + 1)[steps - first]
        return noise

    def _once(self, key: Any, make: Any) -> Any:
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]
