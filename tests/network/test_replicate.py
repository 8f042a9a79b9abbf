"""Test replicas as one network, and rounding by numbers."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from neurorl.arithmetic.quantiser import quantise
from neurorl.arithmetic.rounding import Arithmetic, FloatArithmetic, make_arithmetic
from neurorl.models import LIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.network.initial_weights import initial_weights
from neurorl.network.replicate import replicate
from neurorl.testing import FEATURES, random_network


def test_one_replica_is_the_network_itself() -> None:
    network = FEATURES["LIF"]()
    assert replicate(network, 1) is network


@pytest.mark.parametrize("seed", range(20))
def test_sizes_parameters_masks_and_blocks(seed: int) -> None:
    network = random_network(seed, delays=True)
    whole = replicate(network, 3)
    for one, all_ in zip(network.nodes, whole.nodes, strict=True):
        assert (all_.name, all_.size) == (one.name, 3 * one.size)
        if isinstance(one, Population) and isinstance(all_, Population):
            a = one.integrator(network.dt)
            b = all_.integrator(network.dt)
            for f in fields(a):
                assert np.array_equal(np.tile(getattr(a, f.name), 3), getattr(b, f.name))
    for p, q in zip(network.projections, whole.projections, strict=True):
        shape = network.weight_shape(p.name)
        assert whole.weight_shape(p.name) == (3 * p.blocks, *shape[-2:])
        assert whole.delay_steps(p.name) == network.delay_steps(p.name)
        assert (q.signed, q.plasticity) == (p.signed, p.plasticity)
        if p.mask is not None:
            assert np.array_equal(q.mask.reshape(3, *shape), np.stack([p.mask] * 3))
    assert Network.from_dict(whole.to_dict()) == whole


def test_weights_that_are_given_are_those_of_every_replica() -> None:
    weights = np.arange(6.0).reshape(3, 2)
    network = Network(
        (Source("in", 3), Population("out", 2, LIF())), (Projection("to", "in", "out", weights),)
    )
    whole = initial_weights(replicate(network, 4), "to", 0)
    assert np.array_equal(whole, np.stack([weights] * 4))


@pytest.mark.parametrize("seed", range(10))
def test_the_arithmetic_of_replicas_is_that_of_one(seed: int) -> None:
    network = random_network(seed)
    whole = replicate(network, 5)
    for name in ("float", "loihi"):
        one, all_ = make_arithmetic(name, network), make_arithmetic(name, whole)
        for p in network.projections:
            assert one.rounding(p.name) == all_.rounding(p.name)
            assert one._limits.get(p.name) == all_._limits.get(p.name)
    assert quantise(network).projections == quantise(whole).projections


def rounding_cases() -> list[tuple[Arithmetic, str]]:
    cases = []
    for seed in range(12):
        for arithmetic in ("float", "loihi"):
            network = random_network(seed)
            made = make_arithmetic(arithmetic, network)
            cases += [(made, p.name) for p in network.projections]
    return cases


def test_rounding_by_numbers_is_rounding() -> None:
    signs = set()
    for k, (arithmetic, name) in enumerate(rounding_cases()):
        by = arithmetic.rounding(name)
        scale = 200 * by.unit if np.isfinite(by.limit) else 3.0
        weights = np.random.default_rng(k).uniform(
            -scale, scale, arithmetic.network.weight_shape(name)
        )
        n = np.clip(np.rint(weights * by.inverse), -by.limit, by.limit)
        rounded = arithmetic.round(name, weights)
        transmitted = np.asarray(arithmetic.transmitted(name, rounded), dtype=np.float64)
        assert np.array_equal(n * by.unit, rounded)
        assert np.array_equal(n * by.transmitted_unit, transmitted)
        assert np.array_equal(by.in_force(transmitted), rounded)
        assert np.array_equal(arithmetic.round(name, rounded), rounded)
        assert np.frexp(by.transmitted_unit)[0] == 0.5  # a power of two
        signs.add((type(arithmetic).__name__, arithmetic.network.projection(name).signed))
    assert len(signs) == 4


def test_the_limit_counts_what_a_block_sums() -> None:
    nodes = (Source("in", 8), Population("out", 4, LIF()))
    limits = [
        FloatArithmetic(Network(nodes, (Projection("to", "in", "out", blocks=b),)))._limits["to"]
        for b in (1, 4)
    ]
    assert limits[1] == 4 * limits[0]
