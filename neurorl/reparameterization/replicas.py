"""Agents of one kind that learn by gradients, side by side in one batch.

The counterpart of `neurorl.replicas`, with the same interface. All of an agent's environments take
some steps (a rollout), then its weights take one; what is kept with a run is the state between two
updates, and episodes that were running then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from neurorl.backends.checks import check_seeds
from neurorl.backends.torch import one_thread
from neurorl.backends.window import Raster
from neurorl.config import AgentConfig
from neurorl.described import FloatArray
from neurorl.diagnostics import Monitor
from neurorl.envgroup import EnvGroup
from neurorl.errors import ArgumentError, RunError, say
from neurorl.finite import check_learned
from neurorl.reparameterization.actors import Actors
from neurorl.reparameterization.config import GradientConfig, check_agent
from neurorl.reparameterization.learner import GradientLearner
from neurorl.reparameterization.rollout import Rollout
from neurorl.reparameterization.stage import Stage
from neurorl.replicas import Episode, State, episode_columns, episodes_from, under, warn

__all__ = ["GradientReplicas"]


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
        seeds = check_seeds(seeds)
        if envs.n != len(seeds) * gradient.environments:
            limit = f"{gradient.environments} for each of {len(seeds)} seeds"
            raise ArgumentError(
                say("replicas", "wrong number of environments", got=envs.n, limit=limit)
            )
        self.config, self.gradient = config, gradient
        self.seeds = seeds
        self.arithmetic_name = arithmetic or "float"
        self.network = network = config.network(n_actions)
        self._learners = [
            GradientLearner(network, config, gradient, self.arithmetic_name, n_actions, seed)
            for seed in seeds
        ]
        size = gradient.environments
        self._actors = Actors(network, config, n_actions, seeds, size, self.arithmetic_name)
        self._stage = Stage(envs, config, self.seeds, size)
        self._rollout = Rollout.empty(network, config, (gradient.steps, len(seeds), size))
        self.episodes: list[list[Episode]] = [[] for _ in seeds]
        # Episodes that ended in a rollout, after which nobody asked for so many yet.
        self._ended: list[list[Episode]] = [[] for _ in seeds]
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
        if active:
            self._stage.open(active)
        while active:
            with one_thread():
                found = self._play(active)
                for k in active:
                    done = len(self.episodes[k]) + len(self._ended[k])
                    self._learners[k].learn(self._rollout, k, self.gradient.rate(done))
                    check_learned(self._where(k), self._learners[k].learned())
                    self._put(k)
            self._release(total_episodes, callback)
            for message in found:
                warn(message)
            active = self._active(total_episodes)

    def state(self, k: int) -> State:
        """What agent k has learned and is doing, as arrays, between two updates.

        Raises DivergenceError if what it has learned isn't finite.
        """
        check_learned(self._where(k), self._learners[k].learned())
        learner = self._learners[k].state()
        parts: dict[str, State] = {
            "episodes": episode_columns(self.episodes[k]),
            "ended": episode_columns(self._ended[k]),
            "diagnostics": self._monitors[k].state(),
            "learner": {key: value for key, value in learner.items() if key != "critic"},
            "network": self._actors.part(k),
        }
        return {
            **{f"{part}.{key}": v for part, of in parts.items() for key, v in of.items()},
            "critic": learner["critic"],
            **self._stage.state(k),
        }

    def restore(self, k: int, state: State) -> None:
        """Agent k goes on from `state`. Raises RunError if it doesn't fit."""
        try:
            self._learners[k].restore({**under(state, "learner."), "critic": state["critic"]})
            self.episodes[k] = episodes_from(under(state, "episodes."))
            self._ended[k] = episodes_from(under(state, "ended."), len(self.episodes[k]))
            self._monitors[k].restore(under(state, "diagnostics."))
            self._stage.restore(k, state)
            self._actors.restore(k, under(state, "network."))
        except (KeyError, ValueError, RuntimeError) as exc:
            raise RunError(say("checkpoint", "doesn't fit this agent", got=exc)) from exc
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
        self._stage.envs.close()

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

    def _play(self, active: Sequence[int]) -> list[str]:
        """A rollout of these agents; what was found wrong with their populations."""
        found: list[str] = []
        rollout, stage, actors = self._rollout, self._stage, self._actors
        for k in active:
            rollout.draws.draw(k, self._learners[k].generator)
        before = actors.state
        rollout.states.clear()
        rows = stage.rows(active)
        for t in range(self.gradient.steps):
            if actors.state is not None:
                rollout.states.append(actors.state)
            rasters, policies = actors.decide(rollout, t, stage.cells_flat, rows)
            for k, e in stage.step(rollout, t, rows):
                spikes = {name: raster[k, :, e].numpy() > 0 for name, raster in rasters.items()}
                found += self._end(k, e, spikes, policies[k, e])
            actors.silence(rollout.over[t])
        actors.rest(before, active)
        return found

    def _end(self, k: int, e: int, spikes: dict[str, Raster], policy: FloatArray) -> list[str]:
        """The episode in environment *e* of agent k is over; what is wrong with its last spikes."""
        number = len(self.episodes[k]) + len(self._ended[k])
        self._ended[k].append(self._stage.end(k, e).episode(number, self._stage.steps[k]))
        return self._monitors[k].look(spikes, policy, [*self.episodes[k], *self._ended[k]])

    def _where(self, k: int) -> str:
        return f"seed {self.seeds[k]}, environment step {self._stage.steps[k]}"

    def _put(self, k: int) -> None:
        """Let agent k play with what it has learned."""
        self._actors.put(k, dict(self._learners[k].module.named_parameters()))
