"""Test integers for weights that stay: finer where there is room, and never an overflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorl import SpikingActorCritic
from neurorl.agents.evaluation import load_to_play
from neurorl.arithmetic.fitting import fit_bounds, largest_sums
from neurorl.arithmetic.quantiser import quantise
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.registry import load
from neurorl.models import GLM, LIF, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.network.initial_weights import initial_weights
from neurorl.testing import random_network

GRID = "neurorl/GridWorld-v0"
SMALL: dict[str, Any] = {"actors": 2, "hidden": 2}


def network(n_inputs: int = 4, bound: float = 1.0, **projection: Any) -> Network:
    """Connect inputs and a bias to 3 neurons."""
    plastic = Plasticity(trace_tau=4e-3, low=-bound, high=bound)
    return Network(
        (Source("input", n_inputs), Source("bias", 1), Population("cells", 3, LIF(0.0, 0.5))),
        (
            Projection("drive", "input", "cells", plasticity=plastic, **projection),
            Projection("rest", "bias", "cells", plasticity=plastic),
        ),
    )


def test_the_unit_follows_the_largest_weight() -> None:
    described = network()
    weights = {"drive": np.full((4, 3), -0.25), "rest": np.full((1, 3), 0.03)}
    weights["drive"][0, 0] = 0.1
    fine = fit_bounds(described, weights)
    before, after = quantise(described), quantise(fine)
    assert before.populations["cells"].unit == 254 * 64
    assert after.populations["cells"].unit == 4 * 254 * 64
    assert [p.exponent for p in before.projections.values()] == [0, 0]
    assert [p.exponent for p in after.projections.values()] == [0, -3]
    assert after.populations["cells"].threshold.tolist() == [32512] * 3
    drive = fine.projection("drive").plasticity
    assert drive is not None
    assert (drive.trace_tau, drive.low, drive.high) == (4e-3, -0.25, 0.25)
    error = {
        n: np.abs(ChipArithmetic(k).round("drive", weights["drive"]) - weights["drive"]).max()
        for n, k in (("before", described), ("after", fine))
    }
    assert error["after"] < error["before"] / 3


def test_all_inputs_at_once_leave_room() -> None:
    """200 largest weights are 200 * 254 * 64 = 3.25 million, and 21 bits hold 2.1 million."""
    described = network(200)
    weights = {"drive": np.full((200, 3), 0.25), "rest": np.zeros((1, 3))}
    fine = fit_bounds(described, weights)
    chip = quantise(fine)
    assert chip.populations["cells"].unit == 2 * 254 * 64
    sums = largest_sums(fine, chip, "cells", weights)
    assert sums.arriving == 200 * 128 * 64 / (2**21 - 1) < 1
    assert sums.current == sums.arriving * (2**21 - 1) / (2**23 - 1)  # of one step, no bias
    every = {"input": np.ones((3, 200), dtype=bool)}
    for network_, spikes in ((fine, True), (_bounded(described, 0.25), False)):
        with load("reference", network_, arithmetic="loihi") as backend:
            for name, values in weights.items():
                backend.set_weights(name, values)
            # Without room, what arrives wraps around to a negative number.
            assert backend.step(every, 3)["cells"].any() == spikes


def _bounded(described: Network, bound: float) -> Network:
    return network(described.node("input").size, bound)


def test_what_cannot_be_finer_stays_as_it_is() -> None:
    described = network(10)
    zeros = {"drive": np.zeros((10, 3)), "rest": np.zeros((1, 3))}
    full = {"drive": np.ones((10, 3)), "rest": np.full((1, 3), 0.01)}
    for weights in (zeros, full):
        assert quantise(fit_bounds(described, weights)).populations["cells"].unit == 254 * 64
    fixed = Network(described.nodes, (Projection("drive", "input", "cells", 0.5),))
    assert fit_bounds(fixed, {"drive": np.full((10, 3), 0.5)}).to_dict() == fixed.to_dict()


def test_weights_beyond_the_bounds_are_not_cut() -> None:
    weights = {"drive": np.full((4, 3), 0.1), "rest": np.full((1, 3), 1.5)}
    arithmetic = ChipArithmetic(fit_bounds(network(), weights))
    assert np.allclose(arithmetic.round("rest", weights["rest"]), 1.5)
    assert np.abs(arithmetic.round("drive", weights["drive"]) - 0.1).max() < 0.1 / 127


def test_signed_units_keep_their_bias_within_the_register() -> None:
    """A narrow signed projection of many inputs may not become as fine as it could."""
    plastic = Plasticity(low=-1.0, high=1.0)
    described = Network(
        (Source("a", 128), Source("b", 1), Population("cells", 2, GLM())),
        (
            Projection(
                "many", "a", "cells", signed=True, plasticity=Plasticity(low=-0.2, high=0.2)
            ),
            Projection("one", "b", "cells", plasticity=plastic),
        ),
    )
    weights = {"many": np.full((128, 2), 0.1), "one": np.full((1, 2), 0.05)}
    assert quantise(described).projections["many"].exponent == -1
    chip = quantise(fit_bounds(described, weights))  # raises if the bias overflows
    assert chip.projections["many"].exponent <= -1
    assert chip.populations["cells"].unit > quantise(described).populations["cells"].unit


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(1e-3, 1.0))
def test_it_is_never_coarser(seed: int, share: float) -> None:
    described = random_network(seed)
    weights = {p.name: share * initial_weights(described, p.name, 1) for p in described.projections}
    fine = fit_bounds(described, weights)
    before, after = quantise(described), quantise(fine)
    for name, population in after.populations.items():
        plastic = any(p.plasticity for p in described.projections if p.post == name)
        assert population.unit >= before.populations[name].unit * (1 - 1e-12)
        if population.unit > before.populations[name].unit:
            assert plastic
            assert max(largest_sums(fine, after, name, weights)) <= 1


def test_a_player_fits_what_was_learned_in_float(tmp_path: Path) -> None:
    agent = SpikingActorCritic(GRID, "lif", "reference", **SMALL)
    agent.learn(total_episodes=3)
    chip = {"arithmetic": "loihi"}

    def unit(one: SpikingActorCritic, **options: Any) -> float:
        with one.player(1, **options).backend as backend:
            assert isinstance(backend.arithmetic, ChipArithmetic)
            return backend.arithmetic.chip.populations["hidden"].unit

    described = unit(agent, **chip, fit=False)
    largest = max(np.abs(agent.memory.weights[n]).max() for n in ("input_hidden", "bias_hidden"))
    assert unit(agent, **chip) == pytest.approx(described / largest)
    assert unit(agent, backend="loihi") == unit(agent, **chip)
    agent.save(tmp_path / "float.npz")
    loaded, chosen = load_to_play(tmp_path / "float.npz", "loihi")
    assert unit(loaded, **chosen) == unit(agent, **chip)
    on_chip = SpikingActorCritic.load(tmp_path / "float.npz", "loihi")
    assert unit(on_chip) == unit(agent, **chip)  # until it learns there
    on_chip.learn(total_episodes=4)
    assert unit(on_chip) == described
    on_chip.save(tmp_path / "chip.npz")
    assert unit(SpikingActorCritic.load(tmp_path / "chip.npz")) == described
    loaded, chosen = load_to_play(tmp_path / "chip.npz")
    assert unit(loaded, **chosen) == described


@pytest.mark.parametrize("model", ["lif", "glm"])
def test_backends_agree_on_the_fitted_network(model: str) -> None:
    agent = SpikingActorCritic(GRID, model, "reference", seed=3, **SMALL)
    agent.learn(total_episodes=2)
    rasters = {}
    for backend in ("reference", "loihi", "native"):
        player = agent.player(5, backend, "loihi")
        with player.backend:
            rasters[backend] = [player.move(k).rasters["output"].copy() for k in (7, 8, 9)]
    assert all(np.array_equal(rasters["reference"], rasters[b]) for b in ("loihi", "native"))
    assert np.any(rasters["reference"])


def test_currents_leave_room_too() -> None:
    plastic = Plasticity(low=-1.0, high=1.0)
    described = Network(
        (Source("flow", 300, kind="current"), Population("cells", 2, CubaLIF(5e-3, 5e-3))),
        (Projection("currents", "flow", "cells", plasticity=plastic),),
    )
    weights = {"currents": np.full((300, 2), 0.02)}
    fine = fit_bounds(described, weights)
    # 300 * 0.02 units of the membrane join the bias, of which 524,160 chip units are the most.
    unit = quantise(fine).populations["cells"].unit
    assert unit == 254 * 64 / 0.02 / 16
    assert largest_sums(fine, quantise(fine), "cells", weights).bias == pytest.approx(
        6 * unit / 524160, rel=0.02
    )
