"""Hold a projection's weights, and compute the input that arrives through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from neurorl.arithmetic.rounding import Rounding
from neurorl.arithmetic.values import parts_of
from neurorl.backends.base import Backend
from neurorl.backends.torch.expressions import bias_integers, in_quanta, truncated
from neurorl.errors import ArgumentError, check_name, warn_of
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.program import Program

_AT_ONCE = 2**22
"""Bound the products of spikes and weights of a list that are in memory at once."""


class Path(NamedTuple):
    """Name synapses that share a delay: those of a projection, or some of a list.

    release: the presynaptic node's variable by which the weights are multiplied; None for 1. Gap
    junctions have delay 0, and the variable that they couple.
    """

    projection: str
    pre: str
    post: str
    delay: int
    target: str
    release: str | None


class Listed(NamedTuple):
    """Hold transmitted weights of a list, ``(n_replicas, n)``, with the ends of each, ``(n,)``."""

    values: Tensor
    pre: Tensor
    post: Tensor
    n_post: int

    def arriving(self, rows: Tensor) -> Tensor:
        """Return ``q_j = sum_i x_i w_ij``; rows of x: ``(n_replicas, rows, n_pre)``."""
        q = rows.new_zeros(*rows.shape[:2], self.n_post)
        step = max(1, _AT_ONCE // max(1, rows.shape[0] * rows.shape[1]))
        for first in range(0, len(self.pre), step):
            some = slice(first, first + step)
            arrived = rows[:, :, self.pre[some]] * self.values[:, None, some]
            q = q.index_add(2, self.post[some], arrived)
        return q

    def coupled(self, pre: Tensor, post: Tensor) -> Tensor:
        """Return ``sum_i w_ij (v_i - v_j)``, by i from 0 on; v: ``(n_replicas, batch, n)``."""
        terms = self.values[:, None] * (pre[..., self.pre] - post[..., self.post])
        return torch.zeros_like(post).index_add(2, self.post, terms.to(post.dtype))


Sent = Tensor | Listed
"""Hold transmitted weights: a matrix or blocks for each replica, or those of a list."""


def paths_of(program: Program) -> list[Path]:
    """Return the paths of a program's spikes."""
    names = [node.name for node in program.nodes]
    return [
        Path(p.name, names[p.pre], names[p.post], delay, p.target, p.gap or p.release)
        for p in program.projections
        for delay in ((0,) if p.gap else p.delays)
    ]


