"""Prune and rewire lists of synapses between windows, with the state of what stays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorl import Learning, Network, Population, Projection, Source, SynapseLearning, Uniform
from neurorl import load as load_backend
from neurorl.backends.base import Backend
from neurorl.backends.recording import Recording
from neurorl.errors import ArgumentError, BackendError, NeurorlError, UnsupportedError
from neurorl.models import LIF, FixedProbability, GaussianDistance, Synapses
from neurorl.network.description import Plasticity
from neurorl.network.restoring import load_network, save_network
from neurorl.rules import SynapseRule

PLASTIC = Plasticity(0.02, 0.0, 1.0)
NODES = (Source("input", 30), Population("cells", 20, LIF(tau_mem=0.01, noise=0.1)))
PAIRS = SynapseRule(
    "pairs",
    equations="dy_post/dt = -y_post/tau; dx/dt = -x/tau; dtag/dt = -tag/0.3",
    on_pre="x += 1; w -= 0.001*y_post",
    on_post="y_post += 1; tag += x; w += 0.001*x",
    on_reward="w += M*tag",
    parameters={"tau": 20e-3},
    initial={"tag": 0.1},
)
KINDS = {"rule": (Learning, "reward-stdp"), "statements": (SynapseLearning, PAIRS)}
OWN = {"rule": ("eligibility",), "statements": ("x", "tag")}


def network(*projections: Projection) -> Network:
    """Return a network with a list of several delays and one of one, or with others."""
    late = FixedProbability(0.4, seed=1)
    return Network(
        NODES,
        projections
        or (
            Projection("up", "input", "cells", Uniform(0.2, 0.5), connect=late, plasticity=PLASTIC),
            Projection("own", "cells", "cells", 0.05, connect=late, plasticity=PLASTIC,
                       delay=Uniform(1e-3, 4e-3)),
            Projection("dense", "input", "cells", 0.02, plasticity=PLASTIC),
        ),
    )  # fmt: skip


def load(name: str, described: Network | None = None, seed: Any = 3, **more: Any) -> Backend:
    return load_backend(name, described or network(), seed=seed, **more)


def learner(kind: str, backend: Backend) -> Any:
    cls, rule = KINDS[kind]
    return cls(backend, rule)


def go_on(learning: Any, number: int, steps: int = 25) -> None:
    """Make a window of the same spikes for all replicas, and reinforce it."""
    n = learning.backend.n_replicas
    spikes = np.tile(np.random.default_rng(number).random((steps, 30)) < 0.1, n)
    learning.window({"input": spikes}, steps)
    learning.reinforce(0.01)


def change(learning: Any) -> None:
    """Prune and rewire, with windows between."""
    go_on(learning, 0)
    learning.prune("up", lambda w: w.reshape(-1, w.shape[-1])[0] < 0.3)
    go_on(learning, 1)
    places = np.linspace(0, 1, 30), np.linspace(0, 1, 20)
    near = GaussianDistance(0.3, *places, p=0.9)
    goes = np.arange(learning.weights("up").shape[-1]) % 3 == 0
    learning.rewire("up", near, goes, weights=Uniform(0.1, 0.2), delay=5e-3)
    go_on(learning, 2)
    to = Synapses([7, 0, 7], [1, 19, 1], multapses=True)
    learning.rewire("own", to, weights=[0.3, 0.2, 0.1], delay=[2e-3, 1e-3, 2e-3])
    go_on(learning, 3)


def same(one: Any, other: Any) -> None:
    assert one.keys() == other.keys()
    for key in one:
        assert np.array_equal(one[key], other[key]), key


@pytest.mark.parametrize("kind", KINDS)
def test_backends_have_the_same_bits_and_a_state_has_its_synapses(kind: str) -> None:
    found = []
    for name in ("reference", "native", "brian2", "torch"):
        with load(name) as backend:
            learning = learner(kind, backend)
            change(learning)
            found.append(learning.state())
            assert learning.weights("up").shape == backend.network.weight_shape("up")
            if name == "torch":
                go_on(learning, 4)
                later = learning.state()
    for other in found[1:]:
        same(found[0], other)
    with load("native") as backend:
        learning = learner(kind, backend)
        begun = learning.state()
        learning.restore(found[0])
        same(found[0], learning.state())
        go_on(learning, 4)
        same(later, learning.state())
        learning.restore(begun)  # back to what was described
        same(begun, learning.state())
        change(learning)
        same(found[0], learning.state())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_what_is_pruned_is_as_if_its_weights_were_0(kind: str, arithmetic: str) -> None:
    """So a second projection in its place says; the others remember what they did."""
    listed = network().synapses("up")
    assert listed is not None
    goes = np.random.default_rng(0).random(len(listed)) < 0.4
    weights = np.random.default_rng(1).uniform(0.2, 0.6, len(listed))

    def part(name: str, which: Any) -> Projection:
        to = Synapses(listed.pre[which], listed.post[which])
        return Projection(
            name, "input", "cells", weights[which], connect=to, plasticity=PLASTIC, delay=3e-3
        )

    whole = load("native", network(part("up", slice(None))), arithmetic=arithmetic)
    parts = load("native", network(part("up", ~goes), part("gone", goes)), arithmetic=arithmetic)
    with whole, parts:
        one, two = learner(kind, whole), learner(kind, parts)
        for learning in (one, two):
            go_on(learning, 0)
        assert np.array_equal(one.weights("up")[~goes], two.weights("up"))
        one.prune("up", goes)
        for number in range(1, 5):
            two.set_weights("gone", np.zeros(goes.sum()))
            for learning in (one, two):
                go_on(learning, number)
        ours, theirs = one.state(), two.state()
        assert ours["backend.t"] == 125
        for key in ours.keys() - {"synapses.up"}:
            assert np.array_equal(ours[key], theirs[key]), key


@settings(max_examples=25, deadline=None)
@given(kind=st.sampled_from([*KINDS]), seed=st.integers(0, 2**32))
def test_synapses_keep_what_they_have(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with load("reference") as backend:
        learning = learner(kind, backend)

        def held() -> dict[tuple[int, ...], tuple[float, ...]]:
            state, synapses = learning.state(), backend.network.synapses("own")
            assert synapses is not None
            delays = backend.network.synapse_delays("own")
            assert delays is not None
            pairs = zip(synapses.pre.tolist(), synapses.post.tolist(), delays.tolist(), strict=True)
            rows = zip(*(state[f"{x}.own"] for x in ("weights", *OWN[kind])), strict=True)
            return dict(zip(pairs, rows, strict=True))

        for number in range(3):
            go_on(learning, number, 12)
            before, t = held(), backend.t
            n = len(before)
            goes = rng.random(n) < 0.3
            after = learning.rewire("own", FixedProbability(0.9), goes, weights=0.25, delay=2e-3)
            assert len(after) == n
            assert backend.t == t
            stayed = [pair for pair, gone in zip(before, goes, strict=True) if not gone]
            now = held()
            assert {pair: now[pair] for pair in stayed} == {pair: before[pair] for pair in stayed}
            new = now.keys() - {*stayed}
            assert len(new) == goes.sum()
            assert not {pair[:2] for pair in new} & {pair[:2] for pair in before}
            begins = (0.25, 0.0) if kind == "rule" else (0.25, 0.0, 0.1)
            assert all(now[pair] == pytest.approx(begins, abs=1e-7) for pair in new)


def test_draws_are_of_the_step_and_replicas_share_synapses() -> None:
    seeds = [3, 8]
    with load("native", seed=seeds) as backend:
        learning = learner("rule", backend)
        change(learning)
        both, described = [learning.state(k) for k in (0, 1)], backend.network
        shared = [both[k]["synapses.up"] for k in (0, 1)]
        assert np.array_equal(*shared)
        assert not np.array_equal(both[0]["weights.up"], both[1]["weights.up"])
    with load("reference", seed=3) as backend:
        learning = learner("rule", backend)
        change(learning)
        same(learning.state(), both[0])
    with load("native", seed=seeds) as backend:
        learning = learner("rule", backend)
        with pytest.raises(ArgumentError, match=r"replicas share .*; load the network of then"):
            learning.restore(both[0])
    with load("native", described, seed=seeds) as backend:
        learning = learner("rule", backend)
        for k in (0, 1):
            learning.restore(both[k], k)
            assert np.array_equal(learning.state(k)["weights.up"], both[k]["weights.up"])


def test_a_network_keeps_its_synapses_in_a_file(tmp_path: Any) -> None:
    with load("native") as backend:
        change(learner("statements", backend))
        save_network(tmp_path / "now.npz", backend.network)
        listed, now = backend.network.synapses("up"), load_network(tmp_path / "now.npz")
        again = now.synapses("up")
        delays, later = (x.synapse_delays("own") for x in (backend.network, now))
    for x in ("post", "start"):
        assert np.array_equal(getattr(listed, x), getattr(again, x))
    assert delays is not None
    assert later is not None
    assert np.array_equal(delays, later)


@pytest.mark.parametrize("kind", KINDS)
def test_all_may_go(kind: str) -> None:
    with load("native") as backend:
        learning = learner(kind, backend)
        go_on(learning, 0)
        assert len(learning.prune("up", np.ones(len(learning.weights("up")), bool))) == 0
        go_on(learning, 1)
        state = learning.state()
        learning.rewire("up", Synapses([3], [4]), weights=0.7)
        go_on(learning, 2)
        assert learning.weights("up").shape == (1,)
        learning.restore(state)
        assert not learning.weights("up").size


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("prune", "dense", True), "'dense': isn't a list of synapses; .*FixedProbability"),
        (("prune", "dens", True), "did you mean 'dense'"),
        (("prune", "up", [True]), r"where, 'up': no mask .got bool, shape \(1,\), limit"),
        (("prune", "up", 1.0), "no mask .got float64"),
        (("rewire", "up", "all"), "rewire, to: makes no list .got .all"),
        (("rewire", "up", Synapses([0], [20])), "names a neuron that isn't there"),
        (("rewire", "up", Synapses([0, 0], [2, 2])), "two synapses of the same neurons"),
        (("rewire", "own", Synapses([0], [2])), "delays of their own; delay= of the new"),
        (("rewire", "up", Synapses([0], [0]), {"n": 2}), "rewire, n: is for pairs by chance"),
        (("rewire", "up", FixedProbability(0.5), {"n": 599}), "too few pairs without a synapse"),
        (("rewire", "up", FixedProbability(0.5), {"n": -1}), "rewire, n: must be a whole"),
        (("rewire", "up", Synapses([0], [0]), {"weights": [1, 2]}), "weights: wrong shape"),
        (("rewire", "up", Synapses([0], [0]), {"weights": np.nan}), "finite"),
        (("rewire", "up", Synapses([0], [0]), {"delay": 1.5e-3}), "delay.*whole"),
    ],
)
def test_what_is_refused_changes_nothing(kind: str, call: Any, message: str) -> None:
    verb, name, argument, *more = call
    with load("reference") as backend:
        learning = learner(kind, backend)
        go_on(learning, 0)
        before, described = learning.state(), backend.network
        with pytest.raises(NeurorlError, match=message):
            getattr(learning, verb)(name, argument, **(more[0] if more else {}))
        same(before, learning.state())
        assert backend.network is described


def test_pairs_that_are_connected_are_refused() -> None:
    with load("reference") as backend:
        learning, listed = learner("rule", backend), backend.network.synapses("up")
        assert listed is not None
        first = Synapses(listed.pre[:1], listed.post[:1])
        with pytest.raises(ArgumentError, match=f"got {first.pre[0]} to {first.post[0]}.; multap"):
            learning.rewire("up", first)


def test_lists_of_currents_and_signed_lists() -> None:
    """Their weights are in biases, too."""
    nodes = (Source("bias", 4, kind="current"), *NODES)
    some: Any = {"connect": FixedProbability(0.7), "plasticity": Plasticity(0.02, -0.5, 0.5)}
    described = Network(
        nodes,
        (
            Projection("flows", "bias", "cells", 0.2, **some),
            Projection("turns", "input", "cells", 0.01, signed=True, **some),
        ),
    )

    def change_all(learning: Any, number: int) -> None:
        spikes = np.random.default_rng(number).random((25, 30)) < 0.1
        learning.window({"input": spikes, "bias": [0.0, 1.0, 0.5, 0.25]}, 25)
        learning.reinforce(0.01)
        for x, n in (("flows", 5), ("turns", 60)):
            goes = np.arange(learning.weights(x).size) < n
            learning.rewire(x, FixedProbability(1.0), goes, weights=0.1, n=n // 2)
            learning.prune(x, goes[: learning.weights(x).size])

    states = []
    for name in ("reference", "native"):
        with load(name, described) as backend:
            learning = learner("rule", backend)
            for number in range(3):
                if number == 2:
                    before = learning.state()
                change_all(learning, number)
            states.append(learning.state())
    same(*states)
    with load("native", described) as backend:
        learning = learner("rule", backend)
        learning.restore(before)
        change_all(learning, 2)
        same(learning.state(), states[0])


def test_late_presynaptic_variables_are_refused() -> None:
    late = SynapseRule("late", "dx_pre/dt = -x_pre/0.02", "x_pre += 1", "w += x_pre")
    up = network().projections[0]
    with load("native", network(up)) as backend:
        learning = SynapseLearning(backend, late)
        before = learning.state()
        with pytest.raises(UnsupportedError, match="arrive at several times"):
            learning.rewire("up", FixedProbability(0.9), n=1, delay=4e-3)
        same(before, learning.state())
        everything = np.ones(len(learning.weights("up")), bool)
        learning.rewire("up", FixedProbability(0.9), everything, n=50, delay=4e-3, weights=0.1)
        go_on(learning, 0)


def test_a_damaged_state_changes_nothing() -> None:
    with load("native") as backend:
        learning = learner("rule", backend)
        begun = learning.state()
        change(learning)
        before = learning.state()
        for broken in (
            {k: v for k, v in begun.items() if k != "trace.up"},
            {**begun, "synapses.up": np.zeros((2, 3), int)},
            {**before, "synapses.up": before["synapses.up"] + 30},
            {**before, "synapses.up": before["synapses.up"] * 0 + 1},
        ):
            with pytest.raises(NeurorlError):
                learning.restore(broken)
            same(before, learning.state())


def test_who_records_or_holds_a_window_hears_of_it() -> None:
    with load("native") as backend:
        window = backend.window(5)
        recording = Recording(backend, ["cells.voltage"], every=5)
        learning = learner("rule", backend)
        goes = learning.weights("up") < 0.3
        with recording, pytest.raises(ArgumentError, match="is being recorded"):
            learning.prune("up", goes)
        with learning.record(["up.weights"]) as rows:
            with pytest.raises(ArgumentError, match="'up': is being recorded"):
                learning.prune("up", goes)
            learning.rewire("own", FixedProbability(0.9), n=3, delay=1e-3)
            go_on(learning, 0)
        assert len(rows["up.weights"]) == 1
        learning.prune("up", goes)
        with recording:
            go_on(learning, 1)
        assert recording["cells.voltage"].shape == (5, 20)
        learning.close()
        with pytest.raises(BackendError, match="has other synapses since"):
            window.run(False)
        again = learner("rule", backend)
        assert "synapses.up" in again.state()
