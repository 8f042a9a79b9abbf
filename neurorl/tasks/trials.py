"""Play an endless task of trials, such as NeuroGym's, trial by trial."""

from __future__ import annotations

from typing import Any

import gymnasium as gym

from neurorl.storage.plain import PlainData
from neurorl.tasks.kinds import Environment, Shown


class Trials(gym.Wrapper[Any, Any, Any, Any], gym.utils.RecordConstructorArgs):
    """Make an episode of each trial, with *metric* as its return.

    env: sets *ends* in its info when a trial is over, as NeuroGym does with ``new_trial``. metric:
    key of the info in the step that ends a trial, such as NeuroGym's ``performance``, 1 for a right
    answer; None keeps the rewards. A trial terminates its episode. A reset with a seed also calls
    the environment's own ``seed``, if it has one: NeuroGym draws by that alone, so trials couldn't
    be repeated without it.
    """

    def __init__(
        self, env: Environment, metric: str | None = "performance", ends: str = "new_trial"
    ) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, metric=metric, ends=ends)
        super().__init__(env)
        self._metric, self._ends = metric, ends

    def reset(
        self, *, seed: int | None = None, options: PlainData | None = None
    ) -> tuple[Shown, PlainData]:
        sow = getattr(self.env.unwrapped, "seed", None)
        if seed is not None and callable(sow):
            sow(seed)
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Shown) -> tuple[Shown, float, bool, bool, PlainData]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        is_over = bool(info.get(self._ends, False))
        paid = float(reward)
        if self._metric is not None:
            paid = float(info.get(self._metric, 0.0)) if is_over else 0.0
        return observation, paid, bool(terminated) or is_over, bool(truncated), info
