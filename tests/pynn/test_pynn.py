"""Networks on PyNN's simulators; skipped by name where PyNN, or one of them, isn't installed."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurorl
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.models import GLM, LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.pynn import PyNNExport, Windows, as_held, problems, to_pynn
from neurorl.pynn.wiring import make_projection
from neurorl.storage.zoo import agents
from neurorl.testing import FEATURES, random_network, rasters

NEEDS = {"nest": "nest", "brian2": "brian2"}
STEPS = 200

# In a process of its own: PyNN's simulators keep state, and say much.
PROGRAM = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
sys.path[:0] = json.loads(sys.argv[2])
import test_pynn
if sys.argv[1] == "brian2":  # compiling takes longer than it saves
    importlib.import_module("brian2").prefs.codegen.target = "numpy"
simulator = importlib.import_module("pyNN." + sys.argv[1])
counts = []
for delay, loop in ((1, 1), (1, 2), (2, 2), (3, 3)):
    network, inputs = test_pynn.layered(delay, loop)
    for exact in (False, True)[(delay, loop) != (1, 1):]:
        exported = test_pynn.to_pynn(network, simulator, inputs, exact=exact)
        rasters = exported.run(test_pynn.STEPS)
        simulator.end()
        counts.append(test_pynn.compare(network, inputs, rasters))
noisy = test_pynn.noise_there(simulator)
drawn = test_pynn.random_there(simulator, int(sys.argv[3]))
print("RESULT" + json.dumps([counts, noisy, drawn, test_pynn.read_back(simulator)]))
"""

WINDOW = 15


def noisy(neuron: Any, signed: bool = False) -> Network:
    """Two populations with noise, the second of GLM units."""
    rng = np.random.default_rng(4)
    return Network(
        (Source("input", 6), Population("first", 15, neuron), Population("second", 8, GLM())),
        (
            Projection("drive", "input", "first", rng.uniform(-0.2, 0.5, (6, 15))),
            Projection("on", "first", "second", rng.uniform(-1, 1, (15, 8)), signed=signed),
        ),
    )


NOISY = {
    "GLM, signed": noisy(GLM(bias=-0.2), signed=True),
    "LIF": noisy(LIF(bias=0.02, noise=0.2, refractory=2e-3)),
    "low bias": noisy(LIF(tau_mem=2e-3, bias=-0.3, threshold=0.2)),
    "CubaLIF": noisy(CubaLIF(bias=np.linspace(-0.1, 0.1, 15), noise=0.2, refractory=1e-3)),
}


def noise_there(simulator: Any) -> dict[str, list[int]]:
    """Return of each network its spikes, and the cells that differ; of the last in windows, too."""
    found, begins = {}, (7, 2**33)
    for name, network in NOISY.items():
        inputs = {"input": np.random.default_rng(2).random((2 * WINDOW, 2 * 6)) < 0.3}
        theirs = to_pynn(network, simulator, inputs, seed=9, replicas=2, begins=begins).run(
            2 * WINDOW
        )
        simulator.end()
        found[name] = played(network, inputs, begins, theirs)
    with neurorl.load("reference", network, seed=9) as backend:
        weights = {p.name: backend.weights(p.name) for p in network.projections}
    windows = Windows(network, simulator, WINDOW, 2, weights, 9, begins)
    parts = [windows.play({"input": part}) for part in np.split(inputs["input"], 2)]
    simulator.end()
    again = {k: np.concatenate([part[k] for part in parts]) for k in parts[0]}
    found["windows"] = played(network, inputs, begins, again, WINDOW)
    return found


def random_there(simulator: Any, n: int) -> list[tuple[int, int]]:
    """Return of random networks that can be held, of *n*, the spikes and the cells that differ."""
    found = []
    for seed in range(n):
        network = random_network(seed, delays=True)
        if problems(network, simulator.__name__.rpartition(".")[2]):
            continue
        inputs = rasters(network, 50, seed)
        with neurorl.load("reference", network, seed=seed) as backend:
            ours = backend.step(inputs, 50)
        theirs = to_pynn(network, simulator, inputs, seed=seed).run(50)
        simulator.end()
        spikes = sum(int(raster.sum()) for raster in ours.values())
        found.append((spikes, sum(int((ours[k] != theirs[k]).sum()) for k in ours)))
    return found


def read_back(simulator: Any) -> float:
    """Return how far synapses of a list are from what PyNN's public names say of them."""
    simulator.setup(timestep=0.1, min_delay=0.1)
    sources = simulator.Population(4, simulator.SpikeSourceArray(spike_times=[1.0]))
    cells = simulator.Population(3, simulator.IF_curr_exp())
    pre, post = np.array([3, 0, 3, 1]), np.array([2, 1, 0, 1])
    weights, delays = np.array([0.5, 0.25, 1.0, 2.0]), np.array([0.1, 0.4, 2.0, 0.3])
    columns = (pre, post, weights, delays)
    made = make_projection(simulator, (sources, cells), *columns, "excitatory")
    assert len(made) == 4
    found = np.array(sorted(made.get(["weight", "delay"], format="list")), dtype=float)
    simulator.end()
    return float(np.abs(found - np.array(sorted(zip(*columns, strict=True)))).max())


