"""Declare the structures of ``src/cells.h`` for ctypes; compared when it is compiled."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from neurorl.native.structures import Fields, fields

__all__ = [
    "ALL",
    "CONCRETE",
    "FORCED",
    "HARD",
    "RELAXED",
    "SLOPE",
    "SPIKES",
    "Cells",
    "Gradients",
    "Strides",
]

SPIKES = ("forced", "hard", "slope", "concrete", "relaxed")
"""List the kinds of spikes in the order of the C++ enumeration."""

FORCED, HARD, SLOPE, CONCRETE, RELAXED = range(len(SPIKES))


class Strides(ctypes.Structure):
    """Hold the strides of a window's tensor, in elements; its last axis must have stride 1."""

    _fields_: ClassVar[Fields] = fields(int_1="replica step environment")

    @classmethod
    def of(cls, x: Tensor) -> Strides:
        """Return the strides of *x*."""
        return cls(x.stride(0), x.stride(1), x.stride(2))


class Cells(ctypes.Structure):
    """Describe a population over a window."""

    _fields_: ClassVar[Fields] = [
        *fields(
            int_1="n_replicas first_step end_step batch size",
            int_2="bias_rows kind through_reset is_chip longest",
            number_3="temperature current_half state_half voltage_max",
            pointer_4="current_decay membrane_decay threshold noise_width width table dead",
            pointer_5="bias u v blocked words noise q",
        ),
        ("q_strides", Strides),
        ("strides", Strides),
        *fields(
            pointer_1="spikes slope membrane alive wish drive",
            pointer_2="inside u_after v_after blocked_after",
        ),
    ]

    def point(self, tensors: Mapping[str, Tensor]) -> None:
        """Fill in the addresses of tensors, by field."""
        for name, tensor in tensors.items():
            setattr(self, name, tensor.data_ptr())


class Gradients(ctypes.Structure):
    """Describe the gradients by a window's outputs, and those by its inputs."""

    _fields_: ClassVar[Fields] = [
        *fields(pointer_1="spikes membrane"),
        ("spikes_strides", Strides),
        ("membrane_strides", Strides),
        *fields(pointer_1="u_after v_after blocked_after q bias u v blocked"),
    ]


ALL = (Strides, Cells, Gradients)
"""List every structure; compiling compares them with C++."""
