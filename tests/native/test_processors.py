"""Code that is compiled for other processors learns the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurorl.native import toolchain

pytest.importorskip("nengo_loihi", reason="nengo-loihi is not installed")

PROCESSORS = {  # with what each of them has, as Linux calls it
    "x86-64": {"sse2"},
    "x86-64-v2": {"ssse3", "sse4_1", "sse4_2", "popcnt"},
    "x86-64-v3": {"avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"},
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}

LEARN = """
import hashlib
import warnings
import numpy as np
from neurorl import Learning, Network, Plasticity, Population, Projection, SpikingActorCritic
from neurorl import Uniform, load
from neurorl.agents.budget import Budget
from neurorl.backends.spec import BackendSpec
from neurorl.bench import ours, workload
from neurorl.models import LIF, FixedInDegree
from neurorl.network.description import Source

def show(name, array):
    print(name, hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest())

def digest(state):
    for name, array in sorted(state.items()):
        show(name, array)

agent = SpikingActorCritic("CartPole-v1", backend="native", seed=3)
agent.learn(total_episodes=12)
digest(agent.state())
for size in ("small", "large"):
    agents = ours.agents_of(workload.get_size(size), 1, BackendSpec("reference"))
    steps = agents.play(Budget(1000))
    for _ in range(60):
        next(steps)
    digest(agents.state(0))

warnings.simplefilter("ignore")
for learning in ("host", "pes"):
    agent = SpikingActorCritic("CartPole-v1", backend="loihi", learning=learning, seed=3)
    agent.learn(total_episodes=4)
    digest(agent.state())

nodes = (Source("in", 300), Population("out", 400, LIF(tau_mem=8e-3, threshold=0.3)))
draws = np.random.default_rng(1)
for trace in (0.0, 5e-3):
    plasticity = Plasticity(trace, -1.0, 1.0)
    connect = FixedInDegree(60)
    up = Projection("up", "in", "out", Uniform(-0.05, 0.15), connect=connect, plasticity=plasticity)
    with load("reference", Network(nodes, (up,), 1e-3), seed=5) as backend:
        of_lists = Learning(backend, rate=0.01)
        assert of_lists._in_c is not None
        for reward in (0.7, -0.4, 0.3):
            of_lists.window({"in": draws.random((20, 300)) < 0.2}, 20)
            of_lists.reinforce(reward)
            show("weights", of_lists.weights("up"))
            show("eligibilities", of_lists.eligibility("up"))
"""


OTHER_PYTHON = "NEURORL_OTHER_PYTHON"
"""Names a Python of another processor, under an emulator; CONTRIBUTING.md says how to make one."""


def learned(python: str = sys.executable, **environment: str) -> list[str]:
    """Return what a process of its own learns: a line for each array."""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [python, "-c", LEARN],
        env={**os.environ, "PYTHONPATH": root, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def missing(processor: str) -> set[str]:
    """Return what this processor lacks to run code for another one."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    flags = {word for line in lines if line.startswith("flags") for word in line.split()}
    return PROCESSORS[processor] - flags


@pytest.fixture(scope="module")
def native() -> list[str]:
    return learned()


@pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
@pytest.mark.parametrize(
    "processor",
    [
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("x86-64", "x86-64-v2")),
        "x86-64-v3",
        "x86-64-v4",
    ],
)
def test_the_same_bits_are_learned(processor: str, native: list[str], tmp_path: Path) -> None:
    if missing(processor):
        pytest.skip(f"this processor is no {processor}: it lacks {sorted(missing(processor))}")
    wrapper = tmp_path / f"c++-{processor}"  # called by its name, on which the cache's depends
    compiler = " ".join(toolchain.compiler())
    wrapper.write_text(f'#!/bin/sh\nexec {compiler} "$@" -march={processor}\n')
    wrapper.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ.get("PATH", "")])
    seen = learned(CXX=wrapper.name, PATH=path)
    assert len(seen) > 100
    assert seen == native


@pytest.mark.slow
@pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
@pytest.mark.skipif(OTHER_PYTHON not in os.environ, reason=f"{OTHER_PYTHON} names no Python")
@pytest.mark.timeout(3600)
def test_the_same_bits_are_learned_by_another_kind_of_processor(native: list[str]) -> None:
    assert len(native) > 100
    assert learned(os.environ[OTHER_PYTHON]) == native
