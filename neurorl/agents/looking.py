"""Let agents look again at what a first play chose for them, while they learn.

An agent looks between two episodes, before the second begins, so a run that was stopped anywhere
comes to the same look. What it has seen goes into its checkpoints for as long as a look needs it.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from neurorl.agents.budget import Budget
from neurorl.agents.checkpoint import modules
from neurorl.agents.episodes import State, prefixed, strip_prefix
from neurorl.agents.group import AgentGroup, Callback
from neurorl.agents.replicas import Replicas
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.looks import LOOKS, WINDOW, Look, fitted, in_words, look, looks_of
from neurorl.network.restoring import take_counts, take_shown
from neurorl.tasks.actions import first_of
from neurorl.tasks.first_play import FirstPlay, first_play, is_large
from neurorl.tasks.groups import SeparateEnvs, Step
from neurorl.tasks.kinds import Environment, Shown
from neurorl.tasks.patience import say

_FROM_CELLS = "learner.weights.input_"
_NORMS, _OF_CELLS = "learner.norm", ("learner.acc", "deep.input_", "deep.seen.")
"""Begin these arrays of a state, which have a place for each cell, anew when cells change."""


class WatchedEnvs(SeparateEnvs):
    """Keep what each agent sees in its last steps before a look.

    finished: returns how many steps an agent's finished episodes have. kept: what was seen in
    them. Steps of an unfinished episode are kept apart, as it may be begun or played again.
    """

    def __init__(self, envs: Sequence[Environment], finished: Callable[[int], int]) -> None:
        super().__init__(envs)
        self._finished, self._space = finished, envs[0].observation_space
        self._looks = () if is_large(self._space, WINDOW) else LOOKS
        self.kept = [self.nothing() for _ in envs]
        self._now = [self.nothing() for _ in envs]
        self._taken, self._first = [0] * self.n, [math.inf] * self.n

    def nothing(self) -> FirstPlay:
        """Return a play without steps."""
        return FirstPlay.in_space(self._space, first_of(self.actions))

    def settle(self, k: int) -> FirstPlay:
        """Return what was seen in finished episodes of agent k, the last one included."""
        if self._now[k].steps and self._taken[k] == self._finished(k) and self._now[k].is_over:
            self.kept[k] += self._now[k]
            self._now[k] = self.nothing()
        return self.kept[k]

    def due(self, k: int) -> FirstPlay | None:
        """Return what agent k has seen before a look that is due; None if none is."""
        seen, steps = self.settle(k), self._finished(k)
        return seen if any(steps - seen.steps < at <= steps for at in self._looks) else None

    def reset(self, k: int, seed: int, again: bool = False) -> Shown:
        observation = super().reset(k, seed, again)
        self.settle(k)
        self._now[k], done = self.nothing(), self._finished(k)
        self._taken[k], ahead = done, (at - WINDOW for at in self._looks if at > done)
        self._first[k] = min(ahead, default=math.inf)
        if done >= self._first[k]:
            self._now[k].begin(observation)
        return observation

    def step(self, actions: Sequence[Shown], active: Sequence[int]) -> Iterable[Step]:
        answers = super().step(actions, active)
        if min(self._first) == math.inf:  # after the last look
            return answers
        for k, observation, reward, terminated, truncated, _ in answers:
            self._taken[k] += 1
            if self._taken[k] < self._first[k]:
                continue
            if not self._now[k].rewards:  # keep the rest of this episode
                self._now[k].begin(observation)
                continue
            action = self.actions.taken(actions[k])
            self._now[k].take(action, float(reward), terminated or truncated, observation)
            if self._now[k].steps > 2 * WINDOW:  # of an episode that may have no end
                self._now[k] = self.kept[k] = self.nothing()
                self._first[k] = math.inf
        return answers


class LookingReplicas(Replicas):
    """Let agents learn side by side as `Replicas` does, and look again at what was chosen for them.

    left: the agents for which a look has changed something, with their new configuration and what
    they had seen. One alone goes on with it, others have to leave this group.
    """

    envs: WatchedEnvs
    left: dict[int, tuple[AgentConfig, FirstPlay]]

    def _build(
        self, config: AgentConfig, groups: tuple[int, ...], seeds: tuple[int, ...], loop: str | None
    ) -> None:
        if not isinstance(self.envs, WatchedEnvs):
            self.envs = WatchedEnvs(self.envs.envs, self._finished)
        self.left, self._loop = {}, loop
        super()._build(config, groups, seeds, loop)

    def play(self, budget: Budget, callback: Callback | None = None) -> Iterator[int]:
        yield from super().play(budget, callback)
        while self.left and len(self.seeds) == 1:
            self.become(*self.left.pop(0))
            yield from super().play(budget, callback)

    def alone(self, k: int) -> LookingReplicas:
        """Return agent k, before any learning, in a group of its own, which it leaves this for."""
        self.left.setdefault(k, (self.config, self.envs.nothing()))
        env = SeparateEnvs([self.envs.envs[k]])
        own = (env, self.config, self.n_actions, [self.seeds[k]])
        return LookingReplicas(*own, backend=self._spec, loop=self._loop)

    def become(self, config: AgentConfig, seen: FirstPlay) -> None:
        """Go on with another configuration, as a look has it, with all that still fits."""
        self.envs.kept[0] = self.envs.nothing()
        old, state, played = self.config, self.state(0), list(self.episodes[0])
        self.suit(0, config)
        self.restore(0, carried(old, config, seen, state, self.state(0)), moved=True)
        self.episodes[0][:] = played  # whose times a state doesn't have

    def suit(self, k: int, config: AgentConfig) -> None:
        if config == self.config:
            return
        played, monitors = self.episodes, self._monitors
        self.backend.close()
        groups = modules(config, self.envs.actions, "replicas")
        self._build(config, groups, self.seeds, self._loop)
        vars(monitors[0]).update(vars(self._monitors[0]))  # others hold these objects
        self.episodes, self._monitors = played, monitors
        self._begin_episodes()

    def looks(self, k: int) -> list[Look]:
        ends = [episode.env_steps for episode in self.episodes[k]]
        return looks_of(self.config, ends, self.env_steps(k))

    def state(self, k: int) -> State:
        return {**super().state(k), **prefixed(look=_arrays(self.envs.settle(k)))}

    def go_to(self, env: Environment) -> None:
        super().go_to(env)
        self.envs = WatchedEnvs(self.envs.envs, self._finished)
        self._begin_episodes()

    def _restore(self, k: int, state: State, moved: bool, episodes: int) -> None:
        super()._restore(k, state, moved, episodes)
        self.envs.kept[k] = _read(self.envs.nothing(), strip_prefix(state, "look."))

    def _is_done(self, k: int, budget: Budget) -> bool:
        if super()._is_done(k, budget) or k in self.left:
            return True
        return k not in self._unfinished.running and self._is_changed(k)

    def _is_changed(self, k: int) -> bool:
        """Let agent k look, if it is time; return whether something has to change."""
        seen, steps = self.envs.due(k), self._finished(k)
        if seen is None:
            return False
        changes = look(self.envs.envs[k], self.config, seen, lambda: self._first_play)
        if not changes:
            self.envs.kept[k] = self.envs.nothing()
            return False
        config = self.config.changed(**changes)
        words = in_words(self.config, config)
        say(f"seed {self.seeds[k]} looks again after {steps:,} steps: {words}")
        config = replace(config, looked=(*config.looked, f"{steps}: {words}"))
        self.left[k] = config, seen
        return True

    @functools.cached_property
    def _first_play(self) -> FirstPlay:
        """Return the first play, whose steps are counted already."""
        return first_play(self.envs.envs[0], self.config.first_play_steps, math.inf)

    _finished = AgentGroup.env_steps  # without those of an unfinished episode


def carried(
    old: AgentConfig, new: AgentConfig, seen: FirstPlay, state: State, begun: State
) -> State:
    """Return the state of an agent of the configuration *new* that goes on from an *old* one's.

    begun: the state of one that hasn't learned. Values have the new scale of rewards; weights from
    other cells do what the old ones did for what was *seen*.
    """
    ratio = new.reward_scale / old.reward_scale
    scaled = ("critic", "mean_reward", "learner.mean.")
    state = {name: a * ratio if name.startswith(scaled) else a for name, a in state.items()}
    if new.cells == old.cells:
        return state
    kept = {n: a for n, a in state.items() if not n.startswith((_NORMS, *_OF_CELLS))}
    anew = {n: a for n, a in begun.items() if n.startswith(_OF_CELLS)}
    bound, fit = new.weight_bound, functools.partial(fitted, old, new, seen)
    weights = {
        name: np.clip(fit(state[name], begun[name]), -bound, bound)
        for name in state
        if name.startswith(_FROM_CELLS)
    }
    if state["critic"].size:  # of a linear one
        kept["critic"] = fit(state["critic"][:, None], begun["critic"][:, None])[:, 0]
    return {**kept, **anew, **weights}


def _arrays(seen: FirstPlay) -> State:
    """Return what was seen as arrays for `_read`; none without steps."""
    if not seen.steps:
        return {}
    rows = {f"seen.{n}": np.array(seen.of(place)) for n, place in enumerate(seen.seen)}
    return {
        "lengths": np.array([len(rewards) for rewards in seen.rewards]),
        "rewards": np.concatenate(seen.rewards),
        "actions": np.array(seen.actions),
        **rows,
    }


def _read(nothing: FirstPlay, arrays: State) -> FirstPlay:
    """Return what was seen from `_arrays`, put into *nothing*. Raises RunError."""
    if not arrays:
        return nothing
    lengths = take_counts(arrays, "lengths", None)
    rewards = take_shown(arrays, "rewards", (int(lengths.sum()),))
    actions = arrays["actions"]
    ends = np.cumsum(lengths)[:-1]
    nothing.rewards = [part.tolist() for part in np.split(rewards, ends)]
    nothing.actions, nothing.steps = list(actions), len(rewards)
    for n, place in enumerate(nothing.seen):
        rows = take_shown(arrays, f"seen.{n}", (len(rewards) + len(lengths), None))
        nothing.seen[place] = list(rows)
    return nothing
