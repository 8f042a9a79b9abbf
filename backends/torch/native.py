"""``src/cells.cpp`` by ctypes: a population over a window in one pass, forward and back.

Tensors of a window are ``(n_replicas, n_steps, batch, size)``, those of a step without the axis of
steps. Both ways may be run in parts, from step to step: what is carried stays in place.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from neurorl.backends.torch.noise import logistic_table
from neurorl.backends.torch.state import Carried
from neurorl.native.build import compiled

__all__ = [
    "CONCRETE",
    "FORCED",
    "HARD",
    "RELAXED",
    "SLOPE",
    "Constants",
    "How",
    "Window",
    "WindowGradient",
]

FORCED, HARD, SLOPE, CONCRETE, RELAXED = range(5)

_INT, _REAL, _POINTER = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p


@dataclass(frozen=True)
class Constants:
    """Of a population, ``(size,)`` each, as in `neurorl.backends.torch.cells.Cells`.

    dead: ``(longest, size)``, 1 for steps after a spike that are; None for none. has_membrane:
    whether a voltage lasts. detach_reset: whether resets and dead steps are constants on the way
    back. registers: of the chip, half of what its current and its state hold, and the largest
    voltage; None in float arithmetic.
    """

    current_decay: Tensor
    membrane_decay: Tensor
    threshold: Tensor
    noise_width: Tensor
    width: Tensor
    dead: Tensor | None
    has_membrane: bool
    detach_reset: bool
    registers: tuple[float, float, float] | None = None

    @property
    def through_reset(self) -> bool:
        return self.has_membrane and not self.detach_reset

    @property
    def through_dead(self) -> bool:
        return self.dead is not None and not self.detach_reset

    def tensors(self) -> dict[str, Tensor]:
        return {k: v for k, v in vars(self).items() if isinstance(v, Tensor)}


@dataclass(frozen=True)
class How:
    """kind: of spikes, as the C++ has them. learns: whether there is a way back."""

    kind: int
    temperature: float = 1.0
    learns: bool = True


class Window:
    """A population's way through a window. spikes: given, if they are forced."""

    def __init__(
        self,
        constants: Constants,
        how: How,
        q: Tensor,
        bias: Tensor,
        carried: Carried,
        noise: Tensor | None = None,
        spikes: Tensor | None = None,
    ) -> None:
        self.constants = constants
        self.q, self.bias = _in_rows(q), bias.contiguous()
        self.spikes = q.new_empty(q.shape) if spikes is None else spikes.contiguous()
        self.u, self.v, self.blocked = (_copy(x) for x in vars(carried).values())
        self.kept = {k: torch.empty_like(self.spikes) for k in _kept(constants, how)}
        self._held = constants.tensors() | _draws(noise, q)
        self._structure = _Cells(kind=how.kind, temperature=how.temperature)
        self._structure.describe(constants, self.spikes.shape, self.bias)
        self._structure.point(self._held | self.kept | {"bias": self.bias, "q": self.q})
        self._structure.point({"spikes": self.spikes})
        for name in ("u", "v", "blocked"):
            pointer = getattr(self, name).data_ptr()
            setattr(self._structure, name, pointer)
            setattr(self._structure, f"{name}_after", pointer)
        self._structure.q_strides = _Strides.of(self.q)
        self._structure.strides = _Strides.of(self.spikes)
        self._is_double = q.dtype == torch.float64
        self._call = _library().neurorl_cells_forward

    def run(self, first: int = 0, end: int | None = None) -> None:
        """Steps *first* to *end*, all if None."""
        self._structure.first_step = first
        self._structure.end_step = self.spikes.shape[1] if end is None else end
        self._call(ctypes.byref(self._structure), self._is_double)

    def after(self) -> Carried:
        return Carried(self.u, self.v, self.blocked)


