"""``src/cells.cpp``: a population over a window in one pass, as autograd calls it.

Tensors of a window are ``(n_replicas, n_steps, batch, size)``.
"""

from __future__ import annotations

import ctypes
import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from neurorl.backends.torch.estimators import Concrete, Estimator, Score, Slope
from neurorl.backends.torch.noise import logistic_table
from neurorl.native.build import compiled

__all__ = ["Constants", "fire", "kind_of", "replay"]

FORCED, HARD, SLOPE, CONCRETE, RELAXED = range(5)

_INT, _POINTER = ctypes.c_int64, ctypes.c_void_p


@dataclass(frozen=True)
class Constants:
    """Of a population, ``(size,)`` each, as in `neurorl.backends.torch.cells.Cells`.

    has_membrane: whether a voltage lasts. through_reset: whether gradients pass through its reset.
    """

    current_decay: Tensor
    membrane_decay: Tensor
    threshold: Tensor
    noise_width: Tensor
    width: Tensor
    has_membrane: bool
    through_reset: bool

    def tensors(self) -> dict[str, Tensor]:
        return {k: v for k, v in vars(self).items() if isinstance(v, Tensor)}


def kind_of(estimator: Estimator) -> int | None:
    """How the C++ has an estimator; None if it doesn't."""
    if type(estimator) is Score:
        return HARD
    if type(estimator) is Slope:
        return SLOPE
    if type(estimator) is Concrete:
        return CONCRETE if estimator.hard else RELAXED
    return None


