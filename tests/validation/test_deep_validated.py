"""Check that agents with shared hidden layers are validated with what normalises these."""

from __future__ import annotations

from typing import Any

import pytest

from neurorl import SpikingActorCritic, validate
from neurorl.backends.reference.simulator import ReferenceSimulator
from neurorl.numerics.arrays import Array


@pytest.fixture(scope="module")
def agent() -> SpikingActorCritic:
    made = SpikingActorCritic("CartPole-v1", "deep", hidden=16, seed=1)
    made.learn(total_steps=200)
    return made


class Faulty(ReferenceSimulator):
    """Get weights or biases wrong by a factor."""

    name = "faulty"
    of_weights = of_biases = 1.0

    def write_weights(self, projection: str) -> None:
        weights = self.simulated.weights
        right = weights[projection]
        weights[projection] = right * self.of_weights
        super().write_weights(projection)
        weights[projection] = right

    def write_bias(self, population: str, bias: Array) -> None:
        super().write_bias(population, bias * self.of_biases)


@pytest.mark.parametrize("backends", ["reference,native", "reference:loihi,native:loihi"])
def test_hidden_layers_spike_as_they_do_in_play_and_are_equal(agent: Any, backends: str) -> None:
    found = validate(agent, backends, steps=60, learn=True, updates=20)
    assert found.verdict == "exact"
    spikes = {row["population"]: row["spikes_a"] for row in found.rows if "spikes_a" in row}
    assert spikes["hidden"] > 60
    assert spikes["critic_hidden"] > 60
    learned = {row["projection"] for row in found.rows if row["quantity"] == "learning: weights"}
    assert learned == {p.name for p in agent.network.projections}


@pytest.mark.parametrize(("fault", "cause"), [("of_weights", "weights"), ("of_biases", "bias")])
def test_a_fault_in_hidden_layers_is_named(agent: Any, fault: str, cause: str) -> None:
    wrong = type("Faulty", (Faulty,), {fault: 1.1})
    found = validate(agent, ["reference", wrong], steps=60)
    assert found.verdict == "different"
    assert {each.cause for each in found.explanations} == {cause}
    assert all("1.1 times" in each.detail for each in found.explanations)
