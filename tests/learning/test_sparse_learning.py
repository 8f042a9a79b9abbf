"""Test learning of listed synapses: as under a mask, bit for bit, and never by a matrix."""

from __future__ import annotations

import dataclasses
import tracemalloc
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.models import LIF, CubaLIF, FixedInDegree, Synapses
from neurorl.network.synapse_list import SynapseList
from neurorl.rules import Rule

OWN = Rule("own", output="trace*(spike - 0.1)*attention", signals=("attention",))
RULES = ["spikes-only", "reward-stdp", "triplet-stdp", OWN]
DT = 1e-3

Arrays = dict[str, npt.NDArray[Any]]


def synapses_of(mask: npt.NDArray[np.bool_]) -> Synapses:
    """Return a mask's synapses as a list."""
    pre, post = np.nonzero(mask)
    return Synapses(pre, post)


def both(seed: int) -> tuple[Network, Network]:
    """Return one random network with lists of synapses, and with masks of the same."""
    rng = np.random.default_rng(seed)
    sizes = {"in": int(rng.integers(2, 9)), **{f"c{k}": int(rng.integers(2, 7)) for k in range(2)}}
    cells = [_cells(rng, f"c{k}", sizes) for k in range(2)]
    nodes: tuple[Source | Population, ...] = (Source("in", sizes["in"]), *cells)
    listed, masked = [], []
    for k, (pre, post) in enumerate((("in", "c0"), ("in", "c1"), ("c0", "c1"), ("c1", "c0"))):
        mask = rng.random((sizes[pre], sizes[post])) < rng.uniform(0.3, 0.9)
        mask[0, 0] = True
        weights: Any = Uniform(-0.2, 0.9)
        drawn = rng.uniform(-0.2, 0.9, mask.shape)
        given = rng.random() < 0.5
        high, tau = float(rng.uniform(0.8, 2)), float(rng.choice([0.0, 0.015]))
        one = Projection(
            f"p{k}",
            pre,
            post,
            np.where(mask, drawn, 0.0) if given else weights,
            mask=mask,
            delay=DT * int(rng.integers(1, 6)),
            signed=bool(rng.random() < 0.2),
            plasticity=Plasticity(tau, -high, high) if k != 1 else None,
        )
        masked.append(one)
        listed.append(
            dataclasses.replace(
                one,
                weights=drawn[mask] if given else weights,
                mask=None,
                connect=synapses_of(mask),
            )
        )
    return Network(nodes, tuple(listed), DT), Network(nodes, tuple(masked), DT)


def _cells(rng: np.random.Generator, name: str, sizes: Mapping[str, int]) -> Population:
    neuron = CubaLIF(rng.uniform(0, 5e-3), rng.uniform(5e-3, 2e-2), 0.7, noise=0.2)
    return Population(name, sizes[name], neuron)


def with_delays(signed: bool) -> tuple[Network, Network]:
    """Return a network with a delay for each synapse, and with a masked projection for each."""
    rng = np.random.default_rng(5)
    nodes = (Source("in", 6), Population("c0", 5, LIF(0.01, 0.5)))
    pairs = np.nonzero(rng.random((6, 5)) < 0.7)
    steps, plastic = rng.choice([1, 3, 4], len(pairs[0])), Plasticity(0.02, -1.0, 1.0)
    weights = rng.uniform(0, 0.6, len(steps))
    one = Projection(
        "p0",
        "in",
        "c0",
        weights,
        signed=signed,
        plasticity=plastic,
        connect=Synapses(pairs[0], pairs[1]),
        delay=DT * steps,
    )
    masked = []
    for delay in (1, 3, 4):
        dense, mask = np.zeros((6, 5)), np.zeros((6, 5), dtype=bool)
        pre, post = (side[steps == delay] for side in pairs)
        dense[pre, post], mask[pre, post] = weights[steps == delay], True
        masked.append(
            Projection(
                f"p{delay}",
                "in",
                "c0",
                dense,
                mask=mask,
                delay=DT * delay,
                signed=signed,
                plasticity=plastic,
            )
        )
    return Network(nodes, (one,), DT), Network(nodes, tuple(masked), DT)


def drive(learning: Learning, windows: range) -> Arrays:
    """Let windows of different lengths pass, and return all spikes."""
    network, n = learning.backend.network, learning.backend.n_replicas
    rule, size, spikes = learning.rule, network.node("in").size, Arrays()
    for k in windows:
        rng, n_steps = np.random.default_rng(k), 2 + 5 * k % 13
        raster = np.tile(rng.random((n_steps, size)) < 0.4, (1, n))
        if network.currents:
            raster = np.tile(rng.random(size), n)
        told = {p.name: rng.normal(size=p.size) for p in network.populations}
        signals = dict.fromkeys(rule.signals, told)
        rasters = learning.window({"in": raster}, n_steps, signals=signals)
        spikes.update({f"{name} {k}": raster for name, raster in rasters.items()})
        phi = told if rule.names("phi") else None
        learning.reinforce(rng.normal(), phi=phi, rate=0.1)
    return spikes


def trained(
    name: str, network: Network, rule: str | Rule, arithmetic: str
) -> tuple[Arrays, Arrays, Arrays]:
    """Return spikes, weights in force, weights and eligibilities after some windows."""
    plastic = [p.name for p in network.projections if p.plasticity is not None]
    with load(name, network, arithmetic=arithmetic, seed=3) as backend:
        learning = Learning(backend, rule, eligibility_tau=0.1)
        spikes = drive(learning, range(6))
        first = {p: backend.weights(p) for p in plastic}
        learned = {f"{p} learned": learning.weights(p) for p in plastic}
        return spikes, {**first, **learned}, {p: learning.eligibility(p) for p in plastic}


