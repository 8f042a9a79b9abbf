"""Test agents side by side: each plays what one alone with its seed plays, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.agents.replicas import Replicas
from neurorl.agents.sharding import ReplicaGroups, group_sizes, side_by_side
from neurorl.cli import main
from neurorl.errors import ArgumentError
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import GaussianCells
from neurorl.runs.training import train, train_seeds
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import SeparateEnvs, VectorEnvs, env_group

SEEDS = (4, 0, 2**62)
BACKENDS = [
    ("reference", "float", {}),
    ("reference", "loihi", {}),
    ("native", "float", {}),
    ("native", "loihi", {}),
    ("brian2", "float", {"engine": "numpy"}),
    ("loihi", "loihi", {}),
]


def replicas(
    envs: Any, backend: str = "reference", arithmetic: str = "float", **others: Any
) -> Replicas:
    config = make_config(make_env("CartPole-v1"), "lif", {"actors": 2, "hidden": 3})
    options = others.pop("options", {})
    return Replicas(
        env_group(envs),
        config,
        2,
        SEEDS,
        backend=backend,
        arithmetic=arithmetic,
        options=options,
        **others,
    )


def alone(seed: int, backend: str = "reference", arithmetic: str = "float", **others: Any) -> Any:
    agent = SpikingActorCritic(
        "CartPole-v1",
        backend=backend,
        arithmetic=arithmetic,
        seed=seed,
        backend_options=others.pop("options", {}),
        actors=2,
        hidden=3,
        **others,
    )
    agent.learn(total_episodes=3)
    return agent


def same(agents: Replicas | ReplicaGroups, k: int, agent: SpikingActorCritic) -> None:
    ours, theirs = agents.state(k), agent.state()
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert "wall" in key or np.array_equal(ours[key], value), key


def test_the_weights_of_one_are_brought_up_to_date_without_those_of_others() -> None:
    agents = replicas([gym.make("CartPole-v1") for _ in SEEDS], loop="native")
    loop = agents.loop
    agents.learn(total_episodes=2)
    before = {name: weights.copy() for name, weights in loop.memory.weights.items()}
    agents.learn(total_episodes=3)
    watched = {name: weights.copy() for name, weights in agents._watched(1).items()}
    settled = {name: weights.copy() for name, weights in loop.memory.weights.items()}
    for name, weights in agents.weights(1).items():
        assert np.array_equal(watched[name], weights)
        assert not np.array_equal(before[name][1], weights)
        assert np.array_equal(settled[name][0], before[name][0])
        assert not np.array_equal(settled[name][2], agents.weights(2)[name])
    agents.close()


@pytest.mark.parametrize("loop", ["native", "numpy"])
@pytest.mark.parametrize(("backend", "arithmetic", "options"), BACKENDS)
def test_each_is_as_it_is_alone(backend: str, arithmetic: str, options: Any, loop: str) -> None:
    envs = [make_env("CartPole-v1") for _ in SEEDS]
    together = replicas(envs, backend, arithmetic, options=options, loop=loop)
    seen: list[tuple[int, int]] = []
    together.learn(total_episodes=3, callback=lambda k, episode: seen.append((k, episode.episode)))
    assert sorted(seen) == [(k, n) for k in range(3) for n in range(3)]
    lengths = {tuple(e.length for e in episodes) for episodes in together.episodes}
    assert len(lengths) == len(SEEDS)  # so each went its own way
    for k, seed in enumerate(SEEDS):
        same(together, k, alone(seed, backend, arithmetic, options=options))


@pytest.mark.parametrize(("backend", "arithmetic", "options"), BACKENDS)
def test_agents_with_filters(backend: str, arithmetic: str, options: Any) -> None:
    filters = {"actors": 2, "hidden": 2, "stimulus_lags": 2, "history_lags": 2}
    cells = GaussianCells((-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0), 6)
    taps = {**filters, "history": (-0.5, 0.25), "cells": cells}
    config = make_config(make_env("CartPole-v1"), "glm", taps)
    envs = env_group([make_env("CartPole-v1") for _ in SEEDS])
    together = Replicas(
        envs, config, 2, SEEDS, backend=backend, arithmetic=arithmetic, options=options
    )
    together.learn(total_episodes=3)
    for k, seed in enumerate(SEEDS):
        agent = SpikingActorCritic(
            "CartPole-v1",
            backend=backend,
            arithmetic=arithmetic,
            seed=seed,
            config=config,
            backend_options=options,
        )
        agent.learn(total_episodes=3)
        same(together, k, agent)
        start = agent.network.projection("hidden_history_1").weights
        assert (agent.memory.weights["hidden_history_1"] != start).any()


def test_large_networks_go_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each agent is as it is alone, whatever the groups; callbacks count all agents."""
    config = make_config(make_env("CartPole-v1"), "lif", {"actors": 2, "hidden": 3})
    assert group_sizes(config, 2, 3) == [3]
    monkeypatch.setattr("neurorl.agents.sharding.CACHE_BYTES", 10_000)
    assert group_sizes(config, 2, 5) == [2, 2, 1]
    assert group_sizes(config, 2, 5, threads=2) == [3, 2]  # each has a cache
    envs = SeparateEnvs([make_env("CartPole-v1") for _ in SEEDS])
    together = side_by_side(envs, config, 2, SEEDS, backend="native")
    assert isinstance(together, ReplicaGroups)
    seen: list[int] = []
    together.learn(total_episodes=2, callback=lambda k, _: seen.append(k))
    assert sorted(seen) == [0, 0, 1, 1, 2, 2]
    saved = {k: v.copy() for k, v in together.state(2).items()}
    together.learn(total_episodes=3)
    for k, seed in enumerate(SEEDS):
        same(together, k, alone(seed, "native"))
        assert together.env_steps(k) == together.episodes[k][-1].env_steps
    together.restore(2, saved)
    together.learn(total_episodes=3)
    same(together, 2, alone(SEEDS[2], "native"))


