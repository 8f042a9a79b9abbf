"""Hold what the plastic synapses of a network remember, and bring it from window to window.

For a window of W steps, with presynaptic traces x, arriving spikes a and post factors f::

    e <- d**W e + sum_t d**(W-1-t) (x(t) f(t)^T - g A a(t) y(t)^T)     d = exp(-dt/eligibility_tau)

where the second term is that of rules that pair spikes: y is the neuron's own trace, g = 1 or what
the rule gates depression with. Arrays of a sparse projection are ``(n_synapses,)``, in the order of
`Network.synapses`, and no other pairs are summed. All is as in `neurorl.learning.learner`, but
every step counts, and traces and spikes in flight go on from window to window; and rounded as
`neurorl.learning.levels` says in float arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.learning import listed
from neurorl.learning.finite import are_no_factors
from neurorl.learning.levels import Eligibility, eligibility_type, remember
from neurorl.learning.listed import Depression, PostFactors
from neurorl.learning.plan import Plastic, plastic_into
from neurorl.network.description import Network
from neurorl.network.restoring import take
from neurorl.network.serialization import FloatArray
from neurorl.numerics.elementary import decay, on_grid
from neurorl.rules import Decision, Rule
from neurorl.rules.post_factor import PostFactor
from neurorl.rules.three_factor import arrivals, outer_sum, window_traces

__all__ = ["Constants", "Synapses", "Target", "post_factors"]

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Constants:
    """Hold how a rule's eligibilities and its neurons' own traces decay, and A.

    kept: what is left of an eligibility after a step; kept_window: after a window, None for what
    its steps leave. post_decay, slow_decay: what a step leaves of traces.
    """

    kept: float
    kept_window: float | None
    post_decay: float
    slow_decay: float
    depression: float

    @classmethod
    def of(
        cls,
        rule: Rule,
        dt: float,
        eligibility_tau: float | None,
        post_tau: float,
        depression: float,
    ) -> Constants:
        """Return a rule's own, or where it has none these; tau None: an eligibility that stays."""
        tau = eligibility_tau if rule.eligibility_tau is None else rule.eligibility_tau
        steps = tau is not None and rule.eligibility_keep is None
        return cls(
            kept=decay(dt, tau) if steps and tau is not None else 1.0,
            kept_window=rule.eligibility_keep,
            post_decay=decay(dt, post_tau if rule.post_tau is None else rule.post_tau),
            slow_decay=decay(dt, rule.slow_tau or 0.0),
            depression=depression if rule.depression is None else rule.depression,
        )

    def powers(self, n_steps: int) -> FloatArray:
        """Return what is left at a window's end of what each step added, ``(n_steps,)``."""
        return np.array([self.kept ** (n_steps - 1 - t) for t in range(n_steps)])

    def left(self, n_steps: int) -> float:
        """Return what a window leaves of an eligibility."""
        return self.kept**n_steps if self.kept_window is None else self.kept_window


@dataclass(frozen=True)
class Target:
    """Hold a population that learns by a rule: its size, the rule, what enters it by that rule.

    key: its name, and the rule's too if it isn't the first into the population.
    """

    name: str
    size: int
    rule: Rule
    text: PostFactor
    constants: Constants
    into: tuple[Plastic, ...]
    key: str

    @classmethod
    def all_of(
        cls, network: Network, rules: Mapping[str, Rule], constants: Mapping[str, Constants]
    ) -> tuple[Target, ...]:
        """Return all populations that plastic projections enter, in the network's order.

        rules: by projection. constants: by the rule's name.
        """
        targets = []
        for p in network.populations:
            into = plastic_into(network, p.name)
            of_rules = {rules[one.name].name: rules[one.name] for one in into}
            for number, (name, rule) in enumerate(of_rules.items()):
                output, hidden = rule.texts
                targets.append(
                    cls(
                        name=p.name,
                        size=p.size,
                        rule=rule,
                        text=output if p.name == "output" else hidden,
                        constants=constants[name],
                        into=tuple(one for one in into if rules[one.name] is rule),
                        key=f"{p.name} by {name}" if number else p.name,
                    )
                )
        return tuple(targets)


