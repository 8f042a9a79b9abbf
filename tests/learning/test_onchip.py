"""Test agents that learn on the emulated chip: what it is told, replicas, files, refusals."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import SpikingActorCritic, load
from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.cli import main
from neurorl.errors import ArgumentError, NeurorlError, RunError, UnsupportedError
from neurorl.learning.learner import NORM_RATE
from neurorl.learning.loops.numpy import steps_to_learn
from neurorl.models.agent.critics import Linear
from neurorl.models.agent.modulators import TDError
from neurorl.models.agent.writes import Host, OnChip
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import OneHot
from neurorl.rules import feedback
from neurorl.rules.three_factor import arrivals, window_traces
from neurorl.runs.directory import RunDirectory
from neurorl.runs.training import train, train_seeds
from neurorl.tasks.environments import make_env

GRID = "neurorl/GridWorld-v0"
SMALL: dict[str, Any] = {"actors": 2, "hidden": 2, "learning": "pes"}


def agent(**options: Any) -> closing[SpikingActorCritic]:
    return closing(SpikingActorCritic(GRID, backend="loihi", **{"seed": 3, **SMALL, **options}))


@pytest.mark.parametrize(
    ("window", "steps"), [(12, 4), (13, 3), (14, 2), (15, 5), (16, 4), (2, 2), (3, 5)]
)
def test_steps_after_a_window(window: int, steps: int) -> None:
    """One learning step ``t % 4 == 2`` is among these steps, and they end a period of 4."""
    assert steps_to_learn(window, 4, 2) == steps
    assert (window + steps) % 4 == 0
    assert [t % 4 for t in range(window, window + steps)].count(2) == 1


def test_what_the_chip_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chip is told ``-alpha delta sum_t f / (N g)``, for two decisions, spikes-only and TD."""
    with agent(
        hidden=0, actors=3, window=14, alpha_output=0.7, modulator=TDError(0.05), critic=Linear(0.5)
    ) as one:
        backend: Any = one.backend
        seen: list[Any] = []
        loop = one._replicas.loop
        monkeypatch.setattr(backend, "learn", lambda i, e, n: seen.append((i, e, n)))
        gain = backend.learning_gain("output")
        unit = backend.arithmetic.chip.projections["input_output"].unit
        assert gain == pytest.approx(unit * 20 * 127 / 512)
        value, norm = np.zeros(100), None
        loop.see(0, 1)
        loop.begin(0)
        loop.active[0] = True
        states, rewards = (1, 2, 2), (0.04, 10.0)
        for before, state, reward in zip(states, states[1:], rewards, strict=False):
            action = int(loop.decide()[0])
            raster = loop.window.rasters["output"]
            share = 1 - raster[1:].mean(axis=0)
            phi = np.tile(feedback(action, loop.probabilities[0]), 3)
            total = phi * share * raster[1:].sum(axis=0)
            power = 0.0
            for source in ("input", "bias"):
                arrived = arrivals(loop.window.inputs[source], 1)
                x = window_traces(arrived, float(np.exp(-1 / 10)))[1:].sum(axis=0)
                power += float(x @ x) / 13
            norm = power if norm is None else norm + NORM_RATE * (power - norm)
            delta = reward + 0.9 * value[state - 1] - value[before - 1]
            value[before - 1] += 0.5 * delta
            loop.see(0, state)
            loop.reward[0], loop.discount[0], loop.rate[0] = reward, 0.9, 0.5
            loop.learn()
            inputs, errors, steps = seen.pop()
            assert (inputs, list(errors), steps) == ({}, ["output"], 2)
            told = -0.7 * 0.5 * min(delta, 0.05) * total / (max(norm, 1.0) * gain)
            assert np.abs(told).max() > 0
            assert errors["output"] == pytest.approx(told, rel=1e-6)


