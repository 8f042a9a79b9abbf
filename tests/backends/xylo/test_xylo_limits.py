"""Name what a chip has no room for: what, how much, the limit and a remedy."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from xylo_vendor import needs_xylosim

from neurorl.backends.xylo.limits import DEVICES, find_device, problems
from neurorl.errors import UnknownNameError
from neurorl.models import CubaLIF, FixedInDegree
from neurorl.network.description import Network, Population, Projection, Source


def network(
    inputs: int = 16,
    hidden: int = 47,
    outputs: int = 8,
    mask: Any = None,
    connect: Any = None,
) -> Network:
    """Return a network that fits all three chips, unless numbers are larger."""
    cell = CubaLIF()
    return Network(
        (
            Source("input", inputs),
            Population("cells", hidden, cell),
            Population("out", outputs, cell),
        ),
        (
            Projection("drive", "input", "cells", 1.0, mask=mask),
            Projection("loop", "cells", "cells", 1.0, connect=connect),
            Projection("read", "cells", "out", 1.0),
        ),
    )


@pytest.mark.parametrize("device", DEVICES)
def test_a_network_at_the_limits_fits(device: str) -> None:
    assert problems(network(), find_device(device)) == []


FEW = FixedInDegree(1)
TOO_MUCH: dict[str, tuple[str, Network, str]] = {
    "inputs": ("audio3", network(17, 46), "17 inputs on XyloAudio 3 (limit 16;"),
    "hidden": ("imu", network(1, 497, connect=FEW), "497 hidden neurons on Xylo IMU (limit 496;"),
    "outputs": ("audio2", network(outputs=9), "9 output neurons on XyloAudio 2 (limit 8;"),
    "fan-in": ("audio3", network(hidden=48), "64 synapses into a neuron of 'cells' on"),
    "fan-out": (
        "audio2",
        network(1, 65),
        "65 synapses from a neuron of 'cells' to hidden ones on XyloAudio 2 (limit 64;",
    ),
    "entered": ("imu", network(1, 129, connect=FEW), "129 hidden neurons that inputs reach on"),
    "read": ("audio3", network(1, 129, connect=FEW), "129 hidden neurons that outputs read on"),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_has_no_room_is_named_with_its_limit(name: str) -> None:
    device, described, said = TOO_MUCH[name]
    assert any(said in line for line in problems(described, find_device(device)))


def test_a_mask_makes_room() -> None:
    mask = np.arange(16 * 129).reshape(16, 129) % 129 < 128
    few = network(16, 129, mask=mask, connect=FEW)
    assert not any("inputs reach" in x for x in problems(few, find_device("audio3")))


def test_synapses_between_hidden_neurons_are_counted() -> None:
    many = network(1, 992, connect=FixedInDegree(33))
    lines = problems(many, find_device("audio3"))
    assert any("32736 synapses between hidden neurons" in line for line in lines)


def test_an_unknown_chip_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'audio3'"):
        find_device("audio33")


@needs_xylosim
def test_the_backend_names_them_too() -> None:
    from neurorl.backends.registry import load
    from neurorl.errors import UnsupportedError

    wide = dataclasses.replace(network(outputs=9))
    assert load("xylo", wide).device == "audio3"  # type: ignore[attr-defined]
    with pytest.raises(UnsupportedError, match=r"9 output neurons on XyloAudio 2 \(limit 8"):
        load("xylo", wide, device="audio2")
