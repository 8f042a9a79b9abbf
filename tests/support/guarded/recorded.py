"""Go on with pretrained agents."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from guarded.agents import played
from neurorl import SpikingActorCritic

_STEPS = 60
_AGENTS = (
    *("acrobot-default", "cartpole-glm-agreement", "cartpole-lif", "cartpole-lif-chip"),
    *("cartpole-lif-spiking-critic-chip", "cartpole-lif-td-stdp", "frozenlake-default"),
    *("gridworld-glm", "gridworld-lif-coagent", "mountaincar-lif-spikes-only-hebbian"),
    *("mountaincarcontinuous-default", "pendulum-default"),
)


def _go_on(name: str) -> dict[str, Any]:
    """Return what a pretrained agent does and knows after some more steps of learning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agent = SpikingActorCritic.load(f"zoo:{name}", backend="reference")
        return played(agent, _STEPS)


RECORDED: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    f"zoo:{name}": partial(_go_on, name) for name in _AGENTS
}
"""Map the names of what goes on from files to what computes it."""
