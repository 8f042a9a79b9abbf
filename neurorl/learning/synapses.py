"""Hold what the plastic synapses of a network remember, and bring it from window to window.

For a window of W steps, with presynaptic traces x, arriving spikes a and post factors f::

    e <- d**W e + sum_t d**(W-1-t) (x(t) f(t)^T - g A a(t) y(t)^T)     d = exp(-dt/eligibility_tau)

where the second term is that of rules that pair spikes: y is the neuron's own trace, g = 1 or what
the rule gates depression with. All is as in `neurorl.learning.learner`, but every step counts, and
traces and spikes in flight go on from window to window.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.learning.plan import Plastic, plastic_into
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
    """Hold what is left of an eligibility and of a neuron's trace after a step, and A."""

    kept: float
    post_decay: float
    depression: float

    @classmethod
    def of(
        cls, dt: float, eligibility_tau: float | None, post_tau: float, depression: float
    ) -> Constants:
        """Return those of time constants in seconds; None is an eligibility that stays."""
        kept = 1.0 if eligibility_tau is None else decay(dt, eligibility_tau)
        return cls(kept, decay(dt, post_tau), depression)

    def powers(self, n_steps: int) -> FloatArray:
        """Return what is left at a window's end of what each step added, ``(n_steps,)``."""
        return np.array([self.kept ** (n_steps - 1 - t) for t in range(n_steps)])


@dataclass(frozen=True)
class Target:
    """Hold a population that learns: its size, the text of its post factor, what enters it."""

    name: str
    size: int
    text: PostFactor
    into: tuple[Plastic, ...]

    @classmethod
    def all_of(cls, backend: Backend, rule: Rule) -> tuple[Target, ...]:
        """Return all populations that plastic projections enter, in the network's order."""
        network, (output, hidden) = backend.network, rule.texts
        every = (
            cls(p.name, p.size, output if p.name == "output" else hidden, tuple(into))
            for p in network.populations
            if (into := plastic_into(network, p.name))
        )
        return tuple(every)


@dataclass
class Synapses:
    """Hold the arrays of one replica.

    By projection: ``weights`` that learn, ``eligibility`` of their shape, ``trace`` ``(n_pre,)``.
    By population: ``post_trace`` ``(n,)``. By node: ``last`` ``(delay, n)``, its last spikes, the
    newest at the end, as many as a projection still has to deliver.
    """

    weights: dict[str, FloatArray]
    eligibility: dict[str, FloatArray]
    trace: dict[str, FloatArray]
    post_trace: dict[str, FloatArray]
    last: dict[str, Raster]

    @classmethod
    def of(cls, backend: Backend, targets: tuple[Target, ...], replica: int) -> Synapses:
        """Return those of a replica that remembers nothing, with the weights in force."""
        plastic = [p for target in targets for p in target.into]
        sizes = {p.pre: backend.network.node(p.pre).size for p in plastic}
        delays = {pre: max(p.delay for p in plastic if p.pre == pre) for pre in sizes}
        weights = {}
        for p in plastic:
            in_force = backend.weights(p.name)
            shape = backend.network.weight_shape(p.name)
            weights[p.name] = in_force.reshape(backend.n_replicas, *shape)[replica].copy()
        return cls(
            weights=weights,
            eligibility={name: np.zeros(w.shape) for name, w in weights.items()},
            trace={p.name: np.zeros(sizes[p.pre]) for p in plastic},
            post_trace={target.name: np.zeros(target.size) for target in targets},
            last={pre: np.zeros((delays[pre], n), dtype=bool) for pre, n in sizes.items()},
        )

    def forget(self) -> None:
        """Forget all but the weights."""
        for arrays in (self.eligibility, self.trace, self.post_trace, self.last):
            for array in arrays.values():
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

    def remember(
        self,
        target: Target,
        spikes: Mapping[str, npt.NDArray[Any]],
        post: tuple[FloatArray, FloatArray | None],
        constants: Constants,
        pairs: bool,
    ) -> None:
        """Let eligibilities into a population take a window in.

        spikes: by node. post: factors and gate, see `post_factors`. pairs: with depression.
        """
        raster, (factors, gate) = spikes[target.name], post
        powers = constants.powers(len(raster))
        depressing = None
        if pairs:
            y = window_traces(
                raster.astype(np.float64), constants.post_decay, self.post_trace[target.name]
            )
            self.post_trace[target.name][:] = y[-1]
            depressing = on_grid((constants.depression * powers)[:, None] * y)
            depressing = depressing if gate is None else on_grid(gate * depressing)
        for p in target.into:
            a = p.transmitted(self._arrived(p, spikes[p.pre], len(raster)))
            x = window_traces(a, p.trace_decay, self.trace[p.name])
            self.trace[p.name][:] = x[-1]
            e = self.eligibility[p.name]
            tag = outer_sum(on_grid(powers[:, None] * x), factors, e.shape)
            if depressing is not None:
                tag -= outer_sum(a, depressing, e.shape)
            e *= constants.kept ** len(raster)
            e += tag

    def deliver(self, spikes: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep the last spikes of a window, once all eligibilities have taken it in."""
        for pre, last in self.last.items():
            if spikes[pre].ndim == 2:
                last[...] = np.concatenate([last, spikes[pre]])[len(spikes[pre]) :]

    def _arrived(self, p: Plastic, spikes: npt.NDArray[Any], n_steps: int) -> FloatArray:
        if p.current:
            return np.tile(spikes, (n_steps, 1))
        last = self.last[p.pre]
        return arrivals(spikes, p.delay, last if len(last) else None)

    def _all(self) -> Iterator[tuple[str, npt.NDArray[Any]]]:
        for kind, arrays in vars(self).items():
            yield from ((f"{kind}.{name}", array) for name, array in arrays.items())


def post_factors(
    target: Target, rule: Rule, raster: Raster, phi: FloatArray
) -> tuple[FloatArray, FloatArray | None]:
    """Return the post factors ``(W, n)``, and what gates depression ``(n,)``, None for 1.

    Factors that aren't finite are left for the caller to find; gates are those of neurons without
    a spike, and 0.
    """
    decision = Decision(action=0, phi=phi, output=raster, output_from=0)
    factors = target.text.factors(decision, None)
    if not rule.gates_depression:
        return factors, None
    gate = on_grid(target.text.gain(decision, None))
    gate[~np.isfinite(gate)] = 0.0
    return factors, gate
