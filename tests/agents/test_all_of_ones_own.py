"""An agent of neurons and a rule of the user's own, by public names only, learns and goes on."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from neurorl import SpikingActorCritic, evaluate
from neurorl.models import ADAPTIVE_LIF
from neurorl.rules import Rule

FAST = {"tau_m": 5e-3, "tau_a": 50e-3, "beta": 0.1}
NEURON = dataclasses.replace(
    ADAPTIVE_LIF, noise=0.25, parameters={**ADAPTIVE_LIF.parameters, **FAST}
)
RULE = Rule("fading", output="spike*phi*exp(-2*n/W)", hidden="spike*phi*b*exp(-2*n/W)")

# A process that never defined neurons or rule: all that it knows is in the files.
LOAD = """
import sys
from neurorl import SpikingActorCritic
agent = SpikingActorCritic.load(sys.argv[1])
print(agent.learn(total_episodes=40)[-1].ret)
"""
TRAIN = """
import json, os, signal, sys
from pathlib import Path
from neurorl.models import ADAPTIVE_LIF
from neurorl.rules import Rule
from neurorl.runs import session, training
from tests_own import NEURON, RULE
session.CHECKPOINT_SECONDS = 0.0
out, kill_after = Path(sys.argv[1]), int(sys.argv[2])
played = 0
def count(_):
    global played
    played += 1
    if played == kill_after:
        os.kill(os.getpid(), signal.SIGKILL)
resume = (out / "config.json").exists()
training.train("CartPole-v1", out, backend="native", seed=3, episodes=25, resume=resume,
               callback=count, overrides=None if resume else {"neuron": NEURON, "rule": RULE})
"""


def agent(seed: int) -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", backend="native", neuron=NEURON, rule=RULE, seed=seed)


def test_it_is_saved_and_goes_on_in_a_process_that_never_defined_it(tmp_path: Path) -> None:
    one = agent(seed=7)
    one.learn(total_episodes=30)
    one.save(tmp_path / "own.npz")
    command = [sys.executable, "-c", LOAD, str(tmp_path / "own.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) == one.learn(total_episodes=40)[-1].ret


def test_a_killed_run_of_it_resumes_bit_identical(tmp_path: Path) -> None:
    module = Path(__file__).read_text().partition("# A process that")[0]
    (tmp_path / "tests_own.py").write_text(module)

    def train(out: str, kill_after: int) -> int:
        command = [sys.executable, "-c", TRAIN, str(tmp_path / out), str(kill_after)]
        return subprocess.run(command, cwd=tmp_path, check=False).returncode

    assert train("killed", 9) == -signal.SIGKILL
    assert train("killed", 11) == -signal.SIGKILL
    assert [train("killed", 0), train("whole", 0)] == [0, 0]
    killed, whole = (
        json.loads((tmp_path / out / "summary.json").read_text()) for out in ("killed", "whole")
    )
    assert killed["digest"] == whole["digest"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_it_solves_cartpole(seed: int) -> None:
    one = agent(seed)
    one.learn(total_episodes=250)
    assert evaluate(one, episodes=20)["mean_return"] >= 475
