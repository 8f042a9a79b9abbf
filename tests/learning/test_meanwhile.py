"""Learn in NumPy until the loop in C++ is compiled, with equal bits whenever that is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import Recorder, SpikingActorCritic
from neurorl.agents.replicas import _WAITING_STEPS as WAITING_STEPS
from neurorl.agents.replicas import Replicas
from neurorl.learning.loops import choose
from neurorl.learning.loops.native import NativeLoop
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.models.presets import make_config
from neurorl.native import toolchain
from neurorl.native.background import Building
from neurorl.runs.training import train
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import SeparateEnvs

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")

SMALL: dict[str, Any] = {"actors": 2, "hidden": 3}


class Soon:
    """Be over after some looks, as a compiler is after some seconds."""

    def __init__(self, looks: int, problem: str | None = None) -> None:
        self.looks, self.problem = looks, problem

    def is_over(self) -> bool:
        """Count a look."""
        self.looks -= 1
        return self.looks < 0


def pretend(monkeypatch: pytest.MonkeyPatch, building: Soon) -> None:
    """Let there be no library until *building* is over."""
    monkeypatch.setattr(choose, "has_library", lambda: False)
    monkeypatch.setattr(choose, "begin_building", lambda: building)


def learned(
    env: str, model: str, options: dict[str, Any], steps: int, **of_backend: Any
) -> tuple[Replicas, list[dict[str, Any]]]:
    """Return three agents that have learned, and their states."""
    config = make_config(make_env(env), model, {**SMALL, **options})
    envs = SeparateEnvs([make_env(env) for _ in range(3)])
    n_actions = int(envs.envs[0].action_space.n)  # type: ignore[attr-defined]
    agents = Replicas(envs, config, n_actions, (3, 1, 4), **of_backend)
    agents.learn(total_steps=steps)
    return agents, [agents.state(k) for k in range(3)]


CASES: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("CartPole-v1", "lif", {}, {"backend": "reference"}),
    ("CartPole-v1", "lif-spiking-critic", {}, {"backend": "reference"}),
    ("CartPole-v1", "glm", {"rule": "centred-feedback"}, {"backend": "brian2:numpy"}),
    ("CartPole-v1", "lif", {"rule": "td-stdp"}, {"backend": "reference:loihi"}),
    ("CartPole-v1", "lif", {"encoder": "current"}, {"backend": "reference"}),
    ("CartPole-v1", "lif", {"writes": "stochastic"}, {"backend": "loihi"}),
    ("neurorl/PositionOnlyCartPole-v0", "lif", {}, {"backend": "reference"}),
    ("neurorl/GridWorld-v0", "lif", {"hidden": (3, 2)}, {"backend": "reference"}),
]


@pytest.mark.parametrize(("env", "model", "options", "of_backend"), CASES)
def test_the_bits_are_those_of_one_loop(
    env: str,
    model: str,
    options: dict[str, Any],
    of_backend: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps = 3 * WAITING_STEPS + 9
    agents, expected = learned(env, model, options, steps, **of_backend)
    assert type(agents.loop) is NativeLoop
    for looks in (1, 3):
        pretend(monkeypatch, Soon(looks))
        agents, states = learned(env, model, options, steps, **of_backend)
        assert type(agents.loop) is NativeLoop
        for state, native in zip(states, expected, strict=True):
            assert state.keys() == native.keys()
            for name, numbers in native.items():
                assert np.array_equal(state[name], numbers, equal_nan=True), (looks, name)
        agents.close()


def test_without_an_end_of_an_episode_it_is_looked_for_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    building = Soon(10**6)
    pretend(monkeypatch, building)
    agent = SpikingActorCritic("MountainCar-v0", **SMALL)
    agent.learn(total_steps=2 * WAITING_STEPS)
    assert 10**6 - building.looks == 3  # in the beginning, and after so many steps each time
    assert isinstance(agent._replicas.loop, NumpyLoop)
    building.looks = 0
    agent.learn(total_steps=3 * WAITING_STEPS)
    assert isinstance(agent._replicas.loop, NativeLoop)
    assert agent.memory is not None


def test_a_recorder_hears_both_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = []
    for looks in (None, 2):
        if looks is not None:
            pretend(monkeypatch, Soon(looks))
        agent, recorder = SpikingActorCritic("CartPole-v1", **SMALL), Recorder(["output.spikes"])
        agent.learn(6, record=recorder)
        recorded.append(recorder["output.spikes"])
    assert np.array_equal(recorded[0], recorded[1])


def test_a_compiler_that_fails_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Soon(1, "a compiler that fails in this test"))
    agent = SpikingActorCritic("CartPole-v1", **SMALL)
    with pytest.warns(RuntimeWarning, match="in NumPy.*a compiler that fails in this test"):
        agent.learn(3)
    agent.learn(4)  # a warning would be an error
    assert isinstance(agent._replicas.loop, NumpyLoop)


def test_who_asks_for_the_loop_in_cpp_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, Soon(10**6))
    agent = SpikingActorCritic("CartPole-v1", loop="native", **SMALL)
    assert isinstance(agent._replicas.loop, NativeLoop)
    assert isinstance(agent.player(0)._loop, NativeLoop)


def test_what_the_compiler_said_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "c++"
    compiler.write_text('#!/bin/sh\n[ "$1" = -v ] && exit 0\necho "error: out of luck"\nexit 1\n')
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    building = Building()
    assert "its library doesn't compile (got error: out of luck)" in str(building.problem)
    assert building.is_over()


@pytest.mark.slow
def test_the_first_run_on_a_machine_leaves_a_library(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = (
        "import neurorl.runs.training as t, sys, pathlib; from neurorl.native import background;"
    )
    command += "row = t.train('CartPole-v1', pathlib.Path(sys.argv[1]), episodes=60)\n"
    command += "print(row['digest']); print(background.begin_building().problem)"
    done = subprocess.run(
        [sys.executable, "-c", command, str(tmp_path / "run")],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    digest, problem = done.stdout.split()
    assert problem == "None"
    assert list((tmp_path / "cache" / "neurorl" / "native").glob("*.so"))
    assert digest == train("CartPole-v1", tmp_path / "warm", episodes=60)["digest"]
