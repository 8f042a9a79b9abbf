"""Compare operations and energy of a decision with counts by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import Network, Population, Projection, Source, SpikingActorCritic
from neurorl.agents.evaluation import evaluate
from neurorl.backends.registry import load
from neurorl.cli import main
from neurorl.errors import ArgumentError, EnvironmentWarning
from neurorl.models import LIF
from neurorl.network.cost import (
    FIGURES,
    Tally,
    dense_synops,
    fan_out,
    loihi_energy,
    neuron_updates,
    static_cost,
)

WEIGHTS = {
    "drive": np.array([[0.5, 0.0, 0.25, 1.0], [0.5, 0.5, 0.0, 0.0]]),
    "pairs": np.array([[[1.0], [0.0]], [[0.5], [0.5]]]),
}
MASK = np.array([[True, True, True, False], [True, True, False, False]])


def two_layers() -> Network:
    """Connect 2 channels to 4 neurons (5 of 8 synapses), and these to 2, in 2 blocks of 2 x 1."""
    return Network(
        (Source("input", 2), Population("middle", 4, LIF()), Population("last", 2, LIF())),
        (
            Projection("drive", "input", "middle", WEIGHTS["drive"], mask=MASK),
            Projection("pairs", "middle", "last", WEIGHTS["pairs"], blocks=2),
        ),
    )


def rasters() -> dict[str, np.ndarray]:
    """Return 3 steps in which channels spike 2, 1 times, neurons 1, 2, 0, 3 and 0, 1 times."""
    return {
        "input": np.array([[1, 0], [1, 1], [0, 0]], dtype=bool),
        "middle": np.array([[1, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 1]], dtype=bool),
        "last": np.array([[0, 0], [0, 1], [0, 0]], dtype=bool),
    }


def test_fan_out_counts_synapses_and_leaves_masked_ones_out() -> None:
    reached = fan_out(two_layers())
    assert {name: n.tolist() for name, n in reached.items()} == {
        "input": [3, 2],
        "middle": [1, 1, 1, 1],
        "last": [0, 0],
    }
    effective = fan_out(two_layers(), WEIGHTS)
    assert effective["input"].tolist() == [2, 2]
    assert effective["middle"].tolist() == [1, 0, 1, 1]


def test_static_cost_by_hand() -> None:
    network = two_layers()
    assert neuron_updates(network, 3) == 3 * 6
    # The mask doesn't help dense hardware; two blocks of 2 x 1 are 4 weights, not 4 x 2.
    assert dense_synops(network, 3) == 3 * (2 * 4 + 4)
    assert static_cost(network, 3) == {
        "neurons": 6,
        "synapses": 9,
        "neuron_updates_per_decision": 18,
        "dense_synops_per_decision": 36,
    }


def test_energy_is_the_published_figures() -> None:
    assert loihi_energy(1000, 0) == pytest.approx(23.6e-9)
    assert loihi_energy(0, 1000) == pytest.approx(81e-9)
    assert loihi_energy(0, 0, 1000) == pytest.approx(52e-9)


def test_a_tally_by_hand() -> None:
    tally = Tally(two_layers(), WEIGHTS)
    with pytest.raises(ArgumentError, match="no decision"):
        tally.per_decision()
    tally.add(rasters(), 3)
    silent = {name: np.zeros_like(raster) for name, raster in rasters().items()}
    tally.add(silent, 3)
    found = dict[str, Any](tally.per_decision())
    assert tuple(found) == FIGURES
    # 2 x 3 + 1 x 2 from the input, 1 + 2 + 0 + 3 from the middle; of weight not 0: 2 x 2 + 1 x 2
    # and 1 + 0 + 0 + 3.
    assert found.pop("energy_per_decision_j") == pytest.approx(23.6e-12 * 7 + 81e-12 * 18)
    assert found == {
        "spikes_per_decision": 7 / 2,
        "synops_per_decision": 14 / 2,
        "effective_acs_per_decision": 10 / 2,
        "effective_macs_per_decision": 0.0,
        "dense_synops_per_decision": 36.0,
        "neuron_updates_per_decision": 18.0,
        "activation_sparsity": 1 - 7 / 36,
    }


def test_the_example_of_neurobench() -> None:
    """NeuroBench's documentation has an example of 4 effective and 9 dense operations."""
    matrix = np.array([[1.3, 0.0, -3.2], [0.0, 1.2, -5.1], [-1.1, 2.7, 0.0]])
    network = Network(
        (Source("x", 3), Population("y", 3, LIF())), (Projection("w", "x", "y", matrix.T),)
    )
    tally = Tally(network, {"w": matrix.T})
    tally.add({"x": np.array([[False, True, True]]), "y": np.zeros((1, 3), dtype=bool)}, 1)
    found = tally.per_decision()
    assert (found["effective_acs_per_decision"], found["dense_synops_per_decision"]) == (4, 9)


