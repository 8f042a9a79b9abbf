"""Let agents without neurons decide and learn: a linear actor-critic with traces."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend
from neurorl.learning.finite import NotFiniteError
from neurorl.learning.loops.native_features import in_c, is_compiled
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.learning.memory import Memory, unlearned
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.linear import LinearRates, linear_policy
from neurorl.models.features import Features
from neurorl.native.build import lacking, library
from neurorl.native.structures import pointer
from neurorl.numerics.arrays import Array, FloatArray

_FILLED = -1  # what C++ returns
_Fill = Callable[[], None]

ACTOR = "actor"
"""Name the actor's weights, ``(cells, actions)``, in memory and in files."""


class LinearLoop(NumpyLoop):
    """Decide by ``W x`` of an agent's cells x, and learn W and the critic's v by TD(lambda).

    With pi = softmax(W x), a the action that was taken and f the critic's features, in each step

        e <- gamma lambda_actor e + (1[a] - pi) x / max(|x|**2, 1)
        z <- max(gamma lambda_critic z, f / max(|f|**2, 1)), or where f are no cells their sum
        delta = r + gamma (V0 + v f') - (V0 + v f)
        W <- W + alpha_actor clip(delta) e,  v <- v + alpha_critic delta z

    where r is scaled, V0 is the critic's initial value, and clip is the limit of the agent's
    modulator. e is 0 for a step that only repeats an action. Numbers have (a - W x) / sigma for
    1[a] - pi. Source: Sutton & Barto, "Reinforcement learning", 2018, chapters 12 (replacing
    traces) and 13 (actor-critic with eligibility traces).

    config: cells, features, gamma, memories, schedule, repeats, limit and V0 are taken from it.
    backend: of a network without nodes, with a seed for each agent.
    """

    def __init__(
        self,
        config: AgentConfig,
        rates: LinearRates,
        backend: Backend,
        groups: Sequence[int],
        greedy: bool = False,
        learns: bool = True,
    ) -> None:
        self.config, self.rates, self.backend, self.n = config, rates, backend, backend.n_replicas
        self.critic, self._learns = None, learns
        policy = linear_policy(config.policy)
        self._hold_decisions(policy.at_best() if greedy else policy, groups)
        self._hold_seen()
        self.window = backend.window(config.window)
        self.memory = _memory(config, self.n, self.n_actions)
        self._parts = [self.memory.of(k) for k in range(self.n)]
        self._hold_draws(config.cells.size)
        self._x = np.zeros((self.n, config.cells.size))
        self._take_cells = self._fillers(config.cells, self._cells_flat, self._x)
        self._take_features = self._fillers(config.features, self._features_flat, self.memory.x)
        self._replaces = config.features.are_cells

    def decide(self) -> Array:
        """Return every agent's action, and let its traces know of it."""
        if not self._learns:
            self._check_all_seen()
        for k in self.active.nonzero()[0].tolist():
            if not self._learns:
                self._take_cells[k]()
            x = self._x[k]
            active = x.nonzero()[0]
            seen = x[active]
            preferences = seen @ self._parts[k].weights[ACTOR][active]
            if not np.isfinite(preferences).all():
                raise NotFiniteError(k, None)
            self._choose_by(k, preferences)
            if self._learns:
                self._trace(k, active, seen)
        return self.actions

    @np.errstate(over="ignore", invalid="ignore")  # an error will say more
    def learn(self) -> None:
        """Update every active agent from its reward."""
        self._check_all_seen()
        rates, limit = self.rates, self.config.modulator.limit
        initial = self.config.critic.initial_value
        for k in self.active.nonzero()[0].tolist():
            part, rate = self._parts[k], float(self.rate[k])
            before = initial + float(part.value @ part.x)
            self._take(k)
            ahead = float(self.discount[k]) * (initial + float(part.value @ part.x))
            delta = float(self.reward[k]) + ahead - before
            if not isfinite(delta):
                raise NotFiniteError(k, None)
            told = delta if limit is None else min(max(delta, -limit), limit)
            part.weights[ACTOR] += (rate * rates.alpha_actor * told) * part.eligibility[ACTOR]
            part.value += (rate * rates.alpha_critic * delta) * part.value_trace

    def go_on(self, k: int, actions: Sequence[Any]) -> None:
        """Bring agent k to where it had taken these actions, and to the cells of what it sees."""
        super().go_on(k, actions)
        self._take_cells[k]()

    def write(self, k: int) -> None:
        """Do nothing: there is no network that holds the weights."""

    def _begin(self, k: int) -> None:
        self._parts[k].forget()
        self._check_seen(k)
        self._take(k)

    def _trace(self, k: int, active: npt.NDArray[np.intp], seen: FloatArray) -> None:
        """Add the decision of agent k, and the state that it was made in, to its traces."""
        part, gamma, rates = self._parts[k], self.config.gamma, self.rates
        e, z, f = part.eligibility[ACTOR], part.value_trace, part.x
        e *= gamma * rates.lambda_actor
        e[active] += np.multiply.outer(seen / max(float(seen @ seen), 1.0), self.phi[k])
        z *= gamma * rates.lambda_critic
        share = f / max(float(f @ f), 1.0)
        if self._replaces:
            np.maximum(z, share, out=z)
        else:
            z += share

    def _take(self, k: int) -> None:
        """Take the cells and features of what agent k sees."""
        self._take_cells[k]()
        if self.config.features is self.config.cells:
            self._parts[k].x[...] = self._x[k]
        else:
            self._take_features[k]()

    def _fillers(self, features: Features, flat: FloatArray, out: FloatArray) -> list[_Fill]:
        return [_filler(features, flat[k], out[k]) for k in range(self.n)]


def _filler(features: Features, flat: FloatArray, out: FloatArray) -> _Fill:
    """Return what fills *out* by the features of *flat*: in C++ if it can, to the same bits."""

    def fill() -> None:
        out[...] = features.values(flat)

    identity = type(features).values is Features.values
    if identity or not is_compiled(features) or lacking() is not None:
        return fill
    call, structure = library().neurorl_features, in_c(features)
    arguments = ctypes.byref(structure), *map(ctypes.c_void_p, map(pointer, (flat, out)))

    def fill_at_once() -> None:
        if call(*arguments) != _FILLED:
            fill()  # and hear what is wrong

    return fill_at_once


def _memory(config: AgentConfig, n: int, n_actions: int) -> Memory:
    """Make the memory of *n* agents that have learned nothing."""
    weights, traces = np.zeros((2, n, config.cells.size, n_actions))
    return Memory(
        weights={ACTOR: weights},
        in_force={ACTOR: weights},
        eligibility={ACTOR: traces},
        **unlearned(n, config.features.size),
    )
