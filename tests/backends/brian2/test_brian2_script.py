"""Run written scripts in plain Brian2, in processes that never import neurorl."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_equation_networks import random_equation_network

from neurorl import Network, Population, Projection, Source, TsodyksMarkram, load
from neurorl.errors import UnsupportedError
from neurorl.models import ADAPTIVE_LIF, CubaLIF, FixedProbability
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
    forbidden = "import sys; sys.modules['neurorl'] = None; import runpy, pathlib; "
    program = f"{forbidden}sys.argv = ['network.py', *{words!r}]; runpy.run_path('network.py')"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with np.load(folder / "spikes.npz") as found:
        for name, raster in expected.items():
            seen = np.zeros_like(raster)
            seen[found[f"{name}.step"], found[f"{name}.i"]] = True
            assert np.array_equal(seen, raster), name
    return sum(int(raster.sum()) for raster in expected.values())


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
    check_script(random_equation_network(seed), "float", tmp_path / "equations", "standalone")
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
