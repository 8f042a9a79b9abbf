"""The loop of one or many agents between their environments and one backend.

A decision: `Loop.see` the observation, `Loop.decide` (input spikes -> window -> votes -> action);
and when the environment has answered, `Loop.see` again and `Loop.learn` (modulator -> eligibilities
-> weights). A spiking critic says what a state is worth in the window of that state, which is also
the next decision's: learning from a decision then waits for the next one, and only a terminal
state, which is worth 0, is learned from at once. What a truncated episode's last decision was worth
is never heard, so nothing is learned from it.

`NumpyLoop` is the definition; `neurorl.native.loop` does the same in C, bit for bit. Where weights
learn on a chip, `neurorl.onchip` tells it the modulator.
"""

from __future__ import annotations

import abc
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.backends.checks import Inputs
from neurorl.config import AgentConfig
from neurorl.critic import LinearCritic, RewardMean
from neurorl.described import FloatArray
from neurorl.encoder import bernoulli_spikes, constant_currents, quiet_spikes
from neurorl.errors import UnsupportedError, check_name, say
from neurorl.features import Features, FromNumbers
from neurorl.finite import NotFiniteError, first_not_finite
from neurorl.history import History
from neurorl.learner import Learner, spiking_critic
from neurorl.loopchecks import check_learning, check_probability, is_users, not_compiled, warned
from neurorl.memory import memory_for
from neurorl.policy import choose, greedy, softmax, votes
from neurorl.random import DrawRows, Stream
from neurorl.rules.three_factor import td_error
from neurorl.writes import Writer, check_writes

__all__ = ["LOOPS", "Loop", "NumpyLoop", "make_loop"]

LOOPS = ("native", "numpy")


class Loop(abc.ABC):
    """Replicas of one agent, which decide and learn side by side on one backend.

    config, n_actions: of every agent. backend: with a seed for each replica. greedy: actions have
    the most votes, whatever the configuration's policy. learns: False for agents that only play.

    memory: see `neurorl.memory`. actions, probabilities: what `decide` found, ``(N,)`` and ``(N,
    n_actions)``. Set by the caller: reward (scaled), discount (gamma, or 0 after a terminal state),
    rate (of all step sizes) and active (others are left as they are), ``(N,)`` each.
    """

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
        self.critic = spiking_critic(backend.network, config)
        self._learns_late = learns and self.critic is not None
        self.n = backend.n_replicas
        self.policy = "greedy" if greedy else config.policy
        self.n_actions = n_actions
        network = backend.network
        self._shapes = {p.name: network.weight_shape(p.name) for p in network.projections}
        weights = {name: backend.weights(name) for name in self._shapes}
        self._is_single = any(weights[name].shape == s for name, s in self._shapes.items())
        weights = {name: w.reshape(self.n, *self._shapes[name]) for name, w in weights.items()}
        writes = learns and backend.learning == "host"
        backend.check_can("reset", *(["set_weights"] if writes else []))
        if learns:
            check_writes(config, backend.arithmetic, backend.arithmetic_name)
            check_probability(config, backend)
            check_learning(config, backend)
        # Without a shadow, the weights that learn are those in force.
        self._shadow = config.writes == "shadow" and not backend.arithmetic.is_fine
        accumulates = config.writes in ("accumulate", "register")
        features = 0 if self.critic else config.features.size
        self.memory = memory_for(network, weights, features, config.carries, accumulates)
        self._parts = [self.memory.of(k) for k in range(self.n)]
        self.actions = np.zeros(self.n, dtype=np.int64)
        self.probabilities = np.zeros((self.n, n_actions))
        self.reward, self.discount = np.zeros(self.n), np.zeros(self.n)
        self.rate = np.ones(self.n)
        self.active = np.ones(self.n, dtype=np.bool_)
        self.window = backend.window(config.window)
        for name, raster in self.window.inputs.items():
            raster[:] = name == "bias"
        self.first_vote = 0 if config.carries else network.depth("output")
        self.cells, self.features = map(self._as_seen, (config.cells, config.features))
        self._cells_flat = np.zeros((self.n, self.cells.n_inputs))
        self._history = History(self.features, config.critic_changes, self.n)
        self._features_flat = self._history.flat
        self._alike = _flat_alike(self.cells, self.features)
        if self._alike:
            self._features_flat = self._cells_flat

    def see(self, k: int, observation: Any) -> None:
        """Agent k's environment shows this."""
        if self._alike and getattr(observation, "ndim", 0) < 2:
            self._cells_flat[k] = observation
            return
        self._cells_flat[k] = self.cells.flat(observation)
        if not self._alike:
            self._history.see(k, observation)

    def see_first(self, k: int, observation: Any) -> None:
        """Agent k's environment shows this at the beginning of an episode."""
        self.see(k, observation)
        self._history.begin(k)

    def seen(self, k: int) -> tuple[FloatArray, ...]:
        """All that agent k sees, as views of numbers."""
        cells, features = self._cells_flat[k], self._features_flat[k]
        return (cells,) if self._alike else (cells, features)

    def begin(self, k: int) -> None:
        """An episode of agent k begins with what it sees now."""
        self._parts[k].forget()
        self._history.begin(k)
        if self.config.carries:
            self.backend.reset([k])
        self._begin(k)

    def decide(self) -> npt.NDArray[np.int64]:
        """Every active agent's action, ``(N,)``."""
        self._encode()
        self.window.run(not self.config.carries)
        self._choose()
        if self._learns_late:
            self._learn_late()
        return self.actions

    @abc.abstractmethod
    def learn(self) -> None:
        """Every active agent learns from what came of its action, or notes it for `decide`.

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
        """What gives the numbers that this loop makes *features* of."""
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
        """Raises NotFiniteError unless all that agent k sees is finite."""
        for numbers in self.seen(k):
            odd = first_not_finite(numbers)
            if odd is not None:
                raise NotFiniteError(k, odd)

    def _write(self, name: str) -> None:
        """All replicas' float weights of a projection to the backend."""
        weights = self.memory.weights[name]
        held = self.backend.set_weights(name, weights[0] if self._is_single else weights)
        self.memory.in_force[name][...] = held
        if not self._shadow:
            weights[...] = held