def test_it_learns_what_the_chip_has() -> None:
    with agent() as one:
        before = {name: w.copy() for name, w in one.memory.weights.items()}
        one.learn(total_episodes=2)
        for name, weights in one.memory.weights.items():
            assert np.array_equal(weights, one.backend.weights(name)), name
            assert (weights != before[name]).any(), name
            assert np.array_equal(one.memory.in_force[name], weights), name
        assert one.backend.t == 16 * one.env_steps


def test_nengo_loihis_own_loops_play_the_same_episodes() -> None:
    def short(**options: Any) -> closing[SpikingActorCritic]:
        env = gym.make(GRID, max_episode_steps=25)
        return closing(SpikingActorCritic(env, backend="loihi", seed=3, **SMALL, **options))

    with short() as quick, short(backend_options={"engine": "stock"}) as own:
        same = [(e.ret, e.length) for e in quick.learn(total_episodes=1)]
        assert same == [(e.ret, e.length) for e in own.learn(total_episodes=1)]
        for name, weights in quick.memory.weights.items():
            assert np.array_equal(weights, own.memory.weights[name]), name


@pytest.mark.parametrize("rule", ["surrogate", "coagent", "centred-feedback", "agreement"])
def test_rules_that_need_the_weights_read_them(rule: str) -> None:
    with agent(rule=rule) as one:
        for k, (name, weights) in enumerate(one.memory.weights.items(), start=1):
            one.learn(total_episodes=k)
            assert np.array_equal(one._replicas.loop.memory.in_force[name][0], weights), name


def test_a_replica_learns_as_if_alone(tmp_path: Path) -> None:
    def runs(seeds: list[int], name: str) -> list[tuple[int | None, Path]]:
        return [(seed, tmp_path / name / str(seed)) for seed in seeds]

    options: dict[str, Any] = {"backend": "loihi", "episodes": 2}
    options |= {"learning": "pes", "overrides": {"actors": 2, "hidden": 2}}
    train_seeds(GRID, runs([5, 9], "both"), **options)
    train_seeds(GRID, runs([9], "alone"), **options)
    files = [tmp_path / name / "9" for name in ("both", "alone")]
    both, alone = (RunDirectory(file).read_episodes() for file in files)
    assert {**both, "wall_s": []} == {**alone, "wall_s": []}
    arrays = [np.load(f / "checkpoint.npz") for f in files]
    assert set(arrays[0]) == set(arrays[1])
    for key in set(arrays[0]) - {"episodes.wall_s"}:
        assert np.array_equal(arrays[0][key], arrays[1][key]), key


