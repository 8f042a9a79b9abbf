"""Test rules of statements: C++ against NumPy, states, replicas, signals, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from neurorl import Learning, Network, Population, Projection, Source, SynapseLearning, load
from neurorl.errors import ArgumentError, DescriptionError, NeurorlError
from neurorl.models import LIF, FixedProbability
from neurorl.native import toolchain
from neurorl.network.description import Plasticity
from neurorl.rules import SynapseRule

PLASTIC = Plasticity(0.02, -0.2, 0.6)
NODES = (Source("input", 9), Population("cells", 12, LIF(tau_mem=8e-3, noise=0.2)))
BROADCAST = SynapseRule(
    "broadcast",
    equations="dx_pre/dt = -x_pre/tau; de/dt = -e/tau_e",
    on_pre="x_pre += 1",
    on_post="e += x_pre*need",
    on_reward="w += eta*(M - 0.5*N)*e; e *= 0.5",
    parameters={"tau": 20e-3, "tau_e": 0.3, "eta": 0.01},
    signals=("need",),
    modulators=("M", "N"),
)


def network(seed: int = 0) -> Network:
    """Return a network with a dense, a masked and two listed projections, one of several delays."""
    rng = np.random.default_rng(seed)
    mask = rng.random((12, 12)) < 0.5
    listed = FixedProbability(0.5, seed=seed)
    count = len(
        Network(NODES, (Projection("l", "input", "cells", 0.1, connect=listed),)).synapses("l")  # type: ignore[arg-type]
    )
    more: Any = {"plasticity": PLASTIC}
    return Network(
        NODES,
        (
            Projection("dense", "input", "cells", rng.uniform(0, 0.5, (9, 12)), **more),
            Projection("masked", "cells", "cells", 0.1, mask=mask, delay=3e-3, **more),
            Projection("list", "cells", "cells", 0.1, connect=listed, **more),
            Projection(
                "l", "input", "cells", 0.1, connect=listed, delay=1e-3 * rng.integers(1, 5, count)
            ),
        ),
    )


def random_rule(seed: int) -> SynapseRule:
    """Return a rule that reads and sets all kinds of variables."""
    rng = random.Random(seed)

    def formula(names: list[str]) -> str:
        a, b, c = (rng.choice(names) for _ in range(3))
        forms = (f"0.1*{a}*{b}", f"0.05*({a} - {c})", f"0.1*tanh({a} + {b}*{c})", f"min({a}, 0.3)")
        return rng.choice(forms)

    everything = ["w", "x_pre", "z_pre", "y_post", "tag", "k", "low", "high"]
    return SynapseRule(
        f"random {seed}",
        equations=f"""
        dx_pre/dt = -x_pre/tau
        dz_pre/dt = (x_pre - z_pre)/tau
        dy_post/dt = ({formula(["y_post", "k", "told"])} - y_post)/tau
        dtag/dt = ({formula([*everything, "told"])} + 0.01*(k - told) - tag)/tau
        {rng.choice(["", "dw/dt = (tag - w)/tau"])}
        """,
        on_pre=f"w += {formula(everything)}; x_pre += 1 + 0.1*z_pre; tag -= {formula(everything)}",
        on_post=f"tag += {formula([*everything, 'told'])}; y_post += 1; w -= {formula(everything)}",
        on_reward=f"w += M*{formula(everything)}; tag *= 0.5",
        method=rng.choice(["euler", "heun", "rk4"]),
        parameters={"tau": 0.02, "k": 0.3},
        initial={"tag": 0.1},
        signals=("told",),
    )


@pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("replicas", [1, 3])
def test_cpp_and_numpy_have_the_same_bits(
    seed: int, replicas: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on another backend, whose spikes are the same."""
    rng = np.random.default_rng(seed)
    seeds: Any = 3 if replicas == 1 else [3, 4, 3]
    windows = [(rng.random((n, 9 * replicas)) < 0.2, rng.random((n, 12 * replicas)))
               for n in (1, 7, 40)]  # fmt: skip
    found = []
    for backend in ("native", "reference"):
        if backend == "reference":
            monkeypatch.setattr(toolchain, "problem", lambda: "none here")
        with load(backend, network(seed), seed=seeds) as loaded:
            learning = SynapseLearning(loaded, random_rule(seed))
            for spikes, told in windows:
                signal: Any = told if len(told) > 1 else 0.5
                learning.window({"input": spikes}, len(spikes), signals={"told": signal})
                learning.reinforce(0.3)
            found.append([learning.state(k) for k in range(replicas)])
    for ours, theirs in zip(*found, strict=True):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert np.array_equal(ours[key], theirs[key]), key
    begun = np.asarray(network(seed).projection("dense").weights).ravel()
    assert np.abs(found[0][0]["weights.dense"] - begun).max() > 0.01
    if replicas == 3:  # of equal seeds and other inputs
        assert not np.array_equal(found[0][0]["tag.list"], found[0][2]["tag.list"])


