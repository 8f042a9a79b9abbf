"""Call ``src/cells.cpp`` by ctypes: a population over a window, forwards and backwards.

Tensors of a window are ``(n_replicas, n_steps, batch, size)``, those of a step lack the axis of
steps. Both directions may be run in parts, from step to step: what is carried stays in place.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from neurorl.backends.torch.noise import logistic_table
from neurorl.backends.torch.state import Carried
from neurorl.backends.torch.structures import (
    ALL,
    FORCED,
    HARD,
    SPIKES,
    Cells,
    Gradients,
    Strides,
)
from neurorl.native import SOURCES
from neurorl.native.build import CppSource, compiled
from neurorl.native.layout import asserted

__all__ = ["SOURCE", "Constants", "How", "Window", "WindowGradient", "library"]

SOURCE = CppSource(
    '#include "cells.cpp"\n' + asserted(ALL, SPIKES), (SOURCES, Path(__file__).parent / "src")
)


@dataclass(frozen=True)
class Constants:
    """Hold the constants of a population, ``(size,)`` each.

    Those not listed are as in `neurorl.backends.torch.cells.Cells`.

    dead: ``(longest, size)``, 1 for steps after a spike that are dead; None if there are none.
    has_membrane: whether a voltage lasts beyond its step.
    detach_reset: whether resets and dead steps are constants in the backward pass.
    registers: half the range of the chip's register of inputs, half that of its register of state,
        and the largest voltage; None in float arithmetic.
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
        """Return whether gradients pass through resets."""
        return self.has_membrane and not self.detach_reset

    @property
    def through_dead(self) -> bool:
        """Return whether gradients pass through dead steps."""
        return self.dead is not None and not self.detach_reset

    def tensors(self) -> dict[str, Tensor]:
        """Return the constants that are tensors, by name."""
        return {k: v for k, v in vars(self).items() if isinstance(v, Tensor)}


@dataclass(frozen=True)
class How:
    """Hold the options of a window in C++.

    kind: value of the C++ enum Kind, the kind of spikes.
    temperature: of `Concrete` spikes.
    learns: whether to record for the backward pass.
    """

    kind: int
    temperature: float = 1.0
    learns: bool = True


class Window:
    """Run a population forwards through a window.

    constants, how: parameters and options for the C++.
    q: input in every step.
    bias: ``(size,)``, or a row for each replica, or one for each replica and environment.
    carried: the state before the window; copied.
    noise: standard logistic draws, or the words that stand for them; None for none.
    spikes: the raster to force; None to emit spikes.

    spikes, u, v, blocked: spikes of the window, and the state after it.
    kept: recordings for the backward pass, by name.
    """

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
        # The structure has only addresses; the tensors must stay alive as long as it.
        self._held = constants.tensors() | _draws(noise, q)
        self._structure = Cells(kind=how.kind, temperature=how.temperature)
        _describe(self._structure, constants, self.spikes.shape, self.bias)
        self._structure.point(self._held | self.kept | {"bias": self.bias, "q": self.q})
        self._structure.point({"spikes": self.spikes})
        for name in ("u", "v", "blocked"):
            pointer = getattr(self, name).data_ptr()
            setattr(self._structure, name, pointer)
            setattr(self._structure, f"{name}_after", pointer)
        self._structure.q_strides = Strides.of(self.q)
        self._structure.strides = Strides.of(self.spikes)
        self._is_double = q.dtype == torch.float64
        self._call = library().neurorl_cells_forward

    def run(self, first: int = 0, end: int | None = None) -> None:
        """Run the steps ``first <= t < end``; to the last step if *end* is None."""
        self._structure.first_step = first
        self._structure.end_step = self.spikes.shape[1] if end is None else end
        self._call(ctypes.byref(self._structure), self._is_double)

    def after(self) -> Carried:
        """Return the state after the steps that were run."""
        return Carried(self.u, self.v, self.blocked)


