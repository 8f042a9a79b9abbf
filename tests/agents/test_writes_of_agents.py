"""Test agents that write into 8-bit weights: on every backend, as replicas, saved and moved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import read_agent, write_checkpoint
from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.agents.replicas import Replicas
from neurorl.cli import main
from neurorl.errors import DescriptionError, RunError, UnknownNameError, UnsupportedError
from neurorl.models.agent.writes import WRITES, Accumulate
from neurorl.models.defaults import presets as preset_module
from neurorl.models.defaults.presets import make_config
from neurorl.runs.training import train
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import env_group

CHIP = ("stochastic", "accumulate", "register")


def test_fine_weights_are_written_as_they_are_learned() -> None:
    with pytest.raises(UnsupportedError, match=r"'register'.*'float'.*'loihi'"):
        SpikingActorCritic("CartPole-v1", writes="register")
    with pytest.raises(UnknownNameError, match="register"):
        SpikingActorCritic("CartPole-v1", writes="registr")
    with pytest.raises(DescriptionError, match=r"agent\.writes\.every"):
        SpikingActorCritic("CartPole-v1", arithmetic="loihi", writes=Accumulate(0))


def test_the_command_line_refuses_it_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(preset_module._LIF_BASE, "writes", "accumulate")
    out = tmp_path / "run"
    assert main(["train", "CartPole-v1", "--episodes", "1", "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "accumulate" in error
    assert not out.exists()


def kept(agent: Any, k: int | None = None) -> dict[str, Any]:
    """Return what it has learned and played."""
    state = agent.state() if k is None else agent.state(k)
    return {
        name: value
        for name, value in state.items()
        if "wall" not in name and not name.startswith("backend.")
    }


def same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert np.array_equal(ours[name], value), name


@pytest.mark.parametrize("writes", WRITES)
@pytest.mark.parametrize(
    ("model", "env"), [("lif", "CartPole-v1"), ("glm", "neurorl/GridWorld-v0")]
)
def test_every_backend_writes_the_same(writes: str, model: str, env: str) -> None:
    found = []
    for backend in ("reference", "native", "loihi"):
        agent = SpikingActorCritic(
            env, model, backend, "loihi", seed=2, actors=3, hidden=4, writes=writes
        )
        agent.learn(total_episodes=6)
        found.append(kept(agent))
        assert (f"learner.accumulator.{agent.network.projections[0].name}" in found[-1]) == (
            writes in ("accumulate", "register")
        )
        agent.close()
    same(found[1], found[0])
    same(found[2], found[0])


@pytest.mark.parametrize("writes", CHIP)
@pytest.mark.parametrize("backend", ["reference", "native", "loihi"])
def test_replicas_write_as_each_would_alone(writes: str, backend: str) -> None:
    """Decisions are counted for each agent, also where some play longer episodes than others."""
    options = {"actors": 2, "hidden": 3, "writes": writes}
    config = make_config(make_env("CartPole-v1"), "lif", options)
    seeds = (4, 0, 2**62)
    for loop in ("native", "numpy"):
        together = Replicas(
            env_group([make_env("CartPole-v1") for _ in seeds]),
            *(config, 2, seeds),
            backend=backend,
            arithmetic="loihi",
            loop=loop,
        )
        together.learn(total_episodes=3)
        for k, seed in enumerate(seeds):
            alone = SpikingActorCritic("CartPole-v1", "lif", backend, "loihi", seed, config)
            alone.learn(total_episodes=3)
            same(kept(together, k), kept(alone))
            alone.close()
        together.close()


@pytest.mark.parametrize("writes", CHIP)
def test_an_agent_goes_on_elsewhere(writes: str, tmp_path: Path) -> None:
    """It takes along all it has learned (not the steps that noise is counted by); and in float
    it only plays."""
    options: dict[str, Any] = {"actors": 2, "hidden": 3, "writes": writes}
    agent = SpikingActorCritic("CartPole-v1", "lif", "native", "loihi", 3, **options)
    agent.learn(total_episodes=2)
    agent.save(tmp_path / "agent.npz")
    saved, later = kept(agent), []
    agent.learn(total_episodes=4)
    for backend in ("native", "reference", "loihi"):
        moved = SpikingActorCritic.load(tmp_path / "agent.npz", backend, "loihi")
        same(kept(moved), saved)
        moved.learn(total_episodes=4)
        later.append(kept(moved))
        moved.close()
    same(later[0], kept(agent))
    same(later[1], later[2])
    with pytest.raises(UnsupportedError, match="coarse"):
        SpikingActorCritic.load(tmp_path / "agent.npz", "reference", "float")
    loaded, chosen = load_to_play(tmp_path / "agent.npz", "reference", "float")
    played = evaluate(loaded, 2, **chosen)
    assert played["arithmetic"] == "float"
    loaded, chosen = load_to_play(tmp_path / "agent.npz")
    again = SpikingActorCritic.load(tmp_path / "agent.npz")
    same_returns = [
        evaluate(a, 2, backend="reference", arithmetic="loihi")["mean_return"]
        for a in (loaded, again)
    ]
    assert chosen["arithmetic"] == "loihi"
    assert same_returns[0] == same_returns[1]
    agent.close()


def test_a_checkpoint_without_its_accumulators_is_refused(tmp_path: Path) -> None:
    options: dict[str, Any] = {"actors": 2, "hidden": 3, "writes": "register"}
    agent = SpikingActorCritic("CartPole-v1", arithmetic="loihi", **options)
    agent.save(tmp_path / "agent.npz")
    described, arrays = read_agent(tmp_path / "agent.npz")
    whole = {name: a for name, a in arrays.items() if "accumulator" not in name}
    assert len(whole) < len(arrays)
    write_checkpoint(tmp_path / "agent.npz", described.to_dict(), whole)
    with pytest.raises(RunError, match="accumulator"):
        SpikingActorCritic.load(tmp_path / "agent.npz")


@pytest.mark.parametrize("writes", CHIP)
def test_a_run_is_extended(writes: str, tmp_path: Path) -> None:
    chip: dict[str, Any] = {"seed": 4, "arithmetic": "loihi"}
    chip["overrides"] = {"actors": 2, "hidden": 2, "writes": writes}
    train("neurorl/GridWorld-v0", tmp_path / "long", episodes=5, **chip)
    train("neurorl/GridWorld-v0", tmp_path / "short", episodes=2, **chip)
    train("neurorl/GridWorld-v0", tmp_path / "short", episodes=5, resume=True)
    arrays = [read_agent(tmp_path / name)[1] for name in ("short", "long")]
    assert arrays[0].keys() == arrays[1].keys()
    for name in set(arrays[0]) - {"episodes.wall_s"}:
        assert np.array_equal(arrays[0][name], arrays[1][name]), name
