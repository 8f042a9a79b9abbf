"""Agents learn in Xylo's integers, with the same bits on every simulator."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xylo_agents as agents
import xylo_presets as presets
from xylo_vendor import needs_xylosim

from experiments.deploy_xylo import SETTINGS
from neurorl import SpikingActorCritic, evaluate
from neurorl.errors import UnsupportedError

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.PopulationWarning")
GRID = "neurorl/GridWorld-v0"


@pytest.mark.parametrize(
    "backend", ["native:xylo", pytest.param("xylo", marks=needs_xylosim, id="xylosim")]
)
@pytest.mark.parametrize("loop", ["numpy", "native"])
def test_learning_has_the_same_bits_everywhere(backend: str, loop: str) -> None:
    def learned(on: str, by: str) -> tuple[Any, Any]:
        made = agents.agent(GRID, 4, on, loop=by)
        return [x.ret for x in made.learn(total_episodes=2)], made.weights

    small = "reference:xylo" if backend != "xylo" else "native:xylo"
    expected, returns = learned(small, "numpy"), learned(backend, loop)
    assert returns[0] == expected[0]
    for name, weights in expected[1].items():
        np.testing.assert_array_equal(returns[1][name], weights)


def test_it_learns_with_floats_in_the_shadow_and_8_bits_in_force() -> None:
    agent = agents.agent(GRID, 2, "native:xylo")
    lengths = [episode.length for episode in agent.learn(total_episodes=60)]
    assert np.mean(lengths[-20:]) < np.mean(lengths[:20]) / 2
    for name, weights in agent.weights.items():
        in_force, rounding = agent.backend.weights(name), agent.backend.arithmetic.rounding(name)
        levels = in_force / rounding.unit
        np.testing.assert_allclose(levels, np.rint(levels), atol=1e-9)
        assert np.abs(levels).max() <= 127
        assert np.unique(weights).size > np.unique(in_force).size


@needs_xylosim
def test_a_learned_agent_plays_on_the_vendors_simulator_as_on_native() -> None:
    agent = agents.agent(GRID, 2, "native:xylo")
    agent.learn(total_episodes=20)
    assert agents.played(agent, 3, "xylo") == agents.played(agent, 3, "native")


def test_an_agent_of_floats_plays_in_the_chips_integers(tmp_path: Path) -> None:
    agent = agents.agent(GRID, 1, "native:float")
    agent.learn(total_episodes=40)
    agent.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz")
    figures = evaluate(loaded, 3, seed=1, backend="native", arithmetic="xylo")
    assert figures["mean_return"] == np.mean(agents.played(agent, 3, "native"))


def test_the_default_agent_is_refused_with_what_would_work() -> None:
    with pytest.raises(UnsupportedError, match=r"'hidden' of stochastic neurons .* noise=0"):
        SpikingActorCritic("CartPole-v1", backend="native:xylo")


@pytest.mark.parametrize("loop", ["numpy", "native"])
def test_layers_shared_by_actions_are_refused(loop: str) -> None:
    with pytest.raises(UnsupportedError, match="no units of this trunk; trunk='modules'"):
        SpikingActorCritic("CartPole-v1", backend="native:xylo", trunk="shared", loop=loop)


def test_the_table_of_presets_goes_on_where_it_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = dataclasses.replace(SETTINGS["gridworld"], episodes=3, played=2)
    monkeypatch.setitem(SETTINGS, "gridworld", small)
    arguments = ["--tasks", "gridworld", "--table", str(tmp_path / "xylo.csv"), "--seeds"]
    assert presets.main([*arguments, "0..0"]) == 0
    first = (tmp_path / "xylo.csv").read_text().splitlines()
    assert presets.main([*arguments, "0..1"]) == 0
    assert (tmp_path / "xylo.csv").read_text().splitlines()[:2] == first
    assert "gridworld, 2 seeds: trained in Xylo's integers" in capsys.readouterr().out