class WindowGradient:
    """The way back through a `Window`, of which bias, spikes and what it kept are needed.

    to_spikes, to_membrane: gradients by those of the window. to_after: by what is carried, None
    each if nothing has come back.
    """

    def __init__(
        self,
        constants: Constants,
        bias: Tensor,
        spikes: Tensor,
        kept: Mapping[str, Tensor],
        to_after: tuple[Tensor | None, Tensor | None, Tensor | None] = (None, None, None),
        to_spikes: Tensor | None = None,
        to_membrane: Tensor | None = None,
    ) -> None:
        self._held = {"bias": bias, "spikes": spikes, **constants.tensors(), **kept}
        self._structure = _Cells()
        self._structure.describe(constants, spikes.shape, bias)
        self._structure.through_reset = "membrane" in kept
        self._structure.point(self._held)
        self._structure.q_strides = self._structure.strides = _Strides.of(spikes)
        row = spikes[:, 0]
        dead = spikes.new_empty(self._structure.longest, *row.shape)
        like = {"u": row, "v": row, "blocked": dead}
        self.found = {"q": torch.empty_like(spikes), "bias": torch.zeros_like(bias)}
        for (name, x), come in zip(like.items(), to_after, strict=True):
            self.found[name] = torch.zeros_like(x) if come is None else _copy(come)
        self._gradients = _Gradients()
        for name, x in self.found.items():
            setattr(self._gradients, name, x.data_ptr())
        for name in like:
            setattr(self._gradients, f"{name}_after", self.found[name].data_ptr())
        self._come = {"spikes": to_spikes, "membrane": to_membrane}
        for name, come in self._come.items():
            if come is not None:
                self._come[name] = come = _in_rows(come)
                setattr(self._gradients, name, come.data_ptr())
                setattr(self._gradients, f"{name}_strides", _Strides.of(come))
        self._steps = spikes.shape[1]
        self._is_double = spikes.dtype == torch.float64
        self._call = _library().neurorl_cells_backward

    def run(self, first: int = 0, end: int | None = None) -> None:
        """Steps *end* to *first*, all if None."""
        self._structure.first_step = first
        self._structure.end_step = self._steps if end is None else end
        self._call(ctypes.byref(self._structure), ctypes.byref(self._gradients), self._is_double)


def _kept(constants: Constants, how: How) -> list[str]:
    """What the way back needs of each step, and what a replay is for."""
    if how.kind == FORCED:
        found = ["membrane"]
    elif how.kind == HARD:
        found = []
    else:
        found = ["slope"] + (["membrane"] if constants.through_reset else [])
        found += ["wish", "drive"] if constants.through_dead else []
    if how.learns or how.kind == FORCED:
        found += ["alive"] if constants.dead is not None else []
        found += ["inside"] if constants.registers is not None else []
    return found


def _draws(noise: Tensor | None, q: Tensor) -> dict[str, Tensor]:
    if noise is None:
        return {}
    if noise.dtype == torch.int16:
        return {"words": noise.contiguous(), "table": logistic_table(q.dtype, q.device)}
    return {"noise": noise.contiguous()}


class _Strides(ctypes.Structure):
    """In elements; the last axis has a stride of 1."""

    _fields_: ClassVar[Any] = [("replica", _INT), ("step", _INT), ("environment", _INT)]

    @classmethod
    def of(cls, x: Tensor) -> _Strides:
        return cls(x.stride(0), x.stride(1), x.stride(2))


class _Cells(ctypes.Structure):
    _fields_: ClassVar[Any] = [
        *((name, _INT) for name in ("n_replicas", "first_step", "end_step", "batch", "size")),
        *((name, _INT) for name in ("bias_rows", "kind", "through_reset", "is_chip", "longest")),
        *((n, _REAL) for n in ("temperature", "current_half", "state_half", "voltage_max")),
        *((name, _POINTER) for name in ("current_decay", "membrane_decay", "threshold")),
        *((name, _POINTER) for name in ("noise_width", "width", "table", "dead")),
        *((name, _POINTER) for name in ("bias", "u", "v", "blocked", "words", "noise", "q")),
        ("q_strides", _Strides),
        ("strides", _Strides),
        *((name, _POINTER) for name in ("spikes", "slope", "membrane", "alive", "wish", "drive")),
        *((name, _POINTER) for name in ("inside", "u_after", "v_after", "blocked_after")),
    ]

    def describe(self, constants: Constants, shape: torch.Size, bias: Tensor) -> None:
        """What is known without any tensor; shape: of windows."""
        self.n_replicas, _, self.batch, self.size = shape
        self.bias_rows = bias.numel() // self.size
        self.longest = 0 if constants.dead is None else len(constants.dead)
        if constants.registers is not None:
            self.is_chip = 1
            self.current_half, self.state_half, self.voltage_max = constants.registers

    def point(self, tensors: Mapping[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            setattr(self, name, tensor.data_ptr())


class _Gradients(ctypes.Structure):
    _fields_: ClassVar[Any] = [
        ("spikes", _POINTER),
        ("membrane", _POINTER),
        ("spikes_strides", _Strides),
        ("membrane_strides", _Strides),
        *((name, _POINTER) for name in ("u_after", "v_after", "blocked_after")),
        *((name, _POINTER) for name in ("q", "bias", "u", "v", "blocked")),
    ]


@functools.cache
def _library() -> ctypes.CDLL:
    source = Path(__file__).parent / "src" / "cells.cpp"
    library = compiled(source, "backend torch", "take engine='eager'")
    for function in (library.neurorl_cells_forward, library.neurorl_cells_backward):
        function.restype = None
    return library


def _copy(x: Tensor) -> Tensor:
    return x.clone(memory_format=torch.contiguous_format)


def _in_rows(x: Tensor) -> Tensor:
    """*x*, or a copy whose last axis is in order."""
    return x if x.stride(-1) == 1 else x.contiguous()
