"""Test loihi's own noise as an option of agents, runs and commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import read_checkpoint, write_checkpoint
from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.cli import main
from neurorl.errors import RunError, UnknownNameError, UnsupportedError
from neurorl.runs.training import train

GRID = "neurorl/GridWorld-v0"
SMALL: dict[str, Any] = {"actors": 2, "hidden": 2}
CHIP: dict[str, Any] = {"backend": "reference", "arithmetic": "loihi"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of three episodes with the chip's noise."""
    out = tmp_path_factory.mktemp("runs") / "run"
    train(GRID, out, **CHIP, noise="chip", episodes=3, overrides=SMALL)
    return out


def test_an_agent_plays_with_the_noise_it_is_told(tmp_path: Path) -> None:
    agent = SpikingActorCritic(GRID, "glm", "reference", **SMALL)
    agent.learn(total_episodes=2)
    found = {
        noise: evaluate(agent, 2, arithmetic="loihi", noise=noise)
        for noise in ("exact", "chip", "chip+coins")
    }
    assert [played["noise"] for played in found.values()] == list(found)
    assert len({played["spikes_per_decision"] for played in found.values()}) == 3
    assert evaluate(agent, 2)["noise"] == "exact"
    with pytest.raises(UnsupportedError, match="noise 'chip' in arithmetic 'float'"):
        agent.player(1, noise="chip")
    with pytest.raises(UnknownNameError, match="did you mean 'chip'"):
        agent.player(1, arithmetic="loihi", noise="chp")


def test_what_was_trained_with_it_plays_with_it(tmp_path: Path) -> None:
    agent = SpikingActorCritic(GRID, seed=2, noise="chip", **CHIP, **SMALL)
    assert agent.noise == agent.player(1).backend.noise == "chip"
    assert agent.player(1, noise="exact").backend.noise == "exact"
    assert agent.player(1, "reference", "float").backend.noise == "exact"
    assert agent.player(1, "loihi").backend.noise == "chip"
    agent.learn(total_episodes=2)
    agent.save(tmp_path / "agent.npz")
    assert SpikingActorCritic.load(tmp_path / "agent.npz").noise == "chip"
    moved = SpikingActorCritic.load(tmp_path / "agent.npz", "loihi", noise="exact")
    assert (moved.noise, moved.arithmetic) == ("exact", "loihi")
    assert SpikingActorCritic.load(tmp_path / "agent.npz", arithmetic="float").noise == "exact"
    chosen = load_to_play(tmp_path / "agent.npz")[1]
    assert chosen == {**CHIP, "noise": "chip"}
    assert load_to_play(tmp_path / "agent.npz", "native")[1]["noise"] == "exact"  # float there
    in_options = SpikingActorCritic(GRID, backend_options={"noise": "chip"}, **CHIP, **SMALL)
    assert in_options.noise == in_options.player(1).backend.noise == "chip"


def test_a_run_keeps_its_noise(trained: Path, tmp_path: Path) -> None:
    assert json.loads((trained / "config.json").read_text())["noise"] == "chip"
    assert json.loads((trained / "summary.json").read_text())["noise"] == "chip"
    with pytest.raises(RunError, match=r"started with another noise .got exact, limit chip"):
        train(GRID, trained, noise="exact", resume=True)
    whole = train(GRID, tmp_path / "whole", **CHIP, noise="chip", episodes=5, overrides=SMALL)
    assert train(GRID, trained, episodes=5, resume=True)["noise"] == whole["noise"] == "chip"
    ends = [read_checkpoint(path / "checkpoint.npz")[1] for path in (trained, tmp_path / "whole")]
    weights = [key for key in ends[0] if "weights" in key]
    assert weights
    assert all(np.array_equal(ends[0][key], ends[1][key]) for key in weights)


def test_a_run_from_before_there_was_a_noise_goes_on(tmp_path: Path) -> None:
    train(GRID, tmp_path / "run", episodes=2, overrides=SMALL)
    config, checkpoint = tmp_path / "run" / "config.json", tmp_path / "run" / "checkpoint.npz"
    old = json.loads(config.read_text())
    assert old.pop("noise") == "exact"
    config.write_text(json.dumps(old))
    described, arrays = read_checkpoint(checkpoint)
    assert described.pop("noise") == "exact"
    write_checkpoint(checkpoint, described, arrays)
    assert load_to_play(tmp_path / "run")[1]["noise"] == "exact"
    with pytest.raises(RunError, match=r"another noise .got chip, limit exact"):
        train(GRID, tmp_path / "run", noise="chip", resume=True)
    assert train(GRID, tmp_path / "run", noise="exact", episodes=3, resume=True)["episodes"] == 3


def test_the_commands_take_it(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def played(*options: str) -> str:
        command = ["evaluate", str(trained), "--episodes", "2", "--json", *options]
        assert main(command) == 0
        noise: str = json.loads(capsys.readouterr().out)["noise"]
        return noise

    assert played() == "chip"
    assert played("--noise", "exact") == "exact"
    assert main(["show", str(trained), "--backend", "loihi"]) == 0
    assert "of the chip's own: x * " in capsys.readouterr().out
    assert main(["evaluate", str(trained), "--noise", "loud"]) == 2
    assert "noise: unknown name (got 'loud')" in capsys.readouterr().err
    assert main(["train", GRID, "--noise", "chip", "--out", str(trained / "new")]) == 2
    assert "can't run noise 'chip' in arithmetic 'float'" in capsys.readouterr().err
    assert not (trained / "new").exists()
