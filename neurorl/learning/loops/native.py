"""Run the learning loop in C, equal to `neurorl.learning.loops.numpy.NumpyLoop` in every bit."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend
from neurorl.errors import ArgumentError
from neurorl.learning.finite import NotFiniteError
from neurorl.learning.learner import NORM_RATE, Learner
from neurorl.learning.levels import Levels, eligibility_type
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.native_features import Map, seen_by_c
from neurorl.learning.loops.native_weights import NativeWeights
from neurorl.learning.plan import Incoming, Layer, Plastic
from neurorl.learning.writes import levels, stream
from neurorl.models.config import AgentConfig
from neurorl.models.features import Features
from neurorl.native import structures as c
from neurorl.native.build import library
from neurorl.native.equations import equations_of, input_number
from neurorl.native.layout import codes
from neurorl.native.rule_text import compiled_texts
from neurorl.network.neuron import StepPlan
from neurorl.rules import Rule
from neurorl.rules.registry import is_shipped

__all__ = ["NativeLoop"]


def _role(layer: Layer) -> str:
    if layer.is_critic:
        return "critic"
    return "hidden" if layer.lag else "output" if layer.name == "output" else "other"


class NativeLoop(Loop):
    """Make one call for the input spikes, one for the actions, one for learning, for all replicas.

    Weights go straight into the simulator's memory where a backend lends it
    (`neurorl.backends.base.Backend.levels` or `transmitted`), else through `Backend.set_weights`.
    In float arithmetic those of `memory` follow in `settle`.
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
        self._kept: list[Any] = []  # arrays that C has pointers to
        self._weights = NativeWeights(backend, self.memory, self._levels)
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

    def decide(self) -> npt.NDArray[Any]:
        if self._c_decide is None:
            return super().decide()
        self.backend.check_open()
        fault = self._c_decide(self._address)
        if fault != -1:
            self._complain(fault)
        if self._learns_late:
            self._learn_late()
        return self.actions

    def learn(self) -> None:
        fault = self._c_learn(self._address)
        if fault != -1:
            self._complain(fault)
        self._weights.tell(self._write)

    def settle(self, k: int | None = None) -> None:
        self._weights.settle(k)

    def write(self, k: int) -> None:
        super().write(k)
        self._weights.take()

    def learned(self) -> dict[str, npt.NDArray[Any]]:
        return self._weights.lend()

    def heed(self) -> None:
        if self._weights.differ():
            self.write(0)

    def go_on_from(self, other: Loop) -> None:
        super().go_on_from(other)
        self._weights.take()
        self.heed()  # weights that a user has changed there are not in force yet

    def _forget(self, k: int) -> None:
        pass  # C does in `_begin`

    def _begin(self, k: int) -> None:
        fault = self._c_begin(self._address, ctypes.c_int64(k))
        if fault != -1:
            self._complain(fault)

    def _encode(self) -> None:
        fault = self._c_encode(self._address)
        if fault != -1:
            self._complain(fault)

    def _choose(self) -> None:
        self._c_choose(self._address)

    def _learn_late(self) -> None:
        fault = self._c_learn_late(self._address)
        if fault != -1:
            self._complain(fault)
        self._weights.tell(self._write)

    def _complain(self, fault: int) -> NoReturn:
        """Raise the error for what C returned: see ``src/kernels.cpp``."""
        if fault < 0:
            k = -2 - fault
            Learner(self.plan, self._parts[k], replica=k).check(*self._seen(k))
            raise NotFiniteError(k, None)
        self._check_seen(fault)
        numbers = self._cells_flat[fault].tolist()
        raise ArgumentError("observation", "no cell or feature knows this state", got=numbers[:4])

    def _keep(self, array: npt.NDArray[Any], dtype: type = np.float64) -> int | None:
        """Return the address of an array that is kept as long as this loop."""
        assert array.dtype == np.dtype(dtype)
        self._kept.append(array)
        return c.pointer(array)

    def _address_of(self, array: npt.NDArray[Any] | None, dtype: type) -> int | None:
        return None if array is None else self._keep(array, dtype)

    def _input(self, source: str, dtype: type) -> int | None:
        """Return the address of a source's part of the window, if it is of this kind."""
        inputs = self.window.inputs.get(source)
        return self._keep(inputs, dtype) if inputs is not None and inputs.dtype == dtype else None

    def _make_agent(self) -> c.Agent:
        network, made = self.backend.network, self.plan.layers
        self._cells, self._features = Map(self.cells), Map(self.features)
        self._nodes = (c.Node * len(network.nodes))(*(self._node(n.name) for n in network.nodes))
        self._layers = (c.Layer * len(made))(*(self._layer(layer) for layer in made))
        return c.Agent(
            **self._numbers(),
            **self._rule_numbers(),
            **self._memory_places(),
            cells=self._cells.structure,
            features=self._features.structure,
            n_nodes=len(self._nodes),
            n_layers=len(self._layers),
            nodes=ctypes.addressof(self._nodes),
            layers=ctypes.addressof(self._layers),
        )

    def _numbers(self) -> dict[str, float]:
        """Return what the agent's description says, by the fields of the C structure."""
        config, critic = self.config, self.config.critic
        limit = np.inf if config.modulator.limit is None else config.modulator.limit
        beta = config.flat.get("beta", 0.0)
        return {
            "n_replicas": self.n,
            "window": config.window,
            "n_actions": self.n_actions,
            "n_output": self.backend.network.node("output").size,
            "first_vote": self.first_vote,
            "encoder": self._code("encoder", config.encoder.kernel),
            "policy": self._code("policy", self.policy.kernel),
            "modulator": self._code("modulator", config.modulator.kernel),
            "carries": config.carries,
            "normalises": config.normalises,
            "has_spiking_critic": self.critic is not None,
            "writes": self._code("writes", config.writes.kernel),
            "write_every": config.writes.every,
            "peak": config.encoder.peak,
            "beta": beta,
            "beta_end": getattr(self.policy, "beta_end", beta),
            "beta_decisions": getattr(self.policy, "beta_decisions", 1),
            "exploration": self.policy.exploration,
            **{name: getattr(self.policy, name, 0.0) for name in ("sigma", "sigma_end")},
            "sigma_decisions": getattr(self.policy, "decisions", 1),
            "natural": getattr(self.policy, "natural", False),
            "n_groups": len(self.groups),
            "hold": self.policy.hold,
            "repeats": self.policy.repeats,
            "alpha_critic": critic.alpha,
            "critic_decay": config.gamma * critic.lambda_,
            "critic_unit": self.critic.unit if self.critic else 0.0,
            "critic_initial": critic.initial_value,
            "modulator_limit": limit,
            "depression": self.plan.layers[0].depression if self.plan.layers else 0.0,
            "norm_rate": NORM_RATE,
        }

    def _rule_numbers(self) -> dict[str, Any]:
        """Return what the rule says, and its compiled texts if it has no kernel of ours."""
        rule = self.plan.rule
        has_kernel = is_shipped(rule) and rule.name in codes(library(), "rule")
        texts = {} if has_kernel else self._texts(rule)
        return {
            "rule": self._code("rule", "text" if texts else rule.name),
            "pairs_spikes": rule.pairs_spikes,
            "gates_depression": rule.gates_depression,
            "needs_paths": rule.needs_paths,
            "drops_late": rule.drops_late,
            **texts,
        }

    def _memory_places(self) -> dict[str, Any]:
        """Return where the arrays are that C reads and writes; they are kept as long as this."""
        memory, native = self.memory, self.window.native
        seeds = np.array(self.backend.seeds, dtype=np.int64)
        return {
            "cells_input": self._keep(self._cells_flat),
            "features_input": self._keep(self._features_flat),
            "input": self._input("input", np.bool_),
            "critic_input": self._input("critic_input", np.bool_),
            "current": self._input("input", np.float64),
            "critic_current": self._input("critic_input", np.float64),
            "output": self._keep(self.window.rasters["output"], np.bool_),
            "seeds": self._keep(seeds, np.int64),
            "decisions": self._keep(memory.decisions, np.int64),
            "decided": self._keep(self.decided, np.int64),
            "groups": self._keep(np.array(self.groups, dtype=np.int64), np.int64),
            "actions": None if self.policy.is_continuous else self._keep(self.actions, np.int64),
            "numbers": self._keep(self.actions) if self.policy.is_continuous else None,
            "probabilities": self._keep(self.probabilities),
            "phi": self._keep(self.phi),
            "t": self._keep(self.t),
            "allowed": self._keep(self.allowed, np.bool_),
            "reward": self._keep(self.reward),
            "discount": self._keep(self.discount),
            "rate": self._keep(self.rate),
            "active": self._keep(self.active, np.bool_),
            "x": self._keep(memory.x),
            "value": self._keep(memory.value),
            "value_trace": self._keep(memory.value_trace),
            "mean_reward": self._keep(memory.mean_reward),
            "expected": self._keep(memory.expected),
            "run": native.function if native else None,
            "run_inputs": native.inputs if native else None,
            "run_rasters": native.rasters if native else None,
        }

    def _texts(self, rule: Rule) -> dict[str, c.Text]:
        """Return the compiled texts of a user's rule, by the agent's fields."""
        pairs = zip(("output_text", "hidden_text"), rule.texts, strict=True)
        texts = {name: (text.expression, text.is_gain) for name, text in pairs}
        return compiled_texts(f"rule {rule.name!r}", texts)

    def _code(self, choice: str, name: str | None) -> int:
        """Return the number that C++ has for a choice's name."""
        assert name is not None  # `not_compiled` has seen to that
        return codes(library(), choice)[name]

    def _node(self, name: str) -> c.Node:
        raster = {**self.window.inputs, **self.window.rasters}[name]
        is_current = name in self.backend.network.currents
        last = self.memory.last[name]
        return c.Node(
            size=self.backend.network.node(name).size,
            depth=last.shape[1],
            raster=None if is_current else self._keep(raster, np.bool_),
            current=self._keep(raster) if is_current else None,
            last=self._keep(last, np.bool_),
        )

    def _layer(self, layer: Layer) -> c.Layer:
        learning = [self._projection(p, layer) for p in layer.into]
        fixed = [self._fixed(p, layer) for p in layer.fixed]
        into = (c.Projection * (len(learning) + len(fixed)))(*learning, *fixed)
        self._kept.append(into)
        signs = self.memory.signs.get(layer.name)
        return c.Layer(
            node=self.backend.network.index(layer.name),
            role=self._code("role", _role(layer)),
            first=layer.first,
            lag=layer.lag,
            n_projections=len(learning),
            n_fixed=len(fixed),
            projections=ctypes.addressof(into),
            alpha=layer.alpha,
            keep=layer.keep,
            post_decay=layer.post_decay,
            slow_decay=layer.slow_decay,
            slow_trace=self._address_of(self.memory.slow_trace.get(layer.name), np.float64),
            powers=self._keep(layer.powers),
            norm=self._keep(self.memory.norm[layer.name]),
            post_trace=self._keep(self.memory.post_trace[layer.name]),
            signs=self._address_of(signs, np.float64),
            **self._dynamics(layer),
        )

    def _dynamics(self, layer: Layer) -> dict[str, int | None]:
        """Return the addresses of what spike probabilities depend on, if the rule needs them."""
        if layer.dynamics is None:
            return {}
        if isinstance(layer.dynamics, StepPlan):
            steps = self._keep(layer.dynamics.refractory_steps, np.int64)
            made, arrays = equations_of(layer.dynamics, f"population {layer.name!r}")
            self._kept += [made, *arrays]
            return {"refractory_steps": steps, "equations": ctypes.addressof(made)}
        types = {"refractory_steps": np.int64}
        return {
            name: self._keep(getattr(layer.dynamics, name), types.get(name, np.float64))
            for name in (
                *("current_decay", "membrane_decay", "threshold", "bias", "noise_width"),
                "refractory_steps",
            )
        }

    def _fixed(self, p: Incoming, layer: Layer) -> c.Projection:
        shape = self._shapes[p.name]
        return c.Projection(
            pre=self.backend.network.index(p.pre),
            n_pre=shape[-2],
            n_post=shape[-1],
            blocks=p.blocks,
            delay=p.delay,
            is_signed=p.signed,
            target=input_number(layer.dynamics, p.target),
            in_force=self._keep(self.memory.in_force[p.name]),
        )

    def _projection(self, p: Plastic, layer: Layer) -> c.Projection:
        memory, network = self.memory, self.backend.network
        arithmetic = self.backend.arithmetic
        rounding = arithmetic.rounding(p.name)
        lent = self._weights.lent[p.name]
        shape = self._shapes[p.name]
        is_fine = arithmetic.is_fine
        integers = lent is not None and lent.dtype == np.int32
        least, largest = levels(rounding, p.low, p.high)
        if is_fine:  # a weight changes by whole levels; a coarse one is rounded
            kept = Levels.of(rounding.unit, p.low, p.high)
            rounding = rounding.of_unit(kept.unit)
            least, largest = kept.least, kept.largest
        eligibility = self._keep(memory.eligibility[p.name], eligibility_type(arithmetic))
        mask = network.projection(p.name).mask
        mask = None if mask is None else np.ascontiguousarray(mask)
        rule = self.plan.rule
        needs_in_force = rule.needs_probability or rule.needs_paths or rule.needs_membrane
        return c.Projection(
            pre=network.index(p.pre),
            n_pre=shape[-2],
            n_post=shape[-1],
            blocks=p.blocks,
            delay=p.delay,
            is_signed=p.signed,
            target=input_number(layer.dynamics, p.target),
            decay=p.trace_decay,
            low=p.low,
            high=p.high,
            inverse=rounding.inverse,
            limit=rounding.limit,
            unit=rounding.unit,
            transmitted_unit=rounding.transmitted_unit,
            stream=stream(network, p.name),
            least=least,
            largest=largest,
            is_fine=is_fine,
            sums_fit=self._largest_sum(p, layer) < 2.0**11,  # of int32 in units of 2**-20
            weights=None if is_fine else self._keep(memory.weights[p.name]),
            levels=self._address_of(self._weights.levels.get(p.name), np.int32),
            eligibility=None if is_fine else eligibility,
            eligibility_32=eligibility if is_fine else None,
            trace=self._keep(memory.trace[p.name]),
            in_force=self._keep(memory.in_force[p.name]) if needs_in_force else None,
            transmitted=None if integers else self._address_of(lent, np.float64),
            transmitted_integers=self._address_of(lent, np.int32) if integers else None,
            accumulator=self._address_of(memory.accumulator.get(p.name), np.float64),
            mask=self._address_of(mask, np.bool_),
        )

    def _largest_sum(self, p: Plastic, layer: Layer) -> float:
        """Bound what a window adds to an eligibility, or takes off it."""
        steps = self.config.window

        def largest_trace(decay: float) -> float:
            longest = np.inf if self.config.carries else float(steps)
            return longest if decay == 1.0 else min(longest, 1.0 / (1.0 - decay))

        taken = layer.depression * largest_trace(layer.post_decay)
        return steps * (largest_trace(p.trace_decay) + taken)
