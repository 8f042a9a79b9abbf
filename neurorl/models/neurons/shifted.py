"""Define the neuron of chips that decay by shifts of bits, in such a chip's own integers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.network.integrator import Integrator
from neurorl.network.neuron import Neuron
from neurorl.network.serialization import frozen_array
from neurorl.network.step_plan import StepPlan
from neurorl.numerics.arrays import FloatArray

__all__ = ["ShiftLIF"]

_RANGES = {
    "shift_syn": (1, 15),
    "shift_mem": (0, 15),
    "threshold": (1, 2**15 - 1),
    "bias": (-(2**15), 2**15 - 1),
}


@dataclass(frozen=True, eq=False)
class ShiftLIF(Neuron):
    """Model a leaky neuron whose decays are shifts of bits, in the integers of a chip (Xylo).

    In arithmetic ``xylo`` its numbers are the chip's, and so are the weights into it; its step is
    in `neurorl.arithmetic.xylo_integers`. In others it is the `CubaLIF` of the same decays,
    ``1 - 2**-shift`` a step, whose membrane is larger by ``1 / (1 - 2**-shift_syn)``.

    shift_syn: of the current, 1 to 15. shift_mem: of the membrane, 0 to 15; 0 forgets it.
    threshold: the least membrane that spikes, and what a spike takes off it, 1 to 32767.
    bias: what every step adds to the membrane, -32768 to 32767.
    Each is a whole number or an array ``(size,)`` of such.
    """

    shift_syn: Any = 3
    shift_mem: Any = 5
    threshold: Any = 256
    bias: Any = 0

    def __post_init__(self) -> None:
        for name, (low, high) in _RANGES.items():
            where = f"ShiftLIF.{name}"
            value = frozen_array(where, getattr(self, name), None)
            if value.ndim > 1 or ((value < low) | (value > high) | (value % 1 != 0)).any():
                limit = f"whole numbers of {low} to {high}"
                raise DescriptionError(where, "out of range", got=value.tolist(), limit=limit)
            object.__setattr__(self, name, value if value.ndim else int(value))

    @property
    def chip_unit(self) -> float | None:
        return 1.0

    def plan(self, size: int, dt: float) -> StepPlan:
        shift_syn, shift_mem, threshold, bias = (self._spread(name, size) for name in _RANGES)
        kept = 1 - 2.0**-shift_syn
        return Integrator(
            current_decay=kept,
            membrane_decay=1 - 2.0**-shift_mem,
            threshold=(threshold - 0.5) / kept,  # as whole numbers are over it from threshold on
            bias=bias / kept,
            noise_width=np.zeros(size),
            refractory_steps=np.zeros(size, dtype=np.int64),
        ).plan()

    def _spread(self, name: str, size: int) -> FloatArray:
        value = np.asarray(getattr(self, name), dtype=np.float64)
        if value.ndim and value.shape != (size,):
            where = f"ShiftLIF.{name}"
            raise DescriptionError(where, "wrong shape", got=value.shape, limit=(size,))
        return np.broadcast_to(value, (size,)).copy()