def test_a_state_goes_on_as_it_was() -> None:
    rng = np.random.default_rng(0)
    first, then = ({"input": rng.random((60, 9)) < 0.3} for _ in range(2))
    with load("native", network()) as one, load("reference", network()) as other:
        ours, again = SynapseLearning(one, BROADCAST), SynapseLearning(other, BROADCAST)
        ours.window(first, 60, {"need": 1.0})
        again.restore(ours.state())
        for learning in (ours, again):
            learning.window(then, 60, {"need": 0.7})
            learning.reinforce({"M": 1.0, "N": -1.0})
        for key, value in ours.state().items():
            assert np.array_equal(value, again.state()[key]), key
        assert np.array_equal(ours.variable("dense", "e"), again.variable("dense", "e"))
        assert ours.variable("dense", "x_pre").shape == (9,)
        ours.reset()
        assert not ours.variable("dense", "e").any()
        assert not np.array_equal(ours.weights("dense"), network().projection("dense").weights)


def test_weights_are_written_and_kept_within_bounds() -> None:
    grows = SynapseRule("grows", on_pre="w += 1", modulators=())
    with load("native", network()) as backend:
        learning = SynapseLearning(backend, grows)
        assert learning.set_weights("dense", np.full((9, 12), -7.0)).min() == pytest.approx(-0.2)
        backend.set_weights("list", learning.weights("list") * 0.5)
        assert learning.weights("list") == pytest.approx(0.05, abs=1e-8)
        learning.window({"input": np.ones((3, 9), dtype=bool)}, 3)
        assert learning.weights("dense") == pytest.approx(0.6, abs=1e-8)
        assert np.array_equal(backend.weights("dense"), learning.weights("dense"))
        assert not learning.weights("masked")[
            ~np.asarray(network().projection("masked").mask)
        ].any()
        with pytest.raises(ArgumentError, match=r"learning.window, or learning.close\(\) first"):
            backend.step({}, 1)
        with pytest.raises(ArgumentError, match="another Learning learns"):
            Learning(backend)
        learning.close()
        backend.step({}, 1)
        with pytest.raises(ArgumentError, match=r"SynapseLearning.window: is closed"):
            learning.window({}, 1)