class TensorSynapses(nn.Module):
    """Hold the weights of one projection in all replicas, ``(n_replicas, *shape)``.

    weights: initial ones, in the description's units.
    rounding: how effective weights are rounded, with straight-through gradients; None for float.

    weight: a parameter if the projection is plastic, else a buffer; in the description's units.
    """

    weight: Tensor
    mask: Tensor | None

    def __init__(
        self,
        network: Network,
        name: str,
        weights: Array,
        dtype: torch.dtype,
        rounding: Rounding | None = None,
    ) -> None:
        super().__init__()
        projection = network.projection(name)
        self.name, self.pre, self.post = name, projection.pre, projection.post
        self.signed, self.is_current = projection.signed, projection.pre in network.currents
        is_of_values = network.analog.get(projection.pre) == "values"
        self.values_into = f"{self.post}.{network.target(projection)}" if is_of_values else ""
        self._rounding = rounding
        # What a spike transmits for each quantum of the weight.
        self._gain = 2.0 if self.signed else 1.0
        if rounding is not None:
            self._gain = rounding.transmitted_unit
        weight, rule = torch.tensor(np.asarray(weights), dtype=dtype), projection.plasticity
        self.bounds = None if rule is None else (rule.low, rule.high)
        if rule is None:
            self.register_buffer("weight", weight)
        else:
            self.weight = nn.Parameter(weight)
        mask = projection.mask
        kept = None if mask is None else torch.tensor(np.asarray(mask), dtype=dtype)
        self.register_buffer("mask", kept, persistent=False)
        self._n_post, listed = network.node(projection.post).size, network.synapses(name)
        self._is_listed, self._has_delays = listed is not None, False
        if listed is not None or projection.gap is not None:
            for end, numbers in zip(("pre_of", "post_of"), network.ends(name), strict=True):
                self._keep(end, numbers)
            delays = network.synapse_delays(name)
            self._has_delays = delays is not None
            for delay in () if delays is None else np.unique(delays):
                self._keep(f"numbers_{delay}", np.flatnonzero(delays == delay))

    def in_force(self) -> Tensor:
        """Return the effective weights, 0 where there is no synapse."""
        quanta = self.quanta()
        return quanta if self._rounding is None else quanta * self._rounding.unit

    def quanta(self) -> Tensor:
        """Return the effective weights in units of their grid; unrounded ones as they are."""
        weight = self.weight if self.mask is None else self.weight * self.mask
        return weight if self._rounding is None else in_quanta(weight, self._rounding)

    def transmitted(self, quanta: Tensor, delay: int | None = None) -> Sent:
        """Return transmitted weights, in the shape that `transmit` takes and in membrane units.

        They are twice the effective weights if the projection is signed, else the weights.
        delay: of those to return, if synapses of a list have delays of their own.
        """
        weight = quanta if self._gain == 1.0 else self._gain * quanta
        if not self._is_listed and delay != 0:
            return weight
        pre, post = self.get_buffer("pre_of"), self.get_buffer("post_of")
        if delay is None or not self._has_delays:
            return Listed(weight.flatten(1), pre, post, self._n_post)
        numbers = self.get_buffer(f"numbers_{delay}")
        return Listed(weight[:, numbers], pre[numbers], post[numbers], self._n_post)

    def offset(self, quanta: Tensor) -> Tensor:
        """Return the input of silent signed units, ``-sum_i w_ij``, ``(n_replicas, 1, n)``."""
        if self._is_listed:
            none = quanta.new_zeros(len(quanta), self._n_post)
            total = none.index_add(1, self.get_buffer("post_of"), quanta)
        else:
            total = quanta.sum(dim=-2).flatten(1)
        offset = (-0.5 * self._gain) * total.unsqueeze(1)
        return offset if self._rounding is None else truncated(offset)

    def _keep(self, name: str, numbers: Array) -> None:
        tensor = torch.tensor(np.asarray(numbers, dtype=np.int64))
        self.register_buffer(name, tensor, persistent=False)


def bias_with(
    bias: Tensor,
    into: Sequence[TensorSynapses],
    quanta: Mapping[str, Tensor],
    currents: Mapping[str, Tensor],
    rounds: bool,
) -> Tensor:
    """Return a population's bias with what currents and silent signed units add.

    into: its projections. quanta: of each. currents: by source. rounds: to one that the chip has.
    """
    for s in into:
        if s.signed:
            bias = bias + s.offset(quanta[s.name])
    flow = [transmit(currents[s.pre], s.transmitted(quanta[s.name])) for s in into if s.is_current]
    if flow:
        bias = bias + sum(flow[1:], flow[0])
    return bias_integers(bias) if rounds else bias