def played(
    network: Network, inputs: Any, begins: Any, theirs: Any, window: int | None = None
) -> list[int]:
    """Return the spikes of the reference, and the cells that differ from *theirs*.

    window: of so many steps, from silence each.
    """
    spikes = differing = 0
    with neurorl.load("reference", network, seed=(9,) * len(begins)) as backend:
        n = len(inputs["input"])
        for first in range(0, n, window or n):
            for k, begin in enumerate(begins):
                backend.begin_at(begin + first, k)
            last = first + (window or n)
            given = {name: raster[first:last] for name, raster in inputs.items()}
            for name, raster in backend.step(given, last - first).items():
                spikes += int(raster.sum())
                differing += int((raster != theirs[name][first:last]).sum())
    return [spikes, differing]


def layered(delay: int, loop: int) -> tuple[Network, dict[str, Any]]:
    """Two populations with delays of *delay* steps between them, a loop with *loop*, and spikes."""
    rng = np.random.default_rng(delay)
    first = CubaLIF(refractory=2e-3, bias=0.02, threshold=rng.uniform(0.9, 1.1, 20))
    network = Network(
        (
            Source("input", 10),
            Population("first", 20, first),
            Population("second", 10, LIF(refractory=1e-3, bias=0.01)),
        ),
        (
            Projection("drive", "input", "first", rng.uniform(-0.1, 0.4, (10, 20))),
            Projection(
                "on", "first", "second", rng.uniform(-0.1, 0.3, (20, 10)), delay=delay * 1e-3
            ),
            Projection(
                "loop", "first", "first", rng.uniform(-0.05, 0.05, (20, 20)), delay=loop * 1e-3
            ),
        ),
    )
    return network, {"input": rng.random((STEPS, 10)) < 0.15}


def van_rossum(raster: Any, other: Any, tau: float = 20.0) -> float:
    """Return the distance of van Rossum 2001, tau in steps, the mean of the neurons."""
    kernel = np.exp(-np.arange(STEPS) / tau)
    trains = (raster.astype(float) - other.astype(float)).T
    traces = np.array([np.convolve(train, kernel)[:STEPS] for train in trains])
    return float(np.sqrt((traces**2).sum(axis=1) / tau).mean())


def compare(network: Network, inputs: Any, theirs: Any) -> list[tuple[int, int, int, float]]:
    """For each population its spikes, those of PyNN, the cells that differ, and how far it is.

    That is the distance of van Rossum, as a part of the distance to silence.
    """
    with neurorl.load("reference", network) as backend:
        ours = backend.step(inputs, STEPS)
    return [
        (
            int(ours[k].sum()),
            int(theirs[k].sum()),
            int((ours[k] != theirs[k]).sum()),
            van_rossum(ours[k], theirs[k]) / van_rossum(ours[k], np.zeros_like(ours[k])),
        )
        for k in ("first", "second")
    ]


def run(target: str, n_random: int) -> Any:
    """Return what PROGRAM says, or skip."""
    for package in ("pyNN", NEEDS[target]):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    folder = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, target, json.dumps([folder]), str(n_random)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.partition("RESULT")[2])


@pytest.mark.parametrize("target", NEEDS)
def test_spikes_are_equal_but_in_loops_of_a_step_without_pulses(target: str) -> None:
    (short, *equal), noise, drawn, moved = run(target, 3)
    for counts in equal:
        for ours, theirs, differing, distance in counts:
            assert (theirs, differing, distance) == (ours, 0, 0.0)
            assert ours > 100
    for ours, theirs, _, distance in short:  # a current acts a step late
        assert abs(theirs / ours - 1) < 0.02
        assert 0 < distance < 0.12
    assert moved < 1e-9
    assert [differing for _, differing in drawn] == [0] * len(drawn)
    assert set(noise) == {*NOISY, "windows"}
    for name, (spikes, differing) in noise.items():
        assert spikes > 100, name
        assert differing == 0, name


@pytest.mark.slow
@pytest.mark.parametrize("target", NEEDS)
def test_random_networks_have_every_spike(target: str) -> None:
    _, _, drawn, _ = run(target, 100)
    assert len(drawn) > 50
    assert sum(spikes > 0 for spikes, _ in drawn) > 40
    assert [differing for _, differing in drawn] == [0] * len(drawn)