def test_files_hold_rules() -> None:
    for rule in (BROADCAST, random_rule(1)):
        assert SynapseRule.from_dict(rule.to_dict()) == rule


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"on_pre": "w += y"}, "on_pre, line 1, character 6: unknown name 'y'"),
        ({"on_pre": "a_post = 1", "initial": {"a_post": 0}}, "'a_post' can't be set here"),
        ({"on_post": "a_pre = 1", "initial": {"a_pre": 0}}, "'a_pre' can't be set here"),
        ({"on_pre": "a_pre = w", "initial": {"a_pre": 0}}, "character 9: unknown name 'w'"),
        ({"equations": "da_pre/dt = -e/0.1; de/dt = -e/0.1"}, "unknown name 'e'"),
        ({"equations": "da_post/dt = -a_post*w/0.1"}, "unknown name 'w'"),
        ({"equations": "y = 3"}, "isn't dx/dt"),
        ({"equations": "de/dt = -e**2"}, "isn't linear in e.*euler"),
        ({"on_pre": "w += 1", "parameters": {"k": 1}}, "nothing uses 'k'"),
        ({"on_pre": "w += 1", "signals": ("s",)}, "nothing uses 's'"),
        ({"on_pre": "w += M"}, "unknown name 'M'"),
        ({"on_pre": "w += 1", "parameters": {"w": 1}}, "'w' is a parameter and a name of its own"),
        ({"on_pre": "w += 1", "initial": {"w": 1}}, "w begins as the projection says"),
        ({"on_pre": "w += 1", "method": "eule"}, "did you mean 'euler'"),
        ({}, "nothing happens at all"),
        ({"name": "", "on_pre": "w += 1"}, "SynapseRule.name"),
        ({"on_pre": "w += 1", "parameters": {"k": "x"}}, "SynapseRule.parameters"),
        ({"on_pre": "w += xi"}, "it isn't in the language"),
    ],
)
def test_what_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(NeurorlError, match=message):
        SynapseRule(**{"name": "mine", **fields})


def test_what_a_network_or_caller_may_not() -> None:
    with load("reference", network()) as backend:
        learning = SynapseLearning(backend, BROADCAST)
        for told in ({}, {"nede": 1.0}):
            with pytest.raises(ArgumentError, match="window, signals"):
                learning.window({}, 3, told)
        with pytest.raises(ArgumentError, match="reinforce, modulator"):
            learning.reinforce({"M": 1.0})
        with pytest.raises(NeurorlError, match="did you mean 'dense'"):
            learning.weights("dens")
        with pytest.raises(NeurorlError, match="unknown name"):
            learning.variable("dense", "f")
    fixed = Network(NODES, (Projection("into", "input", "cells", 0.1),))
    with (
        load("reference", fixed) as backend,
        pytest.raises(DescriptionError, match="no projection of the network learns"),
    ):
        SynapseLearning(backend, BROADCAST)
    late = network().projection("l")
    several = Projection(
        "l", "input", "cells", 0.1, connect=late.connect, delay=late.delay, plasticity=PLASTIC
    )
    with (
        load("reference", Network(NODES, (several,))) as backend,
        pytest.raises(NeurorlError, match="'x_pre' of neurons is set by spikes that arrive"),
    ):
        SynapseLearning(backend, BROADCAST)


def test_lines_of_postsynaptic_spikes_may_come_later() -> None:
    """Two steps later: as if the traces had decayed for two more steps."""
    late = SynapseRule(
        "late", on_pre="c = 1", on_post="w += 0.01*c; c = 0", initial={"c": 0}, post_delay=2e-3
    )
    assert SynapseRule.from_dict(late.to_dict()) == late
    assert "post_delay" not in BROADCAST.to_dict()
    cells = Population("cells", 1, LIF(tau_mem=0.0, threshold=0.5))
    into = Projection("into", "input", "cells", 1.0, plasticity=Plasticity(0.0, 0.0, 2.0))
    spikes = np.zeros((9, 1), dtype=bool)
    spikes[2] = True  # arrives in step 3, where the cell spikes; its line runs in step 5
    for parts in ((9,), (4, 1, 1, 3), (1,) * 9):
        with load(Network((Source("input", 1), cells), (into,)), seed=1) as backend:
            learning = SynapseLearning(backend, late)
            seen, t = [], 0
            for n in parts:
                learning.window({"input": spikes[t : t + n]}, n)
                seen.append(float(learning.weights("into")[0, 0]))
                t += n
        assert seen[-1] == pytest.approx(1.01, abs=1e-6)
        if len(parts) == 9:
            assert [k for k in range(9) if seen[k] > 1.005] == [5, 6, 7, 8]
    odd = SynapseRule("odd", on_post="w += 1", post_delay=1.5e-3)
    with (
        load(Network((Source("input", 1), cells), (into,))) as backend,
        pytest.raises(DescriptionError, match="rule 'odd', post_delay: must be a whole number"),
    ):
        SynapseLearning(backend, odd)
