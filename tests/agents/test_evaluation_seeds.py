"""No reported agent was evaluated on a task that its own training had."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from experiments.run import evaluation_seed
from neurorl.agents import evaluation, midway
from neurorl.numerics.random import derive
from neurorl.reparameterization import stage

RESULTS = Path(__file__).parents[2] / "results"
FILES = [f for f in sorted(RESULTS.glob("*-*.csv")) if not f.name.startswith("deployment")]


def tasks(seed: int, purpose: int, episodes: int) -> set[int]:
    """Return the seeds of the environment in this many episodes."""
    return {derive(seed, purpose, k) & 0x7FFFFFFF for k in range(episodes)}


def longest() -> dict[int, tuple[int, int]]:
    """Map each seed to its most episodes of a training, and of an evaluation, in any file."""
    found: dict[int, tuple[int, int]] = {}
    for file in FILES:
        with file.open(newline="") as opened:
            for row in csv.DictReader(opened):
                trained, played = found.get(int(row["seed"]), (0, 0))
                # four environments of gradients begin a few episodes that aren't counted
                trained = max(trained, int(row["episodes"] or 0) + 4)
                found[int(row["seed"])] = trained, max(played, int(row["evaluation_episodes"]))
    return found


def test_there_are_files() -> None:
    assert len(FILES) > 40
    assert set(longest()) == set(range(20))


@pytest.mark.parametrize("seed", range(20))
def test_no_task_is_met_again(seed: int) -> None:
    trained, played = longest()[seed]
    had = tasks(seed, midway._RESET, trained) | tasks(seed, stage._RESET, trained)
    assert len(had) >= trained
    assert not had & tasks(evaluation_seed(seed), evaluation._RESET, played)
