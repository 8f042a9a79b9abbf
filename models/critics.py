"""The third factor: what was better or worse than expected, from a critic that learns it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError, say
from neurorl.models.features import Features
from neurorl.network.description import Network
from neurorl.network.serialization import FloatArray
from neurorl.numerics.elementary import dot
from neurorl.rules.three_factor import td_error

__all__ = ["CRITICS", "LinearCritic", "RewardMean", "SpikingCritic", "check_described_critic"]

CRITICS = ("linear", "spiking")


def check_described_critic(network: Network, features: Features) -> None:
    """Raise DescriptionError unless a user's network has a spiking critic of these features."""
    where = "agent.description"
    sources = {source.name: source.size for source in network.sources}
    if sources.get("critic_input") != features.size:
        what = "needs a source 'critic_input' of a channel for each feature"
        got = sources.get("critic_input")
        raise DescriptionError(say(where, what, got=got, limit=features.size))
    sizes = {p.name: p.size for p in network.populations}
    if sizes.get("critic", 1) % 2:
        what = "needs a population 'critic' of an even number of neurons"
        raise DescriptionError(say(where, what, got=sizes.get("critic")))
    if not any(p.post == "critic" and p.plasticity for p in network.projections):
        raise DescriptionError(say(where, "has no projection into 'critic' that learns"))


@dataclass
class LinearCritic:
    """``V = v . x``, ``z <- gamma lambda z + x``, ``v <- v + alpha delta z / max(|x|**2, 1)``.

    weights, trace, x: v, z and the features of the present state, arrays of one shape that are
    written in place. alpha: step size, a fraction of the error removed at once. trace_decay: gamma
    lambda. Source: Sutton & Barto, TD(lambda) with accumulating traces.
    """

    weights: FloatArray
    trace: FloatArray
    x: FloatArray
    alpha: float
    trace_decay: float

    def value(self, x: FloatArray) -> float:
        """V of features *x*."""
        return dot(self.weights, x)

    def modulator(self, reward: float, discount: float, x_next: FloatArray, rate: float) -> float:
        """The TD error of the step to the state with features *x_next*, from which V then learns.

        discount: gamma, or 0 after a terminal state. rate: scales the step.
        """
        delta = td_error(reward, discount, self.value(self.x), self.value(x_next))
        self.trace *= self.trace_decay
        self.trace += self.x
        step = rate * self.alpha * delta / max(dot(self.x, self.x), 1.0)
        self.weights += step * self.trace
        self.x[:] = x_next
        return delta


@dataclass(frozen=True)
class SpikingCritic:
    """A population whose rate is the value: ``V = scale sum_i b_i n_i / (N W)``.

    n_i counts the spikes of neuron i in the W steps from *first* on, b_i is +1 in the first half of
    the N neurons and -1 in the second. The slope of V, estimated from spikes alone as in
    `neurorl.rules.spikes_only`, is the post factor ``f_i = b_i (1 - n_i/W) s_i``.

    size: N. first: the step that input can have reached. steps: of a window. Ours, with
    the idea of Fremaux, Sprekeler & Gerstner 2013 (doi 10.1371/journal.pcbi.1003024) that the rate
    of a population is the value.
    """

    size: int
    first: int
    steps: int
    scale: float

    @property
    def unit(self) -> float:
        """What one spike adds to V or takes off it."""
        return self.scale / (self.size * (self.steps - self.first))

    @property
    def signs(self) -> FloatArray:
        """b, shape ``(N,)``."""
        return np.where(np.arange(self.size) < self.size // 2, 1.0, -1.0)

    def value(self, raster: npt.NDArray[np.bool_]) -> float:
        """V from the population's raster ``(steps, N)``."""
        counts = raster[self.first :].sum(axis=0)
        return self.unit * float(counts @ self.signs)

    def factors(self, raster: npt.NDArray[np.bool_]) -> FloatArray:
        """f, shape ``(steps, N)``."""
        counted = raster[self.first :]
        f = np.zeros(raster.shape)
        f[self.first :] = self.signs * (1.0 - counted.sum(axis=0) / len(counted)) * counted
        return f


@dataclass
class RewardMean:
    """``M = r - m``, ``m <- m + alpha M``: no states, only a running mean of the reward.

    mean: m, an array of shape ``(1,)`` that is written in place.
    """

    mean: FloatArray
    alpha: float

    def modulator(self, reward: float) -> float:
        """How much the reward exceeds its mean, which then learns from it."""
        surprise = reward - float(self.mean[0])
        self.mean[0] += self.alpha * surprise
        return surprise
