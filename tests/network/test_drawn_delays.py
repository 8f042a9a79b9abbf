"""Drawn delays: their distribution, what they depend on, files, and the array that they are."""

from __future__ import annotations

import dataclasses
from math import erf
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compare_backends import compare

import neurorl
from neurorl import Network, Normal, Population, Projection, Source, TsodyksMarkram, Uniform
from neurorl.models import LIF, CubaLIF, FixedInDegree, FixedOutDegree, Synapses
from neurorl.network import synapse_list
from neurorl.testing import rasters, same_state


def network(delay: Any, name: str = "p", seed: int = 0, n: int = 40) -> Network:
    """Return 500 neurons with *n* synapses each."""
    nodes = (Source("input", 300), Population("cells", 500, LIF()))
    connect = FixedInDegree(n, seed=seed, multapses=True)
    return Network(nodes, (Projection(name, "input", "cells", 0.1, connect=connect, delay=delay),))


def steps(described: Network, name: str = "p") -> Any:
    delays = described.synapse_delays(name)
    assert delays is not None
    return delays


def test_even_ones_take_each_step_alike() -> None:
    drawn = steps(network(Uniform(2e-3, 6e-3)))
    counts = np.bincount(drawn, minlength=8)
    assert counts.sum() == 20_000
    assert not counts[[0, 1, 7]].any()
    assert (np.abs(counts[2:7] - 4000) < 4 * np.sqrt(20_000 * 0.2 * 0.8)).all()
    assert set(steps(network(Uniform(3e-3, 3e-3)))) == {3}


def test_normal_ones_are_rounded_and_clipped() -> None:
    drawn = steps(network(Normal(20e-3, 4e-3)))
    assert abs(drawn.mean() - 20) < 4 * 4 / np.sqrt(20_000)
    assert abs(drawn.std() - np.sqrt(16 + 1 / 12)) < 0.1
    z = (np.arange(12, 29) + 0.5 - 20) / 4
    below = [(drawn <= k).mean() for k in range(12, 29)]
    assert np.abs(np.array(below) - [0.5 + 0.5 * erf(x / 2**0.5) for x in z]).max() < 0.015
    clipped = steps(network(Normal(2e-3, 4e-3, low=2e-3, high=5e-3)))
    assert (clipped.min(), clipped.max()) == (2, 5)
    assert abs((clipped == 2).mean() - 0.5 - 0.5 * erf(0.125 / 2**0.5)) < 0.02
    assert steps(network(Normal(1e-3, 4e-3))).min() == 1
    assert set(steps(network(Normal(7e-3, 0.0)))) == {7}


def test_the_name_and_the_seed_decide_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for delay in (Uniform(1e-3, 30e-3), Normal(15e-3, 5e-3)):
        drawn = steps(network(delay))
        assert np.array_equal(drawn, steps(network(delay)))
        assert not np.array_equal(drawn, steps(network(delay, "q"), "q"))
        assert not np.array_equal(drawn, steps(network(delay, seed=1)))
        with monkeypatch.context() as patched:
            patched.setattr(synapse_list, "CHUNK", 64)
            assert np.array_equal(drawn, steps(network(delay)))
        listed = network(delay).synapses("p")
        assert listed is not None
        places = listed.pre * 500 + listed.post
        twice = np.flatnonzero(places[1:] == places[:-1])
        assert len(twice) > 100
        assert (drawn[twice] != drawn[twice + 1]).mean() > 0.8  # several synapses, several draws


def test_the_first_of_them_never_change() -> None:
    assert steps(network(Uniform(1e-3, 30e-3)))[:8].tolist() == EVEN
    assert steps(network(Normal(15e-3, 5e-3)))[:8].tolist() == BELL


EVEN = [13, 7, 16, 15, 21, 24, 4, 3]
BELL = [10, 21, 10, 11, 11, 18, 18, 25]


def test_a_description_keeps_the_numbers_only(tmp_path: Path) -> None:
    described = network(Normal(15e-3, 5e-3, low=2e-3), n=300)
    assert "_drawn_delays" not in described.projections[0].__dict__  # not before they are needed
    assert Network.from_dict(described.to_dict()) == described
    neurorl.save_network(tmp_path / "drawn.npz", described)
    assert (tmp_path / "drawn.npz").stat().st_size < 5000
    loaded = neurorl.load_network(tmp_path / "drawn.npz")
    assert np.array_equal(steps(loaded), steps(described))


def small(as_arrays: bool = False) -> Network:
    """Return a network with a loop of drawn delays, one of short-term plasticity among them."""
    cell = CubaLIF(2e-3, 8e-3, 0.5, 0.0, 0.1)
    pairs = np.divmod(np.arange(0, 48, 2), 8)
    drawn = Network(
        (Source("input", 6), Population("cells", 8, cell)),
        (
            Projection(
                *("even", "input", "cells", Uniform(0.1, 0.9)),
                connect=FixedInDegree(4),
                delay=Uniform(1e-3, 5e-3),
            ),
            Projection(
                *("bell", "cells", "cells", Uniform(-0.5, 0.5)),
                connect=FixedOutDegree(3),
                delay=Normal(3e-3, 1e-3),
            ),
            Projection(
                *("given", "input", "cells", 0.6),
                connect=Synapses(*pairs),
                delay=Normal(2e-3, 1e-3),
            ),
        ),
        1e-3,
    )
    if not as_arrays:
        return drawn
    arrays = tuple(
        dataclasses.replace(p, delay=1e-3 * steps(drawn, p.name)) for p in drawn.projections
    )
    return dataclasses.replace(drawn, projections=arrays)


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_the_array_of_them_is_the_same_network(arithmetic: str) -> None:
    options: dict[str, Any] = {"seed": [1, 2], "arithmetic": arithmetic}
    with (
        neurorl.load("reference", small(), **options) as one,
        neurorl.load("reference", small(as_arrays=True), **options) as other,
    ):
        inputs = rasters(one.simulated.whole, 60, 3)
        results = [backend.step(inputs, 60)["cells"] for backend in (one, other)]
        assert results[0].sum() > 50
        assert np.array_equal(results[0], results[1])
        assert same_state(one.state(1), other.state(1)) == []


@pytest.mark.parametrize(
    ("place", "arithmetic", "module"),
    [
        ("native", "float", "numpy"),
        ("brian2", "float", "brian2"),
        ("torch", "float", "torch"),
        ("torch", "loihi", "torch"),
        ("loihi", "loihi", "nengo_loihi"),
    ],
)
def test_every_backend_has_them(place: str, arithmetic: str, module: str) -> None:
    pytest.importorskip(module, reason=f"{module} is not installed")
    options: dict[str, Any] = {"arithmetic": arithmetic}
    assert compare(small(), 3, {place: options}, {"arithmetic": arithmetic}) > 50
    if arithmetic == "float":
        described = small()
        short = dataclasses.replace(described.projections[0], short_term=TsodyksMarkram())
        projections = (short, *described.projections[1:])
        assert compare(dataclasses.replace(described, projections=projections), 4, {place: {}}) > 50
