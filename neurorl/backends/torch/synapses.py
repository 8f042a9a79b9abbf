"""Hold a projection's weights, and compute the input that arrives through them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from neurorl.arithmetic.rounding import Rounding
from neurorl.backends.torch import chip
from neurorl.backends.torch.short_term import ShortTerm
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array

__all__ = [
    "Listed",
    "Path",
    "Sent",
    "Synapses",
    "back_to_spikes",
    "back_to_weight",
    "shifted",
    "transmit",
]

_FEW_BLOCKS = 64  # up to so many blocks, one matrix that is mostly 0 is quicker, and ...
_AT_ONCE = 2**22  # products of spikes and weights of a list
_SMALL = 2**15  # ... if blocks lead to one neuron each, only up to so many entries


class Path(NamedTuple):
    """Name synapses that share a delay: those of a projection, or some of a list.

    releasing: their projection, if it has short-term plasticity, else empty.
    """

    name: str
    pre: str
    post: str
    delay: int
    target: str
    releasing: str = ""


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


Sent = Tensor | Listed
"""Hold transmitted weights: a matrix or blocks for each replica, or those of a list."""


class Synapses(nn.Module):
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
        self.delay, self.target = network.delay_steps(name), network.target(projection)
        self.signed = projection.signed
        self.short_term = None
        if projection.short_term is not None:
            self.short_term = ShortTerm(projection.short_term, network.dt, self.delay)
        self.is_current = projection.pre in network.currents
        self._blocks = projection.blocks
        self._rounding = rounding
        # What a spike transmits for each quantum of the weight.
        self._gain = 2.0 if self.signed else 1.0
        if rounding is not None:
            self._gain = rounding.transmitted_unit
        self.bounds = None
        if projection.plasticity is not None:
            self.bounds = (projection.plasticity.low, projection.plasticity.high)
        weight = torch.tensor(np.asarray(weights), dtype=dtype)
        if projection.plasticity is None:
            self.register_buffer("weight", weight)
        else:
            self.weight = nn.Parameter(weight)
        self._n_post, self._parts = network.node(projection.post).size, [(self.delay, "")]
        self._list(network, name)
        mask = projection.mask
        kept = None if mask is None else torch.tensor(np.asarray(mask), dtype=dtype)
        self.register_buffer("mask", kept, persistent=False)

    def in_force(self) -> Tensor:
        """Return the effective weights, 0 where there is no synapse."""
        quanta = self.quanta()
        return quanta if self._rounding is None else quanta * self._rounding.unit

    def quanta(self) -> Tensor:
        """Return the effective weights in units of their grid; unrounded ones as they are."""
        weight = self.weight if self.mask is None else self.weight * self.mask
        return weight if self._rounding is None else chip.quanta(weight, self._rounding)

    def paths(self, quanta: Tensor) -> list[tuple[Path, Sent]]:
        """Return what is transmitted, a path for each delay."""
        whole = self.transmitted(quanta)
        transmitted: list[tuple[Path, Sent]] = []
        for delay, part in self._parts:
            releasing = self.name * (self.short_term is not None)
            path = Path(self.name + part, self.pre, self.post, delay, self.target, releasing)
            sent = whole
            if isinstance(whole, Listed) and part:
                numbers = self.get_buffer(f"numbers{part}")
                sent = Listed(
                    whole.values[:, numbers], whole.pre[numbers], whole.post[numbers], whole.n_post
                )
            transmitted.append((path, sent))
        return transmitted

    def _list(self, network: Network, name: str) -> None:
        """Keep the ends of listed synapses, and the numbers of those of each delay."""
        synapses, delays = network.synapses(name), network.synapse_delays(name)
        self._is_listed = synapses is not None
        if synapses is None:
            return
        buffers: dict[str, Array] = {"pre_of": synapses.pre, "post_of": synapses.post}
        if delays is not None:
            steps = np.unique(delays)
            self._parts = [(int(d), f"_{d}") for d in steps]
            buffers |= {f"numbers_{d}": np.flatnonzero(delays == d) for d in steps}
        for key, numbers in buffers.items():
            tensor = torch.tensor(np.asarray(numbers, dtype=np.int64))
            self.register_buffer(key, tensor, persistent=False)

    def transmitted(self, quanta: Tensor) -> Sent:
        """Return transmitted weights, in the shape that `transmit` takes and in membrane units.

        They are twice the effective weights if the projection is signed, else the weights.
        Few blocks become one matrix with 0 between blocks, as one product is quicker than one for
        each block; large blocks that lead to one neuron each are quicker as sums.
        """
        weight = quanta if self._gain == 1.0 else self._gain * quanta
        if self._is_listed:
            return Listed(
                weight, self.get_buffer("pre_of"), self.get_buffer("post_of"), self._n_post
            )
        n_pre, n_post = weight.shape[-2:]
        is_large = n_post == 1 and self._blocks**2 * n_pre > _SMALL
        if not 1 < self._blocks <= _FEW_BLOCKS or is_large:
            return weight
        apart = torch.eye(self._blocks, dtype=weight.dtype, device=weight.device)
        spread = weight.unsqueeze(3) * apart[:, None, :, None]
        return spread.flatten(3, 4).flatten(1, 2)

    def offset(self, quanta: Tensor) -> Tensor:
        """Return the input of silent signed units, ``-sum_i w_ij``, ``(n_replicas, 1, n)``."""
        if self._is_listed:
            none = quanta.new_zeros(len(quanta), self._n_post)
            total = none.index_add(1, self.get_buffer("post_of"), quanta)
        else:
            total = quanta.sum(dim=-2).flatten(1)
        offset = (-0.5 * self._gain) * total.unsqueeze(1)
        return offset if self._rounding is None else chip.truncated(offset)


def transmit(x: Tensor, weight: Sent) -> Tensor:
    """Return ``q_j = sum_i x_i w_ij``.

    x: spikes or activations ``(n_replicas, [n_steps,] batch, n_pre)``.
    weight: what `Synapses.transmitted` returns.
    """
    rows = x.reshape(len(x), -1, x.shape[-1])
    if isinstance(weight, Listed):
        q = weight.arriving(rows)
        return q.view(*x.shape[:-1], q.shape[-1])
    q = _in_blocks(rows, weight) if weight.dim() == 4 else _product(rows, weight)
    return q.view(*x.shape[:-1], q.shape[-1])


def back_to_spikes(weight: Tensor, to_q: Tensor) -> Tensor:
    """Return the gradient of `transmit` by x, for the gradient *to_q* by q."""
    if weight.dim() == 3:
        rows = to_q.reshape(len(weight), -1, to_q.shape[-1])
        return _product(rows, weight.transpose(1, 2)).view(*to_q.shape[:-1], weight.shape[1])
    x = to_q.new_zeros(*to_q.shape[:-1], weight.shape[1] * weight.shape[2], requires_grad=True)
    with torch.enable_grad():
        return torch.autograd.grad(transmit(x, weight.detach()), x, to_q)[0]


def back_to_weight(x: Tensor, weight: Tensor, to_q: Tensor) -> Tensor:
    """Return the gradient of `transmit` by *weight*, for the gradient *to_q* by q."""
    if weight.dim() == 3:
        rows = x.reshape(len(weight), -1, x.shape[-1])
        return _product(rows.transpose(1, 2), to_q.reshape(*rows.shape[:2], -1))
    leaf = weight.detach().requires_grad_()
    with torch.enable_grad():
        return torch.autograd.grad(transmit(x.detach(), leaf), leaf, to_q)[0]


def shifted(past: Tensor, now: Tensor, delay: int) -> Tensor:
    """Return the values *delay* steps before each step of a window; steps are axis 1.

    past: what was before the window, newest last, *delay* steps or more.
    now: what is in the window.
    """
    n_steps, kept = now.shape[1], past.shape[1]
    first = kept - delay
    if delay >= n_steps:
        return past[:, first : first + n_steps]
    return torch.cat([past[:, first:], now[:, : n_steps - delay]], dim=1)


def _product(rows: Tensor, weight: Tensor) -> Tensor:
    """Return a matrix product for each replica; for one replica, plain `mm` is quicker."""
    if len(weight) == 1:
        return torch.mm(rows[0], weight[0]).unsqueeze(0)
    return torch.bmm(rows, weight)


def _in_blocks(rows: Tensor, weight: Tensor) -> Tensor:
    """Return the products of blocks, ``(n_replicas, rows, n_post of all blocks)``."""
    n_pre, n_post = weight.shape[-2:]
    if n_pre == 1 and n_post == 1:
        return rows * weight.flatten(1).unsqueeze(1)
    split = rows.view(*rows.shape[:2], -1, n_pre)
    if n_post == 1:
        return (split * weight.flatten(2).unsqueeze(1)).sum(dim=-1)
    q = torch.matmul(split.transpose(1, 2), weight)  # (n_replicas, blocks, rows, n_post)
    return q.transpose(1, 2).flatten(2)
