"""Step the environments of several agents: separate ones, or a Gymnasium vector."""

from __future__ import annotations

import abc
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, SupportsFloat

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space, iterate

from neurorl.errors import ArgumentError, NeurorlError
from neurorl.numerics.arrays import Array, BoolArray
from neurorl.storage.plain import Named
from neurorl.tasks.actions import MASK, Actions, OneOf, read_actions
from neurorl.tasks.answers import (
    UnfitError,
    answers_of,
    mask_method,
    observation_reader,
    raised,
    unfit,
)
from neurorl.tasks.kinds import Environment, Shown, Space, VectorEnvironment, layers_of
from neurorl.tasks.statistics import put_statistics, statistics_of

_NOTHING: Named = {}
Step = tuple[int, Shown, SupportsFloat, bool, bool, Any]


class EnvGroup(abc.ABC):
    """Hold one environment for each agent.

    actions: what each environment takes. shape: common shape of observations that are arrays of
    numbers; None for others. together: whether a step always steps all environments, even if their
    agents don't play. resets_itself: whether it begins episodes by itself, so that none can be
    repeated; an agent waits until its environment is `ready`.
    """

    actions: Actions
    n: int
    shape: tuple[int, ...] | None = None
    together = False
    resets_itself = False

    def ready(self, k: int) -> bool:
        """Return whether an episode of agent k can begin before the next step."""
        return True

    @property
    def first_action(self) -> int:
        """Return the number of the first discrete action; 0 for other actions."""
        return self.actions.first if isinstance(self.actions, OneOf) else 0

    @abc.abstractmethod
    def reset(self, k: int, seed: int, again: bool = False) -> Shown:
        """Start an episode of agent k, or the last one *again*; return the observation."""

    def statistics(self, k: int) -> dict[str, Array]:
        """Return agent k's running statistics, now and when its last episode began."""
        return {}

    def put_statistics(self, k: int, statistics: dict[str, Array]) -> None:
        """Let agent k's last episode begin again, or another one begin, with `statistics`."""
        assert not statistics

    @abc.abstractmethod
    def info(self, k: int) -> Named:
        """Return the info that agent k's environment gave with its first observation."""

    @abc.abstractmethod
    def step(self, actions: Sequence[object], active: Sequence[int]) -> Iterable[Step]:
        """Step all active agents.

        actions: the choice of each agent, as `neurorl.tasks.actions` has them.
        Returns ``(k, observation, reward, terminated, truncated, info)`` of every active agent.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close all environments."""


class SeparateEnvs(EnvGroup):
    """Step a list of environments one after the other."""

    def __init__(self, envs: Sequence[Environment]) -> None:
        self.envs = envs
        self.n = len(envs)
        self.actions = read_actions(envs[0])
        self.shape = _common_shape([env.observation_space for env in envs])
        self._answers = [answers_of(env) for env in envs]
        self.where = self._answers[0].where
        self._steps = [answers.step for answers in self._answers]
        self._began = [statistics_of(env) for env in envs]

    def reset(self, k: int, seed: int, again: bool = False) -> Shown:
        if self._began[k] and again:
            put_statistics(self.envs[k], self._began[k])
        elif self._began[k]:
            self._began[k] = statistics_of(self.envs[k])
        return self._answers[k].reset(seed)

    def statistics(self, k: int) -> dict[str, Array]:
        began = {f"began.{name}": array for name, array in self._began[k].items()}
        return {**statistics_of(self.envs[k]), **began}

    def put_statistics(self, k: int, statistics: dict[str, Array]) -> None:
        self._began[k] = {name: statistics[f"began.{name}"] for name in self._began[k]}
        put_statistics(self.envs[k], statistics)

    def info(self, k: int) -> Named:
        return _mapping(self._answers[k].info)

    def step(self, actions: Sequence[Shown], active: Sequence[int]) -> Iterable[Step]:
        taken, steps = self.actions.taken, self._steps
        if isinstance(self.actions, OneOf):
            first = self.actions.first
            if len(active) == 1:  # mostly; the list below takes a call of its own
                (k,) = active
                return ((k, *steps[k](actions[k] + first)),)
            # Adding tuples takes half the time of unpacking one.
            return [(k,) + steps[k](actions[k] + first) for k in active]  # noqa: RUF005
        return [(k,) + steps[k](taken(actions[k])) for k in active]  # noqa: RUF005

    def close(self) -> None:
        for answers in self._answers:
            answers.close()


