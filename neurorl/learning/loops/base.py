"""Run one or many agents between their environments and one backend.

A decision: `Loop.see` the observation, `Loop.decide` (input spikes -> window -> votes -> action);
and when the environment has answered, `Loop.see` again and `Loop.learn` (modulator -> eligibilities
-> weights). A spiking critic says what a state is worth in the window of that state, which is also
the next decision's: learning from a decision then waits for the next one, and only a terminal
state, which is worth 0, is learned from at once. What a truncated episode's last decision was worth
is never heard, so nothing is learned from it.

`neurorl.learning.loops.numpy.NumpyLoop` is the definition; `neurorl.learning.loops.native` does the
same in C, bit for bit. Where weights learn on a chip, `neurorl.learning.loops.onchip` tells it the
modulator.
"""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.backends.checks import Inputs
from neurorl.learning.finite import NotFiniteError, first_not_finite
from neurorl.learning.loops.checks import check_learning, check_probability
from neurorl.learning.memory import memory_for
from neurorl.learning.plan import LearningPlan
from neurorl.learning.writes import check_writes
from neurorl.models.config import AgentConfig
from neurorl.models.features import Features, FromNumbers
from neurorl.models.history import History
from neurorl.models.policies import Greedy, Policy
from neurorl.network.serialization import FloatArray

__all__ = ["Loop"]


