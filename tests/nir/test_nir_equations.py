"""Test neurons by equations in NIR: recognised by what they compute, refused by name otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import Network, Population, Projection, Source, load
from neurorl.errors import UnsupportedError
from neurorl.models import Equations
from neurorl.nir import READERS, from_nir, reader_problems, to_nir

nir: Any = pytest.importorskip("nir", reason="pip install 'neurorl[nir]'")

Rng = np.random.Generator
SIZE = 6


def leaky(rng: Rng) -> Equations:
    """Return a LIF whose names, method and reset are unlike those of ours."""
    return Equations(
        "dx/dt = (rest - x) / tau",
        threshold="x > top",
        reset="x = rest",
        method=str(rng.choice(["exact", "euler", "exponential_euler"])),
        parameters={"tau": rng.uniform(4e-3, 3e-2, SIZE), "rest": 0.5, "top": 1.5},
        initial={"x": 0.5},
        inputs=("x",),
    )


def current(rng: Rng) -> Equations:
    """Return a CubaLIF as an update of its own."""
    return Equations(
        "syn = a * syn + drive\nv = b * v + syn + push",
        threshold="v > 2",
        reset="v = 0",
        parameters={
            "a": 0.5,
            "b": rng.uniform(0.5, 0.95, SIZE),
            "push": rng.integers(-2, 4, SIZE) / 32,
        },
        initial={"syn": 0.0, "v": 0.0},
        inputs=("drive",),
    )


def integrator(_: Rng) -> Equations:
    """Return an IF."""
    return Equations(
        "v = v + q", threshold="v > 1.75", reset="v = 0", initial={"v": 0.0}, inputs=("q",)
    )


def readout(scale: float) -> Equations:
    """Return a CubaLI: nothing reaches its threshold."""
    return Equations(
        "i = 0.5 * i + q\nv = 0.75 * v + scale * i",
        threshold="v > 1e29",
        reset="v = 0",
        parameters={"scale": scale},
        initial={"i": 0.0, "v": 0.0},
    )


def network(neuron: Equations, seed: int) -> Network:
    """Return a source that drives neurons with a loop; all weights are multiples of 1/32."""
    rng = np.random.default_rng(seed)
    nodes = (Source("input", 5), Population("cells", SIZE, neuron))
    drive = rng.integers(-16, 64, (5, SIZE)) / 32
    loop = rng.integers(-16, 16, (SIZE, SIZE)) / 32
    projections = [Projection("drive", "input", "cells", drive)]
    if "1e29" not in neuron.threshold:
        projections.append(Projection("loop", "cells", "cells", loop, delay=2e-3))
    return Network(nodes, tuple(projections), 1e-3)


def spikes(described: Network, seed: int) -> Any:
    inputs = {"input": np.random.default_rng((seed, 1)).random((150, 5)) < 0.4}
    with load("reference", described, arithmetic="float") as backend:
        return backend.step(inputs, 150)["cells"]


@pytest.mark.parametrize(
    ("make", "node"), [(leaky, "LIF"), (current, "CubaLIF"), (integrator, "IF")]
)
def test_equations_are_recognised_by_their_form(
    make: Callable[[Rng], Equations], node: str, tmp_path: Path
) -> None:
    total = 0
    for seed in range(20):
        described = network(make(np.random.default_rng(seed)), seed)
        written = to_nir(described, path=tmp_path / "a.nir")
        assert type(written.graph.nodes["cells"]).__name__ == node
        before = spikes(described, seed)
        assert np.array_equal(before, spikes(from_nir(tmp_path / "a.nir"), seed)), seed
        total += int(before.sum())
    assert total > 2000


def test_equations_that_never_spike_are_a_readout() -> None:
    described = network(readout(1.0), 0)
    assert type(to_nir(described).graph.nodes["cells"]) is nir.CubaLI
    assert reader_problems(described, reader=READERS["norse"]) == ()
    graph = to_nir(described, reader="norse").graph
    matrix = np.asarray(described.projection("drive").weights).T
    assert graph.nodes["weights"].weight.tolist() == matrix.tolist()
    with pytest.raises(UnsupportedError, match="'cells': never spikes, and its value would be"):
        to_nir(network(readout(0.5), 0))


def test_other_equations_are_refused_by_name() -> None:
    adaptive = Equations(
        "dv/dt = -v / 1e-2\ndw/dt = -w / 5e-2",
        threshold="v > 1 + w",
        reset="v = 0\nw = w + 0.2",
        method="exact",
        inputs=("v",),
    )
    with pytest.raises(UnsupportedError) as caught:
        to_nir(network(adaptive, 0))
    assert str(caught.value) == (
        "NIR, population 'cells': its equations are those of no NIR neuron (LIF, CubaLIF, IF, LI,"
        " CubaLI, I); linear equations with one input, threshold 'v > number', reset 'v = number'"
    )
