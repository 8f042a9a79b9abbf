"""Hold the settings and figures that RL Baselines3 Zoo publishes for tasks of the suite.

Source: https://github.com/DLR-RM/rl-baselines3-zoo, commit 22e3ff2 of April 2026: settings of
hyperparams/ppo.yml and dqn.yml, figures of benchmark.md. Those of LunarLander were made on its
version 2. Each figure is of one run, greedy, after as many steps as are said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Setting:
    """Hold how a learner is made.

    arguments: of its constructor. n_envs: environments played at once. normalizes: whether
    observations and rewards are divided by their running deviations. falling: arguments that fall
    to 0 in proportion to what is left of the steps.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    n_envs: int = 1
    normalizes: bool = False
    falling: tuple[str, ...] = ()


@dataclass(frozen=True)
class Figure:
    """Hold a published mean return; steps: of training."""

    learner: str
    steps: str
    mean_return: float

    def __str__(self) -> str:
        return f"{self.learner} {self.mean_return:.1f} ({self.steps})"


_WIDE = {"net_arch": [256, 256]}
_OFTEN = {
    "learning_rate": 6.3e-4,
    "batch_size": 128,
    "buffer_size": 50_000,
    "learning_starts": 0,
    "gamma": 0.99,
    "target_update_interval": 250,
    "train_freq": 4,
    "gradient_steps": -1,
    "exploration_fraction": 0.12,
    "exploration_final_eps": 0.1,
    "policy_kwargs": _WIDE,
}
_DQN = {
    "CartPole": Setting(
        {
            "learning_rate": 2.3e-3,
            "batch_size": 64,
            "buffer_size": 100_000,
            "learning_starts": 1000,
            "gamma": 0.99,
            "target_update_interval": 10,
            "train_freq": 256,
            "gradient_steps": 128,
            "exploration_fraction": 0.16,
            "exploration_final_eps": 0.04,
            "policy_kwargs": _WIDE,
        }
    ),
    "MountainCar": Setting(
        {
            "learning_rate": 4e-3,
            "batch_size": 128,
            "buffer_size": 10_000,
            "learning_starts": 1000,
            "gamma": 0.98,
            "target_update_interval": 600,
            "train_freq": 16,
            "gradient_steps": 8,
            "exploration_fraction": 0.2,
            "exploration_final_eps": 0.07,
            "policy_kwargs": _WIDE,
        }
    ),
    "Acrobot-v1": Setting(_OFTEN),
    "LunarLander-v3": Setting(_OFTEN),
}
_PPO = {
    "CartPole": Setting(
        {
            "n_steps": 32,
            "batch_size": 256,
            "gae_lambda": 0.8,
            "gamma": 0.98,
            "n_epochs": 20,
            "ent_coef": 0.0,
            "learning_rate": 1e-3,
            "clip_range": 0.2,
        },
        n_envs=8,
        falling=("learning_rate", "clip_range"),
    ),
    "MountainCar": Setting(
        {"n_steps": 16, "gae_lambda": 0.98, "gamma": 0.99, "n_epochs": 4, "ent_coef": 0.0},
        n_envs=16,
        normalizes=True,
    ),
    "Acrobot-v1": Setting(
        {"n_steps": 256, "gae_lambda": 0.94, "gamma": 0.99, "n_epochs": 4, "ent_coef": 0.0},
        n_envs=16,
        normalizes=True,
    ),
    "Pendulum-v1": Setting(
        {
            "n_steps": 1024,
            "gae_lambda": 0.95,
            "gamma": 0.9,
            "n_epochs": 10,
            "ent_coef": 0.0,
            "learning_rate": 1e-3,
            "clip_range": 0.2,
            "use_sde": True,
            "sde_sample_freq": 4,
        },
        n_envs=4,
    ),
    "MountainCarContinuous-v0": Setting(
        {
            "batch_size": 256,
            "n_steps": 8,
            "gamma": 0.9999,
            "learning_rate": 7.77e-5,
            "ent_coef": 0.00429,
            "clip_range": 0.1,
            "n_epochs": 10,
            "gae_lambda": 0.9,
            "max_grad_norm": 5,
            "vf_coef": 0.19,
            "use_sde": True,
            "policy_kwargs": {"log_std_init": -3.29, "ortho_init": False},
        },
        normalizes=True,
    ),
    "LunarLander-v3": Setting(
        {
            "n_steps": 1024,
            "batch_size": 64,
            "gae_lambda": 0.98,
            "gamma": 0.999,
            "n_epochs": 4,
            "ent_coef": 0.01,
        },
        n_envs=16,
    ),
}
SETTINGS: Mapping[str, Mapping[str, Setting]] = {"DQN": _DQN, "PPO": _PPO, "recurrent PPO": {}}
"""Map each learner to its settings by the names of tasks."""

FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "CartPole": (Figure("DQN", "50k", 500.0), Figure("PPO", "100k", 500.0)),
    "MountainCar": (Figure("DQN", "120k", -100.849), Figure("PPO", "1M", -110.423)),
    "Acrobot-v1": (Figure("DQN", "100k", -76.639), Figure("PPO", "1M", -73.506)),
    "Pendulum-v1": (Figure("SAC", "20k", -156.995), Figure("PPO", "100k", -172.225)),
    "MountainCarContinuous-v0": (Figure("SAC", "50k", 94.679), Figure("PPO", "20k", 88.343)),
    "LunarLander-v3": (Figure("DQN", "100k", 154.382), Figure("PPO", "1M", 242.119)),
}
"""Map the names of tasks to figures."""
