"""Let weights learn on a chip by its own rule: the host tells it errors, and no weights.

After the window of a decision and the environment's answer, the chip makes a few more steps without
input. In one of these it learns from the errors that it gets::

    error_j = -alpha rate delta F_j / (N g)      F_j = sum_t f_j(t), of the window
    dw_ij = -g error_j x_i                        g = `Backend.learning_gain`, x_i the chip's trace

so ``dw = alpha rate delta x F / N``, the rule of `neurorl.learning.learner` as far as a trace at
the end of a window stands for the whole of it. Errors beyond -1..1 are clipped. The critic is on
the host.
"""

from __future__ import annotations

import numpy as np

from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.numerics.arrays import FloatArray


def steps_to_learn(window: int, period: int, phase: int) -> int:
    """Return the steps after a window in which the chip learns once, to whole periods.

    The chip learns in steps t with ``t % period == phase``, and a decision begins at ``t % period
    == 0``: the least n with ``window <= phase + k period < window + n = m period``.
    """
    learning = window + (phase - window) % period
    return (learning // period + 1) * period - window


class OnChipLoop(NumpyLoop):
    """Run the `NumpyLoop` of agents with ``learning='pes'``."""

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
        rule = self.plan.rule
        self._reads = rule.needs_probability or rule.needs_paths or rule.needs_membrane

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
