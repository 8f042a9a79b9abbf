"""Searches by Optuna: what files may say, that they repeat to the byte, and what is pruned."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from neurorl.cli import main
from neurorl.errors import NeurorlError
from neurorl.lab.search import Search, read_sweep
from neurorl.lab.sweep import Sweep, Unit
from neurorl.lab.sweeping import run_search

SETTINGS: dict[str, Any] = {
    "env": "neurorl/GridWorld-v0",
    "seeds": "0..3",
    "episodes": 1,
    "evaluate": 0,
    "search": {
        "trials": 10,
        "batch": 2,
        "space": {
            "policy.beta": {"low": 0.1, "high": 1.0, "log": True},
            "hidden": {"choices": [[4], [2, 2]]},
            "window": {"low": 4, "high": 8, "step": 2},
            "rule": {"choices": ["spikes-only", "td-stdp"]},
        },
    },
}


@pytest.fixture
def by_beta(monkeypatch: pytest.MonkeyPatch) -> list[Unit]:
    """Let the return of a seed be beta, so that nothing is trained; hold what was asked for."""
    asked: list[Unit] = []

    def run_unit(unit: Unit, folder: str, search_path: object = ()) -> list[dict[str, Any]]:
        asked.append(unit)
        figures = {"mean_return_last_100": unit.values["set.policy.beta"], "greedy_return": None}
        return [{**unit.values, "seed": seed, **figures} for seed in unit.seeds]

    monkeypatch.setattr("neurorl.lab.sweeping.run_unit", run_unit)
    return asked


def test_it_is_the_same_bytes_whoever_runs_it_and_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed")
    settings = {**SETTINGS, "seeds": "0..1", "search": {**SETTINGS["search"], "trials": 3}}
    search = Search.read(settings)
    outcome = run_search(search, tmp_path / "one")
    assert not outcome.failed
    assert [row["trial"] for row in outcome.rows] == [k for k in range(3) for _ in range(2)]
    with ThreadPoolExecutor(2) as executor:
        assert run_search(search, tmp_path / "two", executor=executor) == outcome
    units = sorted((tmp_path / "one" / "units").iterdir())
    shutil.rmtree(units[0])
    (units[1] / "rows.json").unlink()
    (tmp_path / "one" / "table.csv").unlink()
    before = (units[2] / "rows.json").stat().st_mtime_ns
    assert run_search(search, tmp_path / "one") == outcome
    assert (units[2] / "rows.json").stat().st_mtime_ns == before
    for name in ("table.csv", "best.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    best = json.loads((tmp_path / "one" / "best.json").read_text())
    assert set(best) == {"policy.beta", "hidden", "window", "rule"}


def test_it_finds_what_is_best_and_ends_what_is_not(tmp_path: Path, by_beta: list[Unit]) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed")
    search = Search.read({**SETTINGS, "search": {**SETTINGS["search"], "trials": 40}})
    told: list[Unit] = []
    outcome = run_search(search, tmp_path, callback=told.append)
    assert len(told) == 40
    betas = [unit.values["set.policy.beta"] for unit in told]
    assert all(0.1 <= beta <= 1.0 for beta in betas)
    assert sum(betas[-10:]) > sum(betas[:10])
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["policy.beta"] == max(betas)
    pruned = {row["trial"] for row in outcome.rows if row["pruned"]}
    seeds = {k: [row["seed"] for row in outcome.rows if row["trial"] == k] for k in range(40)}
    assert pruned
    assert all(len(seeds[k]) < 4 for k in pruned)
    assert all(seeds[k] == [0, 1, 2, 3] for k in set(range(40)) - pruned)
    whole = Search.read({**SETTINGS, "search": {**SETTINGS["search"], "prune": False}})
    assert not any(row["pruned"] for row in run_search(whole, tmp_path / "all").rows)


def test_seeds_are_looked_at_in_rungs() -> None:
    search = Search.read(SETTINGS)
    assert search.rungs == [(0,), (1,), (2,), (3,)]
    by_three = Search.read({**SETTINGS, "search": {**SETTINGS["search"], "rung": 3}})
    assert by_three.rungs == [(0, 1, 2), (3,)]
    many = Search.read({**SETTINGS, "seeds": "0..9"})
    assert [len(seeds) for seeds in many.rungs] == [3, 3, 3, 1]


def test_a_trial_that_fails_is_told_and_the_search_goes_on(
    tmp_path: Path, by_beta: list[Unit], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed")
    from neurorl.lab import sweeping

    works = sweeping.run_unit

    def fails(unit: Unit, folder: str, search_path: object = ()) -> Any:
        if unit.values["rule"] == "td-stdp":
            raise NeurorlError("no such luck")
        return works(unit, folder)

    monkeypatch.setattr("neurorl.lab.sweeping.run_unit", fails)
    outcome = run_search(Search.read(SETTINGS), tmp_path)
    assert set(outcome.failed.values()) == {"no such luck"}
    assert {row["rule"] for row in outcome.rows} == {"spikes-only"}


HEAD = "env = 'CartPole-v1'\n[search]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD, ["search.space"]),
        (HEAD + "trails = 3\n", ["line 3", "trails", "trials"]),
        (
            HEAD + "trials = 0\n[search.space]\ngamma = {low = 0.1, high = 1}\n",
            ["line 3", "0"],
        ),
        (HEAD + "[search.space]\ngama = {low = 0.1, high = 1}\n", ["line 4", "gamma"]),
        (HEAD + "[search.space]\ngamma = {low = 1, high = 0.1}\n", ["line 4", "low < high"]),
        (
            HEAD + "[search.space]\ngamma = {low = 0, high = 1, log = true}\n",
            ["line 4", "log"],
        ),
        (
            HEAD + "[search.space]\ngamma = {low = 0.1, high = 1, step = 0}\n",
            ["line 4", "step"],
        ),
        (HEAD + "[search.space]\ngamma = 3\n", ["line 4", "no range"]),
        (HEAD + "[search.space]\ngamma = {choices = [0.1]}\n", ["line 4", "two choices"]),
        (HEAD + "[search.space]\nrule = {choices = ['a', 'b']}\n", ["'a'"]),
        (
            HEAD + "metric = 'greedy'\n[search.space]\ngamma = {low = 0.1, high = 1}\n",
            ["line 3"],
        ),
        (
            HEAD + "sampler = 'cma'\n[search.space]\ngamma = {low = 0.1, high = 1}\n",
            ["line 3"],
        ),
        ("rule = ['coagent', 'td-stdp']\n" + HEAD + "trials = 1\n", ["one setting"]),
        (
            "rule = 'coagent'\n" + HEAD + "[search.space]\nrule = {choices = ['a', 'b']}\n",
            ["twice"],
        ),
        ("env = 'CartPole-v1'\nsearch = 3\n", ["line 2", "no table"]),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line(
    text: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(NeurorlError) as caught:
        read_sweep(file)
    assert all(word in str(caught.value) for word in words), caught.value
    assert main(["sweep", str(file), "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_file_without_a_search_is_a_grid(tmp_path: Path) -> None:
    file = tmp_path / "grid.toml"
    file.write_text("env = 'CartPole-v1'\n")
    assert isinstance(read_sweep(file), Sweep)


def test_the_command_runs_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("optuna", reason="optuna is not installed")
    file = tmp_path / "search.toml"
    file.write_text(
        "env = 'neurorl/GridWorld-v0'\nepisodes = 1\nevaluate = 0\n[search]\ntrials = 2\n"
        "[search.space]\ngamma = {low = 0.1, high = 1.0}\n"
    )
    assert main(["sweep", str(file), "--out", str(tmp_path / "out"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["trial"] for row in data["rows"]] == [0, 1]
    best = ("train", "neurorl/GridWorld-v0", "--config", str(tmp_path / "out" / "best.json"))
    assert main([*best, "--episodes", "1", "--out", str(tmp_path / "best")]) == 0
