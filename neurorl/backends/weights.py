"""Hold the weights of a backend, drawn, rounded and masked, and what analog sources add by some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.fitting import warn_of_lost_weights
from neurorl.arithmetic.quantiser import MANTISSA_MAX
from neurorl.arithmetic.rounding import Arithmetic
from neurorl.arithmetic.values import parts_of
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator
from neurorl.errors import check_name
from neurorl.network.description import CURRENT_GRID, Network, Projection
from neurorl.network.initial_weights import initial_weights
from neurorl.numerics.arrays import Array, FloatArray


class EffectiveWeights:
    """Hold the effective weights of all replicas, and write them to a simulator.

    simulated: the network; its `weights` are filled in here.
    simulator: not built yet.
    first: weights by projection in place of the initial ones, in the caller's shapes.

    If a simulator has a `Simulator.memory`, that holds the weights in force, and
    ``simulated.weights`` may be outdated.
    """

    def __init__(
        self, simulated: SimulatedNetwork, simulator: Simulator, first: Mapping[str, npt.ArrayLike]
    ) -> None:
        self._simulated, self._simulator = simulated, simulator
        network, self._arithmetic = simulated.network, simulated.arithmetic
        for name in first:
            network.projection(name)
        whole = simulated.whole
        shapes = {p.name: network.weight_shape(p.name) for p in network.projections}
        self._shapes = {name: (*simulated.axes, *shape) for name, shape in shapes.items()}
        self._whole_shapes = {name: whole.weight_shape(name) for name in shapes}
        self._signed_into = {p.name: p.post for p in network.projections if p.signed}
        self._initial: dict[str, FloatArray] = {}  # on a chip
        left = not self._arithmetic.is_chip
        for p in network.projections:
            if p.name in first:
                weights = self._arithmetic.check(p.name, first[p.name], simulated.axes)
            else:
                drawn = [initial_weights(network, p.name, k) for k in simulated.seeds]
                stacked = np.stack(drawn) if len(drawn) > 1 else drawn[0][None]
                weights = self._arithmetic.check(p.name, stacked, stacked.shape[:1])
                del drawn, stacked
            left |= self._warn_of_lost(p, weights)
            self._round(p.name, weights)
        if not left:  # a chip's levels leave nothing of the network
            for p in network.projections:
                levels = MANTISSA_MAX / 2 if p.plasticity is not None else None
                unit, kept = self._arithmetic.rounding(p.name).unit, self._initial[p.name]
                warn_of_lost_weights(p.name, kept, unit, levels=levels, every=True)
        self._initial.clear()
        self.currents = Currents(simulated.whole, self._arithmetic, simulated.n_replicas)
        for name in self.currents.weights:
            self.currents.write(name, simulated.weights[name])

    def _warn_of_lost(self, projection: Projection, weights: FloatArray) -> bool:
        """Warn of initial weights of note that become 0; return whether any is left on a chip.

        A chip has few levels, and a bias that has hardly learned may well be below them: there, a
        word is worth its place only if nothing of the whole network is left.
        """
        name, unit = projection.name, self._arithmetic.rounding(projection.name).unit
        kept = self._arithmetic.masked(name, weights)
        if self._arithmetic.is_chip:
            self._initial[name] = kept
            return bool(np.abs(kept).max(initial=0.0) > unit / 2)
        warn_of_lost_weights(name, kept, unit, levels=None)
        return True

    def check(self, projection: str) -> None:
        """Raise UnknownNameError if there is no such projection."""
        check_name("projection", projection, self._simulated.weights)

    def write(self, projection: str, weights: npt.ArrayLike) -> FloatArray:
        """Round and apply *weights*; return them in a caller's shape."""
        self._round(projection, self._arithmetic.check(projection, weights, self._simulated.axes))
        rounded = self._simulated.weights[projection]
        if projection in self.currents.weights:
            self.currents.write(projection, rounded)
        else:
            self._simulator.write_weights(projection)
            post = self._signed_into.get(projection)
            if post is not None:
                self._simulator.write_bias(post, self._simulated.bias(post))
        return self._shown(projection, rounded)

    def write_one(self, projection: str, weights: FloatArray, replica: int) -> None:
        """Apply one replica's weights, ``shape``; those of others stay."""
        if np.array_equal(self.one(projection, replica), weights):
            return  # so that many may be looked at one after the other
        shown = self.copy(projection)
        if self._simulated.axes:
            shown[replica] = weights
        self.write(projection, shown if self._simulated.axes else weights)

    def memory(self, projection: str) -> Array | None:
        """Return the memory of transmitted weights, of spikes or of currents; None without one."""
        if projection in self.currents.weights:
            return self.currents.weights[projection].reshape(-1)
        return self._simulator.memory(projection)

    def copy(self, projection: str) -> FloatArray:
        """Return a copy of the effective weights in a caller's shape."""
        return self._shown(projection, self._in_force(projection).copy())

    def one(self, projection: str, replica: int) -> FloatArray:
        """Return the effective weights of a replica, ``shape``; read only."""
        shape = self._simulated.network.weight_shape(projection)
        n = prod(shape)
        part = self._in_force(projection, slice(replica * n, (replica + 1) * n))
        return part.reshape(shape)

    def _in_force(self, projection: str, part: slice = slice(None)) -> FloatArray:
        """Return a part of the effective weights of all replicas, flat."""
        if projection in self.currents.weights:
            held: Array | None = self.currents.weights[projection].reshape(-1)[part]
        else:
            held = self._simulator.held_part(projection, part)
        if held is None:
            return self._simulated.weights[projection].reshape(-1)[part]
        return self._arithmetic.rounding(projection).in_force(held)

    def _round(self, projection: str, weights: FloatArray) -> None:
        """Round weights of one or all replicas."""
        kept = self._arithmetic.masked(projection, weights)
        rounded = self._arithmetic.round(projection, kept)
        self._simulated.weights[projection] = rounded.reshape(self._whole_shapes[projection])

    def _shown(self, projection: str, weights: FloatArray) -> FloatArray:
        """Return weights in the shape that a caller sees."""
        return weights.reshape(self._shapes[projection])