def test_of_several_groups_each_agent_is_asked_by_its_own_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = make_config(make_env("CartPole-v1"), "lif", {"actors": 2, "hidden": 3})
    monkeypatch.setattr("neurorl.agents.sharding.CACHE_BYTES", 10_000)
    envs = SeparateEnvs([make_env("CartPole-v1") for _ in SEEDS])
    together = side_by_side(envs, config, 2, SEEDS, backend="reference")
    assert isinstance(together, ReplicaGroups)
    together.learn(total_episodes=2)
    for k, seed in enumerate(SEEDS):
        own = alone(seed)
        assert not together.is_masked(k)
        weights = together.weights(k)
        assert weights.keys() == {p.name for p in own.network.projections if p.plasticity}
        for name, values in weights.items():
            assert np.array_equal(values, together.state(k)[f"learner.weights.{name}"]), name
    together.leave(2)  # the last of the second group
    together.learn(total_episodes=3)
    assert [len(played) for played in together.episodes] == [3, 3, 3]
    together.close()


@pytest.mark.parametrize("kind", [gym.vector.SyncVectorEnv, gym.vector.AsyncVectorEnv])
def test_a_vector_environment(kind: Any) -> None:
    makers = [lambda: gym.make("CartPole-v1") for _ in SEEDS]
    together = replicas(kind(makers))
    assert isinstance(together.envs, VectorEnvs)
    together.learn(total_episodes=2)
    together.learn(total_episodes=3)
    for k, seed in enumerate(SEEDS):
        same(together, k, alone(seed))
    together.close()


def test_as_many_environments_as_seeds() -> None:
    with pytest.raises(ArgumentError, match="as many"):
        replicas([make_env("CartPole-v1")])


def test_observations_with_parts() -> None:
    """A vector of Tuple observations is taken apart agent by agent."""
    makers = [lambda: gym.make("Blackjack-v1") for _ in SEEDS]
    config = make_config(gym.make("Blackjack-v1"), "lif", {"actors": 2, "hidden": 3})
    made = []
    for envs in (
        SeparateEnvs([gym.make("Blackjack-v1") for _ in SEEDS]),
        VectorEnvs(
            gym.vector.SyncVectorEnv(makers, autoreset_mode=gym.vector.AutoresetMode.DISABLED)
        ),
    ):
        made.append(Replicas(envs, config, 2, SEEDS, backend="reference"))
        made[-1].learn(total_episodes=5)
    for k in range(3):
        played = [[(e.ret, e.length) for e in m.episodes[k]] for m in made]
        assert played[0] == played[1]


def table(path: Path) -> list[str]:
    """Return the rows of episodes.csv without their wall time."""
    rows = (path / "episodes.csv").read_text().splitlines()
    return [",".join(c for n, c in enumerate(row.split(",")) if n != 4) for row in rows]


def test_runs_of_several_seeds(tmp_path: Path) -> None:
    options: dict[str, Any] = {"episodes": 4, "overrides": {"actors": 2, "hidden": 3}}
    runs: list[tuple[int | None, Path]] = [(s, tmp_path / f"seed{s}") for s in (3, 5)]
    summaries = train_seeds("CartPole-v1", runs, backend="native", **options)
    for (seed, path), summary in zip(runs, summaries, strict=True):
        one = tmp_path / f"alone{seed}"
        theirs = train("CartPole-v1", one, seed=seed, backend="native", **options)
        assert {**summary, "run": 0} == {**theirs, "run": 0}
        assert table(path) == table(one)


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_every_engine_writes_the_same_episodes(tmp_path: Path, arithmetic: str) -> None:
    """Write the same episodes.csv, but for wall times, with reference and all engines."""
    ways: list[tuple[str, dict[str, Any]]] = [("reference", {})]
    ways += [("native", {}), ("brian2", {"engine": "numpy"})]
    ways += [("loihi", {}), ("loihi", {"engine": "stock"})] if arithmetic == "loihi" else []
    tables = []
    for number, (backend, options) in enumerate(ways):
        out = tmp_path / str(number)
        train(
            "CartPole-v1",
            out,
            seed=2,
            episodes=12,
            backend=backend,
            arithmetic=arithmetic,
            backend_options=options,
            overrides={"actors": 2, "hidden": 3, "window": 8},
        )
        tables.append(table(out))
    assert len(tables[0]) == 13
    assert all(other == tables[0] for other in tables[1:])


def test_some_of_several_runs_are_resumed(tmp_path: Path) -> None:
    """One run is extended, another begins only now; both end as if alone."""
    options: dict[str, Any] = {"overrides": {"actors": 2, "hidden": 3}}
    runs: list[tuple[int | None, Path]] = [(s, tmp_path / f"seed{s}") for s in (3, 5)]
    train("CartPole-v1", runs[0][1], seed=3, episodes=2, **options)
    train_seeds("CartPole-v1", runs, episodes=5, resume=True, **options)
    for seed, path in runs:
        train("CartPole-v1", tmp_path / f"alone{seed}", seed=seed, episodes=5, **options)
        assert table(path) == table(tmp_path / f"alone{seed}")


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "runs")
    command = ["train", "neurorl/GridWorld-v0", "--episodes", "2", "--out", out]
    assert main([*command, "--seeds", "1,4", "--json"]) == 0
    assert '"rows"' in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["seed1", "seed4"]
    for bad in (["--seeds", "4..1"], ["--seeds", "x"], ["--seeds", "1..2", "--seed", "3"]):
        assert main([*command, *bad]) == 2
        assert capsys.readouterr().err.count("\n") == 1