class Loop(abc.ABC):
    """Let replicas of one agent decide and learn side by side on one backend.

    config, n_actions: of every agent. backend: with a seed for each replica. greedy: actions have
    the most votes, whatever the configuration's policy. learns: False for agents that only play.

    waits: whether it will have a `successor`. memory: see `neurorl.learning.memory`. actions,
    probabilities: what `decide` found, ``(N,)`` and ``(N, n_actions)``. Set by the caller: reward
    (scaled), discount (gamma, or 0 after a terminal state), rate (of all step sizes) and active
    (others are left as they are), ``(N,)`` each.
    """

    waits = False

    def __init__(
        self,
        config: AgentConfig,
        backend: Backend,
        n_actions: int,
        greedy: bool = False,
        learns: bool = True,
    ) -> None:
        self.backend = backend
        self.config = config
        self.plan = LearningPlan.of(backend.network, config)
        self.critic, self.first_vote = self.plan.critic, self.plan.first_vote
        self._learns_late = learns and self.critic is not None
        self.n = backend.n_replicas
        self.policy: Policy = Greedy() if greedy else config.policy
        self.n_actions = n_actions
        network = backend.network
        self._shapes = {p.name: network.weight_shape(p.name) for p in network.projections}
        weights = {name: backend.weights(name) for name in self._shapes}
        self._is_single = any(weights[name].shape == s for name, s in self._shapes.items())
        weights = {name: w.reshape(self.n, *self._shapes[name]) for name, w in weights.items()}
        if learns:
            check_learning(config, backend)
        writes = learns and not config.learning.on_chip
        backend.check_can("reset", *(["set_weights"] if writes else []))
        if learns:
            check_writes(config.writes, backend.arithmetic, backend.arithmetic_name)
            check_probability(config, backend)
        # Without a shadow, the weights that learn are those in force.
        self._shadow = config.writes.has_shadow and not backend.arithmetic.is_fine
        self.memory = memory_for(self.plan, weights, backend.seeds)
        self._parts = [self.memory.of(k) for k in range(self.n)]
        self.actions = np.zeros(self.n, dtype=np.int64)
        self.probabilities = np.zeros((self.n, n_actions))
        self.reward, self.discount = np.zeros(self.n), np.zeros(self.n)
        self.rate = np.ones(self.n)
        self.active = np.ones(self.n, dtype=np.bool_)
        self.window = backend.window(config.window)
        for name, raster in self.window.inputs.items():
            raster[:] = name == "bias"
        self.cells, self.features = map(self._as_seen, (config.cells, config.features))
        self._cells_flat = np.zeros((self.n, self.cells.n_inputs))
        self._history = History(self.features, config.critic.changes, self.n)
        self._features_flat = self._history.flat
        self._alike = _flat_alike(self.cells, self.features)
        if self._alike:
            self._features_flat = self._cells_flat

    def successor(self) -> Loop | None:
        """Return the loop that goes on from here, between two steps; None while it is this one."""
        return None

    def go_on_from(self, other: Loop) -> None:
        """Take all that another loop of the same agents holds, between two steps, in every bit."""
        self.memory.copy(other.memory)
        names = ("actions", "probabilities", "reward", "discount", "rate", "active")
        for name in (*names, "_cells_flat", "_features_flat"):
            getattr(self, name)[...] = getattr(other, name)
        for name, array in self.window.inputs.items():
            array[...] = other.window.inputs[name]
        for name, raster in self.window.rasters.items():
            raster[...] = other.window.rasters[name]

    def see(self, k: int, observation: Any) -> None:
        """Take what agent k's environment shows."""
        if self._alike and getattr(observation, "ndim", 0) < 2:
            self._cells_flat[k] = observation
            return
        self._cells_flat[k] = self.cells.flat(observation)
        if not self._alike:
            self._history.see(k, observation)

    def see_first(self, k: int, observation: Any) -> None:
        """Take what agent k's environment shows at the beginning of an episode."""
        self.see(k, observation)
        self._history.begin(k)

    def seen(self, k: int) -> tuple[FloatArray, ...]:
        """Return all that agent k sees, as views of numbers."""
        cells, features = self._cells_flat[k], self._features_flat[k]
        return (cells,) if self._alike else (cells, features)

    def begin(self, k: int) -> None:
        """Begin an episode of agent k with what it sees now."""
        self._parts[k].forget()
        self._history.begin(k)
        if self.config.carries:
            self.backend.reset([k])
        self._begin(k)

    def decide(self) -> npt.NDArray[np.int64]:
        """Return every active agent's action, ``(N,)``."""
        self._encode()
        self.window.run(not self.config.carries)
        self._choose()
        if self._learns_late:
            self._learn_late()
        return self.actions

    @abc.abstractmethod
    def learn(self) -> None:
        """Let every active agent learn from what came of its action, or note it for `decide`.

        Raises NotFiniteError if anything that one of them sees or would learn isn't finite, as
        `begin` and `decide` do. None has learned from an observation that isn't.
        """

    def settle(self) -> None:  # noqa: B027  (only a chip has to be asked)
        """Bring the weights of `memory` up to date."""

    def write(self, k: int) -> None:
        """Put agent k's float weights in force, after they were changed in `memory`."""
        for name in self.memory.weights:
            self._write(name)

    def _as_seen(self, features: Features) -> Any:
        """Return what gives the numbers that this loop makes *features* of."""
        return features

    @abc.abstractmethod
    def _begin(self, k: int) -> None: ...

    @abc.abstractmethod
    def _encode(self) -> None: ...

    @abc.abstractmethod
    def _choose(self) -> None: ...

    @abc.abstractmethod
    def _learn_late(self) -> None:
        """Learn from the decision before, as the spiking critic has now valued what came of it."""

    def _check_seen(self, k: int) -> None:
        """Raise NotFiniteError unless all that agent k sees is finite."""
        for numbers in self.seen(k):
            odd = first_not_finite(numbers)
            if odd is not None:
                raise NotFiniteError(k, odd)

    def _seen(self, k: int) -> tuple[Inputs, dict[str, Raster], int, FloatArray]:
        """Return agent k's window, and the action and policy that came of it."""
        inputs = {name: self._of(k, raster) for name, raster in self.window.inputs.items()}
        rasters = {name: self._of(k, raster) for name, raster in self.window.rasters.items()}
        return inputs, rasters, int(self.actions[k]), self.probabilities[k]

    def _of(self, k: int, raster: npt.NDArray[Any]) -> npt.NDArray[Any]:
        size = raster.shape[-1] // self.n
        return raster[..., k * size : (k + 1) * size]

    def _write(self, name: str) -> None:
        """Put all replicas' float weights of a projection in force."""
        weights = self.memory.weights[name]
        held = self.backend.set_weights(name, weights[0] if self._is_single else weights)
        self.memory.in_force[name][...] = held
        if not self._shadow:
            weights[...] = held


def _flat_alike(cells: Any, features: Any) -> bool:
    """Return whether cells and features see an observation as the same numbers."""
    plain = all(getattr(type(f), "flat", None) is FromNumbers.flat for f in (cells, features))
    return plain and cells.n_inputs == features.n_inputs
