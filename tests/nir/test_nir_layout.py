"""Test NIR: one Input, one Output, a bias that is always on, and how our networks come back."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import Network, Population, Projection, Source, SpikingActorCritic, load
from neurorl.errors import DescriptionError, NeurorlError, UnknownNameError, UnsupportedError
from neurorl.models import LIF, CubaLIF
from neurorl.nir import READERS, DroppedWarning, from_nir, reader_problems, to_nir
from neurorl.tasks.known import POSITION_ONLY_ID

nir: Any = pytest.importorskip("nir", reason="pip install 'neurorl[nir]'")

DT = 1e-3
N_STEPS = 80


def awkward() -> Network:
    """Return names that readers have for themselves, two sources, two ends, a bias with a delay."""
    rng = np.random.default_rng(4)

    def weights(n_pre: int, n_post: int) -> Any:
        return np.rint(rng.normal(0.3, 0.6, (n_pre, n_post)) * 64) / 64

    nodes = (
        Source("eyes", 4),
        Source("ears", 3),
        Source("bias", 1),
        Population("input", 5, CubaLIF()),
        Population("output", 3, LIF(bias=0.1)),
        Population("train", 3, LIF(8e-3)),
        Population("if", 4, LIF(0.0, 0.5)),
    )
    projections = (
        Projection("forward", "eyes", "input", weights(4, 5), delay=3 * DT),
        Projection("ears_input", "ears", "input", weights(3, 5)),
        Projection("single", "ears", "train", np.full((3, 1, 1), 0.7), blocks=3),
        Projection("bias_input", "bias", "input", weights(1, 5)),
        Projection("bias_output", "bias", "output", weights(1, 3), delay=2 * DT),
        Projection("bias_if", "bias", "if", np.array([[0.75, 0.25, 1.0, 0.0]])),
        Projection("a", "input", "output", weights(5, 3)),
        Projection("b", "output", "train", weights(3, 3)),
    )
    return Network(nodes, projections, DT)


def rasters(network: Network) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    inputs = {s.name: rng.random((N_STEPS, s.size)) < 0.4 for s in awkward().sources}
    inputs["bias"][:] = True
    given = {s.name: inputs[s.name] for s in network.sources}
    with load("reference", network, arithmetic="float") as backend:
        return backend.step(given, N_STEPS)


@pytest.mark.parametrize("dt", [None, 1e-4])
def test_one_input_and_one_output_and_all_comes_back(dt: float | None, tmp_path: Path) -> None:
    network = awkward()
    graph = to_nir(network, path=tmp_path / "a.nir", dt=dt).graph
    kinds = [type(node).__name__ for node in graph.nodes.values()]
    assert (kinds.count("Input"), kinds.count("Output")) == (1, 1)
    assert isinstance(graph.nodes["input"], nir.Input)
    assert graph.nodes["input"].input_type["input"].tolist() == [7]
    assert isinstance(graph.nodes["output"], nir.Output)
    assert graph.nodes["output"].output_type["output"].tolist() == [10]
    assert {"output_neurons", "train_neurons", "if_neurons", "forward_weights"} <= set(graph.nodes)
    nir.read(tmp_path / "a.nir", type_check=True)
    read = from_nir(tmp_path / "a.nir")
    assert read.dt == (dt or DT)
    assert [n.name for n in read.nodes] == [n.name for n in network.nodes]
    assert [p.name for p in read.projections] == [p.name for p in network.projections]
    for p in network.projections:
        found = read.projection(p.name)
        assert (found.pre, found.post) == (p.pre, p.post)
        assert read.delay_steps(p.name) == network.delay_steps(p.name)
    ours, theirs = rasters(network), rasters(read)
    assert all(raster.any() for raster in ours.values())
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_source_that_is_always_on_is_the_bias_of_an_affine() -> None:
    graph = to_nir(awkward()).graph
    bias = graph.nodes["forward_weights"].bias
    assert np.array_equal(bias, awkward().projection("bias_input").weights[0])
    # Nothing else leads there, so it has an Affine of its own.
    assert graph.nodes["bias_if"].bias.tolist() == [0.75, 0.25, 1.0, 0.0]
    assert not graph.nodes["bias_if"].weight.any()
    kept = to_nir(awkward(), always_on=()).graph
    assert kept.nodes["input"].input_type["input"].tolist() == [8]
    ours, theirs = rasters(awkward()), rasters(from_nir(kept))
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(UnknownNameError, match="did you mean 'eyes'"):
        to_nir(awkward(), always_on=("eye",))
    with pytest.raises(UnsupportedError, match="source 'ears': only one channel"):
        to_nir(awkward(), always_on=("ears",))


@pytest.mark.parametrize("reader", READERS)
def test_a_file_for_a_reader_is_read_here_too(reader: str, tmp_path: Path) -> None:
    """Play as the reader does: layers answer within a step, the bias begins with them."""
    rng = np.random.default_rng(2)
    weights = np.rint(rng.normal(0.5, 1.0, (2, 6, 6)) * 32) / 32
    neuron = CubaLIF(3e-3, 5e-3, 1.01)
    nodes = (
        Source("input", 6),
        Source("bias", 1),
        Population("a", 6, neuron),
        Population("output", 6, neuron),
    )
    projections = (
        Projection("ia", "input", "a", weights[0]),
        Projection("ao", "a", "output", weights[1] / 4),
        Projection("ba", "bias", "a", 0.125),
        Projection("bo", "bias", "output", -0.0625),
        Projection("oa", "output", "a", -0.125),
    )
    network = Network(nodes, projections, DT)
    written = to_nir(network, path=tmp_path / "a.nir", reader=reader)
    read = from_nir(tmp_path / "a.nir")
    assert read.dt == READERS[reader].dt
    x = rng.random((N_STEPS, 6)) < 0.3
    with load("reference", network, arithmetic="float") as backend:
        ours = backend.step({"input": x, "bias": np.ones((N_STEPS, 1), bool)}, N_STEPS)
    with load("reference", read, arithmetic="float") as backend:
        theirs = backend.step({"input": x}, N_STEPS)
    together = np.hstack([ours["a"], ours["output"]])
    assert together.sum() > 300
    assert written.lag == 1
    # The lag of the only layer is undone by the step of our projection.
    assert np.array_equal(theirs["neurons"], together)


def test_agents_and_what_readers_have_no_room_for() -> None:
    memory = SpikingActorCritic(POSITION_ONLY_ID, seed=0)
    glm = SpikingActorCritic("neurorl/GridWorld-v0", model="glm", seed=0)
    for reader in READERS:
        (chain, one) = reader_problems(memory.network, memory.weights, reader=reader)
        assert chain == "as a chain: delays of several lengths on ways to one population"
        assert one == "as one population: delays of several lengths from the input"
        with pytest.raises(UnsupportedError, match="biases that begin in other steps"):
            to_nir(glm.network, glm.weights, reader=reader)
    flat = SpikingActorCritic("CartPole-v1", model="glm", seed=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dropped = to_nir(flat.network, flat.weights, reader="norse").dropped
    assert dropped[1] == "stochastic GLM unit: written as a hard threshold, 'output'"
    assert [w.category for w in caught] == [DroppedWarning] * len(dropped)
    low = Network(
        (Source("x", 1), Population("y", 1, LIF(threshold=-0.5))), (Projection("w", "x", "y"),)
    )
    with pytest.raises(UnsupportedError, match="thresholds of 'y' are below 0"):
        to_nir(low, reader="snntorch")
    assert reader_problems(low, reader="norse") == ()
    own = Network(
        (Source("x", 1), Population("y", 1, CubaLIF(bias=0.5))), (Projection("w", "x", "y"),)
    )
    with pytest.raises(UnsupportedError, match="'y', which doesn't go through its current"):
        to_nir(own, reader="spikingjelly")
    alone = Network((Population("y", 1, LIF()),))
    assert reader_problems(alone, reader="norse") == ("no source of spikes, or no population",)


def test_a_file_of_before_is_still_read() -> None:
    """Graphs with two Inputs, an Output of another name and no layout are read, too."""
    one = np.ones(1)
    neurons = nir.LIF(tau=4e-3 * one, r=4 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one)
    nodes = {
        "input": nir.Input(np.array([2])),
        "bias": nir.Input(np.array([1])),
        "output": neurons,
        "w": nir.Linear(np.array([[0.5, 0.25]])),
        "b": nir.Linear(np.array([[0.125]])),
        "output_": nir.Output(np.array([1])),
    }
    edges = [("input", "w"), ("bias", "b"), ("w", "output"), ("b", "output"), ("output", "output_")]
    order = "bias input output b w"
    metadata = {"writer": "neurorl", "dt": DT, "discretisation": "euler", "order": order}
    read = from_nir(nir.NIRGraph(nodes, edges, metadata=metadata, type_check=False))
    assert [n.name for n in (*read.nodes, *read.projections)] == order.split()
    assert read.projection("w").weights.ravel().tolist() == [0.5, 0.25]


BAD = {
    "no JSON": "{",
    "a number": "7",
    "another field": '{"version": 2}',
    "deep": "[" * 100_000,
    "sources of another size": {"sources": [["eyes", 5], ["ears", 3]]},
    "a negative size": {"sources": [["eyes", 10], ["ears", -3]]},
    "a huge size": {"sources": [["eyes", 10**30]]},
    "no sources": {"sources": []},
    "sources that are none": {"sources": 3},
    "a name that is none": {"names": {"output_neurons": 3}},
    "a name twice": {"names": {"output_neurons": "a"}},
    "pre of nothing": {"pre": {"forward_weights": "nose"}},
    "a fold of nothing": {"folded": {"bias_if": ["bias", "if", "nothing", 0]}},
    "a fold into nothing": {"folded": {"bias_if": ["bias", "nothing", "bias_if", 0]}},
    "a fold of two": {"folded": {"bias_if": ["bias", "if"]}},
    "a scale of a delay": {"scaled": ["forward_delay"]},
}


@pytest.mark.parametrize("bad", BAD)
def test_a_layout_of_another_graph_is_one_clear_error(bad: str) -> None:
    graph = to_nir(awkward()).graph
    value = BAD[bad]
    if isinstance(value, dict):
        value = json.dumps({**json.loads(graph.metadata["layout"]), **value})
    graph.metadata["layout"] = value
    with pytest.raises(DescriptionError, match="NIR"):
        from_nir(graph)


@pytest.mark.parametrize("dt", ["soon", b"\xff", -1.0, float("nan")])
def test_a_step_that_is_none_is_one_clear_error(dt: Any) -> None:
    graph = to_nir(awkward()).graph
    graph.metadata["dt"] = dt
    with pytest.raises(NeurorlError, match="NIR dt"):
        from_nir(graph)


def test_delays_that_lead_to_themselves_are_refused() -> None:
    graph = to_nir(awkward()).graph
    graph.nodes["forward_delay"] = nir.Delay(np.zeros(7))
    graph.edges = [(a, "forward_delay" if a == "forward_delay" else b) for a, b in graph.edges]
    with pytest.raises(NeurorlError):
        from_nir(graph)


def test_quiet_where_nothing_is_lost(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written = to_nir(awkward(), path=tmp_path / "a.nir")
    assert written.dropped == ()
    assert written.lag is None  # it depends on the way
    assert written.lead == 0
    simple = dataclasses.replace(awkward(), projections=awkward().projections[1:2])
    assert to_nir(simple).lag is None
