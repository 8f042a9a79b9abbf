"""Test synapses as a list: every backend gives what it gives for them under a dense mask."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import neurorl
from neurorl.backends.registry import load
from neurorl.models import FixedInDegree, FixedOutDegree, FixedProbability, Synapses
from neurorl.network.connectors import Connector
from neurorl.network.description import Network, Population, Projection
from neurorl.testing import random_network, rasters, same_state
from neurorl.testing.plugin import Case


def random_pair(seed: int, delays: bool = True) -> tuple[Network, Network]:
    """Return a random network with listed synapses, and the same with masks."""
    rng = np.random.default_rng(seed)
    described = random_network(seed, delays, currents=seed % 2 == 0)
    sizes = {node.name: node.size for node in described.nodes}
    listed = [
        _listed(rng, p, sizes[p.pre], sizes[p.post], described.dt, p.pre in described.currents)
        for p in described.projections
    ]
    sparse = dataclasses.replace(described, projections=tuple(listed))
    return sparse, dataclasses.replace(
        described, projections=tuple(_masked(sparse, p) for p in sparse.projections)
    )


def _listed(
    rng: np.random.Generator, p: Projection, n_pre: int, n_post: int, dt: float, flows: bool
) -> Projection:
    p = dataclasses.replace(p, blocks=1, mask=None)
    if rng.random() < 0.2:
        return p
    choice, k = int(rng.integers(4)), int(rng.integers(100))
    autapses = bool(rng.random() < 0.5) or n_pre == 1
    where = np.flatnonzero(rng.random(n_pre * n_post) < 0.4)
    connectors: tuple[Connector, ...] = (
        FixedInDegree(max(1, n_pre // 2), autapses, seed=k),
        FixedOutDegree(max(1, n_post // 2), autapses, seed=k),
        FixedProbability(0.4, autapses, seed=k),
        Synapses(*np.divmod(rng.permutation(where), n_post)),
    )
    p = dataclasses.replace(p, connect=connectors[choice])
    n = p.shape(n_pre, n_post)[0]
    if rng.random() < 0.5 and n:
        p = dataclasses.replace(p, weights=rng.uniform(-1, 1, n))
    return p


def _masked(network: Network, p: Projection) -> Projection:
    listed = network.synapses(p.name)
    if listed is None:
        return p
    mask = listed.dense(np.ones(len(listed))) > 0
    weights = p.weights
    if isinstance(weights, np.ndarray) and weights.ndim:
        weights = listed.dense(weights)
    return dataclasses.replace(p, connect=None, mask=mask, weights=weights)


def dense(network: Network, name: str, values: Any) -> Any:
    """Return values for each synapse as those of a matrix, for each replica."""
    listed = network.synapses(name)
    if listed is None:
        return values
    rows = np.reshape(values, (int(np.prod(np.shape(values)[:-1])), len(listed)))
    return np.stack([listed.dense(row) for row in rows]).reshape(
        *np.shape(values)[:-1], listed.n_pre, listed.n_post
    )


def compare(case: Case, seed: int, delays: bool = True) -> int:
    """Compare windows, writes, resets and states of two replicas; return how many spikes."""
    sparse, masked = random_pair(seed, delays)
    if case.problems(masked):
        pytest.skip(
            "the chip has no room for the random network as a mask, so nothing to compare with"
        )
    assert case.problems(sparse) == []
    rng = np.random.default_rng(seed)
    seeds = [seed, seed + 1]
    total = 0
    with case.load(sparse, seed=seeds) as one, case.load(masked, seed=seeds) as other:
        for window in range(4):
            n_steps = int(rng.integers(3, 15))
            parts = [rasters(sparse, n_steps, 9 * seed + k + window, 0.4) for k in range(2)]
            inputs = {k: np.concatenate([p[k] for p in parts], axis=-1) for k in parts[0]}
            a, b = one.step(inputs, n_steps), other.step(inputs, n_steps)
            for population in a:
                assert np.array_equal(a[population], b[population]), population
                total += int(a[population].sum())
            for k in range(2):
                state = one.state(k)
                for p in sparse.projections:
                    state[f"{p.name}.weights"] = dense(sparse, p.name, state[f"{p.name}.weights"])
                assert same_state(state, other.state(k)) == []
            name = sparse.projections[int(rng.integers(len(sparse.projections)))].name
            weights = one.weights(name) * rng.uniform(-0.5, 1.2)
            held = one.set_weights(name, weights)
            assert np.array_equal(
                dense(sparse, name, held), other.set_weights(name, dense(sparse, name, weights))
            )
            if window == 1:
                for backend in (one, other):
                    backend.reset([1])
            if window == 2:
                one.restore(one.state(0), 1)
                other.restore(other.state(0), 1)
    return total


@pytest.mark.parametrize("seed", range(12))
def test_on_the_reference(seed: int) -> None:
    for arithmetic in ("float", "loihi"):
        compare(Case("reference", arithmetic), seed)


def one_delay(synapse_delays: Network) -> Network:
    """Return the same network with a projection for each delay."""
    projections: list[Projection] = []
    further: list[Projection] = []  # last, as the place of a projection is that of its draws
    for p in synapse_delays.projections:
        delays, listed = synapse_delays.synapse_delays(p.name), synapse_delays.synapses(p.name)
        if delays is None or listed is None:
            projections.append(p)
            continue
        for k, steps in enumerate(np.unique(delays)):
            part = np.flatnonzero(delays == steps)
            connect = Synapses(listed.pre[part], listed.post[part], multapses=True)
            (further if k else projections).append(
                dataclasses.replace(
                    p,
                    name=f"{p.name}_{steps}",
                    weights=p.weights[part],
                    delay=synapse_delays.dt * int(steps),
                    connect=connect,
                )
            )
    return dataclasses.replace(synapse_delays, projections=(*projections, *further))


def delayed(seed: int) -> Network:
    """Return a random network whose listed synapses have delays of up to 5 steps each."""
    sparse, _ = random_pair(seed, delays=False)
    rng = np.random.default_rng(seed)

    def slow(p: Projection) -> Projection:
        n = sparse.weight_shape(p.name)[0]
        if not p.is_sparse or not n or p.pre in sparse.currents:
            return p
        weights = np.rint(rng.uniform(-1, 1, n) * 2**20) / 2**20
        delay = sparse.dt * rng.integers(1, 6, n)
        return dataclasses.replace(p, weights=weights, delay=delay)

    return dataclasses.replace(sparse, projections=tuple(map(slow, sparse.projections)))


def compare_delays(case: Case, seed: int) -> int:
    """Compare synapses of several delays on *case* with a projection a delay on the reference."""
    network = delayed(seed)
    split = one_delay(network)
    if case.arithmetic == "loihi":  # where the range of weights is that of the whole projection
        split = network
    if case.problems(network):
        pytest.skip(f"{case.name} says that it has no delay for each synapse")
    total = 0
    rng = np.random.default_rng(seed)
    options: dict[str, Any] = {"seed": seed, "arithmetic": case.arithmetic}
    with case.load(network, seed=seed) as one, load("reference", split, **options) as other:
        for window in range(4):
            n_steps = int(rng.integers(3, 15))
            inputs = rasters(network, n_steps, seed + window, 0.4)
            a, b = one.step(inputs, n_steps), other.step(inputs, n_steps)
            for population in a:
                assert np.array_equal(a[population], b[population]), population
                total += int(a[population].sum())
            if window == 1:
                one.restore(one.state())
            if window == 2:
                one.reset()
                other.reset()
    return total


@pytest.mark.parametrize("seed", range(8))
def test_a_delay_for_each_synapse_is_a_projection_for_each_delay(seed: int) -> None:
    compare_delays(Case("reference", "float"), seed)


def test_the_networks_of_these_tests_spike() -> None:
    case = Case("reference", "float")
    assert sum(compare(case, seed) for seed in (0, 1)) > 50
    assert sum(compare_delays(case, seed) for seed in (0, 1)) > 50


@pytest.mark.parametrize("seed", range(4))
def test_on_every_backend_that_does_not_compile(seed: int, quick_case: Case) -> None:
    if quick_case.problems(delayed(seed)) and quick_case.problems(random_pair(seed)[0]):
        pytest.skip(f"{quick_case.name} says that it has no listed synapses")
    compare(quick_case, seed)
    if not quick_case.problems(delayed(seed)):
        compare_delays(quick_case, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12, 18))
def test_on_every_backend(seed: int, case: Case) -> None:
    if case.problems(random_pair(seed)[0]):
        pytest.skip(f"{case.name} says that it has no listed synapses")
    compare(case, seed)
    if not case.problems(delayed(seed)):
        compare_delays(case, seed)


def test_gradients_are_those_of_a_mask() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from neurorl.backends.torch import SpikingModule

    cells = Population("cells", 7, neurorl.models.LIF(5e-3, 0.5, noise=0.3))
    nodes = (neurorl.Source("input", 9), cells)
    sparse = Network(
        nodes,
        tuple(
            Projection(
                name,
                pre,
                "cells",
                neurorl.Uniform(-0.2, 0.8),
                connect=connect,
                plasticity=neurorl.Plasticity(),
            )
            for name, pre, connect in (
                ("drive", "input", FixedInDegree(4)),
                ("loop", "cells", FixedProbability(0.4)),
            )
        ),
    )
    masked = dataclasses.replace(
        sparse, projections=tuple(_masked(sparse, p) for p in sparse.projections)
    )
    found = []
    for network in (sparse, masked):
        module = SpikingModule(network, seed=3, dtype=torch.float64)
        draws = {"cells": torch.linspace(-1, 1, 15 * 2 * 7).reshape(15, 2, 7).double()}
        raster = torch.tensor(np.random.default_rng(0).random((15, 2, 9)) < 0.4)
        spikes, _ = module({"input": raster}, noise=draws)
        spikes["cells"].sum().backward()
        weights = dict(module.named_parameters())
        grads = [weights[f"synapses.{name}.weight"].grad for name in ("drive", "loop")]
        found.append([np.ravel(grad) for grad in grads if grad is not None])
    for name, of_list, of_matrix in zip(("drive", "loop"), *found, strict=True):
        listed = sparse.synapses(name)
        assert listed is not None
        expected = of_matrix.reshape(listed.n_pre, listed.n_post)[listed.pre, listed.post]
        assert np.abs(expected).max() > 0
        assert np.allclose(of_list, expected, rtol=1e-12, atol=1e-12)


def test_several_synapses_of_two_neurons_add_up(quick_case: Case) -> None:
    connect = FixedInDegree(9, multapses=True)
    network = Network(
        (neurorl.Source("input", 4), Population("cells", 5, neurorl.models.LIF(5e-3, 0.9))),
        (Projection("p", "input", "cells", neurorl.Uniform(-0.1, 0.4), connect=connect),),
    )
    inputs = rasters(network, 40, 0, 0.4)
    with quick_case.make(network) as one, quick_case.reference(network) as other:
        spikes = one.step(inputs, 40)["cells"]
        assert np.array_equal(spikes, other.step(inputs, 40)["cells"])
        assert same_state(one.state(), other.state()) == []
    assert spikes.any()


def test_a_chip_refuses_several_synapses_of_two_neurons() -> None:
    pytest.importorskip("nengo_loihi", reason="nengo-loihi is not installed")
    cells = Population("cells", 4, neurorl.models.LIF())
    twice = Synapses([0, 0, 1], [2, 2, 2], multapses=True)
    network = Network(
        (neurorl.Source("input", 3), cells), (Projection("p", "input", "cells", connect=twice),)
    )
    problems = Case("loihi", "loihi").problems(network)
    assert problems == ["projection 'p' of several synapses a pair (add their weights)"]
