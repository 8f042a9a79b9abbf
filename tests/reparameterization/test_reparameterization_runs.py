"""Run directories of agents that learn by gradients: commands, resuming, starting from another."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from load_script import load_script

from neurorl.agents.checkpoint import read_checkpoint
from neurorl.cli import main

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from experiments.comparison.efficiency import StepPoint  # noqa: E402
from experiments.gradients import GRADIENTS  # noqa: E402
from experiments.recall import RECALLS, draw  # noqa: E402
from experiments.tables import read_table  # noqa: E402
from neurorl.runs import training  # noqa: E402

GRID = "neurorl/GridWorld-v0"
SMALL: dict[str, Any] = {"actors": 2, "hidden": 2}
FEW = {"environments": 2, "steps": 8}
APPROACH: dict[str, Any] = {"approach": "reparameterization", "gradient": FEW, "overrides": SMALL}

# Ends itself as SIGKILL would in the midst of a rollout: in its environment step of that number.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from neurorl.runs import session, training
from neurorl.reparameterization.stage import Stage
session.CHECKPOINT_SECONDS = 0.0
out, resume, left = Path(sys.argv[1]), sys.argv[2] == "1", int(sys.argv[3])
step = Stage.step
def count(self, *arguments):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, *arguments)
Stage.step = count
new = {} if resume else {
    "overrides": {"actors": 2, "hidden": 2}, "gradient": {"environments": 2, "steps": 8}
}
training.train_seeds(
    "CartPole-v1", [(seed, out / f"seed{seed}") for seed in (3, 8)], resume=resume, episodes=20,
    approach="reparameterization", **new,
)
"""


def run(out: Path, kill_at: int = 0) -> int:
    resume = "1" if (out / "seed3" / "config.json").exists() else "0"
    arguments = [sys.executable, "-c", PROGRAM, str(out), resume, str(kill_at)]
    return subprocess.run(arguments, check=False).returncode


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "episodes.csv").open(newline="") as file:
        return [{k: v for k, v in row.items() if k != "wall_s"} for row in csv.DictReader(file)]


def same_runs(a: Path, b: Path) -> None:
    assert rows(a) == rows(b)
    (described, arrays), (described_b, arrays_b) = (
        read_checkpoint(x / "checkpoint.npz") for x in (a, b)
    )
    assert described == described_b
    assert arrays.keys() == arrays_b.keys()
    for key in [k for k in arrays if not k.endswith("wall_s")]:
        assert np.array_equal(arrays[key], arrays_b[key]), key


def test_killed_and_resumed_it_ends_the_same(tmp_path: Path) -> None:
    """Kill runs before the first checkpoint, then in several rollouts, at different steps."""
    for k, at in enumerate((5, 30, 44)):
        assert run(tmp_path / "killed", at) == -signal.SIGKILL
        assert (tmp_path / "killed" / "seed8" / "checkpoint.npz").exists() == (k > 0)
    assert run(tmp_path / "killed") == 0
    whole = [(seed, tmp_path / "whole" / f"seed{seed}") for seed in (3, 8)]
    training.train_seeds("CartPole-v1", whole, episodes=20, **APPROACH)
    for seed, out in whole:
        same_runs(tmp_path / "killed" / f"seed{seed}", out)
        assert len(rows(out)) == 20
    training.train("CartPole-v1", tmp_path / "alone", seed=8, episodes=20, **APPROACH)
    same_runs(tmp_path / "alone", tmp_path / "whole" / "seed8")


def test_a_finished_run_is_extended(tmp_path: Path) -> None:
    training.train(GRID, tmp_path / "long", seed=4, episodes=5, **APPROACH)
    training.train(GRID, tmp_path / "short", seed=4, episodes=2, **APPROACH)
    summary = training.train(GRID, tmp_path / "short", episodes=5, resume=True)
    assert summary["episodes"] == 5
    same_runs(tmp_path / "short", tmp_path / "long")


