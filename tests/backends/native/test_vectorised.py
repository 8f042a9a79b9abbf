"""Compilers make vectors of the loops over neurons: without them a step takes 4 times as long."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from neurorl import Network, Population, Projection, Source, load, models
from neurorl.native import SOURCES, toolchain
from neurorl.network.neuron import Neuron

HERE = Path(models.__file__).parents[1] / "backends" / "native" / "src"
NEURONS: dict[str, Neuron] = {
    "LIF": models.LIF(),
    "CubaLIF": models.CubaLIF(noise=0.1),
    "CubaLIF, refractory": models.CubaLIF(noise=0.1, refractory=4e-3),
    "GLM": models.GLM(),
    "Izhikevich": models.IZHIKEVICH,
    "adaptive LIF": models.ADAPTIVE_LIF,
    "AdEx": models.ADEX,
    "COBA": models.COBA_LIF,
}
CASES = [(name, "float") for name in NEURONS]
CASES += [(name, "loihi") for name in ("LIF", "CubaLIF", "CubaLIF, refractory", "GLM")]


def _is_gcc() -> bool:
    return toolchain.problem() is None and "gcc version" in (toolchain.identity() or "")


@pytest.mark.skipif(not _is_gcc(), reason="only GCC tells which loops became vectors")
@pytest.mark.parametrize(("name", "arithmetic"), CASES)
def test_the_loop_over_neurons_is_made_of_vectors(
    name: str, arithmetic: str, tmp_path: Path
) -> None:
    neuron = NEURONS[name]
    target = neuron.inputs[0] if len(neuron.inputs) > 1 else None
    nodes = (Source("input", 10), Population("cells", 1000, neuron))
    network = Network(nodes, (Projection("drive", "input", "cells", 0.1, target=target),), dt=1e-3)
    with load("native", network, arithmetic=arithmetic) as backend:
        code = backend.source()
    source, lines = tmp_path / "code.cpp", code.splitlines()
    source.write_text(code)
    command = [*toolchain.compiler(), *toolchain.LIBRARY_FLAGS, "-fopt-info-vec-optimized"]
    command += [f"-iquote{folder}" for folder in (SOURCES, HERE)]
    command += [str(source), "-o", str(tmp_path / "code.so")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    loops = [k for k, line in enumerate(lines, start=1) if line.startswith("for (int i = begin")]
    assert loops
    vectors = {line.split(":")[1] for line in said.splitlines() if line.startswith(str(source))}
    assert {str(k) for k in loops} <= vectors, said
