"""The equations that explanations rest on say what every backend does, step by step, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl.backends.spec import BackendSpec
from neurorl.testing import FEATURES, random_network
from neurorl.validation.cause import error_of, of_replay
from neurorl.validation.history import Scenario
from neurorl.validation.subject import Subject, make_stimulus, make_subject
from neurorl.validation.variants import PLAIN

SPECS = [
    BackendSpec("reference", "float"),
    BackendSpec("reference", "loihi"),
    BackendSpec("brian2", "float", engine="numpy"),
    BackendSpec("loihi", "loihi"),
]
HUGE = "more neurons than a core"
# Its steps are compared, not predicted (test_equation_neurons_validated.py).
BY_EQUATIONS = "neurons by equations"
UNPREDICTED = {
    *("synapses as a list", "a delay for each synapse", "short-term plasticity"),
    *("values for each step", "gap junctions"),
}


def assert_predicted(subject: Subject, spec: BackendSpec, window: int, seed: int = 5) -> int:
    """Return the spikes that were predicted."""
    stimulus = make_stimulus(subject, 120, seed, spec.chosen_arithmetic)
    scenario = Scenario(subject, stimulus, seed)
    seen = scenario.replay(scenario.record(spec), window)
    assert seen.repeats
    count = 0
    for population in subject.network.populations:
        trial = of_replay(subject.network, seen, population)
        assert trial.follows, population.name
        assert error_of(trial) == 0
        predicted = trial.plain["spikes"]
        last = len(predicted) - 1
        if not any(call.fresh for call in seen.calls[seen.window :]):
            free = trial.run(PLAIN, seen.first, last)
            assert np.array_equal(free, predicted[last])
        count += int(predicted[seen.first :].sum())
    return count


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)
@pytest.mark.parametrize("feature", sorted(set(FEATURES) - {HUGE, BY_EQUATIONS} - UNPREDICTED))
def test_of_every_feature(feature: str, spec: BackendSpec) -> None:
    for window in (0, 2):
        assert assert_predicted(make_subject(feature), spec, window) > 0


@pytest.mark.parametrize("spec", SPECS[:2], ids=lambda spec: spec.label)
@pytest.mark.parametrize("seed", range(12))
def test_of_random_networks(seed: int, spec: BackendSpec) -> None:
    network = random_network(seed, delays=True, currents=seed % 2 == 0)
    assert_predicted(Subject("random", network), spec, 1, seed)


@pytest.mark.parametrize("model", ["lif", "glm", "lif-spiking-critic"])
@pytest.mark.parametrize("spec", [SPECS[0], SPECS[3]], ids=lambda spec: spec.label)
def test_of_every_model(model: str, spec: BackendSpec) -> None:
    assert assert_predicted(make_subject(model), spec, 3) > 0


def test_of_a_network_that_carries_its_state_on() -> None:
    overrides: dict[str, Any] = {"carries": True}
    subject = make_subject("lif", overrides=overrides)
    for spec in (SPECS[0], SPECS[3]):
        assert assert_predicted(subject, spec, 2) > 0
