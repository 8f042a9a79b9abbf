"""Define what agents of every algorithm can do: learn, predict, play, save and load."""

from __future__ import annotations

import abc
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Never, Self

import numpy as np
import numpy.typing as npt

from neurorl.agents.algorithms import Algorithm
from neurorl.agents.arguments import (
    check_count,
    check_kind,
    check_names,
    check_options,
    own_env,
    path_of,
)
from neurorl.agents.budget import (
    Budget,
    check_budget,
    held_interrupts,
    warn_of_bare,
    warn_of_budget,
)
from neurorl.agents.callbacks import CallbackLike, Listeners, listening
from neurorl.agents.checkpoint import modules, write_checkpoint
from neurorl.agents.episodes import Episode, State
from neurorl.agents.group import AgentGroup
from neurorl.agents.parameters import parameters_in, with_parameters
from neurorl.agents.player import MAX_REPLICAS, Player
from neurorl.agents.prediction import UNNAMED, predicted
from neurorl.agents.progress import Progress
from neurorl.agents.recorder import Recorder
from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.backends.lookup import quickest
from neurorl.backends.meter import METERED
from neurorl.backends.registry import backend_class
from neurorl.backends.registry import load as load_backend
from neurorl.diagnostics.monitor import Diagnostics
from neurorl.diagnostics.outcome import RunVerdict
from neurorl.errors import ArgumentError, ChangeWarning, UnsupportedError, warn_outside
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.hints import refuse_words
from neurorl.models.defaults.looks import Look
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import derive, read_seed
from neurorl.storage.plain import Named, PlainData
from neurorl.tasks.actions import OneOf, read_actions
from neurorl.tasks.answers import UnfitError, each_mask, each_observation, is_several
from neurorl.tasks.kinds import Environment, Maker, Shown
from neurorl.tasks.specification import copy_env, describe_env, warn_unsaved

_PREDICT = 2  # purpose of derived seeds
_OF_PREDICT = (
    *("observation", "action_mask", "deterministic"),
    *("state", "episode_start", "action_masks"),
)
_OF_LEARN = (
    *("total_timesteps", "total_episodes", "total_steps", "callback", "record"),
    *("reset_num_timesteps", "progress_bar"),
)


