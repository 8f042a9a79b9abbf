"""Test what a critic sees of earlier observations, by hand and in every loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.memories import ObservationHistory
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import RBF, Concat, Fourier, GaussianCells, OneHot
from neurorl.tasks.environments import make_env

LOW, HIGH = (-2.4, -0.21), (2.4, 0.21)
CELLS = GaussianCells(LOW, HIGH, 4)
CHANGING = Fourier((*LOW, -0.1, -0.1), (*HIGH, 0.1, 0.1), 1)
POSITIONS = "neurorl/PositionOnlyCartPole-v0"


def test_changes_by_hand() -> None:
    """Two environments each show two changes of an observation of two numbers."""
    history = ObservationHistory(Fourier(np.zeros(6), np.ones(6), 1), 2, 2)
    history.see(1, [9.0, 9.0])
    history.see(0, np.array([1.0, 5.0], dtype=np.float32))
    history.begin(0)
    assert history.flat.tolist()[0] == [1.0, 5.0, 0.0, 0.0, 0.0, 0.0]
    history.see(0, [1.5, 4.0])
    assert history.flat.tolist()[0] == [1.5, 4.0, 0.5, -1.0, 0.0, 0.0]
    history.see(0, [1.75, 7.0])
    assert history.flat.tolist()[0] == [1.75, 7.0, 0.25, 3.0, 0.5, -1.0]
    history.see_again(0, [2.0, 7.0])
    assert history.flat.tolist()[0] == [2.0, 7.0, 0.25, 3.0, 0.5, -1.0]
    assert history.changes.tolist()[0] == [0.25, 3.0, 0.5, -1.0]
    assert history.flat.tolist()[1][:2] == [9.0, 9.0]
    history.see(0, [3.0, 3.0])
    history.begin(0)
    assert history.flat.tolist()[0] == [3.0, 3.0, 0.0, 0.0, 0.0, 0.0]


def test_without_changes_it_is_the_observation() -> None:
    history = ObservationHistory(OneHot(3, start=1), 0, 2)
    history.see(1, 2)
    history.begin(1)
    history.see(1, 3)
    assert history.flat.tolist() == [[0.0], [3.0]]
    assert history.changes.shape == (2, 0)


def agent(**options: Any) -> SpikingActorCritic:
    small = {"actors": 2, "hidden": 2, "cells": CELLS, "features": CHANGING, "critic.changes": 1}
    return SpikingActorCritic(POSITIONS, **{**small, **options})


def test_the_local_rules_critic_sees_them_too() -> None:
    """The features of a terminal state are those of its observation and of the step to it."""
    seen: list[Any] = []
    one = agent(seed=2)
    loop = one._replicas.loop
    see = loop.see

    def note(k: int, observation: Any) -> None:
        see(k, observation)
        seen.append(np.array(observation, dtype=np.float64))

    loop.see = note  # type: ignore[method-assign]
    (episode,) = one.learn(total_episodes=1)
    assert len(seen) == episode.length + 1
    expected = CHANGING.values(np.concatenate([seen[-1], seen[-1] - seen[-2]]))
    assert np.array_equal(loop.memory.x[0], expected)


def test_it_plays_without_them() -> None:
    """A network isn't told: it decides as one whose critic had no changes."""
    told, plain = (
        agent(seed=2),
        agent(seed=2, features=Fourier(LOW, HIGH, 1), **{"critic.changes": 0}),
    )
    for observation in ([0.1, 0.02], [0.3, -0.05], [-1.0, 0.1]):
        assert told.predict(np.array(observation)) == plain.predict(np.array(observation))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"critic.changes": -1}, r"critic\.changes"),
        ({"critic.changes": 1.5}, r"critic\.changes"),
        ({"critic.changes": 2}, "4 numbers.*6"),
        ({"features": Fourier(LOW, HIGH, 1)}, "2 numbers.*4"),
        ({"features": Concat((CHANGING,))}, "features of a plain vector.*Concat"),
        ({"cells": Concat((CELLS,))}, "cells of a plain vector.*Concat"),
        (
            {"critic": "spiking", "features": RBF(np.zeros(4), np.ones(4), 2)},
            "for critic 'linear'",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], words: str) -> None:
    chosen = {"cells": CELLS, "features": CHANGING, "critic.changes": 1, **fields}
    with pytest.raises(DescriptionError, match=words):
        make_config(make_env(POSITIONS), "lif", chosen)


def test_older_configurations_have_none() -> None:
    config = make_config(make_env("CartPole-v1"))
    new = ("input_recalls", "hidden_recalls")
    old = {key: value for key, value in config.to_dict().items() if key not in new}
    assert AgentConfig.from_dict(old) == config
