"""Lend an agent's environment to other code, and put another in its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from neurorl.agents.arguments import own_env
from neurorl.agents.held import HeldAgent
from neurorl.errors import ArgumentError
from neurorl.tasks.kinds import Environment, Maker
from neurorl.tasks.specification import copy_env


class Lending(HeldAgent):
    """Let other code play in the environment in which an agent learns."""

    def lend_env(self) -> Environment:
        """Return the environment for other code to play in.

        An unfinished episode of training is played again up to the same step when training goes on.
        """
        self._replicas.leave(0)
        return self.env

    @contextmanager
    def env_to_play(self) -> Iterator[Environment]:
        """Yield an environment like its own, for other code to play in.

        In a callback it is a copy, as training goes on in its own; an environment that can't be
        made again is lent as by `lent`.
        """
        try:
            other = copy_env(self.env, is_quiet=True) if self._is_training else None
        except Exception:  # a user's code may raise anything
            other = None
        if other is None:
            with self.lent():
                yield self.env
            return
        try:
            yield other
        finally:
            other.close()

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let other code play in its environment, also in a callback.

        The unfinished episode of training is played again afterwards, up to the same step. Raises
        RunError for an environment that doesn't repeat itself.
        """
        self._replicas.leave(0)
        yield
        if self._is_training:
            self._replicas.take_up(0)

    def get_env(self) -> Environment:
        """Return its environment; of several, one like each."""
        return self.env

    def set_env(self, env: str | Environment | Maker) -> None:
        """Go on in another environment of the same spaces, in copies of it if it had several.

        An unfinished episode is given up, and its steps don't count; the environment before isn't
        closed. Raises ArgumentError for other spaces.
        """
        self._refuse_in_training("set_env")
        made, name = own_env(env)
        for kind in ("observation_space", "action_space"):
            got, limit = getattr(made, kind), getattr(self.env, kind)
            if got != limit:
                raise ArgumentError("set_env", f"has another {kind}", got=got, limit=limit)
        self._replicas.go_to(made)
        self.env, self.env_id = made, name
        self._predictors.clear()
