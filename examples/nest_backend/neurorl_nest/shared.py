"""Lay arrays out in memory that two processes share."""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

__all__ = ["Described", "Plan", "create", "views"]

Plan = dict[str, tuple[int, tuple[int, ...], str]]
"""Map the name of an array to its offset in bytes, shape and dtype."""

_ALIGNED = 64


class Described(TypedDict):
    """Describe a network to NEST's processes; its arrays are apart.

    library: file of the models. plan: where the arrays are, if they are in shared memory. parts: by
    node, its numbers, and after how many steps which of its nodes send its spikes. projections:
    name, ``pre``, ``post``, first place in the table of weights, and these steps. resolution: ms.
    """

    library: str
    plan: Plan
    parts: dict[str, dict[str, Any]]
    projections: list[dict[str, Any]]
    resolution: float
    threads: int


def create(arrays: Mapping[str, npt.NDArray[Any]]) -> tuple[int, Plan, dict[str, Any]]:
    """Copy *arrays* to shared memory; return its file descriptor, the plan and the arrays there."""
    plan, end = Plan(), 0
    for name, array in arrays.items():
        plan[name] = (end, array.shape, array.dtype.str)
        end += -(-max(array.nbytes, 1) // _ALIGNED) * _ALIGNED
    fd = os.memfd_create("neurorl-nest")
    os.ftruncate(fd, max(end, 1))
    shared = views(fd, plan)
    for name, array in arrays.items():
        shared[name][...] = array
    return fd, plan, shared


def views(fd: int, plan: Mapping[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a plan in the memory of a file descriptor."""
    memory = mmap.mmap(fd, 0)
    return {
        name: np.ndarray(tuple(shape), np.dtype(kind), memory, offset)
        for name, (offset, shape, kind) in plan.items()
    }
