"""Hold what agents have learned and remember, as arrays: one row for each replica."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.learning.allocation import zeros_on_lines
from neurorl.learning.levels import Eligibility
from neurorl.learning.plan import LearningPlan
from neurorl.learning.tags import trace_shape
from neurorl.network.description import Network
from neurorl.network.modules import (
    chain_weights,
    hidden_layers,
    module_projections,
    path_weights,
)
from neurorl.network.restoring import take, take_count
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import DrawRows, Stream

__all__ = ["Memory", "memory_for"]

IntArray = npt.NDArray[np.int64]


@dataclass
class Memory:
    """Hold the arrays of N agents with one network; `of` gives those of one agent, as views.

    By projection: ``weights`` that learn, and ``in_force``, as the backend holds them (in float
    arithmetic these are the same numbers), both ``(N, *shape)``, the latter also of projections
    that don't learn into populations that do; ``eligibility``, of the same shape, float32 where
    weights are levels (`neurorl.learning.levels`); ``trace`` ``(N, n_pre)``, or
    ``(N, n_delays, n_pre)`` if the synapses of a list have several delays.
    By `neurorl.learning.plan.Layer`: ``norm`` ``(N, 1)``, the running mean of
    ``|sum_t x(t)|**2 / W`` over its inputs, NaN before the first; ``post_trace`` and, for a rule
    that names it, ``slow_trace`` ``(N, n)``. By node: ``last`` ``(N, steps, n)``, its last spikes,
    where a projection still has to deliver them in the next window.
    By hidden layer of modules: ``signs`` ``(N, n)``, of each unit's path weight to the output
    (`neurorl.network.modules`) before learning, +1 for 0; or drawn, if the rule's are random.
    ``x``, ``value``, ``value_trace`` ``(N, n_features)`` and ``mean_reward`` ``(N, 1)``: a linear
    critic's; ``means`` ``(N, 1)``: the same, by named modulator. ``expected`` ``(N, 1)``: what a
    spiking critic said of the state before, NaN if there is none in this episode. ``decisions``
    ``(N, 1)``: how many were made. ``accumulator``: by projection, of the shape of its weights,
    the part of dw that isn't in them yet; empty for schemes of writing without one
    (`neurorl.learning.writes`).
    """

    weights: dict[str, FloatArray]
    in_force: dict[str, FloatArray]
    eligibility: dict[str, Eligibility]
    trace: dict[str, FloatArray]
    norm: dict[str, FloatArray]
    post_trace: dict[str, FloatArray]
    slow_trace: dict[str, FloatArray]
    last: dict[str, npt.NDArray[np.bool_]]
    signs: dict[str, FloatArray]
    x: FloatArray
    value: FloatArray
    value_trace: FloatArray
    mean_reward: FloatArray
    means: dict[str, FloatArray]
    expected: FloatArray
    decisions: IntArray
    accumulator: dict[str, FloatArray]

    def of(self, k: int) -> Memory:
        """Return agent k's part; writing to it writes here."""
        parts: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            whole = isinstance(value, dict)
            parts[field.name] = {n: a[k] for n, a in value.items()} if whole else value[k]
        return Memory(**parts)

    def copy(self, other: Memory) -> None:
        """Hold the numbers that *other*, of the same agents, holds."""
        for field in fields(self):
            value, theirs = getattr(self, field.name), getattr(other, field.name)
            if isinstance(value, dict):
                for name, array in value.items():
                    array[...] = theirs[name]
            else:
                value[...] = theirs

    def forget(self) -> None:
        """Forget all that doesn't outlive an episode."""
        passing = (self.eligibility, self.trace, self.post_trace, self.slow_trace, self.last)
        for array in (array for arrays in passing for array in arrays.values()):
            array[...] = 0
        self.value_trace[...] = 0.0
        self.expected[...] = np.nan

    def state(self) -> dict[str, npt.NDArray[np.float64]]:
        """Copy what one agent keeps from episode to episode."""
        weights = {f"weights.{name}": w.copy() for name, w in self.weights.items()}
        sums = {f"accumulator.{name}": a.copy() for name, a in self.accumulator.items()}
        norms = {f"norm.{name}": n[0].copy() for name, n in self.norm.items() if not np.isnan(n[0])}
        return {
            **{f"learner.{key}": value for key, value in {**weights, **norms, **sums}.items()},
            **{_signs_key(name): signs.copy() for name, signs in self.signs.items()},
            **({_DEFINITION: np.array(DEFINITION)} if self._has_levels() else {}),
            "critic": self.value.copy(),
            "mean_reward": self.mean_reward[0].copy(),
            **{f"{_MEAN}{name}": mean[0].copy() for name, mean in self.means.items()},
            "decisions": self.decisions[0].copy(),
        }

    def is_older(self, state: Mapping[str, Array]) -> bool:
        """Return whether a `state` was learned before weights were levels, and these are."""
        return self._has_levels() and _DEFINITION not in state

    def _has_levels(self) -> bool:
        return any(e.dtype == np.float32 for e in self.eligibility.values())

    def restore(self, state: dict[str, npt.NDArray[np.float64]]) -> None:
        """Go on from one agent's `state`. Raises RunError if it doesn't fit."""
        for name, w in self.weights.items():
            w[...] = take(state, f"learner.weights.{name}", w.shape)
        for name, a in self.accumulator.items():
            a[...] = take(state, f"learner.accumulator.{name}", a.shape)
        for name, norm in self.norm.items():
            key = f"learner.norm.{name}"
            norm[0] = take(state, key, (), low=0.0) if key in state else np.nan
        for name, signs in self.signs.items():
            signs[...] = take(state, _signs_key(name), signs.shape, low=-1.0, high=1.0)
        self.value[...] = take(state, "critic", self.value.shape)
        self.mean_reward[0] = take(state, "mean_reward", ())
        for name, mean in self.means.items():
            mean[0] = take(state, f"{_MEAN}{name}", ())
        self.decisions[0] = take_count(state, "decisions")
        self.forget()

    def passing(self) -> dict[str, Array]:
        """Copy what one agent forgets at the end of the episode that it is in."""
        by_name = ("eligibility", "trace", "post_trace", "last", "slow_trace")
        arrays = {f"{of}.{n}": a.copy() for of in by_name for n, a in getattr(self, of).items()}
        return {**arrays, **{name: getattr(self, name).copy() for name in _PASSING}}

    def restore_passing(self, state: dict[str, Array]) -> None:
        """Go on from one agent's `passing`. Raises KeyError or ValueError if it doesn't fit."""
        for key in self.passing():
            of, _, name = key.partition(".")
            array = getattr(self, of)[name] if name else getattr(self, of)
            kind = {"b": "bool", "i": "whole"}.get(array.dtype.kind, "float")
            array[...] = take(state, key, array.shape, kind, may_be_nan=of == "expected")

    def adopt(
        self,
        state: dict[str, npt.NDArray[np.float64]],
        network: Network,
        drawn: Collection[str] = (),
    ) -> None:
        """Begin with the weights of another agent's `state`, and its linear critic if it fits.

        All else is as before learning; signs are those of the adopted weights, but of layers whose
        are *drawn*. Raises RunError if the weights don't fit.
        """
        for name, w in self.weights.items():
            w[...] = take(state, f"learner.weights.{name}", w.shape)
        if "critic" in state and state["critic"].shape == self.value.shape:
            self.value[...] = take(state, "critic", self.value.shape)
        one = {name: w[None] for name, w in self.weights.items()}
        for layer, signs in _feedback_signs(network, one, 1).items():
            if layer not in drawn:
                self.signs[layer][...] = signs[0]
        self.forget()


