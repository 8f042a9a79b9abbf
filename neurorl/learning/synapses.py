"""Hold what the plastic synapses of a network remember, and bring it from window to window.

A window of W steps makes ``e <- d**W e + S`` of eligibilities, with S of `neurorl.learning.tags`,
in float arithmetic rounded as `neurorl.learning.levels` says.
Arrays of a sparse projection are ``(n_synapses,)``, in the order of `Network.synapses`, and no
other pairs are summed. All is as in `neurorl.learning.learner`, but every step counts, and traces
and spikes in flight go on from window to window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from neurorl.backends.base import Backend, Raster
from neurorl.learning import listed
from neurorl.learning.constants import RuleConstants
from neurorl.learning.finite import are_no_factors
from neurorl.learning.levels import Eligibility, eligibility_type, remember
from neurorl.learning.listed import Depression, PostFactors
from neurorl.learning.plan import Plastic, plastic_into
from neurorl.learning.tags import Post, depressing, tags, trace_shape, traces
from neurorl.network.description import Network
from neurorl.network.restoring import take
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.elementary import on_grid
from neurorl.rules import Decision, Rule
from neurorl.rules.post_factor import PostFactor
from neurorl.rules.three_factor import arrivals, window_traces

__all__ = ["RuleConstants", "Synapses", "Target", "post_factors"]

Arrays = dict[str, Array]


@dataclass(frozen=True)
class Target:
    """Hold a population that learns by a rule: its size, the rule, what enters it by that rule.

    key: its name, and the rule's too if it isn't the first into the population.
    """

    name: str
    size: int
    rule: Rule
    text: PostFactor
    constants: RuleConstants
    into: tuple[Plastic, ...]
    key: str

    @classmethod
    def all_of(
        cls, network: Network, rules: Mapping[str, Rule], constants: Mapping[str, RuleConstants]
    ) -> tuple[Target, ...]:
        """Return all populations that plastic projections enter, in the network's order.

        rules: by projection. constants: by the rule's name.
        """
        targets = []
        for p in network.populations:
            into = plastic_into(network, p.name)
            of_rules = {rules[one.name].name: rules[one.name] for one in into}
            for number, (name, rule) in enumerate(of_rules.items()):
                targets.append(
                    cls(
                        name=p.name,
                        size=p.size,
                        rule=rule,
                        text=rule.text_of(p.name),
                        constants=constants[name],
                        into=tuple(one for one in into if rules[one.name] is rule),
                        key=f"{p.name} by {name}" if number else p.name,
                    )
                )
        return tuple(targets)


@dataclass
class Synapses:
    """Hold the arrays of replicas side by side: the first index of each is the replica's.

    By projection: ``weights`` that learn, ``eligibility`` of their shape, ``trace`` ``(N, n_pre)``,
    or ``(N, n_delays, n_pre)`` if the synapses of a list have several delays.
    By target: ``post_trace`` ``(N, n)``, and ``slow_trace`` where its rule names it.
    By node: ``last`` ``(N, delay, n)``, its last spikes, the newest at the end, as many as a
    projection still has to deliver.
    """

    weights: dict[str, FloatArray]
    eligibility: dict[str, Eligibility]
    trace: dict[str, FloatArray]
    post_trace: dict[str, FloatArray]
    last: dict[str, Raster]
    slow_trace: dict[str, FloatArray]

    @classmethod
    def of(cls, backend: Backend, targets: tuple[Target, ...]) -> Synapses:
        """Return those that remember nothing, with the weights in force."""
        plastic, n = [p for target in targets for p in target.into], backend.n_replicas
        sizes = {p.pre: backend.network.node(p.pre).size for p in plastic}
        delays = {pre: max(p.delay for p in plastic if p.pre == pre) for pre in sizes}
        kind, weights = eligibility_type(backend.arithmetic), {}
        for p in plastic:
            shape = (n, *backend.network.weight_shape(p.name))
            weights[p.name] = backend.weights(p.name).reshape(shape).copy()
        return cls(
            weights=weights,
            eligibility={name: np.zeros(w.shape, kind) for name, w in weights.items()},
            trace={p.name: np.zeros((n, *trace_shape(p.groups, sizes[p.pre]))) for p in plastic},
            post_trace={target.key: np.zeros((n, target.size)) for target in targets},
            last={pre: np.zeros((n, delays[pre], size), dtype=bool) for pre, size in sizes.items()},
            slow_trace={t.key: np.zeros((n, t.size)) for t in targets if t.rule.names("slow")},
        )

    def forget(self) -> None:
        """Forget all but the weights."""
        passing = (self.eligibility, self.trace, self.post_trace, self.last, self.slow_trace)
        for array in (array for arrays in passing for array in arrays.values()):
            array[...] = 0

    def state(self, k: int) -> Arrays:
        """Copy everything of a replica, by ``KIND.NAME``."""
        return {key: array.copy() for key, array in self._all(k)}

    def check(self, state: Mapping[str, Array], k: int) -> None:
        """Raise RunError unless `restore` can take a state."""
        for key, array in self._all(k):
            take(state, key, array.shape, "bool" if array.dtype == bool else "float")

    def restore(self, state: Mapping[str, Array], k: int) -> None:
        """Let a replica go on from a state that was checked."""
        for key, array in self._all(k):
            array[...] = state[key]

    def slow(self, target: Target, raster: Raster) -> FloatArray:
        """Return the trace of a population's own spikes before each step, ``(W, N * n)``."""
        return self._slow(target, raster) - raster

    def remember(
        self,
        target: Target,
        spikes: Mapping[str, Array],
        post: PostFactors,
        gate: FloatArray | None,
    ) -> None:
        """Let eligibilities into a population take a window in.

        spikes: by node. post, gate: see `post_factors`.
        """
        raster, constants = spikes[target.name], target.constants
        n_steps = len(raster)
        powers, left = constants.powers(n_steps), constants.left(n_steps)
        compiled = [p for p in target.into if listed.is_compiled(p, n_steps)]
        others = [p for p in target.into if p not in compiled]
        held, after = self.post_trace[target.key], None
        for p in compiled:
            after = self._remember_listed(p, target, spikes[p.pre], post, gate, powers)
        if others:
            taken = None
            if target.rule.pairs_spikes:
                pairs = constants.depression * powers
                taken, after = depressing(raster, held, constants.post_decay, pairs, gate)
            of_window = Post(post.factors, taken, powers)
            for p in others:
                self._remember_window(p, spikes[p.pre], of_window, left)
        if after is not None:
            held[...] = after
        if target.key in self.slow_trace:
            slow = self.slow_trace[target.key]
            slow[...] = self._slow(target, raster)[-1].reshape(slow.shape)

    def _remember_window(self, p: Plastic, spikes: Array, post: Post, left: float) -> None:
        """Let a projection's eligibilities take a window in; *left*: what it leaves of them."""
        held, e = self.trace[p.name], self.eligibility[p.name]
        arrived = self._arrived(p, spikes, len(post.powers))
        x = traces(arrived, p.trace_decay, held)
        last = np.stack([one[-1].reshape(len(held), -1) for one in x], axis=1)
        held[...] = last.reshape(held.shape)
        remember(e, left, tags(p.groups, arrived, x, post, e.shape))

    def _remember_listed(
        self,
        p: Plastic,
        target: Target,
        spikes: Raster,
        post: PostFactors,
        gate: FloatArray | None,
        powers: FloatArray,
    ) -> FloatArray | None:
        """Do `_remember_window` in C++; return the neurons' own traces after it if they depress."""
        constants, n = target.constants, len(self.trace[p.name])
        after = []
        rasters, gates = (
            np.split(spikes, n, axis=1),
            [None] * n if gate is None else np.split(gate, n),
        )
        for k in range(n):
            depression = None
            if target.rule.pairs_spikes:
                own = self.post_trace[target.key][k]
                depression = Depression(constants.post_decay, constants.depression, own, gates[k])
            of_delays = np.atleast_2d(self.trace[p.name][k])
            for group, trace in zip(p.visited, of_delays, strict=True):
                one = listed.remember(
                    group,
                    rasters[k],
                    self.last[p.pre][k],
                    post.of(k, n),
                    powers,
                    trace,
                    p.trace_decay,
                    depression,
                    self.eligibility[p.name][k],
                    constants.left(len(powers)),
                )
            if one is not None:
                after.append(one)
        return np.stack(after) if after else None

    def deliver(self, spikes: Mapping[str, Array]) -> None:
        """Keep the last spikes of a window, once all eligibilities have taken it in."""
        for pre, last in self.last.items():
            n, depth, size = last.shape
            if spikes[pre].ndim == 2 and depth:
                new = spikes[pre].reshape(-1, n, size).transpose(1, 0, 2)
                last[...] = np.concatenate([last[:, new.shape[1] :], new[:, -depth:]], 1)[
                    :, -depth:
                ]

    def _arrived(self, p: Plastic, spikes: Array, n_steps: int) -> list[FloatArray]:
        """Return what arrives in a window, ``(W, N * n_pre)``, for each delay of a projection."""
        if p.current:  # on the grid, so that sums of products are exact
            return [p.transmitted(np.tile(on_grid(spikes), (n_steps, 1)))]
        last = self.last[p.pre].transpose(1, 0, 2).reshape(-1, spikes.shape[-1])
        before = last if len(last) else None
        return [p.transmitted(arrivals(spikes, delay, before)) for delay in p.delays]

    def _slow(self, target: Target, raster: Raster) -> FloatArray:
        spikes, before = raster.astype(np.float64), self.slow_trace[target.key].ravel()
        return window_traces(spikes, target.constants.slow_decay, before)

    def _all(self, k: int) -> Iterator[tuple[str, Array]]:
        for kind, arrays in vars(self).items():
            yield from ((f"{kind}.{name}", array[k]) for name, array in arrays.items())


def post_factors(
    target: Target, raster: Raster, named: Mapping[str, FloatArray | float]
) -> tuple[PostFactors, FloatArray | None]:
    """Return the post factors, and what gates depression ``(N * n,)``, None for 1.

    named: what the rule names beyond spikes; ``phi`` is 1 if it isn't there.
    Factors that aren't finite are left for the caller to find; gates, and gains for each spike, are
    those of neurons without a spike, and 0.
    """
    phi = np.broadcast_to(named.get("phi", 1.0), (raster.shape[1],))
    decision = Decision(0, phi, output=raster, output_from=0, output_named=named)
    if "p" in named:
        decision = replace(decision, output_p=np.asarray(named["p"]))
    if not target.text.is_gain:
        factors = on_grid(target.text.factors(decision, decision.output_layer))
        return PostFactors(raster, factors, is_gain=False), None
    gain = on_grid(target.text.gain(decision, decision.output_layer))
    odd = are_no_factors(gain)
    gate = None
    if target.rule.gates_depression:
        gate = np.where(odd, 0.0, gain)
    if odd.any():
        gain[odd & ~raster.any(axis=0)] = 0.0
    return PostFactors(raster, gain, is_gain=True), gate
