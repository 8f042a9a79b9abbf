"""Read and write the weights that learn in a loop of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend
from neurorl.errors import DivergenceError, check_name
from neurorl.learning.in_c import is_in_c, reinforce
from neurorl.learning.levels import eligibility_type, levels_of
from neurorl.learning.on_backend import LearnsOnBackend
from neurorl.learning.plan import Layer, Plastic
from neurorl.learning.synapses import SynapseMemory, empty
from neurorl.network.rewiring import Rewiring
from neurorl.numerics.arrays import BoolArray, FloatArray, carry_newest
from neurorl.rules.three_factor import apply_modulator


class SynapticWeights(LearnsOnBackend):
    """Hold weights and eligibilities on a backend.

    layers: with the projections that learn.
    """

    def __init__(self, backend: Backend, layers: Sequence[Layer]) -> None:
        super().__init__(backend)
        self._begin(layers)

    def _begin(self, layers: Sequence[Layer]) -> None:
        """Remember nothing, with the weights in force."""
        self._layers = layers
        plastic = [p for layer in layers for p in layer.into]
        self._plastic: dict[str, Plastic] = {p.name: p for p in plastic}
        self._synapses = self._begun(plastic)
        self._levels = levels_of(self.backend.arithmetic, plastic)
        self._settle()
        with self.backend.owner_acts():
            self._lent = self._borrow(plastic)

    def eligibility(self, name: str) -> FloatArray:
        """Return a copy of a projection's eligibilities, shaped as its weights."""
        self._check_open("eligibility")
        return self._shown(self._of(name, self._synapses.eligibility))

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

    def _weights_of(self, name: str) -> FloatArray:
        return self._of(name, self._synapses.weights)

    def _carry(self, old: SynapseMemory, was: Plastic, rewiring: Rewiring) -> None:
        """Remember what was, of *was* for the synapses that are still there."""
        for kind, arrays in vars(old).items():
            for key, array in arrays.items():
                to = getattr(self._synapses, kind)[key]
                if kind == "last":
                    carry_newest(array.swapaxes(0, 1), to.swapaxes(0, 1))
                elif key != was.name:
                    to[...] = array
                elif kind != "trace":
                    rewiring.carry(array, to)
                else:
                    self._carry_traces(array, to, was.delays, self._plastic[key].delays)

    def _carry_traces(
        self, old: FloatArray, to: FloatArray, delays: Sequence[int], after: Sequence[int]
    ) -> None:
        """Write the traces of delays that there were; those of others begin at 0."""
        rows, into = (x.reshape(self._n, len(of), -1) for x, of in ((old, delays), (to, after)))
        for number, delay in enumerate(after):
            if delay in delays:
                into[:, number] = rows[:, delays.index(delay)]

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

    def _settle(self) -> None:
        """Bring weights that aren't on their levels there, as others' may be, and into force."""
        for name, levels in self._levels.items():
            weights = self._synapses.weights[name]
            levels.warn_of_lost(name, weights, self.backend.arithmetic)
            self._write(name, self.backend.arithmetic.masked(name, levels.nearest(weights)))

    def _borrow(self, plastic: Sequence[Plastic]) -> dict[str, BoolArray | None]:
        """Let large projections learn where the backend has their weights.

        Returns by name where they have no synapse, None if they have all.
        """
        lent = dict[str, BoolArray | None]()
        for p in plastic if self._levels else ():
            memory = self.backend.transmitted(p.name) if is_in_c(p) else None
            if memory is None or memory.dtype != np.float64:
                continue
            mask = self.backend.network.projection(p.name).mask
            lent[p.name] = None if mask is None else ~np.asarray(mask)
            self._synapses.weights[p.name] = memory.reshape(self._n, *p.shape)
        return lent

    def _of(self, name: str, by_name: Mapping[str, FloatArray]) -> FloatArray:
        check_name("plastic projection", name, by_name)
        return by_name[name]


def _check_steps(name: str, numbers: npt.NDArray[np.floating[Any]]) -> None:
    """Raise DivergenceError unless a projection's new weights, or their steps, are finite."""
    if not np.isfinite(numbers).all():
        remedy = "lower rate or the modulator"
        raise DivergenceError(f"weights of {name!r}", "are not finite", remedy=remedy)
