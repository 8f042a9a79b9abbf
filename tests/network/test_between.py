"""Test projections between parts of nodes against dense ones with zeros elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorl import Learning, Network, Population, Projection, Source, load
from neurorl.errors import DescriptionError
from neurorl.models import (
    LIF,
    AllToAll,
    Between,
    Blocks,
    FixedInDegree,
    FixedProbability,
    OneToOne,
    Synapses,
)
from neurorl.network.description import Plasticity

CELLS = Population("cells", 30, LIF(tau_mem=5e-3, noise=0.1))
NODES = (Source("input", 12), CELLS)


def network(**fields: Any) -> Network:
    chosen = {"name": "x", "pre": "cells", "post": "cells", "weights": 0.1, **fields}
    return Network(NODES, (Projection("into", "input", "cells", 0.2), Projection(**chosen)))


@given(st.integers(0, 29), st.integers(1, 30), st.integers(0, 29), st.integers(1, 30))
def test_a_matrix_of_parts_is_that_part_of_the_whole(a: int, b: int, c: int, d: int) -> None:
    if a >= b or c >= d:
        return
    weights = np.random.default_rng(a + 31 * b).normal(0, 0.2, (b - a, d - c))
    made = network(pre=f"cells[{a}:{b}]", post=f"cells[{c}:{d}]", weights=weights)
    synapses = made.synapses("x")
    assert synapses is not None
    whole = np.zeros((30, 30))
    whole[a:b, c:d] = weights
    assert np.array_equal(synapses.dense(np.asarray(made.projection("x").weights)), whole)
    assert Network.from_dict(made.to_dict()) == made


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_spikes_are_those_of_a_whole_matrix(backend: str) -> None:
    weights = np.random.default_rng(0).normal(0, 0.4, (20, 10))
    whole = np.zeros((30, 30))
    whole[:20, 20:] = weights
    spikes = {"input": np.random.default_rng(1).random((200, 12)) < 0.2}
    rasters = []
    for fields in ({"pre": "cells[:20]", "post": "cells[20:]"}, {}):
        made = network(weights=weights if fields else whole, **fields)
        for seed in (3, [3, 4]):
            with load(backend, made, seed=seed) as loaded:
                tiled = spikes if seed == 3 else {"input": np.tile(spikes["input"], (1, 2))}
                rasters.append(loaded.step(tiled, 200)["cells"])
    assert rasters[0].sum() > 300
    assert np.array_equal(rasters[0], rasters[2])
    assert np.array_equal(rasters[1], rasters[3])


def test_a_connector_sees_the_parts_as_nodes() -> None:
    for connect, n_pre, n_post in (
        (FixedProbability(0.3, seed=2), 12, 8),
        (FixedInDegree(5, seed=2), 12, 8),
        (Synapses([0, 3, 11], [7, 0, 2]), 12, 8),
        (OneToOne(), 8, 8),
    ):
        made = network(pre=f"cells[10:{10 + n_pre}]", post="cells[22:]", connect=connect)
        assert made.projection("x").connect == Between(connect, (10, 10 + n_pre), (22, None))
        inside = Network(
            (Population("a", n_pre, LIF()), Population("b", n_post, LIF())),
            (Projection("x", "a", "b", 0.1, connect=connect),),
        )
        ours, alone = made.synapses("x"), inside.synapses("x")
        assert ours is not None
        if alone is None:  # one to one is dense
            assert np.array_equal(ours.pre, np.arange(10, 18))
            assert np.array_equal(ours.post, np.arange(22, 30))
        else:
            assert np.array_equal(ours.pre, 10 + alone.pre)
            assert np.array_equal(ours.post, 22 + alone.post)


def test_autapses_are_left_out_within_the_same_part() -> None:
    made = network(
        pre="cells[5:25]", post="cells[5:25]", connect=FixedProbability(1.0, autapses=False)
    )
    synapses = made.synapses("x")
    assert synapses is not None
    assert len(synapses) == 20 * 19
    assert not (synapses.pre == synapses.post).any()


def test_parts_learn() -> None:
    made = network(
        pre="cells[:20]", post="cells[20:]", plasticity=Plasticity(0.1, -1.0, 1.0), delay=2e-3
    )
    spikes = {"input": np.random.default_rng(1).random((100, 12)) < 0.5}
    learned = []
    for backend in ("reference", "native"):
        with load(backend, made) as loaded:
            learning = Learning(loaded, "reward-stdp", rate=1e-4)
            learning.window(spikes, 100)
            learning.reinforce(1.0)
            learned.append(learning.weights("x").copy())
    assert np.ptp(learned[0]) > 0
    assert np.array_equal(learned[0], learned[1])


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ((0.5, None), "no whole number"),
        ((1,), "is no part"),
        ((3, 2), "ends before it begins"),
        ((-1, None), "Between.post"),
        ("x", "Between.post"),
    ],
)
def test_parts_are_checked(part: Any, message: str) -> None:
    with pytest.raises(DescriptionError, match=message):
        Between(AllToAll(), post=part)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pre": "cells[20:31]"}, r"connect, pre: a part beyond the node \(got 20:31, limit 0:30"),
        ({"post": "cells[30:]"}, r"connect, post: a part beyond the node \(got 30:"),
        ({"pre": "cells[5:5]"}, "Between.pre: ends before it begins"),
        ({"pre": "cells[-3:]"}, "Projection 'x'.pre: no such node"),
        ({"pre": "cells[::2]"}, "Projection 'x'.pre: no such node"),
        ({"pre": "cells[:9]", "connect": OneToOne()}, "two parts of one size .got 9 and 30"),
        ({"pre": "cells[:9]", "connect": Blocks(3)}, "connects no parts of nodes"),
        ({"pre": "cells[:9]", "mask": True}, "leave both out"),
        ({"pre": "cells[:9]", "weights": np.ones((8, 30))}, "wrong shape"),
        (
            {"pre": "cells[:9]", "connect": FixedProbability(0.5, autapses=False)},
            "parts that are the same, or apart; two projections",
        ),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(DescriptionError, match=message):
        network(**fields)