def check_as_masked(
    name: str, networks: tuple[Network, Network], rule: str | Rule, arithmetic: str = "float"
) -> None:
    listed = trained(name, networks[0], rule, arithmetic)
    masked = trained("reference", networks[1], rule, arithmetic)
    for key, raster in masked[0].items():
        assert np.array_equal(listed[0][key], raster), key
    for one, other in zip(listed[1:], masked[1:], strict=True):
        for key, values in other.items():
            where = np.nonzero(np.asarray(networks[1].projection(key.split()[0]).mask))
            assert np.array_equal(one[key], values[where]), key
    assert any(e.any() for e in listed[2].values())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: getattr(rule, "name", rule))
@pytest.mark.parametrize("seed", range(6))
def test_lists_learn_as_masks_do(seed: int, rule: str | Rule) -> None:
    check_as_masked("reference", both(seed), rule)
    check_as_masked("reference", both(seed), rule, "loihi")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: getattr(rule, "name", rule))
def test_lists_learn_as_masks_do_in_native_code(rule: str | Rule) -> None:
    check_as_masked("native", both(1), rule)


@pytest.mark.parametrize(("name", "arithmetic"), [("torch", "float"), ("loihi", "loihi")])
def test_other_backends_learn_lists_too(name: str, arithmetic: str) -> None:
    if name == "torch":
        pytest.importorskip("torch")
    check_as_masked(name, both(1), "reward-stdp", arithmetic)


@pytest.mark.parametrize(
    ("name", "signed"), [("reference", False), ("reference", True), ("native", True)]
)
@pytest.mark.parametrize("rule", ["reward-stdp", OWN], ids=str)
def test_a_delay_for_each_synapse(rule: str | Rule, signed: bool, name: str) -> None:
    one, several = with_delays(signed)
    with load(name, one) as backend, load("reference", several) as masked:
        learning, other = Learning(backend, rule), Learning(masked, rule)
        got, wanted = drive(learning, range(6)), drive(other, range(6))
        for key, raster in wanted.items():
            assert np.array_equal(got[key], raster), key
        steps, synapses = one.synapse_delays("p0"), one.synapses("p0")
        assert steps is not None
        assert synapses is not None
        for delay in (1, 3, 4):
            at = synapses.pre[steps == delay], synapses.post[steps == delay]
            for values in ("weights", "eligibility"):
                mine, theirs = (getattr(each, values) for each in (learning, other))
                assert mine("p0")[steps == delay].any()
                assert np.array_equal(mine("p0")[steps == delay], theirs(f"p{delay}")[at])


def test_lists_of_currents_learn() -> None:
    plastic = Plasticity(0.02, -1.0, 1.0)
    mask = np.arange(12).reshape(4, 3) % 5 != 2
    listed = Projection("p0", "in", "c0", 0.1, connect=synapses_of(mask), plasticity=plastic)
    masked = dataclasses.replace(listed, connect=None, mask=mask)
    nodes = (Source("in", 4, kind="current"), Population("c0", 3, LIF(0.01, 0.4)))
    one, other = (Network(nodes, (p,), DT) for p in (listed, masked))
    check_as_masked("reference", (one, other), "reward-stdp")


def test_synapses_between_the_same_two_neurons_learn_each() -> None:
    connect = Synapses([0, 0, 1], [0, 0, 1], multapses=True)
    plastic = Plasticity(0.02, -10.0, 10.0)
    projection = Projection(
        "p0", "in", "c0", [0.1, 0.6, 0.5], connect=connect, plasticity=plastic, delay=[0.001] * 3
    )
    nodes = (Source("in", 2), Population("c0", 2, LIF(0.01, 0.4)))
    with load("reference", Network(nodes, (projection,), DT)) as backend:
        learning = Learning(backend, "reward-stdp", depression=0.0)
        learning.window({"in": np.ones((6, 2), dtype=bool)}, 6)
        learning.reinforce(0.1)
        e, w = learning.eligibility("p0"), learning.weights("p0")
        assert e[0] == e[1] != 0
        assert w[0] != w[1]
        assert np.allclose(w, np.array([0.1, 0.6, 0.5]) + 0.1 * e, atol=1e-6)


@pytest.mark.parametrize("network", [both(1)[0], with_delays(True)[0]], ids=["one", "each"])
def test_a_state_goes_on_exactly_and_replicas_are_as_alone(network: Network) -> None:
    with (
        load("reference", network, seed=[4, 7]) as pair,
        load("native", network, seed=7) as single,
    ):
        two, alone = Learning(pair), Learning(single)
        drive(two, range(3))
        drive(alone, range(5, 7))  # something else before
        alone.restore(two.state(1))
        drive(two, range(3, 6))
        drive(alone, range(3, 6))
        state = alone.state()
        for key, values in two.state(1).items():
            assert np.array_equal(values, state[key]), key
        assert two.weights("p0").shape == (2, *network.weight_shape("p0"))


def test_no_matrix_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 4,000 neurons learn by 20,000 synapses, where a matrix had 128 MB."""
    monkeypatch.setattr(SynapseList, "dense", None)
    plastic = Plasticity(0.02, -1.0, 1.0)
    nodes = (Source("in", 4000), Population("c0", 4000, LIF(0.01, 0.4)))
    up = Projection("p0", "in", "c0", 0.3, connect=FixedInDegree(5), plasticity=plastic)
    with load("reference", Network(nodes, (up,), DT)) as backend:
        learning = Learning(backend)
        tracemalloc.start()
        drive(learning, range(1, 2))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert learning.eligibility("p0").any()
        assert peak < 32e6
