"""Pretrained agents on PyNN's simulators; skipped by name where one of them is missing."""

from __future__ import annotations

import importlib.util
import json

import pytest
from load_script import load_script

program = load_script("pynn_agents")


def played(name: str, target: str, episodes: int) -> dict[str, object]:
    for package in ("pyNN", target):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    found: dict[str, object] = program.elsewhere(name, target, episodes)
    return found


def test_an_agent_decides_on_nest_as_on_the_reference() -> None:
    found = played("bandit-default", "nest", 30)
    assert (found["decisions"], found["differing"], found["lost"]) == (30, 0, 0.0)
    assert found["reference"] == found["there"]


@pytest.mark.slow
@pytest.mark.parametrize("target", program.TARGETS)
@pytest.mark.parametrize("name", ["gridworld-lif", "mountaincar-lif", "gridworld-glm"])
def test_agents_of_the_page_decide_there_as_on_the_reference(name: str, target: str) -> None:
    found = played(name, target, 3)
    assert (found["differing"], found["lost"]) == (0, 0.0)


def test_the_page_has_the_rows_that_were_measured() -> None:
    rows = json.loads(program.DATA.read_text())
    page = program.PAGE.read_text()
    assert f"{program.START}{program.table(rows)}{program.END}" in page
    assert {row["agent"] for row in rows} >= {"gridworld-lif", "cartpole-lif", "mountaincar-lif"}
    for row in rows:  # what the page aims at
        assert row["differing"] <= 0.05 * row["decisions"]
        assert row["lost"] <= 0.03
