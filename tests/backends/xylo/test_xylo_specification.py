"""Rebuild a network from the file for the tools of chips: the same spikes come from it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xylo_windows as windows

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.backends.registry import load
from neurorl.backends.xylo.specification import write_specification
from neurorl.errors import ArgumentError, UnknownNameError, UnsupportedError
from neurorl.models import LIF, shift_lif
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import rasters


def rebuilt(spec: dict[str, Any]) -> Network:
    """Return the network of a specification, of three nodes."""

    def cells(name: str, end: str, bias: str) -> Population:
        shifts = spec[f"dash_syn{end}"], spec[f"dash_mem{end}"]
        return Population(
            name, len(shifts[0]), shift_lif(*shifts, spec[f"threshold{end}"], spec[f"bias_{bias}"])
        )

    def weights(name: str) -> Any:
        return 2.0 ** spec[f"weight_shift_{name}"] * np.array(spec[f"weights_{name}"])

    return Network(
        (
            Source("input", len(spec["weights_in"])),
            cells("hidden", "", "hidden"),
            cells("output", "_out", "out"),
        ),
        (
            Projection("drive", "input", "hidden", weights("in")),
            Projection("loop", "hidden", "hidden", weights("rec")),
            Projection("read", "hidden", "output", weights("out")),
        ),
        spec["dt"],
    )


def with_outputs(n: int) -> list[int]:
    """Return the seeds of the first *n* random networks that have output neurons."""
    drawn = ((seed, windows.random_xylo_network(seed, seed)) for seed in range(4 * n))
    return [seed for seed, one in drawn if any(p.name == "output" for p in one.populations)][:n]


@pytest.mark.parametrize("seed", with_outputs(8))
def test_the_network_of_the_file_spikes_as_the_described_one(seed: int, tmp_path: Path) -> None:
    network = windows.random_xylo_network(seed, seed)
    names = [p.name for p in network.populations]
    inputs = rasters(network, 60, seed, 0.3)
    with load("reference", network, arithmetic="xylo") as backend:
        weights = {p.name: backend.weights(p.name) for p in network.projections}
        expected = backend.step(inputs, 60)
    write_specification(tmp_path / "chip.json", network, weights)
    again = rebuilt(json.loads((tmp_path / "chip.json").read_text()))
    assert XyloArithmetic(again).chip.shifts == XyloArithmetic(network).chip.shifts
    with load("reference", again, arithmetic="xylo") as backend:
        actual = backend.step(inputs, 60)
    hidden = np.concatenate([expected[name] for name in names if name != "output"], axis=1)
    np.testing.assert_array_equal(actual["hidden"], hidden)
    np.testing.assert_array_equal(actual["output"], expected["output"])


def test_what_has_no_room_is_named(tmp_path: Path) -> None:
    network = Network((Source("input", 20), Population("cells", 3, LIF())))
    with pytest.raises(UnsupportedError, match=r"XyloAudio 3: 20 inputs .*limit 16"):
        write_specification(tmp_path / "chip.json", network, {})
    assert not (tmp_path / "chip.json").exists()


@pytest.mark.parametrize(
    ("weights", "error", "words"),
    [
        ({}, UnknownNameError, "weights of projection: unknown name .got 'drive'"),
        ({"drive": np.full((2, 3), np.nan)}, ArgumentError, "'drive': not finite"),
        ({"drive": np.ones((3, 2))}, ArgumentError, "'drive': wrong shape"),
        ({"drive": np.ones((20, 3))}, ArgumentError, "'drive': wrong shape"),
        ({"drive": 1.0}, ArgumentError, "'drive': wrong shape"),
        ({"drive": [["a"] * 3] * 2}, ArgumentError, "'drive': not an array of numbers"),
    ],
)
def test_weights_of_another_network_are_refused(
    weights: Any, error: type[Exception], words: str, tmp_path: Path
) -> None:
    cells = Population("cells", 3, shift_lif())
    drive = Projection("drive", "cue", "cells", Uniform(1.0, 9.0))
    with pytest.raises(error, match=words):
        write_specification(
            tmp_path / "chip.json", Network((Source("cue", 2), cells), (drive,)), weights
        )
    assert not list(tmp_path.iterdir())