class WindowGradient:
    """Run backwards through a `Window`, by its bias, spikes and recordings.

    kept: the recordings of `Window.kept`.
    to_after: gradients by current, voltage and dead steps after the window; None for 0.
    to_spikes, to_membrane: gradients by the window's spikes and membranes; None for 0.

    found: gradients by q, bias, u, v and blocked, by name; complete once all steps were run.
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
        self._structure = Cells()
        _describe(self._structure, constants, spikes.shape, bias)
        self._structure.through_reset = "membrane" in kept
        self._structure.point(self._held)
        self._structure.q_strides = self._structure.strides = Strides.of(spikes)
        row = spikes[:, 0]
        dead = spikes.new_empty(self._structure.longest, *row.shape)
        like = {"u": row, "v": row, "blocked": dead}
        self.found = {"q": torch.empty_like(spikes), "bias": torch.zeros_like(bias)}
        for (name, x), come in zip(like.items(), to_after, strict=True):
            self.found[name] = torch.zeros_like(x) if come is None else _copy(come)
        self._gradients = Gradients()
        for name, x in self.found.items():
            setattr(self._gradients, name, x.data_ptr())
        for name in like:
            setattr(self._gradients, f"{name}_after", self.found[name].data_ptr())
        self._come = {"spikes": to_spikes, "membrane": to_membrane}
        for name, come in self._come.items():
            if come is not None:
                self._come[name] = come = _in_rows(come)
                setattr(self._gradients, name, come.data_ptr())
                setattr(self._gradients, f"{name}_strides", Strides.of(come))
        self._steps = spikes.shape[1]
        self._is_double = spikes.dtype == torch.float64
        self._call = library().neurorl_cells_backward

    def run(self, first: int = 0, end: int | None = None) -> None:
        """Run the steps ``first <= t < end`` backwards; from the last step if *end* is None."""
        self._structure.first_step = first
        self._structure.end_step = self._steps if end is None else end
        self._call(ctypes.byref(self._structure), ctypes.byref(self._gradients), self._is_double)


def _kept(constants: Constants, how: How) -> list[str]:
    """Return the names of a window's recordings, for the backward pass or a replay."""
    if how.kind == FORCED:
        names = ["membrane"]
    elif how.kind == HARD:
        names = []
    else:
        names = ["slope"] + (["membrane"] if constants.through_reset else [])
        names += ["wish", "drive"] if constants.through_dead else []
    if how.learns or how.kind == FORCED:
        names += ["alive"] if constants.dead is not None else []
        names += ["inside"] if constants.registers is not None else []
    return names


def _draws(noise: Tensor | None, q: Tensor) -> dict[str, Tensor]:
    """Return the noise under the names of the C++ structure."""
    if noise is None:
        return {}
    if noise.dtype == torch.int16:
        return {"words": noise.contiguous(), "table": logistic_table(q.dtype, q.device)}
    return {"noise": noise.contiguous()}


def _describe(cells: Cells, constants: Constants, shape: torch.Size, bias: Tensor) -> None:
    """Fill in everything but addresses; shape: of the window's tensors."""
    cells.n_replicas, _, cells.batch, cells.size = shape
    cells.bias_rows = bias.numel() // cells.size
    cells.longest = 0 if constants.dead is None else len(constants.dead)
    if constants.registers is not None:
        cells.is_chip = 1
        cells.current_half, cells.state_half, cells.voltage_max = constants.registers


@functools.cache
def library() -> ctypes.CDLL:
    """Return the compiled library; compiled on first use."""
    loaded = compiled(SOURCE, "backend torch", "take engine='eager'")
    for function in (loaded.neurorl_cells_forward, loaded.neurorl_cells_backward):
        function.restype = None
    return loaded


def _copy(x: Tensor) -> Tensor:
    """Return a contiguous copy."""
    return x.clone(memory_format=torch.contiguous_format)


def _in_rows(x: Tensor) -> Tensor:
    """Return *x*, or a copy whose last axis has a stride of 1."""
    return x if x.stride(-1) == 1 else x.contiguous()
