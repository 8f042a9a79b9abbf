"""Run a `neurorl.rules.SynapseRule` on a projection's synapses, in NumPy or printed as C++."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.arithmetic.rounding import Rounding
from neurorl.errors import UnsupportedError
from neurorl.expressions.expression import Statement
from neurorl.expressions.functions import clip
from neurorl.learning.synapse_printer import INVERSE, UNIT, SynapsePrinter
from neurorl.native import toolchain
from neurorl.network.description import Network, Projection
from neurorl.numerics.arrays import Array, BoolArray, FloatArray, IntArray, zeros_on_lines
from neurorl.rules.synapse_rule import WEIGHT, SynapseRule, owner_of


@dataclass(frozen=True, eq=False)
class Wiring:
    """Hold the ends of a projection's synapses, of all replicas side by side.

    pre, post: neuron of each synapse, ``(N * n_synapses,)``; neuron i of replica k is
    ``k * size + i``. delay: of each synapse in steps. delays: the different ones, the shortest
    first; of no synapse, the projection's. n_pre, n_post: of all replicas.
    """

    pre: IntArray
    post: IntArray
    delay: IntArray
    delays: IntArray
    n_pre: int
    n_post: int

    @classmethod
    def of(cls, network: Network, p: Projection, n_replicas: int) -> Wiring:
        """Return the ends of a projection's synapses, in the order of its weights."""
        sizes = network.node(p.pre).size, network.node(p.post).size
        pre, post = (end.astype(np.int64) for end in network.ends(p.name))
        steps, longest = network.synapse_steps(p.name), network.delay_steps(p.name)
        copies = np.arange(n_replicas)[:, None]
        return cls(
            (pre + sizes[0] * copies).ravel(),
            (post + sizes[1] * copies).ravel(),
            np.tile(steps, n_replicas),
            np.unique(steps) if len(steps) else np.array([longest]),
            sizes[0] * n_replicas,
            sizes[1] * n_replicas,
        )


