"""Read and write the weights that learn in a loop of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend
from neurorl.backends.checks import check_replica
from neurorl.errors import ArgumentError, DivergenceError, check_name, quoted
from neurorl.learning.in_c import is_in_c, reinforce
from neurorl.learning.levels import eligibility_type, levels_of
from neurorl.learning.plan import Layer, Plastic
from neurorl.learning.synapses import SynapseMemory, empty
from neurorl.network.serialization import number
from neurorl.numerics.arrays import FloatArray
from neurorl.rules.three_factor import apply_modulator


class SynapticWeights:
    """Hold the weights that learn on a backend, and let nobody else have others in force.

    backend: whose owner this is. layers: with the projections that learn.
    """

    def __init__(self, backend: Backend, layers: Sequence[Layer]) -> None:
        self.backend, self._layers, self._n = backend, layers, backend.n_replicas
        plastic = [p for layer in layers for p in layer.into]
        self._plastic = {p.name: p for p in plastic}
        self._synapses = self._begun(plastic)
        self._levels = levels_of(backend.arithmetic, plastic)
        self._take_levels()
        with backend.owner_acts():
            self._lent = self._borrow(plastic)

    def weights(self, name: str) -> FloatArray:
        """Return a copy of a projection's learned weights, shaped as `Backend.weights`.

        In coarse arithmetic those in force are rounded copies of them.
        """
        return self._shown(name, self._synapses.weights)

    def set_weights(
        self, name: str, weights: npt.ArrayLike, replica: int | None = None
    ) -> FloatArray:
        """Go on from these weights, each clipped to low..high; return those in force.

        Eligibilities, traces and spikes in flight stay. `Backend.set_weights` does the same.

        weights: shaped as `weights` returns them. replica: the one whose they are, in the shape
        that it would have alone; None for all.
        Raises ArgumentError for a wrong shape or a number that isn't finite.
        """
        self._check_open("set_weights")
        new, arithmetic = self._of(name, self._synapses.weights).copy(), self.backend.arithmetic
        which = slice(None) if replica is None else check_replica(replica, self._n)
        axes = self.backend.simulated.axes if replica is None else ()
        new[which] = arithmetic.check(name, weights, axes).reshape(new[which].shape)
        p = self._plastic[name]
        levels = self._levels.get(name)
        within = np.clip(new, p.low, p.high) if levels is None else levels.nearest(new)
        self._write(name, arithmetic.masked(name, within))
        return self.backend.weights(name)

    def learns(self, name: str) -> bool:
        """Return whether a projection learns here."""
        return name in self._plastic

    def eligibility(self, name: str) -> FloatArray:
        """Return a copy of a projection's eligibilities, shaped as its weights."""
        return self._shown(name, self._synapses.eligibility)

    def scale(self, name: str, factor: npt.ArrayLike, replica: int | None = None) -> FloatArray:
        """Multiply weights by a factor, and do with them as `set_weights`.

        factor: a number, or an array that NumPy spreads over the weights, such as one for each
        neuron that they enter, ``(n_post,)``.
        """
        self._check_open("scale")
        shown = self._chosen(name, replica)
        factors = np.asarray(factor)
        if factors.dtype.kind not in "fiu" or not np.isfinite(factors).all():
            raise ArgumentError("scale, factor", "not finite numbers", got=quoted(factor))
        try:
            new = np.broadcast_to(factors, shown.shape) * shown
        except ValueError:
            limit = f"a number, or what fits {shown.shape}"
            got = factors.shape
            raise ArgumentError("scale, factor", "wrong shape", got=got, limit=limit) from None
        return self.set_weights(name, new, replica)

    def normalise(self, name: str, total: float, replica: int | None = None) -> FloatArray:
        """Scale the weights into each neuron, so that their sizes add up to *total*.

        Neurons whose weights are all 0 stay as they are. Weights are then clipped, as by
        `set_weights`, so that sums differ where bounds or levels get in the way.
        """
        self._check_open("normalise")
        shown, total = self._chosen(name, replica), number("normalise, total", total, low=0.0)
        sizes, synapses = np.abs(shown), self.backend.network.synapses(name)
        if synapses is None:
            sums = sizes.sum(axis=-2, keepdims=True)
        else:
            rows = sizes.reshape(-1, len(synapses))
            post, n = synapses.post, synapses.n_post
            sums = np.stack([np.bincount(post, row, n)[post] for row in rows]).reshape(shown.shape)
        factors = np.divide(total, sums, out=np.ones_like(sums), where=sums > 0.0)
        return self.set_weights(name, shown * factors, replica)

    def _change(self, changes: Mapping[str, tuple[float, FloatArray]]) -> None:
        """Let ``w <- clip(w + eta M e)``. changes: by projection eta, and M of each replica.

        Raises DivergenceError for steps that aren't finite; all weights stay then.
        """
        for name in changes if self._levels else ():
            eta, third = changes[name]
            _check_steps(name, self._levels[name].factor(eta * third))
        learned: dict[str, FloatArray] = {}
        for name, (eta, third) in changes.items():
            w, e, p = (
                self._synapses.weights[name],
                self._synapses.eligibility[name],
                self._plastic[name],
            )
            if name in self._lent:
                for k, step in enumerate(eta * third):
                    reinforce(w[k], e[k], self._levels[name], float(step))
                if self._lent[name] is not None:
                    np.copyto(w, 0.0, where=self._lent[name])
                continue
            third = third.reshape(-1, *[1] * (w.ndim - 1))
            if self._levels:
                new = self._levels[name].changed(w, e, eta * third)
            else:
                new = apply_modulator(w, e, third, eta, p.low, p.high)
                _check_steps(name, new)
            learned[name] = self.backend.arithmetic.masked(name, new)
        for name, rows in learned.items():
            self._write(name, rows)

    def _chosen(self, name: str, replica: int | None) -> FloatArray:
        """Return the weights of all, or of a replica in the shape that it has alone."""
        if replica is None:
            return self.weights(name)
        alone: FloatArray = self._of(name, self._synapses.weights)[check_replica(replica, self._n)]
        return alone

    def _begun(self, plastic: Sequence[Plastic]) -> SynapseMemory:
        """Return synapses that remember nothing, with the weights in force."""
        weights = {
            p.name: self.backend.weights(p.name).reshape(self._n, *p.shape).copy() for p in plastic
        }
        last = {p.pre: (0, p.n_pre) for p in plastic}
        for p in plastic:
            last[p.pre] = (max(p.delay, last[p.pre][0]), p.n_pre)
        kind = eligibility_type(self.backend.arithmetic)
        return SynapseMemory(**empty(self._layers, weights, kind, last))

    def _check_open(self, verb: str) -> None:
        """Raise an error if the backend is closed, or this has let go of it."""
        self.backend.check_open()
        if self.backend.owner is not self:
            what, remedy = "is closed", "a new Learning(backend)"
            raise ArgumentError(f"Learning.{verb}", what, remedy=remedy)

    def _take_levels(self) -> None:
        """Bring weights that aren't on their levels there, as others' may be, and into force."""
        for name, levels in self._levels.items():
            weights = self._synapses.weights[name]
            levels.warn_of_lost(name, weights, self.backend.arithmetic)
            self._write(name, self.backend.arithmetic.masked(name, levels.nearest(weights)))

    def _borrow(self, plastic: Sequence[Plastic]) -> dict[str, npt.NDArray[np.bool_] | None]:
        """Let large projections learn where the backend has their weights.

        Returns by name where they have no synapse, None if they have all.
        """
        lent = dict[str, npt.NDArray[np.bool_] | None]()
        for p in plastic if self._levels else ():
            memory = self.backend.transmitted(p.name) if is_in_c(p) else None
            if memory is None or memory.dtype != np.float64:
                continue
            mask = self.backend.network.projection(p.name).mask
            lent[p.name] = None if mask is None else ~np.asarray(mask)
            self._synapses.weights[p.name] = memory.reshape(self._n, *p.shape)
        return lent

    def _write(self, name: str, weights: FloatArray) -> None:
        shape = (*self.backend.simulated.axes, *self.backend.network.weight_shape(name))
        held = self.backend.write(name, weights.reshape(shape))
        # On a fine grid the weights in force learn; else float weights do, and are copied rounded.
        learned = np.reshape(held, weights.shape) if self.backend.arithmetic.is_fine else weights
        self._synapses.weights[name][...] = learned

    def _shown(self, name: str, by_name: Mapping[str, FloatArray]) -> FloatArray:
        self._check_open("weights")
        held = self._of(name, by_name)
        return held.reshape(*self.backend.simulated.axes, *held.shape[1:]).copy()

    def _of(self, name: str, by_name: Mapping[str, FloatArray]) -> FloatArray:
        check_name("plastic projection", name, by_name)
        return by_name[name]


def _check_steps(name: str, numbers: npt.NDArray[np.floating[Any]]) -> None:
    """Raise DivergenceError unless a projection's new weights, or their steps, are finite."""
    if not np.isfinite(numbers).all():
        remedy = "lower rate or the modulator"
        raise DivergenceError(f"weights of {name!r}", "are not finite", remedy=remedy)
