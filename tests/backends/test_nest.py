"""NEST runs networks with the reference's bits; skipped by name where NEST isn't installed."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurorl
from neurorl import Uniform
from neurorl.errors import ArgumentError, BackendError, BackendUnavailableError, UnsupportedError
from neurorl.models import Synapses
from neurorl.testing import FEATURES, rasters, same_state

EXAMPLE = Path(__file__).parents[2] / "examples" / "nest_backend"
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("nest") is None, reason="nest-simulator is not installed"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the backend is installed."""
    folder = tmp_path_factory.mktemp("nest")
    shutil.copytree(EXAMPLE, folder / "source")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target"]
    command = [sys.executable, "-m", "pip", "install", *options, str(folder / "site")]
    subprocess.run([*command, str(folder / "source")], check=True)
    return folder / "site"


@pytest.fixture
def nest(site: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of the backend, installed."""
    monkeypatch.syspath_prepend(str(site))
    return importlib.import_module("neurorl_nest.simulator").NestSimulator


@pytest.mark.parametrize(
    ("feature", "threads"),
    [("escape noise", 1), ("recurrent projection", 2), ("delays of several steps", 1)],
)
def test_every_spike_and_state_is_the_references(feature: str, threads: int, nest: Any) -> None:
    network, seeds = FEATURES[feature](), (3, 2**40 + 1)
    with (
        neurorl.load(nest, network, seed=seeds, threads=threads) as backend,
        neurorl.load("reference", network, seed=seeds) as reference,
    ):
        for k, n_steps in enumerate((7, 1, 70, 5)):
            inputs = {
                name: np.hstack([raster] * 2)
                for name, raster in rasters(network, n_steps, k).items()
            }
            ours, theirs = reference.step(inputs, n_steps), backend.step(inputs, n_steps)
            for name, raster in ours.items():
                assert np.array_equal(raster, theirs[name]), (k, name)
            for replica in range(2):
                states = (one.state(replica=replica) for one in (reference, backend))
                assert same_state(*states) == []
            if k == 1:  # spikes are on their way
                name = network.projections[0].name
                weights = reference.weights(name) * 0.7
                for one in (reference, backend):
                    one.set_weights(name, weights)
                    one.reset(replicas=[1])
        assert any(raster.any() for raster in ours.values())


def test_a_state_in_the_middle_goes_to_nest(nest: Any) -> None:
    network = FEATURES["delays of several steps"]()
    inputs = rasters(network, 20, seed=4)
    with (
        neurorl.load(nest, network) as backend,
        neurorl.load("reference", network) as reference,
    ):
        reference.step(rasters(network, 9, seed=1), 9)
        backend.restore(reference.state())
        ours, theirs = reference.step(inputs, 20), backend.step(inputs, 20)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_projection_may_have_no_synapse(nest: Any) -> None:
    network = FEATURES["LIF"]()
    source, cells = network.sources[0].name, network.populations[0].name
    none = neurorl.Projection(
        "none", source, cells, 1.0, connect=Synapses([], []), delay=Uniform(1e-3, 3e-3)
    )
    network = neurorl.Network(network.nodes, (*network.projections, none), network.dt)
    with neurorl.load(nest, network) as backend, neurorl.load("reference", network) as reference:
        for k in range(2):
            inputs = rasters(network, 9, seed=k)
            ours, theirs = reference.step(inputs, 9), backend.step(inputs, 9)
            assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
            reference.reset()
            backend.reset()


def test_an_agent_learns_and_decides_there_as_here(nest: Any) -> None:
    agents = [
        neurorl.SpikingActorCritic("neurorl/GridWorld-v0", backend=backend, seed=1)
        for backend in ("reference", nest.name)
    ]
    for agent in agents:
        agent.learn(total_steps=30)
    ours, theirs = (agent.weights for agent in agents)
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert agents[1].predict(5) == agents[0].predict(5)
    for agent in agents:
        agent.close()


def test_what_it_can_not_run_is_refused(nest: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedError, match="neurons by equations"):
        neurorl.load(nest, FEATURES["neurons by equations"]())
    with pytest.raises(ArgumentError, match=r"threads: not a whole number >= 1 .got 0"):
        neurorl.load(nest, FEATURES["LIF"](), threads=0)
    fine = neurorl.Network(FEATURES["LIF"]().nodes, dt=1.5e-6)
    with pytest.raises(UnsupportedError, match="multiples of 1e-06 s"):
        neurorl.load(nest, fine)
    build = importlib.import_module("neurorl_nest.build")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendUnavailableError, match="NEST isn't installed"):
        build.library()


def test_a_process_that_has_ended_is_said(nest: Any) -> None:
    network = FEATURES["LIF"]()
    with neurorl.load(nest, network) as backend:
        process = backend.simulator._crew.process  # type: ignore[attr-defined]
        process.kill()
        process.wait()
        with pytest.raises(BackendError, match="a process of NEST has ended"):
            backend.step(rasters(network, 5, seed=1), 5)


@pytest.mark.slow
def test_it_passes_the_suite_that_every_backend_passes(site: Path, tmp_path: Path) -> None:
    suite = ["-p", "neurorl.testing.plugin", "--pyargs", "neurorl.testing.contract", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *suite, "-p", "no:nengo", "--neurorl-backend", "nest"],
        env={**os.environ, "PYTHONPATH": str(site)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
