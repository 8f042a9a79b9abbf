"""Run agents with shared hidden layers in C++, equal to `DeepLoop` in every bit."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np

from neurorl.backends.base import Backend
from neurorl.learning.deep.loop import DeepLoop
from neurorl.learning.deep.plan import DeepLayer, Half
from neurorl.learning.loops.native import FINE, LoopInC
from neurorl.learning.loops.native_layers import Map
from neurorl.models.agent.config import AgentConfig
from neurorl.native import structures as c
from neurorl.native.build import library
from neurorl.numerics.arrays import Array, zeros_on_lines


class DeepNativeLoop(LoopInC, DeepLoop):
    """Make one call for actions and what is learned late, and one for ends, for all replicas.

    What a weight transmits goes straight into the simulator's memory, and biases too, where a
    backend lends these (`neurorl.backends.base.Backend.transmitted`, `biases`); other backends are
    told after each decision.
    """

    def __init__(
        self,
        config: AgentConfig,
        backend: Backend,
        n_actions: int | Sequence[int],
        greedy: bool = False,
        learns: bool = True,
    ) -> None:
        super().__init__(config, backend, n_actions, greedy, learns)
        self._kept: list[Any] = []
        names = self.memory.weights
        self._lent = {name: backend.transmitted(name) if learns else None for name in names}
        for name, lent in self._lent.items():
            is_tied = self._ties[name] is not None
            if lent is not None and lent.dtype == np.float64 and not is_tied:
                self.memory.in_force[name] = lent.reshape(self.memory.in_force[name].shape)
        self._told = [n for n, lent in self._lent.items() if lent is None and self._learns_late]
        of_window = self.layers.layers if config.encoder.flows else self.layers.hidden
        biases = {layer.name: backend.biases(layer.name) for layer in of_window}
        lends = all(bias is not None for bias in biases.values())
        self._biases = biases if lends or not config.encoder.flows else {}
        self._writes_flows = lends and config.encoder.flows
        self._agent, self._parts_of_c = self._make_agent(), self._make_parts()
        self._buffers = self._make_buffers()
        self._deep = self._make_deep()
        compiled = library()
        self._address = ctypes.c_void_p(ctypes.addressof(self._deep))
        self._c_decide = compiled.neurorl_deep_decide if self.window.steps and lends else None
        self._c_prepare = compiled.neurorl_deep_prepare
        self._c_conclude = compiled.neurorl_deep_conclude
        self._c_refresh, self._is_stale = compiled.neurorl_deep_refresh, False
        self._c_learn, self._c_learn_late = (
            compiled.neurorl_deep_learn,
            compiled.neurorl_deep_learn_late,
        )

    def decide(self) -> Array:
        if self._c_decide is None or "_learn_late" in vars(self):  # `shared` has replaced it
            return super().decide()
        self.backend.check_open()
        if (fault := self._c_decide(self._address)) != FINE:
            self._check(fault)
        self._tell()
        return self.actions

    def learn(self) -> None:
        if (fault := self._c_learn(self._address)) != FINE:
            self._check(fault)
        self._tell()

    def _encode(self) -> None:
        if (fault := self._c_prepare(self._address)) != FINE:
            self._check(fault)
        for name, offset in self._offsets.items():
            self.backend.set_offset(name, offset)

    def _choose(self) -> None:
        self._c_conclude(self._address)

    def _learn_late(self) -> None:
        self._check(self._c_learn_late(self._address))
        self._tell()

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

    def _tell(self) -> None:
        """Tell the simulator of weights that it doesn't read from memory."""
        self._is_stale = True
        for name in self._told:
            self._write(name)

    def _keep(self, array: Array | None) -> int | None:
        self._kept.append(array)
        return c.pointer(array)

    def _make_agent(self) -> ctypes.Structure:
        self._cells = Map(self.cells)
        parts = self.config.parts | {"policy": self.policy}
        filled = {kind: c.filled(c.PARTS[kind], parts[kind]) for kind in _READ}
        self._kept.append(filled)
        return c.Agent(
            **self._shared_fields(self._keep),
            cells=self._cells.structure,
            features_input=self._keep(self._cells_flat),
            **{kind: ctypes.addressof(part) for kind, part in filled.items()},
        )

    def _make_parts(self) -> dict[str, ctypes.Structure]:
        inner = self.trunk.inner
        return {name: c.filled(kind, inner[name]) for name, kind in c.TRUNK_PARTS.items()}

    def _make_buffers(self) -> dict[str, Array]:
        n_hidden = sum(layer.size for layer in self.layers.hidden)
        n_x = sum(layer.into[0].n_pre for layer in self.layers.layers)
        kinds = dict.fromkeys(("shift", "scale", "arrived", "value"), np.float64)
        sizes = dict.fromkeys(("shift", "scale", "arrived"), n_hidden) | {"value": 1, "new_x": n_x}
        sizes |= dict.fromkeys(("new_u", "new_slope", "new_inverse"), n_hidden)
        n_channels = self.trunk.observations.channels(self.cells.size)
        made = {
            name: zeros_on_lines((self.n, size), kinds.get(name, np.float32))
            for name, size in sizes.items()
        }
        return {**made, "input": np.zeros((self.n, n_channels))}

    def _make_deep(self) -> ctypes.Structure:
        lasting, passing, trunk = self.memory.lasting, self.memory.passing_arrays, self.trunk
        halves = self._array([self._half(half) for half in self.layers.halves])
        return c.Deep(
            agent=ctypes.addressof(self._agent),
            halves=ctypes.addressof(halves),
            n_halves=len(halves),
            scales_rewards=trunk.scales_rewards,
            learns=self._learns_late,
            knows_arrived=self._knows_windows,
            writes_flows=self._writes_flows,
            n_seen=self.cells.size,
            n_channels=trunk.observations.channels(self.cells.size),
            **{name: ctypes.addressof(part) for name, part in self._parts_of_c.items()},
            centring=trunk.centring,
            entropy=trunk.entropy,
            slope=trunk.slope,
            **{f"seen_{x}": self._keep(lasting[f"seen.{x}"]) for x in ("mean", "square", "count")},
            returns=self._keep(lasting["returns"]),
            learned=self._keep(lasting["learned"]),
            discounted=self._keep(passing["return"]),
            **{name: self._keep(passing[name]) for name in ("before", "scores", "pull")},
            reward=self._keep(self.reward),
            n_hidden=self._buffers["shift"].shape[1],
            n_x=self._buffers["new_x"].shape[1],
            **{name: self._keep(array) for name, array in self._buffers.items()},
        )

    def _half(self, half: Half) -> ctypes.Structure:
        layers = self._array([self._layer(half, layer) for layer in half.layers])
        return c.Half(
            n_layers=len(layers),
            is_actor=half.is_actor,
            keep=half.keep,
            layers=ctypes.addressof(layers),
        )

    def _patches(self, layer: DeepLayer) -> int | None:
        """Return the address of what a layer sees of an image; None if all."""
        patches = layer.patches
        if patches is None:
            return None
        places = np.bincount(patches.index.ravel(), minlength=patches.n_inputs)
        start = np.concatenate([[0], np.cumsum(places)]).astype(np.int64)
        made = c.DeepPatches(
            positions=len(patches.index),
            n_seen=patches.index.shape[1],
            filters=patches.filters,
            n_inputs=patches.n_inputs,
            n_synapses=len(patches.tie),
            index=self._keep(patches.index),
            rows=self._keep(np.ascontiguousarray(patches.rows)),
            positions_of=self._keep(np.ascontiguousarray(patches.positions_of)),
            start=self._keep(start),
        )
        self._kept.append(made)
        return ctypes.addressof(made)

    def _layer(self, half: Half, layer: DeepLayer) -> ctypes.Structure:
        lasting, passing, name = self.memory.lasting, self.memory.passing_arrays, layer.name
        arithmetic = self.backend.arithmetic
        below, bias = (self._synapses_of(half, p.name, p.high) for p in layer.into)
        if self._lent[layer.into[0].name] is not None and self._is_known_before(half, layer):
            below.stale = self._keep(np.zeros((self.n, below.n_pre), np.uint8))
        own: dict[str, Any] = {"simulator_bias": self._keep(self._biases.get(name))}
        if layer.is_hidden:
            own |= {x: self._keep(lasting[f"{name}.{x}"]) for x in ("mean", "variance", "kappa")}
            own |= {x: self._keep(passing[f"{name}.{x}"]) for x in _OF_HIDDEN}
            own["alpha_mean"] = self._keep(lasting[f"{name}.alpha"])
            own["raster"] = self._keep(self.window.rasters[name])
            own["offset"] = self._keep(self._offsets[name])
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
            x=self._keep(passing[f"{name}.x"]),
            n_x=passing[f"{name}.x"].shape[1],
            patches=self._patches(layer),
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

    def _synapses_of(self, half: Half, name: str, bound: float) -> ctypes.Structure:
        memory, rounding = self.memory, self.backend.arithmetic.rounding(name)
        lent, learning = self._lent[name], memory.learning(name)
        integers = lent is not None and lent.dtype == np.int32
        is_tied = self._ties[name] is not None
        place = ("copied_integers" if is_tied else "sent_integers") if integers else "copies"
        simulators = {place: self._keep(lent)} if integers or is_tied else {}
        return c.DeepSynapses(
            n_pre=learning.shape[1],
            n_post=learning.shape[2],
            longest=self._synapses[0][name].longest,
            inverse=rounding.inverse,
            limit=rounding.limit,
            transmitted_unit=rounding.transmitted_unit,
            bound=bound,
            weights=self._keep(learning),
            trace=self._keep(memory.eligibility[name]),
            mean_square=self._keep(memory.lasting[f"{name}.h"]),
            feedback=self._keep(memory.lasting.get(f"{name}.feedback")),
            feedback_learns=self.trunk.feedback.learns and f"{name}.feedback" in memory.lasting,
            last=self._keep(memory.lasting[f"{name}.last"]),
            **{x: self._keep(memory.passing_arrays[f"{name}.{x}"]) for x in ("age", "live")},
            sent=self._keep(memory.in_force[name]),
            **simulators,
        )

    def _array(self, made: Sequence[ctypes.Structure]) -> Any:
        kept = (type(made[0]) * len(made))(*made)
        self._kept.append(kept)
        return kept


_READ = ("encoder", "policy", "modulator")
_OF_HIDDEN = ("u", "slope", "inverse", "a", "c")
