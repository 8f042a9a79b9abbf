"""Choose what an agent with shared hidden layers sees, by the space of its observations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.models.actor import hidden_sizes
from neurorl.models.agent.critics import Layers
from neurorl.models.agent.encoders import Current, Once
from neurorl.models.agent.policies import Softmax
from neurorl.models.agent.readout_policy import GaussianReadout
from neurorl.models.deep.normalisation import Pool
from neurorl.models.deep.observations import AsSeen, Standardised
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.observations import default_cells
from neurorl.models.features import Raw
from neurorl.models.neurons.leaky import LIF
from neurorl.tasks.kinds import Environment, Space

__all__ = ["DEEP", "deep_defaults", "least_steps_of"]

DEEP: dict[str, Any] = {
    "neuron": LIF(tau_mem=0.0),
    "rule": "spikes-only",  # of modules, which it hasn't
    "trunk": Shared(),
    "critic": Layers(),
    "modulator.limit": 2.0,
    "hidden": 128,
    "weight_bound": 2.0,
    "gamma": 0.99,
    "lambda_actor": 0.8,
    "alpha_hidden": 2e-4,
    "alpha_output": 2e-4,
    "reward_scale": 1.0,
}
"""Map fields of agents with shared hidden layers to their values, whatever the task."""

_NUMBERS: dict[str, Any] = {
    "alpha_hidden": 3e-4,
    "alpha_output": 3e-4,
    "lambda_actor": 0.95,
    "critic": Layers(alpha=3e-4, lambda_=0.95),
}


def deep_defaults(env: Environment) -> dict[str, Any]:
    """Return the fields that follow from an environment's spaces.

    Images of bits or bytes, and numbers of states, enter as they are: as spikes where they are 0 or
    1, else as currents. Other numbers are measured in running deviations.
    """
    seen = _seen(env.observation_space)
    policy = GaussianReadout() if isinstance(env.action_space, gym.spaces.Box) else Softmax(1.0)
    fields = {**seen, "features": seen["cells"], "policy": policy, "window": 2}
    return fields | (_NUMBERS if isinstance(seen["trunk"].observations, Standardised) else {})


def least_steps_of(fields: Mapping[str, Any]) -> int:
    """Return the steps in which an input reaches the readouts of an agent with these fields."""
    sizes = fields["hidden"], getattr(fields["critic"], "hidden", 0)
    depth = max(len(hidden_sizes(size)) for size in sizes)
    has_patches = getattr(fields["trunk"], "patches", None) is not None
    return depth + has_patches + 2 - int(fields["encoder"].flows)


def _seen(space: Space) -> dict[str, Any]:
    """Return cells, encoder and trunk for a space of observations."""
    if isinstance(space, gym.spaces.MultiBinary):
        n = int(np.prod(space.shape))
        return {"cells": Raw(n), "encoder": Once(), "trunk": Shared(observations=AsSeen())}
    if not isinstance(space, gym.spaces.Box):
        return {
            "cells": default_cells(space),
            "encoder": Once(),
            "trunk": Shared(observations=AsSeen()),
        }
    n, kind = int(np.prod(space.shape)), space.dtype.kind if space.dtype else "f"
    if kind == "b":
        return {"cells": Raw(n), "encoder": Once(), "trunk": Shared(observations=AsSeen())}
    if len(space.shape) > 1 and (space.low >= 0).all() and np.isfinite(space.high).all():
        unit = float(space.high.max())
        trunk = Shared(observations=AsSeen())
        return {"cells": Raw(n, unit), "encoder": Current(), "trunk": trunk}
    return {
        "cells": Raw(n),
        "encoder": Current(),
        "trunk": Shared(observations=Standardised(), normalisation=Pool(), centring=0.0),
    }
