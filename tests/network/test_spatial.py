"""Test connectors that draw by distance: shares, files, replicas, and what is refused."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from neurorl import Network, Population, Projection, Source, load
from neurorl.errors import DescriptionError
from neurorl.models import LIF, ExponentialDistance, GaussianDistance
from neurorl.network.synapse_list import SynapseList
from neurorl.numerics.arrays import FloatArray

PLACES = np.random.default_rng(0).random((600, 2))
TO = np.random.default_rng(1).random((500, 2))


def network(connect: Any, n_post: int = 500) -> Network:
    nodes = (Source("input", 600), Population("cells", n_post, LIF(noise=0.1)))
    return Network(nodes, (Projection("near", "input", "cells", 0.1, connect=connect),))


def synapses(connect: Any, n_post: int = 500) -> SynapseList:
    made = network(connect, n_post).synapses("near")
    assert made is not None
    return made


def distances(period: float | None) -> FloatArray:
    off = np.abs(PLACES[:, None] - TO[None])
    if period is not None:
        off = np.minimum(off, period - off)
    return np.asarray(np.sqrt((off**2).sum(axis=-1)))


@pytest.mark.parametrize("period", [None, 1.0])
@pytest.mark.parametrize("p", [1.0, 0.4])
@pytest.mark.parametrize("kind", [GaussianDistance, ExponentialDistance])
def test_shares_of_pairs_by_distance(kind: Any, p: float, period: float | None) -> None:
    made = synapses(kind(0.15, PLACES, TO, p=p, period=period, seed=3))
    there = made.dense(np.ones(len(made)))
    assert there.max() == 1.0
    far = distances(period)
    chance = p * (np.exp(-(far**2) / 0.045) if kind is GaussianDistance else np.exp(-far / 0.15))
    edges = [0, 0.05, 0.1, 0.2, 0.3, 0.5, 2.0]
    for low, high in itertools.pairwise(edges):
        inside = (far >= low) & (far < high)
        mean, n = chance[inside].mean(), inside.sum()
        assert abs(there[inside].mean() - mean) < 4.5 * np.sqrt(max(mean, 1e-4) / n)


def test_draws_depend_on_seed_and_name_alone() -> None:
    one, same = (synapses(GaussianDistance(0.2, PLACES, TO)) for _ in range(2))
    other = synapses(GaussianDistance(0.2, PLACES, TO, seed=1))
    assert np.array_equal(one.post, same.post)
    assert not np.array_equal(one.post, other.post)


def test_autapses_files_and_replicas() -> None:
    places = np.linspace(0, 1, 40)
    near = GaussianDistance(0.05, places, autapses=False)
    nodes = (Source("input", 3), Population("cells", 40, LIF(noise=0.1)))
    into = Projection("into", "input", "cells", 0.3)
    made = Network(nodes, (into, Projection("near", "cells", "cells", 0.2, connect=near)))
    list_of = made.synapses("near")
    assert list_of is not None
    assert not (list_of.pre == list_of.post).any()
    assert Network.from_dict(made.to_dict()) == made
    spikes = np.random.default_rng(0).random((100, 3)) < 0.3
    with load("native", made, seed=[5, 6]) as both, load("reference", made, seed=5) as alone:
        raster = both.step({"input": np.tile(spikes, (1, 2))}, 100)["cells"]
        assert np.array_equal(raster[:, :40], alone.step({"input": spikes}, 100)["cells"])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scale": 0.0}, r"GaussianDistance.scale: out of range|GaussianDistance.scale"),
        ({"pre": PLACES[:9]}, "connect: one place for each presynaptic neuron .got 9, limit 600"),
        ({"post": None}, "one place for each postsynaptic neuron .got 600, limit 500"),
        ({"post": TO[:, :1]}, "GaussianDistance.post: places of another dimension"),
        ({"pre": np.zeros((600, 4))}, "GaussianDistance.pre: are no places"),
        ({"pre": np.full((600, 2), np.nan)}, "not finite"),
        ({"period": 0.0}, "GaussianDistance.period: is no extent"),
        ({"period": (1.0, 1.0, 1.0)}, "GaussianDistance.period: is no extent"),
        ({"p": 1.5}, "GaussianDistance.p"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DescriptionError, match=message):
        network(GaussianDistance(**{"scale": 0.1, "pre": PLACES, "post": TO, **fields}))
