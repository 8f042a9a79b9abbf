"""Test convolutions, pools and loops of NIR against PyTorch's own functions: every spike."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_images import DT, Drawn, play_graph, random_graph

from neurorl import Network, Population, Projection, Recording, Source, load
from neurorl.errors import ArgumentError, DescriptionError, UnsupportedError
from neurorl.models import LIF
from neurorl.network.connectors import Synapses
from neurorl.nir import from_nir, to_nir

nir: Any = pytest.importorskip("nir", reason="pip install 'neurorl[nir]'")
STEPS = 30


def compare(drawn: Drawn, network: Network, seed: int) -> tuple[int, int]:
    """Return the cells that differ from PyTorch's, and the spikes."""
    shape = drawn.nodes["input"].input_type["input"]
    inputs = np.random.default_rng((seed, 2)).random((STEPS, *shape)) < 0.3
    expected = play_graph(drawn, inputs)
    late = len(expected)
    given = np.vstack([inputs.reshape(STEPS, -1), np.zeros((late, int(np.prod(shape))), bool)])
    with load("reference", network, arithmetic="float") as backend:
        rasters = backend.step({"input": given}, STEPS + late)
    differ = sum(
        int((rasters[name][k : k + STEPS] != expected[name]).sum())
        for k, name in enumerate(drawn.layers, 1)
    )
    return differ, sum(int(raster.sum()) for raster in expected.values())


@pytest.mark.witness("torch")
def test_random_images_give_the_spikes_of_pytorch(tmp_path: Path) -> None:
    """Read a graph from a file; write what came out as images, and read it again."""
    total = 0
    for seed in range(24):
        drawn = random_graph(nir, seed)
        graph: Any = drawn.graph()
        if all(getattr(node, "input_shape", 1) for node in drawn.nodes.values()):
            nir.write(tmp_path / "a.nir", graph)  # which can't write a shape that is None
            graph = tmp_path / "a.nir"
        network = from_nir(graph, DT)
        differ, spikes = compare(drawn, network, seed)
        assert differ == 0, seed
        total += spikes
        shapes = {name: drawn.nodes[name].v_threshold.shape for name in drawn.layers[:2]}
        shapes["input"] = tuple(drawn.nodes["input"].input_type["input"])
        to_nir(network, path=tmp_path / "b.nir", shapes=shapes)
        again = from_nir(tmp_path / "b.nir")
        assert compare(drawn, again, seed)[0] == 0, seed
    assert total > 15_000


def stack() -> Drawn:
    """Return a small graph: a convolution, then a pool of its spikes, then a readout."""
    drawn = Drawn(nir, 3)
    drawn.convolve(with_shape=True)
    drawn.neurons()
    drawn.pool(average=False)
    drawn.neurons()
    return drawn


def test_images_are_written_as_images(tmp_path: Path) -> None:
    drawn = stack()
    network = from_nir(drawn.graph(), DT, align=False)
    shapes = {name: drawn.nodes[name].v_threshold.shape for name in drawn.layers}
    shapes["input"] = tuple(drawn.nodes["input"].input_type["input"])
    written = to_nir(network, path=tmp_path / "a.nir", shapes=shapes).graph
    kinds = {type(node).__name__ for node in written.nodes.values()}
    assert {"Conv2d", "SumPool2d"} <= kinds
    assert "Linear" not in kinds
    first = next(node for node in drawn.nodes.values() if type(node) is nir.Conv2d)
    (second,) = (node for node in written.nodes.values() if type(node) is nir.Conv2d)
    assert second.bias.tolist() == first.bias.tolist()
    assert from_nir(tmp_path / "a.nir") == network
    plain = to_nir(network).graph
    assert {type(plain.nodes[p.name]).__name__ for p in network.projections} <= {"Affine", "Linear"}
    with pytest.raises(ArgumentError, match=r"NIR shape of 'input': of another size"):
        to_nir(network, shapes={"input": (1, 2, 3)})
    with pytest.raises(ArgumentError, match="are for standard files"):
        to_nir(network, shapes=shapes, reader="norse")


def test_a_list_that_is_no_convolution_becomes_a_matrix() -> None:
    """Two equal synapses and one that is stronger: no kernel explains them."""
    weights = np.array([0.5, 0.5, 0.75])
    nodes = (Source("input", 4), Population("a", 4, LIF(5e-3, 1.0)))
    connect = Synapses([0, 1, 2], [0, 1, 2])
    network = Network(nodes, (Projection("w", "input", "a", weights, connect=connect),), DT)
    shapes = {"input": (1, 2, 2), "a": (1, 2, 2)}
    assert type(to_nir(network, shapes=shapes).graph.nodes["w"]) is nir.Linear
    even = dataclasses.replace(network.projections[0], weights=0.5)
    other = dataclasses.replace(network, projections=(even,))
    assert type(to_nir(other, shapes=shapes).graph.nodes["w"]) is nir.Linear


