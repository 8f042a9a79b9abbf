"""Hold what agents have learned and remember, as arrays: one row for each replica."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from neurorl.learning.plan import LearningPlan
from neurorl.learning.synapses import PASSING, SynapseMemory, empty
from neurorl.network.description import Network
from neurorl.network.modules import chain_weights, hidden_layers, module_projections, path_weights
from neurorl.network.restoring import take, take_count, take_shown
from neurorl.numerics.arrays import Array, FloatArray, IntArray, zeros_on_lines
from neurorl.numerics.random import DrawRows, Stream
from neurorl.rules.synapse_rule import owner_of
from neurorl.storage.plain import PlainData


@dataclass(kw_only=True)
class Memory(SynapseMemory):
    """Hold the arrays of N agents with one network; `of` gives those of one agent, as views.

    Beside those of `SynapseMemory`, by projection: ``in_force``, weights as the backend holds them,
    ``(N, *shape)``, also of projections that don't learn into populations
    that do; in float arithmetic these are the weights that learn. By
    `neurorl.learning.plan.Layer`: ``norm`` ``(N, 1)``, the running mean of
    ``|sum_t x(t)|**2 / W`` over its inputs, NaN before the first.
    By hidden layer of modules: ``signs`` ``(N, n)``, of each unit's path weight to the output
    (`neurorl.network.modules`) before learning, +1 for 0; or drawn, if the rule's are random.
    ``x``, ``value``, ``value_trace`` ``(N, n_features)`` and ``mean_reward`` ``(N, 1)``: a linear
    critic's; ``means`` ``(N, 1)``: the same, by named modulator. ``expected`` ``(N, 1)``: what a
    spiking critic said of the state before, NaN if there is none in this episode. ``decisions``
    ``(N, 1)``: how many were made. ``accumulator``: by projection, of the shape of its weights,
    the part of dw that isn't in them yet; empty for schemes of writing without one
    (`neurorl.learning.writes`). ``variables``: of rules of statements, by ``NAME.PROJECTION``,
    ``(N, n)``, and ``beginnings`` ``(N, 1)``, what they begin an episode with.
    """

    in_force: dict[str, FloatArray]
    norm: dict[str, FloatArray] = field(default_factory=dict)
    signs: dict[str, FloatArray] = field(default_factory=dict)
    x: FloatArray
    value: FloatArray
    value_trace: FloatArray
    mean_reward: FloatArray
    means: dict[str, FloatArray] = field(default_factory=dict)
    expected: FloatArray
    decisions: IntArray
    accumulator: dict[str, FloatArray] = field(default_factory=dict)
    variables: dict[str, FloatArray] = field(default_factory=dict)
    beginnings: dict[str, FloatArray] = field(default_factory=dict)

    def of(self, k: int) -> Memory:
        """Return agent k's part; writing to it writes here."""
        parts: dict[str, Any] = {}
        for name, value in vars(self).items():
            whole = isinstance(value, dict)
            parts[name] = {n: a[k] for n, a in value.items()} if whole else value[k]
        return type(self)(**parts)

    def alone(self) -> SynapseMemory:
        """Return the synapses of one agent, as `of` gives it, as those of one replica."""
        names = [of.name for of in fields(SynapseMemory)]
        return SynapseMemory(*({n: a[None] for n, a in getattr(self, of).items()} for of in names))

    def forget(self) -> None:
        """Forget all that doesn't outlive an episode."""
        super().forget()
        self.value_trace[...] = 0.0
        self.expected[...] = np.nan
        for key, values in self.variables.items():
            values[...] = self.beginnings[key]

    def state(self) -> dict[str, FloatArray]:
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

    def restore(self, state: dict[str, FloatArray]) -> None:
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
        self.value[...] = take_shown(state, "critic", self.value.shape)
        self.mean_reward[0] = take_shown(state, "mean_reward", ())
        for name, mean in self.means.items():
            mean[0] = take_shown(state, f"{_MEAN}{name}", ())
        self.decisions[0] = take_count(state, "decisions")
        self.forget()

    def lasting_arrays(self) -> dict[str, Array]:
        """Return what outlives an episode beside weights, norms and the critic, by name."""
        return {}

    def restore_lasting(self, arrays: Mapping[str, Array]) -> None:
        """Take another agent's `lasting_arrays`. Raises RunError if they don't fit."""
        for name, array in self.lasting_arrays().items():
            array[...] = take_shown(arrays, name, array.shape, kind_of(array))

    def passing(self) -> dict[str, Array]:
        """Copy what one agent forgets at the end of the episode that it is in."""
        kinds = (*PASSING, "variables")
        arrays = {f"{of}.{n}": a.copy() for of in kinds for n, a in getattr(self, of).items()}
        return {**arrays, **{name: getattr(self, name).copy() for name in _PASSING}}

    def restore_passing(self, state: dict[str, Array]) -> None:
        """Go on from one agent's `passing`. Raises KeyError or ValueError if it doesn't fit."""
        for key in Memory.passing(self):
            of, _, name = key.partition(".")
            array = getattr(self, of)[name] if name else getattr(self, of)
            kind, may_be_nan = kind_of(array), of == "expected"
            array[...] = take_shown(state, key, array.shape, kind, may_be_nan=may_be_nan)

    def adopt(
        self,
        state: dict[str, FloatArray],
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
            self.value[...] = take_shown(state, "critic", self.value.shape)
        one = {name: w[None] for name, w in self.weights.items()}
        for layer, signs in _feedback_signs(network, one, 1).items():
            if layer not in drawn:
                self.signs[layer][...] = signs[0]
        self.forget()


def kind_of(array: Array) -> str:
    """Return the kind of an array's numbers, as `take` has it."""
    return {"b": "bool", "i": "whole"}.get(array.dtype.kind, "float")


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
    n = len(next(iter(weights.values())))
    plastic = {p.name: p for p in network.projections if p.plasticity is not None}
    of = {p.name: layer for layer in plan.layers for p in layer.into}
    # As files have them.
    layers = [*{of[name].key: of[name] for name in plastic if name in of}.values()]
    depths = {node.name: 0 for node in network.nodes}
    for name, p in plastic.items():
        depths[p.pre] = max(depths[p.pre], network.delay_steps(name)) if config.carries else 0
    learning = {name: weights[name].copy() for name in plastic}
    signs = _feedback_signs(network, learning, n)
    signs |= _random_signs(signs, plan.with_random_feedback, seeds)
    variables = {
        f"{x}.{one.into.name}": (np.zeros((n, one.n_of[owner_of(x)])), one.rule.initial.get(x, 0.0))
        for one in plan.statements
        for x in one.rule.variables
    }
    return Memory(
        **empty(
            layers,
            learning,
            eligibilities,
            {node.name: (depths[node.name], node.size) for node in network.nodes},
        ),
        in_force={
            p.name: weights[p.name].copy()
            for p in network.projections
            if p.post in {q.post for q in plastic.values()}
        },
        norm={layer.key: np.full((n, 1), np.nan) for layer in layers},
        signs=signs,
        means={name: np.zeros((n, 1)) for name in config.modulators or {}},
        accumulator={
            name: zeros_on_lines(w.shape, np.float64)
            for name, w in learning.items()
            if config.writes.accumulates
        },
        variables={key: begun + value for key, (begun, value) in variables.items()},
        beginnings={key: np.full((n, 1), value) for key, (_, value) in variables.items()},
        **unlearned(n, config.critic.n_values(config.features)),
    )


def unlearned(n: int, n_features: int = 0) -> PlainData:
    """Return what a `Memory` of *n* agents has of decisions and a linear critic at first."""
    linear = {x: np.zeros((n, n_features)) for x in ("x", "value", "value_trace")}
    expected, decisions = np.full((n, 1), np.nan), np.zeros((n, 1), dtype=np.int64)
    mean_reward = np.zeros((n, 1))
    return {**linear, "mean_reward": mean_reward, "expected": expected, "decisions": decisions}


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
