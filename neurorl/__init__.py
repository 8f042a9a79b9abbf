"""Describe spiking networks once, train them with reward, run them on Brian2 or Loihi.

The names below are imported when they are first used, so ``import neurorl`` is quick; importing it
also registers ``neurorl/GridWorld-v0`` with Gymnasium.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

from neurorl._version import __version__

try:
    from neurorl.tasks.known import register
except KeyboardInterrupt:
    if sys.argv[0] != "-m" and os.path.basename(sys.argv[0]) != "neurorl":
        raise
    print("neurorl: stopped", file=sys.stderr)  # the command line can't yet say so
    raise SystemExit(130) from None

if TYPE_CHECKING:
    from neurorl.agents.evaluation import evaluate as evaluate
    from neurorl.agents.linear import LinearActorCritic as LinearActorCritic
    from neurorl.agents.local import SpikingActorCritic as SpikingActorCritic
    from neurorl.agents.recorder import Recorder as Recorder
    from neurorl.backends.poisson import Poisson as Poisson
    from neurorl.backends.recording import Recording as Recording
    from neurorl.backends.registry import available_backends as available_backends
    from neurorl.backends.registry import load as load
    from neurorl.backends.spike_times import SpikeTimes as SpikeTimes
    from neurorl.backends.spike_times import step_times as step_times
    from neurorl.errors import EnvironmentWarning as EnvironmentWarning
    from neurorl.errors import FallbackWarning as FallbackWarning
    from neurorl.errors import GridWarning as GridWarning
    from neurorl.errors import NeurorlError as NeurorlError
    from neurorl.errors import PopulationWarning as PopulationWarning
    from neurorl.learning.by_statements import SynapseLearning as SynapseLearning
    from neurorl.learning.standalone import Learning as Learning
    from neurorl.models.agent.config import AgentConfig as AgentConfig
    from neurorl.network.description import Network as Network
    from neurorl.network.description import Normal as Normal
    from neurorl.network.description import Plasticity as Plasticity
    from neurorl.network.description import Population as Population
    from neurorl.network.description import Projection as Projection
    from neurorl.network.description import Source as Source
    from neurorl.network.description import TsodyksMarkram as TsodyksMarkram
    from neurorl.network.description import Uniform as Uniform
    from neurorl.network.restoring import load_network as load_network
    from neurorl.network.restoring import save_network as save_network
    from neurorl.reparameterization.agent import (
        ReparameterizedActorCritic as ReparameterizedActorCritic,
    )
    from neurorl.validation import validate as validate

_HOME = {
    "EnvironmentWarning": "neurorl.errors",
    "FallbackWarning": "neurorl.errors",
    "GridWarning": "neurorl.errors",
    "Learning": "neurorl.learning.standalone",
    "LinearActorCritic": "neurorl.agents.linear",
    "Network": "neurorl.network.description",
    "NeurorlError": "neurorl.errors",
    "Normal": "neurorl.network.description",
    "Plasticity": "neurorl.network.description",
    "Poisson": "neurorl.backends.poisson",
    "Population": "neurorl.network.description",
    "PopulationWarning": "neurorl.errors",
    "Projection": "neurorl.network.description",
    "Recorder": "neurorl.agents.recorder",
    "Recording": "neurorl.backends.recording",
    "Source": "neurorl.network.description",
    "SynapseLearning": "neurorl.learning.by_statements",
    "SpikeTimes": "neurorl.backends.spike_times",
    "step_times": "neurorl.backends.spike_times",
    "ReparameterizedActorCritic": "neurorl.reparameterization.agent",
    "AgentConfig": "neurorl.models.agent.config",
    "SpikingActorCritic": "neurorl.agents.local",
    "evaluate": "neurorl.agents.evaluation",
    "TsodyksMarkram": "neurorl.network.description",
    "Uniform": "neurorl.network.description",
    "load_network": "neurorl.network.restoring",
    "save_network": "neurorl.network.restoring",
    "available_backends": "neurorl.backends.registry",
    "load": "neurorl.backends.registry",
    "validate": "neurorl.validation",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "plot":
        return importlib.import_module("neurorl.plot")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'neurorl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


register()
