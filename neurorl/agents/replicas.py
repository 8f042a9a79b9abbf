"""Agents of one kind that learn side by side in one compiled network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import isfinite
from typing import Any
from zlib import crc32

from neurorl.agents.arguments import check_count, check_kind, check_names, check_options
from neurorl.agents.budget import TIME_LIMIT, Budget
from neurorl.agents.episodes import Episode, State, episode_columns, episodes_from, under
from neurorl.agents.interrupts import held_interrupts
from neurorl.agents.midway import Unfinished
from neurorl.agents.running import Running, empty_actions
from neurorl.backends.checks import check_seeds
from neurorl.backends.registry import backend_type
from neurorl.backends.registry import load as load_backend
from neurorl.backends.simulator import Simulator
from neurorl.diagnostics.monitor import Monitor
from neurorl.errors import (
    ArgumentError,
    EnvironmentWarning,
    PopulationWarning,
    RunError,
    say,
    warn_outside,
)
from neurorl.learning.finite import NotFiniteError, bad_reward, bad_sum, check_learned, explained
from neurorl.learning.loops.checks import learning_options
from neurorl.learning.loops.choose import make_loop
from neurorl.models.config import AgentConfig
from neurorl.network.serialization import FloatArray
from neurorl.numerics.random import derive
from neurorl.tasks.groups import EnvGroup

__all__ = ["Episode", "Replicas", "State", "describe"]

_RESET = 1  # purpose of derived seeds


class Replicas:
    """N agents with one configuration, each with its own weights, seed and environment.

    They decide and learn in the same calls, and never hear of each other: agent k plays the same
    episodes, bit for bit, as one alone with its seed.

    envs: as many as *seeds*. backend, arithmetic, loop, options: as in `SpikingActorCritic`.
    """

    approach = "local"

    def __init__(
        self,
        envs: EnvGroup,
        config: AgentConfig,
        n_actions: int,
        seeds: Sequence[int],
        *,
        backend: str | type[Simulator],
        arithmetic: str | None = None,
        loop: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        seeds = check_seeds(seeds)
        check_kind("replicas, envs", envs, EnvGroup, optional=False)
        check_kind("replicas, config", config, AgentConfig, optional=False)
        check_count("replicas, n_actions", n_actions)
        check_options("replicas, options", options)
        check_names(arithmetic=arithmetic, loop=loop)
        if envs.n != len(seeds):
            raise ArgumentError(
                say("replicas", "as many environments as seeds", got=envs.n, limit=len(seeds))
            )
        self.envs = envs
        self.config = config
        self.backend_name = backend if isinstance(backend, str) else str(backend_type(backend).name)
        self.seeds = seeds
        self.network = config.network(n_actions)
        self.backend = load_backend(
            backend,
            self.network,
            seed=self.seeds if len(seeds) > 1 else seeds[0],
            arithmetic=arithmetic,
            **learning_options(config, backend),
            **(options or {}),
        )
        self.arithmetic_name = self.backend.arithmetic_name
        self.noise = self.backend.noise
        try:
            self.loop = make_loop(config, self.backend, n_actions, loop=loop)
        except BaseException:
            self.backend.close()
            raise
        self.episodes: list[list[Episode]] = [[] for _ in seeds]
        self._monitors = [
            Monitor(self.network, config, seed, k, partial(self.weights, k), envs.first_action)
            for k, seed in enumerate(seeds)
        ]
        self._resting: dict[int, State] = {}
        self._unfinished = Unfinished(envs, self.loop, config.gamma)

    def env_steps(self, k: int) -> int:
        """Environment steps that agent k has learned from."""
        before = self.episodes[k][-1].env_steps if self.episodes[k] else 0
        return before + self._unfinished.length(k)

    def steps_taken(self, k: int) -> int:
        """`env_steps`; of agents that learn otherwise there may be more that haven't ended."""
        return self.env_steps(k)

    def learn(
        self,
        total_episodes: int | None = None,
        callback: Callable[[int, Episode], None] | None = None,
        total_steps: int | None = None,
    ) -> None:
        """Train until each agent has played *total_episodes*, or taken *total_steps*, in all.

        callback: called with the agent's number after each of its episodes. Warns with
        `PopulationWarning` of what `neurorl.diagnostics.monitor` finds, and with
        `EnvironmentWarning` of an episode that doesn't end.

        Where it stops within episodes, after so many steps or by Ctrl-C, which it heeds between two
        steps, the next call goes on with them as if nothing had been; also after a callback that
        raises. When an environment raises, in the midst of a step, the episodes of those that play
        are begun again by the next call, and what was learned in them stays.
        Raises EnvError for a reward or an observation that isn't finite, before anything is learned
        from it, and DivergenceError when what is learned isn't; RunError for an environment that
        doesn't repeat itself, where an episode must be played again up to where it was.
        """
        with held_interrupts() as interrupt:
            for _ in self.play(total_episodes, callback, total_steps):
                if interrupt.requested:
                    return

    def play(
        self,
        total_episodes: int | None = None,
        callback: Callable[[int, Episode], None] | None = None,
        total_steps: int | None = None,
    ) -> Iterator[int]:
        """`learn`, one environment step of every agent at a time; yields how many took it."""
        budget = Budget(total_episodes, total_steps)
        self._count(callback)  # those of a call that was cut short
        playing = [k for k in range(len(self.seeds)) if not self._is_done(k, budget)]
        loop, gamma, scale = self.loop, self.config.gamma, self.config.reward_scale
        decide, see, learn, step = loop.decide, loop.see, loop.learn, self.envs.step
        reward_of, discount_of, running = loop.reward, loop.discount, self._unfinished.running
        shown: list[tuple[Any, ...]] = [loop.seen(k) for k in range(len(self.seeds))]
        left = self._open(playing, budget)
        while playing:
            ended = False
            try:
                chosen = decide().tolist()
                for k, observation, given, terminated, truncated, _ in step(chosen, playing):
                    see(k, observation)
                    reward = float(given)
                    reward_of[k] = scaled = scale * reward
                    mine = running[k]
                    mine.actions.append(chosen[k])
                    if not isfinite(scaled):
                        raise bad_reward(self._where(k), reward, scale)
                    discount_of[k] = 0.0 if terminated else gamma
                    mine.total += reward
                    mine.discounted += mine.factor * reward
                    mine.factor *= gamma
                    for numbers in shown[k]:
                        mine.digest = crc32(numbers, mine.digest)
                    if terminated or truncated:
                        mine.is_over = ended = True
                learn()
            except BaseException as exc:
                self._break_off(playing, exc)
                raise
            left -= 1
            if ended:
                self._count(callback)
            yield len(playing)
            if ended or not left:
                playing, left = self._go_on(playing, budget, left)

    def state(self, k: int) -> State:
        """What agent k has learned, as arrays, and where it is in an episode that isn't over.

        Raises DivergenceError if what it has learned isn't finite.
        """
        columns = episode_columns(self.episodes[k])
        self.loop.settle()
        learned = self.loop.memory.of(k).state()
        check_learned(f"seed {self.seeds[k]}", learned)
        simulated = self._resting.get(k) or self.backend.state(k)
        return {
            **{f"backend.{key}": value for key, value in simulated.items()},
            **learned,
            **{f"episodes.{key}": value for key, value in columns.items()},
            **{f"diagnostics.{key}": value for key, value in self._monitors[k].state().items()},
            **{f"running.{key}": value for key, value in self._unfinished.arrays(k).items()},
        }

    def restore(self, k: int, state: State, moved: bool = False) -> None:
        """Agent k goes on from `state`; *moved* if it is of another backend or arithmetic.

        An episode that wasn't over goes on as well; of one that has moved, it is begun again.
        Raises RunError if it doesn't fit.
        """
        self._resting.pop(k, None)
        self._unfinished.forget(k)
        self.loop.settle()  # weights of all are written below, and those on a chip are the truth
        try:
            if not moved:
                self.backend.restore(under(state, "backend."), k)
            self.loop.memory.of(k).restore(state)
            self.loop.write(k)
            self.episodes[k] = episodes_from(under(state, "episodes."))
            self._monitors[k].restore(under(state, "diagnostics."), self.loop.n_actions)
            midway = {} if moved else under(state, "running.")
            if midway:
                self._unfinished.restore(k, len(self.episodes[k]), midway)
        except (KeyError, ValueError) as exc:
            raise RunError(say("checkpoint", "doesn't fit this agent", got=exc)) from exc

    def adopt(self, k: int, state: State) -> None:
        """Agent k, who has learned nothing yet, starts with the weights and the critic of another.

        state: of any agent with this network, whatever approach it learned by. Raises RunError.
        """
        self.loop.settle()
        self._unfinished.forget(k)
        try:
            self.loop.memory.of(k).adopt(state, self.network)
        except (KeyError, ValueError) as exc:
            raise RunError(say("checkpoint", "is of another network", got=exc)) from exc
        self.loop.write(k)
        self._monitors[k].begin()

    def leave(self, k: int) -> None:
        """Somebody else will use agent k's environment: it goes back to its episode afterwards."""
        self._unfinished.leave(k)

    def weights(self, k: int) -> dict[str, FloatArray]:
        """Agent k's float weights."""
        self.loop.settle()
        return {name: weights[k] for name, weights in self.loop.memory.weights.items()}

    def diagnostics(self, k: int) -> dict[str, Any]:
        """Agent k's populations, see `neurorl.diagnostics.monitor.Monitor.table`."""
        return self._monitors[k].table(self.episodes[k])

    def warnings(self, k: int) -> list[dict[str, Any]]:
        """What was found wrong with agent k's populations, in order."""
        return self._monitors[k].warnings()

    def close(self) -> None:
        """Free the backend and the environments."""
        self.backend.close()
        self.envs.close()

    def _is_done(self, k: int, budget: Budget) -> bool:
        return budget.is_spent(len(self.episodes[k]), self.env_steps(k))

    def _open(self, playing: Sequence[int], budget: Budget) -> int:
        """Begin, or go on with, an episode of each; after how many steps to look at the budget."""
        self.loop.active[:] = False
        self._wake(playing)
        self._unfinished.take_up(playing, {k: self._reset_seed(k) for k in playing})
        for k in playing:
            if k not in self._unfinished.running:
                self._begin(k)
            self.loop.rate[k] = self.config.schedule.rate(len(self.episodes[k]))
            self.loop.active[k] = True
        return min((budget.steps_left(self.env_steps(k)) for k in playing), default=0)

    def _go_on(self, playing: Sequence[int], budget: Budget, left: int) -> tuple[list[int], int]:
        """Begin the next episodes; who plays on, and after how many steps to look again."""
        still = []
        for k in playing:
            if self._is_done(k, budget):
                self._rest(k)
                continue
            still.append(k)
            if k not in self._unfinished.running:
                self._begin(k)
        if not left:
            left = min((budget.steps_left(self.env_steps(k)) for k in still), default=0)
            for k in filter(self._unfinished.too_long, still):
                message = say(self._where(k), "hasn't ended yet", remedy=TIME_LIMIT)
                warn_outside(message, EnvironmentWarning)
        return still, left

    def _count(self, callback: Callable[[int, Episode], None] | None) -> None:
        """Episodes that are over become those played; the callback is told of each."""
        counted: list[tuple[int, list[str]]] = []
        loop, all_running = self.loop, self._unfinished.running
        for k in [k for k, running in all_running.items() if running.is_over]:
            where, steps, running = self._where(k), self.env_steps(k), all_running.pop(k)
            if not isfinite(running.total) or not isfinite(running.discounted):
                raise bad_sum(where, running.total)
            played = self.episodes[k]
            played.append(running.episode(len(played), steps))
            found = self._monitors[k].look(loop.window.rasters, loop.probabilities[k], played)
            counted.append((k, found))
        for k, found in counted:
            if callback is not None:
                callback(k, self.episodes[k][-1])
            for message in found:
                warn_outside(message, PopulationWarning)

    def _break_off(self, playing: Sequence[int], exc: BaseException) -> None:
        """A step has failed in its midst: the episodes of those that play are to be begun again.

        Raises the error to be told instead of *exc*, if there is one.
        """
        told = None
        if isinstance(exc, NotFiniteError):
            told = explained(self._where(exc.replica), exc)
        for k in playing:
            self._unfinished.forget(k)
        if told is not None:
            raise told from exc

    def _wake(self, playing: Sequence[int]) -> None:
        """Those that play go on from where they were; the others rest, whatever was done before."""
        for k in range(len(self.seeds)):
            if k not in playing:
                if playing and k not in self._resting:
                    self._rest(k)
            elif k in self._resting:
                self.backend.restore(self._resting[k], k)
                del self._resting[k]

    def _rest(self, k: int) -> None:
        """Agent k has played enough: its state is kept, as its network steps on with the others."""
        self.loop.active[k] = False
        if self.envs.together:
            self._unfinished.leave(k)  # its environment steps on as well
        if len(self.seeds) > 1:
            self._resting[k] = self.backend.state(k)

    def _begin(self, k: int) -> None:
        """An episode of agent k begins."""
        running = Running(len(self.episodes[k]), actions=empty_actions(self.loop.n_actions))
        self.loop.rate[k] = self.config.schedule.rate(running.number)
        self.loop.see_first(k, self.envs.reset(k, self._reset_seed(k)))
        running.see(*self.loop.seen(k))
        try:
            self.loop.begin(k)
        except NotFiniteError as exc:
            raise explained(self._where(k), exc) from exc
        self._unfinished.running[k] = running

    def _reset_seed(self, k: int) -> int:
        """Of the episode that agent k is in, or begins."""
        return derive(self.seeds[k], _RESET, len(self.episodes[k])) & 0x7FFFFFFF

    def _where(self, k: int) -> str:
        """Which agent and when, for an error; step 0 is the reset."""
        step = self._unfinished.length(k)
        return f"seed {self.seeds[k]}, episode {len(self.episodes[k])}, step {step}"


def describe(env_id: str, replicas: Any, k: int, env_spec: dict[str, Any]) -> dict[str, Any]:
    """What agent k of replicas of any kind is, as plain data, for its checkpoints.

    env_spec: as `neurorl.tasks.specification.describe_env` gives it.
    """
    gradient = getattr(replicas, "gradient", None)
    return {
        "env": env_id,
        "env_spec": env_spec,
        "approach": replicas.approach,
        "backend": replicas.backend_name,
        "arithmetic": replicas.arithmetic_name,
        "noise": replicas.noise,
        "seed": replicas.seeds[k],
        "config": replicas.config.to_dict(),
        **({} if gradient is None else {"gradient": gradient.to_dict()}),
    }
