"""Declare the structures of ``src/`` for ctypes; `neurorl.native.layout` checks them."""

from __future__ import annotations

import ctypes
from typing import Any, ClassVar

from neurorl.numerics.arrays import Array

__all__ = [
    "ALL",
    "Agent",
    "Equations",
    "Features",
    "Fields",
    "Layer",
    "Node",
    "Part",
    "Projection",
    "Terms",
    "fields",
    "pointer",
]

_INT, _NUMBER, _POINTER = ctypes.c_int64, ctypes.c_double, ctypes.c_void_p
Fields = list[tuple[str, Any]]


def fields(**groups: str) -> Fields:
    """Return fields in order: ``int_1="a b", number_1="c"`` -> a, b integers, c a number."""
    kinds = {"int": _INT, "number": _NUMBER, "pointer": _POINTER}
    return [
        (name, kinds[group.split("_")[0]])
        for group, names in groups.items()
        for name in names.split()
    ]


class Terms(ctypes.Structure):
    """Hold the coefficients of `neurorl.numerics.elementary`."""

    _fields_: ClassVar[Fields] = [
        ("exp", _NUMBER * 14),
        ("cos", _NUMBER * 13),
        *fields(number_="log2_e ln2_high ln2_low"),
    ]


class Part(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(
        int_1="kind d size a b",
        number_2="width floor",
        pointer_3="low gain table usual whole squashed",
    )


class Features(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(int_1="n_parts n_inputs size", pointer_2="parts")


class Node(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(int_1="size depth", pointer_2="raster current last")


class Equations(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(
        int_1="n_variables n_inputs v",
        pointer_2="initial constants bias threshold refractory_steps step",
    )


class Projection(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(
        int_1="pre n_pre n_post blocks delay is_signed is_fine sums_fit target stream",
        number_2="decay low high inverse limit unit transmitted_unit least largest",
        pointer_3="weights eligibility levels eligibility_32 trace in_force",
        pointer_4="transmitted transmitted_integers accumulator mask",
    )


class Layer(ctypes.Structure):
    _fields_: ClassVar[Fields] = fields(
        int_1="node role first lag n_projections n_fixed begin end pairs_spikes gates_depression",
        pointer_2="text projections",
        number_3="alpha keep post_decay slow_decay depression",
        pointer_4="powers norm post_trace slow_trace signs",
        pointer_5="equations",
    )


class Agent(ctypes.Structure):
    _fields_: ClassVar[Fields] = [
        *fields(
            int_1="n_replicas window n_actions n_output first_vote",
            int_2="encoder policy modulator carries normalises has_spiking_critic",
            int_3="writes write_every",
            int_4="n_groups has_masks hold repeats repeats_decisions natural",
            number_2="peak beta beta_end beta_decisions exploration",
            number_2b="sigma sigma_end sigma_decisions",
            number_3="alpha_critic critic_decay modulator_limit norm_rate",
        ),
        ("cells", Features),
        ("features", Features),
        *fields(
            pointer_1="cells_input features_input input critic_input current critic_current output",
            pointer_1b="groups allowed numbers phi t",
            pointer_2="seeds decisions decided actions probabilities reward discount rate active",
            pointer_3="x value value_trace mean_reward expected",
            number_4="critic_unit critic_initial",
            pointer_5="run run_inputs run_rasters",
            int_6="n_nodes n_layers",
            pointer_7="nodes layers",
        ),
    ]


ALL = (Terms, Part, Features, Node, Equations, Projection, Layer, Agent)
"""List every structure; compiling compares them with C++."""


def pointer(array: Array | None) -> int | None:
    """Return the address of an array's memory; the array must outlive the use of it."""
    if array is None or array.size == 0:
        return None
    if not array.flags.c_contiguous:
        raise AssertionError("C reads arrays in C order")
    return int(array.__array_interface__["data"][0])
