"""Hold which actions the environments allow now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neurorl.errors import RunError
from neurorl.network.restoring import take
from neurorl.numerics.arrays import Array, BoolArray
from neurorl.tasks.actions import MASK, allowed_actions


class Masks:
    """Hold the actions allowed in E environments of each of R replicas, ``(R, E, n_actions)``.

    groups: number of actions in each group, from which one is chosen. of_numbers: whether each
    group codes a number; then a mask is refused. heeded: which replicas have masked actions; an
    agent that began without masks, as all did before there were any, goes on so.
    """

    def __init__(self, groups: Sequence[int], of_numbers: bool, replicas: int, size: int) -> None:
        self._groups, self._of_numbers = groups, of_numbers
        self._first = np.cumsum([0, *groups[:-1]])
        self.heeded = [False] * replicas
        self._allowed = np.ones((replicas, size, sum(groups)), dtype=np.bool_)

    def now(self) -> BoolArray | None:
        """Return what is allowed, None if no replica is masked."""
        return self._allowed.copy() if any(self.heeded) else None

    def see(
        self, k: int, e: int, info: Mapping[str, object], where: str, is_new: bool = False
    ) -> None:
        """Note what environment *e* of replica *k* allows, if the replica heeds masks.

        where: named in errors. is_new: whether the replica heeds masks from now on if there is one.
        Raises EnvError for a mask that is missing or allows nothing, UnsupportedError for one of
        numbers.
        """
        if is_new and MASK in info:
            self.heeded[k] = True
        if self.heeded[k]:
            self._allowed[k, e] = allowed_actions(info, self._groups, where, self._of_numbers)

    def allow(self, k: int, e: int, action: object) -> bool:
        """Return whether an action may be taken again, all of it if it has parts."""
        return bool(self._allowed[k, e, np.asarray(action) + self._first].all())

    def state(self, k: int) -> dict[str, Array]:
        """Return what is allowed as arrays, none for a replica without masks."""
        if not self.heeded[k]:
            return {}
        return {"masked": np.array(True), "allowed": self._allowed[k].copy()}

    def restore(self, k: int, state: Mapping[str, Array]) -> None:
        """Go on from `state`. Raises RunError."""
        self.heeded[k] = "masked" in state
        self._allowed[k] = True
        if self.heeded[k]:
            allowed = take(state, "allowed", self._allowed[k].shape, "bool")
            if not np.logical_or.reduceat(allowed, self._first, axis=-1).all():
                raise RunError("allowed", "leaves nothing to choose")
            self._allowed[k] = allowed
