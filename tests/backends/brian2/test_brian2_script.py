"""Run written scripts in plain Brian2, in processes that never import neurorl."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from random_equation_networks import random_equation_network

from neurorl import (
    Network,
    Population,
    Projection,
    Source,
    SynapseLearning,
    TsodyksMarkram,
    load,
)
from neurorl.errors import UnsupportedError
from neurorl.models import ADAPTIVE_LIF, CubaLIF, FixedProbability
from neurorl.network.description import Plasticity, Uniform
from neurorl.rules import SynapseRule
from neurorl.testing import rasters
from neurorl.testing.networks import random_network

STEPS = 80


def of_everything() -> Network:
    """Return noise, dead steps, equations, a list of synapses with delays, a short-term one."""
    cells = CubaLIF(5e-3, 20e-3, threshold=0.6, bias=0.02, noise=0.1, refractory=3e-3)
    own = ADAPTIVE_LIF.with_parameters(tau_m=8e-3)
    listed = FixedProbability(0.4)
    return Network(
        (Source("in", 9), Population("cells", 12, cells), Population("own", 7, own)),
        (
            Projection("dense", "in", "cells", 0.3, signed=True),
            Projection("listed", "cells", "own", 0.2, connect=listed, delay=3e-3),
            Projection("back", "own", "cells", -0.1, delay=2e-3),
            Projection("tired", "in", "own", 0.4, short_term=TsodyksMarkram(0.5, 0.1, 0.02)),
        ),
    )


def check_script(network: Network, arithmetic: str, folder: Path, *words: str) -> int:
    """Check that the script makes the reference's spikes, and return how many there are."""
    inputs = rasters(network, STEPS, 7, 0.3)
    with load("brian2", network, seed=4, arithmetic=arithmetic) as backend:
        backend.write_script(folder, inputs, STEPS)
    with load("reference", network, seed=4, arithmetic=arithmetic) as backend:
        expected = backend.step(inputs, STEPS)
    run_script(folder, *words)
    with np.load(folder / "spikes.npz") as found:
        check_spikes(found, expected)
    return sum(int(raster.sum()) for raster in expected.values())


def run_script(folder: Path, *words: str) -> None:
    forbidden = "import sys; sys.modules['neurorl'] = None; import runpy, pathlib; "
    program = f"{forbidden}sys.argv = ['network.py', *{words!r}]; runpy.run_path('network.py')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def check_spikes(
    found: Mapping[str, npt.NDArray[np.int64]], expected: Mapping[str, npt.NDArray[np.bool_]]
) -> None:
    for name, raster in expected.items():
        seen = np.zeros_like(raster)
        seen[found[f"{name}.step"], found[f"{name}.i"]] = True
        assert np.array_equal(seen, raster), name


def test_a_script_of_everything_runs_standalone(tmp_path: Path) -> None:
    assert check_script(of_everything(), "float", tmp_path, "standalone") > 100


@pytest.mark.slow
def test_a_network_without_sources_has_a_script(tmp_path: Path) -> None:
    cells = Population("cells", 5, CubaLIF(bias=0.1, noise=0.1))
    network = Network((cells,), (Projection("loop", "cells", "cells", 0.05),))
    assert check_script(network, "float", tmp_path, "standalone") > 10


@pytest.mark.slow
def test_a_script_of_everything_runs_by_cython(tmp_path: Path) -> None:
    assert check_script(of_everything(), "float", tmp_path) > 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_scripts_of_random_networks(seed: int, tmp_path: Path) -> None:
    spiking = random_equation_network(seed).spiking  # a script has no currents
    check_script(spiking, "float", tmp_path / "equations", "standalone")
    check_script(random_network(seed), "loihi", tmp_path / "chip", "standalone")


def test_a_script_without_sources_is_written(tmp_path: Path) -> None:
    network = Network((Population("cells", 5, CubaLIF(bias=0.1)),))
    with load("brian2", network) as backend:
        backend.write_script(tmp_path, {}, 7)
    assert "N_STEPS = 7" in (tmp_path / "network.py").read_text()


