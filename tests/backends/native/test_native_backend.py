"""Test what is particular to native; what it shares with the others is in the contract suite."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neurorl import load
from neurorl.backends.native.printer import printed
from neurorl.models import LIF
from neurorl.native import toolchain
from neurorl.native.build import CppSource
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import FEATURES, rasters, same_state

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")


@pytest.mark.parametrize("blocks", [1, 3])
def test_few_synapses_are_a_list(blocks: int) -> None:
    """It equals the reference, with a delay and a new weight where no synapse is."""
    shape = (blocks, 30 // blocks, 12 // blocks)
    mask = (np.arange(30 * 12 // blocks).reshape(shape) * 7) % 23 < 4
    mask = mask if blocks > 1 else mask[0]
    network = Network(
        (Source("input", 30), Population("cells", 12, LIF(5e-3, 0.5))),
        (
            Projection("few", "input", "cells", Uniform(-0.2, 1.0), blocks=blocks, mask=mask),
            Projection("late", "input", "cells", 0.1, blocks=blocks, mask=mask, delay=3e-3),
        ),
    )
    with load("reference", network) as reference, load("native", network) as backend:
        assert all(p.rows is not None for p in backend.simulated.program.projections)
        for seed in range(3):
            for one in (reference, backend):
                one.set_weights("few", np.random.default_rng(seed).random(mask.shape))
            inputs = rasters(network, 20, seed)
            expected, got = reference.step(inputs, 20), backend.step(inputs, 20)
            assert expected["cells"].any()
            assert np.array_equal(expected["cells"], got["cells"])
            assert same_state(reference.state(), backend.state()) == []


def test_windows_of_any_length_and_inputs_of_any_layout() -> None:
    network = FEATURES["several sources"]()
    with load("reference", network) as reference, load("native", network) as backend:
        for n_steps in (3, 500, 1, 40):
            inputs = {k: np.asfortranarray(v) for k, v in rasters(network, n_steps, 1).items()}
            assert np.array_equal(
                reference.step(inputs, n_steps)["cells"], backend.step(inputs, n_steps)["cells"]
            )


def test_rasters_are_the_callers_own() -> None:
    network = FEATURES["LIF"]()
    with load("native", network) as backend:
        first = backend.step(rasters(network, 20, 0, 0.9), 20)["middle"]
        kept = first.copy()
        backend.step({}, 20)
    assert kept.any()
    assert np.array_equal(first, kept)


def small(name: str, neuron: LIF, weights: float | Uniform, size: int = 4) -> Network:
    return Network(
        (Source(f"{name}_in", 3), Population(name, size, neuron)),
        (Projection(f"{name}_to", f"{name}_in", name, weights),),
    )


def code(network: Network, seed: int = 0, arithmetic: str = "float") -> CppSource:
    with load("native", network, seed=seed, arithmetic=arithmetic) as backend:
        return printed(backend.simulated.program).source


def test_weights_seeds_names_and_parameters_compile_nothing() -> None:
    one, two = small("one", LIF(7e-3, 0.4), 0.5), small("two", LIF(5e-3, 0.6), Uniform(0, 1))
    assert code(one) == code(two, seed=5)
    wider = small("one", LIF(7e-3, 0.4), 0.5, size=5)
    assert len({code(one), code(one, arithmetic="loihi"), code(wider)}) == 3


def test_its_source_says_what_its_numbers_are() -> None:
    with load("native", small("cells", LIF(), 0.5)) as backend:
        text = backend.source()
    assert "// Nodes: 0 is cells_in, 1 is cells\n// Projections: 0 is cells_to\n" in text
    assert 'extern "C" void neurorl_advance(' in text


def test_it_imports_no_other_simulator() -> None:
    script = (
        "import sys; from neurorl import load; from neurorl.testing import FEATURES\n"
        "load('native', FEATURES['LIF']()).step({}, 3)\n"
        "assert not {'brian2', 'nengo', 'torch'} & set(sys.modules)\n"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_instances_come_and_go_without_growth() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    network = FEATURES["delays of several steps"]()
    inputs = rasters(network, 20, 0)

    def use(times: int) -> None:
        for _ in range(times):
            with load("native", network) as backend:
                backend.step(inputs, 20)

    use(30)
    before = resident()
    use(300)
    assert resident() - before < 3_000_000
