"""Run populations that lead to one another over a window in C++, with autograd.

In each step, torch multiplies the spikes of earlier steps by the weights, and
`neurorl.backends.torch.native` does the rest. Backwards, the gradient by weights is one
product over the whole window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurorl.backends.torch.compiled import constant_outputs, how_of
from neurorl.backends.torch.estimators import Estimator
from neurorl.backends.torch.native import Constants, How, Window, WindowGradient
from neurorl.backends.torch.state import Carried
from neurorl.backends.torch.structures import HARD
from neurorl.backends.torch.synapses import back_to_spikes, back_to_weight, shifted, transmit

__all__ = ["Inner", "Member", "fire_together"]


@dataclass(frozen=True)
class Member:
    """Hold the arguments of one population of the group for a window.

    constants, bias, carried, noise: as in `native.Window`.
    q: input from outside the group, in every step.
    past: its spikes before the window, newest last.
    """

    constants: Constants
    q: Tensor
    bias: Tensor
    carried: Carried
    past: Tensor
    noise: Tensor | None

    def tensors(self) -> list[Tensor]:
        """Return the tensors that may have a gradient."""
        c = self.carried
        return [self.q, self.bias, c.u, c.v, c.blocked, self.past]


@dataclass(frozen=True)
class Inner:
    """Name a projection within the group.

    pre, post: indices of the members.
    delay: in steps, 1 at least.
    """

    pre: int
    post: int
    delay: int


def fire_together(
    members: Sequence[Member],
    inner: Sequence[Inner],
    weights: Sequence[Tensor],
    estimator: Estimator,
) -> list[tuple[Tensor, Carried]]:
    """Return the spikes of a window and the state after it, of each member.

    members: the populations of the group.
    inner: the projections among them.
    weights: the transmitted weights of each of *inner*.
    estimator: one that the C++ implements.
    """
    tensors = [x for m in members for x in m.tensors()] + [*weights]
    how = how_of(estimator, *tensors)
    outputs: Any = _Together.apply(members, inner, how, *tensors)  # type: ignore[no-untyped-call]
    each = [outputs[k : k + 4] for k in range(0, len(outputs), 4)]
    return [(spikes, Carried(*after)) for spikes, *after in each]


class _Together(torch.autograd.Function):
    """Run a group forwards through a window, and its gradient backwards."""

    @staticmethod
    def forward(
        ctx: Any, members: list[Member], inner: list[Inner], how: How, *tensors: Tensor
    ) -> Any:
        """Return spikes, current, voltage and dead steps after the window, member by member."""
        saved = list(tensors[len(tensors) - len(inner) :])  # weights
        windows = [
            Window(m.constants, how, m.q.clone(), m.bias, m.carried, m.noise) for m in members
        ]
        _advance(windows, members, inner, saved)
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*(x for w in windows for x in constant_outputs(w, how)))
        ctx.how, ctx.constants, ctx.inner = how, [m.constants for m in members], inner
        ctx.parts = []
        for window, member in zip(windows, members, strict=True):
            ctx.parts.append((len(saved), list(window.kept)))
            saved += [window.bias, window.spikes, member.past, *window.kept.values()]
        ctx.save_for_backward(*saved)
        return tuple(x for w in windows for x in (w.spikes, w.u, w.v, w.blocked))

    @staticmethod
    def backward(ctx: Any, *g: Any) -> Any:
        """Return the gradients by each member's tensors, then by the weights."""
        saved = ctx.saved_tensors
        weights = saved[: len(ctx.inner)]
        backs = []
        for k, (constants, (first, names)) in enumerate(zip(ctx.constants, ctx.parts, strict=True)):
            bias, spikes, past = saved[first : first + 3]
            kept = dict(zip(names, saved[first + 3 : first + 3 + len(names)], strict=True))
            come = g[4 * k : 4 * k + 4]
            backs.append(_Back(constants, bias, spikes, past, kept, come))
        _return(backs, ctx.inner, weights, ctx.how)
        of_members = [x for back in backs for x in back.found()]
        of_weights = [_to_weight(backs, *x) for x in zip(ctx.inner, weights, strict=True)]
        return None, None, None, *of_members, *of_weights


class _Back:
    """Hold a member in the backward pass.

    to_spikes, to_past: gradients so far by its spikes in and before the window.
    """

    def __init__(
        self,
        constants: Constants,
        bias: Tensor,
        spikes: Tensor,
        past: Tensor,
        kept: dict[str, Tensor],
        come: Sequence[Tensor | None],
    ) -> None:
        to_spikes, *to_after = come
        self.spikes, self.past = spikes, past
        self.to_spikes = torch.zeros_like(spikes)
        if to_spikes is not None:
            self.to_spikes.copy_(to_spikes)
        self.to_past = torch.zeros_like(past)
        u, v, blocked = to_after
        self.window = WindowGradient(
            constants, bias, spikes, kept, (u, v, blocked), to_spikes=self.to_spikes
        )

    def found(self) -> list[Tensor]:
        """Return the gradients in the order of `Member.tensors`."""
        return [*self.window.found.values(), self.to_past]


def _advance(
    windows: list[Window],
    members: Sequence[Member],
    inner: Sequence[Inner],
    weights: Sequence[Tensor],
) -> None:
    """Run all members step by step, adding input from within the group to theirs."""
    drives = [w.q.unbind(1) for w in windows]
    series = [
        [*m.past.unbind(1), *w.spikes.unbind(1)] for w, m in zip(windows, members, strict=True)
    ]
    kept = [m.past.shape[1] for m in members]
    for t in range(len(drives[0])):
        for s, weight in zip(inner, weights, strict=True):
            arrived = series[s.pre][kept[s.pre] + t - s.delay]
            drives[s.post][t].add_(transmit(arrived, weight))
        for window in windows:
            window.run(t, t + 1)


def _return(
    backs: list[_Back], inner: Sequence[Inner], weights: Sequence[Tensor], how: How
) -> None:
    """Run all members backwards step by step, for all gradients except those by weights."""
    drives = [back.window.found["q"].unbind(1) for back in backs]
    series = [[*back.to_past.unbind(1), *back.to_spikes.unbind(1)] for back in backs]
    kept = [back.past.shape[1] for back in backs]
    last_first = list(zip(inner, weights, strict=True))[::-1]
    for t in reversed(range(len(drives[0]))):
        for back in backs:
            back.window.run(t, t + 1)
        for s, weight in last_first:
            if how.kind == HARD and t >= s.delay:
                continue  # no gradient passes through a hard spike; those before the window may
            to_x = back_to_spikes(weight, drives[s.post][t])
            series[s.pre][kept[s.pre] + t - s.delay].add_(to_x)


def _to_weight(backs: list[_Back], s: Inner, weight: Tensor) -> Tensor:
    """Return the gradient by the weights of one projection of the group."""
    pre, post = backs[s.pre], backs[s.post]
    arrived = shifted(pre.past, pre.spikes, s.delay)
    return back_to_weight(arrived, weight, post.window.found["q"])
