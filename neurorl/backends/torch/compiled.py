"""Join `neurorl.backends.torch.native` to autograd: one population over a window in C++."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neurorl.backends.torch.estimators import Concrete, Estimator, Score, Slope
from neurorl.backends.torch.native import Constants, How, Window, WindowGradient
from neurorl.backends.torch.state import Carried
from neurorl.backends.torch.structures import CONCRETE, FORCED, HARD, RELAXED, SLOPE

__all__ = ["constant_outputs", "fire", "how_of", "kind_of", "replay"]


def kind_of(estimator: Estimator) -> int | None:
    """Return the C++ enum value of an estimator's spikes; None if the C++ lacks it."""
    if type(estimator) is Score:
        return HARD
    if type(estimator) is Slope:
        return SLOPE
    if type(estimator) is Concrete:
        return CONCRETE if estimator.hard else RELAXED
    return None


def how_of(estimator: Estimator, *inputs: Tensor) -> How:
    """Return the options of a window in C++.

    estimator: one that the C++ has.
    inputs: tensors that autograd may follow back.
    """
    kind = kind_of(estimator)
    assert kind is not None
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    if kind in (SLOPE, CONCRETE) and not learns:
        kind = HARD
    return How(kind, getattr(estimator, "temperature", 1.0), learns)


def fire(
    constants: Constants,
    estimator: Estimator,
    q: Tensor,
    bias: Tensor,
    carried: Carried,
    noise: Tensor | None,
) -> tuple[Tensor, Carried]:
    """Return the spikes of a window and the state after it; arguments as in `Cells.run`."""
    inputs = (q, bias, carried.u, carried.v, carried.blocked)
    how = how_of(estimator, *inputs)
    outputs: Any = _Fire.apply(*inputs, noise, constants, how)  # type: ignore[no-untyped-call]
    spikes, *after = outputs
    return spikes, Carried(*after)


def replay(
    constants: Constants, q: Tensor, bias: Tensor, carried: Carried, spikes: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Return membranes before their reset for given *spikes*, and a mask of neurons alive.

    Arguments as in `Cells.replay`. The second tensor is 0 in dead steps, else 1; None if the
    neurons have no refractory period.
    """
    inputs = (q, bias, carried.u, carried.v, carried.blocked)
    outputs: Any = _Replay.apply(*inputs, spikes, constants)  # type: ignore[no-untyped-call]
    membrane, alive = outputs
    return membrane, alive


def constant_outputs(window: Window, how: How) -> list[Tensor]:
    """Return the outputs of a window (spikes, and the state after it) that have no gradient."""
    outputs = [window.spikes] if how.kind == HARD else []
    outputs += [] if window.constants.has_membrane else [window.v]
    return outputs + ([] if window.constants.through_dead else [window.blocked])


class _Fire(torch.autograd.Function):
    """Run a window forwards, and its gradient backwards."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Any:
        """Return spikes, current, voltage and dead steps after the window.

        arguments: q, bias, u, v, blocked, noise, constants and how, as in `Window`.
        """
        q, bias, u, v, blocked, noise, constants, how = arguments
        window = Window(constants, how, q, bias, Carried(u, v, blocked), noise)
        window.run()
        ctx.constants = constants
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(*constant_outputs(window, how))
        ctx.names = list(window.kept)
        ctx.save_for_backward(window.bias, window.spikes, *window.kept.values())
        return window.spikes, window.u, window.v, window.blocked

    @staticmethod
    def backward(ctx: Any, *g: Any) -> Any:
        """Return the gradients by q, bias, u, v and blocked; None for other arguments."""
        bias, spikes, *kept = ctx.saved_tensors
        known = dict(zip(ctx.names, kept, strict=True))
        back = WindowGradient(ctx.constants, bias, spikes, known, g[1:], to_spikes=g[0])
        back.run()
        return *(back.found[k] for k in ("q", "bias", "u", "v", "blocked")), None, None, None


class _Replay(torch.autograd.Function):
    """Run a window with given spikes, and its gradient backwards."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Any:
        """Return membranes before their reset, and a mask of neurons alive (None: all).

        arguments: q, bias, u, v, blocked, spikes and constants, as in `Window`.
        """
        q, bias, u, v, blocked, spikes, constants = arguments
        carried = Carried(u, v, blocked)
        window = Window(constants, How(FORCED), q, bias, carried, spikes=spikes)
        window.run()
        membrane, alive = window.kept.pop("membrane"), window.kept.get("alive")
        ctx.constants = constants
        ctx.names = list(window.kept)
        if alive is not None:
            ctx.mark_non_differentiable(alive)
        ctx.save_for_backward(window.bias, window.spikes, *window.kept.values())
        return membrane, alive

    @staticmethod
    def backward(ctx: Any, *g: Any) -> Any:
        """Return the gradients by q, bias, u, v and blocked; None for spikes and constants."""
        bias, spikes, *kept = ctx.saved_tensors
        known = dict(zip(ctx.names, kept, strict=True))
        back = WindowGradient(ctx.constants, bias, spikes, known, to_membrane=g[0])
        back.run()
        return *(back.found[k] for k in ("q", "bias", "u", "v", "blocked")), None, None
