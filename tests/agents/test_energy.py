"""Measure what decisions and episodes cost on Loihi, by SANA-FE, from Python and by commands."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pytest
from sana_fe import needs_sanafe

from neurorl import SpikingActorCritic, evaluate
from neurorl.cli import main
from neurorl.errors import ArgumentError, BackendUnavailableError, UnsupportedError

OBSERVATIONS = np.random.default_rng(0).uniform(-0.2, 0.2, (4, 4))
AGENT = ["evaluate", "zoo:gridworld-lif", "--episodes", "2"]


def agent(**others: Any) -> SpikingActorCritic:
    """Return a small agent that has learned nothing."""
    return SpikingActorCritic("CartPole-v1", seed=3, actors=2, hidden=3, **others)


@needs_sanafe
def test_an_evaluation_is_the_same_and_its_counts_are_those_of_the_model() -> None:
    one = agent()
    plain = evaluate(one, 2, seed=1, backend="loihi")
    measured = evaluate(one, 2, seed=1, energy=True)
    energy = measured.pop("energy")
    assert measured == plain
    decisions = energy["decisions"]
    assert energy["synops"] == plain["synops_per_decision"] * decisions
    assert energy["spikes"] > plain["spikes_per_decision"] * decisions  # those of inputs too
    assert energy["by_constants_nj"] == pytest.approx(plain["energy_per_decision_j"] * 1e9)
    for unit in ("energy_per_{}_nj", "latency_per_{}_us"):
        of_all = energy[unit.format("decision")] * decisions
        assert energy[unit.format("episode")] == pytest.approx(of_all / 2)
    assert "12 %" in energy["error"]
    assert "25 %" in energy["error"]
    assert "leakage" in energy["not_modelled"]


@needs_sanafe
@pytest.mark.parametrize("others", [{}, {"carries": True, "hidden_recalls": (1,)}])
def test_any_number_of_replicas_costs_the_same(others: dict[str, Any]) -> None:
    one = agent(**others)
    results = [evaluate(one, 3, seed=2, replicas=n, energy=True)["energy"] for n in (1, 2, 3)]
    latencies = [found.pop("latency_per_decision_us") for found in results]
    episodes = [found.pop("latency_per_episode_us") for found in results]
    assert results[0] == results[1] == results[2]
    assert latencies == pytest.approx([latencies[0]] * 3, rel=0.02)
    assert episodes == pytest.approx([episodes[0]] * 3, rel=0.02)
    assert (results[0]["relays"] > 0) == bool(others)


@needs_sanafe
def test_decisions_cost_what_their_spikes_say() -> None:
    one = agent()
    found = one.energy(OBSERVATIONS)
    assert found["decisions"] == len(OBSERVATIONS)
    assert not {"energy_per_episode_nj", "latency_per_episode_us"} & set(found)
    again = one.energy(list(OBSERVATIONS), seed=0)
    assert again["spikes"] == found["spikes"]
    assert one.energy(OBSERVATIONS, seed=1)["spikes"] != found["spikes"]
    chip = one.energy(OBSERVATIONS, noise="chip")
    assert chip["spikes"] != found["spikes"]
    player = one.player(0, "loihi")
    synops = 0
    with player.backend as backend:
        for observation in OBSERVATIONS:
            move = player.move(observation)
            spikes = {**move.inputs, **move.rasters}
            for p in backend.network.projections:
                pre, _ = backend.network.ends(p.name)
                synops += int(spikes[p.pre].sum(axis=0)[pre].sum())
    assert found["synops"] == synops


@needs_sanafe
def test_what_cannot_be_measured_is_refused() -> None:
    one = agent()
    with pytest.raises(UnsupportedError, match="no model of a chip with float arithmetic"):
        evaluate(one, 1, backend="native", energy=True)
    glm = SpikingActorCritic("CartPole-v1", "glm", seed=3, actors=2)
    with pytest.raises(UnsupportedError, match=r"coins of 'chip\+coins' \(take noise='chip'\)"):
        evaluate(glm, 1, noise="chip+coins", energy=True)
    with pytest.raises(ArgumentError, match="observation"):
        one.energy([[1.0]])
    with pytest.raises(ArgumentError, match="energy: no decision was measured"):
        one.energy([])
    with pytest.raises(ArgumentError, match="observations: is of another kind"):
        one.energy(5)  # type: ignore[arg-type]


@needs_sanafe
def test_the_command_prints_it_as_lines_and_as_one_object(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([*AGENT, "--energy", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["backend"] == found["arithmetic"] == "loihi"
    assert main([*AGENT, "--energy"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["energy.error"] == found["energy"]["error"]
    assert lines["energy.cores"] == str(found["energy"]["cores"])
    assert float(lines["energy.energy_per_decision_nj"]) == pytest.approx(
        found["energy"]["energy_per_decision_nj"], rel=1e-3
    )
    assert "energy" not in lines


def test_the_command_refuses_other_chips_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--energy", "--backend", "native", "--arithmetic", "float"]
    assert main([*AGENT, *words]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("neurorl: energy: there is no model of a chip with float arithmetic")
    assert said.endswith("backend='loihi', to play in that chip's integers")
    assert "\n" not in said


def test_without_sanafe_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sanafe", None)
    monkeypatch.delitem(sys.modules, "neurorl.backends.loihi.sana_fe", raising=False)
    assert main([*AGENT, "--energy"]) == 2
    said = capsys.readouterr().err.strip()
    assert said.endswith("pip install 'neurorl[energy]'")
    assert "\n" not in said
    with pytest.raises(BackendUnavailableError, match="sanafe"):
        agent().energy(OBSERVATIONS)
