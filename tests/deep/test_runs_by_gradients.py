"""Train runs of shared hidden layers by gradients: commands, and killed runs that go on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl.agents.checkpoint import read_checkpoint
from neurorl.cli import main
from neurorl.runs import training

pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

CHOSEN: dict[str, Any] = {
    "approach": "reparameterization",
    "model": "deep",
    "gradient": {"steps": 7, "learning_rate": 0.02},
    "overrides": {"hidden": 6, "critic.hidden": 5},
}

# Ends itself as SIGKILL would when a decision of that number has been kept, within a rollout.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from neurorl.reparameterization import decisions
from neurorl.runs import session, training
session.CHECKPOINT_SECONDS = 0.0
out, resume, left = Path(sys.argv[1]), sys.argv[2] == "1", int(sys.argv[3])
keep = decisions._Learner._keep
def count(self, *arguments, **named):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return keep(self, *arguments, **named)
decisions._Learner._keep = count
chosen = json.loads(sys.argv[4])
approach = chosen.pop("approach")
runs = [(seed, out / f"seed{seed}") for seed in (3, 8)]
new = {} if resume else chosen
training.train_seeds("CartPole-v1", runs, resume=resume, episodes=9, approach=approach, **new)
"""


def run(out: Path, kill_at: int = 0) -> int:
    resume = "1" if (out / "seed3" / "config.json").exists() else "0"
    arguments = [sys.executable, "-c", PROGRAM, str(out), resume, str(kill_at), json.dumps(CHOSEN)]
    return subprocess.run(arguments, check=False).returncode


def test_killed_and_resumed_it_ends_the_same(tmp_path: Path) -> None:
    for at in (5, 90, 121):
        assert run(tmp_path / "killed", at) == -signal.SIGKILL
    assert (tmp_path / "killed" / "seed8" / "checkpoint.npz").exists()
    assert run(tmp_path / "killed") == 0
    whole = [(seed, tmp_path / "whole" / f"seed{seed}") for seed in (3, 8)]
    training.train_seeds("CartPole-v1", whole, episodes=9, **CHOSEN)
    for seed, out in whole:
        (described, arrays), (other, arrays_of_other) = (
            read_checkpoint(x / "checkpoint.npz")
            for x in (out, tmp_path / "killed" / f"seed{seed}")
        )
        assert described == other
        assert arrays.keys() == arrays_of_other.keys()
        for key, array in arrays.items():
            assert np.array_equal(array, arrays_of_other[key], equal_nan=True), key


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    options = ["--approach", "reparameterization", "--model", "deep", "--out", out, "--json"]
    assert main(["train", "CartPole-v1", *options, "--steps", "120"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["approach"], summary["backend"]) == ("reparameterization", "torch")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["agent"]["trunk"]["type"] == "Shared"
    played = []
    for backend in ("reference", "native"):
        options = ["--backend", backend, "--arithmetic", "float", "--episodes", "2", "--json"]
        assert main(["evaluate", out, *options]) == 0
        played.append(json.loads(capsys.readouterr().out)["mean_return"])
    assert played[0] == played[1]
    assert main(["evaluate", out, "--backend", "loihi", "--episodes", "1", "--json"]) == 0
