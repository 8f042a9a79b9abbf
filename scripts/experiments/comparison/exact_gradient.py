"""Estimate the policy gradient without bias, and with so little noise that others can be compared.

For a state s with an advantage A(s, a) of each action, what is wanted is the gradient of::

    J = E[ R ],    R = sum_a pi(a | votes) A(s, a),    over all spikes of the decision

Let everything that is drawn stay as it is, but for the spikes r_k of one neuron k in the window: R
is then a function F of r_k, as later neurons hear it and answer with the same noise. With r_k' a
second draw of it, on the same input::

    grad_k E[R] = 1/2 E[ (F(r_k) - F(r_k')) (grad log P(r_k) - grad log P(r_k')) ]

for the weights into k: a score function, of which all that other neurons did to R is taken off
before it is noise. Modules hear nothing of each other, so the neurons of all modules are redrawn at
once, and R is computed for each as if the other modules had stayed as they were.
Ours; pairs of draws are known from ARM (Yin & Zhou 2019, arXiv:1807.11143), and the expectation of
one variable at a time from local expectation gradients (Titsias & Lazaro-Gredilla 2015,
arXiv:1503.01494).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from experiments.comparison.decisions import Decisions, Frozen, Rasters, Sampler
from neurorl.backends.torch import SpikingModule
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network, Source
from neurorl.network.modules import hidden_layers
from neurorl.reparameterization.choices import votes


@dataclass(frozen=True)
class Pair:
    """Hold a layer's decisions with second rasters of its neurons, and ``F(r_k) - F(r_k')``.

    gain: of each decision and neuron, ``(R, size)``.
    """

    redrawn: Decisions
    gain: Tensor


class PairedRedraws:
    """Compute the gradient of J for agents of modules with one hidden layer, or none.

    Raises UnsupportedError for other networks.
    """

    def __init__(self, sampler: Sampler) -> None:
        self._sampler, network = sampler, sampler.network
        hidden = hidden_layers(network)
        known = {"output", *hidden}
        if len(hidden) > 1 or {p.name for p in network.populations} != known:
            raise UnsupportedError("paired redraws", "know modules of one hidden layer")
        self._hidden = hidden[0] if hidden else None
        self._output = SpikingModule(_output_alone(network), dtype=sampler.one.dtype)

    def pairs(self, agent: Frozen, d: Decisions, generator: torch.Generator) -> dict[str, Pair]:
        """Draw each neuron's raster again, by layer, with *agent*'s weights."""
        for name in self._output.synapses:
            self._output.set_weights(name, self._sampler.one.weights(name))
        other = self._sampler.logistic(agent.config.window, generator)
        answer = self._answer(d, d.rasters, other["output"])
        redrawn = self._redrawn(d, {**d.rasters, "output": answer})
        result = {"output": Pair(redrawn, self._gain(agent, d, answer))}
        if self._hidden:
            with torch.no_grad():
                rasters, _ = self._sampler.one(d.inputs, noise=other)
            gain = self._gain_of_hidden(agent, d, rasters[self._hidden])
            result[self._hidden] = Pair(self._redrawn(d, rasters), gain)
        return result

    def gradient(self, d: Decisions, pairs: dict[str, Pair]) -> dict[str, Tensor]:
        """Return the mean over the decisions, by projection."""
        module = self._sampler.one
        module.zero_grad()
        total = torch.zeros((), dtype=d.policy.dtype)
        for name, pair in pairs.items():
            first = self._log_prob(d, name)
            second = self._log_prob(pair.redrawn, name)
            total = total + (0.5 * pair.gain * (first - second)).sum()
        total.backward()  # type: ignore[no-untyped-call]
        means = {}
        for name in module.synapses:
            slope = module.weight(name).grad
            assert slope is not None
            means[name] = slope[0] / len(d.policy)
        return means

    def _gain_of_hidden(self, agent: Frozen, d: Decisions, redrawn: Tensor) -> Tensor:
        """Return each hidden neuron's gain: its module's, if it alone is redrawn."""
        name = self._hidden
        assert name is not None
        spikes = d.rasters[name]
        units = spikes.shape[-1] // d.rasters["output"].shape[-1]
        gain = torch.zeros(spikes.shape[1:], dtype=spikes.dtype)
        for k in range(units):  # of every module
            mixed = spikes.clone()
            mixed[..., k::units] = redrawn[..., k::units]
            answer = self._answer(d, {**d.rasters, name: mixed}, d.noise["output"])
            gain[:, k::units] = self._gain(agent, d, answer)
        return gain

    @torch.no_grad()
    def _redrawn(self, d: Decisions, rasters: Rasters) -> Decisions:
        return replace(d, rasters=rasters, p=self._sampler.one.probabilities(d.inputs, rasters))

    def _log_prob(self, d: Decisions, name: str) -> Tensor:
        """Return the log probability of each neuron's raster, ``(R, size)``."""
        total: Tensor = self._sampler.one.log_prob(d.inputs, d.rasters)[name].sum(dim=0)
        return total

    @torch.no_grad()
    def _answer(self, d: Decisions, rasters: Rasters, noise: Tensor) -> Tensor:
        """Return the output's raster on those of the layer below."""
        spikes = {**d.inputs, **rasters}
        sources = {s.name: spikes[s.name] for s in self._output.network.sources}
        answer, _ = self._output(sources, noise={"output": noise})
        raster: Tensor = answer["output"]
        return raster

    def _gain(self, agent: Frozen, d: Decisions, answer: Tensor) -> Tensor:
        """Return ``R - R'`` by module, R' with its own *answer* beside those of the others."""
        first, actions = agent.first_vote, agent.n_actions
        was = d.rasters["output"]
        n = votes(was, actions, first)
        more = answer[first:].sum(dim=0) - was[first:].sum(dim=0)
        action = torch.arange(was.shape[-1]) % actions
        changed = n[:, None] + more[..., None] * torch.nn.functional.one_hot(action, actions)
        was_worth = (agent.policy(n) * d.advantages).sum(dim=-1)
        is_worth = (agent.policy(changed) * d.advantages[:, None]).sum(dim=-1)
        return was_worth[:, None] - is_worth


def _output_alone(network: Network) -> Network:
    """Return the output, with the layer below as its source."""
    into = tuple(p for p in network.projections if p.post == "output")
    pre = {p.pre for p in into}
    nodes = [n if isinstance(n, Source) else Source(n.name, n.size) for n in network.nodes]
    output = network.node("output")
    return Network((*(n for n in nodes if n.name in pre), output), into, network.dt)
