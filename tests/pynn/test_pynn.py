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
from neurorl.errors import UnsupportedError
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.pynn import as_held, problems, to_pynn
from neurorl.testing import FEATURES

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
    rasters = test_pynn.to_pynn(network, simulator, inputs).run(test_pynn.STEPS)
    simulator.end()
    counts.append(test_pynn.compare(network, inputs, rasters))
print("RESULT" + json.dumps(counts))
"""


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


def compare(network: Network, inputs: Any, rasters: Any) -> list[tuple[int, int, int, float]]:
    """For each population its spikes, those of PyNN, the cells that differ, and how far it is.

    That is the distance of van Rossum, as a part of the distance to silence.
    """
    with neurorl.load("reference", network) as backend:
        ours = backend.step(inputs, STEPS)
    return [
        (
            int(ours[k].sum()),
            int(rasters[k].sum()),
            int((ours[k] != rasters[k]).sum()),
            van_rossum(ours[k], rasters[k]) / van_rossum(ours[k], np.zeros_like(ours[k])),
        )
        for k in ("first", "second")
    ]


@pytest.mark.parametrize("target", NEEDS)
def test_spikes_are_equal_but_where_a_loop_takes_one_step(target: str) -> None:
    for package in ("pyNN", NEEDS[target]):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    folder = str(Path(__file__).parent)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, target, json.dumps([folder])],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    short, *equal = json.loads(done.stdout.partition("RESULT")[2])
    for counts in equal:
        for ours, theirs, differing, distance in counts:
            assert (theirs, differing, distance) == (ours, 0, 0.0)
            assert ours > 100
    for ours, theirs, _, distance in short:  # a current acts a step late
        assert abs(theirs / ours - 1) < 0.02
        assert 0 < distance < 0.12


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
        ("escape noise", "with escape noise"),
        ("neurons by equations", "of neurons by equations"),
        ("short-term plasticity", "with short-term plasticity"),
        ("signed units (+-1)", "signed"),
        ("stochastic GLM unit", "without a membrane's memory"),
    ],
)
def test_what_no_target_can_hold_is_named(feature: str, words: str) -> None:
    network = FEATURES[feature]()
    assert any(words in line for line in problems(network, "nest"))
    with pytest.raises(UnsupportedError, match="PyNN's nest: can't hold this"):
        to_pynn(network, "pyNN.nest", {})


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


def test_a_bias_that_would_begin_with_a_spike_is_named() -> None:
    low = Population("low", 2, LIF(tau_mem=2e-3, bias=-0.3, threshold=0.2))
    (line,) = problems(Network((Source("input", 2), low)), "nest")
    assert "begin with a spike" in line


def test_an_unknown_simulator_is_named() -> None:
    with pytest.raises(LookupError, match="neuron"):
        to_pynn(FEATURES["LIF"](), "pyNN.neuron", {})