@dataclass
class Synapses:
    """Hold the arrays of one replica.

    By projection: ``weights`` that learn, ``eligibility`` of their shape, ``trace`` ``(n_pre,)``,
    or ``(n_delays, n_pre)`` if the synapses of a list have several delays.
    By target: ``post_trace`` ``(n,)``, and ``slow_trace`` where its rule names it.
    By node: ``last`` ``(delay, n)``, its last spikes, the newest at the end, as many as a
    projection still has to deliver.
    """

    weights: dict[str, FloatArray]
    eligibility: dict[str, Eligibility]
    trace: dict[str, FloatArray]
    post_trace: dict[str, FloatArray]
    last: dict[str, Raster]
    slow_trace: dict[str, FloatArray]

    @classmethod
    def of(cls, backend: Backend, targets: tuple[Target, ...], replica: int) -> Synapses:
        """Return those of a replica that remembers nothing, with the weights in force."""
        plastic = [p for target in targets for p in target.into]
        sizes = {p.pre: backend.network.node(p.pre).size for p in plastic}
        delays = {pre: max(p.delay for p in plastic if p.pre == pre) for pre in sizes}
        kind, weights = eligibility_type(backend.arithmetic), {}
        for p in plastic:
            in_force = backend.weights(p.name)
            shape = backend.network.weight_shape(p.name)
            weights[p.name] = in_force.reshape(backend.n_replicas, *shape)[replica].copy()
        return cls(
            weights=weights,
            eligibility={name: np.zeros(w.shape, kind) for name, w in weights.items()},
            trace={p.name: np.zeros(_trace_shape(p, sizes[p.pre])) for p in plastic},
            post_trace={target.key: np.zeros(target.size) for target in targets},
            last={pre: np.zeros((delays[pre], n), dtype=bool) for pre, n in sizes.items()},
            slow_trace={t.key: np.zeros(t.size) for t in targets if t.rule.names("slow")},
        )

    def forget(self) -> None:
        """Forget all but the weights."""
        passing = (self.eligibility, self.trace, self.post_trace, self.last, self.slow_trace)
        for array in (array for arrays in passing for array in arrays.values()):
            array[...] = 0

    def state(self) -> Arrays:
        """Copy everything, by ``KIND.NAME``."""
        return {key: array.copy() for key, array in self._all()}

    def check(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Raise RunError unless `restore` can take a state."""
        for key, array in self._all():
            take(state, key, array.shape, "bool" if array.dtype == bool else "float")

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """Go on from a state that was checked."""
        for key, array in self._all():
            array[...] = state[key]

    def slow(self, target: Target, raster: Raster) -> FloatArray:
        """Return the trace of a population's own spikes before each step, ``(W, n)``."""
        return self._slow(target, raster) - raster

    def remember(
        self,
        target: Target,
        spikes: Mapping[str, npt.NDArray[Any]],
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
        depression = after = None
        if target.rule.pairs_spikes:
            held = self.post_trace[target.key]
            depression = Depression(constants.post_decay, constants.depression, held, gate)
        for p in compiled:
            after = self._remember_listed(p, spikes[p.pre], post, powers, depression, left)
        factors = post.factors if others else np.empty(0)
        depressing = None
        if depression is not None and others:
            y = window_traces(raster.astype(np.float64), depression.decay, depression.trace)
            after = y[-1]
            depressing = on_grid((depression.strength * powers)[:, None] * y)
            depressing = depressing if gate is None else on_grid(gate * depressing)
        if depression is not None and after is not None:
            depression.trace[:] = after
        if target.key in self.slow_trace:
            self.slow_trace[target.key][:] = self._slow(target, raster)[-1]
        for p in others:
            tag = self._tag(p, spikes[p.pre], powers, factors, depressing)
            remember(self.eligibility[p.name], left, tag)

    def _remember_listed(
        self,
        p: Plastic,
        spikes: Raster,
        post: PostFactors,
        powers: FloatArray,
        depression: Depression | None,
        left: float,
    ) -> FloatArray | None:
        """Let a sparse projection's eligibilities take a window in; return `listed.remember`'s."""
        after = None
        traces = np.atleast_2d(self.trace[p.name])
        for group, trace in zip(p.groups, traces, strict=True):
            after = listed.remember(
                group,
                spikes,
                self.last[p.pre],
                post,
                powers,
                trace,
                p.trace_decay,
                depression,
                self.eligibility[p.name],
                left,
            )
        return after

    def deliver(self, spikes: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep the last spikes of a window, once all eligibilities have taken it in."""
        for pre, last in self.last.items():
            depth, new = len(last), spikes[pre]
            if new.ndim == 2 and depth:
                last[...] = np.concatenate([last[len(new) :], new[-depth:]])[-depth:]

    def _tag(
        self,
        p: Plastic,
        spikes: npt.NDArray[Any],
        powers: FloatArray,
        factors: FloatArray,
        depressing: FloatArray | None,
    ) -> FloatArray:
        """Return what a window adds to a projection's eligibilities; its traces go on."""
        shape, held = self.eligibility[p.name].shape, self.trace[p.name]
        if not p.groups:
            a, x = self._traced(p, p.delay, spikes, powers, held)
            tag = outer_sum(x, factors, shape)
            if depressing is not None:
                tag -= outer_sum(a, depressing, shape)
            return tag
        tag = np.empty(shape)
        for group, trace in zip(p.groups, np.atleast_2d(held), strict=True):
            a, x = self._traced(p, group.delay, spikes, powers, trace)
            tag[group.numbers] = group.sums(x, factors)
            if depressing is not None:
                tag[group.numbers] -= group.sums(a, depressing)
        return tag

    def _traced(
        self,
        p: Plastic,
        delay: int,
        spikes: npt.NDArray[Any],
        powers: FloatArray,
        trace: FloatArray,
    ) -> tuple[FloatArray, FloatArray]:
        """Return what arrives, and its traces as the window's end has them; *trace* goes on."""
        a = p.transmitted(self._arrived(p, delay, spikes, len(powers)))
        x = window_traces(a, p.trace_decay, trace)
        trace[:] = x[-1]
        return a, on_grid(powers[:, None] * x)

    def _arrived(
        self, p: Plastic, delay: int, spikes: npt.NDArray[Any], n_steps: int
    ) -> FloatArray:
        if p.current:
            return np.tile(on_grid(spikes), (n_steps, 1))  # so that sums of products are exact
        last = self.last[p.pre]
        return arrivals(spikes, delay, last if len(last) else None)

    def _slow(self, target: Target, raster: Raster) -> FloatArray:
        spikes, before = raster.astype(np.float64), self.slow_trace[target.key]
        return window_traces(spikes, target.constants.slow_decay, before)

    def _all(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        for kind, arrays in vars(self).items():
            yield from ((f"{kind}.{name}", array) for name, array in arrays.items())


def _trace_shape(p: Plastic, n_pre: int) -> tuple[int, ...]:
    return (len(p.groups), n_pre) if len(p.groups) > 1 else (n_pre,)


def post_factors(
    target: Target, raster: Raster, named: Mapping[str, FloatArray | float]
) -> tuple[PostFactors, FloatArray | None]:
    """Return the post factors, and what gates depression ``(n,)``, None for 1.

    named: what the rule names beyond spikes; ``phi`` is 1 if it isn't there.
    Factors that aren't finite are left for the caller to find; gates, and gains for each spike, are
    those of neurons without a spike, and 0.
    """
    phi = np.broadcast_to(named.get("phi", 1.0), (target.size,))
    decision = Decision(0, phi, output=raster, output_from=0, output_named=named)
    if "p" in named:
        decision = replace(decision, output_p=np.asarray(named["p"]))
    if not target.text.is_gain:
        factors = on_grid(target.text.factors(decision, None))
        return PostFactors(raster, factors, is_gain=False), None
    gain = on_grid(target.text.gain(decision, None))
    odd = are_no_factors(gain)
    gate = None
    if target.rule.gates_depression:
        gate = np.where(odd, 0.0, gain)
    if odd.any():
        gain[odd & ~raster.any(axis=0)] = 0.0
    return PostFactors(raster, gain, is_gain=True), gate