def test_a_saved_agent_goes_on_and_plays_on_every_backend(tmp_path: Path) -> None:
    with agent() as one, agent() as whole:
        one.learn(total_episodes=2)
        one.save(tmp_path / "agent.npz")
        whole.learn(total_episodes=4)
        with closing(SpikingActorCritic.load(tmp_path / "agent.npz")) as again:
            assert again.config.learning == OnChip()
            again.learn(total_episodes=4)
            assert [e.ret for e in again.episodes] == [e.ret for e in whole.episodes]
            for name, weights in whole.memory.weights.items():
                assert np.array_equal(weights, again.memory.weights[name]), name
            action = again.predict(1)
    with pytest.raises(UnsupportedError, match=r"reference: can't learn 'pes'.*learning 'host'"):
        SpikingActorCritic.load(tmp_path / "agent.npz", backend="reference")
    played = []
    for backend in ("reference", "native", "loihi"):
        loaded, chosen = load_to_play(tmp_path / "agent.npz", backend)
        with closing(loaded):
            chosen["arithmetic"] = "loihi"
            played.append(evaluate(loaded, 2, seed=1, **chosen))
    assert [p["backend"] for p in played] == ["reference", "native", "loihi"]
    assert len({p["mean_return"] for p in played}) == 1
    assert len({p["spikes_per_decision"] for p in played}) == 1
    options: dict[str, Any] = {"backend": "native", "arithmetic": "loihi", "learning": "host"}
    with closing(SpikingActorCritic.load(tmp_path / "agent.npz", **options)) as moved:
        assert moved.config.learning == Host()
        assert len(moved.learn(total_episodes=3)) == 1
    assert 0 <= action < 4


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "run")
    command = ["train", GRID, "--backend", "loihi", "--learning", "pes", "--out", out, "--json"]
    assert main([*command, "--episodes", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 1
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["learning"], config["agent"]["learning"]["type"]) == ("pes", "OnChip")
    assert main(["train", GRID, "--out", out, "--resume", "--episodes", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 2
    assert main(["train", GRID, "--out", out, "--resume", "--learning", "host"]) == 2
    assert "started with another learning" in capsys.readouterr().err
    assert main(["evaluate", out, "--episodes", "1", "--backend", "reference", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backend"] == "reference"
    assert main(["show", out, "--backend", "loihi"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    # 320 hidden neurons and as many twins; a core for each of 40 modules' outputs.
    assert ["hidden", "1", "640"] in [row[:3] for row in rows]
    assert ["output", "40", "80"] in [row[:3] for row in rows]
    assert main(["train", GRID, "--learning", "pes", "--out", str(tmp_path / "no")]) == 2
    message = "backend reference: can't learn 'pes' by itself; backend 'loihi', or learning 'host'"
    assert message in capsys.readouterr().err
    assert not (tmp_path / "no").exists()


def test_a_run_of_before_there_was_a_choice_is_resumed(tmp_path: Path) -> None:
    train(GRID, tmp_path / "run", episodes=1, overrides={"actors": 2, "hidden": 2})
    path = tmp_path / "run" / "config.json"
    config = json.loads(path.read_text())
    del config["learning"]
    path.write_text(json.dumps(config))
    with pytest.raises(RunError, match="another learning"):
        train(GRID, tmp_path / "run", episodes=2, resume=True, learning="pes")
    assert train(GRID, tmp_path / "run", episodes=2, resume=True)["episodes"] == 2


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"rule": "reward-stdp"}, "can't be with rule 'reward-stdp'; rule 'spikes-only'"),
        ({"critic": "spiking"}, "critic 'spiking'; critic 'linear'"),
        ({"carries": True}, "carries; carries=False"),
        ({"signed": True}, "signed units; signed=False, or model 'lif'"),
        ({"encoder": "current"}, "encoder 'current'; encoder 'quiet'"),
        ({"writes": "stochastic"}, "writes 'stochastic'; leave writes out"),
        ({"lambda_actor": 0.5}, "lambda_actor 0.5; lambda_actor=0"),
        ({"learning.magnitude": 0.0}, "a magnitude of 0"),
        ({"learning.magnitude": 200.0}, "magnitude.*0 to 127"),
        ({"learning": "stdp"}, "learning.*'stdp'"),
        ({"model": "glm"}, "signed units.*model 'lif'"),
        ({"backend": "native"}, "backend native: can't learn 'pes'"),
        ({"actors": 70}, "282 cores.*fewer actors"),
        ({"backend_options": {"target": "loihi"}}, "emulator"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_built(odd: dict[str, Any], words: str) -> None:
    options = {"backend": "loihi", **SMALL, **odd}
    with pytest.raises(NeurorlError, match=words):
        SpikingActorCritic(GRID, **options)


def test_a_backend_that_learns_otherwise_than_the_agent_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"learning 'pes'.*by 'host'.*learning='pes'"):
        SpikingActorCritic(GRID, "lif", "loihi", backend_options={"learning": "pes"})
    config = make_config(make_env(GRID), "lif", SMALL)
    with (
        load("loihi", config.network(4)) as backend,
        pytest.raises(UnsupportedError, match="learns on the host"),
    ):
        backend.learning_gain("output")


def test_unknown_observations_are_said() -> None:
    with agent(cells=OneHot(2, start=50)) as one, pytest.raises(ArgumentError):
        one.learn(total_episodes=1)
