"""Run a `neurorl.rules.SynapseRule` on a projection's synapses, in NumPy or printed as C++."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.errors import UnsupportedError
from neurorl.expressions.expression import Statement
from neurorl.expressions.functions import clip
from neurorl.learning.synapse_printer import SynapsePrinter, run_reward, run_window
from neurorl.native import toolchain
from neurorl.network.description import Network, Projection
from neurorl.numerics.arrays import FloatArray
from neurorl.rules.synapse_rule import WEIGHT, SynapseRule, owner_of

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Wiring:
    """Hold the ends of a projection's synapses, of all replicas side by side.

    pre, post: neuron of each synapse, ``(N * n_synapses,)``; neuron i of replica k is
    ``k * size + i``. delay: of each synapse in steps. n_pre, n_post: of all replicas.
    """

    pre: Ints
    post: Ints
    delay: Ints
    n_pre: int
    n_post: int

    @classmethod
    def of(cls, network: Network, p: Projection, n_replicas: int) -> Wiring:
        """Return the ends of a projection's synapses, in the order of its weights."""
        sizes = network.node(p.pre).size, network.node(p.post).size
        pre, post = _ends(network, p, sizes)
        delays = network.synapse_delays(p.name)
        steps = np.full(len(pre), network.delay_steps(p.name)) if delays is None else delays
        copies = np.arange(n_replicas)[:, None]
        return cls(
            (pre + sizes[0] * copies).ravel(),
            (post + sizes[1] * copies).ravel(),
            np.tile(np.asarray(steps, dtype=np.int64), n_replicas),
            sizes[0] * n_replicas,
            sizes[1] * n_replicas,
        )

    @property
    def delays(self) -> Ints:
        """Return the different delays, the shortest first."""
        return np.unique(self.delay)


def _ends(network: Network, p: Projection, sizes: tuple[int, int]) -> tuple[Ints, Ints]:
    synapses = network.synapses(p.name)
    if synapses is not None:
        return synapses.pre.astype(np.int64), synapses.post.astype(np.int64)
    blocks = p.blocks
    n_pre, n_post = sizes[0] // blocks, sizes[1] // blocks
    block, pre, post = np.indices((blocks, n_pre, n_post)).reshape(3, -1)
    return block * n_pre + pre, block * n_post + post


