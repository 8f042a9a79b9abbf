"""Test sources of values; what every backend promises is in the contract suite, too."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import neurorl
from neurorl import Learning, load
from neurorl.arithmetic.values import SMALLEST, VALUE_BITS, parts_of
from neurorl.backends.checks import Inputs
from neurorl.backends.reference.simulator import ReferenceSimulator
from neurorl.errors import ArgumentError, DescriptionError, UnsupportedError
from neurorl.models import LIF, CubaLIF, Equations, FixedInDegree
from neurorl.nengo import to_nengo
from neurorl.network.description import (
    Network,
    Plasticity,
    Population,
    Projection,
    Source,
    TsodyksMarkram,
    Uniform,
)
from neurorl.nir import to_nir
from neurorl.numerics.arrays import FloatArray
from neurorl.pynn.export import problems
from neurorl.rules import Rule
from neurorl.testing import FEATURES, rasters, same_state

LEAKS = Equations("dv/dt = (q - v)/0.01", threshold="v > 1e300", method="euler")
TWO = Equations(
    "dv/dt = (4*i + g - v)/0.01\ndg/dt = -g/5e-3",
    threshold="v > 1 + 0.1*noise_of_mine",
    reset="v = 0",
    method="exponential_euler",
    parameters={"noise_of_mine": 1.0},
    noise=0.1,
    inputs=("i", "g"),
)


def sensed(weights: Any, size: int = 2, neuron: Any = None, **options: Any) -> Network:
    nodes = (Source("x", size, "values"), Population("cells", 2, neuron or LEAKS))
    return Network(nodes, (Projection("felt", "x", "cells", weights, **options),))


def in_order(network: Network) -> Network:
    """Return the same with the presynaptic neurons the other way round."""
    felt = network.projection("felt")
    return sensed(felt.weights[::-1], felt.weights.shape[0])


@pytest.mark.parametrize("backend", ["reference", "native", "brian2", "torch"])
def test_a_value_acts_in_its_step_as_a_spike_would(backend: str) -> None:
    """By hand: v keeps nine tenths of itself, and takes a tenth of what arrives."""
    weights = np.array([[1.0, -0.5], [0.25, 2.0]])
    x = np.array([[2.0, 4.0], [0.0, 0.0], [-3.5, 1e3]])
    v = np.zeros(2)
    with load(backend, sensed(weights)) as running:
        for row in x:
            running.step({"x": row[None]}, 1)
            v = v + (row @ weights - v) / 10
            assert running.state()["cells.v"] == pytest.approx(v, rel=1e-14)
        assert not any(key.startswith("x.") for key in running.state())


NUMBERS = st.floats(-1e30, 1e30)


@given(st.lists(NUMBERS, min_size=1, max_size=9), st.randoms())
def test_parts_of_values_are_on_their_grids(numbers: list[float], order: Any) -> None:
    """The parts add up to the value within its bits, and their sums with weights are exact."""
    x = np.array(numbers)
    parts = parts_of(x)
    largest = np.abs(x).max()
    assert np.abs(parts[::-1].sum(axis=0) - x).max() <= max(largest, SMALLEST) * 2.0**-VALUE_BITS
    weights = np.array([order.randint(-(2**31), 2**31) for _ in numbers]) * 2.0**-24
    shuffled = list(range(len(x)))
    order.shuffle(shuffled)
    for part in parts:
        terms = part * weights
        forwards = backwards = 0.0
        for k, other in zip(range(len(x)), shuffled, strict=True):
            forwards, backwards = forwards + terms[k], backwards + terms[other]
        assert forwards == backwards


@pytest.mark.parametrize("size", [1, 7, 400])
def test_the_order_of_channels_changes_no_bit(size: int) -> None:
    rng = np.random.default_rng(size)
    network = sensed(rng.uniform(-0.4, 0.4, (size, 2)), size)
    x = rng.standard_normal((40, size)) * 10.0 ** rng.integers(-12, 12, (40, size))
    with load("native", network) as one, load("native", in_order(network)) as other:
        one.step({"x": x}, 40)
        other.step({"x": x[:, ::-1]}, 40)
        assert one.state()["cells.v"].any()
        assert np.array_equal(one.state()["cells.v"], other.state()["cells.v"])


def test_values_agree_with_floating_point_to_its_last_bits() -> None:
    rng = np.random.default_rng(0)
    weights = np.rint(rng.uniform(-0.5, 0.5, (50, 2)) * 2**20) / 2**20
    x = rng.standard_normal((30, 50)) * 1e-9
    with load("reference", sensed(weights, 50, LIF(threshold=1.0))) as backend:
        backend.step({"x": x}, 30)
        assert backend.state()["cells.current"] == pytest.approx(x[-1] @ weights, rel=1e-12)


def test_two_sources_spikes_and_silence_add_to_one_input() -> None:
    """Signed silence and spikes enter the same variable as values do, on every backend."""
    nodes = (
        Source("in", 3),
        Source("x", 4, "values"),
        Source("y", 2, "values"),
        Source("level", 2, "current"),
        Population("cells", 6, TWO),
    )
    projections = (
        Projection("spikes", "in", "cells", Uniform(-1, 3), signed=True, target="i"),
        Projection("felt", "x", "cells", Uniform(-1, 3), target="i"),
        Projection("more", "y", "cells", 0.7, target="i", blocks=2),
        Projection("slow", "x", "cells", 0.1, target="g", connect=FixedInDegree(2)),
        Projection("flow", "level", "cells", 0.3, target="i"),
        Projection("loop", "cells", "cells", Uniform(-1, 1), target="g"),
    )
    network = Network(nodes, projections)
    assert Network.from_dict(network.to_dict()) == network
    others = [load("native", network, seed=4), load("brian2", network, seed=4)]
    others += [load("torch", network, seed=4), load("torch", network, seed=4, engine="eager")]
    with load("reference", network, seed=4) as reference:
        for k in range(4):
            inputs = rasters(network, 9 + k, k)
            expected = reference.step(inputs, 9 + k)["cells"]
            assert expected.any()
            for other in others:
                assert np.array_equal(other.step(inputs, 9 + k)["cells"], expected)
                assert same_state(other.state(), reference.state()) == []
    for other in others:
        other.close()


def test_a_module_has_the_bits_in_float64_and_gradients() -> None:
    torch = pytest.importorskip(
        "torch", reason="torch is not installed: pip install 'neurorl[torch]'"
    )
    from neurorl.backends.torch.module import SpikingModule

    network = FEATURES["values for each step"]()
    quiet = Population("middle", 9, CubaLIF(2e-3, 8e-3, 0.8, 0.02))
    last = Population("last", 3, LIF(8e-3, 0.5))
    learns = (
        Projection("first", "input", "middle", Uniform(-0.2, 0.6), plasticity=Plasticity()),
        *(p for p in network.projections if p.name != "first"),
    )
    network = Network((*network.sources, quiet, last), learns)
    inputs = rasters(network, 30, 1)
    module = SpikingModule(network, seed=3, dtype=torch.float64)
    with load("reference", network, seed=3) as backend:
        expected = backend.step(inputs, 30)
        module.set_weights("first", backend.weights("first"))
        for name in ("flow", "groups", "second"):
            module.set_weights(name, backend.weights(name))
    seen = {name: torch.tensor(x[:, None].astype(float)) for name, x in inputs.items()}
    seen["level"].requires_grad_()
    spikes, _ = module(seen)
    for name, raster in expected.items():
        assert raster.any()
        assert np.array_equal(spikes[name][:, 0].detach().numpy() > 0, raster)
    spikes["last"].sum().backward()
    assert seen["level"].grad.abs().sum() > 0


def test_a_rule_learns_beside_values_by_the_same_probabilities() -> None:
    """p of neurons by equations is computed again, values included."""
    nodes = (Source("in", 3), Source("x", 2, "values"), Population("cells", 4, TWO))
    learns = Plasticity(low=-5.0, high=5.0)
    into = Projection("in_cells", "in", "cells", Uniform(0, 3), target="i", plasticity=learns)
    network = Network(nodes, (into, Projection("felt", "x", "cells", 2.0, target="i")))
    weights = []
    for name in ("reference", "native", "torch"):
        with load(name, network, seed=2) as backend:
            learning = Learning(backend, Rule("mine", output="spike - p"))
            for k in range(3):
                learning.window(rasters(network, 12, k), 12)
                learning.reinforce(1.0)
            weights.append(backend.weights("in_cells"))
    assert weights[0].std() > 0
    assert all(np.array_equal(one, other) for one, other in pairwise(weights))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.ones((5, 2), bool), "takes numbers .*bool"),
        (np.ones(2), r"wrong shape \(got \(2,\), limit \(5, 2\)"),
        (np.full((5, 2), np.nan), "out of range .*nan"),
        (np.full((5, 2), 2e30), r"out of range .*2e\+30"),
        (np.ones((5, 2)).view(np.ma.MaskedArray), "masked"),
        ("much", "takes numbers"),
    ],
)
def test_bad_values_change_nothing(value: Any, words: str) -> None:
    with load("native", sensed(1.0)) as backend:
        before = backend.state()
        with pytest.raises(ArgumentError, match=words):
            backend.step({"x": value}, 5)
        assert same_state(backend.state(), before) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delay": 2e-3}, "a value has no delay"),
        ({"signed": True}, "no silence to be signed"),
        ({"plasticity": Plasticity()}, "no spikes to learn from"),
        ({"short_term": TsodyksMarkram(0.5, 0.1)}, "no spikes that release"),
    ],
)
def test_what_a_value_has_not_is_refused(options: Any, words: str) -> None:
    with pytest.raises(DescriptionError, match=words):
        sensed(1.0, **options)


def test_chips_and_exchange_refuse_values_by_name(tmp_path: Any) -> None:
    network = sensed(1.0)
    for name, arithmetic in (("native", "loihi"), ("torch", "loihi"), ("native", "xylo")):
        with pytest.raises(UnsupportedError, match="source 'x' of values in chip arithmetic"):
            load(name, network, arithmetic=arithmetic)
    with pytest.raises(UnsupportedError, match="sources of values: 'x'"):
        to_nir(network, {})
    with pytest.raises(UnsupportedError, match="source 'x', of values"):
        to_nengo(network)
    assert problems(network, "nest")[0] == "source 'x' of values (take spikes)"
    with (
        load("brian2", network) as backend,
        pytest.raises(UnsupportedError, match="a script has no currents or values"),
    ):
        backend.write_script(tmp_path, {}, 5)


def test_weights_of_values_may_not_add_up_to_more_than_is_exact() -> None:
    with load("native", sensed(1.0, neuron=LIF(threshold=1.0))) as backend:
        backend.set_weights("felt", np.full((2, 2), 1024.0))
        with pytest.raises(ArgumentError, match=r"too large .*limit 1024\)"):
            backend.set_weights("felt", np.full((2, 2), 1025.0))


class Deaf(ReferenceSimulator):
    """Take neither values nor what comes through gap junctions."""

    name = "deaf"

    def with_given(
        self, sums: list[dict[str, FloatArray]], inputs: Inputs, step: int
    ) -> list[dict[str, FloatArray]]:
        return sums


@pytest.mark.parametrize("feature", ["values for each step", "gap junctions"])
def test_validation_finds_a_backend_without_them_and_blames_no_other(feature: str) -> None:
    same = neurorl.validate(FEATURES[feature](), ["reference", "native"], steps=40)
    assert same.verdict == "exact"
    report = neurorl.validate(FEATURES[feature](), ["reference", Deaf], steps=40)
    assert report.verdict == "different"
    first = report.explanations[0]
    assert first.cause == "unknown"
    assert "that values or gap junctions enter, whose steps are not predicted" in first.detail