class SynapseEvents:
    """Hold the variables of a projection's synapses and neurons, and run a rule on them.

    rule: what happens. wiring: of all replicas. weights: to begin with, ``(N * n_synapses,)``.
    bounds: the least and the largest weight. rounding: of weights in force. dt: seconds.

    weights, variables: by name, ``(N * n,)``, to be written to. Those of a synapse lie side by
    side, as synapses of a postsynaptic neuron lie far apart and each line takes its time.
    in_force: memory into which compiled code writes changed weights, rounded; None: it doesn't.
    """

    in_force: FloatArray | None = None

    def __init__(
        self,
        rule: SynapseRule,
        wiring: Wiring,
        weights: FloatArray,
        bounds: tuple[float, float],
        rounding: Rounding,
        dt: float,
    ) -> None:
        check_arrivals(rule, len(wiring.delays))
        self.rule, self._wiring, self._bounds = rule, wiring, bounds
        self._sizes = {"pre": wiring.n_pre, "post": wiring.n_post, "synapse": len(wiring.pre)}
        self._updates = {owner: rule.updates(owner, dt) for owner in self._sizes}
        self._numbers = {**rule.parameters, "dt": dt, "low": bounds[0], "high": bounds[1]}
        constants = {k: v for of in self._updates.values() for k, v in of.constants.items()}
        grid = {INVERSE: rounding.inverse, UNIT: rounding.unit}
        numbers = {**self._numbers, **constants, **grid}
        several = len(wiring.delays) > 1
        self._printer = printer = SynapsePrinter(rule, self._updates, tuple(numbers), several)
        packed = zeros_on_lines((len(wiring.pre), printer.width), np.float64)
        self._held = {x: packed[:, k] for x, k in printer.kept.items()}
        own = {x: np.zeros(self._sizes[owner_of(x)]) for x in rule.variables if x not in self._held}
        self._held |= own
        self.variables = {x: self._held[x] for x in rule.variables}
        self.reset()
        self.weights = self._held[WEIGHT]
        self.weights[:] = weights
        self._fixed: dict[str, Array] = {
            "number": np.array([float(x) for x in numbers.values()]),
            "synapse": packed,
            **{f"x_{x}": values for x, values in own.items()},
            **self._lists(),
        }
        self._places = {name: array.ctypes.data for name, array in self._fixed.items()}
        self._compiles = toolchain.problem() is None

    def _lists(self) -> dict[str, Array]:
        """Return the ends of synapses as C++ reads them, and keep those of each neuron."""
        pre, post = self._wiring.pre, self._wiring.post
        # Synapses are in the order of their presynaptic neurons.
        self._by_post = by_post = np.argsort(post, kind="stable")
        ends = {"pre": pre, "post": post[by_post]}
        self._start = {
            side: np.searchsorted(of, np.arange(self._sizes[side] + 1)) for side, of in ends.items()
        }
        ends = {"pre_of": pre, "post_of": post, "by_post": by_post, "pre_by_post": pre[by_post]}
        return {
            **{name: of.astype(np.int32) for name, of in ends.items()},
            **{f"{side}_start": start for side, start in self._start.items()},
            "delay": self._wiring.delay,
            "delays": self._wiring.delays,
        }

    @property
    def delays(self) -> IntArray:
        """Return the different delays of spikes, in steps."""
        return self._wiring.delays

    def reset(self) -> None:
        """Begin again, with the weights of now."""
        for x, values in self.variables.items():
            values[:] = self.rule.initial.get(x, 0.0)

    def window(
        self,
        arrived: Mapping[int, BoolArray],
        spikes: BoolArray,
        signals: Mapping[str, FloatArray],
    ) -> None:
        """Make the steps of a window.

        arrived: by delay, presynaptic neurons whose spikes arrive, ``(W, n_pre)``. spikes: of the
        postsynaptic neurons, ``(W, n_post)``. signals: by name, of each of these, ``(W, n_post)``
        or ``(1, n_post)`` for the whole window.
        """
        if self._compiles:
            self._compiled(arrived, spikes, signals)
            return
        for t in range(len(spikes)):
            now = {x: s[min(t, len(s) - 1)] for x, s in signals.items()}
            self.step({d: rows[t] for d, rows in arrived.items()}, spikes[t], now)

    def _compiled(
        self, arrived: Mapping[int, BoolArray], spikes: BoolArray, signals: Mapping[str, FloatArray]
    ) -> None:
        rows = np.ascontiguousarray(np.stack([*arrived.values()]), dtype=np.bool_)
        told = {f"told_{x}": np.ascontiguousarray(s) for x, s in signals.items()}
        told |= {f"step_{x}": np.array([int(len(s) > 1)]) for x, s in signals.items()}
        rasters = {"arrived": rows, "spikes": np.ascontiguousarray(spikes)}
        shape = (len(spikes), *self._sizes.values(), len(rows))
        self._call("neurorl_synapses", shape, told | rasters)

    def _call(self, function: str, shape: Sequence[int], arrays: Mapping[str, Array]) -> None:
        """Call compiled code with these arrays and those that stay where they are."""
        own = arrays if self.in_force is None else {**arrays, "in_force": self.in_force}
        places = {x: array.ctypes.data for x, array in own.items()}
        self._printer.run(function, shape, self._places | places)

    def step(
        self,
        arrived: Mapping[int, BoolArray],
        spikes: BoolArray,
        signals: Mapping[str, FloatArray],
    ) -> None:
        """Make a step in NumPy.

        arrived: by delay, presynaptic neurons whose spikes arrive, ``(n_pre,)``. spikes: of the
        postsynaptic neurons. signals: of each postsynaptic neuron, by name.
        """
        for owner in ("pre", "post", "synapse"):
            self._advance(owner, signals)
        for delay, coming in arrived.items():
            neurons = np.flatnonzero(coming)
            synapses = self._synapses("pre", neurons)
            if len(arrived) > 1:
                synapses = synapses[self._wiring.delay[synapses] == delay]
            self._run(self.rule.events["on_pre"], synapses, neurons, signals)
        neurons = np.flatnonzero(spikes)
        self._run(self.rule.events["on_post"], self._synapses("post", neurons), neurons, signals)

    def reward(self, modulators: Mapping[str, FloatArray]) -> None:
        """Run the lines of a reinforcement; modulators: of each replica, by name."""
        if self._compiles:
            n = len(next(iter(modulators.values()), np.zeros(1)))
            told = {f"told_{x}": np.asarray(m, np.float64) for x, m in modulators.items()}
            self._call("neurorl_reward", (n, len(self.weights) // n), told)
            return
        self.run_reward(modulators)

    def run_reward(self, modulators: Mapping[str, FloatArray]) -> None:
        """Do the same in NumPy."""
        everything = np.arange(len(self.weights))
        each = {x: np.repeat(m, len(self.weights) // len(m)) for x, m in modulators.items()}
        for line in self.rule.events["on_reward"]:
            names = self._names(line, "synapse", everything, {}) | each
            self._set(line, everything, line.value.evaluate(names))

    def _advance(self, owner: str, signals: Mapping[str, FloatArray]) -> None:
        """Let equations of one owner make a step."""
        everything = np.arange(self._sizes[owner])
        made: dict[str, FloatArray] = {**self._updates[owner].constants}
        for line in self._updates[owner].statements:
            names = self._names(line, owner, everything, signals) | made
            if line.variable in self._held:
                self._set(line, everything, line.value.evaluate(names))
            else:
                made[line.variable] = line.value.evaluate(names)

    def _run(
        self,
        lines: Sequence[Statement],
        synapses: IntArray,
        neurons: IntArray,
        signals: Mapping[str, FloatArray],
    ) -> None:
        """Run the lines of an event for the neurons that spiked, and for their synapses."""
        for line in lines if len(neurons) else ():
            owner = owner_of(line.variable)
            at = synapses if owner == "synapse" else neurons
            self._set(line, at, line.value.evaluate(self._names(line, owner, at, signals)))

    def _names(
        self, line: Statement, owner: str, at: IntArray, signals: Mapping[str, FloatArray]
    ) -> dict[str, FloatArray]:
        """Return the values that a line reads, of some entries of its owner."""
        ends, names = {owner: at}, {**self._numbers}
        if owner == "synapse":
            ends |= {"pre": self._wiring.pre[at], "post": self._wiring.post[at]}
        for x in line.value.names:
            if x in self._held:
                names[x] = self._held[x][ends[owner_of(x)]]
            elif x in signals:
                names[x] = signals[x][ends["post"]]
        return names

    def _set(self, line: Statement, at: IntArray, value: FloatArray) -> None:
        if line.variable == WEIGHT:
            value = clip(value, *map(np.asarray, self._bounds))
        self._held[line.variable][at] = value

    def _synapses(self, side: str, neurons: IntArray) -> IntArray:
        """Return the numbers of the synapses of some neurons of one side."""
        start = self._start[side]
        first, counts = start[neurons], start[neurons + 1] - start[neurons]
        before = np.cumsum(counts) - counts
        places = np.repeat(first - before, counts) + np.arange(counts.sum())
        return np.asarray(self._by_post[places]) if side == "post" else places


def check_arrivals(rule: SynapseRule, n_delays: int) -> None:
    """Refuse presynaptic variables where a spike arrives several times."""
    sets = [x.variable for x in rule.events["on_pre"] if owner_of(x.variable) == "pre"]
    if sets and n_delays > 1:
        what = f"{sets[0]!r} of neurons is set by spikes that arrive at several times"
        remedy = "a variable of each synapse, or one delay"
        raise UnsupportedError(f"rule {rule.name!r}, on_pre", what, remedy=remedy)
