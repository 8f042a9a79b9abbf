"""Estimate the gradient from one decision, in each of the ways to learn from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from experiments.comparison.decisions import Decisions, Frozen, Sampler
from experiments.comparison.exact_gradient import Pair
from neurorl.backends.torch import Concrete, Estimator, Slope
from neurorl.learning.plan import Layer, LearningPlan, Plastic
from neurorl.network.modules import hidden_layers, module_projections, path_weights
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import on_grid
from neurorl.reparameterization.choices import log_policy, votes
from neurorl.reparameterization.config import softmax_of
from neurorl.rules import Decision, HiddenLayer, find_rule
from neurorl.rules.three_factor import arrivals, window_traces

Changes = dict[str, Tensor]
"""Map each projection to what each of R decisions would add to its weights, ``(R, *shape)``."""

LOCAL = ("spikes-only", "spikes-only-hebbian", "centred-feedback", "agreement", "surrogate")
"""List the rules whose post factor depends on the action: of those in layers, all but coagent."""

BACKPROPAGATED: dict[str, Estimator] = {
    "concrete, tau 1": Concrete(1.0),
    "slope": Slope(),
}
SCORE = "score function"


def backpropagated(
    sampler: Sampler, agent: Frozen, d: Decisions, how: Estimator
) -> Iterator[Changes]:
    """Compute ``A(s, a) grad log pi(a)`` through votes and spikes, one action after another.

    As in training, the reset after a spike is a constant.
    """
    output = sampler.again(d, how)["output"]
    n = votes(output, agent.n_actions, agent.first_vote)
    log_pi = log_policy(n, *softmax_of(agent.config))
    for action in range(agent.n_actions):
        yield _gradients(sampler, (d.advantages[:, action] * log_pi[:, action]).sum())


def score(sampler: Sampler, d: Decisions, gain: Tensor) -> Changes:
    """Compute ``g grad log P(raster)``; gain: g of each decision, ``(R,)``."""
    log_probs = sampler.each.log_prob(sampler.alone(d.inputs), sampler.alone(d.rasters))
    log_p = torch.stack([x[:, :, 0].sum(dim=(0, 2)) for x in log_probs.values()]).sum(dim=0)
    return _gradients(sampler, (gain * log_p).sum())


def _gradients(sampler: Sampler, total: Tensor) -> Changes:
    weights = {name: sampler.each.weight(name) for name in sampler.each.synapses}
    slopes = torch.autograd.grad(total, list(weights.values()), retain_graph=True)
    return dict(zip(weights, slopes, strict=True))


class Rules:
    """Apply local rules to decisions side by side, without eligibility of earlier ones.

    R decisions are given to a rule as one of R times as many modules.
    """

    def __init__(self, agent: Frozen, d: Decisions) -> None:
        self._agent, self._d = agent, d
        self._spikes = {k: x.numpy() > 0 for k, x in {**d.inputs, **d.rasters}.items()}
        self._layers = LearningPlan(agent.network, agent.config).layers
        self._traces = {p.name: self._trace(p) for layer in self._layers for p in layer.into}
        self._actors = d.rasters["output"].shape[-1] // agent.n_actions

    def changes(self, name: str, action: int, gains: dict[str, Tensor]) -> Changes:
        """Return ``g sum_t x(t) f(t)^T`` if *action* was taken.

        gains: by layer, g of each decision, ``(R, 1)``, or of each of its neurons, ``(R, size)``.
        """
        by_name = {layer.name: layer for layer in self._layers}
        hidden, output = hidden_layers(self._agent.network), by_name["output"]
        taken, phi = self._told(action)
        factors = find_rule(name)(
            Decision(
                action=taken,
                phi=phi,
                output=self._flat("output"),
                output_from=output.first,
                hidden=tuple(self._hidden(by_name[layer], k) for k, layer in enumerate(hidden)),
                output_p=self._p("output"),
            )
        )
        of_layer = dict(zip(("output", *hidden), (factors.output, *factors.hidden), strict=True))
        return {
            p.name: self._tag(p, of_layer[layer.name], gains[layer.name])
            for layer in self._layers
            for p in layer.into
        }

    def rates(self) -> dict[str, float]:
        """Return ``alpha / N`` by projection: the preset's factor of changes."""
        result = {}
        for layer in self._layers:
            power, steps = 0.0, self._agent.config.window - layer.first
            for p in layer.into:
                total = self._traces[p.name][layer.first :].sum(dim=0)
                power += float(total.square().sum(dim=1).mean()) / p.blocks / steps
            result.update({p.name: layer.alpha / max(power, 1.0) for p in layer.into})
        return result

    def _told(self, action: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Return which of all modules stand for the action, and phi of each."""
        policy = self._d.policy.double().numpy()
        chosen = np.eye(self._agent.n_actions)[action]
        phi = np.repeat((chosen - policy)[:, None], self._actors, axis=1)
        return np.flatnonzero(np.broadcast_to(chosen, phi.shape)), phi.ravel()

    def _hidden(self, layer: Layer, k: int) -> HiddenLayer:
        agent, copies = self._agent, len(self._d.policy)
        chain = module_projections(agent.network)
        modules = agent.network.node("output").size
        paths = path_weights([agent.weights[name] for name in chain], modules)
        return HiddenLayer(
            spikes=self._flat(layer.name),
            first=layer.first,
            lag=layer.lag,
            signs=np.tile(agent.signs[layer.name], copies),
            p=self._p(layer.name),
            paths=np.tile(paths[k], copies),
        )

    def _flat(self, name: str) -> npt.NDArray[np.bool_]:
        spikes = self._spikes[name]
        return spikes.reshape(len(spikes), -1)

    def _p(self, name: str) -> FloatArray:
        p: FloatArray = self._d.p[name].double().numpy()
        return p.reshape(len(p), -1)

    def _trace(self, p: Plastic) -> Tensor:
        """Return the trace x of a projection, ``(W, R, n_pre)``."""
        arrived = p.transmitted(arrivals(self._flat(p.pre), p.delay))
        x = window_traces(arrived, p.trace_decay).reshape(self._spikes[p.pre].shape)
        return torch.from_numpy(x).to(self._d.policy.dtype)

    def _tag(self, p: Plastic, factors: FloatArray, gain: Tensor) -> Tensor:
        x = self._traces[p.name]
        f = torch.from_numpy(on_grid(factors)).to(x.dtype).view(*x.shape[:2], -1) * gain
        if p.blocks == 1:
            return x.permute(1, 2, 0) @ f.permute(1, 0, 2)
        left = x.view(*x.shape[:2], p.blocks, -1).permute(1, 2, 3, 0)
        right = f.view(*f.shape[:2], p.blocks, -1).permute(1, 2, 0, 3)
        return left @ right


def coagent_by_pairs(agent: Frozen, d: Decisions, pairs: dict[str, Pair]) -> dict[str, Tensor]:
    """Return the mean change by `coagent`, by projection, with less noise than its samples.

    Its post factor has the mean 0, whatever reaches the neuron: so ``1/2 E[(F(r_k) - F(r_k')) (e_k
    - e_k')]``, e_k the eligibility of neuron k, is the mean of ``A e_k``, as in `PairedRedraws`.
    """
    gains = {name: 0.5 * pair.gain for name, pair in pairs.items()}
    first = Rules(agent, d).changes("coagent", 0, gains)
    changes = {}
    for layer, pair in pairs.items():
        second = Rules(agent, pair.redrawn).changes("coagent", 0, gains)
        for p in agent.network.projections:
            if p.post == layer:
                changes[p.name] = (first[p.name] - second[p.name]).mean(dim=0)
    return changes
