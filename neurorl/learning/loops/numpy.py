"""Define the loop, of pure functions, agent by agent."""

from __future__ import annotations

import numpy as np

from neurorl.learning.finite import NotFiniteError
from neurorl.learning.learner import Learner, Modulators
from neurorl.learning.loops.base import Loop
from neurorl.learning.writes import Writer
from neurorl.models.agent.policies import votes
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import DrawRows, Stream
from neurorl.rules.three_factor import td_error


class NumpyLoop(Loop):
    """Compose the pure functions of this package, agent by agent."""

    def _prepare(self) -> None:
        config, parts = self.config, self._parts
        self._learners = [
            Learner(self.plan, part, self._writer(k), k, self._levels)
            for k, part in enumerate(parts)
        ]
        self._critics = [
            config.critic.values(part.value, part.value_trace, part.x, config.gamma)
            for part in parts
        ]
        self._hold_draws(config.cells.size + (self.critic is not None) * config.features.size)

    def _hold_draws(self, n: int) -> None:
        """Hold the draws of *n* cells, and of actions."""
        seeds, draws = self.backend.seeds, len(self.groups) * self.policy.draws
        self._draws_of_cells = [DrawRows(seed, Stream.ENCODER, n) for seed in seeds]
        self._draws = [DrawRows(seed, Stream.ACTION, draws) for seed in seeds]

    def learn(self) -> None:
        self._check_all_seen()
        if self.critic is not None:
            self._learn_from_ends()
            return
        for k in np.flatnonzero(self.active):
            modulator, others = self._modulators(k)
            self._learners[k].remember(*self._seen(k), modulator=modulator, others=others)
            self._check_step(k, modulator, others)
            self._learners[k].learn(modulator, float(self.rate[k]), others=others)
        self._write_all()

    def _write_all(self) -> None:
        """Put the weights of all agents in force."""
        for name in self.memory.weights:
            self._write(name)

    def heed(self) -> None:
        self.write(0)

    def _learn_from_ends(self) -> None:
        expected = self.memory.expected[:, 0]
        for k in np.flatnonzero(self.active & (self.discount == 0) & ~np.isnan(expected)):
            delta = td_error(float(self.reward[k]), 0.0, float(expected[k]), 0.0)
            self._check_step(k, delta)
            self._learners[k].learn(delta, float(self.rate[k]), ends=True)
            expected[k] = np.nan
        self._write_all()

    def _learn_late(self) -> None:
        assert self.critic is not None
        expected = self.memory.expected[:, 0]
        for k in np.flatnonzero(self.active):
            value = self.critic.value(self._of(k, self.window.rasters["critic"]))
            before, delta = float(expected[k]), 0.0
            if not np.isnan(before):
                delta = td_error(float(self.reward[k]), float(self.discount[k]), before, value)
            self._check_step(k, delta)
            self._learners[k].learn_late(delta, float(self.rate[k]), *self._seen(k))
            expected[k] = value
        self._write_all()

    def _check_step(self, k: int, delta: float, others: Modulators | None = None) -> None:
        """Raise NotFiniteError unless the steps of agent k's weights are finite."""
        if not self._learners[k].is_finite(delta, float(self.rate[k]), others or {}):
            raise NotFiniteError(int(k), None)

    def _check_all_seen(self) -> None:
        for k in np.flatnonzero(self.active):
            self._check_seen(int(k))

    def _writer(self, k: int) -> Writer | None:
        if self.config.writes.has_shadow:
            return None
        return Writer(self.plan, self.backend.arithmetic, self._parts[k], self.backend.seeds[k])

    @np.errstate(over="ignore", invalid="ignore")  # an error will say more
    def _modulators(self, k: int) -> tuple[float, Modulators]:
        """Return an agent's modulator, and others by the names that rules have for them."""
        config, reward, error = self.config, float(self.reward[k]), 0.0
        part, alpha = self._parts[k], config.critic.alpha
        if config.needs_critic:
            x_next = config.features.values(self._features_flat[k])
            discount, rate = float(self.discount[k]), float(self.rate[k])
            heard = config.modulator.heard(reward, part.mean_reward)
            error = self._critics[k].modulator(heard, discount, x_next, rate)
        others: dict[str | None, float] = {
            name: float(one.signal(reward, error, part.means[name], alpha))
            for name, one in (config.modulators or {}).items()
        }
        return float(config.modulator.signal(reward, error, part.mean_reward, alpha)), others

    def _begin(self, k: int) -> None:
        self._parts[k].forget()
        self._check_seen(k)
        if self.config.needs_critic and self.critic is None:
            self.memory.x[k] = self.config.features.values(self._features_flat[k])

    def _encode(self) -> None:
        self._check_all_seen()
        for k in np.flatnonzero(self.active):
            spikes, n = self._entered(k, self._activation(k)), self.config.cells.size
            self._of(k, self.window.inputs["input"])[:] = spikes[..., :n]
            if self.critic is not None:
                self._of(k, self.window.inputs["critic_input"])[:] = spikes[..., n:]

    def _entered(self, k: np.intp | int, activation: FloatArray) -> Array:
        """Return the spikes or currents of agent k's cells."""
        encoder, window = self.config.encoder, self.config.window
        rows = encoder.draws(window)
        first = int(self.memory.decisions[k, 0]) * rows
        u = np.array([self._draws_of_cells[k](row) for row in range(first, first + rows)])
        return encoder.encode(encoder.peak * activation, u, window)

    def _activation(self, k: int) -> FloatArray:
        """Return activations of the cells, and then of a spiking critic's."""
        cells = self.config.cells.values(self._cells_flat[k])
        if self.critic is None:
            return cells
        return np.concatenate([cells, self.config.features.values(self._features_flat[k])])

    def _choose(self) -> None:
        for k in np.flatnonzero(self.active):
            output = self._of(k, self.window.rasters["output"])
            self._choose_by(k, votes(output, self.n_actions, self.first_vote))

    def _choose_by(self, k: np.intp | int, n: FloatArray) -> None:
        """Let agent k choose by *n*, its votes."""
        decision = int(self.memory.decisions[k, 0])
        u = self._draws[k](decision - decision % self.policy.hold)
        allowed = self.allowed[k] if self.masked[k] else None
        choice = self.policy.decide(n, self.groups, allowed, u, decision)
        self.probabilities[k] = choice.policy
        if self._repeats(k, self.policy.repeats_at(decision)):
            self.phi[k], self.t[k] = 0.0, 0.0
        else:
            self.phi[k], self.t[k] = choice.phi, choice.t
            self.actions[k] = choice.actions if self.actions.ndim > 1 else choice.actions[0]
        self.decided[k] += 1
        self.memory.decisions[k, 0] += 1


