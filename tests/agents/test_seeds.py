"""A seed is a whole number of 63 bits, of Python or of NumPy, at every door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import evaluate
from neurorl.agents.replicas import Replicas
from neurorl.backends.registry import load
from neurorl.cli import main
from neurorl.errors import ArgumentError
from neurorl.models.defaults.presets import make_config
from neurorl.numerics.random import derive, read_seed, words
from neurorl.runs.training import train, train_seeds
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import SeparateEnvs
from neurorl.testing import FEATURES
from neurorl.validation import validate

SMALL: dict[str, Any] = {"hidden": 0, "actors": 1, "window": 4}
BAD = [True, np.True_, 1.0, np.float64(1), -1, np.int64(-1), 2**63, 10**5000, "1", None, ("a",)]
ALIKE = [np.int64(7), np.int8(7), np.uint64(7)]


def agent(seed: Any = 7) -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", seed=seed, **SMALL)


def replicas(seed: Any) -> list[Any]:
    env = make_env("CartPole-v1")
    config = make_config(env, "lif", SMALL)
    with_seeds = Replicas(SeparateEnvs([env]), config, 2, (seed,), backend="reference")
    with_seeds.learn(total_episodes=2)
    return [e.length for e in with_seeds.episodes[0]]


def of_backend(seed: Any) -> list[Any]:
    with load("reference", FEATURES["currents"](), seed=seed) as backend:
        window = backend.step({}, 50)
        return [raster.tolist() for raster in window.values()]


def of_agent(seed: Any) -> list[Any]:
    one = agent(seed)
    assert type(one.seed) is int
    return [(e.ret, e.length) for e in one.learn(total_episodes=2)]


DOORS: dict[str, Callable[[Any], Any]] = {
    "agent": of_agent,
    "replicas": replicas,
    "backend": of_backend,
    "evaluate": lambda seed: evaluate(agent(), 2, seed=seed),
    "player": lambda seed: agent().player(seed).move(np.zeros(4)).policy.tolist(),
    "validate": lambda seed: (
        validate("lif", "reference:float,brian2:numpy", seed=seed, steps=24).verdict
    ),
}


@pytest.mark.parametrize("door", DOORS)
def test_numpys_whole_numbers_are_whole_numbers(door: str) -> None:
    expected = DOORS[door](7)
    for seed in ALIKE:
        assert DOORS[door](seed) == expected


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("k", range(len(BAD)))
def test_anything_else_is_refused(door: str, k: int) -> None:
    seed = BAD[k]
    with pytest.raises(ArgumentError, match="whole number") as told:
        DOORS[door](seed)
    assert len(str(told.value)) < 200


def test_gradients_have_the_same_door() -> None:
    pytest.importorskip("torch", reason="the gradient approach needs PyTorch")
    from neurorl import ReparameterizedActorCritic

    def lengths(seed: Any) -> list[int]:
        options = {"environments": 1, "steps": 4}
        one = ReparameterizedActorCritic("CartPole-v1", seed=seed, gradient=options, **SMALL)
        return [e.length for e in one.learn(total_episodes=2)]

    assert lengths(np.int64(7)) == lengths(7)
    for seed in (True, 1.5, -1, 2**63):
        with pytest.raises(ArgumentError, match="whole number"):
            lengths(seed)


def test_a_run_with_numpys_seed_is_that_of_the_same_number(tmp_path: Path) -> None:
    one = train("CartPole-v1", tmp_path / "a", seed=np.int64(7), episodes=2, overrides=SMALL)  # type: ignore[arg-type]
    two = train("CartPole-v1", tmp_path / "b", seed=7, episodes=2, overrides=SMALL)
    assert {**one, "run": ""} == {**two, "run": ""}
    assert (tmp_path / "a" / "config.json").read_bytes() == (
        tmp_path / "b" / "config.json"
    ).read_bytes()


@pytest.mark.parametrize("seed", [True, 1.0, -1, 2**63])
def test_a_bad_seed_leaves_no_directory(seed: Any, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="whole number"):
        train_seeds("CartPole-v1", [(3, tmp_path / "a"), (seed, tmp_path / "b")], episodes=2)
    assert not list(tmp_path.iterdir())


def test_a_bad_seed_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    for seed in ("-1", str(2**63)):
        assert main(["train", "CartPole-v1", "--seed", seed, "--out", str(out)]) == 2
        assert "whole number" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("seed", [0, 7, 2**31, 2**32 + 5, 2**62 + 12345])
def test_derived_numbers_are_the_same(seed: int) -> None:
    assert derive(np.int64(seed), np.int64(3), np.int32(9)) == derive(seed, 3, 9)  # type: ignore[arg-type]
    assert derive(seed, np.int64(2**40)) == derive(seed, 2**40)  # type: ignore[arg-type]
    assert type(derive(np.int64(seed))) is int  # type: ignore[arg-type]
    np.testing.assert_array_equal(words(np.int64(seed), 1, 5, 3, 9), words(seed, 1, 5, 3, 9))  # type: ignore[arg-type]


def test_a_seed_is_read_as_an_int() -> None:
    for kind in (int, np.int8, np.uint64):
        assert type(read_seed(kind(5))) is int
    assert read_seed(2**63 - 1) == 2**63 - 1