class SynapseEvents:
    """Hold the variables of a projection's synapses and neurons, and run a rule on them.

    rule: what happens. wiring: of all replicas. weights: that learn, ``(N * n_synapses,)``, which
    are written to. bounds: the least and the largest weight. dt: seconds.

    variables: by name, ``(N * n,)``.
    """

    def __init__(
        self,
        rule: SynapseRule,
        wiring: Wiring,
        weights: FloatArray,
        bounds: tuple[float, float],
        dt: float,
    ) -> None:
        self.rule, self._wiring, self._bounds = rule, wiring, bounds
        self._sizes = {"pre": wiring.n_pre, "post": wiring.n_post, "synapse": len(wiring.pre)}
        self.variables: dict[str, FloatArray] = {
            x: np.full(self._sizes[owner_of(x)], float(rule.initial.get(x, 0.0)))
            for x in rule.variables
        }
        self.weights = weights
        self._numbers = {**rule.parameters, "dt": dt, "low": bounds[0], "high": bounds[1]}
        self._updates = {owner: rule.updates(owner, dt) for owner in self._sizes}
        # Synapses are in the order of their presynaptic neurons.
        by_post = np.argsort(wiring.post, kind="stable")
        ends = {"pre": wiring.pre, "post": wiring.post[by_post]}
        self._by_post = by_post
        self._start = {
            side: np.searchsorted(of, np.arange(self._sizes[side] + 1)) for side, of in ends.items()
        }
        self._check()
        constants = {k: v for of in self._updates.values() for k, v in of.constants.items()}
        numbers = {**self._numbers, **constants}
        several = len(wiring.delays) > 1
        self._printer = SynapsePrinter(rule, self._updates, tuple(numbers), several)
        self._fixed = {
            "number": np.array([float(x) for x in numbers.values()]),
            "pre_of": wiring.pre.astype(np.int32),
            "post_of": wiring.post.astype(np.int32),
            "by_post": by_post.astype(np.int32),
            "delay": wiring.delay,
            "delays": wiring.delays,
            **{f"{side}_start": start for side, start in self._start.items()},
        }

    @property
    def delays(self) -> Ints:
        """Return the different delays of spikes, in steps."""
        return self._wiring.delays

    def reset(self) -> None:
        """Begin again, with the weights of now."""
        for x, values in self.variables.items():
            values[:] = self.rule.initial.get(x, 0.0)

    def window(
        self,
        arrived: Mapping[int, Bools],
        spikes: Bools,
        signals: Mapping[str, FloatArray],
    ) -> None:
        """Make the steps of a window.

        arrived: by delay, presynaptic neurons whose spikes arrive, ``(W, n_pre)``. spikes: of the
        postsynaptic neurons, ``(W, n_post)``. signals: by name, of each of these, ``(W, n_post)``
        or ``(1, n_post)`` for the whole window.
        """
        if toolchain.problem() is None:
            self._compiled(arrived, spikes, signals)
            return
        for t in range(len(spikes)):
            now = {x: s[min(t, len(s) - 1)] for x, s in signals.items()}
            self.step({d: rows[t] for d, rows in arrived.items()}, spikes[t], now)

    def _compiled(
        self, arrived: Mapping[int, Bools], spikes: Bools, signals: Mapping[str, FloatArray]
    ) -> None:
        rows = np.ascontiguousarray(np.stack([*arrived.values()]), dtype=np.bool_)
        told = {f"told_{x}": np.ascontiguousarray(s) for x, s in signals.items()}
        told |= {f"step_{x}": np.array([int(len(s) > 1)]) for x, s in signals.items()}
        arrays = {**self._fixed, **told, WEIGHT: self.weights, "arrived": rows}
        arrays |= {f"x_{x}": values for x, values in self.variables.items()}
        arrays["spikes"] = np.ascontiguousarray(spikes)
        sizes = self._sizes
        shape = (len(spikes), sizes["pre"], sizes["post"], sizes["synapse"], len(rows))
        run_window(self._printer, shape, arrays)

    def step(
        self,
        arrived: Mapping[int, Bools],
        spikes: Bools,
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
        if toolchain.problem() is None:
            n = len(next(iter(modulators.values()), np.zeros(1)))
            arrays = {**self._fixed, WEIGHT: self.weights}
            arrays |= {f"x_{x}": values for x, values in self.variables.items()}
            arrays |= {f"told_{x}": np.asarray(m, np.float64) for x, m in modulators.items()}
            run_reward(self._printer, (n, len(self.weights) // n), arrays)
            return
        self.run_reward(modulators)

    def run_reward(self, modulators: Mapping[str, FloatArray]) -> None:
        """Do the same in NumPy."""
        everything = np.arange(len(self.weights))
        each = {x: np.repeat(m, len(self.weights) // len(m)) for x, m in modulators.items()}
        for line in self.rule.events["on_reward"]:
            names = self._of_synapses(line, everything, {}) | each
            self._set(line, everything, line.value.evaluate(names))

    def _advance(self, owner: str, signals: Mapping[str, FloatArray]) -> None:
        """Let equations of one owner make a step."""
        updates = self._updates[owner]
        if not updates.statements:
            return
        made: dict[str, FloatArray] = {**updates.constants}
        everything = np.arange(self._sizes[owner])
        for line in updates.statements:
            names: dict[str, FloatArray] = {**self._numbers}
            if owner == "synapse":
                names |= self._of_synapses(line, everything, signals)
            else:
                names |= {x: self.variables[x] for x in self.rule.of(owner)}
                names |= signals if owner == "post" else {}
            value = np.broadcast_to(line.value.evaluate(names | made), everything.shape)
            if line.variable in self.variables or line.variable == WEIGHT:
                self._set(line, everything, value)
            else:
                made[line.variable] = value

    def _run(
        self,
        lines: Sequence[Statement],
        synapses: Ints,
        neurons: Ints,
        signals: Mapping[str, FloatArray],
    ) -> None:
        """Run the lines of an event for the neurons that spiked, and for their synapses."""
        for line in lines if len(neurons) else ():
            owner = owner_of(line.variable)
            if owner == "synapse":
                names = self._of_synapses(line, synapses, signals)
                self._set(line, synapses, line.value.evaluate(names))
            else:
                own = {x: self.variables[x][neurons] for x in self.rule.of(owner)}
                self._set(line, neurons, line.value.evaluate({**self._numbers, **own}))

    def _of_synapses(
        self, line: Statement, synapses: Ints, signals: Mapping[str, FloatArray]
    ) -> dict[str, FloatArray]:
        """Return the values that a line reads, of some synapses."""
        ends = {"pre": self._wiring.pre, "post": self._wiring.post}
        names: dict[str, FloatArray] = {**self._numbers}
        for x in line.value.names:
            if x == WEIGHT:
                names[x] = self.weights[synapses]
            elif x in self.variables:
                owner = owner_of(x)
                at = synapses if owner == "synapse" else ends[owner][synapses]
                names[x] = self.variables[x][at]
            elif x in signals:
                names[x] = signals[x][ends["post"][synapses]]
        return names

    def _set(self, line: Statement, at: Ints, value: FloatArray) -> None:
        if line.variable == WEIGHT:
            low, high = map(np.asarray, self._bounds)
            self.weights[at] = clip(value, low, high)
        else:
            self.variables[line.variable][at] = value

    def _synapses(self, side: str, neurons: Ints) -> Ints:
        """Return the numbers of the synapses of some neurons of one side."""
        start = self._start[side]
        first, counts = start[neurons], start[neurons + 1] - start[neurons]
        before = np.cumsum(counts) - counts
        places = np.repeat(first - before, counts) + np.arange(counts.sum())
        return np.asarray(self._by_post[places]) if side == "post" else places

    def _check(self) -> None:
        """Refuse presynaptic variables where a spike arrives several times."""
        sets = [x.variable for x in self.rule.events["on_pre"] if owner_of(x.variable) == "pre"]
        if sets and len(self._wiring.delays) > 1:
            what = f"{sets[0]!r} of neurons is set by spikes that arrive at several times"
            remedy = "a variable of each synapse, or one delay"
            raise UnsupportedError(f"rule {self.rule.name!r}, on_pre", what, remedy=remedy)