class VectorEnvs(EnvGroup):
    """Step a `gymnasium.vector.VectorEnv` whose episodes can begin one by one, each by its seed.

    This works in every mode of autoreset: an environment that was reset in the step of its end, or
    would be in the next step, is reset once more by the agent's seed.
    """

    together = True

    def __init__(self, env: VectorEnvironment) -> None:
        self.env = env
        self.n = env.num_envs
        self._mode = _autoreset_mode(env)
        self.actions = read_actions(env)
        self._masks: dict[int, Any] = {}  # the last observation of each environment
        self._methods = [mask_method(one) for one in getattr(env.unwrapped, "envs", ())]
        self._over = np.ones(self.n, dtype=bool)
        self._batched = batch_space(env.single_observation_space, self.n)
        self._read = observation_reader(env.single_observation_space)
        self.shape = _common_shape([env.single_observation_space])
        spec = getattr(env.spec, "id", None)
        self._where = f"environment {spec or type(env.unwrapped).__name__}"

    def reset(self, k: int, seed: int, again: bool = False) -> Shown:
        mask = np.zeros(self.n, dtype=bool)
        mask[k] = True
        if self._over.all():
            mask[:] = True  # the first reset of all can't leave any out
        seeds: Any = [None] * self.n
        seeds[k] = seed
        try:
            observations, infos = self.env.reset(seed=seeds, options={"reset_mask": mask})
            self._note_masks(infos, np.flatnonzero(mask))
            observation = self._read(self._each(observations)[k])
        except Exception as exc:
            raise self._failed("reset", exc) from exc
        self._over[k] = False
        return observation

    def info(self, k: int) -> Named:
        return {MASK: self._masks[k]} if k in self._masks else _NOTHING

    def step(self, actions: Sequence[object], active: Sequence[int]) -> Iterable[Step]:
        try:
            return self._step(actions, active)
        except Exception as exc:
            raise self._failed("step", exc) from exc

    def _step(self, actions: Sequence[object], active: Sequence[int]) -> Iterable[Step]:
        if self._mode is AutoresetMode.DISABLED and self._over.any():  # resets finished agents
            unseeded: Any = [None] * self.n
            _, infos = self.env.reset(seed=unseeded, options={"reset_mask": self._over.copy()})
            self._note_masks(infos, np.flatnonzero(self._over))
        if self._masks:  # heeded for agents that rest, too
            allowed = self._masks
            actions = [
                choice if k in active or k not in allowed else self.actions.allowed(allowed[k])
                for k, choice in enumerate(actions)
            ]
        answer = self.env.step(self.actions.batch(actions))
        observations, rewards, terminated, truncated, infos = answer
        ends, each = terminated | truncated, self._each(observations)
        self._note_masks(infos, range(self.n), np.flatnonzero(~ends))
        shown = each
        if self._mode is AutoresetMode.SAME_STEP and ends.any():  # each shows the next episode
            last = infos["final_obs"]
            shown = [last[k] if over else each[k] for k, over in enumerate(ends.tolist())]
        self._note(each, ends)
        read, paid = self._read, rewards.tolist()
        ended, cut = terminated.tolist(), truncated.tolist()
        info = self.info if self._masks else lambda _: _NOTHING
        return [(k, read(shown[k]), paid[k], ended[k], cut[k], info(k)) for k in active]

    def _note_masks(
        self, infos: object, of: Iterable[int], running: Iterable[int] | None = None
    ) -> None:
        """Note the masks of infos, or else those of methods, where episodes are *running*."""
        masks = _mapping(infos).get(MASK)
        if masks is not None:
            parts = isinstance(masks, tuple)  # a mask for each of several choices
            self._masks |= {
                int(k): tuple(part[k] for part in masks) if parts else masks[k] for k in of
            }
            return
        asked = of if running is None else running
        each = {int(k): self._methods[k] for k in asked} if self._methods else {}
        self._masks |= {k: method() for k, method in each.items() if method is not None}

    def _note(self, each: list[Shown], ends: BoolArray) -> None:
        """Note which episodes are over, after a step in which the environments show *each*."""
        self._over = ends

    def _each(self, observations: Shown) -> list[Shown]:
        return list(iterate(self._batched, observations))

    def _failed(self, call: str, exc: Exception) -> NeurorlError:
        if isinstance(exc, UnfitError):
            return unfit(f"{self._where}, {call}", exc)
        return raised(self._where, call, exc)

    def close(self) -> None:
        self.env.close()


