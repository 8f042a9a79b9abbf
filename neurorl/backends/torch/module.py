"""Define `SpikingModule`: a description as a `torch.nn.Module`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from neurorl.arithmetic.rounding import ChipArithmetic, find_arithmetic, make_arithmetic
from neurorl.backends.checks import check_seeds
from neurorl.backends.torch.device import COMPILED, check_engine
from neurorl.backends.torch.estimators import Concrete, Estimator
from neurorl.backends.torch.expressions import CHIP
from neurorl.backends.torch.inputs import (
    Batch,
    ModuleState,
    Shape,
    check_batch,
    check_series,
    draw_words,
)
from neurorl.backends.torch.node import TensorNode
from neurorl.backends.torch.statements import from_outside, with_given
from neurorl.backends.torch.synapses import (
    Path,
    Sent,
    SynapticModule,
    TensorSynapses,
    bias_with,
    driven_by,
    paths_of,
)
from neurorl.backends.torch.unroll import Unroll, groups
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.network.description import Network
from neurorl.network.initial_weights import initial_weights
from neurorl.network.replicate import on_chip
from neurorl.program import NodeProgram, lower
from neurorl.storage.plain import Named

Rasters = dict[str, Tensor]


class SpikingModule(SynapticModule):
    """Run a network whose stochastic spikes let gradients through, for batches and for replicas.

    network: the description.
    seed: seed of the initial weights, or a sequence of seeds, one for each replica with weights of
        its own; all tensors then have an axis of replicas in front of that of the batch.
    arithmetic: ``'float'``, in which weights are not rounded, or ``'loihi'``, the chip's integers
        which trains weights for the chip: rounding is the identity in the backward pass
        (`neurorl.backends.torch.expressions`).
    dtype: float32 is quick, and the default of float arithmetic. float64 is that of the chip's
        integers; in it every spike is the reference's, for the same noise.
    estimator: how gradients pass through spikes; None for `Concrete`.
    surrogate_width: width of the sigmoid that replaces a hard threshold in the backward pass, in
        membrane units.
    detach_reset: whether reset and dead steps after a spike are constants in the backward pass.
    engine: ``'compiled'`` runs windows of populations without gradients in C++ that is printed from
        their statements, ``'eager'`` all by torch's own operations; None takes ``'compiled'`` where
        there is a compiler.

    Parameters of the module are ``synapses.NAME.weight`` of every plastic projection, in the
    description's units, ``(n_replicas, *shape)``; weights of fixed projections are buffers. The
    order of operations is that of `neurorl.program.NodeProgram`. A population
    runs for a whole window at once, with its inputs in one product, unless its spikes come back to
    it.
    """

    _example: Tensor

    def __init__(
        self,
        network: Network,
        *,
        seed: int | Sequence[int] = 0,
        arithmetic: str = "float",
        dtype: torch.dtype | None = None,
        estimator: Estimator | None = None,
        surrogate_width: float = 0.25,
        detach_reset: bool = False,
        engine: str | None = None,
    ) -> None:
        super().__init__()
        if find_arithmetic(arithmetic).is_chip:
            network = on_chip(network)
        self.network = network
        self.seeds = check_seeds(seed)
        self.n_replicas = len(self.seeds)
        self.has_replicas = not isinstance(seed, (int, np.integer))
        self.arithmetic = make_arithmetic(arithmetic, network)
        self.dtype = self._check_dtype(dtype)
        self.estimator = estimator or Concrete()
        compiles = check_engine(engine) == COMPILED
        self.synapses = nn.ModuleDict()
        for p in network.projections:
            drawn = np.stack([initial_weights(network, p.name, seed) for seed in self.seeds])
            weights = self.arithmetic.round(p.name, drawn)
            rounding = self.arithmetic.rounding(p.name) if self.arithmetic.is_chip else None
            self.synapses[p.name] = TensorSynapses(network, p.name, weights, self.dtype, rounding)
        self._kept = {node.name: 1 for node in network.spiking.nodes}
        for p in network.spiking.projections:
            self._kept[p.pre] = max(self._kept[p.pre], network.delay_steps(p.name))
        program = lower(network, self.arithmetic, self._kept, self.seeds[:1])
        self._paths = paths_of(program)
        self.cells = nn.ModuleDict()
        none = {p.name: np.zeros(network.weight_shape(p.name)) for p in network.projections}
        self.from_outside = {node.name: from_outside(node) for node in program.nodes}
        for node in map(with_given, program.nodes):
            if node.releases or not node.is_source:
                options = (surrogate_width, detach_reset, compiles)
                self.cells[node.name] = self._make_cells(node, *options)
            if not node.is_source:
                bias = torch.tensor(self.arithmetic.bias(node.name, none), dtype=self.dtype)
                self.register_buffer(f"_bias_{node.name}", bias, persistent=False)
        self.register_buffer("_example", torch.empty(0), persistent=False)  # knows the device
        self._groups = groups(network)

    def forward(
        self,
        inputs: Named,
        state: ModuleState | None = None,
        *,
        n_steps: int | None = None,
        noise: Named | None = None,
        generator: torch.Generator | None = None,
        estimator: Estimator | None = None,
    ) -> tuple[Rasters, ModuleState]:
        """Advance a window; return the spikes of each population, and the state after it.

        inputs: rasters ``(n_steps, [n_replicas,] batch, size)`` of sources of spikes, numbers of
            those of values, activations ``([n_replicas,] batch, size)`` of those of currents;
            anything that becomes a tensor. A source left out is silent.
        state: what the window before returned; None starts from silence.
        n_steps: steps of the window; needed only if no raster tells it.
        noise: standard logistic draws of each population that has noise, in the shape of the
            rasters; None draws them from *generator*.
        generator: None for torch's own.
        estimator: in place of the module's.

        The rasters returned are ``(n_steps, [n_replicas,] batch, size)``, 0 and 1 in the module's
        dtype. Raises ArgumentError for a wrong name or shape.
        """
        batch = self._with_words(self._check(inputs, state, n_steps), generator)
        draws = self._draws(batch, noise, generator)
        before = self.rest(batch.size) if state is None else state
        rasters, after = self.advance(batch, before, draws, estimator)
        return {name: self._shape.outer(raster) for name, raster in rasters.items()}, after

    def advance(
        self,
        batch: Batch,
        state: ModuleState,
        noise: Rasters,
        estimator: Estimator | None = None,
        bias: Mapping[str, Tensor] | None = None,
    ) -> tuple[Rasters, ModuleState]:
        """Advance as `forward` does, with tensors in their inner shape, replicas first.

        bias: by population, in force and with what flows from currents; None computes it from the
            weights.
        """
        unroll = self._unroll(batch, state, bias)
        for group in self._groups:
            unroll.run(group, noise, estimator or self.estimator)
        return {p.name: unroll.spikes[p.name] for p in self.network.populations}, unroll.after()

    def log_prob(
        self,
        inputs: Named,
        rasters: Named,
        state: ModuleState | None = None,
        *,
        n_steps: int | None = None,
    ) -> Rasters:
        """Return ``log P(s_t | spikes before t)`` of each neuron and step, shaped like rasters.

        inputs, state, n_steps: as in `forward`.
        rasters: what `forward` returned; constants in the backward pass.

        With x the logit of p it is ``s x - log(1 + exp(x))``; in dead steps 0, or -inf for a spike.
        Its sum over neurons and steps is the log-probability of the whole raster, whose derivative
        by the weights is the score. Raises UnsupportedError if a population has neurons without
        noise, whose spikes have no probability.
        """
        log_probs = {}
        for name, s, x, alive in self._replayed(inputs, rasters, state, n_steps):
            log_p = s * x - nn.functional.softplus(x)
            if alive is not None:
                log_p = torch.where(alive > 0, log_p, torch.log1p(-s))
            log_probs[name] = self._shape.outer(log_p)
        return log_probs

    def probabilities(
        self,
        inputs: Named,
        rasters: Named,
        state: ModuleState | None = None,
        *,
        n_steps: int | None = None,
    ) -> Rasters:
        """Return ``P(s_t = 1 | spikes before t)``; otherwise as `log_prob`."""
        probabilities = {}
        for name, _, x, alive in self._replayed(inputs, rasters, state, n_steps):
            p = torch.sigmoid(x)
            probabilities[name] = self._shape.outer(p if alive is None else p * alive)
        return probabilities

    def rest(self, batch: int) -> ModuleState:
        """Return the silent state for a batch of this size."""
        cells = {name: c.rest(self.n_replicas, batch) for name, c in self._all_cells().items()}

        def silence(name: str, n_steps: int) -> Tensor:
            shape = self.n_replicas, n_steps, batch, self.network.node(name).size
            return torch.zeros(shape, dtype=self.dtype, device=self._device)

        spikes = {name: silence(name, kept) for name, kept in self._kept.items()}
        released = {
            release.projection: silence(name, release.delay)
            for name, c in self._all_cells().items()
            for release in c.node.releases.values()
        }
        return ModuleState(cells, spikes, released)

    def _check_dtype(self, dtype: torch.dtype | None) -> torch.dtype:
        """Return the dtype; raise ArgumentError for one that can't hold chip integers."""
        if not self.arithmetic.is_chip:
            return dtype or torch.float32
        if dtype not in (None, torch.float64):
            problem = "the chip's integers are kept in float64"
            raise ArgumentError("module", problem, got=dtype, limit=torch.float64)
        return torch.float64

    def _make_cells(
        self, node: NodeProgram, surrogate_width: float, detach_reset: bool, compiles: bool
    ) -> TensorNode:
        """Return the module of one node; functions of equations are defined in float64."""
        dtype = self.dtype if node.names_bias or node.is_source else torch.float64
        if not isinstance(self.arithmetic, ChipArithmetic):
            return TensorNode(node, dtype, surrogate_width, detach_reset, compiles)
        width = surrogate_width * self.arithmetic.chip.populations[node.name].unit
        return TensorNode(node, dtype, width, detach_reset, compiles, CHIP)

    def _unroll(
        self, batch: Batch, state: ModuleState, bias: Mapping[str, Tensor] | None = None
    ) -> Unroll:
        """Return a window of the network with the weights of now; arguments as in `advance`."""
        synapses = self._all_synapses()
        quanta = {s.name: s.quanta() for s in synapses if bias is None or not s.is_current}
        if batch.driven is None:
            batch = replace(batch, driven=driven_by(batch.values, synapses, quanta))
        sent: dict[Path, Sent] = {
            path: self._known(path.projection).transmitted(quanta[path.projection], path.delay)
            for path in self._paths
        }
        if bias is None:
            made: dict[str, Tensor] = {}
            for p in self.network.populations:
                into = [s for s in synapses if s.post == p.name]
                own = self.get_buffer(f"_bias_{p.name}")
                made[p.name] = bias_with(own, into, quanta, batch.currents, self.arithmetic.is_chip)
            bias = made
        return Unroll(self._all_cells(), sent, batch, state, bias)

    @property
    def _shape(self) -> Shape:
        """Return the replicas, dtype and device of all tensors of this module."""
        return Shape(self.n_replicas, self.has_replicas, self.dtype, self._device)

    @property
    def _device(self) -> torch.device:
        """Return the device on which the module is."""
        return self._example.device

    def _check(self, inputs: Named, state: ModuleState | None, n_steps: int | None) -> Batch:
        """Return *inputs* as a `Batch`, of the batch size of *state* if there is one."""
        batch = None
        if state is not None:
            batch = next(iter(state.spikes.values())).shape[-2]
        return check_batch(self.network, inputs, self._shape, n_steps, batch)

    def _draws(
        self, batch: Batch, noise: Named | None, generator: torch.Generator | None
    ) -> Rasters:
        """Return the noise of each noisy population: as passed after a check, else drawn."""
        noisy = {k: c.node for k, c in self._all_cells().items() if c.node.draws}
        if noise is not None:
            sizes = {name: cells.size for name, cells in noisy.items()}
            return check_series("noise", noise, sizes, batch, self._shape)
        lead = (self.n_replicas, batch.n_steps, batch.size)
        device = self._device
        return {k: draw_words((*lead, c.size), generator, device) for k, c in noisy.items()}

    def _with_words(self, batch: Batch, generator: torch.Generator | None) -> Batch:
        """Return a batch with the words that equations draw. Raises UnsupportedError for time."""
        given = {}
        for name, draws in self.from_outside.items():
            shape = (self.n_replicas, batch.n_steps, batch.size, self.network.node(name).size)
            for x, draw in draws.items():
                if draw.stream is None:
                    what, remedy = "reads t, and a module has no clock", "a variable: dx/dt = 1"
                    raise UnsupportedError(f"module, population {name!r}", what, remedy=remedy)
                words = torch.randint(2**32, shape, generator=generator, device=self._device)
                given[name, x] = words.to(torch.float64)
        return replace(batch, given=given)

    def _replayed(
        self, inputs: Named, rasters: Named, state: ModuleState | None, n_steps: int | None
    ) -> Iterator[tuple[str, Tensor, Tensor, Tensor | None]]:
        """Yield each population's name, spikes, their logits, and the mask of neurons alive."""
        cells = {p.name: self._all_cells()[p.name] for p in self.network.populations}
        if any(p.gap for p in self.network.projections):
            what, remedy = "isn't computed again beside gap junctions", "leave them out"
            raise UnsupportedError("score", what, remedy=remedy)
        silent = sorted(name for name, c in cells.items() if not c.is_stochastic)
        if silent:
            problem = f"no probability of spikes without noise, in {', '.join(silent)}"
            raise UnsupportedError("score", problem, remedy="give its neurons noise")
        batch = self._check(inputs, state, n_steps)
        before = self.rest(batch.size) if state is None else state
        unroll = self._unroll(batch, before)
        sizes = {name: c.node.size for name, c in cells.items()}
        checked = check_series("raster", rasters, sizes, batch, self._shape)
        unroll.spikes |= {name: raster.detach() for name, raster in checked.items()}
        for name in cells:
            yield name, unroll.spikes[name], *unroll.replay(name)

    def _all_cells(self) -> dict[str, TensorNode]:
        """Return the modules of nodes by name."""
        return {name: c for name, c in self.cells.items() if isinstance(c, TensorNode)}