class LearningAgent(abc.ABC):
    """Hold one agent of one environment: a group of one.

    algorithm: how it learns. config, network, seed, backend_name, arithmetic, noise: its parts.
    actions: what the environment takes. first_action: the number of the first discrete action.
    """

    algorithm: ClassVar[Algorithm]
    env: Environment
    env_id: str
    _backend_options: Named = MappingProxyType({})
    _learned_in: str  # the arithmetic
    _predictors: dict[bool, Player]  # by whether they take the action with the most votes
    _is_training = False

    def _begin(self, group: AgentGroup) -> None:
        """Take the *group* of this agent alone, and set the attributes that follow from it."""
        self._replicas, self.seed = group, group.seeds[0]
        self._predictors = {}
        self.backend_name, self.noise = group.backend_name, group.noise
        self.arithmetic = self._learned_in = group.arithmetic_name
        self.actions = read_actions(self.env)
        self.first_action = self.actions.first if isinstance(self.actions, OneOf) else 0

    @classmethod
    def of_group(
        cls, group: AgentGroup, env: Environment, env_id: str, backend_options: Named
    ) -> Self:
        """Return the agent of a *group* of one, which learns in *env* or in copies of it."""
        agent = cls.__new__(cls)
        agent.env, agent.env_id, agent._backend_options = env, env_id, backend_options
        agent._begin(group)
        return agent

    def __reduce_ex__(self, protocol: object) -> Any:
        """Refuse to be copied or pickled: an agent holds compiled code and open environments."""
        remedy = "agent.save(path), and SpikingActorCritic.load(path) for another one"
        raise UnsupportedError("agent", "can't be copied or pickled", remedy=remedy)

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

    @property
    def config(self) -> AgentConfig:
        """Return its configuration, which a look in training may change."""
        return self._replicas.config

    @property
    def network(self) -> Network:
        """Return the description of its network."""
        return self._replicas.network

    @property
    def looks(self) -> list[Look]:
        """Return when it looked again at what a first play chose, and what has changed."""
        return self._replicas.looks(0)

    @property
    def episodes(self) -> list[Episode]:
        """Return all episodes that it has played."""
        return self._replicas.episodes[0]

    @property
    def weights(self) -> dict[str, FloatArray]:
        """Return the learned weights by projection, unrounded, in the description's units."""
        return snapshots(self._replicas.weights(0))

    @property
    def is_masked(self) -> bool:
        """Return whether it obeys action masks, if its environment has any."""
        return self._replicas.is_masked(0)

    @property
    def env_steps(self) -> int:
        """Return how many environment steps were taken: `first_play_steps` and training."""
        return self.first_play_steps + self._replicas.env_steps(0)

    @property
    def first_play_steps(self) -> int:
        """Return how many random steps chose its fields before training; 0 for presets."""
        return self.config.first_play_steps

    @property
    def steps_taken(self) -> int:
        """Return how many environment steps it has trained for, as counted by ``total_steps``.

        Unfinished episodes, and all of its environments, are included.
        """
        return self._replicas.steps_taken(0)

    @property
    def diagnostics(self) -> Diagnostics:
        """Return its populations as plain data; see `neurorl.diagnostics.monitor.Monitor.table`."""
        return self._replicas.diagnostics(0)

    def verdict(self) -> RunVerdict:
        """Return what its training came to: learned, or not, because of one cause.

        Plays up to 2,000 steps by random actions and as many by most votes (if that is worse than
        training was, also by drawn actions), in copies of the environment and with seeds derived
        from its own, so that training isn't affected; without them if no copy can be made, or fewer
        than 20 episodes have ended. See docs/diagnostics.md.
        """
        return self._replicas.verdict(0, self.env, self._quick_player)

    def _quick_player(self, seed: int, explore: bool) -> Player:
        """Return a player on the quickest backend of its arithmetic."""
        return self.player(seed, quickest(None, self.arithmetic), self.arithmetic, explore)

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
        refuse_words("learn", others, _OF_LEARN)
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

    def _refuse_in_training(self, method: str) -> None:
        """Raise UnsupportedError in a callback, where *method* would change training."""
        if self._is_training:
            what = "can't be called while it trains"
            remedy = "return False from the callback, and call it when learn has returned"
            raise UnsupportedError(f"agent.{method}", what, remedy=remedy)

    def predict(
        self,
        observation: Shown,
        action_mask: object = None,
        deterministic: bool = True,
        *,
        state: object = UNNAMED,
        episode_start: object = None,
        action_masks: object = None,
        **others: Never,
    ) -> Shown:
        """Return the action with the most votes; ties are drawn. Doesn't affect training.

        observation: one, or a batch as in `predict_batch`; the answer has the environment's form,
        an array for several choices, for numbers, which are the coded ones, without exploration,
        and for a batch. action_mask, or action_masks: the allowed actions, as in
        ``info["action_mask"]``; None allows all. deterministic: False draws the action from the
        policy instead. Neurons stay stochastic.

        state: where it is named, the answer is a pair, ``(action, state)``, as Stable-Baselines3
        has it: None begins an episode, and the state that comes back goes into the next call; it
        is None for agents that remember nothing. episode_start: whether one starts here, for each
        of a batch. Where neither is named, an agent with memories remembers the call before.
        """
        refuse_words("predict", others, _OF_PREDICT)
        check_kind("predict, deterministic", deterministic, bool, optional=False)
        masks = action_mask if action_masks is None else action_masks
        player, is_pair = self._predictor(deterministic), state is not UNNAMED
        is_batch = is_several(self.env.observation_space, observation, or_one=is_pair)
        rows = self._rows(observation, masks) if is_batch else [(observation, masks)]
        states = state if is_batch and is_pair and state is not None else [state] * len(rows)
        answers = predicted(player, self.actions, rows, states, episode_start)
        if not is_batch:
            return answers[0] if is_pair else answers[0][0]
        actions, after = np.array([action for action, _ in answers]), tuple(s for _, s in answers)
        return (actions, None if None in after else after) if is_pair else actions

    def _predictor(self, deterministic: bool) -> Player:
        """Return the player of `predict`, made anew when anything was learned."""
        if deterministic not in self._predictors:
            seed = derive(self.seed, _PREDICT, len(self.episodes))
            self._predictors[deterministic] = self.player(seed, explore=not deterministic)
        return self._predictors[deterministic]

    def predict_batch(self, observations: Shown, action_masks: object = None) -> Array:
        """Return what `predict` returns for each of several observations, in their order.

        observations: as returned by a vector of such environments, ``(n, ...)``; in Dict and Tuple
        spaces each part is ``(n, ...)``. action_masks: ``(n, n_actions)``, or a tuple with an array
        for each of several choices. Raises ArgumentError for anything else.
        """
        return np.array([self.predict(*row) for row in self._rows(observations, action_masks)])

    def _rows(self, observations: Shown, action_masks: object) -> list[tuple[Shown, object]]:
        """Return each observation of a batch with its mask. Raises ArgumentError if it is none."""
        try:
            rows = each_observation(self.env.observation_space, observations)
        except UnfitError as exc:
            remedy = "predict takes a single one"
            raise ArgumentError(exc.say("observations", remedy)) from exc
        masks = each_mask(action_masks, len(rows), len(self.actions.groups(2)))
        return list(zip(rows, masks, strict=True))

    def energy(
        self, observations: Iterable[Shown], seed: int = 0, noise: str | None = None
    ) -> PlainData:
        """Return what decisions cost on Loihi by SANA-FE, see `Metering.result`.

        observations: one after the other, as in an episode; ``evaluate(..., energy=True)`` measures
        whole ones. seed, noise: as of `player`, on Loihi's emulator. Raises as `Backend.metering`.
        """
        check_kind("agent.energy, observations", observations, Iterable, optional=False)
        player = self.player(seed, METERED, noise=noise)
        with player.backend:
            metering = player.backend.metering(None, self.config.carries)
            for observation in observations:
                move = player.move(observation)
                metering.add({**move.inputs, **move.rasters}, self.config.window)
        return metering.result()

    def player(
        self,
        seed: int,
        backend: str | None = None,
        arithmetic: str | None = None,
        explore: bool = False,
        noise: str | None = None,
        fit: bool | None = None,
        backend_options: Named | None = None,
        replicas: int | None = None,
    ) -> Player:
        """Return a player of the present network, which doesn't learn.

        backend: None takes the training's, or the quickest here if the algorithm trains on one
        backend only. arithmetic: None takes the training's, on another backend that backend's own.
        explore: whether actions are drawn by the policy instead of by most votes. noise: None takes
        the training's, or in float arithmetic ``'exact'``. fit: whether, in chip arithmetic,
        integers suit the present weights (`Arithmetic.fitted`) instead of the whole range
        of learning; None does so for weights that were learned in float arithmetic, else keeps the
        integers of training. backend_options: options of the backend's class, such as its engine or
        target; by default the training's, on the same backend. replicas: how many play side by
        side, all with one seed (`neurorl.agents.player.Player.begin_episode`); None is one.
        """
        seed = read_seed(seed)
        check_options("backend_options", backend_options)
        check_names(backend=backend, arithmetic=arithmetic, noise=noise)
        if replicas is not None:
            replicas = check_count("replicas", replicas, most=MAX_REPLICAS)
        check_kind("explore", explore, bool, optional=False)
        check_kind("fit", fit, bool)
        name = backend or self.algorithm.plays_on(self.backend_name)
        options: Named = backend_options or {}
        if backend in (None, self.backend_name):
            arithmetic = arithmetic or self.arithmetic
            options = {**self._backend_options, **options}
        arithmetic = arithmetic or backend_class(name).capabilities.arithmetics[0]
        on_chip = find_arithmetic(arithmetic).is_chip
        known = find_arithmetic(arithmetic).noises
        noise = noise or (self.noise if self.noise in known else known[0])
        network, weights = self.network, self.weights
        learned_on_chip = find_arithmetic(self._learned_in).is_chip
        if on_chip and (not learned_on_chip if fit is None else fit):
            network = find_arithmetic(arithmetic).fitted(network, weights)
        if replicas is not None:
            weights = {key: np.stack([w] * replicas) for key, w in weights.items()}
        compiled = load_backend(
            name,
            network,
            seed=seed if replicas is None else [seed] * replicas,
            arithmetic=arithmetic,
            weights=weights,
            **{**options, "noise": noise},
        )
        try:
            groups = modules(self.config, self.actions, "player")
            beside = self._replicas.learned_beside(0)
            space = self.env.observation_space
            return Player(self.config, compiled, groups, explore, space, beside)
        except BaseException:
            compiled.close()
            raise

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

    def state(self) -> State:
        """Return what it has learned and its place in an episode, or (by gradients) an update."""
        return self._replicas.state(0)

    def restore(self, state: State, moved: bool = False) -> None:
        """Go on from *state*; *moved*: whether it comes from another backend or arithmetic."""
        self._refuse_in_training("restore")
        self._replicas.restore(0, state, moved)
        self._predictors.clear()

    def get_parameters(self) -> dict[str, Array]:
        """Return copies of learned arrays by name: `neurorl.agents.parameters.parameters_in`."""
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
        self.restore(with_parameters(self.state(), parameters, exact_match))

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

    def adopt(self, state: State) -> None:
        """Take, before any learning, the weights and the critic of another agent's `state`.

        Raises RunError if the networks differ.
        """
        self._refuse_in_training("adopt")
        self._replicas.adopt(0, state)
        self._predictors.clear()

    def close(self) -> None:
        """Free the backend and the environments."""
        self._refuse_in_training("close")
        self._replicas.close()


def snapshots(weights: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return read-only copies of weights, since writing to copies would change nothing."""
    copies = {name: array.copy() for name, array in weights.items()}
    for copy in copies.values():
        copy.flags.writeable = False
    return copies
