"""Check that libraries of a wheel serve agents of tasks that nobody listed."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from load_script import load_script

from neurorl import SpikingActorCritic
from neurorl.backends.native.printer import ENGINE, printed
from neurorl.native.build import kernels
from neurorl.testing.networks import FEATURES


@pytest.fixture(scope="module")
def script() -> Any:
    return load_script("compile_libraries")


@pytest.fixture(scope="module")
def names(script: Any) -> set[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {*script.sources()}


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("Acrobot-v1", {}),
        ("CliffWalking-v1", {}),
        ("Blackjack-v1", {}),
        ("MountainCarContinuous-v0", {}),
        ("neurorl/Bandit-v0", {}),
        ("MountainCar-v0", {"model": "glm", "hidden": 5}),
        ("Acrobot-v1", {"hidden": (7, 4)}),
    ],
)
@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_other_tasks_have_structures_that_are_shipped(
    task: str, options: dict[str, Any], arithmetic: str, names: set[str]
) -> None:
    agent = SpikingActorCritic(task, backend="reference", arithmetic=arithmetic, **options)
    code = printed(agent.backend.simulated.program)
    agent.close()
    assert code.general.name() in names
    assert code.source.name() not in names


def test_what_all_networks_share_is_shipped_even_if_no_agent_is_asked_for(script: Any) -> None:
    tried = ("float", "loihi", "xylo")  # by neurorl doctor
    programs = (script.program_of(FEATURES["LIF"](), arithmetic, 0) for arithmetic in tried)
    expected = {kernels().name(), ENGINE.name(), *(printed(p).general.name() for p in programs)}
    assert {*script.sources("no agent")} == expected
