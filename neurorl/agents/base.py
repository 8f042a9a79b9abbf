"""Define what agents of every algorithm can do: learn, predict, play, save and load."""

from __future__ import annotations

import abc
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Never, Self

import numpy as np
import numpy.typing as npt

from neurorl.agents.arguments import check_kind, check_options, path_of
from neurorl.agents.budget import (
    Budget,
    check_budget,
    held_interrupts,
    warn_of_bare,
    warn_of_budget,
)
from neurorl.agents.callbacks import CallbackLike, Listeners, Progress, listening
from neurorl.agents.checkpoint import write_checkpoint
from neurorl.agents.episodes import Episode, State
from neurorl.agents.prediction import Predicting
from neurorl.agents.recorder import Recorder
from neurorl.diagnostics.outcome import RunVerdict
from neurorl.errors import (
    ArgumentError,
    ChangeWarning,
    RunError,
    UnsupportedError,
    quoted,
    unknown_name_error,
    warn_outside,
)
from neurorl.models.agent.hints import refuse_words
from neurorl.numerics.arrays import Array
from neurorl.storage.plain import PlainData, check_count
from neurorl.tasks.kinds import Environment, Maker
from neurorl.tasks.specification import describe_env, warn_unsaved


class LearningAgent(Predicting):
    """Let one agent of one environment learn, predict, play, save and load."""

    def __reduce_ex__(self, protocol: object) -> Any:
        """Refuse to be copied or pickled: an agent holds compiled code and open environments."""
        remedy = "agent.save(path), and SpikingActorCritic.load(path) for another one"
        raise UnsupportedError("agent", "can't be copied or pickled", remedy=remedy)

    def __repr__(self) -> str:
        env = self.env_id or type(self.env.unwrapped).__name__
        return (
            f"<{type(self).__name__} of {env}, seed {self.seed}, {self.env_steps:,} steps learned>"
        )

    @classmethod
    @abc.abstractmethod
    def load(
        cls,
        path: str | Path,
        *,
        env: str | Environment | Maker | None = None,
        trust_env: bool = False,
    ) -> Self:
        """Return the agent of a file written by `save`; each algorithm has more options."""

    def verdict(self) -> RunVerdict:
        """Return what its training came to: learned, or not, because of one cause.

        Plays up to 2,000 steps by random actions and as many by most votes (if that is worse than
        training was, also by drawn actions), in copies of the environment and with seeds derived
        from its own, so that training isn't affected; without them if no copy can be made, or fewer
        than 20 episodes have ended. See docs/diagnostics.md.
        """
        return self._replicas.verdict(0, self.env, self._quick_player)

    def learn(
        self,
        timesteps: int | None = None,
        /,
        callback: CallbackLike | None = None,
        *,
        total_timesteps: int | None = None,
        total_episodes: int | None = None,
        total_steps: int | None = None,
        record: Recorder | None = None,
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
        episodes: int | None = None,
        **others: Never,
    ) -> list[Episode]:
        """Train by one of four numbers; return the episodes that have ended.

        total_timesteps: environment steps to add to those taken, as in Stable-Baselines3;
        ``learn(1000)`` is ``learn(total_timesteps=1000)``. total_episodes, total_steps: episodes or
        environment steps in total, those of earlier calls included: warns if nothing is left to
        train. Steps may end within an episode (by gradients: after the update with the last of
        them). callback: a function called for each episode (by gradients after the update that
        used it), a `neurorl.callbacks.Callback`, or several of them; callbacks may end training.
        record: a recorder of decisions (not by gradients). reset_num_timesteps: changes nothing, as
        episodes and steps are always counted on. progress_bar: whether to show a
        `neurorl.callbacks.Progress`. episodes: the former name of total_episodes.

        Warns with `PopulationWarning` of a population that is silent, saturated or otherwise lost,
        see `neurorl.diagnostics.monitor`; and with `EnvironmentWarning` of an episode that doesn't
        end. After Ctrl-C, or an error in a callback, the next call goes on at the same place, also
        within an episode, with the same results. Ctrl-C acts between two steps (by gradients: two
        updates), a second one at once. If the environment raises, the next call begins its episode
        again, and what was learned in it stays; by gradients training goes on from the last update.
        Raises EnvError for a reward or an observation that isn't finite, and DivergenceError if
        learned values aren't.
        """
        self._refuse_in_training("learn")
        refuse_words(self.learn, others)
        check_kind("learn, reset_num_timesteps", reset_num_timesteps, bool, optional=False)
        check_kind("learn, progress_bar", progress_bar, bool, optional=False)
        if episodes is not None:
            warn_outside("learn: episodes= is called total_episodes=", ChangeWarning)
            total_episodes = episodes if total_episodes is None else total_episodes
        added = total_timesteps if timesteps is None else timesteps
        given = (timesteps, total_timesteps, total_episodes, total_steps)
        if (n := sum(each is not None for each in given)) > 1 and added is not None:
            raise ArgumentError("learn", "takes one number of steps or episodes", got=n, limit=1)
        if added is not None:
            more = check_count("learn, total_timesteps", added, 0, 2**53)
            budget = Budget(None, self.steps_taken + more)
            if timesteps is not None:
                warn_of_bare(timesteps)
        else:
            budget = check_budget("learn", total_episodes, total_steps)
            warn_of_budget(budget, len(self.episodes), self.steps_taken)
        check_kind("record", record, Recorder)
        if record is not None and not self._replicas.is_recordable:
            problem, remedy = "can't be recorded", "Recording(backend, ...) of a player's backend"
            raise UnsupportedError(f"approach {self.algorithm.name!r}", problem, remedy=remedy)
        before, shows = len(self.episodes), (Progress(),) if progress_bar else ()
        listeners = Listeners((*listening(callback), *shows), self, budget)
        with held_interrupts() as interrupt, closing(self.steps(listeners, record)) as steps:
            for _ in steps:
                if interrupt.requested:
                    break
        return self.episodes[before:]

    def steps(self, listeners: Listeners, record: Recorder | None = None) -> Generator[None]:
        """Train as `learn` does, and yield at each moment when it can stop.

        It ends when the budget of *listeners* is spent, or when one of them wants to stop.
        """
        steps_before, self._learned_in = self.env_steps, self.arithmetic

        def after(_: int, episode: Episode) -> None:
            self._predictors.clear()
            listeners.tell("on_episode", episode)

        self._replicas.recorder, self._is_training = record, True
        try:
            listeners.tell("on_start")
            for _ in self._replicas.play(listeners.budget, after):
                if listeners.hears_steps:
                    self._predictors.clear()
                    listeners.step()
                    self._replicas.heed()
                yield
                if listeners.wants_to_stop:
                    break
        finally:
            try:
                listeners.tell("on_end")
            finally:
                self._replicas.recorder, self._is_training = None, False
                if self.env_steps != steps_before:
                    self._predictors.clear()

    def get_parameters(self) -> dict[str, Array]:
        """Return copies of learned arrays by name: `parameters_in`."""
        return parameters_in(self.state())

    def set_parameters(
        self, parameters: Mapping[str, npt.ArrayLike], exact_match: bool = True
    ) -> None:
        """Take over arrays of `get_parameters`, of an agent with the same network.

        Episodes, counters and the place in an episode stay. exact_match: whether none may be
        missing. Raises ArgumentError for an array that doesn't fit or is missing, UnknownNameError
        for an unknown one; then nothing is changed.
        """
        check_kind("set_parameters, exact_match", exact_match, bool, optional=False)
        state = with_parameters(self.state(), parameters, exact_match)
        try:
            self.restore(state)
        except RunError as exc:
            raise ArgumentError(_WHERE, "has arrays that don't fit", got=exc) from exc

    def save(self, path: str | Path) -> None:
        """Write the agent to one file (npz, no pickle), atomically.

        Warns with `EnvironmentWarning` of parts of its environment that a file can't hold.
        """
        where = path_of(path)
        described = self.describe()
        warn_unsaved(self.env, described["env_spec"])
        write_checkpoint(where, described, self.state())

    def describe(self) -> PlainData:
        """Return a description of the agent as plain data."""
        return self._replicas.describe(0, self.env_id, describe_env(self.env)).to_dict()

    def close(self) -> None:
        """Free the backend and the environments."""
        self._refuse_in_training("close")
        self._replicas.close()


