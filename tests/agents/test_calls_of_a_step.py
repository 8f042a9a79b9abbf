"""Count the library's own Python calls in a step of learning, which is what Python costs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType

import pytest

import neurorl
from neurorl import SpikingActorCritic

HOME = str(Path(neurorl.__file__).resolve().parents[1])
FOLDERS = tuple(f"{HOME}/{name}/" for name in ("neurorl", "backends", "models"))


def calls_of_a_step(backend: str, steps: int = 200) -> float:
    agent = SpikingActorCritic("CartPole-v1", seed=1, backend=backend)
    agent.learn(total_steps=100)
    count = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(FOLDERS)

    before, profile = agent.steps_taken, sys.getprofile()
    sys.setprofile(note)
    try:
        agent.learn(total_steps=before + steps)
    finally:
        sys.setprofile(profile)
    return count / (agent.steps_taken - before)


@pytest.mark.parametrize(("backend", "most"), [("native", 9), ("reference", 150)])
def test_a_step_takes_few_calls(backend: str, most: float) -> None:
    assert 1 < calls_of_a_step(backend) < most
