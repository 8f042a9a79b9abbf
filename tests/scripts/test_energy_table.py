"""Test the tables of docs/energy.md: a policy's operations, and what is shown of measured rows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from load_script import load_script

from experiments import energy
from experiments.energy import Measured, macs_of, policy_of
from experiments.tables import read_table

ROWS: list[Any] = read_table(energy._BASELINES.with_name("energy.csv"), Measured)


def test_a_policy_has_two_layers_of_64_and_ends_as_the_task_says() -> None:
    for name, policy, macs in (
        ("CartPole-v1", "4-64-64-2", 4 * 64 + 64 * 64 + 64 * 2),
        ("Taxi-v3" if "Taxi-v3" in gym.registry else "Taxi-v4", "500-64-64-6", 36_480),
        ("Pendulum-v1", "3-64-64-1", 4_352),
    ):
        env = gym.make(name)
        assert policy_of(env) == policy
        assert macs_of(policy) == macs
        env.close()


def test_every_measured_agent_was_counted_equally() -> None:
    assert len(ROWS) >= 41 + 4
    for row in ROWS:
        assert row.synops == row.ours, row.agent
        assert row.refused or (row.spikes is not None and row.spikes > 0)


def test_parts_add_up_and_episodes_follow_from_decisions() -> None:
    for row in ROWS:
        if row.refused:
            continue
        parts = row.synapse_nj + row.soma_nj + row.network_nj
        assert np.isclose(parts, row.energy_nj, rtol=1e-3), row.agent
        of_episode = row.energy_nj * row.decisions / row.episodes
        assert np.isclose(of_episode, row.episode_nj, rtol=1e-3), row.agent


def test_a_refusal_is_shown_with_its_reason() -> None:
    values = dict.fromkeys((f.name for f in dataclasses.fields(Measured)), None)
    values |= {"agent": "big", "task": "CartPole-v1", "policy": "4-64-64-2", "episodes": 2}
    refused = Measured(**{**values, "refused": "energy on Loihi: a network of 130 cores"})  # type: ignore[arg-type]
    lines = energy._chip_lines([refused])
    assert "energy on Loihi: a network of 130 cores" in lines[-1]
    assert energy._policy_lines([refused])[2:] == []
    assert energy._equal_lines([refused])[-1] == "Refused: big."


def test_without_sanafe_the_command_is_refused_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(energy.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    monkeypatch.chdir(tmp_path)
    assert load_script("tables").main(["--quick", "--only", "energy"]) == 2
    said = capsys.readouterr().err
    assert said == "tables: table energy: needs sanafe; pip install sanafe\n"
    assert not list(tmp_path.rglob("*.csv"))
