"""A run whose agent learns from several environments is kept, resumed and played as others are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import read_agent
from neurorl.agents.episodes import Episode
from neurorl.agents.local import environments_in
from neurorl.cli import main
from neurorl.runs import session
from neurorl.runs.training import train

SMALL = ["--set", "hidden=0", "--set", "actors=1", "--set", "window=4"]
WORDS = ["train", "CartPole-v1", *SMALL, "--backend", "reference", "--environments", "3"]
TOGETHER = "gymnasium.wrappers:TimeLimit,max_episode_steps=7"


def trained(out: Path, *words: str) -> int:
    return main([*WORDS, "--out", str(out), *words])


def kept(run: Path) -> dict[str, object]:
    """Return the files of a run, without the seconds in its rows and the names of folders."""
    rows = [line.split(",") for line in (run / "episodes.csv").read_text().splitlines()]
    summary = json.loads((run / "summary.json").read_text())
    return {
        "config": (run / "config.json").read_bytes(),
        "checkpoint": (run / "checkpoint.npz").read_bytes(),
        "rows": [[*row[:4], *row[5:]] for row in rows],
        "summary": {key: value for key, value in summary.items() if key != "run"},
    }


def test_it_plays_what_an_agent_of_as_many_environments_plays(tmp_path: Path) -> None:
    assert trained(tmp_path / "run", "--steps", "100", "--seed", "3") == 0
    agent = SpikingActorCritic(
        "CartPole-v1",
        backend="reference",
        seed=3,
        environments=3,
        hidden=0,
        actors=1,
        window=4,
    )
    agent.learn(total_steps=100)
    described, arrays = read_agent(tmp_path / "run")
    assert environments_in(arrays) == 3
    assert json.loads((tmp_path / "run" / "config.json").read_text())["environments"] == 3
    theirs = agent.state()
    assert arrays.keys() == theirs.keys()
    assert all(np.array_equal(arrays[key], theirs[key], equal_nan=True) for key in arrays)
    assert described.seed == 3


@pytest.mark.parametrize(("budget", "first", "last"), [("steps", 50, 130), ("episodes", 4, 9)])
@pytest.mark.parametrize("wraps", [[], ["--wrap", TOGETHER]], ids=["apart", "together"])
def test_it_goes_on_exactly(
    tmp_path: Path, budget: str, first: int, last: int, wraps: list[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert trained(whole, f"--{budget}", str(last), *wraps) == 0
    assert trained(parts, f"--{budget}", str(first), *wraps) == 0
    assert trained(parts, f"--{budget}", str(last), *wraps, "--resume") == 0
    assert kept(parts)["checkpoint"] != b""
    assert kept(parts) == kept(whole)
    assert trained(parts, *wraps, "--resume") == 0  # a finished run stays as it is
    assert kept(parts) == kept(whole)


@pytest.mark.parametrize("ended", [1, 2, 5, 7])
def test_a_run_that_ends_between_episodes_of_one_step_goes_on_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: int
) -> None:
    monkeypatch.setattr(session, "CHECKPOINT_SECONDS", 0.0)
    told: list[Episode] = []

    def breaks(episode: Episode) -> None:
        told.append(episode)
        if len(told) == ended:
            raise ZeroDivisionError

    options: Any = {
        "wrappers": [TOGETHER],
        "environments": 3,
        "episodes": 9,
        "backend": "reference",
        "overrides": {"hidden": (), "actors": 1, "window": 4},
    }
    train("CartPole-v1", tmp_path / "whole", **options)
    with pytest.raises(ZeroDivisionError):
        train("CartPole-v1", tmp_path / "broken", callback=breaks, **options)
    train("CartPole-v1", tmp_path / "broken", resume=True, **options)
    assert kept(tmp_path / "broken") == kept(tmp_path / "whole")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_several_seeds_have_the_files_of_each_alone(tmp_path: Path, jobs: str) -> None:
    assert trained(tmp_path / "both", "--steps", "40", "--seeds", "1,2", "--jobs", jobs) == 0
    for seed in ("1", "2"):
        alone = tmp_path / f"seed{seed}"
        assert trained(alone, "--steps", "40", "--seed", seed) == 0
        assert kept(tmp_path / "both" / alone.name) == kept(alone)


def test_it_is_played_and_started_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert trained(run, "--steps", "60") == 0
    assert main(["evaluate", str(run), "--episodes", "3", "--json"]) == 0
    assert main(["show", str(run)]) == 0
    begun = ["train", "CartPole-v1", "--from", str(run), "--out", str(tmp_path / "on")]
    assert main([*begun, "--episodes", "2", "--backend", "reference"]) == 0
    copied = ["train", "CartPole-v1", "--config", str(run / "config.json"), "--seed", "4"]
    assert main([*copied, "--out", str(tmp_path / "again")]) == 0
    assert environments_in(read_agent(tmp_path / "again")[1]) == 3
    capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--environments", "0"], "train, environments: must be a whole number"),
        (["--environments", "9999"], "1 to 4,096"),
        (["--approach", "reparameterization"], "--set gradient.environments=3"),
        (["--backend", "loihi", "--learning", "pes"], "learn on the chip"),
    ],
)
def test_what_has_no_sense_is_refused_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    few = ["train", "CartPole-v1", "--environments", "3", "--steps", "9"]
    assert main([*few, "--out", str(tmp_path / "run"), *words]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_another_number_than_the_runs_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(tmp_path, "--steps", "9") == 0
    assert trained(tmp_path, "--steps", "18", "--environments", "2", "--resume") == 2
    assert "environments (got 2, limit 3)" in capsys.readouterr().err


@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_a_file_with_an_impossible_number_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    assert trained(tmp_path, "--steps", "9") == 0
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "environments": number}))
    assert trained(tmp_path, "--steps", "18", "--resume") == 2
    assert "environments out of range" in capsys.readouterr().err


def test_a_run_of_one_environment_says_nothing_of_it(tmp_path: Path) -> None:
    words = ["train", "CartPole-v1", *SMALL, "--backend", "reference", "--steps", "9"]
    assert main([*words, "--out", str(tmp_path / "plain")]) == 0
    assert main([*words, "--out", str(tmp_path / "one"), "--environments", "1"]) == 0
    assert kept(tmp_path / "plain") == kept(tmp_path / "one")
    assert "environments" not in (tmp_path / "plain" / "config.json").read_text()