class Currents:
    """Hold the projections from analog sources of *network*, all replicas as one.

    weights: by projection, what flows from a unit of activation 1, or a value of 1. Exact in
        float64 in both arithmetics, and always the same arrays, as others may write to them.
    entered: by population into which currents flow, the projections of these.
    """

    def __init__(self, network: Network, arithmetic: Arithmetic, n_replicas: int = 1) -> None:
        self._arithmetic, self._n_replicas = arithmetic, n_replicas
        self._size = {p.name: p.size for p in network.populations}
        projections = [p for p in network.projections if p.pre in network.analog]
        self.weights = {p.name: np.zeros(network.weight_shape(p.name)) for p in projections}
        flows = [p for p in projections if p.pre in network.currents]
        self.entered = {
            post: [(p.name, p.pre, p.blocks) for p in flows if p.post == post]
            for post in sorted({p.post for p in flows}, key=network.index)
        }
        self._driven = [
            (f"{p.post}.{network.target(p)}", self._size[p.post], (p.name, p.pre, p.blocks))
            for p in projections
            if p.pre not in network.currents
        ]
        self._lists = {
            p.name: s for p in projections if (s := network.synapses(p.name)) is not None
        }

    def write(self, name: str, rounded: FloatArray) -> None:
        """Set a projection's weights, rounded in the description's units."""
        self.weights[name][...] = self._arithmetic.transmitted(name, rounded)

    def into(self, inputs: Inputs) -> Iterator[tuple[str, FloatArray]]:
        """Yield each population and its ``c_j = sum_i x_i w_ij``, ``(size,)``.

        The sums are exact, whatever their order.
        """
        for post, projections in self.entered.items():
            total = np.zeros(self._size[post])
            for name, pre, blocks in projections:
                x = np.rint(inputs[pre] * (1.0 / CURRENT_GRID)) * CURRENT_GRID
                total += self._sums(name, blocks, x[None])[0]
            yield post, total

    def drives(self, n_steps: int) -> dict[str, FloatArray]:
        """Return the arrays of `drive` for a window, in which it then writes."""
        return {key: np.zeros((n_steps, size)) for key, size, _ in self._driven}

    def drive(self, inputs: Inputs) -> None:
        """Write what values add to each input in each step, ``POPULATION.INPUT``, into *inputs*."""
        totals: dict[str, FloatArray] = {}
        for key, size, (name, pre, blocks) in self._driven:
            x = inputs[pre]
            rows = parts_of(x.reshape(len(x), self._n_replicas, -1)).reshape(-1, x.shape[1])
            smallest, *others = self._sums(name, blocks, rows).reshape(-1, len(x), size)
            totals[key] = totals.get(key, 0.0) + sum(others, smallest)
        for key, total in totals.items():
            inputs.setdefault(key, total)[:] = total

    def _sums(self, name: str, blocks: int, rows: FloatArray) -> FloatArray:
        """Return ``sum_i x_i w_ij`` for each row of x, ``(rows, n_post)``."""
        w = self.weights[name]
        if name in self._lists:
            synapses = self._lists[name]
            return np.array([synapses.sums(x[synapses.pre] * w) for x in rows])
        if blocks == 1:
            return np.asarray(rows @ w)
        return np.asarray((rows.reshape(len(rows), blocks, 1, -1) @ w).reshape(len(rows), -1))
