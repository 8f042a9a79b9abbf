"""Makes Gymnasium know this package's environments; runs when neurorl is imported."""

from __future__ import annotations

from gymnasium.envs import registration

__all__ = ["BANDIT_ID", "GRID_ID", "register"]

BANDIT_ID = "neurorl/Bandit-v0"
GRID_ID = "neurorl/GridWorld-v0"


def register() -> None:
    """Make ``gymnasium.make('neurorl/GridWorld-v0')`` and the like work; may be called again."""
    if GRID_ID not in registration.registry:
        registration.register(GRID_ID, "neurorl.envs:GridWorldEnv", max_episode_steps=300)
    if BANDIT_ID not in registration.registry:
        registration.register(BANDIT_ID, "neurorl.envs:BanditEnv")
