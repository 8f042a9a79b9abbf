"""Run one or many agents between their environments and one backend.

A decision: `Loop.see` the observation, `Loop.decide` (input spikes -> window -> votes -> action);
and when the environment has answered, `Loop.see` again and `Loop.learn` (modulator -> eligibilities
-> weights). A spiking critic says what a state is worth in the window of that state, which is also
the next decision's: learning from a decision then waits for the next one, and only a terminal
state, which is worth 0, is learned from at once. A spiking critic never says what the last state
of a truncated episode was worth, so nothing is learned from the decision before it; shared hidden
layers, which have no noise, are asked in a window of its own (`Loop.value_cut`).

`neurorl.learning.loops.numpy.NumpyLoop` is the definition; `neurorl.learning.loops.native` does the
same in C, bit for bit. Where weights learn on a chip, `neurorl.learning.loops.numpy` tells it the
modulator.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.fitting import warn_of_lost_steps
from neurorl.backends.base import Backend
from neurorl.learning.levels import LEVELS, Levels, eligibility_type, levels_of
from neurorl.learning.loops.checks import check_learning, check_probability
from neurorl.learning.loops.sight import Sight
from neurorl.learning.memory import memory_for
from neurorl.learning.observer import Seen
from neurorl.learning.plan import LearningPlan
from neurorl.learning.writes import check_writes
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.policies import Policy
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.rules.decision import Broadcast


class Loop(Sight, abc.ABC):
    """Let replicas of one agent decide and learn side by side on one backend.

    config: of every agent.
    n_actions: how many an agent chooses from; for several choices at once the size of each group.
    backend: with a seed for each of its N replicas.
    greedy: take the action with the most votes, or the coded number, whatever the policy.
    learns: False for agents that only play.

    The caller sets, ``(N,)`` each: reward (scaled), discount (gamma, or 0 after a terminal state),
    rate (factor of all step sizes) and active (others are left as they are).

    memory: see `neurorl.learning.memory`.
    probabilities: of the actions, ``(N, n_actions)``.
    phi, t: broadcast to modules, ``(N, n_actions)`` each, see `neurorl.rules.decision.Broadcast`.
    offsets: of biases in the last window, by population, as `Backend.set_offset` has them.
    """

    offsets: Mapping[str, FloatArray] = MappingProxyType({})

    def __init__(
        self,
        config: AgentConfig,
        backend: Backend,
        n_actions: int | Sequence[int],
        greedy: bool = False,
        learns: bool = True,
    ) -> None:
        self.config, self.backend, self.n = config, backend, backend.n_replicas
        self._hold_decisions(config.policy.at_best() if greedy else config.policy, n_actions)
        self._hold_learned(learns)
        self._prepare()

    def _hold_learned(self, learns: bool) -> None:
        """Make the plan and the memory of agents, and the arrays of windows and of what they see.

        Raises an error if they can't learn so on this backend.
        """
        config, backend = self.config, self.backend
        self.plan = LearningPlan(backend.network, config)
        self.critic, self.first_vote = self.plan.critic, self.plan.first_vote
        self._learns_late = learns and self.critic is not None
        weights = self._in_force()
        if learns:
            check_learning(config, backend)
        writes = learns and not config.learning.on_chip
        backend.check_can("reset", *(["set_weights"] if writes else []))
        if learns:
            check_writes(config.writes, backend.arithmetic, backend.arithmetic_name)
            check_probability(config, backend)
        # Without a shadow, the weights that learn are those in force.
        self._shadow = config.writes.has_shadow and not backend.arithmetic.is_fine
        plastic = [p for layer in self.plan.layers for p in layer.into]
        self._levels = levels_of(backend.arithmetic, plastic) if writes else dict[str, Levels]()
        for layer in self.plan.layers:
            for p in layer.into:
                if p.name in self._levels:
                    warn_of_lost_steps(p.name, layer.alpha, self._levels[p.name].unit, LEVELS)
        kind = eligibility_type(backend.arithmetic)
        self.memory = memory_for(self.plan, weights, backend.seeds, kind)
        self._parts = [self.memory.of(k) for k in range(self.n)]
        self._take_levels()
        self._hold_window()
        self._hold_seen()

    def _in_force(self) -> dict[str, FloatArray]:
        """Return the weights of all projections, ``(N, *shape)``."""
        network, backend = self.backend.network, self.backend
        shapes = {p.name: network.weight_shape(p.name) for p in network.projections}
        weights = {name: backend.weights(name) for name in shapes}
        self._is_single = any(weights[name].shape == shape for name, shape in shapes.items())
        return {name: w.reshape(self.n, *shapes[name]) for name, w in weights.items()}

    def _hold_window(self) -> None:
        """Make the arrays of a window's inputs and spikes; the source ``bias`` always spikes."""
        self.window = self.backend.window(self.config.window)
        for name, raster in self.window.inputs.items():
            raster[:] = name == "bias"

    def _hold_decisions(self, policy: Policy, n_actions: int | Sequence[int]) -> None:
        """Make the arrays of what agents decide and are told, by a policy of these actions."""
        self._hold_choices(policy, n_actions)
        self.probabilities, self.phi, self.t = np.zeros((3, self.n, self.n_actions))
        self.reward, self.discount = np.zeros(self.n), np.zeros(self.n)
        self.rate = np.ones(self.n)
        self.active = np.ones(self.n, dtype=np.bool_)

    def begin(self, k: int) -> None:
        """Begin an episode of agent k with what it sees now."""
        self.decided[k] = 0
        self._history.begin(k)
        if self.config.carries:
            self.backend.reset([k])
        self._begin(k)

    def decide(self) -> Array:
        """Return every agent's action, ``(N,)`` or ``(N, groups)``; of active ones a new one."""
        self._encode()
        self.window.run(not self.config.carries)
        self._choose()
        if self._learns_late:
            self._learn_late()
        return self.actions

    @abc.abstractmethod
    def learn(self) -> None:
        """Update every active agent from its reward; a spiking critic defers it to `decide`.

        Raises NotFiniteError if anything that one of them sees or would learn isn't finite, as
        `begin` and `decide` do. None has learned from an observation that isn't.
        """

    def value_cut(self, cut: Sequence[int]) -> None:  # most know it in `learn`
        """Learn from the last decisions of episodes that were truncated, of the agents *cut*."""

    def settle(self, k: int | None = None) -> None:  # only a chip has to be asked
        """Bring the weights of `memory` up to date, at least those of agent k; None is all."""

    def catch_up(self, k: int) -> None:  # most write what they learn at once
        """Put in force what agent k has learned that has waited to be needed."""

    @abc.abstractmethod
    def heed(self) -> None:
        """Put the weights of `memory` in force if a user has changed them since `settle`.

        Raises ArgumentError for weights that aren't finite.
        """

    def learned(self) -> dict[str, Array]:
        """Return the arrays in which weights learn, by projection, ``(N, *shape)``."""
        return {**self.memory.weights}

    def write(self, k: int) -> None:
        """Put agent k's float weights in force, after they were changed in `memory`."""
        for name, weights in self.memory.weights.items():
            if name in self._levels:
                weights[...] = self._nearest(name)
            self._write(name)

    def put_in_force(self, k: int) -> None:
        """Put in force for all agents what agent k has learned, which `memory` holds for all."""
        self.settle()
        self.write(k)

    def arrays_in_force(self) -> list[Array]:
        """Return arrays of what is in force, and of what waits to be, if learning writes them.

        The first axis is the agents'. Who copies an agent's weights copies these with them.
        """
        return []

    def _take_levels(self) -> None:
        """Bring weights that aren't on their levels there."""
        for name in self._levels:
            nearest = self._nearest(name)
            if not np.array_equal(nearest, self.memory.weights[name]):
                self.memory.weights[name][...] = nearest
                self._write(name)

    def _nearest(self, name: str) -> FloatArray:
        nearest = self._levels[name].nearest(self.memory.weights[name])
        return self.backend.arithmetic.masked(name, nearest)

    @abc.abstractmethod
    def _prepare(self) -> None:
        """Make what this kind of loop needs beside."""

    @abc.abstractmethod
    def _begin(self, k: int) -> None:
        """Forget all of agent k that doesn't outlive an episode, and look at what it sees."""

    @abc.abstractmethod
    def _encode(self) -> None: ...

    @abc.abstractmethod
    def _choose(self) -> None: ...

    @abc.abstractmethod
    def _learn_late(self) -> None:
        """Learn from the decision before, as the spiking critic has now valued what came of it."""

    def _seen(self, k: int) -> Seen:
        """Return agent k's window, what it tells modules, and the policy that came of it."""
        inputs = {name: self._of(k, raster) for name, raster in self.window.inputs.items()}
        rasters = {name: self._of(k, raster) for name, raster in self.window.rasters.items()}
        action = self.actions[k]
        of_modules: npt.NDArray[np.intp] | int
        if self.policy.is_continuous:
            of_modules = np.flatnonzero(self.t[k] > 0.0)
        else:
            of_modules = action + self._first_of if action.ndim else int(action)
        told = Broadcast(of_modules, self.phi[k], self.t[k])
        return inputs, rasters, told, self.probabilities[k]

    def _of(self, k: int, raster: Array) -> Array:
        size = raster.shape[-1] // self.n
        return raster[..., k * size : (k + 1) * size]

    def _write(self, name: str) -> None:
        """Put all replicas' float weights of a projection in force."""
        weights = self.memory.weights[name]
        held = self.backend.set_weights(name, weights[0] if self._is_single else weights)
        self.memory.in_force[name][...] = held
        if not self._shadow:
            weights[...] = held
