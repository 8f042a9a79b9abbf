"""A policy that is stuck may lack a memory, so its warning names one as a remedy."""

from __future__ import annotations

import gymnasium as gym
import pytest

from neurorl.diagnostics.verdicts import message, message_of_returns
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.known import POSITION_ONLY_ID

STUCK = {"kind": "stuck", "since_episode": 59, "value": 0.99, "limit": 0.98}
FLAT = {"kind": "flat", "since_episode": 500, "value": 0.0, "limit": 500}


@pytest.mark.parametrize(("env", "names"), [("CartPole-v1", True), (POSITION_ONLY_ID, False)])
def test_memories_are_named_where_there_are_none(env: str, names: bool) -> None:
    config = make_config(gym.make(env))
    output = config.network(2).node("output")
    stuck = message(output, config, 7, STUCK, from_start=False, action=0)  # type: ignore[arg-type]
    for said in (stuck, message_of_returns(config, 7, FLAT)):
        assert "lower" in said
        assert ("memories=(0.9,) or stacked observations" in said) == names
