"""Sample many decisions at once of an agent that has stopped learning, with all their causes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neurorl.backends.torch import Estimator, SpikingModule
from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray
from neurorl.reparameterization.choices import log_policy, votes
from neurorl.reparameterization.config import softmax_of
from neurorl.reparameterization.rollout import draws_shape, encode

Rasters = dict[str, Tensor]


@dataclass(frozen=True)
class Frozen:
    """Hold an agent at one point of training, and what it is asked there.

    weights: by projection. signs: b of hidden layers. flat: S observations as its cells take them.
    advantages: how much better than the mean of its policy each action is in each,
    ``(S, n_actions)``.
    """

    config: AgentConfig
    network: Network
    weights: dict[str, FloatArray]
    signs: dict[str, FloatArray]
    flat: FloatArray
    advantages: FloatArray

    @property
    def n_actions(self) -> int:
        return int(self.advantages.shape[1])

    @property
    def first_vote(self) -> int:
        """Return the step from which spikes of the output are votes."""
        return self.network.depth("output")

    def policy(self, n: Tensor) -> Tensor:
        """Return the policy of votes ``(..., n_actions)``."""
        return log_policy(n, *softmax_of(self.config)).exp()

    def put(self, module: SpikingModule) -> None:
        """Let all replicas of a module have its weights."""
        for name in module.synapses:
            w = self.weights[name]
            module.set_weights(
                name,
                np.repeat(w[None], module.n_replicas, axis=0) if module.has_replicas else w,
            )


@dataclass(frozen=True)
class Decisions:
    """Hold R decisions.

    inputs, noise (standard logistic), rasters: by node, ``(W, R, size)``. p: of spikes, given those
    before. policy, advantages: of each action, ``(R, n_actions)``. Which one is taken isn't drawn:
    what is asked can be averaged over the policy.
    """

    inputs: Rasters
    noise: Rasters
    rasters: Rasters
    p: Rasters
    policy: Tensor
    advantages: Tensor


class Sampler:
    """Draw decisions of one agent after the other; the network is that of all of them.

    size: R, how many at once. dtype: of the computation.
    """

    def __init__(self, network: Network, size: int, dtype: torch.dtype = torch.float32) -> None:
        self.network, self.size = network, size
        self.one = SpikingModule(network, dtype=dtype)
        # A replica for each decision has a gradient of its own.
        self.each = SpikingModule(network, seed=(0,) * size, dtype=dtype, detach_reset=True)
        self._sizes = {p.name: p.size for p in network.populations}

    def logistic(self, steps: int, generator: torch.Generator) -> Rasters:
        """Return standard logistic draws for every population, ``(W, R, size)``."""
        noise = {}
        for name, n in self._sizes.items():
            shape = (steps, self.size, n)
            u = torch.rand(shape, generator=generator, dtype=self.one.dtype).clamp_(1e-7, 1 - 1e-7)
            noise[name] = torch.logit(u)
        return noise

    @torch.no_grad()
    def draw(self, agent: Frozen, generator: torch.Generator) -> Decisions:
        """Draw decisions of *agent*, as many in each state: R must be a multiple of S."""
        config, repeats = agent.config, self.size // len(agent.flat)
        u = torch.rand((self.size, *draws_shape(config)), generator=generator)
        encoded = encode(config, np.repeat(agent.flat, repeats, axis=0), u).to(self.one.dtype)
        inputs = {
            s.name: encoded if s.name == "input" else torch.ones(config.window, self.size, s.size)
            for s in self.network.sources
        }
        inputs = {name: x.to(self.one.dtype) for name, x in inputs.items()}
        noise = self.logistic(config.window, generator)
        rasters, _ = self.one(inputs, noise=noise)
        values = np.repeat(agent.advantages, repeats, axis=0)
        return Decisions(
            inputs=inputs,
            noise=noise,
            rasters=rasters,
            p=self.one.probabilities(inputs, rasters),
            policy=agent.policy(votes(rasters["output"], agent.n_actions, agent.first_vote)),
            advantages=torch.from_numpy(values).to(self.one.dtype),
        )

    def alone(self, rasters: Rasters) -> Rasters:
        """Return replicas for `each`, with a batch of one for every decision."""
        return {name: x[:, :, None] for name, x in rasters.items()}

    def again(self, d: Decisions, how: Estimator) -> Rasters:
        """Return the same spikes from the same noise, with gradients to `each`'s weights."""
        rasters, _ = self.each(self.alone(d.inputs), noise=self.alone(d.noise), estimator=how)
        return {name: x[:, :, 0] for name, x in rasters.items()}
