"""Run the statements of a node over a window on tensors, with gradients through its spikes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from neurorl.backends.torch.estimators import Estimator, Score
from neurorl.backends.torch.inputs import Carried, logistic
from neurorl.backends.torch.statements import (
    Crossing,
    TensorSource,
    WindowKernel,
    is_memoryless,
    without_zeros,
)
from neurorl.errors import UnsupportedError
from neurorl.numerics.arrays import Array
from neurorl.program import NodeProgram

Tensors = Mapping[str, Tensor]


class Emitted(NamedTuple):
    """Hold what a node did in a window, ``(n_replicas, n_steps, batch, size)``, and its state then.

    spikes: 0 and 1, between for relaxed ones. released: by variable, what spikes released, 0
    without one.
    """

    spikes: Tensor
    released: dict[str, Tensor]
    carried: Carried


@dataclass(frozen=True)
class Firing:
    """Hold how spikes pass gradients: the functions that statements of `TensorSource` call.

    width: of the noise, or of the sigmoid that stands for a step without noise.
    detaches: whether resets are constants in the backward pass. offset: what rounded noise takes
    off the logits of spikes that are given, which go to *replayed* with who was alive.
    """

    estimator: Estimator
    width: Tensor
    detaches: bool
    offset: float = 0.0
    replayed: list[tuple[Tensor, Tensor | None]] = field(default_factory=list)

    def spikes(
        self,
        alive: Tensor | None,
        left: Tensor,
        right: Tensor,
        noise: Tensor | None,
        exact: Tensor | None,
        given: Tensor | None,
    ) -> Tensor:
        """Return the spikes of a threshold, see `Crossing`, unless they are given.

        alive: 0 in dead steps, else 1; None: there are none.
        """
        if given is not None:
            self.replayed.append(((left - right - self.offset) / self.width, alive))
            return given
        s = self.estimator(left, right, self.width, noise)
        if exact is not None and self.estimator.is_hard:
            s = s + (exact.to(s.dtype) - s).detach()
        return s if alive is None else s * alive

    def plain(self, alive: Tensor | None, condition: Tensor) -> Tensor:
        """Return the spikes of any condition, without gradients."""
        s = condition.to(self.width.dtype)
        return s if alive is None else s * alive

    def cleared(self, spikes: Tensor, before: Tensor) -> Tensor:
        """Return *before*, 0 where there is a spike."""
        return before * (1.0 - (spikes.detach() if self.detaches else spikes))

    def reset(
        self, spikes: Tensor, new: Tensor, before: Tensor, detaches: bool | None = None
    ) -> Tensor:
        """Return *new* where there is a spike, or as far as there is a relaxed one, else *before*.

        detaches: in place of that of all.
        """
        detaches = self.detaches if detaches is None else detaches
        part = spikes.detach() if detaches else spikes
        if not self.estimator.is_hard:
            return before + part * (new - before)
        value = torch.where(spikes > 0, new, before)
        if part.requires_grad:
            value = value + (part - part.detach()) * (new - before).detach()
        return value


class TensorNode(nn.Module):
    """Run a node in all replicas and environments.

    node: of one replica. dtype: of all tensors. surrogate_width, detach_reset: as of
    `neurorl.backends.torch.SpikingModule`. compiles: whether windows without gradients run in C++,
    see `WindowKernel`. straight: as in `TensorSource`.

    The order of operations is the reference's, so in float64 every bit is the same.
    """

    def __init__(
        self,
        node: NodeProgram,
        dtype: torch.dtype,
        surrogate_width: float = 1.0,
        detach_reset: bool = False,
        compiles: bool = False,
        straight: Mapping[str, Callable[..., Tensor]] = {},
    ) -> None:
        super().__init__()
        self.node, self.dtype = without_zeros(node), dtype
        self.crossing = Crossing.of(node)
        self._source = TensorSource(self.node, self.crossing, dtype, straight)
        self._is_memoryless = is_memoryless(self.node)
        self._detach_reset = detach_reset
        widths = np.zeros(1) if self.crossing is None else self.crossing.widths(node)
        self.is_stochastic = bool((widths > 0).all())
        constants: dict[str, Array]
        constants = {f"constant_{x}": value for x, value in node.constants.items()}
        constants |= {f"start_{x}": value for x, value in node.initial.items()}
        constants["width"] = np.where(widths > 0, widths, surrogate_width)
        steps = np.zeros(1) if node.refractory is None else node.refractory
        constants["dead"] = steps > np.arange(steps.max())[:, None]  # which steps after a spike are
        for name, value in constants.items():
            tensor = torch.tensor(np.asarray(value), dtype=dtype)
            self.register_buffer(name, tensor, persistent=False)
        self._kernel = WindowKernel(self.node, dtype) if compiles else None

    def rest(self, n_replicas: int, batch: int) -> Carried:
        """Return the state at rest."""
        start = self._buffers_of("start_", self.node.initial)
        size = (n_replicas, batch, self.node.size)
        dead = self.get_buffer("dead")
        blocked = dead.new_zeros(n_replicas, len(dead), batch, self.node.size)
        return Carried({x: value.expand(size) for x, value in start.items()}, start, blocked)

    def run(
        self,
        arrived: Tensors,
        bias: Tensor | None,
        carried: Carried,
        noise: Tensor | None,
        estimator: Estimator,
        given: Tensor | None = None,
    ) -> Emitted:
        """Return what the node does in a window.

        arrived: input in every step, ``(n_replicas, n_steps, batch, size)`` by name.
        bias: broadcasts with a step: one for all rows, for each replica, or for each row; None of a
            source.
        carried: the state before the window.
        noise: L in every step, or the words that stand for it (`draw_words`); None for none.
        estimator: how gradients pass through the spikes.
        given: the spikes of a source.
        """
        coming = [*arrived.values(), *([] if given is None else [given])]
        tensors = [*coming, *carried.variables.values(), carried.blocked]
        tensors += [] if bias is None else [bias]
        learns = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
        is_plain = not learns and estimator.is_hard and coming[0].device.type == "cpu"
        dtype = coming[0].dtype
        arrived = {x: q.to(self.dtype) for x, q in arrived.items()}
        noise = None if noise is None else self.draws(noise)
        if self._kernel is not None and is_plain:
            inputs = {f"in_{x}": q for x, q in arrived.items()}
            more = {"given_bias": bias, "given_draw": noise, "given_spikes": given}
            inputs |= {x: value for x, value in more.items() if value is not None}
            constants = self._buffers_of("constant_", self.node.constants)
            emitted = Emitted(*self._kernel.run(constants, inputs, carried, coming[0].shape))
        else:
            self._check(estimator, learns)
            firing = Firing(estimator, self.get_buffer("width"), self._detach_reset)
            forced = None if given is None else given.to(self.dtype)
            emitted = self._run(arrived, bias, carried, noise, firing, forced)
        spikes, released, after = emitted
        return Emitted(spikes.to(dtype), {x: r.to(dtype) for x, r in released.items()}, after)

    def draws(self, noise: Tensor) -> Tensor:
        """Return standard logistic draws, of the same or of the words that stand for them."""
        return logistic(noise, self.dtype) if noise.dtype == torch.int16 else noise.to(self.dtype)

    def replay(
        self, arrived: Tensors, bias: Tensor, carried: Carried, spikes: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Return logits ``(left - right) / width`` for given spikes, and a mask of neurons alive.

        arrived, bias, carried: as in `run`. spikes: the emitted ones.

        The second tensor is 0 in dead steps, else 1; None if the neurons have no refractory period.
        """
        assert self.crossing is not None
        offset = 0.5 if self.crossing.is_rounded else 0.0
        firing = Firing(Score(), self.get_buffer("width"), self._detach_reset, offset)
        coming = {x: q.to(self.dtype) for x, q in arrived.items()}
        self._run(coming, bias, carried, None, firing, spikes.to(self.dtype))
        logits, awake = zip(*firing.replayed, strict=True)
        if self._is_memoryless:
            return logits[0], None
        alive = None if awake[0] is None else torch.stack(awake, dim=1)
        return torch.stack(logits, dim=1), alive

    def released_by(self, spikes: Tensor, carried: Carried) -> dict[str, Tensor]:
        """Return what given spikes of a window release, by variable. carried: the state before."""
        alone = TensorNode(replace(self.node.as_source(), inputs=()), self.dtype).to(spikes.device)
        return alone.run({}, None, carried, None, Score(), spikes).released

    def _run(
        self,
        arrived: Tensors,
        bias: Tensor | None,
        carried: Carried,
        noise: Tensor | None,
        firing: Firing,
        given: Tensor | None,
    ) -> Emitted:
        """Run step by step, or at once what has no memory; arguments as in `run`."""
        constants, step = self._buffers_of("constant_", self.node.constants), self._source.step
        jitter = None if noise is None else self._source.jitter(constants, noise)
        state, blocked, alive = carried.variables, carried.blocked, None
        shape = (*arrived.values(), given)[0].shape  # type: ignore[union-attr]
        if self._is_memoryless:
            in_window = bias if bias is None or bias.dim() == 1 else bias.unsqueeze(1)
            spikes, state, _ = step(
                state, constants, arrived, in_window, jitter, None, firing, given
            )
            state = {x: value.expand(shape)[:, -1] for x, value in state.items()}
            return Emitted(spikes.expand(shape), {}, Carried(state, carried.start, blocked))
        coming = {x: q.unbind(1) for x, q in arrived.items()}  # quicker backwards than indices
        jolts = [None] * shape[1] if jitter is None else jitter.unbind(1)
        forced = [None] * shape[1] if given is None else given.unbind(1)
        series, sent = [], []
        for t in range(shape[1]):
            if self.node.refractory is not None:
                alive = 1.0 - blocked[:, 0]
            now = {x: q[t] for x, q in coming.items()}
            spikes, state, released = step(
                state, constants, now, bias, jolts[t], alive, firing, forced[t]
            )
            series.append(spikes.expand(shape[0], *shape[2:]))
            sent.append(released)
            if alive is not None:
                blocked = self._blocked(series[-1], blocked)
        state = {x: value.expand(shape[0], *shape[2:]) for x, value in state.items()}
        whole = {x: torch.stack([r[x] for r in sent], dim=1) for x in self.node.releases}
        after = Carried(state, carried.start, blocked)
        return Emitted(torch.stack(series, dim=1), whole, after)

    def _blocked(self, s: Tensor, blocked: Tensor) -> Tensor:
        """Return which steps are dead after one with spikes *s*."""
        begun = torch.cat([blocked[:, 1:], torch.zeros_like(blocked[:, :1])], dim=1)
        part = s.detach() if self._detach_reset else s
        return begun + part.unsqueeze(1) * self.get_buffer("dead")[:, None]

    def _check(self, estimator: Estimator, learns: bool) -> None:
        is_plain = estimator.is_hard and (not learns or isinstance(estimator, Score))
        if self.crossing is None and self.node.threshold is not None and not is_plain:
            what, remedy = "gradients need a threshold `left > right`", "or estimator 'score'"
            raise UnsupportedError("neuron", what, remedy=remedy)

    def _buffers_of(self, prefix: str, names: Mapping[str, object]) -> Tensors:
        return {x: self.get_buffer(prefix + x) for x in names}