MAPPING = """
import json, sys, warnings
warnings.simplefilter("ignore")
sys.path[:0] = json.loads(sys.argv[1])
import spynnaker.pyNN
import test_pynn
network, inputs = test_pynn.layered(2, 2)
test_pynn.to_pynn(network, spynnaker.pyNN, inputs)
spynnaker.pyNN.run(20)
print("MAPPED")
"""


@pytest.mark.skipif(
    importlib.util.find_spec("spynnaker") is None, reason="sPyNNaker is not installed"
)
def test_spynnaker_builds_and_maps_it_on_its_virtual_board(tmp_path: Path) -> None:
    (tmp_path / ".spynnaker.cfg").write_text("[Machine]\nversion = 5\nvirtual_board = True\n")
    done = subprocess.run(
        [sys.executable, "-c", MAPPING, json.dumps([str(Path(__file__).parent)])],
        env={**os.environ, "HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "MAPPED" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("currents", "source 'level' of currents"),
        ("neurons by equations", "of neurons by equations"),
        ("short-term plasticity", "with short-term plasticity"),
    ],
)
def test_what_no_target_can_hold_is_named(feature: str, words: str) -> None:
    network = FEATURES[feature]()
    assert any(words in line for line in problems(network, "nest"))
    with pytest.raises(UnsupportedError, match="PyNN's nest: can't hold this"):
        to_pynn(network, "pyNN.nest", {})


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("escape noise", "with escape noise"),
        ("signed units (+-1)", "signed"),
        ("stochastic GLM unit", "without a membrane's memory"),
    ],
)
def test_pulses_are_for_simulators_that_integrate_exactly(feature: str, words: str) -> None:
    network = FEATURES[feature]()
    assert problems(network, "nest") == problems(network, "brian2") == []
    assert any(words in line for line in problems(network, "spiNNaker"))
    with pytest.raises(UnsupportedError, match="PyNN's spiNNaker: can't hold this"):
        Windows(network, "spynnaker.pyNN", 5, 1, {}, 0, (0,))


def test_every_pretrained_agent_can_be_held() -> None:
    for name in agents():
        network = neurorl.SpikingActorCritic.load(f"zoo:{name}").network
        assert problems(network, "nest") == problems(network, "brian2") == [], name
        assert as_held(network, "nest").projections == network.projections, name


def test_noise_is_there_for_as_many_steps_as_inputs_have() -> None:
    network = NOISY["LIF"]
    exported = PyNNExport("pyNN.nest", {}, network, most=30)
    with pytest.raises(ArgumentError, match=r"no noise for so many steps .got 31, limit 30"):
        exported.run(31)
    with pytest.raises(ArgumentError, match=r"begins: not one for each replica"):
        to_pynn(network, "pyNN.nest", {}, replicas=2, begins=(0,))


@pytest.mark.parametrize(
    ("delays", "held"),
    [((1, 1), (1, 2)), ((1, 2), (1, 2)), ((1, 3), (1, 3)), ((4, 1), (4, 2))],
)
def test_only_loops_of_a_step_are_held_otherwise(
    delays: tuple[int, int], held: tuple[int, int]
) -> None:
    network, _ = layered(*delays)
    there = as_held(network, "nest")
    assert (there.delay_steps("on"), there.delay_steps("loop")) == held
    assert as_held(network, "spiNNaker").projections == network.projections


def test_a_long_way_back_makes_up_for_a_short_way() -> None:
    cells = [Population(name, 3, LIF()) for name in ("a", "b")]
    ways = (Projection("there", "a", "b", 0.1), Projection("back", "b", "a", 0.1, delay=3e-3))
    network = Network((Source("input", 2), *cells), ways)
    assert as_held(network, "nest").projections == network.projections
    shorter = dataclasses.replace(ways[1], delay=2e-3)
    there = as_held(Network(network.nodes, (ways[0], shorter)), "nest")
    assert [there.delay_steps(p.name) for p in ways] == [2, 2]


def test_a_bias_that_would_begin_with_a_spike_needs_pulses() -> None:
    low = Population("low", 2, LIF(tau_mem=2e-3, bias=-0.3, threshold=0.2))
    network = Network((Source("input", 2), low))
    assert problems(network, "nest") == []
    (line,) = problems(network, "spiNNaker")
    assert "begin with a spike" in line


def test_refractory_periods_that_differ_are_refused_where_pynn_has_one() -> None:
    cells = Population("cells", 2, LIF(refractory=np.array([1e-3, 2e-3])))
    network = Network((Source("input", 2), cells))
    assert problems(network, "nest") == []
    assert problems(network, "brian2") == [
        "population 'cells' with several refractory periods (limit one)"
    ]


def test_an_unknown_simulator_is_named() -> None:
    with pytest.raises(LookupError, match="neuron"):
        to_pynn(FEATURES["LIF"](), "pyNN.neuron", {})
