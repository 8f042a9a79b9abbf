"""Run the learning loop in C, equal to `neurorl.learning.loops.numpy.NumpyLoop` in every bit."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np

from neurorl.errors import ArgumentError
from neurorl.learning.finite import NotFiniteError
from neurorl.learning.learner import NORM_RATE
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.native_features import in_c, seen_by_c
from neurorl.learning.loops.native_layers import NativeLayers
from neurorl.learning.observer import Observer
from neurorl.models.features import Features
from neurorl.native import structures as c
from neurorl.native.build import library
from neurorl.numerics.arrays import Array, BoolArray

# Arrays of a loop, and of its memory, that C reads and writes.
_OF_LOOP = (
    *("actions", "decided", "probabilities", "phi", "t"),
    *("allowed", "reward", "discount", "rate", "active"),
)
_FUNCTIONS = ("encode", "choose", "decide", "learn", "learn_late")
FINE = -1  # what C returns unless something is wrong
_OF_MEMORY = ("x", "value", "value_trace", "mean_reward", "expected")


class LoopInC(Loop):
    """Share what loops in C do with the structure of their agents."""

    _agent: c.Struct
    _told: list[str]  # of what `_tell` puts in force

    def _link(self, of: c.Struct, decides: bool, prefix: str = "") -> None:
        """Take the functions of C that work on a structure. decides: whether one runs windows."""
        compiled = library()
        self._address = ctypes.c_void_p(ctypes.addressof(of))
        self._c_encode, self._c_choose, decide, self._c_learn, self._c_learn_late = (
            getattr(compiled, f"neurorl_{prefix}{x}") for x in _FUNCTIONS
        )
        self._c_decide, self._is_stale = decide if decides else None, False

    def learn(self) -> None:
        if (fault := self._c_learn(self._address)) != FINE:
            self._check(fault)
        self._is_stale = True
        if self._told:
            self._tell()

    def _learn_late(self) -> None:
        self._check(self._c_learn_late(self._address))
        self._tell()

    def _encode(self) -> None:
        if (fault := self._c_encode(self._address)) != FINE:
            self._check(fault)
        for name, offset in self.offsets.items():
            self.backend.set_offset(name, offset)

    def _choose(self) -> None:
        self._c_choose(self._address)

    def _tell(self) -> None:
        """Put in force what has been learned and the simulator doesn't read from memory."""
        self._is_stale = True
        for name in self._told:
            self._write(name)

    def allow(self, k: int, allowed: BoolArray | None) -> None:
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

    def _make_agent(self, kinds: Iterable[str], **own: Any) -> c.Struct:
        """Return the structure of agents with parts of these kinds. own: more of its fields."""
        inputs, native = self.window.inputs["input"], self.window.steps
        places = {name: getattr(self, name) for name in _OF_LOOP}
        chosen, flows = places.pop("actions"), inputs.dtype == np.float64
        parts = self.config.parts | {"policy": self.policy}
        return c.Agent(
            **places,
            n_replicas=self.n,
            threads=self.backend.simulator.threads,
            window=self.config.window,
            n_actions=self.n_actions,
            n_groups=len(self.groups),
            gamma=self.config.gamma,
            cells=in_c(self.cells),
            cells_input=self._cells_flat,
            decisions=self.memory.decisions,
            seeds=np.array(self.backend.seeds, dtype=np.int64),
            groups=np.array(self.groups, dtype=np.int64),
            run=native.function if native else None,
            run_inputs=native.inputs if native else None,
            run_rasters=native.rasters if native else None,
            **{"numbers" if self.policy.is_continuous else "actions": chosen},
            **{"current" if flows else "input": inputs},
            **{kind: c.filled(c.PARTS[kind], parts[kind]) for kind in kinds},
            **own,
        )


class NativeLoop(NativeLayers, LoopInC):
    """Make one call for the input spikes, one for the actions, one for learning, for all replicas.

    Weights go straight into the simulator's memory where a backend lends it
    (`neurorl.backends.base.Backend.levels` or `transmitted`), else through `Backend.set_weights`.
    In float arithmetic those of `memory` follow in `settle`.
    """

    def _prepare(self) -> None:
        self._hold_weights()
        self._agent = self._make_agent(c.PARTS, **self._own_fields())
        self._link(self._agent, decides=bool(self.window.native))
        self._c_begin = library().neurorl_begin

    def decide(self) -> Array:
        if self._c_decide is None:
            return super().decide()
        self.backend.check_open()
        if (fault := self._c_decide(self._address)) != FINE:
            self._check(fault)
        if self._learns_late:
            self._learn_late()
        return self.actions

    def _begin(self, k: int) -> None:
        self._check(self._c_begin(self._address, ctypes.c_int64(k)))

    def _explain(self, k: int) -> None:
        part = self._parts[k]
        Observer(self.plan, part, part.alone(), k).observe(lambda _: 0.0, *self._seen(k))

    def _own_fields(self) -> dict[str, Any]:
        """Return fields that agents with modules alone have."""
        critic_input = self.window.inputs.get("critic_input")
        fields: dict[str, Any] = {x: getattr(self.memory, x) for x in _OF_MEMORY}
        if critic_input is not None:
            flows = critic_input.dtype == np.float64
            fields["critic_current" if flows else "critic_input"] = critic_input
        return fields | {
            **self._nodes_and_layers(),
            "n_output": self.backend.network.node("output").size,
            "first_vote": self.first_vote,
            "carries": self.config.carries,
            "normalises": self.config.normalises,
            "has_spiking_critic": self.critic is not None,
            "critic_unit": self.critic.unit if self.critic else 0.0,
            "norm_rate": NORM_RATE,
            "features": in_c(self.features),
            "features_input": self._features_flat,
            "output": self.window.rasters["output"],
        }