def driven_by(
    values: Mapping[str, Tensor], synapses: Sequence[TensorSynapses], quanta: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return what values add in each step, ``POPULATION.INPUT``, in order of the synapses.

    In float64 it is that of `neurorl.backends.weights.Currents.drive`.
    """
    driven: dict[str, Tensor] = {}
    for s in (s for s in synapses if s.values_into):
        sent, key = s.transmitted(quanta[s.name]), s.values_into
        smallest, *others = (transmit(part, sent) for part in _parts_of(values[s.pre]))
        added = sum(others, smallest)
        driven[key] = driven[key] + added if key in driven else added
    return driven


def _parts_of(x: Tensor) -> list[Tensor]:
    """Return `parts_of` values, of which the smallest passes the gradient; float32 as it is."""
    if x.dtype != torch.float64:
        return [x]
    parts = torch.from_numpy(parts_of(x.detach().cpu().numpy())).to(x.device)
    return [parts[0] + (x - x.detach()), *parts[1:]]


def transmit(x: Tensor, weight: Sent) -> Tensor:
    """Return ``q_j = sum_i x_i w_ij``.

    x: spikes or activations ``(n_replicas, [n_steps,] batch, n_pre)``.
    weight: what `Synapses.transmitted` returns.
    """
    rows = x.reshape(len(x), -1, x.shape[-1])
    if isinstance(weight, Listed):
        q = weight.arriving(rows)
    elif weight.dim() == 4:
        q = _in_blocks(rows, weight)
    else:  # for one replica, plain `mm` is quicker
        one = len(weight) == 1
        q = torch.mm(rows[0], weight[0]) if one else torch.bmm(rows, weight)
    return q.view(*x.shape[:-1], q.shape[-1])


def _in_blocks(rows: Tensor, weight: Tensor) -> Tensor:
    """Return the products of blocks, ``(n_replicas, rows, n_post of all blocks)``."""
    n_pre, n_post = weight.shape[-2:]
    split = rows.view(*rows.shape[:2], -1, n_pre)
    if n_post == 1:
        return (split * weight.flatten(2).unsqueeze(1)).sum(dim=-1)
    q = torch.matmul(split.transpose(1, 2), weight)  # (n_replicas, blocks, rows, n_post)
    return q.transpose(1, 2).flatten(2)


class SynapticModule(nn.Module):
    """Hold the synapses of a network as parameters and buffers.

    network: the description. synapses: by projection. has_replicas: whether weights that users
    read and write have an axis of replicas.
    """

    network: Network
    synapses: nn.ModuleDict
    has_replicas: bool

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """Return the weights that learn; warn if there are none, as an optimizer needs some."""
        if not any(p.plasticity is not None for p in self.network.projections):
            what, remedy = "no parameters", "let projections learn: plasticity=Plasticity()"
            warn_of(UserWarning, "module", what, remedy=remedy)
        return super().parameters(recurse)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Let weights learn, or none; a module that only runs needs no parameters for that."""
        for _, parameter in self.named_parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def weight(self, name: str) -> Tensor:
        """Return a projection's weights, ``(n_replicas, *shape)``: a parameter if it is plastic."""
        return self._known(name).weight

    def weights(self, name: str) -> FloatArray:
        """Return a copy of a projection's effective weights, 0 where masked.

        Shape ``([n_replicas,] *shape)``.
        """
        with torch.no_grad():
            weights = self._known(name).in_force().detach().cpu().double().numpy().copy()
        return weights if self.has_replicas else weights[0]

    def set_weights(self, name: str, weights: npt.ArrayLike) -> None:
        """Overwrite a projection's weights, ``([n_replicas,] *shape)``.

        Raises ArgumentError for a wrong shape.
        """
        weight = self._known(name).weight
        values = np.asarray(weights, dtype=np.float64)
        shape = tuple(weight.shape if self.has_replicas else weight.shape[1:])
        if values.shape != shape:
            where = f"weights of {name!r}"
            raise ArgumentError(where, "wrong shape", got=values.shape, limit=shape)
        with torch.no_grad():
            weight.copy_(torch.from_numpy(values.reshape(weight.shape)))

    def write_to(self, backend: Backend) -> None:
        """Write all weights to a backend of the same network, which rounds them."""
        for name in self.synapses:
            backend.set_weights(name, self.weights(name))

    @torch.no_grad()
    def clip(self) -> None:
        """Clip plastic weights to the bounds of their `Plasticity`, in place."""
        for synapses in self._all_synapses():
            if synapses.bounds is not None:
                synapses.weight.clamp_(*synapses.bounds)

    def _known(self, name: str) -> TensorSynapses:
        """Return a projection's synapses; raise UnknownNameError if there is no such projection."""
        check_name("projection", name, self.synapses)
        synapses = self.synapses[name]
        assert isinstance(synapses, TensorSynapses)
        return synapses

    def _all_synapses(self) -> list[TensorSynapses]:
        """Return the synapses of all projections."""
        return [self._known(name) for name in self.synapses]
