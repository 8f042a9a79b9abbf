"""Test connectors: which synapses they make, in which order, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neurorl.errors import DescriptionError
from neurorl.models import (
    LIF,
    AllToAll,
    Blocks,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    OneToOne,
    Synapses,
)
from neurorl.network import plasticity
from neurorl.network.description import Network, Normal, Population, Projection, Source, Uniform
from neurorl.network.initial_weights import initial_weights
from neurorl.network.replicate import replicate
from neurorl.network.synapse_list import SynapseList


def network(connect: Any, n_pre: int = 40, n_post: int = 30, **options: Any) -> Network:
    """Return a network of a projection ``p``, of a loop if *n_pre* is 0."""
    nodes = (Source("input", n_pre or 1), Population("cells", n_post, LIF()))
    pre = "input" if n_pre else "cells"
    return Network(nodes, (Projection("p", pre, "cells", connect=connect, **options),))


def synapses(described: Network) -> SynapseList:
    """Return its list, checked for order."""
    listed = described.synapses("p")
    assert listed is not None
    places = listed.pre.astype(np.int64) * listed.n_post + listed.post
    assert (np.diff(places) >= 0).all()
    assert described.weight_shape("p") == (len(listed),) == (described.n_synapses,)
    return listed


def test_degrees_are_exact_and_partners_differ() -> None:
    for n in (1, 7, 25, 40):
        into = synapses(network(FixedInDegree(n)))
        assert set(np.bincount(into.post, minlength=30)) == {n}
        assert len({*zip(into.pre, into.post, strict=True)}) == 30 * n
    for n in (1, 7, 25, 30):
        out = synapses(network(FixedOutDegree(n)))
        assert set(np.diff(out.start)) == {n}
        assert len({*zip(out.pre, out.post, strict=True)}) == 40 * n


def test_autapses_and_multapses_are_choices() -> None:
    for connect in (FixedInDegree(29), FixedOutDegree(29), FixedProbability(1.0)):
        assert (synapses(network(connect, 0)).pre == synapses(network(connect, 0)).post).any()
    for connect in (
        FixedInDegree(29, autapses=False),
        FixedOutDegree(29, autapses=False),
        FixedProbability(1.0, autapses=False),
    ):
        listed = synapses(network(connect, 0))
        assert len(listed) == 30 * 29
        assert not (listed.pre == listed.post).any()
        # Between two nodes there is no autapse to leave out.
        between = synapses(network(connect))
        assert (between.pre == between.post).any()
    several = synapses(network(FixedInDegree(100, multapses=True)))
    assert set(np.bincount(several.post, minlength=30)) == {100}


def test_draws_are_even_and_by_chance() -> None:
    """Each pair of neurons is as likely as any, within 5 standard deviations of 200 networks."""
    counts = {name: np.zeros((8, 6)) for name in ("p", "in", "out", "most")}
    for seed in range(200):
        for name, connect in (
            ("p", FixedProbability(0.3, seed=seed)),
            ("in", FixedInDegree(2, seed=seed)),
            ("out", FixedOutDegree(2, seed=seed)),
            ("most", FixedInDegree(6, seed=seed)),
        ):
            listed = synapses(network(connect, 8, 6))
            counts[name] += listed.dense(np.ones(len(listed)))
    for name, p in (("p", 0.3), ("in", 2 / 8), ("out", 2 / 6), ("most", 6 / 8)):
        deviation = np.sqrt(200 * p * (1 - p))
        assert np.abs(counts[name] - 200 * p).max() < 5 * deviation, name
        assert counts[name].std() > 0.5 * deviation, name


def test_seeds_and_names_draw_others_and_chunks_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    every: list[Callable[..., Any]] = [FixedInDegree, FixedOutDegree, FixedProbability]
    for make in every:
        size: Any = 0.2 if make is FixedProbability else 6
        one, other = (synapses(network(make(size, seed=k))) for k in (0, 1))
        assert not np.array_equal(one.post, other.post)
        nodes = (Source("input", 40), Population("cells", 30, LIF()))
        named = Network(nodes, (Projection("q", "input", "cells", connect=make(size)),))
        assert not np.array_equal(named.synapses("q").post, one.post)  # type: ignore[union-attr]
        monkeypatch.setattr(plasticity, "CHUNK", 16)
        again = synapses(network(make(size)))
        monkeypatch.undo()
        assert np.array_equal(again.post, one.post)
        assert np.array_equal(again.start, one.start)


def test_draws_stay_what_they_are() -> None:
    """Files hold the connector only, so what it draws may never change."""
    assert synapses(network(FixedInDegree(2), 9, 4)).pre.tolist() == IN_DEGREE
    assert synapses(network(FixedOutDegree(2), 4, 9)).post.tolist() == OUT_DEGREE
    assert synapses(network(FixedProbability(0.2), 6, 6)).post.tolist() == BY_CHANCE


IN_DEGREE = [0, 0, 1, 3, 5, 5, 6, 8]
OUT_DEGREE = [1, 8, 3, 6, 0, 5, 0, 5]
BY_CHANCE = [0, 1, 3, 0, 5, 1]


def test_listed_synapses_are_put_in_order_with_what_they_have() -> None:
    pre, post = [2, 0, 2, 1], [1, 3, 0, 3]
    described = network(
        Synapses(pre, post), weights=[0.1, 0.2, 0.3, 0.4], delay=[1e-3, 2e-3, 3e-3, 4e-3]
    )
    listed = synapses(described)
    assert listed.pre.tolist() == [0, 1, 2, 2]
    assert listed.post.tolist() == [3, 3, 0, 1]
    assert described.projection("p").weights.tolist() == [0.2, 0.4, 0.3, 0.1]
    delays = described.synapse_delays("p")
    assert delays is not None
    assert delays.tolist() == [2, 4, 3, 1]
    assert described.delay_steps("p") == 4
    assert described.steps("input", "cells") == 1


def test_dense_connectors_are_what_stood_there_before() -> None:
    assert network(AllToAll()) == network(None)
    assert network(Blocks(5)) == network(None, blocks=5)
    for n in (1, 30):
        own = network(OneToOne(), n, n, weights=np.arange(float(n)))
        shape = (n, 1, 1) if n > 1 else (1, 1)
        expected = network(None, n, n, blocks=n, weights=np.arange(float(n)).reshape(shape))
        assert own == expected
        assert own.to_dict() == expected.to_dict()
    assert "connect" not in network(AllToAll()).projections[0].to_dict()


def test_drawn_weights_are_those_of_a_mask() -> None:
    described = network(FixedInDegree(5), weights=Uniform(-1.0, 2.0))
    listed = synapses(described)
    mask = listed.dense(np.ones(len(listed))) > 0
    masked = network(None, weights=Uniform(-1.0, 2.0), mask=mask)
    for seed in (0, 2**50 + 3):
        dense, sparse = (initial_weights(n, "p", seed) for n in (masked, described))
        assert np.array_equal(dense[listed.pre, listed.post], sparse)
    repeated = network(FixedInDegree(60, multapses=True), 4, 3, weights=Uniform(0.0, 1.0))
    assert len(np.unique(initial_weights(repeated, "p", 0))) == 180


def test_replicas_lie_side_by_side() -> None:
    described = network(FixedProbability(0.2), weights=0.5)
    one, three = synapses(described), replicate(described, 3).synapses("p")
    assert three is not None
    assert three.pre.tolist() == [40 * k + i for k in range(3) for i in one.pre.tolist()]
    assert three.post.tolist() == [30 * k + j for k in range(3) for j in one.post.tolist()]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: network(FixedInDegree(41)), "degree larger than the number of presynaptic neu"),
        (lambda: network(FixedOutDegree(31)), "degree larger than the number of postsynaptic neu"),
        (
            lambda: network(FixedInDegree(30, autapses=False), 0),
            r"Projection 'p'.connect: degree larger .* \(got 30, limit 29\); multapses=True",
        ),
        (lambda: FixedProbability(1.5), r"FixedProbability.p: out of range \(got 1.5, limit 0 to"),
        (lambda: FixedProbability(float("nan")), "FixedProbability.p: out of range"),
        (lambda: FixedInDegree(2.5), r"FixedInDegree.n: must be a whole number"),  # type: ignore[arg-type]
        (lambda: FixedInDegree(0), "FixedInDegree.n: must be a whole number"),
        (lambda: FixedOutDegree(1, seed=-1), "FixedOutDegree.seed: must be a whole number"),
        (lambda: FixedOutDegree(1, autapses=1), "FixedOutDegree.autapses: must be True or False"),  # type: ignore[arg-type]
        (lambda: Synapses([0, 1], [0]), r"Synapses: pre and post are of two lengths \(got 2 and 1"),
        (lambda: Synapses([0, -1], [0, 0]), r"Synapses.pre: out of range \(got -1"),
        (lambda: Synapses([0.5], [0]), "Synapses.pre: not a list of whole numbers"),
        (lambda: Synapses([[0]], [0]), "Synapses.pre: not a list of whole numbers"),
        (lambda: Synapses([0], [2**40]), "Synapses.post: out of range"),
        (
            lambda: network(Synapses([0, 40], [0, 0])),
            r"Projection 'p'.connect: pre names a neuron that isn't there \(got 40, limit 0 to 39",
        ),
        (lambda: network(Synapses([0], [30])), "post names a neuron that isn't there"),
        (
            lambda: network(Synapses([3, 1, 3], [2, 0, 2])),
            r"two synapses of the same neurons \(got 3 to 2\); multapses=True",
        ),
        (
            lambda: network(FixedInDegree(3), weights=np.ones(7)),
            r"Projection 'p'.weights: wrong shape \(got \(7,\), limit \(90,\)\)",
        ),
        (
            lambda: network(FixedProbability(0.5), weights=np.ones((40, 30))),
            r"Projection 'p'.weights: wrong shape \(got \(40, 30\), limit one for each synapse",
        ),
        (
            lambda: network(FixedProbability(0.5), weights=np.ones(600)),
            r"Projection 'p'.weights: wrong shape \(got \(600,\), limit \(",
        ),
        (
            lambda: network(FixedInDegree(1), delay=[1e-3] * 29),
            r"Projection 'p'.delay: wrong shape",
        ),
        (
            lambda: network(FixedInDegree(1), delay=[1e-3] * 29 + [1.5e-3]),
            r"Projection 'p'.delay: must be a whole number of steps \(got 0.0015 s",
        ),
        (
            lambda: network(None, delay=Uniform(1e-3, 2e-3)),
            r"Projection 'p'.delay: drawn ones need a list of synapses",
        ),
        (
            lambda: network(FixedInDegree(1), delay=Uniform(0.0, 2e-3)),
            r"Projection 'p'.delay: must be a whole number of steps \(got 0 s",
        ),
        (
            lambda: network(FixedInDegree(1), delay=Normal(2e-3, 1e-3, high=2.5e-3)),
            r"Projection 'p'.delay: must be a whole number of steps \(got 0.0025 s",
        ),
        (lambda: network(FixedInDegree(1), delay=Normal(9e9, 0.0)), "too long"),
        (lambda: Normal(1e-3, -1.0), r"Normal\.sd"),
        (lambda: network(None, delay=[1e-3]), "one for each synapse needs a list of them"),
        (lambda: network(FixedInDegree(1), blocks=2), "says which neurons are connected, as bl"),
        (lambda: network("all"), r"Projection 'p'.connect: not a connector \(got 'all'\)"),
        (lambda: network(OneToOne()), r"one to one needs two ends of one size \(got 40 and 30\)"),
        (
            lambda: network(FixedProbability(0.5), 2**20, 2**20),
            r"Projection 'p'.connect: too many synapses",
        ),
        (
            lambda: network(FixedOutDegree(2**20, multapses=True), 2**20),
            r"Projection 'p'.connect: too many synapses",
        ),
    ],
)
def test_what_cannot_be_made_is_refused(make: Callable[[], object], words: str) -> None:
    with pytest.raises(DescriptionError, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)