_WHERE = "set_parameters"
_BEGINNINGS = (
    *("learner.weights.", "learner.signs", "learner.accumulator.", "learner.mean."),
    *("critic", "mean_reward", "deep."),
)


def parameters_in(state: State) -> dict[str, Array]:
    """Return copies of the learned arrays of an agent's state, by name.

    These are weights, critic and running means, and all that the layers of deep agents keep; not
    counters, episodes, places in them, nor the moments of an optimiser.
    """
    return {name: np.array(a) for name, a in state.items() if name.startswith(_BEGINNINGS)}


def with_parameters(state: State, given: Mapping[str, npt.ArrayLike], exact_match: bool) -> State:
    """Return *state* with arrays in place of its own; *exact_match*: whether none may be missing.

    Raises ArgumentError for an array that doesn't fit or is missing, UnknownNameError for a name
    that the agent doesn't have.
    """
    check_options(_WHERE, given)
    if given is None:  # which stands for no options elsewhere
        raise ArgumentError(_WHERE, "needs arrays by name", got=given)
    own, taken = parameters_in(state), dict[str, Array]()
    if exact_match and (missing := sorted(own.keys() - given.keys())):
        remedy = "exact_match=False keeps the agent's own"
        raise ArgumentError(_WHERE, "lacks arrays", got=", ".join(missing), remedy=remedy)
    for name, value in given.items():
        if name not in own:
            raise unknown_name_error(f"{_WHERE}, array", name, own)
        where, like = f"{_WHERE}, {name}", own[name]
        try:
            if np.iscomplexobj(value):
                raise TypeError
            taken[name] = array = np.array(value, dtype=like.dtype)
        except (TypeError, ValueError) as exc:
            raise ArgumentError(where, "isn't numbers", got=quoted(value)) from exc
        if array.shape != like.shape:
            raise ArgumentError(where, "has another shape", got=array.shape, limit=like.shape)
        if not np.isfinite(array).all():
            n_other = int((~np.isfinite(array)).sum())
            raise ArgumentError(where, "isn't finite", got=f"{n_other} such numbers", limit="none")
    return {**state, **taken}
