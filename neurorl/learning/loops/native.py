"""Run the learning loop in C, equal to `neurorl.learning.loops.numpy.NumpyLoop` in every bit."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError
from neurorl.learning.finite import NotFiniteError
from neurorl.learning.learner import NORM_RATE, Learner
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.native_layers import Map, NativeLayers, NativeWeights, seen_by_c
from neurorl.models.features import Features
from neurorl.native import structures as c
from neurorl.native.build import library
from neurorl.numerics.arrays import Array

OF_LOOP = (
    *("actions", "decided", "probabilities", "phi", "t"),
    *("allowed", "reward", "discount", "rate", "active"),
)
"""Name the arrays of a loop that C reads and writes."""
_OF_MEMORY = ("decisions", "x", "value", "value_trace", "mean_reward", "expected")


class NativeLoop(Loop):
    """Make one call for the input spikes, one for the actions, one for learning, for all replicas.

    Weights go straight into the simulator's memory where a backend lends it
    (`neurorl.backends.base.Backend.levels` or `transmitted`), else through `Backend.set_weights`.
    In float arithmetic those of `memory` follow in `settle`.
    """

    def _prepare(self) -> None:
        config, backend = self.config, self.backend
        self._weights = NativeWeights(backend, self.memory, self._levels)
        self._layers = NativeLayers(
            config, backend, self.plan, self.window, self.memory, self._weights
        )
        self._agent = self._make_agent()
        compiled = library()
        self._address = ctypes.c_void_p(ctypes.addressof(self._agent))
        self._c_begin, self._c_encode = compiled.neurorl_begin, compiled.neurorl_encode
        self._c_choose, self._c_learn = compiled.neurorl_choose, compiled.neurorl_learn
        self._c_learn_late = compiled.neurorl_learn_late
        self._c_decide = compiled.neurorl_decide if self.window.native else None

    def _as_seen(self, features: Features) -> Any:
        return seen_by_c(features)

    def allow(self, k: int, allowed: npt.NDArray[np.bool_] | None) -> None:
        super().allow(k, allowed)
        self._agent.has_masks = self.has_masks

    def decide(self) -> Array:
        if self._c_decide is None:
            return super().decide()
        self.backend.check_open()
        self._check(self._c_decide(self._address))
        if self._learns_late:
            self._learn_late()
        return self.actions

    def learn(self) -> None:
        self._check(self._c_learn(self._address))
        self._weights.tell(self._write)

    def settle(self, k: int | None = None) -> None:
        self._weights.settle(k)

    def write(self, k: int) -> None:
        super().write(k)
        self._weights.take()

    def learned(self) -> dict[str, Array]:
        return self._weights.lend()

    def heed(self) -> None:
        if self._weights.differ():
            self.write(0)

    def _forget(self, k: int) -> None:
        pass  # C does in `_begin`

    def _begin(self, k: int) -> None:
        self._check(self._c_begin(self._address, ctypes.c_int64(k)))

    def _encode(self) -> None:
        self._check(self._c_encode(self._address))

    def _choose(self) -> None:
        self._c_choose(self._address)

    def _learn_late(self) -> None:
        self._check(self._c_learn_late(self._address))
        self._weights.tell(self._write)

    def _check(self, fault: int) -> None:
        """Raise the error for what C returned, if it is one: see ``src/kernels.cpp``."""
        if fault == -1:
            return
        if fault < 0:
            k = -2 - fault
            Learner(self.plan, self._parts[k], replica=k).check(*self._seen(k))
            raise NotFiniteError(k, None)
        self._check_seen(fault)
        numbers = self._cells_flat[fault].tolist()
        raise ArgumentError("observation", "no cell or feature knows this state", got=numbers[:4])

    def _input(self, source: str, dtype: type) -> int | None:
        """Return the address of a source's part of the window, if it is of this kind."""
        inputs = self.window.inputs.get(source)
        if inputs is None or inputs.dtype != dtype:
            return None
        return self._layers.keep(inputs, dtype)

    def _make_agent(self) -> ctypes.Structure:
        self._cells, self._features = Map(self.cells), Map(self.features)
        nodes, layers = self._layers.nodes(), self._layers.layers()
        parts = self.config.parts | {"policy": self.policy}
        self._c_parts = {kind: c.filled(of_c, parts[kind]) for kind, of_c in c.PARTS.items()}
        return c.Agent(
            **self._numbers(),
            **self._memory_places(),
            **{kind: ctypes.addressof(part) for kind, part in self._c_parts.items()},
            cells=self._cells.structure,
            features=self._features.structure,
            n_nodes=len(nodes),
            n_layers=len(layers),
            nodes=ctypes.addressof(nodes),
            layers=ctypes.addressof(layers),
        )

    def _numbers(self) -> dict[str, float]:
        """Return what the agent's description says, by the fields of the C structure."""
        config = self.config
        return {
            "n_replicas": self.n,
            "window": config.window,
            "n_actions": self.n_actions,
            "n_output": self.backend.network.node("output").size,
            "first_vote": self.first_vote,
            "carries": config.carries,
            "normalises": config.normalises,
            "has_spiking_critic": self.critic is not None,
            "n_groups": len(self.groups),
            "critic_unit": self.critic.unit if self.critic else 0.0,
            "gamma": config.gamma,
            "norm_rate": NORM_RATE,
        }

    def _memory_places(self) -> dict[str, Any]:
        """Return where the arrays are that C reads and writes; they are kept as long as this."""
        memory, native, keep = self.memory, self.window.native, self._layers.keep
        kinds = {"f": np.float64, "i": np.int64, "b": np.bool_}
        places = {
            name: keep(array, kinds[array.dtype.kind])
            for of, names in ((self, OF_LOOP), (memory, _OF_MEMORY))
            for name in names
            for array in [getattr(of, name)]
        }
        chosen = places.pop("actions")
        return places | {
            "cells_input": keep(self._cells_flat),
            "features_input": keep(self._features_flat),
            "input": self._input("input", np.bool_),
            "critic_input": self._input("critic_input", np.bool_),
            "current": self._input("input", np.float64),
            "critic_current": self._input("critic_input", np.float64),
            "output": keep(self.window.rasters["output"], np.bool_),
            "seeds": keep(np.array(self.backend.seeds, dtype=np.int64), np.int64),
            "groups": keep(np.array(self.groups, dtype=np.int64), np.int64),
            "numbers" if self.policy.is_continuous else "actions": chosen,
            "run": native.function if native else None,
            "run_inputs": native.inputs if native else None,
            "run_rasters": native.rasters if native else None,
        }
