"""Describe a linear actor-critic without neurons: its rates, and how it explores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorl.models.agent.gaussian_policy import ChoosesNumbers, Gaussian
from neurorl.models.agent.policies import Policy, Softmax, explore
from neurorl.network.serialization import Described, NotNegative, Share
from neurorl.numerics.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class LinearRates(Described):
    """Hold the step sizes of a linear actor-critic, and how long its traces last.

    alpha_actor, alpha_critic: increments are divided by ``|x|**2`` of the cells or features.
    lambda_actor, lambda_critic: share of a trace left after a step, before the factor gamma.
    """

    alpha_actor: NotNegative = 0.3
    alpha_critic: NotNegative = 0.1
    lambda_actor: Share = 0.9
    lambda_critic: Share = 0.9


@dataclass(frozen=True, eq=False)
class LinearSoftmax(Softmax, called="linear-softmax"):
    """Draw actions as `Softmax` does, by preferences; NumPy's exp takes half the time."""

    beta: NotNegative = 1.0

    def distribution(self, votes: FloatArray) -> FloatArray:
        """Return the probability of each action by its preference, ``(n_actions,)``."""
        z = np.exp(self.beta * (votes - votes.max()))
        return explore(np.asarray(z / z.sum()), self.exploration)


@dataclass(frozen=True, eq=False)
class LinearGaussian(Gaussian, called="linear-gaussian"):
    """Choose each number around the mean that a linear map gives; else as `Gaussian`.

    ``a = mu + sigma z``, clipped to [-1, 1]; phi is z, if *natural* times sigma over the first
    sigma.
    """

    distribution = ChoosesNumbers.distribution

    def one(self, votes: FloatArray, z: float, decision: int) -> tuple[float, FloatArray]:
        return votes[0] + self.width(decision) * z, np.array([z * self.feedback(decision)])


def linear_policy(policy: Policy) -> Policy:
    """Return the policy of a linear agent that corresponds to a spiking agent's *policy*.

    The softmax takes preferences in place of beta times votes; repeats, and the exploration of
    numbers, stay as they are.
    """
    if isinstance(policy, Gaussian):
        same = ("sigma", "sigma_end", "decisions", "hold", "natural")
        return LinearGaussian(**{name: getattr(policy, name) for name in same})
    falls = getattr(policy, "repeats_decisions", 0)
    return LinearSoftmax(1.0, policy.exploration, policy.repeats, falls)
