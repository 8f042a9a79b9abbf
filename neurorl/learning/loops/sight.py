"""Hold what agents see in their environments, what they may do there, and what they last did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from neurorl.learning.finite import NotFiniteError, first_not_finite
from neurorl.models.agent.checks import check_remembered
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.memories import ObservationHistory, remembering
from neurorl.models.agent.past import Past
from neurorl.models.agent.policies import Policy
from neurorl.models.features import Features, FromNumbers
from neurorl.numerics.arrays import Array, BoolArray, FloatArray
from neurorl.storage.plain import Named
from neurorl.tasks.actions import allowed_actions
from neurorl.tasks.kinds import Shown


class Sight:
    """Hold what agents see and choose, each in the environment of its number, n in all.

    config: of every agent.
    groups, n_actions: sizes of the groups of actions, and their sum.
    actions: chosen last, ``(n,)``; for several choices or numbers ``(n, groups)``.
    paid: what each agent's last step was paid, ``(n,)``, for those that see it.
    decided: how many of them each agent has taken in its episode, ``(n,)``.
    masked: which agents may choose only actions in *allowed*, ``(n, n_actions)``.
    has_masks: whether any agent is masked.
    """

    config: AgentConfig
    n: int

    def _hold_choices(self, policy: Policy, n_actions: int | Sequence[int]) -> None:
        """Make the arrays of what agents choose and may choose, by a policy of these actions."""
        self.policy = policy
        self.groups = (n_actions,) if isinstance(n_actions, int) else tuple(n_actions)
        self.n_actions = sum(self.groups)
        self._first_of = np.cumsum([0, *self.groups[:-1]])
        continuous = self.policy.is_continuous
        shape = (self.n, len(self.groups)) if continuous or len(self.groups) > 1 else (self.n,)
        self.actions: Array = np.zeros(shape, float if continuous else np.int64)
        self.decided = np.zeros(self.n, dtype=np.int64)
        self.allowed = np.ones((self.n, self.n_actions), dtype=np.bool_)
        self.masked, self.has_masks = np.zeros(self.n, dtype=np.bool_), False

    def _hold_seen(self) -> None:
        """Make the arrays of what agents see, by the cells and features of `config`."""
        config = self.config
        self.cells, self.features = map(self._as_seen, (config.cells, config.features))
        self._cells_flat = np.zeros((self.n, self.cells.n_inputs))
        self.paid = np.zeros(self.n)
        past = Past.of(config)
        self._memories = remembering(past, config.cells, self.n, len(self.groups))
        self._history = ObservationHistory(self.features, config.critic.changes, self.n)
        self._features_flat = self._history.flat
        maps = (self.cells, self.features)
        plain = all(getattr(type(of), "flat", None) is FromNumbers.flat for of in maps)
        # Whether cells and features see an observation as the same numbers.
        self._alike = plain and self.cells.n_inputs == self.features.n_inputs
        if self._alike:
            self._features_flat = self._cells_flat

    def see(self, k: int, observation: Shown) -> None:
        """Take what agent k's environment shows."""
        if self._memories is not None:
            observation = self._memories.see(k, observation, self.actions[k], self.paid[k])
        if self._alike and getattr(observation, "ndim", 0) < 2:
            self._cells_flat[k] = observation
            return
        self._cells_flat[k] = self.cells.flat(observation)
        if not self._alike:
            self._history.see(k, observation)

    def seer(self, shape: tuple[int, ...] | None) -> Callable[[int, Any], None]:
        """Return what does as `see` for observations of *shape*, None if they aren't arrays.

        Plain numbers are only copied, which takes no call of Python.
        """
        plain = self._memories is None and self._alike and shape == self._cells_flat.shape[1:]
        return self._cells_flat.__setitem__ if plain else self.see

    def see_first(self, k: int, observation: Shown) -> None:
        """Take what agent k's environment shows at the beginning of an episode."""
        self.forget_seen(k)
        if self._memories is not None:
            n = self._memories.numbers(observation).size
            check_remembered(self.config, n, len(self.groups))
        self.see(k, observation)
        self._history.begin(k)

    def has_begun(self, k: int) -> bool:
        """Return whether agent k remembers something of its episode."""
        return self._memories is not None and self._memories.means[k] is not None

    def forget_seen(self, k: int) -> None:
        """Forget what agent k saw in earlier steps, as another episode begins."""
        if self._memories is not None:
            self._memories.begin(k)

    def remembered(self, k: int) -> dict[str, Array | None]:
        """Return what agent k keeps from one decision of an episode to the next, by name."""
        kept: dict[str, Array | None] = {}
        if self._memories is not None:
            kept["means"] = self._memories.means[k]
        if self.policy.repeats > 1 or self.config.sees_actions:
            kept |= {"decided": np.array(self.decided[k]), "action": np.array(self.actions[k])}
        return kept

    def remember(self, k: int, kept: Mapping[str, Array | None]) -> None:
        """Let agent k go on from `remembered`."""
        if self._memories is not None:
            self._memories.means[k] = kept["means"]
        if self.policy.repeats > 1 or self.config.sees_actions:
            self.decided[k] = np.asarray(kept["decided"])
            self.actions[k] = np.asarray(kept["action"])

    def seen(self, k: int) -> tuple[FloatArray, ...]:
        """Return all that agent k sees, as views of numbers."""
        cells, features = self._cells_flat[k], self._features_flat[k]
        return (cells,) if self._alike else (cells, features)

    def go_on(self, k: int, actions: Sequence[Any]) -> None:
        """Bring agent k to where it had taken these actions in its episode."""
        self.decided[k] = len(actions)
        if len(actions):
            self.actions[k] = actions[-1]

    def allow(self, k: int, allowed: BoolArray | None) -> None:
        """Let agent k choose among these actions only, until this is called again; None: all."""
        self.masked[k] = allowed is not None
        self.allowed[k] = True if allowed is None else allowed
        self.has_masks = bool(self.masked.any())

    def restrict(self, k: int, info: Named, where: str) -> None:
        """Let agent k choose only what its environment's *info* allows. where: named in errors.

        Raises EnvError for a mask that is missing or allows nothing, UnsupportedError for one of
        numbers.
        """
        self.allow(k, allowed_actions(info, self.groups, where, self.policy.is_continuous))

    def _repeats(self, k: np.intp | int, times: int) -> bool:
        """Return whether agent k takes its last actions again, as it takes each so many *times*."""
        if self.decided[k] % times == 0:
            return False
        return not self.masked[k] or bool(self.allowed[k, self.actions[k] + self._first_of].all())

    def _as_seen(self, features: Features) -> Any:
        """Return the map of observations to numbers from which numbers are computed *features*."""
        return features

    def _check_seen(self, k: int) -> None:
        """Raise NotFiniteError unless all that agent k sees is finite."""
        for numbers in self.seen(k):
            odd = first_not_finite(numbers)
            if odd is not None:
                raise NotFiniteError(k, odd)
