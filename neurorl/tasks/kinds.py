"""Name Gymnasium's types, for observations and actions of any kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym

Shown = Any
"""Represent what an environment shows, or an action that it takes: of any form."""

Environment = gym.Env[Any, Any]
"""Represent an environment."""

Space = gym.Space[Any]
"""Represent a space of observations or actions."""

VectorEnvironment = gym.vector.VectorEnv[Any, Any, Any]
"""Represent environments that are stepped together."""

Maker = Callable[[], Environment]
"""Represent a function or class that makes an environment when it is called."""

OF_NUMBERS = (
    *(gym.spaces.Box, gym.spaces.Discrete),
    *(gym.spaces.MultiDiscrete, gym.spaces.MultiBinary),
)
"""Name the spaces of numbers."""


def parts_of(space: Space) -> dict[Any, Space]:
    """Return the parts of a Dict by key or of a Tuple by place; empty for another space."""
    if isinstance(space, gym.spaces.Dict):
        return dict(space.spaces)
    return dict(enumerate(space.spaces)) if isinstance(space, gym.spaces.Tuple) else {}


def layers_of(env: Environment) -> list[Environment]:
    """Return *env*, the environment that it wraps, and so on to the innermost."""
    layers = [env]
    while isinstance(layers[-1], gym.Wrapper):
        layers.append(layers[-1].env)
    return layers
