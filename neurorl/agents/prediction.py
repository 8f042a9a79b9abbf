"""Choose actions with what an agent has learned: for one observation, a batch, or by a player."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Never

import numpy as np

from neurorl.agents.arguments import check_kind, check_names, check_options
from neurorl.agents.checkpoint import modules
from neurorl.agents.held import HeldAgent
from neurorl.agents.player import MAX_REPLICAS, Player
from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.backends.lookup import quickest
from neurorl.backends.meter import METERED
from neurorl.backends.registry import backend_class
from neurorl.backends.registry import load as load_backend
from neurorl.errors import ArgumentError, quoted
from neurorl.learning.loops.choose import make_loop
from neurorl.models.agent.hints import refuse_words
from neurorl.numerics.arrays import Array
from neurorl.numerics.random import derive, read_seed
from neurorl.storage.plain import Named, PlainData, check_count
from neurorl.tasks.actions import Actions
from neurorl.tasks.answers import UnfitError, each_mask, each_observation, is_several
from neurorl.tasks.kinds import Shown

_PREDICT = 2  # purpose of derived seeds
UNNAMED: Final = object()
"""Stand for a state that a call doesn't name, as None begins an episode."""


class Predicting(HeldAgent):
    """Choose actions with the present network, without learning."""

    def predict(
        self,
        observation: Shown,
        action_mask: object = None,
        deterministic: bool = True,
        *,
        state: object = UNNAMED,
        episode_start: object = None,
        action_masks: object = None,
        reward: object = None,
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

        reward: what the last step was paid, for each of a batch. Agents that see this
        (``sees_rewards``) need it within episodes.
        """
        refuse_words(self.predict, others)
        check_kind("predict, deterministic", deterministic, bool, optional=False)
        masks = action_mask if action_masks is None else action_masks
        player, is_pair = self._predictor(deterministic), state is not UNNAMED
        is_batch = is_several(self.env.observation_space, observation, or_one=is_pair)
        rows = self._rows(observation, masks) if is_batch else [(observation, masks)]
        states = state if is_batch and is_pair and state is not None else [state] * len(rows)
        rewards = _each_reward(reward, len(rows))
        answers = predicted(player, self.actions, rows, states, episode_start, rewards)
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
            loop = make_loop(self.config, compiled, groups, greedy=not explore, learns=False)
            for k in range(compiled.n_replicas):
                loop.memory.of(k).restore_lasting(self._replicas.learned_beside(0))
            return Player(loop, self.env.observation_space)
        except BaseException:
            compiled.close()
            raise

    def _quick_player(self, seed: int, explore: bool) -> Player:
        """Return a player on the quickest backend of its arithmetic."""
        return self.player(seed, quickest(None, self.arithmetic), self.arithmetic, explore)


def predicted(
    player: Player,
    actions: Actions,
    rows: Sequence[tuple[Shown, object]],
    states: object,
    starts: object,
    rewards: Sequence[float | None],
) -> list[tuple[Shown, object]]:
    """Return the action for each of *rows*, an observation and its mask, and the state after it.

    states: of earlier answers, one for each row; None begins an episode, `UNNAMED` goes on in the
    last one. starts: whether an episode starts, for all or for each row; None is False. rewards:
    of the last steps. Raises ArgumentError for what doesn't fit.
    """
    n = len(rows)
    if not isinstance(states, (list, tuple)) or len(states) != n:
        limit = "None, or what predict returned"
        raise ArgumentError("predict, state", "doesn't fit", got=quoted(states), limit=limit)
    given = np.asarray(False if starts is None else starts)
    if given.dtype.kind != "b" or given.shape not in ((), (n,)):
        where, limit = "predict, episode_start", f"True, False, or {n} of these"
        raise ArgumentError(where, "doesn't fit", got=quoted(starts), limit=limit)
    answers: list[tuple[Shown, object]] = []
    begins = np.broadcast_to(given, (n,))
    for row, state, start, reward in zip(rows, states, begins, rewards, strict=True):
        if start or state is not UNNAMED:
            player.remember(None if start else state)
        action = actions.taken(player.move(*row, reward).action)
        answers.append((action, None if state is UNNAMED else player.remembered()))
    return answers


def _each_reward(reward: object, n: int) -> list[float | None]:
    """Return what each of *n* last steps was paid, None if nothing is named.

    Raises ArgumentError for anything but finite numbers.
    """
    if reward is None:
        return [None] * n
    rewards = np.asarray(reward)
    fits = rewards.dtype.kind in "iuf" and rewards.shape in ((), (1,), (n,))
    if not (fits and np.isfinite(rewards).all()):
        limit = f"a finite number, or {n} of these"
        raise ArgumentError("predict, reward", "doesn't fit", got=quoted(reward), limit=limit)
    return [float(paid) for paid in np.broadcast_to(rewards, (n,))]
