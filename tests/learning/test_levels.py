"""Float weights learn by levels: the definition, in numbers that can be checked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

import neurorl
from neurorl import Network, Plasticity, Population, Projection, Source
from neurorl.errors import DefinitionWarning, DivergenceError
from neurorl.learning.levels import FADED, Levels, remember
from neurorl.models import LIF

GRID = 2.0**-32


def one_synapse(plasticity: Plasticity, weight: float) -> Network:
    """Return a network in which two inputs always make a cell spike, and one of them learns."""
    return Network(
        nodes=(Source("in", 1), Source("force", 1), Population("cell", 1, LIF(0.0, threshold=1.0))),
        projections=(
            Projection("learns", "in", "cell", weight, plasticity=plasticity),
            Projection("forces", "force", "cell", 4.0),
        ),
        dt=1e-3,
    )


@pytest.mark.parametrize(
    ("low", "high", "unit"),
    [
        (-1.0, 1.0, 2.0**-28),
        (0.0, 4.0, 2.0**-26),
        (-3.0, 1.0, 2.0**-26),
        (-1.0, 1.0 + 2**-50, 2.0**-27),
        (-0.01, 0.02, GRID),
    ],
)
def test_the_unit_is_of_the_larger_bound(low: float, high: float, unit: float) -> None:
    levels = Levels.of(GRID, low, high)
    assert levels.unit == unit
    assert max(-levels.least, levels.largest) <= 2**28


def test_bounds_are_rounded_inwards() -> None:
    levels = Levels.of(GRID, -0.3, 0.7)
    ends = levels.nearest(np.array([-1.0, 1.0]))
    assert -0.3 <= ends[0] < -0.3 + levels.unit
    assert 0.7 - levels.unit < ends[1] <= 0.7
    narrow = Levels.of(GRID, 0.5 + 2**-40, 0.5 + 2**-39)
    assert narrow.least == narrow.largest == 2**27


def test_weights_change_by_whole_levels() -> None:
    levels = Levels.of(GRID, -1.0, 1.0)
    w, e = levels.nearest(np.full(5, 0.25)), np.array([0.5, 1.5, 2.5, -0.4, 1e30], dtype=np.float32)
    steps = (levels.changed(w, e, levels.unit) - 0.25) / levels.unit
    assert steps.tolist() == [0.0, 2.0, 2.0, 0.0, 0.75 * 2**28]


def test_eligibilities_are_rounded_after_each_operation() -> None:
    start, keep, tag = np.float32(1 / 3), 0.9, np.array([1e-9])
    e = np.array([start])
    remember(e, keep, tag)
    assert e[0] == np.float32(start * np.float32(keep)) + np.float32(1e-9)
    shadow = np.array([1 / 3])
    remember(shadow, keep, tag)
    assert shadow[0] == 1 / 3 * keep + 1e-9


def test_what_has_faded_is_zero() -> None:
    e = np.array([FADED, -FADED], dtype=np.float32)
    remember(e, 1.0, np.zeros(2))
    assert np.abs(e).tolist() == [FADED, FADED]
    remember(e, 0.99, np.zeros(2))
    assert not e.any()


def test_learning_begins_on_levels_within_the_bounds() -> None:
    network = one_synapse(Plasticity(low=-0.5, high=2 / 3), 1 / 3)
    with neurorl.load("reference", network) as backend:
        drawn = backend.weights("learns").item()
        learning = neurorl.Learning(backend)
        levels = Levels.of(backend.arithmetic.rounding("learns").unit, -0.5, 2 / 3)
        w = learning.weights("learns").item()
        assert w == backend.weights("learns").item() == levels.nearest(np.array(drawn)).item()
        assert w != drawn
        assert math.remainder(w, levels.unit) == 0.0


def test_steps_beyond_float32_are_refused() -> None:
    with neurorl.load("reference", one_synapse(Plasticity(), 0.5)) as backend:
        learning = neurorl.Learning(backend, rate=1e25)
        before = learning.weights("learns")
        spikes = np.ones((3, 1), dtype=bool)
        learning.window({"in": spikes, "force": spikes}, 3)
        with pytest.raises(DivergenceError, match="not finite"):
            learning.reinforce(1e20)
        assert np.array_equal(learning.weights("learns"), before)


def test_an_older_agent_goes_on_with_a_warning() -> None:
    agent = neurorl.SpikingActorCritic("neurorl/GridWorld-v0", seed=3)
    agent.learn(total_episodes=1)
    state = agent.state()
    older = {name: a for name, a in state.items() if name != "learner.definition"}
    agent.restore(state)
    with pytest.warns(DefinitionWarning, match="seed 3: was begun by another definition"):
        agent.restore(older)
    agent.close()