def fire(
    constants: Constants,
    estimator: Estimator,
    q: Tensor,
    bias: Tensor,
    u: Tensor,
    v: Tensor,
    noise: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes of a window, current and voltage after it; see `Cells.run`."""
    kind = kind_of(estimator)
    learns = torch.is_grad_enabled() and any(x.requires_grad for x in (q, bias, u, v))
    if kind in (SLOPE, CONCRETE) and not learns:
        kind = HARD
    how = kind, getattr(estimator, "temperature", 1.0)
    found: Any = _Fire.apply(q, bias, u, v, noise, constants, how)  # type: ignore[no-untyped-call]
    spikes, u, v = found
    return spikes, u, v


def replay(
    constants: Constants, q: Tensor, bias: Tensor, u: Tensor, v: Tensor, spikes: Tensor
) -> Tensor:
    """Membranes, before their reset, in a window of these spikes."""
    membrane: Tensor = _Replay.apply(q, bias, u, v, spikes, constants)  # type: ignore[no-untyped-call]
    return membrane


class _Fire(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, bias: Tensor, u: Tensor, v: Tensor, *rest: Any) -> Any:
        noise, constants, (kind, temperature) = rest
        into = _inputs(q, bias, u, v)
        if noise is not None and noise.dtype == torch.int16:
            into |= {"words": noise.contiguous(), "table": logistic_table(q.dtype, q.device)}
        elif noise is not None:
            into["noise"] = noise.contiguous()
        made = {"spikes": q.new_empty(q.shape)}
        if kind in (SLOPE, CONCRETE, RELAXED):
            made["slope"] = torch.empty_like(made["spikes"])
            if constants.through_reset:
                made["membrane"] = torch.empty_like(made["spikes"])
        after = {"u_after": torch.empty_like(into["u"]), "v_after": torch.empty_like(into["v"])}
        given = constants.tensors() | into | made | after
        _forward(given, kind, temperature)
        ctx.constants = constants
        ctx.set_materialize_grads(False)
        constant = [made["spikes"]] if kind == HARD else []
        constant += [] if constants.has_membrane else [after["v_after"]]
        ctx.mark_non_differentiable(*constant)
        saved = [given[k] for k in ("bias", "spikes")] + [made.get(k) for k in _SAVED]
        ctx.save_for_backward(*saved)
        return made["spikes"], after["u_after"], after["v_after"]

    @staticmethod
    def backward(ctx: Any, *g: Any) -> Any:
        bias, spikes, slope, membrane = ctx.saved_tensors
        known = {"bias": bias, "spikes": spikes, "slope": slope, "membrane": membrane}
        back = {"spikes": g[0], "u_after": g[1], "v_after": g[2]}
        return *_backward(ctx.constants, known, back), None, None, None


class _Replay(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, bias: Tensor, u: Tensor, v: Tensor, *rest: Any) -> Any:
        spikes, constants = rest
        into = _inputs(q, bias, u, v) | {"spikes": spikes.contiguous()}
        membrane = torch.empty_like(into["spikes"])
        after = {"u_after": torch.empty_like(into["u"]), "v_after": torch.empty_like(into["v"])}
        _forward(constants.tensors() | into | after | {"membrane": membrane}, FORCED, 1.0)
        ctx.constants = constants
        ctx.save_for_backward(into["bias"], into["spikes"])
        return membrane

    @staticmethod
    def backward(ctx: Any, *g: Any) -> Any:
        bias, spikes = ctx.saved_tensors
        known = {"bias": bias, "spikes": spikes, "slope": None, "membrane": None}
        return *_backward(ctx.constants, known, {"membrane": g[0]}), None, None


_SAVED = ("slope", "membrane")


def _inputs(q: Tensor, bias: Tensor, u: Tensor, v: Tensor) -> dict[str, Tensor]:
    whole = {"bias": bias, "u": u, "v": v}
    return {"q": _in_rows(q), **{k: x.contiguous() for k, x in whole.items()}}


def _forward(given: dict[str, Tensor], kind: int, temperature: float) -> None:
    """Fill what is to be found of the tensors, which are called as in the structure."""
    q = given["q"]
    structure = _Cells(kind=kind, temperature=temperature)
    structure.point(given, q.shape)
    structure.q_strides = _Strides.of(q)
    structure.strides = _Strides.of(given["spikes"])
    _library().neurorl_cells_forward(ctypes.byref(structure), q.dtype == torch.float64)


def _backward(
    constants: Constants, known: dict[str, Tensor | None], back: dict[str, Tensor | None]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients by q, bias, u and v; known: of the way forward. back: what has come back."""
    spikes, bias = known["spikes"], known["bias"]
    assert spikes is not None
    assert bias is not None
    structure = _Cells(through_reset=known["membrane"] is not None)
    structure.point(constants.tensors() | known, spikes.shape)
    row = spikes[:, 0]
    found = {
        "q": torch.empty_like(spikes),
        "bias": torch.zeros_like(bias),
        "u": torch.empty_like(row),
        "v": torch.empty_like(row),
    }
    structure.q_strides = structure.strides = _Strides.of(spikes)
    gradients = _Gradients()
    come = {k: _in_rows(x) for k, x in back.items() if x is not None}
    for name in ("u_after", "v_after"):
        if name in come:
            come[name] = come[name].contiguous()
    for name, tensor in (come | found).items():
        setattr(gradients, name, tensor.data_ptr())
    for name in ("spikes", "membrane"):
        if name in come:
            setattr(gradients, f"{name}_strides", _Strides.of(come[name]))
    _library().neurorl_cells_backward(
        ctypes.byref(structure), ctypes.byref(gradients), spikes.dtype == torch.float64
    )
    return found["q"], found["bias"], found["u"], found["v"]


class _Strides(ctypes.Structure):
    """In elements; the last axis has a stride of 1."""

    _fields_: ClassVar[Any] = [("replica", _INT), ("step", _INT), ("environment", _INT)]

    @classmethod
    def of(cls, x: Tensor) -> _Strides:
        return cls(x.stride(0), x.stride(1), x.stride(2))


class _Cells(ctypes.Structure):
    _fields_: ClassVar[Any] = [
        *((name, _INT) for name in ("n_replicas", "n_steps", "batch", "size", "bias_rows")),
        *((name, _INT) for name in ("kind", "through_reset")),
        ("temperature", ctypes.c_double),
        *((name, _POINTER) for name in ("current_decay", "membrane_decay", "threshold")),
        *((name, _POINTER) for name in ("noise_width", "width", "table")),
        *((name, _POINTER) for name in ("bias", "u", "v", "words", "noise", "q")),
        ("q_strides", _Strides),
        ("strides", _Strides),
        *((name, _POINTER) for name in ("spikes", "slope", "membrane", "u_after", "v_after")),
    ]

    def point(self, tensors: dict[str, Any], shape: torch.Size) -> None:
        """To these tensors, of windows of this shape."""
        self.n_replicas, self.n_steps, self.batch, self.size = shape
        self.bias_rows = tensors["bias"].numel() // self.size
        for name, tensor in tensors.items():
            if tensor is not None:
                setattr(self, name, tensor.data_ptr())


class _Gradients(ctypes.Structure):
    _fields_: ClassVar[Any] = [
        ("spikes", _POINTER),
        ("membrane", _POINTER),
        ("spikes_strides", _Strides),
        ("membrane_strides", _Strides),
        *((name, _POINTER) for name in ("u_after", "v_after", "q", "bias", "u", "v")),
    ]


@functools.cache
def _library() -> ctypes.CDLL:
    source = Path(__file__).parent / "src" / "cells.cpp"
    library = compiled(source, "backend torch", "take engine='eager'")
    for function in (library.neurorl_cells_forward, library.neurorl_cells_backward):
        function.restype = None
    return library


def _in_rows(x: Tensor) -> Tensor:
    """*x*, or a copy whose last axis is in order."""
    return x if x.stride(-1) == 1 else x.contiguous()
