"""Test gap junctions; what every backend promises is in the contract suite, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import Learning, load
from neurorl.errors import DescriptionError, UnsupportedError
from neurorl.models import Equations, FixedInDegree, Synapses
from neurorl.nengo import to_nengo
from neurorl.network.description import (
    Network,
    Plasticity,
    Population,
    Projection,
    Source,
    TsodyksMarkram,
    Uniform,
)
from neurorl.nir import to_nir
from neurorl.numerics.arrays import FloatArray
from neurorl.pynn.export import problems
from neurorl.rules import Rule
from neurorl.testing import FEATURES, rasters, same_state

N = 10
CELL = Equations(
    "dv/dt = (1.05 - v + i)/0.01",
    threshold="v > 1",
    reset="v = 0",
    method="euler",
    initial={"v": np.arange(N) / (N - 1)},
    inputs=("i",),
)


def coupled(weights: Any = 0.02, dt: float = 1e-4, **options: Any) -> Network:
    """Return Brian2's example of gap junctions, whose cells have no other input."""
    nodes = (Source("none", 1), Population("cells", N, CELL))
    return Network(nodes, (Projection("gap", "cells", "cells", weights, gap="v", **options),), dt)


@pytest.fixture(scope="module")
def by_hand() -> tuple[FloatArray, FloatArray]:
    """Return spikes ``(5000, N)`` and membranes of the example in plain Brian2."""
    from neurorl.backends.brian2.vendor import brian2, exact_preferences

    with exact_preferences("numpy"):
        clock = brian2.Clock(1e-4 * brian2.second)
        equations = "dv/dt = (1.05 - v + inner)/(10*ms) : 1\ninner : 1"
        options = {"threshold": "v > 1", "reset": "v = 0", "method": "euler", "clock": clock}
        group = brian2.NeuronGroup(N, equations, **options)
        group.v = np.arange(N) / (N - 1)
        model = "w : 1\ninner_post = w*(v_pre - v_post) : 1 (summed)"
        synapses = brian2.Synapses(group, group, model, clock=clock)
        synapses.connect()
        synapses.w = 0.02
        monitor = brian2.SpikeMonitor(group)
        brian2.Network(group, synapses, monitor).run(0.5 * brian2.second)
        spikes = np.zeros((5000, N), bool)
        spikes[np.rint(monitor.t / clock.dt).astype(int), monitor.i] = True
        return spikes, np.array(group.v)


@pytest.mark.parametrize("backend", ["reference", "native", "brian2"])
def test_brian2s_example_is_as_in_plain_brian2(
    backend: str, by_hand: tuple[FloatArray, FloatArray]
) -> None:
    """Let cells take turns: they spike at uneven intervals at first, and then at even ones."""
    with load(backend, coupled()) as running:
        spikes = running.step({}, 5000)["cells"]
        assert spikes[:500].sum() == 10
        expected, v = by_hand
        assert np.array_equal(spikes, expected)
        assert running.state()["cells.v"] == pytest.approx(v, abs=1e-9)  # by the grid of weights
    first, last = (np.sort(np.argmax(x, axis=0)) for x in (spikes, spikes[::-1]))
    assert np.ptp(np.diff(first)) > 40
    assert np.ptp(np.diff(last)) <= 5


@pytest.mark.parametrize("conductance", [0.0, 0.5])
def test_relaxation_oscillators_synchronise_only_if_they_are_coupled(conductance: float) -> None:
    """FitzHugh and Nagumo's, from ten phases."""
    neuron = Equations(
        "dv/dt = 1e3*(v - v**3/3 - w + 0.5 + i)\ndw/dt = 80*(v + 0.7 - 0.8*w)",
        threshold="v > 1e9",
        method="euler",
        initial={"v": np.linspace(-2, 2, N), "w": np.linspace(-0.5, 1.5, N)},
        inputs=("i",),
    )
    nodes = (Source("none", 1), Population("cells", N, neuron))
    gap = Projection("gap", "cells", "cells", conductance / N, gap="v")
    with load("native", Network(nodes, (gap,), 5e-5)) as backend:
        backend.step({}, 20_000)
        apart = np.ptp(backend.state()["cells.w"])
    assert (apart < 1e-3) == (conductance > 0)


@pytest.mark.parametrize("backend", ["reference", "native", "brian2", "torch"])
def test_a_step_by_hand(backend: str) -> None:
    """The neighbours' v is that of the step before, after its reset, and self-coupling is none."""
    weights = np.random.default_rng(0).uniform(0, 0.1, (N, N))
    v = np.arange(N) / (N - 1)
    with load(backend, coupled(weights)) as running:
        weights = running.weights("gap")
        for _ in range(60):
            spikes = running.step({}, 1)["cells"][0]
            i = sum((weights[k] * (v[k] - v) for k in range(N)), np.zeros(N))
            v = v + 1e-4 * (1.05 - v + i) / 0.01
            assert np.array_equal(spikes, v > 1)
            v = np.where(spikes, 0.0, v)
            assert running.state()["cells.v"] == pytest.approx(v, abs=1e-13)


def test_equal_membranes_give_nothing_whatever_the_weights() -> None:
    still = Equations("v = v + 1e6*q", threshold="v > 1e9", initial={"v": 0.1})
    nodes = (Source("none", 1), Population("cells", 7, still))
    loop = Projection("gap", "cells", "cells", Uniform(-3.3, 7.7), gap="v")
    with load("native", Network(nodes, (loop,))) as backend:
        backend.step({}, 50)
        assert backend.state()["cells.v"].tolist() == [0.1] * 7


