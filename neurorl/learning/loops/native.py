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
from neurorl.learning.loops.native_layers import NativeLayers, NativeWeights, in_c, seen_by_c
from neurorl.models.features import Features
from neurorl.native import structures as c
from neurorl.native.build import library
from neurorl.numerics.arrays import Array

# Arrays of a loop, and of its memory, that C reads and writes.
_OF_LOOP = (
    *("actions", "decided", "probabilities", "phi", "t"),
    *("allowed", "reward", "discount", "rate", "active"),
)
FINE = -1  # what C returns unless something is wrong
_OF_MEMORY = ("x", "value", "value_trace", "mean_reward", "expected")


class LoopInC(Loop):
    """Share what loops in C do with the structure of their agents."""

    _agent: c.Struct

    def allow(self, k: int, allowed: npt.NDArray[np.bool_] | None) -> None:
        super().allow(k, allowed)
        self._agent.has_masks = self.has_masks

    def _as_seen(self, features: Features) -> Any:
        return seen_by_c(features)

    def _check(self, fault: int) -> None:
        """Raise the error for what C returned, if it is one: see ``src/kernels.cpp``.

        What runs in each step asks before it calls this.
        """
        if fault == FINE:
            return
        if fault < 0:
            self._explain(-2 - fault)
            raise NotFiniteError(-2 - fault, None)
        self._check_seen(fault)
        numbers = self._cells_flat[fault].tolist()
        raise ArgumentError("observation", "no cell or feature knows this state", got=numbers[:4])

    def _explain(self, k: int) -> None:
        """Raise an error that says which numbers of agent k aren't finite."""

    def _shared_fields(self) -> dict[str, Any]:
        """Return fields of the agent's structure."""
        inputs, native = self.window.inputs["input"], self.window.steps
        places = {name: getattr(self, name) for name in _OF_LOOP}
        chosen, flows = places.pop("actions"), inputs.dtype == np.float64
        return {
            **places,
            "n_replicas": self.n,
            "threads": self.backend.simulator.threads,
            "window": self.config.window,
            "n_actions": self.n_actions,
            "n_groups": len(self.groups),
            "gamma": self.config.gamma,
            "cells_input": self._cells_flat,
            "decisions": self.memory.decisions,
            "seeds": np.array(self.backend.seeds, dtype=np.int64),
            "groups": np.array(self.groups, dtype=np.int64),
            "numbers" if self.policy.is_continuous else "actions": chosen,
            "current" if flows else "input": inputs,
            "run": native.function if native else None,
            "run_inputs": native.inputs if native else None,
            "run_rasters": native.rasters if native else None,
        }


class NativeLoop(LoopInC, NativeLayers):
    """Make one call for the input spikes, one for the actions, one for learning, for all replicas.

    Weights go straight into the simulator's memory where a backend lends it
    (`neurorl.backends.base.Backend.levels` or `transmitted`), else through `Backend.set_weights`.
    In float arithmetic those of `memory` follow in `settle`.
    """

    def _prepare(self) -> None:
        self._weights = NativeWeights(self.backend, self.memory, self._levels)
        self._agent = self._make_agent()
        compiled = library()
        self._address = ctypes.c_void_p(ctypes.addressof(self._agent))
        self._c_begin, self._c_encode = compiled.neurorl_begin, compiled.neurorl_encode
        self._c_choose, self._c_learn = compiled.neurorl_choose, compiled.neurorl_learn
        self._c_learn_late = compiled.neurorl_learn_late
        self._c_decide = compiled.neurorl_decide if self.window.native else None

    def decide(self) -> Array:
        if self._c_decide is None:
            return super().decide()
        self.backend.check_open()
        if (fault := self._c_decide(self._address)) != FINE:
            self._check(fault)
        if self._learns_late:
            self._learn_late()
        return self.actions

    def learn(self) -> None:
        if (fault := self._c_learn(self._address)) != FINE:
            self._check(fault)
        self._weights.is_stale = True
        if self._weights.told:
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

    def _explain(self, k: int) -> None:
        Learner(self.plan, self._parts[k], replica=k).check(*self._seen(k))

    def _make_agent(self) -> c.Struct:
        parts = self.config.parts | {"policy": self.policy}
        return c.Agent(
            **self._shared_fields(),
            **self._own_fields(),
            **{kind: c.filled(of_c, parts[kind]) for kind, of_c in c.PARTS.items()},
            cells=in_c(self.cells),
            features=in_c(self.features),
            **self._nodes_and_layers(),
        )

    def _own_fields(self) -> dict[str, Any]:
        """Return fields that agents with modules alone have."""
        critic_input = self.window.inputs.get("critic_input")
        fields: dict[str, Any] = {x: getattr(self.memory, x) for x in _OF_MEMORY}
        if critic_input is not None:
            flows = critic_input.dtype == np.float64
            fields["critic_current" if flows else "critic_input"] = critic_input
        return fields | {
            "n_output": self.backend.network.node("output").size,
            "first_vote": self.first_vote,
            "carries": self.config.carries,
            "normalises": self.config.normalises,
            "has_spiking_critic": self.critic is not None,
            "critic_unit": self.critic.unit if self.critic else 0.0,
            "norm_rate": NORM_RATE,
            "features_input": self._features_flat,
            "output": self.window.rasters["output"],
        }