def test_what_has_no_script_says_so(tmp_path: Path) -> None:
    network = random_network(1)
    said = r"reference: writes no script.*'brian2'"
    with load("reference", network) as backend, pytest.raises(UnsupportedError, match=said):
        backend.write_script(tmp_path, {}, 3)
    flowing = Network(
        (Source("in", 2, kind="current"), Population("cells", 2, CubaLIF())),
        (Projection("drive", "in", "cells", 0.1),),
    )
    said = "a script has no currents"
    with load("brian2", flowing) as backend, pytest.raises(UnsupportedError, match=said):
        backend.write_script(tmp_path, {}, 3)
    assert [*tmp_path.iterdir()] == []


TAGS = SynapseRule(
    "tags, gated by acetylcholine",
    equations="""
    dx_pre/dt = -x_pre/tau
    dy_post/dt = (0.1*ach - y_post)/tau
    dtag/dt = -tag/tau_tag
    """,
    on_pre="x_pre += 1; tag -= 0.5*ach*y_post; w -= 0.001*y_post",
    on_post="y_post += 1; tag += ach*x_pre*(1 - w)",
    on_reward="w += 0.05*(dopamine - 0.2*pain)*tag; tag = 0.5*tag",
    parameters={"tau": 20e-3, "tau_tag": 0.2},
    initial={"tag": 0.05},
    signals=("ach",),
    modulators=("dopamine", "pain"),
    post_delay=2e-3,
)
"""Use all that rules have."""
STILL = SynapseRule("still", on_reward="w *= 1 + 0.1*pain", modulators=("pain",))


def that_learns() -> Network:
    """Return a dense projection with a mask, and a listed one with its own delays, that learn."""
    plastic = Plasticity(0.0, 0.0, 1.0)
    mask = np.random.default_rng(1).random((9, 12)) < 0.6
    cells = CubaLIF(5e-3, 20e-3, threshold=0.6, bias=0.02, noise=0.1, refractory=3e-3)
    return Network(
        (Source("in", 9), Population("cells", 12, cells)),
        (
            Projection("into", "in", "cells", 0.3, mask=mask, delay=3e-3, plasticity=plastic),
            Projection(
                "back",
                "cells",
                "cells",
                0.1,
                connect=FixedProbability(0.4),
                delay=Uniform(1e-3, 4e-3),
                plasticity=plastic,
            ),
        ),
    )


@pytest.mark.slow
@pytest.mark.parametrize("words", [("standalone",), ()])
def test_a_script_learns_by_rules_and_rewards(words: tuple[str, ...], tmp_path: Path) -> None:
    network, window = that_learns(), 20
    inputs = rasters(network, STEPS, 7, 0.3)
    told = {"ach": np.linspace(0, 1, STEPS * 12).reshape(STEPS, 12)}
    rewards = [{"dopamine": 1.0, "pain": 0.5}, None, {"dopamine": -2.0, "pain": 0.0}, None]
    with load("brian2", network, seed=4) as backend:
        learning = SynapseLearning(backend, TAGS, {"back": STILL})
        learning.write_script(tmp_path, inputs, window, rewards, told)
    seen = []
    with load("reference", network, seed=4) as backend:
        learning = SynapseLearning(backend, TAGS, {"back": STILL})
        for k, reward in enumerate(rewards):
            part = slice(window * k, window * (k + 1))
            now = {name: raster[part] for name, raster in inputs.items()}
            seen.append(learning.window(now, window, {"ach": told["ach"][part]})["cells"])
            if reward is not None:
                learning.reinforce(reward)
        weights = {name: learning.weights(name) for name in ("into", "back")}
    run_script(tmp_path, *words)
    with np.load(tmp_path / "spikes.npz") as found:
        check_spikes(found, {"cells": np.concatenate(seen)})
        for name, values in weights.items():
            assert np.array_equal(found[f"{name}.weights"], values.ravel())
    assert np.concatenate(seen).sum() > 50
    assert np.ptp(weights["into"]) > 0.01
    assert weights["back"][0] == pytest.approx(0.105, abs=1e-6)


def test_scripts_of_learning_are_refused_where_there_is_none(tmp_path: Path) -> None:
    for backend_name, options in (("reference", {}), ("brian2", {"seed": [1, 2]})):
        with load(backend_name, that_learns(), **options) as backend:
            learning = SynapseLearning(backend, STILL)
            with pytest.raises(UnsupportedError, match=r"writes no script|one seed, and"):
                learning.write_script(tmp_path, {}, 5, [None])