SYNAPSES: dict[str, dict[str, Any]] = {
    "all": {},
    "blocks": {"blocks": 5},
    "mask": {"mask": np.random.default_rng(1).random((N, N)) < 0.7},
    "sparse mask": {"mask": np.random.default_rng(1).random((N, N)) < 0.1},
    "list": {"connect": FixedInDegree(4, multapses=True)},
    "ring": {"connect": Synapses(np.arange(N), np.roll(np.arange(N), 1))},
}


@pytest.mark.parametrize("kind", SYNAPSES)
def test_all_kinds_of_synapses_have_the_same_bits(kind: str) -> None:
    """With two replicas, written weights, a reset, and a state that moves."""
    network = coupled(Uniform(0, 0.2), 1e-3, **SYNAPSES[kind])
    backends = [load(name, network, seed=[3, 4]) for name in ("reference", "native", "torch")]
    backends += [load("torch", network, seed=[3, 4], engine="eager")]
    backends += [load("brian2", network, seed=[3, 4])]
    for k in range(3):
        spikes = [backend.step({}, 60 + k)["cells"] for backend in backends]
        assert spikes[0].any()
        assert all(np.array_equal(one, spikes[0]) for one in spikes)
        for replica in range(2):
            states = [backend.state(replica) for backend in backends]
            assert all(same_state(one, states[0]) == [] for one in states)
        weights = backends[0].weights("gap") * 1.3
        saved = backends[0].state(1)
        for backend in backends:
            backend.set_weights("gap", weights)
            if k == 0:
                backend.reset([0])
            else:
                backend.restore(saved, 0)
    for backend in backends:
        backend.close()


def test_files_and_the_script_for_brian2_have_them(tmp_path: Path) -> None:
    network = coupled()
    data = network.to_dict()
    assert Network.from_dict(data) == network
    plain = Network(network.nodes, (Projection("p", "cells", "cells", 0.1),), network.dt)
    assert "gap" not in plain.to_dict()["projections"][0]
    with load("brian2", network) as backend:
        backend.write_script(tmp_path, {}, 5)
        assert "(summed)" in backend.source()
    assert "gap_0_post = w*(v_pre - v_post) : 1 (summed)" in (tmp_path / "network.py").read_text()


def test_a_module_passes_gradients_through_them() -> None:
    torch = pytest.importorskip(
        "torch", reason="torch is not installed: pip install 'neurorl[torch]'"
    )
    from neurorl.backends.torch.module import SpikingModule

    cell = Equations("dv/dt = (q + i - v)/0.01", "v > 1", "v = 0", "euler", inputs=("q", "i"))
    nodes = (Source("in", 2), Population("a", 1, cell), Population("b", 1, cell))
    drive = Projection("drive", "in", "a", 6.0, target="q", plasticity=Plasticity(high=9.0))
    gap = Projection("gap", "a", "b", 2.0, target="i", gap="v")
    module = SpikingModule(Network(nodes, (drive, gap)), seed=0, dtype=torch.float64)
    _, state = module({"in": np.ones((20, 1, 2))})
    state.cells["b"].variables["v"].sum().backward()
    gradient = module.weight("drive").grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gap": "u"}, "'cells' has no such variable .*got u, limit v"),
        ({"delay": 2e-4}, "without delay"),
        ({"signed": True}, "without delay, sign"),
        ({"plasticity": Plasticity()}, "sign and plasticity"),
        ({"short_term": TsodyksMarkram(0.5, 0.1)}, "no gap="),
        ({"pre": "none"}, "'none' has no such variable"),
        ({"gap": 3}, "gap"),
    ],
)
def test_what_they_have_not_is_refused(options: dict[str, Any], words: str) -> None:
    made = {"name": "gap", "pre": "cells", "post": "cells", "gap": "v", **options}
    with pytest.raises(DescriptionError, match=words):
        Network((Source("none", 1), Population("cells", N, CELL)), (Projection(**made),))


def test_chips_exchange_and_scores_refuse_them_by_name() -> None:
    network = FEATURES["gap junctions"]()
    for name, arithmetic in (("native", "loihi"), ("loihi", "loihi"), ("native", "xylo")):
        with pytest.raises(UnsupportedError, match="projection 'own' of gap junctions in chip"):
            load(name, network, arithmetic=arithmetic)
    with pytest.raises(UnsupportedError, match="gap junctions: 'own', 'all', 'few'"):
        to_nir(network, {})
    with pytest.raises(UnsupportedError, match="projection 'own', of gap junctions"):
        to_nengo(network)
    assert any("'own' with gap junctions" in line for line in problems(network, "nest"))
    torch = pytest.importorskip(
        "torch", reason="torch is not installed: pip install 'neurorl[torch]'"
    )
    from neurorl.backends.torch.module import SpikingModule

    module = SpikingModule(network, seed=0)
    inputs = {"input": torch.zeros(3, 1, 4)}
    with pytest.raises(UnsupportedError, match="beside gap junctions"):
        module.log_prob(inputs, module(inputs)[0])


def test_rules_learn_beside_them_but_not_by_probabilities_computed_again() -> None:
    noisy = Equations("dv/dt = (2*q - v)/0.01", "v > 1", "v = 0", "euler", noise=0.1)
    nodes = (Source("in", 3), Population("cells", 4, noisy))
    into = Projection("drive", "in", "cells", Uniform(0, 3), plasticity=Plasticity(high=5.0))
    network = Network(nodes, (into, Projection("gap", "cells", "cells", 0.1, gap="v")))
    with load("native", network) as backend:
        with pytest.raises(UnsupportedError, match="beside gap junctions into 'cells'"):
            Learning(backend, Rule("mine", output="spike - p"))
        learning = Learning(backend, "reward-stdp")
        before = backend.weights("drive")
        learning.window(rasters(network, 50, 0), 50)
        learning.reinforce(1.0)
        assert not np.array_equal(backend.weights("drive"), before)
