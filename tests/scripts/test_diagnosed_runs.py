"""Test the diagnosis on runs that fail and runs that learn: none missed, none accused."""

from __future__ import annotations

import pytest

from experiments.diagnosed_runs import FAILING, LEARNING, RUNS, Run, is_right, measure

_QUICK = (
    *("FrozenLake, scale 0.02", "CartPole, scale 5", "CartPole, bias 5", "CartPole, uncentred"),
    *("FrozenLake 8x8, 12 steps at most", "numbers, scale 0.001"),
    *("bandit", "context bandit", "numbers", "numbers, hidden"),
)


def test_there_are_ten_of_each() -> None:
    assert len(FAILING) == 10
    assert len(LEARNING) >= 10


@pytest.mark.parametrize("run", [run for run in RUNS if run.name in _QUICK], ids=lambda r: r.name)
def test_quick_runs(run: Run) -> None:
    _, _, kinds = measure(run, run.seeds[0])
    assert is_right(run, kinds), kinds


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_runs(run: Run) -> None:
    for seed in run.seeds:
        _, _, kinds = measure(run, seed)
        assert is_right(run, kinds), (seed, kinds)
