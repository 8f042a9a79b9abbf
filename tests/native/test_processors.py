"""Code that is compiled for other processors learns the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from neurorl.native import toolchain

pytest.importorskip("brian2")

PROCESSORS = {  # with what each of them has, as Linux calls it
    "x86-64-v2": {"ssse3", "sse4_1", "sse4_2", "popcnt"},
    "x86-64-v3": {"avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"},
    "x86-64-v4": {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
}

LEARN = """
import hashlib
from neurorl import SpikingActorCritic
from neurorl.backends.spec import BackendSpec
from neurorl.bench import ours, workload

def digest(agents):
    for name, array in sorted(agents.state(0).items()):
        print(name, hashlib.sha256(array.tobytes()).hexdigest())

agent = SpikingActorCritic("CartPole-v1", backend="brian2", seed=3)
agent.learn(12)
digest(agent._replicas)
for size in ("small", "large"):
    loop = ours.make(workload.get_size(size), 1, BackendSpec("reference"))
    for _ in range(60):
        loop.step()
    digest(loop._agents)
"""


def learned(**environment: str) -> list[str]:
    """Return what a process of its own learns: a line for each array."""
    done = subprocess.run(
        [sys.executable, "-c", LEARN],
        env={**os.environ, **environment},
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
    [pytest.param("x86-64-v2", marks=pytest.mark.slow), "x86-64-v3", "x86-64-v4"],
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
    assert len(seen) > 60
    assert seen == native
