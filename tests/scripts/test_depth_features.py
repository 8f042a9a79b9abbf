"""Draw what hidden neurons look at: products of synapses, and cosines."""

from __future__ import annotations

import numpy as np
import pytest
from deep_agents import Small, deep_agent

from experiments.depth_features import alignment, fields_of


@pytest.mark.parametrize("seen", ["picture", "board"])
def test_effective_weights_do_to_an_image_what_filters_and_neurons_do(seen: str) -> None:
    agent = deep_agent(Small(seen), hidden=3)
    agent.learn(total_steps=60)
    patches = agent.config.trunk.patches  # type: ignore[attr-defined]
    image = np.random.default_rng(1).random(patches.shape)
    filters = agent.memory.lasting["input_hidden_2.tied"]  # type: ignore[attr-defined]
    seen_by_filters = np.ravel([image.ravel()[index] @ filters for index in patches.index])
    expected = seen_by_filters @ agent.weights["hidden_2_hidden"]
    got = np.tensordot(image, fields_of(agent), 3)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-6)
    agent.close()


def test_alignment_is_the_cosine() -> None:
    w = np.array([[1.0, 2.0], [3.0, -1.0]])
    assert alignment(w, 3.0 * w) == pytest.approx(1.0)
    assert alignment(w, -w) == pytest.approx(-1.0)
    assert alignment(w, [[2.0, -1.0], [0.0, 0.0]]) == pytest.approx(0.0)
    assert alignment(w, 0.0 * w) == 0.0