class NumpyLoop(Loop):
    """Composed of the pure functions of this package, agent by agent."""

    def __init__(
        self,
        config: AgentConfig,
        backend: Backend,
        n_actions: int,
        greedy: bool = False,
        learns: bool = True,
    ) -> None:
        super().__init__(config, backend, n_actions, greedy, learns)
        parts = self._parts
        decay = config.gamma * config.lambda_critic
        n = config.cells.size + (self.critic is not None) * config.features.size
        self._learners = [
            Learner(backend.network, config, part, self._writer(k)) for k, part in enumerate(parts)
        ]
        self._critics = [
            LinearCritic(part.value, part.value_trace, part.x, config.alpha_critic, decay)
            for part in parts
        ]
        self._means = [RewardMean(part.mean_reward, config.alpha_critic) for part in parts]
        self._phases = [DrawRows(seed, Stream.ENCODER, n) for seed in backend.seeds]
        self._draws = [DrawRows(seed, Stream.ACTION, 1) for seed in backend.seeds]

    def learn(self) -> None:
        self._check_all_seen()
        if self.critic is not None:
            self._learn_from_ends()
            return
        for k in np.flatnonzero(self.active):
            self._learners[k].remember(*self._seen(k))
            self._reinforce(k, self._modulator(k))
        for name in self.memory.weights:
            self._write(name)

    def _learn_from_ends(self) -> None:
        expected = self.memory.expected[:, 0]
        for k in np.flatnonzero(self.active & (self.discount == 0) & ~np.isnan(expected)):
            delta = td_error(float(self.reward[k]), 0.0, float(expected[k]), 0.0)
            self._reinforce(k, delta, ends=True)
            expected[k] = np.nan
        for name in self.memory.weights:
            self._write(name)

    def _learn_late(self) -> None:
        assert self.critic is not None
        expected = self.memory.expected[:, 0]
        for k in np.flatnonzero(self.active):
            value, before, delta = self._value(k), float(expected[k]), 0.0
            if not np.isnan(before):
                delta = td_error(float(self.reward[k]), float(self.discount[k]), before, value)
            self._check_step(k, delta)
            self._learners[k].learn_late(delta, float(self.rate[k]), *self._seen(k))
            expected[k] = value
        for name in self.memory.weights:
            self._write(name)

    def _reinforce(self, k: int, delta: float, ends: bool = False) -> None:
        self._check_step(k, delta)
        self._learners[k].learn(delta, float(self.rate[k]), ends)

    def _check_step(self, k: int, delta: float) -> None:
        """Raises NotFiniteError unless the steps of agent k's weights are finite."""
        if not self._learners[k].is_finite(delta, float(self.rate[k])):
            raise NotFiniteError(int(k), None)

    def _check_all_seen(self) -> None:
        for k in np.flatnonzero(self.active):
            self._check_seen(int(k))

    def _value(self, k: int) -> float:
        assert self.critic is not None
        return self.critic.value(self._of(k, self.window.rasters["critic"]))

    def _seen(self, k: int) -> tuple[Inputs, dict[str, Raster], int, FloatArray]:
        """Agent k's window, and the action and policy that came of it."""
        inputs = {name: self._of(k, raster) for name, raster in self.window.inputs.items()}
        rasters = {name: self._of(k, raster) for name, raster in self.window.rasters.items()}
        return inputs, rasters, int(self.actions[k]), self.probabilities[k]

    def _writer(self, k: int) -> Writer | None:
        config, backend = self.config, self.backend
        if config.writes == "shadow":
            return None
        seed = backend.seeds[k]
        return Writer(backend.network, backend.arithmetic, config, self._parts[k], seed)

    @np.errstate(over="ignore", invalid="ignore")  # an error will say more
    def _modulator(self, k: int) -> float:
        if self.config.modulator == "reward":
            return self._means[k].modulator(float(self.reward[k]))
        x_next = self.config.features.values(self._features_flat[k])
        return self._critics[k].modulator(
            float(self.reward[k]), float(self.discount[k]), x_next, float(self.rate[k])
        )

    def _begin(self, k: int) -> None:
        self._check_seen(k)
        if self.config.modulator != "reward" and self.critic is None:
            self.memory.x[k] = self.config.features.values(self._features_flat[k])

    def _encode(self) -> None:
        config = self.config
        self._check_all_seen()
        for k in np.flatnonzero(self.active):
            activation = config.peak * self._activation(k)
            now = int(self.memory.decisions[k, 0])
            spikes: npt.NDArray[Any]
            if config.encoder == "current":
                spikes = constant_currents(activation)
            elif config.encoder == "quiet":
                spikes = quiet_spikes(activation, self._phases[k](now), config.window)
            else:
                steps = range(now * config.window, (now + 1) * config.window)
                draws = np.stack([self._phases[k](step) for step in steps])
                spikes = bernoulli_spikes(activation, draws)
            n = config.cells.size
            self._of(k, self.window.inputs["input"])[:] = spikes[..., :n]
            if self.critic is not None:
                self._of(k, self.window.inputs["critic_input"])[:] = spikes[..., n:]

    def _activation(self, k: int) -> FloatArray:
        """Of the cells, and then of a spiking critic's."""
        cells = self.config.cells.values(self._cells_flat[k])
        if self.critic is None:
            return cells
        return np.concatenate([cells, self.config.features.values(self._features_flat[k])])

    def _choose(self) -> None:
        for k in np.flatnonzero(self.active):
            output = self._of(k, self.window.rasters["output"])
            n = votes(output, self.n_actions, self.first_vote)
            policy = greedy(n) if self.policy == "greedy" else self._softmax(n)
            u = float(self._draws[k](int(self.memory.decisions[k, 0]))[0])
            self.probabilities[k] = policy
            self.actions[k] = choose(policy, u)
            self.memory.decisions[k, 0] += 1

    def _softmax(self, n: FloatArray) -> FloatArray:
        return softmax(n, self.config.beta, self.config.exploration)

    def _of(self, k: int, raster: npt.NDArray[Any]) -> npt.NDArray[Any]:
        size = raster.shape[-1] // self.n
        return raster[..., k * size : (k + 1) * size]