def image(node: Any, shape: tuple[int, ...] = (2, 4, 4), **changed: Any) -> Any:
    """Return a graph of one node with images, and neurons behind it."""
    for field, value in changed.items():
        setattr(node, field, value)
    neurons = nir.IF(np.full(1, 1 / DT), np.ones(1))
    nodes = {"i": nir.Input(np.array(shape)), "c": node, "n": neurons, "o": nir.Output(None)}
    edges = [("i", "c"), ("c", "n"), ("n", "o")]
    return nir.NIRGraph(nodes, edges, type_check=False)


def conv(**changed: Any) -> Any:
    fixed: dict[str, Any] = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1}
    weight, bias = np.ones((3, 2, 2, 2)), np.zeros(3)
    return nir.Conv2d(input_shape=None, weight=weight, bias=bias, **{**fixed, **changed})


def test_parameters_of_one_number_take_the_shape_of_the_image() -> None:
    assert from_nir(image(conv()), DT).node("n").size == 3 * 3 * 3
    same = from_nir(image(conv(padding="same")), DT)
    assert same.node("n").size == 3 * 4 * 4
    network = from_nir(image(nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.zeros(2))), DT)
    weights = network.projections[0].weights
    assert (network.node("n").size, weights.tolist()) == (8, [0.25] * 32)
    line = nir.Conv1d(4, np.ones((1, 2, 2)), 2, 1, 1, 1, np.zeros(1))
    network = from_nir(image(line, (2, 4)), DT)
    synapses = network.synapses(network.projections[0].name)
    assert synapses is not None
    assert synapses.pre.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("graph", "said"),
    [
        (lambda: image(conv(), (8,)), "'c': needs an image of 3 dimensions"),
        (lambda: image(conv(), (3, 4, 4)), "'c': takes another number of channels"),
        (lambda: image(conv(), (2, 1, 1)), "'c': its kernel is larger than the image"),
        (lambda: image(conv(stride=0)), "'c', stride: out of range"),
        (lambda: image(conv(dilation=0)), "'c', dilation: out of range"),
        (lambda: image(conv(), stride=1.5), "'c', stride: not whole numbers"),
        (lambda: image(conv(), stride=2**40), "'c', stride: out of range"),
        (lambda: image(conv(padding=-1)), "'c', padding: out of range"),
        (lambda: image(conv(padding="same", stride=2)), "'c', padding: unknown"),
        (lambda: image(conv(groups=2)), "'c': takes another number of channels"),
        (lambda: image(conv(), bias=np.zeros(2)), "'c', bias: of another size"),
        (lambda: image(conv(), weight=np.ones((3, 2))), "'c', weight: needs 4 dimensions"),
        (lambda: image(conv(), padding=2**20), "'c': too many channels"),
    ],
)
def test_what_no_image_can_be_is_refused_by_name(graph: Any, said: str) -> None:
    with pytest.raises((DescriptionError, UnsupportedError), match=said):
        from_nir(graph(), DT)


def test_readouts_are_voltages() -> None:
    """LI, CubaLI and I end a graph: equations that never spike, whose v is the value."""
    ones, rng = np.ones(3), np.random.default_rng(0)
    weight = rng.integers(-32, 64, (3, 4)) / 32
    nodes = {
        "li": nir.LI(tau=4 * DT * ones, r=4 * ones, v_leak=0 * ones),
        "cubali": nir.CubaLI(2 * DT * ones, 4 * DT * ones, 4 * ones, 0 * ones, 2 * ones),
        "i": nir.I(r=ones / DT),
    }
    inputs = rng.random((20, 4)) < 0.5
    for name, node in nodes.items():
        graph = nir.NIRGraph.from_list(nir.Input(np.array([4])), nir.Linear(weight), node)
        network = from_nir(graph, DT)
        (population,) = network.populations
        with load("reference", network, arithmetic="float") as backend:
            voltage = f"{population.name}.v"
            with Recording(backend, [voltage]) as recording:
                raster = backend.step({"input": np.vstack([inputs, np.zeros((1, 4), bool)])}, 21)
        assert not raster[population.name].any()
        values = recording[voltage]
        u, v = np.zeros(3), np.zeros(3)
        for k, row in enumerate(inputs):
            u = weight @ row + (0.5 * u if name == "cubali" else 0.0)
            v = (1.0 if name == "i" else 0.75) * v + u
            assert values[k + 1].ravel().tolist() == v.tolist(), name
        written = to_nir(network).graph
        assert type(written.nodes[population.name]) is type(node)
        assert from_nir(written) == from_nir(graph, DT, align=False)
