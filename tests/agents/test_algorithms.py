"""Training algorithms are objects, found by name, a user's own among them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neurorl.agents import algorithms
from neurorl.agents.algorithms import ALGORITHMS, LOCAL, Algorithm, Only, find_algorithm
from neurorl.agents.checkpoint import read_agent
from neurorl.agents.group import GroupPlan
from neurorl.agents.local import SpikingActorCritic
from neurorl.agents.replicas import Replicas
from neurorl.errors import ArgumentError, BackendUnavailableError, RunError, UnknownNameError
from neurorl.runs.training import train

GRID = "neurorl/GridWorld-v0"
SMALL: dict[str, Any] = {"overrides": {"actors": 1, "hidden": 2}}
MINE = Algorithm(
    "mine",
    f"{__name__}:make_mine",
    only={"noise": Only("exact", "has no other noise", "leave out {got}")},
)


class Mine(Replicas):
    algorithm = MINE


def make_mine(plan: GroupPlan) -> Mine:
    envs = plan.envs(len(plan.seeds))
    return Mine(envs, plan.config, plan.n_actions, plan.seeds, backend=plan.spec)


@pytest.fixture
def mine() -> Iterator[Algorithm]:
    yield algorithms.register_algorithm(MINE)
    ALGORITHMS.pop("mine", None)


def test_every_algorithm_is_found_by_its_name() -> None:
    assert {name: find_algorithm(name) for name in ALGORITHMS} == ALGORITHMS
    assert find_algorithm(None) is LOCAL
    with pytest.raises(UnknownNameError, match=r"approach.*'locl'.*local"):
        find_algorithm("locl")


def test_a_name_is_given_once(mine: Algorithm) -> None:
    assert algorithms.register_algorithm(mine) is mine
    with pytest.raises(ArgumentError, match="'mine' is taken"):
        algorithms.register_algorithm(Algorithm("mine", "elsewhere:make"))


def test_a_users_own_trains_resumes_and_plays(mine: Algorithm, tmp_path: Path) -> None:
    train(GRID, tmp_path / "run", episodes=1, approach="mine", **SMALL)
    assert train(GRID, tmp_path / "run", episodes=2, resume=True)["approach"] == "mine"
    assert json.loads((tmp_path / "run" / "config.json").read_text())["approach"] == "mine"
    described, mine_arrays = read_agent(tmp_path / "run")
    assert described.algorithm is mine
    train(GRID, tmp_path / "local", episodes=2, **SMALL)
    _, arrays = read_agent(tmp_path / "local")
    assert all(arrays[name].tobytes() == a.tobytes() for name, a in mine_arrays.items())
    agent = SpikingActorCritic.load(tmp_path / "run")  # begins by the local rule with its weights
    assert agent.episodes == []
    agent.close()


def test_what_it_takes_one_value_of_is_refused_by_name(mine: Algorithm, tmp_path: Path) -> None:
    with pytest.raises(
        ArgumentError, match=r"'mine': has no other noise \(got chip\); leave out chip"
    ):
        train(GRID, tmp_path / "run", approach="mine", noise="chip", arithmetic="loihi", **SMALL)
    assert not (tmp_path / "run").exists()


def test_a_run_of_an_algorithm_that_is_not_registered(tmp_path: Path) -> None:
    algorithms.register_algorithm(MINE)
    train(GRID, tmp_path / "run", episodes=1, approach="mine", **SMALL)
    del ALGORITHMS["mine"]
    with pytest.raises(UnknownNameError, match="'mine'"):
        train(GRID, tmp_path / "run", episodes=2, resume=True)
    with pytest.raises(RunError, match=r"class lacks.*'mine'.*local or"):
        SpikingActorCritic.load(tmp_path / "run")


def test_what_is_missing_is_named() -> None:
    needs = Algorithm("needy", "no_such_distribution.part:make", needs=("no_such_distribution",))
    with pytest.raises(
        BackendUnavailableError, match=r"'needy': no_such_distribution.*pip install"
    ):
        needs.load(needs.maker)
    with pytest.raises(ModuleNotFoundError):
        Algorithm("wrong", "no_such_distribution:make").load("no_such_distribution:make")
