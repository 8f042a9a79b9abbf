"""Spiking networks described once, trained with reward, run on Brian2 or Loihi.

The names below are imported when they are first used, so ``import neurorl`` is quick; importing it
also registers ``neurorl/GridWorld-v0`` with Gymnasium.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from neurorl._version import __version__
from neurorl.registration import register

if TYPE_CHECKING:
    from neurorl.agent import SpikingActorCritic as SpikingActorCritic
    from neurorl.backend import available_backends as available_backends
    from neurorl.backend import load as load
    from neurorl.description import Network as Network
    from neurorl.description import Plasticity as Plasticity
    from neurorl.description import Population as Population
    from neurorl.description import Projection as Projection
    from neurorl.description import Source as Source
    from neurorl.description import Uniform as Uniform
    from neurorl.errors import EnvironmentWarning as EnvironmentWarning
    from neurorl.errors import FallbackWarning as FallbackWarning
    from neurorl.errors import NeurorlError as NeurorlError
    from neurorl.errors import PopulationWarning as PopulationWarning
    from neurorl.reparameterization.agent import (
        ReparameterizedActorCritic as ReparameterizedActorCritic,
    )
    from neurorl.validation import validate as validate

_HOME = {
    "EnvironmentWarning": "neurorl.errors",
    "FallbackWarning": "neurorl.errors",
    "Network": "neurorl.description",
    "NeurorlError": "neurorl.errors",
    "Plasticity": "neurorl.description",
    "Population": "neurorl.description",
    "PopulationWarning": "neurorl.errors",
    "Projection": "neurorl.description",
    "Source": "neurorl.description",
    "ReparameterizedActorCritic": "neurorl.reparameterization.agent",
    "SpikingActorCritic": "neurorl.agent",
    "Uniform": "neurorl.description",
    "available_backends": "neurorl.backend",
    "load": "neurorl.backend",
    "validate": "neurorl.validation",
}

__all__ = [*_HOME, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'neurorl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


register()
