"""Test the warning of grids that make weights 0, or steps of learning nothing."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import neurorl
from neurorl import GridWarning, Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.arithmetic.fitting import warn_of_lost_steps, warn_of_lost_weights
from neurorl.models import LIF, CubaLIF

OPTIONS: dict[str, Any] = {"backend": "reference", "seed": 0}


def said(call: Any) -> list[str]:
    """Return the warnings of a call."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        call()
    assert all(one.category is GridWarning for one in seen)
    return [str(one.message) for one in seen]


def network(weights: Any, *bounds: float, neuron: Any = LIF()) -> Network:  # noqa: B008
    plasticity = Plasticity(low=-bounds[0], high=bounds[0]) if bounds else None
    to = Projection("to", "in", "out", weights, plasticity=plasticity)
    return Network((Source("in", 40), Population("out", 20, neuron)), (to,))


def load(described: Network, **options: Any) -> None:
    """Load a network, and let it learn if it can."""
    with neurorl.load("reference", described, **options) as backend:
        if described.projection("to").plasticity is not None:
            neurorl.Learning(backend, "reward-stdp")


def test_weights_below_the_grid() -> None:
    (text,) = said(lambda: load(network(1e-11)))
    assert text == (
        "projection 'to': the grid of its weights makes 800 of 800 into 0 (got steps of "
        "2.32831e-10, weights up to 1e-11); the least that stays is 2.32831e-10; the grid is in "
        "proportion to the membrane's scale"
    )
    assert said(lambda: load(network(1e-3))) == []
    small = LIF(threshold=2.0**-20)
    assert said(lambda: load(network(1e-11, neuron=small))) == []


def test_what_is_next_to_nothing_beside_the_others_is_no_matter() -> None:
    near = np.exp(-(np.subtract.outer(np.arange(40), 2 * np.arange(20)) ** 2.0))
    assert (np.rint(near * 2.0**32) == 0).any()
    assert said(lambda: load(network(near))) == []


@pytest.mark.parametrize("bound", [1.0, 1e2, 1e4])
def test_no_bound_up_to_ten_thousand_is_one_of_note(bound: float) -> None:
    assert said(lambda: load(network(Uniform(-0.05, 0.05), bound))) == []
    agent = lambda: neurorl.SpikingActorCritic("CartPole-v1", weight_bound=bound, **OPTIONS)  # noqa: E731
    assert said(agent) == []


@pytest.mark.parametrize("bound", [1e6, 1e8])
def test_bounds_that_are_too_wide_say_which_would_do(bound: float) -> None:
    (text,) = said(lambda: load(network(Uniform(-0.05, 0.05), bound)))
    assert text.startswith("projection 'to': the grid of its weights makes ")
    assert "take bounds of at most 10000 (Plasticity low and high" in text
    assert said(lambda: load(network(Uniform(-0.05, 0.05), 1e4))) == []
    messages = said(
        lambda: neurorl.SpikingActorCritic("CartPole-v1", weight_bound=bound, **OPTIONS)
    )
    steps = [text for text in messages if "too coarse for the steps of learning" in text]
    assert len(steps) == len({text.partition(":")[0] for text in steps}) > 1
    assert len(messages) > len(steps)
    assert all("an agent's weight_bound" in text for text in messages)


def test_a_chips_few_levels_are_no_matter_unless_all_weights_are_lost() -> None:
    cells = CubaLIF()
    chip: dict[str, Any] = {"arithmetic": "loihi"}
    assert said(lambda: load(network(Uniform(-0.5, 0.5), 1.0, neuron=cells), **chip)) == []
    (text,) = said(lambda: load(network(0.001, 1.0, neuron=cells), **chip))
    assert "makes 800 of 800 into 0" in text
    assert "take bounds of at most 0.1 " in text


def test_steps_and_weights_at_the_border() -> None:
    unit = 2.0**-20
    assert said(lambda: warn_of_lost_steps("to", 2.0**-11 * 1.1, unit, 8)) == []
    assert len(said(lambda: warn_of_lost_steps("to", 2.0**-11, unit, 8))) == 1
    assert said(lambda: warn_of_lost_steps("to", 0.0, unit, 8)) == []
    nothing: dict[str, Any] = {"levels": None}
    assert said(lambda: warn_of_lost_weights("to", np.zeros(3), unit, **nothing)) == []
    assert said(lambda: warn_of_lost_weights("to", np.zeros(0), unit, **nothing)) == []
    both = np.array([unit / 2, 130 * unit])
    assert said(lambda: warn_of_lost_weights("to", both, unit, **nothing)) == []
    both[1] = 120 * unit
    assert len(said(lambda: warn_of_lost_weights("to", both, unit, **nothing))) == 1