def test_currents_are_multiplications_of_the_host() -> None:
    """Once a decision, outside the chip's energy: 2 of 3 activations, one weight of 6 is 0."""
    weights = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    network = Network(
        (Source("x", 3, kind="current"), Population("y", 2, LIF())),
        (Projection("w", "x", "y", weights), Projection("loop", "y", "y", 1.0)),
    )
    tally = Tally(network, {"w": weights, "loop": np.ones((2, 2))})
    for _ in range(2):
        tally.add({"x": np.array([0.5, 0.0, 0.25]), "y": np.eye(5, 2, dtype=bool)}, 5)
    found = tally.per_decision()
    assert found["synops_per_decision"] == 2 * 2 + 2 * 2
    assert found["effective_macs_per_decision"] == 3
    assert found["effective_acs_per_decision"] == 4
    assert found["dense_synops_per_decision"] == 5 * 4 + 6
    assert found["energy_per_decision_j"] == pytest.approx(loihi_energy(4, 10))


def test_a_weight_that_the_chip_rounds_to_nothing_is_no_effective_one() -> None:
    weights = np.array([[1.0, 1e-4]])
    network = Network(
        (Source("x", 1), Population("y", 2, LIF())), (Projection("w", "x", "y", weights),)
    )
    effective = {}
    for arithmetic in ("float", "loihi"):
        with load("reference", network, arithmetic=arithmetic) as backend:
            effective[arithmetic] = fan_out(network, {"w": backend.weights("w")})["x"].tolist()
    assert effective == {"float": [2], "loihi": [1]}


@pytest.mark.parametrize(
    "overrides", [{"model": "lif"}, {"model": "glm"}, {"encoder": "current"}], ids=str
)
def test_backends_agree_in_every_figure(overrides: dict[str, Any]) -> None:
    agent = SpikingActorCritic("neurorl/GridWorld-v0", seed=2, actors=2, hidden=3, **overrides)
    agent.learn(total_episodes=2)
    found = [
        dict[str, Any](evaluate(agent, 2, seed=1, backend=backend, arithmetic="loihi"))
        for backend in ("reference", "native", "loihi")
    ]
    for result in found:
        del result["backend"]
    assert found[0] == found[1] == found[2]
    window = agent.config.window
    neurons = sum(p.size for p in agent.network.populations)
    assert found[0]["neuron_updates_per_decision"] == window * neurons
    assert found[0]["synops_per_decision"] < found[0]["dense_synops_per_decision"]
    assert found[0]["effective_acs_per_decision"] <= found[0]["synops_per_decision"]
    assert 1e-9 < found[0]["energy_per_decision_j"] < 1e-3


def test_show_prints_the_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    assert main(["train", "CartPole-v1", "--episodes", "1", "--out", str(run), "--json"]) == 0
    capsys.readouterr()
    assert main(["show", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "dense_synops_per_decision" in shown
    assert "energy_per_decision_j" not in shown
    evaluation = {"energy_per_decision_j": 1.25e-7, "mean_return": 3.0}
    (run / "evaluation.json").write_text(json.dumps(evaluation))
    assert main(["show", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "1.25e-07" in shown
    assert "mean_return" not in shown
    assert main(["show", "lif"]) == 0
    assert "dense_synops_per_decision" in capsys.readouterr().out


def test_a_run_saved_without_its_environment_is_shown_in_a_named_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Nameless(gym.Wrapper[Any, Any, Any, Any]):
        """Record no arguments, so that the environment can't be made again."""

    agent = SpikingActorCritic(Nameless(gym.make("MountainCar-v0")), seed=1, hidden=3)
    agent.learn(total_steps=20)
    with pytest.warns(EnvironmentWarning, match="isn't saved with the agent"):
        agent.save(tmp_path / "agent.npz")
    assert main(["show", str(tmp_path / "agent.npz")]) == 2
    assert "--env ENV_ID" in capsys.readouterr().err
    assert main(["show", str(tmp_path / "agent.npz"), "--env", "MountainCar-v0"]) == 0
    assert "hidden" in capsys.readouterr().out