_PASSING = ("x", "value_trace", "expected")
_MEAN = "learner.mean."
_DEFINITION = "learner.definition"
DEFINITION = 2
"""Number how float weights learn (`neurorl.learning.levels`); states before it have no number."""


def _signs_key(layer: str) -> str:
    return "learner.signs" if layer == "hidden" else f"learner.signs.{layer}"


def memory_for(
    plan: LearningPlan,
    weights: dict[str, FloatArray],
    seeds: Sequence[int] = (0,),
    eligibilities: type[np.floating[Any]] = np.float64,
) -> Memory:
    """Make the memory of agents that have learned nothing.

    weights: in force in each projection, ``(N, *shape)``. seeds: of each agent. eligibilities: the
    kind of their numbers.
    """
    network, config = plan.network, plan.config
    n, n_features = len(next(iter(weights.values()))), config.critic.n_values(config.features)
    plastic = {p.name: p for p in network.projections if p.plasticity is not None}
    layers = {p.name: layer for layer in plan.layers for p in layer.into}
    posts = {layers[name].key: network.node(p.post).size for name, p in plastic.items()}
    slow = {layer.key for layer in plan.layers if layer.rule.names("slow")}
    depths = {node.name: 0 for node in network.nodes}
    for name, p in plastic.items():
        depths[p.pre] = max(depths[p.pre], network.delay_steps(name)) if config.carries else 0
    learning = {name: weights[name].copy() for name in plastic}
    groups = {p.name: p.groups for layer in layers.values() for p in layer.into}
    signs = _feedback_signs(network, learning, n)
    signs |= _random_signs(signs, plan.with_random_feedback, seeds)
    return Memory(
        weights=learning,
        in_force={
            p.name: weights[p.name].copy()
            for p in network.projections
            if p.post in {q.post for q in plastic.values()}
        },
        eligibility={name: zeros_on_lines(w.shape, eligibilities) for name, w in learning.items()},
        trace={
            name: np.zeros((n, *trace_shape(groups[name], network.node(p.pre).size)))
            for name, p in plastic.items()
        },
        norm={name: np.full((n, 1), np.nan) for name in posts},
        post_trace={name: np.zeros((n, size)) for name, size in posts.items()},
        slow_trace={name: np.zeros((n, size)) for name, size in posts.items() if name in slow},
        last={
            node.name: np.zeros((n, depths[node.name], node.size), dtype=bool)
            for node in network.nodes
        },
        signs=signs,
        x=np.zeros((n, n_features)),
        value=np.zeros((n, n_features)),
        value_trace=np.zeros((n, n_features)),
        mean_reward=np.zeros((n, 1)),
        means={name: np.zeros((n, 1)) for name in config.modulators or {}},
        expected=np.full((n, 1), np.nan),
        decisions=np.zeros((n, 1), dtype=np.int64),
        accumulator={
            name: zeros_on_lines(w.shape, np.float64)
            for name, w in learning.items()
            if config.writes.accumulates
        },
    )


def _feedback_signs(
    network: Network, weights: dict[str, FloatArray], n: int
) -> dict[str, FloatArray]:
    """Return signs by hidden layer of modules; of ``hidden``, of no units, if there is none."""
    chain = module_projections(network)
    if not chain:
        return {"hidden": np.ones((n, 0))}
    of_replicas = ({name: weights[name][k] for name in chain} for k in range(n))
    modules = network.node("output").size
    paths = [path_weights(chain_weights(network, chain, w), modules) for w in of_replicas]
    return {
        layer: np.where(np.stack(of_layer) < 0, -1.0, 1.0)
        for layer, of_layer in zip(hidden_layers(network), zip(*paths, strict=True), strict=False)
    }


def _random_signs(
    signs: Mapping[str, FloatArray], drawn: Collection[str], seeds: Sequence[int]
) -> dict[str, FloatArray]:
    """Return +-1 in place of the *signs* of *drawn* layers, a row of draws for each."""
    return {
        name: np.array(
            [
                np.where(DrawRows(seed, Stream.FEEDBACK, of_layer.shape[1])(row) < 0.5, -1.0, 1.0)
                for seed in seeds
            ]
        )
        for row, (name, of_layer) in enumerate(signs.items())
        if name in drawn
    }
