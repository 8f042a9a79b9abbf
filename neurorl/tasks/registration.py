"""Register this package's environments with Gymnasium, when neurorl is imported."""

from __future__ import annotations

from gymnasium.envs import registration

from neurorl.storage.plain import PlainData

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
