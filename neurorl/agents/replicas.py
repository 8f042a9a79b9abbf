"""Train agents of one kind by a local rule, side by side in one compiled network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import isfinite
from typing import NamedTuple
from zlib import crc32

import numpy as np

from neurorl.agents.algorithms import LOCAL
from neurorl.agents.arguments import check_kind, check_names, check_options
from neurorl.agents.budget import TIME_LIMIT, Budget
from neurorl.agents.checkpoint import modules
from neurorl.agents.episodes import (
    State,
    episode_columns,
    prefixed,
    rate_after,
    restore_statistics,
    strip_prefix,
)
from neurorl.agents.group import AgentGroup, Callback
from neurorl.agents.midway import OpenEpisodes
from neurorl.backends.checks import check_seeds
from neurorl.backends.lookup import quickest
from neurorl.backends.simulator import Simulator
from neurorl.backends.spec import BackendSpec
from neurorl.diagnostics.monitor import Monitor
from neurorl.errors import (
    ArgumentError,
    DefinitionWarning,
    EnvironmentWarning,
    PopulationWarning,
    warn_of,
    warn_outside,
)
from neurorl.learning.finite import bad_reward, bad_sum, check_learned
from neurorl.learning.levels import weights_to_begin_with
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.checks import learning_options
from neurorl.learning.loops.choose import make_loop
from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.storage.plain import Named, check_count
from neurorl.tasks.groups import EnvGroup, SeparateEnvs
from neurorl.tasks.kinds import Environment, Shown
from neurorl.tasks.specification import copy_env

_MASKED = "masked"  # a key in states of masked agents
_OLDER = (
    "was begun by another definition of how float weights learn, and goes on by this version's: it "
    "will learn and draw otherwise than the older version would have"
)


class _Calls(NamedTuple):
    """Hold the attributes of a loop that each step uses."""

    decide: Callable[[], Array]
    see: Callable[[int, Shown], None]
    learn: Callable[[], None]
    paid: memoryview[float]
    reward: memoryview[float]
    discount: memoryview[float]
    shown: list[tuple[Shown, ...]]


class Replicas(AgentGroup):
    """Let agents decide and learn in the same calls, each with its own environment.

    envs: as many as *seeds*. backend, arithmetic, loop, options: as in `SpikingActorCritic`.

    If an environment raises in the middle of a step, the next call of `learn` begins the episodes
    of all playing agents again, and what was learned in them stays.
    """

    algorithm = LOCAL
    is_recordable = True

    def __init__(
        self,
        envs: EnvGroup,
        config: AgentConfig,
        n_actions: int,
        seeds: Sequence[int],
        *,
        backend: str | type[Simulator] | BackendSpec | None,
        arithmetic: str | None = None,
        loop: str | None = None,
        options: Named | None = None,
    ) -> None:
        seeds = check_seeds(seeds)
        check_kind("replicas, envs", envs, EnvGroup, optional=False)
        check_kind("replicas, config", config, AgentConfig, optional=False)
        check_count("replicas, n_actions", n_actions)
        check_options("replicas, options", options)
        check_names(arithmetic=arithmetic, loop=loop)
        if envs.n != len(seeds):
            raise ArgumentError(
                "replicas", "as many environments as seeds", got=envs.n, limit=len(seeds)
            )
        self.envs = envs
        groups = modules(config, envs.actions, "replicas")
        if sum(groups) != n_actions:
            what, limit = "n_actions are not those of the environments", sum(groups)
            raise ArgumentError("replicas", what, got=n_actions, limit=limit)
        if backend is None:
            backend = quickest(config.network(n_actions), arithmetic)
        self._spec = BackendSpec.of(backend, arithmetic, options=options)
        self._build(config, groups, seeds, loop)

    def _build(
        self, config: AgentConfig, groups: tuple[int, ...], seeds: tuple[int, ...], loop: str | None
    ) -> None:
        """Make the network of agents of this configuration, and all that they keep, anew."""
        network, spec = config.network(sum(groups)), self._spec
        on_chip = config.learning.on_chip
        begin = {} if on_chip else weights_to_begin_with(network, spec.chosen_arithmetic, seeds)
        self.backend = spec.load(
            network,
            seed=seeds if len(seeds) > 1 else seeds[0],
            **({"weights": begin} if begin else {}),
            **learning_options(config, spec.cls or spec.backend),
        )
        try:
            made = make_loop(config, self.backend, groups, loop=loop)
        except BaseException:
            self.backend.close()
            raise
        self._take(config, network, seeds, groups, spec.backend, made)

    def _take(
        self,
        config: AgentConfig,
        network: Network,
        seeds: tuple[int, ...],
        groups: tuple[int, ...],
        backend_name: str,
        loop: Loop,
    ) -> None:
        """Take the parts of these agents, beside their environments and backend."""
        played_in = backend_name, self.backend.arithmetic_name, self.backend.noise
        AgentGroup.__init__(self, config, self.backend.network, seeds, sum(groups), *played_in)
        self.loop, first = loop, self.envs.first_action
        self._monitors = [
            Monitor(network, config, seed, k, partial(self._watched, k), first, groups=groups)
            for k, seed in enumerate(seeds)
        ]
        self._resting: dict[int, State] = {}
        self._begin_episodes()

    def _begin_episodes(self) -> None:
        """Forget unfinished episodes, as environments, loop or configuration are others now."""
        own = (self.envs, self.loop, self.config, self.seeds, self.episodes)
        self._unfinished = OpenEpisodes(*own)

    def env_steps(self, k: int) -> int:
        """Return how many environment steps agent k has learned from."""
        return super().env_steps(k) + self._unfinished.length(k)

    def play(self, budget: Budget, callback: Callback | None = None) -> Iterator[int]:
        """Do as `learn`, and yield how many agents took each environment step.

        Raises EnvError for a reward that isn't finite.
        """
        self._count(callback)  # episodes of an interrupted call
        gamma, scale, step = self.config.gamma, self.config.reward_scale, self.envs.step
        decide, see, learn, paid_of, reward_of, discount_of, shown = self._calls()
        running = self._unfinished.running
        playing, waiting, left = self._open(self._active(budget), budget)
        while playing or waiting:
            ended, cut = False, []
            try:
                chosen, loop = decide().tolist(), self.loop
                for k, observation, raw, terminated, truncated, info in step(chosen, playing):
                    paid_of[k] = reward = float(raw)
                    see(k, observation)
                    reward_of[k] = scaled = scale * reward
                    episode = running[k]
                    episode.actions.append(chosen[k])
                    if not isfinite(scaled):
                        raise bad_reward(self._unfinished.where(k), reward, scale)
                    discount_of[k] = 0.0 if terminated else gamma
                    episode.total += reward
                    factor = episode.factor
                    episode.discounted += factor * reward
                    episode.factor = factor * gamma
                    digest = episode.digest
                    for numbers in shown[k]:
                        digest = crc32(numbers, digest)
                    episode.digest = digest
                    if terminated or truncated:
                        episode.is_over = ended = True
                        if not terminated:
                            cut.append(k)
                    elif loop.has_masks and loop.masked[k]:
                        self._unfinished.allow(k, info)
                learn()
                if cut:
                    loop.value_cut(cut)
            except BaseException as exc:  # Ctrl-C too: a half learned step can't be resumed
                self._unfinished.break_off(playing, exc)
                raise
            left -= 1
            if ended:
                self._count(callback)
            if playing:
                yield len(playing)
            if ended or left <= 0 or waiting:
                playing, waiting, left = self._go_on(playing + waiting, budget, left)

    def _calls(self) -> _Calls:
        """Return the attributes of the loop that each step uses."""
        loop, learn = self.loop, self.loop.learn
        if self.recorder is not None:
            learn = self.recorder.around(loop, self.episodes[0])
        shown = [tuple(row.data for row in loop.seen(k)) for k in range(len(self.seeds))]
        paid, reward, discount = map(_view, (loop.paid, loop.reward, loop.discount))
        see = loop.seer(self.envs.shape)
        return _Calls(loop.decide, see, learn, paid, reward, discount, shown)

    def state(self, k: int) -> State:
        columns = episode_columns(self.episodes[k])
        self.loop.settle()
        learned = self.loop.memory.of(k).state()
        check_learned(f"seed {self.seeds[k]}", learned)
        self.backend.check_neurons()
        return {
            **prefixed(backend=self._resting.get(k) or self.backend.state(k)),
            **learned,
            **prefixed(
                episodes=columns,
                diagnostics=self._monitors[k].state(),
                running=self._unfinished.arrays(k),
                environment=self.envs.statistics(k),
            ),
            **({_MASKED: np.array(True)} if self.loop.masked[k] else {}),
        }

    def learned_beside(self, k: int) -> dict[str, Array]:
        return self.loop.memory.of(k).lasting_arrays()

    def go_to(self, env: Environment) -> None:
        self.envs = SeparateEnvs([env, *(copy_env(env) for _ in self.seeds[1:])])
        self._begin_episodes()

    def leave(self, k: int) -> None:
        self._unfinished.leave(k)

    def take_up(self, k: int) -> None:
        self._unfinished.take_up([k])

    def heed(self) -> None:
        self.loop.heed()

    def is_masked(self, k: int) -> bool:
        return bool(self.loop.masked[k]) or not self.episodes[k]

    def weights(self, k: int) -> dict[str, FloatArray]:
        self.loop.settle()
        return {name: weights[k] for name, weights in self.loop.memory.weights.items()}

    def _watched(self, k: int) -> dict[str, FloatArray]:
        """Return agent k's present float weights; other agents' may be outdated."""
        self.loop.settle(k)
        return {name: weights[k] for name, weights in self.loop.memory.weights.items()}

    def close(self) -> None:
        self.backend.close()
        self.envs.close()

    def _restore(self, k: int, state: State, moved: bool, episodes: int) -> None:
        self._resting.pop(k, None)
        self._unfinished.forget(k)
        self.loop.settle()  # fetches a chip's weights before all are written below
        if not moved:
            self.backend.restore(strip_prefix(state, "backend."), k)
        if not moved and self.loop.memory.of(k).is_older(state):
            warn_of(DefinitionWarning, f"seed {self.seeds[k]}", _OLDER)
        self.loop.memory.of(k).restore(state)
        self.loop.write(k)
        self.loop.allow(k, np.ones(self.n_actions, dtype=bool) if _MASKED in state else None)
        restore_statistics(self.envs, k, strip_prefix(state, "environment."))
        midway = {} if moved else strip_prefix(state, "running.")
        if midway:
            self._unfinished.restore(k, episodes, midway)

    def _adopt(self, k: int, state: State) -> None:
        self.loop.settle()
        self._unfinished.forget(k)
        drawn = self.loop.plan.with_random_feedback
        self.loop.memory.of(k).adopt(state, self.network, drawn)
        self.loop.write(k)

    def _open(self, chosen: Sequence[int], budget: Budget) -> tuple[list[int], list[int], int]:
        """Begin or resume an episode of each; return as `_go_on`."""
        self.loop.active[:] = False
        self.loop.heed()
        self._wake(chosen)
        self._unfinished.take_up(chosen)
        for k in chosen:
            self.loop.rate[k] = rate_after(self.episodes[k], self.config.schedule)
            self.loop.active[k] = True
        return self._go_on(chosen, budget, 0)

    def _go_on(
        self, chosen: Sequence[int], budget: Budget, left: int
    ) -> tuple[list[int], list[int], int]:
        """Begin the next episodes.

        Return the agents that play on, the agents that wait for an environment that resets itself
        (their networks and draws go on meanwhile), and after how many steps to check again.
        """
        playing, waiting, running, looks = [], [], self._unfinished.running, left <= 0
        for k in chosen:
            if k in running and not looks:
                playing.append(k)
            elif self._is_done(k, budget):
                self._rest(k)
            elif k in running:
                playing.append(k)
            elif self.envs.ready(k):
                self.loop.active[k] = True
                self._unfinished.begin(k)
                playing.append(k)
            else:
                self.loop.active[k] = False
                waiting.append(k)
        if looks:
            each = (budget.steps_left(self.env_steps(k)) for k in playing + waiting)
            left = min(each, default=0)
            for k in filter(self._unfinished.too_long, playing):
                where = self._unfinished.where(k)
                warn_of(EnvironmentWarning, where, "hasn't ended yet", remedy=TIME_LIMIT)
        return playing, waiting, left

    def _count(self, callback: Callback | None) -> None:
        """Count finished episodes, and call the callback for each."""
        counted: list[tuple[int, list[str]]] = []
        loop, all_running = self.loop, self._unfinished.running
        for k in [k for k, running in all_running.items() if running.is_over]:
            steps, running = self.env_steps(k), all_running[k]
            if not isfinite(running.total) or not isfinite(running.discounted):
                where = self._unfinished.where(k)
                del all_running[k]
                raise bad_sum(where, running.total)
            del all_running[k]
            played = self.episodes[k]
            played.append(running.episode(len(played), steps))
            last = loop.window.rasters, loop.probabilities[k], played, running.actions
            messages = self._monitors[k].look(*last)
            counted.append((k, messages))
        if counted:
            self.backend.check_neurons()
        for k, messages in counted:
            if callback is not None:
                callback(k, self.episodes[k][-1])
            for message in messages:
                warn_outside(message, PopulationWarning)

    def _wake(self, playing: Sequence[int]) -> None:
        """Resume the agents that play, and let the others rest."""
        for k in range(len(self.seeds)):
            if k not in playing:
                if playing and k not in self._resting:
                    self._rest(k)
            elif k in self._resting:
                self.backend.restore(self._resting[k], k)
                del self._resting[k]

    def _rest(self, k: int) -> None:
        """Save the state of agent k, which has played enough, as its network is stepped on."""
        self.loop.active[k] = False
        if self.envs.together:
            self._unfinished.leave(k)  # its environment is stepped on as well
        if len(self.seeds) > 1:
            self.loop.catch_up(k)  # or weights not yet in force would be lost as it wakes
            self._resting[k] = self.backend.state(k)


def _view(numbers: FloatArray) -> memoryview[float]:
    """Return a view of *numbers*; writing one number takes half an array's time."""
    return numbers.data.cast("B").cast("d")
