"""Test descriptions: exact round trips, and errors that say where, what, got and limit."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neurorl.errors import DescriptionError, NeurorlError, UnknownNameError
from neurorl.models import GLM, LIF, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.network.serialization import Described
from neurorl.testing import FEATURES


@pytest.mark.parametrize("feature", FEATURES)
def test_round_trip_is_exact_through_json(feature: str) -> None:
    network = FEATURES[feature]()
    text = json.dumps(network.to_dict(), allow_nan=False)
    again = Network.from_dict(json.loads(text))
    assert again == network
    assert json.dumps(again.to_dict()) == text
    for a, b in zip(network.projections, again.projections, strict=True):
        if isinstance(a.weights, np.ndarray):
            assert np.array_equal(a.weights, b.weights)
            assert a.weights.dtype == b.weights.dtype


def test_equality_sees_every_number() -> None:
    assert LIF(threshold=0.1 + 0.2) != LIF(threshold=0.3)
    assert LIF() != CubaLIF()
    assert Source("a", 1) == Source("a", 1)


def test_descriptions_are_frozen_and_arrays_are_copies() -> None:
    weights = np.ones((2, 3))
    projection = Projection("p", "a", "b", weights)
    weights[:] = 5
    assert projection.weights.max() == 1
    with pytest.raises(ValueError, match="read-only"):
        projection.weights[0, 0] = 2
    with pytest.raises(AttributeError):
        projection.name = "q"  # type: ignore[misc]


CELLS = Population("cells", 3, LIF())
INPUT = Source("input", 2)
LEVEL = Source("level", 2, kind="current")


def network(*projections: Projection, nodes: tuple[Any, ...] = (INPUT, CELLS)) -> Network:
    return Network(nodes, projections)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: LIF(tau_mem=-1e-3),
            r"LIF.tau_mem: must not be negative \(got -0.001, limit >= 0\)",
        ),
        (lambda: CubaLIF(tau_syn=float("nan")), "CubaLIF.tau_syn: not finite"),
        (lambda: LIF(noise=[]), "LIF.noise: is empty"),
        (lambda: GLM(bias="much"), "GLM.bias: not an array of numbers"),
        (lambda: LIF(noise=np.ones((2, 2))), "LIF.noise: more than one dimension"),
        (
            lambda: Population("cells", 3, LIF(threshold=np.ones(2))),
            r"Population 'cells': LIF.threshold: wrong shape \(got \(2,\), limit \(3,\)\)",
        ),
        (lambda: Source("input", 0), r"Source 'input'.size: must be a whole number \(got 0"),
        (lambda: Source("2nd", 1), "Source.name: must be letters"),
        (lambda: Population("p", 2, "LIF"), "Population 'p'.neuron: not a neuron model"),  # type: ignore[arg-type]
        (lambda: Uniform(1.0, 0.0), "Uniform.high: out of range"),
        (lambda: Plasticity(low=1.0, high=1.0), "Plasticity.high: must exceed low"),
        (lambda: Projection("p", "a", "b", [[np.inf]]), r"not finite at index \(0, 0\)"),
        (lambda: network(Projection("p", "in", "cells")), "Projection 'p'.pre: no such node"),
        (lambda: network(Projection("p", "cells", "input")), "a source takes no input"),
        (
            lambda: network(Projection("p", "input", "cells", np.ones((3, 2)))),
            r"Projection 'p'.weights: wrong shape \(got \(3, 2\), limit \(2, 3\)\)",
        ),
        (
            lambda: network(Projection("p", "input", "cells", blocks=2)),
            "must divide cells's size 3",
        ),
        (
            lambda: network(Projection("p", "input", "cells", mask=np.ones((2, 2)))),
            "Projection 'p'.mask: wrong shape",
        ),
        (
            lambda: network(Projection("p", "input", "cells", delay=1.5e-3)),
            r"must be a whole number of steps \(got 0.0015 s, limit 0.001 s, 0.002 s, ...\)",
        ),
        (
            lambda: network(Projection("p", "level", "cells", delay=1e-3), nodes=(LEVEL, CELLS)),
            "Projection 'p': a current has no delay",
        ),
        (
            lambda: network(Projection("p", "level", "cells", signed=True), nodes=(LEVEL, CELLS)),
            "Projection 'p': a current has no delay and no silence to be signed",
        ),
        (lambda: network(Projection("cells", "input", "cells")), "'cells' is used twice"),
        (lambda: Network((INPUT,), dt=0.0), "Network.dt: must be positive"),
    ],
)
def test_wrong_descriptions_are_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(DescriptionError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_data_of_something_else_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'Network'"):
        Network.from_dict({"type": "Netwrok"})
    with pytest.raises(DescriptionError, match="another type"):
        Network.from_dict(INPUT.to_dict())
    with pytest.raises(DescriptionError, match="wrong or missing fields"):
        Described.from_dict({"type": "Source", "name": "a", "size": 1, "colour": "red"})


def test_depth_is_the_step_that_all_input_has_reached() -> None:
    chain = Network(
        (INPUT, Source("bias", 1), CELLS, Population("last", 3, LIF())),
        (
            Projection("a", "input", "cells"),
            Projection("b", "cells", "last", delay=3e-3),
            Projection("c", "bias", "last"),
        ),
    )
    assert [chain.depth(name) for name in ("input", "cells", "last")] == [0, 1, 4]
    with pytest.raises(UnknownNameError, match="did you mean 'cells'"):
        chain.depth("cell")


def test_a_current_takes_no_step() -> None:
    """The population behind a current answers in the step itself, the next one a step later."""
    chain = Network(
        (LEVEL, Source("unit", 1, "current"), CELLS, Population("last", 3, LIF())),
        (
            Projection("a", "level", "cells"),
            Projection("b", "cells", "last"),
            Projection("c", "unit", "last"),
        ),
    )
    assert [chain.depth(name) for name in ("level", "cells", "last")] == [0, 0, 1]
    assert [chain.delay_steps(name) for name in "abc"] == [0, 1, 0]
    assert chain.currents == {"level", "unit"}
    assert [node.name for node in chain.spiking.nodes] == ["cells", "last"]
    assert [p.name for p in chain.spiking.projections] == ["b"]


def test_the_kind_of_a_source_as_data() -> None:
    """The kind of spikes is left out, as it was when there was no other."""
    assert INPUT.to_dict() == {"type": "Source", "name": "input", "size": 2}
    assert LEVEL.to_dict()["kind"] == "current"
    for source in (INPUT, LEVEL):
        assert Source.from_dict(source.to_dict()) == source
    with pytest.raises(UnknownNameError, match="did you mean 'current'"):
        Source("level", 1, "curent")


def test_decays_are_exponential() -> None:
    d = CubaLIF(tau_syn=[0.0, 1e-3], tau_mem=2e-3, refractory=2.4e-3).integrator(2, 1e-3)
    assert np.allclose(d.current_decay, [0.0, np.exp(-1)])
    assert np.allclose(d.membrane_decay, np.exp(-0.5))
    assert d.refractory_steps.tolist() == [2, 2]


def spoiled(value: Any, rng: np.random.Generator) -> Any:
    """Return plain data with one random part replaced by something else."""
    strange = [None, -1, "x", [], {}, {"type": "Source"}, {"array": [1]}, [[1], [2, 3]], 1e400]
    if isinstance(value, dict) and value and rng.random() < 0.8:
        key = str(rng.choice(list(value)))
        return {**value, key: spoiled(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        k = int(rng.integers(len(value)))
        return [*value[:k], spoiled(value[k], rng), *value[k + 1 :]]
    return strange[int(rng.integers(len(strange)))]


@pytest.mark.parametrize("seed", range(200))
def test_spoiled_data_raises_one_of_our_errors_or_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    feature = list(FEATURES)[seed % len(FEATURES)]
    data = spoiled(FEATURES[feature]().to_dict(), rng)
    message = ""
    try:
        network = Network.from_dict(data)
        for p in network.projections:
            network.weight_shape(p.name)
    except NeurorlError as exc:
        message = str(exc)
    assert "\n" not in message
