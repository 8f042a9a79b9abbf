"""Train agents of one kind by gradients, side by side in one batch.

All of an agent's environments take some steps (a rollout), then its weights take one; what is kept
with a run is the state between two updates, and episodes that were running then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from neurorl.agents.algorithms import REPARAMETERIZATION
from neurorl.agents.budget import LONG_EPISODE, TIME_LIMIT, Budget
from neurorl.agents.checkpoint import modules
from neurorl.agents.episodes import (
    Episode,
    State,
    episode_columns,
    episodes_from,
    prefixed,
    strip_prefix,
)
from neurorl.agents.group import AgentGroup, Callback, GroupPlan
from neurorl.backends.checks import check_seeds
from neurorl.backends.torch import one_thread
from neurorl.backends.torch.device import check_device
from neurorl.diagnostics.monitor import Monitor
from neurorl.errors import EnvironmentWarning, PopulationWarning, RunError, warn_of, warn_outside
from neurorl.learning.finite import check_learned
from neurorl.network.restoring import take_shown
from neurorl.numerics.arrays import FloatArray
from neurorl.reparameterization.actors import Actors
from neurorl.reparameterization.choices import choices_for
from neurorl.reparameterization.config import GradientConfig, check_agent, make_gradient
from neurorl.reparameterization.decisions import DeepGradientReplicas
from neurorl.reparameterization.learner import GradientLearner
from neurorl.reparameterization.rollout import Rollout
from neurorl.reparameterization.stage import Stage
from neurorl.tasks.groups import SeparateEnvs
from neurorl.tasks.kinds import Environment
from neurorl.tasks.known import task_of
from neurorl.tasks.specification import copy_env


class GradientReplicas(AgentGroup):
    """Let agents learn by gradients, each in environments of its own.

    plan: its backend's arithmetic is that in which the weights act while they learn, ``'float'`` or
    ``'loihi'``, and its option ``device`` says on which networks run and learn, as in
    `neurorl.backends.torch.device`; environments and draws are the CPU's.

    An agent learns from whole rollouts: it stops after the update with the last of its steps, by
    Ctrl-C after the one that is being made; the callback hears of an episode after the update by
    the rollout in which it ended. When an environment raises, all go back to the update before,
    from where the next call of `learn` goes on.
    """

    algorithm = REPARAMETERIZATION
    gradient: GradientConfig

    def __init__(self, plan: GroupPlan, gradient: GradientConfig) -> None:
        config, n_actions, size = plan.config, plan.n_actions, gradient.environments
        check_agent(config)
        place = check_device(plan.spec.options.get("device", "cpu"))
        seeds, arithmetic = check_seeds(plan.seeds), plan.spec.arithmetic or "float"
        envs, network = plan.envs(len(seeds) * size), config.network(n_actions)
        choices = choices_for(config, modules(config, envs.actions, "replicas"))
        super().__init__(config, network, seeds, n_actions, "torch", arithmetic, "exact")
        self.gradient = gradient
        self._learners = [
            GradientLearner(network, gradient, arithmetic, choices, seed, place) for seed in seeds
        ]
        self._actors = Actors(network, choices, seeds, size, arithmetic, place)
        self._stage = Stage(envs, choices, self.seeds, size)
        self._rollout = Rollout(network, choices, (gradient.steps, len(seeds), size))
        # Episodes that ended in a rollout, after which nobody asked for so many yet.
        self._ended: list[list[Episode]] = [[] for _ in seeds]
        told = envs.first_action, gradient.learning_rate, choices.groups
        self._monitors = [
            Monitor(network, config, seed, 0, partial(self.weights, k), *told)
            for k, seed in enumerate(seeds)
        ]
        self._torn: set[int] = set()  # in the midst of an update
        self._told_of_length: set[int] = set()
        for k in range(len(seeds)):
            self._put(k)

    def steps_taken(self, k: int) -> int:
        return self._stage.steps[k]

    def is_masked(self, k: int) -> bool:
        return self._stage.heeds_masks(k) or not self.steps_taken(k)

    def play(self, budget: Budget, callback: Callback | None = None) -> Iterator[int]:
        """Do as `learn`, one update of every agent at a time; yield how many made it."""
        self._release(budget, callback)
        active = self._active(budget)
        for k in active:
            self._check_whole(k)
        if active:
            self._stage.open(active)
        while active:
            with one_thread():
                messages = self._try_to_play(active)
                self._update(active)
            self._release(budget, callback)
            for message in messages:
                warn_outside(message, PopulationWarning)
            self._warn_of_length(active)
            yield len(active)
            active = self._active(budget)

    def state(self, k: int) -> State:
        check_learned(self._where(k), self._learners[k].learned())
        self._check_whole(k)
        learner = self._learners[k].state()
        critic = learner.pop("critic")
        parts = prefixed(
            episodes=episode_columns(self.episodes[k]),
            ended=episode_columns(self._ended[k]),
            diagnostics=self._monitors[k].state(),
            learner=learner,
            network=self._actors.state_of(k),
        )
        return {**parts, "critic": critic, **self._stage.state(k)}

    def weights(self, k: int) -> dict[str, FloatArray]:
        return self._learners[k].weights()

    def close(self) -> None:
        self._stage.envs.close()

    def go_to(self, env: Environment) -> None:
        self._stage.go_to(SeparateEnvs([copy_env(env) for _ in range(self._stage.envs.n)]))
        self._actors.silence(np.ones((len(self.seeds), self.gradient.environments), dtype=bool))

    def _restore(self, k: int, state: State, moved: bool, episodes: int) -> None:
        self._torn.discard(k)
        try:
            self._learners[k].restore(
                {**strip_prefix(state, "learner."), "critic": state["critic"]}
            )
            self._ended[k] = episodes_from(strip_prefix(state, "ended."), episodes)
            self._stage.restore(k, state)
            self._actors.restore(k, strip_prefix(state, "network."))
        except RuntimeError as exc:  # of PyTorch
            raise ValueError(str(exc)) from exc
        self._put(k)

    def _adopt(self, k: int, state: State) -> None:
        learner = self._learners[k]
        learner.set_weights(strip_prefix(state, "learner.weights."))
        shape = learner.values.weights.shape
        if "critic" in state and state["critic"].shape == shape:
            learner.values.weights[:] = take_shown(state, "critic", shape)
        self._put(k)

    def _release(self, budget: Budget, callback: Callback | None) -> None:
        """Count episodes that have ended, as many as were asked for."""
        for k, ended in enumerate(self._ended):
            while ended and budget.takes(len(self.episodes[k])):
                self.episodes[k].append(ended.pop(0))
                if callback is not None:
                    callback(k, self.episodes[k][-1])

    def _try_to_play(self, active: Sequence[int]) -> list[str]:
        """Play a rollout, see `_play`; if it is cut short, all go back to where they were."""
        carried, before = self._actors.state, {}
        for k in active:
            ended, draws = [*self._ended[k]], self._learners[k].generator.get_state()
            before[k] = self._stage.state(k), self._monitors[k].state(), ended, draws
        try:
            return self._play(active)
        except BaseException:
            self._actors.state = carried
            for k, (stage, monitor, ended, draws) in before.items():
                self._stage.restore(k, stage)
                self._ended[k][:] = ended
                self._monitors[k].restore(monitor)
                self._learners[k].generator.set_state(draws)
            raise

    def _update(self, active: Sequence[int]) -> None:
        """Learn from the rollout."""
        self._torn |= set(active)
        for k in active:
            done = len(self.episodes[k]) + len(self._ended[k])
            self._learners[k].learn(self._rollout, k, self.gradient.rate(done))
            check_learned(self._where(k), self._learners[k].learned())
            self._put(k)
            self._torn.discard(k)

    def _check_whole(self, k: int) -> None:
        if k in self._torn:
            what = "was interrupted in the midst of an update"
            raise RunError(self._where(k), what, remedy="load what was saved last")

    def _warn_of_length(self, active: Sequence[int]) -> None:
        for k in set(active) - self._told_of_length:
            if self._stage.longest(k) >= LONG_EPISODE:
                self._told_of_length.add(k)
                what = f"an episode hasn't ended in {LONG_EPISODE} steps"
                warn_of(EnvironmentWarning, self._where(k), what, remedy=TIME_LIMIT)

    def _play(self, active: Sequence[int]) -> list[str]:
        """Play a rollout of these agents; return what is wrong with their populations."""
        messages: list[str] = []
        rollout, stage, actors = self._rollout, self._stage, self._actors
        for k in active:
            rollout.draw(k, self._learners[k].generator)
        before = actors.state
        rollout.states.clear()
        rows = stage.rows(active)
        for t in range(self.gradient.steps):
            if actors.state is not None:
                rollout.states.append(actors.state)
            due = stage.due(rollout, t, rows)
            if t == 0 or self.config.carries:  # where it begins, a saved run has no rasters yet
                due = set(active)
            if due:
                actors.decide(rollout, t, stage.cells_flat, stage.steps, due)
            for i in stage.step(rollout, t, rows):
                messages += self._end(i)
            actors.silence(rollout.over[t])
        actors.rest(before, active)
        return messages

    def _end(self, i: int) -> list[str]:
        """End the episode of row *i*; return what is wrong with its agent's spikes."""
        k, e = divmod(i, self.gradient.environments)
        number, monitor = len(self.episodes[k]) + len(self._ended[k]), self._monitors[k]
        self._ended[k].append(self._stage.end(i).episode(number, self._stage.steps[k]))
        rasters = self._actors.rasters.items()
        spikes = {name: raster[k, :, e].numpy() > 0 for name, raster in rasters}
        played = [*self.episodes[k], *self._ended[k]]
        return monitor.look(spikes, self._actors.policies[k, e], played)

    def _where(self, k: int) -> str:
        return f"seed {self.seeds[k]}, environment step {self._stage.steps[k]}"

    def _put(self, k: int) -> None:
        """Let agent k play with what it has learned."""
        self._actors.put(k, self._learners[k].module)


def make_gradient_group(plan: GroupPlan) -> GradientReplicas | DeepGradientReplicas:
    """Make agents that learn by gradients."""
    gradient = make_gradient(plan.config, task_of(plan.env), plan.gradient)
    kind = DeepGradientReplicas if plan.config.trunk.is_shared else GradientReplicas
    return kind(plan, gradient)