def test_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    options = ["--approach", "reparameterization", "--episodes", "4", "--out", out, "--json"]
    assert main(["train", "CartPole-v1", *options]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["approach"], summary["backend"]) == ("reparameterization", "torch")
    assert summary["episodes"] == 4
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["gradient"]["type"] == "GradientConfig"
    assert config["versions"]["torch"] == torch.__version__
    played = []
    for backend in ("reference", "native", "loihi", "torch"):
        for arithmetic in ("float", "loihi"):
            if (backend, arithmetic) in (("loihi", "float"), ("torch", "loihi")):
                continue
            options = ["--backend", backend, "--arithmetic", arithmetic, "--episodes", "2"]
            assert main(["evaluate", out, *options, "--json"]) == 0
            found = json.loads(capsys.readouterr().out)
            assert found["backend"] == backend
            played.append((arithmetic, found["mean_return"], found["spikes_per_decision"]))
    assert len(played) == 6
    assert len(set(played)) == 2  # one for each arithmetic
    assert main(["evaluate", out, "--episodes", "1"]) == 0
    assert main(["plot", out]) == 0
    assert main(["show", out]) == 0
    assert "Cost of a decision" in capsys.readouterr().out


def error(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line


def test_bad_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--episodes", "1", "--out", str(tmp_path / "run")]
    train = ["train", "CartPole-v1", *out]
    approach = ["--approach", "reparameterization"]
    assert "'reparameterization'" in error(capsys, [*train, "--approach", "reparametrization"])
    assert "neurorl evaluate" in error(capsys, [*train, *approach, "--backend", "native"])
    assert "approach 'local'" in error(capsys, [*train, *approach, "--learning", "pes"])
    model = ["--model", "lif-spiking-critic"]
    assert "critic='linear'" in error(capsys, [*train, *approach, *model])
    assert "train it first" in error(capsys, [*train, "--from", str(tmp_path / "none")])
    assert not (tmp_path / "run").exists()


def test_a_run_of_one_approach_is_not_resumed_by_another(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training.train(GRID, tmp_path / "run", episodes=1, overrides=SMALL)
    out = ["--out", str(tmp_path / "run"), "--resume"]
    message = error(capsys, ["train", GRID, *out, "--approach", "reparameterization"])
    assert "another approach" in message


def test_without_torch_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("actors", "learner", "replicas", "rollout"):
        monkeypatch.delitem(sys.modules, f"neurorl.reparameterization.{name}")
    out = ["--out", str(tmp_path / "run"), "--approach", "reparameterization"]
    assert "pip install 'neurorl[torch]'" in error(capsys, ["train", "CartPole-v1", *out])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("backend", ["reference", "native", "loihi"])
def test_the_local_rule_goes_on_from_a_run_of_gradients(backend: str, tmp_path: Path) -> None:
    first, second = tmp_path / "gradients", tmp_path / "local"
    training.train("CartPole-v1", first, seed=4, episodes=3, **APPROACH)
    training.train("CartPole-v1", second, seed=5, episodes=2, backend=backend, start=first)
    config = json.loads((second / "config.json").read_text())
    assert (config["approach"], config["start"]) == ("local", str(first))
    start = read_checkpoint(first / "checkpoint.npz")[1]
    end = read_checkpoint(second / "checkpoint.npz")[1]
    for name in ("input_hidden", "hidden_output"):
        w, learned = start[f"learner.weights.{name}"], end[f"learner.weights.{name}"]
        assert np.corrcoef(w.ravel(), learned.ravel())[0, 1] > 0.8
        assert not np.array_equal(w, learned)


def test_what_it_started_from_is_not_needed_any_more(tmp_path: Path) -> None:
    training.train(GRID, tmp_path / "first", seed=4, episodes=3, **APPROACH)
    for name in ("whole", "later"):
        training.train(GRID, tmp_path / name, episodes=2, start=tmp_path / "first")
    (tmp_path / "first" / "checkpoint.npz").unlink()
    training.train(GRID, tmp_path / "later", episodes=4, resume=True)
    assert len(rows(tmp_path / "later")) == 4
    assert rows(tmp_path / "later")[:2] == rows(tmp_path / "whole")


def test_several_runs_start_from_those_of_their_seeds(tmp_path: Path) -> None:
    seeds = (4, 6)
    first = [(s, tmp_path / "first" / f"seed{s}") for s in seeds]
    training.train_seeds(GRID, first, episodes=2, **APPROACH)
    second = [(s, tmp_path / "second" / f"seed{s}") for s in seeds]
    tuned = {**APPROACH, "gradient": {**FEW, "learning_rate": 0.0}, "overrides": {}}
    training.train_seeds(
        GRID, second, episodes=1, start=tmp_path / "first", arithmetic="loihi", **tuned
    )
    for (_, a), (_, b) in zip(first, second, strict=True):
        (_, w), (_, v) = (read_checkpoint(x / "checkpoint.npz") for x in (a, b))
        for name in ("input_hidden", "hidden_output"):
            key = f"learner.weights.{name}"
            assert np.array_equal(w[key], v[key])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--backend", "native"], "then neurorl evaluate RUN --backend native"),
        (["--learning", "pes"], "learns in PyTorch (got pes)"),
        (["--noise", "chip", "--arithmetic", "loihi"], "learns with escape noise only"),
        (["--target", "emulator"], "learns in PyTorch (got ['target']); name them in neurorl eva"),
    ],
)
def test_what_other_approaches_have_is_refused_by_name(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert main(["train", GRID, "--approach", "reparameterization", "--out", out, *options]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not Path(out).exists()


def test_runs_of_before_there_were_approaches_are_local(tmp_path: Path) -> None:
    out = tmp_path / "run"
    training.train(GRID, out, episodes=2, overrides=SMALL)
    config = json.loads((out / "config.json").read_text())
    for key in ("approach", "start", "gradient"):
        del config[key]
    (out / "config.json").write_text(json.dumps(config))
    assert training.train(GRID, out, episodes=3, resume=True)["approach"] == "local"


def test_the_script_of_the_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Train a little from scratch, then in chip arithmetic by gradients and by the local rule."""
    script = load_script("reparameterization").main
    names = [e.name for e in GRADIENTS if e.task.name == "cartpole"]
    arguments = ["--quick", "--only", ",".join(names), "--out", str(tmp_path / "runs")]
    for _ in range(2):  # the second time from what is there
        assert script(arguments) == 0
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == len(names) == 4
        for name in names:
            with (tmp_path / "runs" / "results" / f"{name}.csv").open(newline="") as file:
                found = list(csv.DictReader(file))
            assert [row["seed"] for row in found] == ["0", "1"]
            assert all(float(row["on_chip"]) > 0 and row["episodes"] == "3" for row in found)
            assert all((row["greedy"] == "") == name.endswith("chip") for row in found)
    assert script(["--only", "cartpole"]) == 2
    assert "cartpole-lif-gradients" in capsys.readouterr().err


def test_the_script_of_networks_with_and_without_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train a little. All have the critic of the preset; one of them carries nothing on."""
    script = load_script("reparameterization").main
    names = [e.name for e in RECALLS]
    out, results = tmp_path / "runs", tmp_path / "runs" / "results"
    assert script(["--quick", "--only", ",".join(names), "--out", str(out)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(names) == 4
    agents = []
    for name in names:
        config = json.loads((out / name / "seed0" / "config.json").read_text())
        agents.append(config["agent"])
        with (results / f"{name}.csv").open(newline="") as file:
            assert all(float(row["greedy"]) > 0 for row in csv.DictReader(file))
        points = read_table(results / "curves" / f"{name}.csv", StepPoint)
        assert all(p.lower_quartile <= p.mean <= p.upper_quartile for p in points)
    assert [agent["carries"] for agent in agents] == [True, True, False, True]
    recalls = [(agent["input_recalls"], agent["hidden_recalls"]) for agent in agents]
    assert recalls == [([2], []), ([], [2]), ([2], []), ([2], [])]
    for name in ("cells", "features", "critic", "neuron", "actors", "hidden", "window"):
        assert all(agent[name] == agents[0][name] for agent in agents)
    assert draw(results, tmp_path / "recall.png").stat().st_size > 5000
