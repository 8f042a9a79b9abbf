"""Register this package's environments, and list the tasks that have presets.

A preset was made for an id with its spaces. An environment that is wrapped, or made with other
arguments, keeps its id, though observations or actions may differ; then settings chosen for the
task don't fit.
"""

from __future__ import annotations

import gymnasium as gym
import numpy as np
from gymnasium.envs import registration
from gymnasium.spaces import Box, Discrete

from neurorl.numerics.arrays import Array, FloatArray
from neurorl.storage.plain import Named, PlainData
from neurorl.tasks.kinds import Environment, Space, layers_of

BANDIT_ID = "neurorl/Bandit-v0"
GRID_ID = "neurorl/GridWorld-v0"
VARIANT_ID = "neurorl/CartPole-v0"
AUTHORS_CARTPOLE_ID = "neurorl/AuthorsCartPole-v0"
AUTHORS_MOUNTAINCAR_ID = "neurorl/AuthorsMountainCar-v0"
POSITION_ONLY_ID = "neurorl/PositionOnlyCartPole-v0"
_CART = {"max_episode_steps": 500, "reward_threshold": 475.0}
_ENVS: dict[str, tuple[str, PlainData]] = {
    GRID_ID: ("neurorl.tasks.environments:GridWorldEnv", {"max_episode_steps": 300}),
    BANDIT_ID: ("neurorl.tasks.environments:BanditEnv", {}),
    VARIANT_ID: ("neurorl.tasks.cartpole:CartPoleVariantEnv", _CART),
    POSITION_ONLY_ID: (
        "neurorl.tasks.cartpole:CartPoleVariantEnv",
        {**_CART, "kwargs": {"velocities": False}},
    ),
    AUTHORS_CARTPOLE_ID: ("neurorl.tasks.authors:AuthorsCartPoleEnv", {"max_episode_steps": 200}),
    AUTHORS_MOUNTAINCAR_ID: (
        "neurorl.tasks.authors:AuthorsMountainCarEnv",
        {"max_episode_steps": 5001},
    ),
}


def register() -> None:
    """Register ids such as ``neurorl/GridWorld-v0`` for ``gymnasium.make``; may be called again."""
    for env_id, (entry_point, options) in _ENVS.items():
        if env_id not in registration.registry:
            registration.register(env_id, entry_point, **options)


_INF = np.inf
_TILT = 24.0 / 180.0 * np.pi
_HUGE = 1e37
"""Take bounds beyond this for infinite: Gymnasium used to write the largest float32 for
infinity."""

_OF_SHOWING = frozenset({"render_mode", "screen_width", "screen_height"})


def _box(low: tuple[float, ...], high: tuple[float, ...]) -> Box:
    return Box(np.array(low, np.float32), np.array(high, np.float32), dtype=np.float32)


_SPACES: dict[str, tuple[Space, Space]] = {
    BANDIT_ID: (Discrete(6), Discrete(4)),
    GRID_ID: (Discrete(100, start=1), Discrete(4)),
    "CartPole-v1": (_box((-4.8, -_INF, -_TILT, -_INF), (4.8, _INF, _TILT, _INF)), Discrete(2)),
    POSITION_ONLY_ID: (_box((-4.8, -_TILT), (4.8, _TILT)), Discrete(2)),
    "MountainCar-v0": (_box((-1.2, -0.07), (0.6, 0.07)), Discrete(3)),
}


def task_of(env: Environment) -> str:
    """Return the id of *env* if its spaces equal the spaces of the known task, else ``''``."""
    name = env.spec.id if env.spec is not None else ""
    return "" if other_spaces(env) else name


def other_spaces(env: Environment) -> str:
    """Return the space in which *env* differs from the known task of its id, else ``''``."""
    known = _SPACES.get(env.spec.id if env.spec is not None else "")
    if known is None:
        return ""
    pairs = zip((env.observation_space, env.action_space), known, strict=True)
    unlike = (f"{own}, not {task}" for own, task in pairs if not is_like(own, task))
    return next(unlike, "")


def pays_otherwise(env: Environment) -> bool:
    """Return whether the rewards may differ from those of the registered task.

    A wrapper may change them, or the task was made with other arguments, such as CartPole's
    ``sutton_barto_reward``.
    """
    changing = gym.RewardWrapper, gym.wrappers.NormalizeReward
    is_changed = any(isinstance(layer, changing) for layer in layers_of(env))
    return is_changed or _has_other_arguments(env)


def _has_other_arguments(env: Environment) -> bool:
    """Return whether the task was made with other arguments than it is registered with."""
    spec = env.unwrapped.spec
    registered = None if spec is None else gym.registry.get(spec.id)
    if spec is None or registered is None:
        return False
    return _shown(spec.kwargs) != _shown(registered.kwargs)


def _shown(arguments: Named) -> dict[str, str]:
    """Return arguments as text, because == of arrays isn't one bool."""
    return {name: repr(value) for name, value in arguments.items() if name not in _OF_SHOWING}


def is_like(space: Space, other: Space) -> bool:
    """Return whether two spaces, Discrete or Box, have the same values; float widths may differ."""
    if isinstance(space, Discrete) and isinstance(other, Discrete):
        return (int(space.n), int(space.start)) == (int(other.n), int(other.start))
    if not (isinstance(space, Box) and isinstance(other, Box) and space.shape == other.shape):
        return False
    if np.dtype(space.dtype).kind != np.dtype(other.dtype).kind:
        return False
    bounds = ((space.low, other.low), (space.high, other.high))
    return all(np.allclose(_unbounded(a), _unbounded(b), rtol=1e-4) for a, b in bounds)


def _unbounded(bound: Array) -> FloatArray:
    values = bound.astype(np.float64)
    return np.where(np.abs(values) > _HUGE, np.sign(values) * np.inf, values)