class AutoresetEnvs(VectorEnvs):
    """Step a vector environment that starts all episodes but the first itself, in C or NumPy.

    Examples are `gymnasium.make_vec("CartPole-v1", ..., vectorization_mode="vector_entry_point")`
    and envpool. All environments are reset together, by the seed of the first agent that asks;
    later episodes use the environment's own random numbers. envpool is seeded when made.
    """

    resets_itself = True

    def __init__(self, env: VectorEnvironment) -> None:
        super().__init__(env)
        self._is_begun = False
        self._fresh: list[Shown] = [None] * self.n  # the first observation of an episode to take

    def ready(self, k: int) -> bool:
        return not self._is_begun or self._fresh[k] is not None

    def reset(self, k: int, seed: int, again: bool = False) -> Shown:
        try:
            if not self._is_begun:
                with warnings.catch_warnings():  # envpool's, of a seed that it doesn't heed
                    warnings.simplefilter("ignore")
                    observations, infos = self.env.reset(seed=seed)
                self._note_masks(infos, range(self.n))
                self._fresh, self._is_begun = self._each(observations), True
                self._over[:] = False
            observation, self._fresh[k] = self._read(self._fresh[k]), None
        except Exception as exc:
            raise self._failed("reset", exc) from exc
        return observation

    def _note(self, each: list[Shown], ends: BoolArray) -> None:
        begun = ends if self._mode is AutoresetMode.SAME_STEP else self._over
        self._fresh = [row if new else None for row, new in zip(each, begun, strict=True)]
        self._over = ends


def _common_shape(spaces: Sequence[Space]) -> tuple[int, ...] | None:
    """Return the shape of observations in these spaces; None unless all are Boxes of one shape."""
    shapes = {space.shape if isinstance(space, gym.spaces.Box) else None for space in spaces}
    return shapes.pop() if len(shapes) == 1 else None


def _mapping(info: object) -> Named:
    return info if isinstance(info, Mapping) else _NOTHING


def _autoreset_mode(env: VectorEnvironment) -> AutoresetMode:
    """Return when *env* begins episodes by itself. Raises ArgumentError if it doesn't say."""
    mode = env.metadata.get("autoreset_mode")
    try:
        return AutoresetMode(getattr(mode, "value", mode))
    except ValueError:
        remedy = 'metadata["autoreset_mode"] of gymnasium.vector.AutoresetMode'
        what = "doesn't say when it resets by itself"
        raise ArgumentError("vector environment", what, got=mode, remedy=remedy) from None


def _vector_group(env: VectorEnvironment) -> VectorEnvs:
    if getattr(env, "is_async", False) is True:
        remedy = "make it with batch_size equal to num_envs"
        raise ArgumentError("vector environment", "answers for some of its own only", remedy=remedy)
    by_one = isinstance(env.unwrapped, (gym.vector.SyncVectorEnv, gym.vector.AsyncVectorEnv))
    if by_one or _autoreset_mode(env) is AutoresetMode.DISABLED:
        return VectorEnvs(env)
    return AutoresetEnvs(env)


def has_time_limit(env: Environment) -> bool:
    """Return whether every episode of *env* is known to end.

    A limit cuts it off, or ``metadata["max_episode_steps"]`` says that it ends by itself.
    """
    return "max_episode_steps" in env.metadata or most_steps(env) is not None


def most_steps(env: Environment) -> int | None:
    """Return the largest number of steps of an episode of *env*; None if it doesn't say."""
    limits = [env.spec.max_episode_steps if env.spec else None]
    limits.append(env.metadata.get("max_episode_steps"))
    cuts = (one for one in layers_of(env) if isinstance(one, gym.wrappers.TimeLimit))
    limits += [one._max_episode_steps for one in cuts]
    return min((n for n in limits if isinstance(n, int) and n > 0), default=None)


def env_group(env: Environment | VectorEnvironment | Sequence[Environment]) -> EnvGroup:
    """Return the group for an environment, a vector, or a list of environments."""
    if isinstance(env, gym.vector.VectorEnv):
        return _vector_group(env)
    return SeparateEnvs([env] if isinstance(env, gym.Env) else env)
