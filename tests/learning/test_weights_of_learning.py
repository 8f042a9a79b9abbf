"""Weights of a `Learning`: scaled, normalised and recorded, dense, in blocks and as lists."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.backends.base import Backend
from neurorl.errors import ArgumentError, UnknownNameError
from neurorl.models import CubaLIF, FixedProbability
from neurorl.rules import Rule

KINDS = ("dense", "blocks", "list")
TOLD = Rule("told", output="spike*phi")


def network() -> Network:
    """Return projections of each kind from 12 inputs to populations of 9 cells."""
    plastic = Plasticity(trace_tau=0.02, low=-2.0, high=2.0)
    connect = FixedProbability(0.4)
    return Network(
        (Source("in", 12), *(Population(f"to_{kind}", 9, CubaLIF()) for kind in KINDS)),
        tuple(
            Projection(
                kind,
                "in",
                f"to_{kind}",
                Uniform(-0.3, 0.5),
                blocks=3 if kind == "blocks" else 1,
                connect=connect if kind == "list" else None,
                plasticity=plastic,
            )
            for kind in KINDS
        ),
        dt=1e-3,
    )


@pytest.fixture(params=["float", "loihi"])
def backend(request: pytest.FixtureRequest) -> Iterator[Backend]:
    with load("reference", network(), seed=[1, 2], arithmetic=request.param) as backend:
        yield backend


def sizes_into(
    backend: Backend, kind: str, weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return the sum of the sizes of what enters each cell, of each replica."""
    synapses = backend.network.synapses(kind)
    if synapses is None:
        return np.asarray(np.abs(weights).sum(axis=-2))
    sums = [np.bincount(synapses.post, np.abs(row), synapses.n_post) for row in weights]
    return np.stack(sums)


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_into_each_cell_are_normalised(backend: Backend, kind: str) -> None:
    learning = Learning(backend)
    before = learning.weights(kind)
    in_force = learning.normalise(kind, 1.5)
    after, had = learning.weights(kind), sizes_into(backend, kind, before)
    assert np.array_equal(in_force, backend.weights(kind))
    assert np.allclose(sizes_into(backend, kind, after)[had > 0], 1.5, atol=1e-6)
    assert np.array_equal(np.sign(after), np.sign(before))
    learning.set_weights(kind, 0.0 * before)
    learning.normalise(kind, 1.0)
    assert not learning.weights(kind).any()


@pytest.mark.parametrize("kind", KINDS)
def test_scaled_weights_are_set_weights(backend: Backend, kind: str) -> None:
    learning = Learning(backend)
    before = learning.weights(kind)
    in_force = learning.scale(kind, 0.5)
    assert np.array_equal(learning.set_weights(kind, 0.5 * before), in_force)
    learning.set_weights(kind, before)
    learning.scale(kind, 2.0, replica=1)
    after = learning.weights(kind)
    assert np.array_equal(after[0], before[0])
    assert np.allclose(after[1], 2.0 * before[1])


def test_a_factor_for_each_cell(backend: Backend) -> None:
    learning, factors = Learning(backend), np.linspace(0.0, 1.0, 9)
    before = learning.weights("dense")
    learning.scale("dense", factors)
    assert np.allclose(learning.weights("dense"), before * factors, atol=1e-6)
    for factor, what in ((np.ones(5), "wrong shape"), (np.nan, "finite"), ("all", "finite")):
        with pytest.raises(ArgumentError, match=what):
            learning.scale("dense", factor)
    with pytest.raises(UnknownNameError):
        learning.normalise("other", 1.0)


def made(learning: Learning, number: int) -> None:
    """Make a window, and reinforce it."""
    raster = np.random.default_rng(number).random((20, 24)) < 0.3
    learning.window({"in": raster}, 20)
    learning.reinforce(0.1, phi=1.0 if learning.rule is TOLD else None)


@pytest.mark.parametrize("rule", ["reward-stdp", TOLD], ids=["at-once", "told"])
def test_windows_are_recorded_with_what_reinforced_them(backend: Backend, rule: str | Rule) -> None:
    learning, weights, eligibilities = Learning(backend, rule, rate=0.01), [], []
    made(learning, 0)
    with learning.record(["list.weights", "dense.eligibility"], every=2) as records:
        for number in range(1, 6):
            made(learning, number)
            weights.append(learning.weights("list"))
            eligibilities.append(learning.eligibility("dense"))
        learning.reset()
    made(learning, 6)
    assert records.times("list.weights").tolist() == [2, 4, 6]
    assert np.array_equal(records["list.weights"], weights[::2])
    assert np.array_equal(records["dense.eligibility"], eligibilities[::2])
    assert np.any(records["list.weights"][0] != records["list.weights"][-1])


def test_the_last_window_is_recorded_and_rows_may_be_taken_away(backend: Backend) -> None:
    learning, rows = Learning(backend, rate=0.01), []
    with learning.record(["blocks.weights"], callback=lambda *row: rows.append(row)):
        made(learning, 1)
        assert rows == []
    ((t, name, weights),) = rows
    assert (t, name) == (1, "blocks.weights")
    assert np.array_equal(weights, learning.weights("blocks"))
    with pytest.raises(UnknownNameError):
        learning.record(["in.spikes"])
