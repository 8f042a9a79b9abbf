"""The equations that explanations rest on say what every backend does, step by step, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl.testing import FEATURES, random_network
from neurorl.validation.cause import expected_weights
from neurorl.validation.equations import Change, Trial
from neurorl.validation.lanes import Lane
from neurorl.validation.recording import record
from neurorl.validation.replay import VARIABLES, replay
from neurorl.validation.stimulus import make_stimulus
from neurorl.validation.subject import Subject, make_subject

LANES = [
    Lane("reference", "float"),
    Lane("reference", "loihi"),
    Lane("brian2", "float", {"engine": "numpy"}),
    Lane("loihi", "loihi"),
]
HUGE = "more neurons than a core"


def assert_predicted(subject: Subject, lane: Lane, window: int, seed: int = 5) -> int:
    """Spikes that were predicted."""
    stimulus = make_stimulus(subject, 120, seed, lane.arithmetic)
    recording = record(subject, lane, stimulus, seed)
    seen = replay(subject, recording, stimulus, window, seed)
    assert seen.repeats
    count = 0
    for population in subject.network.populations:
        expected = expected_weights(subject, recording.arithmetic, seed)
        trial = Trial(subject.network, seen, population, expected, seed)
        predicted = trial.predict(Change("", ""))
        assert np.array_equal(predicted.spikes, seen.raster(population.name)), population.name
        for name in VARIABLES:
            states = seen.states[population.name][name][1:]
            assert np.array_equal(getattr(predicted, name), states), (population.name, name)
        free = trial.run(Change("", ""), 0, seen.n_steps - 1)
        if not seen.fresh:
            assert np.array_equal(free.spikes, predicted.spikes)
        count += int(predicted.spikes.sum())
    return count


@pytest.mark.parametrize("lane", LANES, ids=lambda lane: lane.label)
@pytest.mark.parametrize("feature", sorted(set(FEATURES) - {HUGE}))
def test_of_every_feature(feature: str, lane: Lane) -> None:
    for window in (0, 2):
        assert assert_predicted(make_subject(feature), lane, window) > 0


@pytest.mark.parametrize("lane", LANES[:2], ids=lambda lane: lane.label)
@pytest.mark.parametrize("seed", range(12))
def test_of_random_networks(seed: int, lane: Lane) -> None:
    network = random_network(seed, delays=True, currents=seed % 2 == 0)
    assert_predicted(Subject("random", network), lane, 1, seed)


@pytest.mark.parametrize("model", ["lif", "glm", "lif-spiking-critic"])
@pytest.mark.parametrize("lane", [LANES[0], LANES[3]], ids=lambda lane: lane.label)
def test_of_every_model(model: str, lane: Lane) -> None:
    assert assert_predicted(make_subject(model), lane, 3) > 0


def test_of_a_network_that_carries_its_state_on() -> None:
    overrides: dict[str, Any] = {"carries": True}
    subject = make_subject("lif", overrides=overrides)
    for lane in (LANES[0], LANES[3]):
        assert assert_predicted(subject, lane, 2) > 0
