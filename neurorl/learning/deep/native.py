"""Run agents with shared hidden layers in C++, equal to `DeepLoop` in every bit."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from neurorl.learning.deep.loop import DeepLoop
from neurorl.learning.deep.plan import DeepLayer, Half
from neurorl.learning.loops.native import FINE, LoopInC
from neurorl.learning.plan import Plastic
from neurorl.native import structures as c
from neurorl.native.build import library
from neurorl.numerics.arrays import Array, zeros_on_lines


class DeepNativeLoop(LoopInC, DeepLoop):
    """Make one call for actions and what is learned late, and one for ends, for all replicas.

    What a weight transmits goes straight into the simulator's memory, and biases too, where a
    backend lends these (`neurorl.backends.base.Backend.transmitted`, `biases`); other backends are
    told after each decision.
    """

    def _prepare(self) -> None:
        super()._prepare()
        backend, flows, names = self.backend, self.config.encoder.flows, self.memory.weights
        learns = self._learns_late
        self._lent = {name: backend.transmitted(name) if learns else None for name in names}
        for name, lent in self._lent.items():
            is_tied = self._ties[name] is not None
            if lent is not None and lent.dtype == np.float64 and not is_tied:
                self.memory.in_force[name] = lent.reshape(self.memory.in_force[name].shape)
        self._told = [n for n, lent in self._lent.items() if lent is None and learns]
        of_window = self.layers.layers if flows else self.layers.hidden
        biases = {layer.name: backend.biases(layer.name) for layer in of_window}
        lends = all(bias is not None for bias in biases.values())
        self._biases = biases if lends or not flows else {}
        self._writes_flows = lends and flows
        self._beside: list[Array] = []  # rows that wait to be put in force, the simulator's copies
        self._agent = self._make_agent(_READ, features_input=self._cells_flat)
        self._deep = self._make_deep()
        self._link(self._deep, decides=bool(self.window.steps) and lends, prefix="deep_")
        self._c_refresh = library().neurorl_deep_refresh

    def decide(self) -> Array:
        if self._c_decide is None or "_learn_late" in vars(self):  # `shared` has replaced it
            return super().decide()
        self.backend.check_open()
        if (fault := self._c_decide(self._address)) != FINE:
            self._check(fault)
        self._tell()
        return self.actions

    def settle(self, k: int | None = None) -> None:
        """Bring all weights in force, and copies of shared ones up to date."""
        if self._is_stale:
            self._bring(0, self.n)
            self._is_stale = False

    def catch_up(self, k: int) -> None:
        if self._is_stale:
            self._bring(k, k + 1)

    def _bring(self, first: int, last: int) -> None:
        self._c_refresh(self._address, ctypes.c_int64(first), ctypes.c_int64(last))
        for name in self._ties:
            self._copy(name, slice(first, last))

    def heed(self) -> None:
        self.settle()
        super().heed()

    def arrays_in_force(self) -> list[Array]:
        return [*self.memory.in_force.values(), *self._beside]

    def put_in_force(self, k: int) -> None:
        self.settle()  # writes where a backend that lends its memory reads
        self._tell()

    def _held(self, kind: type[c.Struct], of: str = "") -> dict[str, Array]:
        """Return the arrays of memory that a structure points to by their own names there."""
        held = self.memory.lasting | self.memory.passing_arrays
        return {x: held[f"{of}{x}"] for x in kind.pointers if f"{of}{x}" in held}

    def _make_deep(self) -> c.Struct:
        trunk, lasting = self.trunk, self.memory.lasting
        halves = [self._half(half) for half in self.layers.halves]
        return c.Deep(
            agent=self._agent,
            halves=halves,
            n_halves=len(halves),
            scales_rewards=trunk.scales_rewards,
            learns=self._learns_late,
            knows_arrived=self._knows_windows,
            writes_flows=self._writes_flows,
            n_seen=self.cells.size,
            n_channels=self._entering.shape[1],
            **{x: c.filled(kind, trunk.inner[x]) for x, kind in c.TRUNK_PARTS.items()},
            centring=trunk.centring,
            entropy=trunk.entropy,
            slope=trunk.slope,
            **{f"seen_{x}": lasting[f"seen.{x}"] for x in ("mean", "square", "count")},
            discounted=self.memory.passing_arrays["return"],
            **self._held(c.Deep),
            reward=self.reward,
            n_hidden=sum(layer.size for layer in self.layers.hidden),
            value=np.zeros((self.n, 1)),
            readouts=np.zeros((self.n, self.n_actions)),
            input=self._entering,
        )

    def _half(self, half: Half) -> c.Struct:
        layers, is_actor = [self._layer(half, layer) for layer in half.layers], half.is_actor
        return c.Half(n_layers=len(layers), is_actor=is_actor, keep=half.keep, layers=layers)

    def _patches(self, layer: DeepLayer) -> c.Struct | None:
        """Return what a layer sees of an image; None if all."""
        patches = layer.patches
        if patches is None:
            return None
        places = np.bincount(patches.index.ravel(), minlength=patches.n_inputs)
        start = np.concatenate([[0], np.cumsum(places)]).astype(np.int64)
        return c.DeepPatches(
            positions=len(patches.index),
            n_seen=patches.index.shape[1],
            filters=patches.filters,
            n_inputs=patches.n_inputs,
            n_synapses=len(patches.tie),
            rows=np.ascontiguousarray(patches.rows),
            positions_of=np.ascontiguousarray(patches.positions_of),
            start=start,
        )

    def _layer(self, half: Half, layer: DeepLayer) -> c.Struct:
        name, arithmetic, n_x = layer.name, self.backend.arithmetic, layer.into[0].n_pre
        shape = self.n, layer.size
        is_late = self._lent[layer.into[0].name] is not None and self._is_known_before(half, layer)
        below, bias = (self._synapses_of(p, is_late and p is layer.into[0]) for p in layer.into)
        own: dict[str, Any] = {"simulator_bias": self._biases.get(name)}
        if layer.is_hidden:
            own["alpha_mean"] = self.memory.lasting[f"{name}.alpha"]
            own["raster"] = self.window.rasters[name]
            own["offset"] = self.offsets[name]
            own |= {x: zeros_on_lines(shape, np.float64) for x in ("shift", "scale", "arrived")}
            own |= {f"new_{x}": zeros_on_lines(shape, np.float32) for x in _NEW}
        return c.DeepLayer(
            size=layer.size,
            row=layer.row,
            is_hidden=layer.is_hidden,
            feedback_is_forward=self.trunk.feedback.is_forward,
            alpha=layer.alpha,
            unit=self._units[name],
            threshold=float(arithmetic.threshold(name)[0]),
            bias_unit=arithmetic.bias_unit(name) if arithmetic.is_chip else 0.0,
            own_bias=float(np.atleast_1d(arithmetic.bias(name, {}))[0]),
            below=below,
            bias=bias,
            n_x=n_x,
            new_x=zeros_on_lines((self.n, n_x), np.float32),
            patches=self._patches(layer),
            **self._held(c.DeepLayer, f"{name}."),
            **own,
        )

    def _is_known_before(self, half: Half, layer: DeepLayer) -> bool:
        """Return whether a window's inputs to a layer are known, and can't differ, before it.

        A chip's membranes leave 1/4096 to the next step, so its spikes are known but nearly.
        """
        return self._knows_windows or layer.name == half.layers[0].name

    @property
    def _knows_windows(self) -> bool:
        return self.trunk.normalisation.reads_drive and not self.backend.arithmetic.is_chip

    def _synapses_of(self, p: Plastic, is_late: bool) -> c.Struct:
        """Return a projection. is_late: whether rows come in force when they speak."""
        memory, name, rounding = self.memory, p.name, self.backend.arithmetic.rounding(p.name)
        lent, learning = self._lent[name], memory.learning(name)
        integers = lent is not None and lent.dtype == np.int32
        is_tied = self._ties[name] is not None
        place = ("copied_integers" if is_tied else "sent_integers") if integers else "copies"
        simulators = {place: lent} if integers or is_tied else {}
        stale = np.zeros((self.n, learning.shape[1]), np.uint8) if is_late else None
        beside = (stale, *simulators.values())
        self._beside += [x.reshape(self.n, -1) for x in beside if x is not None]
        return c.DeepSynapses(
            n_pre=learning.shape[1],
            n_post=learning.shape[2],
            longest=self._synapses[0][name].longest,
            inverse=rounding.inverse,
            limit=rounding.limit,
            transmitted_unit=rounding.transmitted_unit,
            bound=p.high,
            weights=learning,
            trace=memory.eligibility[name],
            feedback_learns=self.trunk.feedback.learns and f"{name}.feedback" in memory.lasting,
            **self._held(c.DeepSynapses, f"{name}."),
            sent=memory.in_force[name],
            stale=stale,
            **simulators,
        )


_NEW = ("u", "slope", "inverse")
_READ = ("encoder", "policy", "modulator")