def make_loop(
    config: AgentConfig,
    backend: Backend,
    n_actions: int,
    *,
    greedy: bool = False,
    learns: bool = True,
    loop: str | None = None,
) -> Loop:
    """A loop; *loop* None takes the native one where it can run, and warns if it can't.

    It needs a C++ compiler, and a rule of the library: one that a user has put into
    `neurorl.rules.RULES` runs in NumPy. An agent that learns on a chip has the loop in NumPy
    whatever *loop* is.
    Raises UnknownNameError; if the native one was asked for, UnsupportedError for a user's rule
    and BackendError if it doesn't compile.
    """
    from neurorl.native.loop import NativeLoop
    from neurorl.native.toolchain import problem
    from neurorl.onchip import OnChipLoop

    if loop is not None:
        check_name("loop", loop, LOOPS)
    if learns and config.learning == "pes":
        return OnChipLoop(config, backend, n_actions, greedy, learns)
    own = not_compiled(config)
    if loop == "native" and own is not None:
        what, remedy = f"{own} is not compiled", "loop='numpy', or leave it out"
        raise UnsupportedError(say("loop 'native'", what, remedy=remedy))
    if loop == "numpy" or (loop is None and (is_users(own) or warned(problem()))):
        return NumpyLoop(config, backend, n_actions, greedy, learns)
    return NativeLoop(config, backend, n_actions, greedy, learns)


def _flat_alike(cells: Any, features: Any) -> bool:
    """Whether cells and features see an observation as the same numbers."""
    plain = all(getattr(type(f), "flat", None) is FromNumbers.flat for f in (cells, features))
    return plain and cells.n_inputs == features.n_inputs
