"""Agents of one kind that learn by gradients, side by side in one batch.

The counterpart of `neurorl.replicas`, with the same interface. All of an agent's environments take
some steps (a rollout), then its weights take one; what is kept with a run is the state between two
updates, and episodes that were running then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from neurorl.backends.torch import SpikingModule
from neurorl.config import AgentConfig
from neurorl.described import FloatArray
from neurorl.diagnostics import Monitor
from neurorl.envgroup import EnvGroup
from neurorl.errors import ArgumentError, RunError, say
from neurorl.random import derive
from neurorl.reparameterization.carried import part_arrays, with_part
from neurorl.reparameterization.config import GradientConfig, check_agent
from neurorl.reparameterization.encode import encode
from neurorl.reparameterization.learner import GradientLearner
from neurorl.reparameterization.loss import log_policy, votes
from neurorl.reparameterization.rollout import Inputs, Rollout
from neurorl.reparameterization.running import Running, running_from, running_state, take_up
from neurorl.replicas import Episode, State, episode_columns, episodes_from, under, warn

__all__ = ["GradientReplicas"]

_RESET = 1  # purpose of derived seeds


class GradientReplicas:
    """N agents with one configuration, each with its own weights, seed and environments.

    envs: ``gradient.environments`` for each of *seeds*, an agent's together. arithmetic: in which
    the weights act while they learn, ``'float'`` or ``'loihi'``.
    An agent plays the same episodes as one alone with its seed.
    """

    approach = "reparameterization"
    backend_name = "torch"
    noise = "exact"

    def __init__(
        self,
        envs: EnvGroup,
        config: AgentConfig,
        gradient: GradientConfig,
        n_actions: int,
        seeds: Sequence[int],
        *,
        arithmetic: str | None = None,
    ) -> None:
        check_agent(config)
        if envs.n != len(seeds) * gradient.environments:
            limit = f"{gradient.environments} for each of {len(seeds)} seeds"
            raise ArgumentError(
                say("replicas", "wrong number of environments", got=envs.n, limit=limit)
            )
        self.envs, self.config, self.gradient = envs, config, gradient
        self.seeds = tuple(seeds)
        self.arithmetic_name = arithmetic or "float"
        self.network = network = config.network(n_actions)
        self._learners = [
            GradientLearner(network, config, gradient, self.arithmetic_name, n_actions, seed)
            for seed in seeds
        ]
        self._module = SpikingModule(
            network, seed=self.seeds, arithmetic=self.arithmetic_name
        ).requires_grad_(False)
        lead = (gradient.steps, len(seeds), gradient.environments)
        self._rollout = Rollout.empty(network, config, lead)
        self._inputs = Inputs(network, config, lead[1:], self._module.dtype)
        self._first_vote = 0 if config.carries else network.depth("output")
        self._n_actions = n_actions
        self._silence = self._module.rest(gradient.environments)
        self._state = self._silence if config.carries else None
        self.episodes: list[list[Episode]] = [[] for _ in seeds]
        # Episodes that ended in a rollout, after which nobody asked for so many yet.
        self._ended: list[list[Episode]] = [[] for _ in seeds]
        self._steps = [0 for _ in seeds]
        self._begun = [0 for _ in seeds]
        self._running: list[list[Running]] = [[] for _ in seeds]
        self._to_take_up: set[int] = set()
        self._cells_flat = np.zeros((envs.n, config.cells.n_inputs))
        self._features_flat = np.zeros((envs.n, config.features.n_inputs))
        self._x = np.zeros((envs.n, config.features.size))
        self._monitors = [
            Monitor(
                network,
                config,
                seed,
                0,
                partial(self.weights, k),
                envs.first_action,
                gradient.learning_rate,
            )
            for k, seed in enumerate(seeds)
        ]
        for k in range(len(seeds)):
            self._put(k)

    def env_steps(self, k: int) -> int:
        """Environment steps that agent k has taken until its last episode ended."""
        return self.episodes[k][-1].env_steps if self.episodes[k] else 0

    def learn(
        self, total_episodes: int, callback: Callable[[int, Episode], None] | None = None
    ) -> None:
        """Train until each agent has played *total_episodes* in all.

        callback: called with the agent's number for each of its episodes, after the update by the
        rollout in which it ended. Warns as `neurorl.replicas.Replicas.learn`.
        """
        self._release(total_episodes, callback)
        active = self._active(total_episodes)
        self._open(active)
        while active:
            with _one_thread():
                found = self._play(active)
                for k in active:
                    done = len(self.episodes[k]) + len(self._ended[k])
                    self._learners[k].learn(self._rollout, k, self.gradient.rate(done))
                    self._put(k)
            self._release(total_episodes, callback)
            for message in found:
                warn(message)
            active = self._active(total_episodes)

    def state(self, k: int) -> State:
        """What agent k has learned and is doing, as arrays, between two updates."""
        mine = slice(k * self.gradient.environments, (k + 1) * self.gradient.environments)
        learner = self._learners[k].state()
        parts: dict[str, State] = {
            "episodes": episode_columns(self.episodes[k]),
            "ended": episode_columns(self._ended[k]),
            "diagnostics": self._monitors[k].state(),
            "learner": {key: value for key, value in learner.items() if key != "critic"},
            "running": running_state(self._running[k]) if self._running[k] else {},
            "network": {} if self._state is None else part_arrays(self._state, k),
        }
        return {
            **{f"{part}.{key}": v for part, of in parts.items() for key, v in of.items()},
            "critic": learner["critic"],
            "steps": np.array(self._steps[k]),
            "begun": np.array(self._begun[k]),
            "observations": self._cells_flat[mine].copy(),
        }

    def restore(self, k: int, state: State) -> None:
        """Agent k goes on from `state`. Raises RunError if it doesn't fit."""
        try:
            self._learners[k].restore({**under(state, "learner."), "critic": state["critic"]})
            self.episodes[k] = episodes_from(under(state, "episodes."))
            self._ended[k] = episodes_from(under(state, "ended."), len(self.episodes[k]))
            self._monitors[k].restore(under(state, "diagnostics."))
            self._steps[k], self._begun[k] = int(state["steps"]), int(state["begun"])
            running = under(state, "running.")
            self._running[k] = running_from(running) if running else []
            first = k * self.gradient.environments
            self._cells_flat[first : first + self.gradient.environments] = state["observations"]
            if self._state is not None:
                self._state = with_part(self._state, k, under(state, "network."))
        except (KeyError, ValueError, RuntimeError) as exc:
            raise RunError(say("checkpoint", "doesn't fit this agent", got=exc)) from exc
        self._to_take_up.add(k)
        self._put(k)

    def adopt(self, k: int, state: State) -> None:
        """Agent k, who has learned nothing yet, starts with the weights and the critic of another.

        state: of any agent with this network, whatever approach it learned by. Raises RunError.
        """
        learner = self._learners[k]
        try:
            learner.set_weights(under(state, "learner.weights."))
            if state["critic"].shape == learner.values.weights.shape:
                learner.values.weights[:] = state["critic"]
        except (KeyError, ValueError) as exc:
            raise RunError(say("checkpoint", "is of another network", got=exc)) from exc
        self._monitors[k].begin()
        self._put(k)

    def weights(self, k: int) -> dict[str, FloatArray]:
        """Agent k's float weights."""
        return self._learners[k].weights()

    def diagnostics(self, k: int) -> dict[str, Any]:
        """Agent k's populations, see `neurorl.diagnostics.Monitor.table`."""
        return self._monitors[k].table(self.episodes[k])

    def warnings(self, k: int) -> list[dict[str, Any]]:
        """What was found wrong with agent k's populations, in order."""
        return self._monitors[k].warnings()

    def close(self) -> None:
        """Free the environments."""
        self.envs.close()

    def _active(self, total_episodes: int) -> list[int]:
        return [k for k, played in enumerate(self.episodes) if len(played) < total_episodes]

    def _release(
        self, total_episodes: int, callback: Callable[[int, Episode], None] | None
    ) -> None:
        """Count episodes that have ended, as many as were asked for."""
        for k, ended in enumerate(self._ended):
            while ended and len(self.episodes[k]) < total_episodes:
                self.episodes[k].append(ended.pop(0))
                if callback is not None:
                    callback(k, self.episodes[k][-1])

    def _open(self, active: Sequence[int]) -> None:
        """Begin agents' first episodes, or play those that were running up to where they were."""
        size = self.gradient.environments
        cut_off = {}
        for k in active:
            if not self._running[k]:
                for e in range(size):
                    self._running[k].append(self._begin(k, e))
            elif k in self._to_take_up:
                for e, running in enumerate(self._running[k]):
                    cut_off[k * size + e] = (self._reset_seed(k, running.number), running.actions)
        self._to_take_up -= set(active)
        for i, observation in take_up(self.envs, cut_off).items():
            before = self._cells_flat[i].copy()
            self._see(i, observation)
            if not np.array_equal(before, self._cells_flat[i]):
                what = "doesn't repeat itself for the same seed and actions"
                raise RunError(say("environment", what, remedy="a run of it can't be resumed"))
        rows = self._rows(active)
        self._x[rows] = self.config.features.of_all(self._features_flat[rows])

    def _rows(self, active: Sequence[int]) -> list[int]:
        """Numbers of these agents' environments."""
        size = self.gradient.environments
        return [k * size + e for k in active for e in range(size)]

    def _begin(self, k: int, e: int) -> Running:
        """A new episode in environment *e* of agent k."""
        running = Running(self._begun[k])
        self._begun[k] += 1
        i = k * self.gradient.environments + e
        self._see(i, self.envs.reset(i, self._reset_seed(k, running.number)))
        return running

    def _reset_seed(self, k: int, number: int) -> int:
        return derive(self.seeds[k], _RESET, number) & 0x7FFFFFFF

    def _see(self, i: int, observation: Any) -> None:
        self._cells_flat[i] = self.config.cells.flat(observation)
        self._features_flat[i] = self.config.features.flat(observation)

    def _play(self, active: Sequence[int]) -> list[str]:
        """A rollout of these agents; what was found wrong with their populations."""
        found: list[str] = []
        for k in active:
            self._rollout.draws.draw(k, self._learners[k].generator)
        self._rollout.state = self._state
        before = self._state
        rows = self._rows(active)
        for t in range(self.gradient.steps):
            rasters, policies = self._decide(t, rows)
            found += self._step(t, rows, rasters, policies)
        if self._state is not None and before is not None:
            for k in set(range(len(self.seeds))) - set(active):  # they rest
                self._state = with_part(self._state, k, part_arrays(before, k))
        return found

    @torch.no_grad()
    def _decide(self, t: int, rows: list[int]) -> tuple[dict[str, torch.Tensor], FloatArray]:
        """Choose actions for step *t*; the rasters, and the policies ``(R, E, n_actions)``."""
        config, rollout = self.config, self._rollout
        lead = (len(self.seeds), self.gradient.environments)
        spikes = encode(config, self._cells_flat[rows], rollout.draws.cells[t].flatten(0, 1)[rows])
        inputs = spikes.new_zeros(*spikes.shape[:-2], self.envs.n, spikes.shape[-1])
        inputs[..., rows, :] = spikes
        inputs = inputs.view(*inputs.shape[:-2], *lead, -1)
        given = inputs if config.encoder == "current" else inputs.transpose(0, 1)
        rollout.inputs[..., t, :, :] = given
        before = self._silence if self._state is None else self._state
        noise = rollout.draws.noise_at(t)
        rasters, after = self._module.advance(self._inputs.batch(given), before, noise)
        if config.carries:
            self._state = after
        n = votes(rasters["output"].transpose(0, 1), self._n_actions, self._first_vote)
        policies = log_policy(n, config.beta, config.exploration).exp().double()
        below = (policies.cumsum(-1) < rollout.draws.actions[t][..., None]).sum(-1)
        rollout.actions[t] = below.clamp(max=self._n_actions - 1).numpy()
        return rasters, policies.numpy()

    def _step(
        self,
        t: int,
        rows: list[int],
        rasters: dict[str, torch.Tensor],
        policies: FloatArray,
    ) -> list[str]:
        config, rollout, size = self.config, self._rollout, self.gradient.environments
        features = config.features
        rollout.x[t] = self._x.reshape(rollout.x[t].shape)
        ended = []
        actions = rollout.actions[t].ravel()
        for i, observation, given, terminated, truncated, _ in self.envs.step(actions, rows):
            k, e = divmod(i, size)
            reward = float(given)
            self._running[k][e].add(int(actions[i]), reward, config.gamma)
            self._see(i, observation)
            rollout.rewards[t, k, e] = config.reward_scale * reward
            rollout.terminated[t, k, e] = terminated
            rollout.over[t, k, e] = terminated or truncated
            if terminated or truncated:
                ended.append(i)
        for k in {i // size for i in rows}:
            self._steps[k] += size
        self._x[rows] = features.of_all(self._features_flat[rows])
        rollout.next_x[t] = self._x.reshape(rollout.next_x[t].shape)
        found = []
        for i in ended:
            found += self._end(*divmod(i, size), rasters, policies)
        if ended:
            self._x[ended] = features.of_all(self._features_flat[ended])
            if self._state is not None:
                self._state = self._state.silenced(torch.from_numpy(rollout.over[t]))
        return found

    def _end(
        self, k: int, e: int, rasters: dict[str, torch.Tensor], policies: FloatArray
    ) -> list[str]:
        """The episode in environment *e* of agent k is over; the next one begins."""
        number = len(self.episodes[k]) + len(self._ended[k])
        self._ended[k].append(self._running[k][e].episode(number, self._steps[k]))
        spikes = {name: raster[k, :, e].numpy() > 0 for name, raster in rasters.items()}
        played = [*self.episodes[k], *self._ended[k]]
        found = self._monitors[k].look(spikes, policies[k, e], played)
        self._running[k][e] = self._begin(k, e)
        return found

    def _put(self, k: int) -> None:
        """Let agent k play with what it has learned."""
        for name, weights in self._learners[k].module.named_parameters():
            self._module.get_parameter(name)[k] = weights.detach()[0]


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for torch: quickest for windows as small as these, and the same bits anywhere."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