def steps_to_learn(window: int, period: int, phase: int) -> int:
    """Return the steps after a window in which the chip learns once, to whole periods.

    The chip learns in steps t with ``t % period == phase``, and a decision begins at ``t % period
    == 0``: the least n with ``window <= phase + k period < window + n = m period``.
    """
    learning = window + (phase - window) % period
    return (learning // period + 1) * period - window


class OnChipLoop(NumpyLoop):
    """Let weights learn on a chip by its own rule: the host tells it errors, and no weights.

    After the window of a decision and the environment's answer, the chip makes a few more steps
    without input. In one of these it learns from the errors that it gets::

        error_j = -alpha rate delta F_j / (N g)      F_j = sum_t f_j(t), of the window
        dw_ij = -g error_j x_i                        g = `Backend.learning_gain`, x_i its trace

    so ``dw = alpha rate delta x F / N``, the rule of `neurorl.learning.learner` as far as a trace
    at the end of a window stands for the whole of it. Errors beyond -1..1 are clipped. The critic
    is on the host.
    """

    def _prepare(self) -> None:
        super()._prepare()
        config, backend = self.config, self.backend
        backend.check_can("weights", "state")  # for what is saved and watched after an episode
        self._steps = steps_to_learn(config.window, *backend.learning_steps)
        self._rates = {
            layer.name: layer.alpha / backend.learning_gain(layer.name)
            for layer in self.plan.layers
        }
        self._limit = np.inf if config.modulator.limit is None else config.modulator.limit
        self._reads = any(
            rule.needs_probability or rule.needs_paths or rule.needs_membrane
            for rule in config.all_rules
        )

    def learn(self) -> None:
        self._check_all_seen()
        sizes = {name: self.backend.network.node(name).size for name in self._rates}
        errors = {name: np.zeros((self.n, size)) for name, size in sizes.items()}
        for k in np.flatnonzero(self.active):
            post_factors = self._learners[k].chip_errors(*self._seen(k))
            modulator, _ = self._modulators(k)
            self._check_step(k, modulator)
            delta = float(np.clip(modulator, -self._limit, self._limit))
            for name, factors in post_factors.items():
                errors[name][k] = -(self._rates[name] * self.rate[k] * delta) * factors
        self.backend.learn({}, {name: e.ravel() for name, e in errors.items()}, self._steps)
        if self._reads:
            self.settle()

    def heed(self) -> None:
        pass  # those of memory are copies of the chip's

    def settle(self, k: int | None = None) -> None:
        for name, learned in self.memory.weights.items():
            held: FloatArray = self.backend.weights(name)
            learned[...] = held.reshape(learned.shape)
            self.memory.in_force[name][...] = learned
