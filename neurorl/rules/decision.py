"""Define the input of a rule for one window, and its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from neurorl.numerics.arrays import BoolArray, FloatArray, IntArray

Array = FloatArray


@dataclass(frozen=True)
class HiddenLayer:
    """Hold a layer of n neurons in a window of W steps, mostly a hidden one.

    spikes: raster ``(W, n)``.
    first: the first step that input can have reached.
    lag: steps until a spike of this layer reaches the output; 0 if it is the output.
    signs: ``(n,)`` of +-1, the sign of each neuron's path to its output before learning.
    p: spike probabilities ``(W, n)`` given the input, None if the rule needs none.
    paths: path weights in force, ``(n,)``, None if the rule needs none.
    in_modules: whether each neuron belongs to the module of one output neuron; if not, nothing is
        broadcast to it, and phi, t and b are 1.
    named: other names of the rule, such as v or a signal: a number, ``(n,)`` or ``(W, n)``.
    """

    spikes: BoolArray
    first: int
    lag: int
    signs: Array
    p: Array | None = None
    paths: Array | None = None
    in_modules: bool = True
    named: Mapping[str, Array | float] = field(default_factory=dict)


@dataclass(frozen=True)
class Decision:
    """Hold one window of W steps, and the action that was chosen by its votes.

    action: index of the action; for a batch of decisions, or several groups, an index for each.
    phi: ``1[m = action] - policy_m`` of each module m, ``(n_actions,)``; for modules that code a
        number, its score (`neurorl.models.agent.gaussian_policy`).
    output: raster ``(W, n)`` of the output population.
    output_from: the first step that input can have reached.
    hidden: layers from the output down.
    output_p: spike probabilities ``(W, n)`` given the input, None if the rule needs none.
    output_named: as `Hidden.named`.
    t: as in `Broadcast`; None is 1 for *action* and -1 for others.
    """

    action: int | IntArray
    phi: Array
    output: BoolArray
    output_from: int
    hidden: tuple[HiddenLayer, ...] = ()
    output_p: Array | None = None
    output_named: Mapping[str, Array | float] = field(default_factory=dict)
    t: Array | None = None

    @cached_property
    def output_layer(self) -> HiddenLayer:
        """Return the output as a layer, with a path to itself of no step and weight 1."""
        p, ones = self.output_p, np.ones(self.output.shape[1])
        named = self.output_named
        return HiddenLayer(self.output, self.output_from, 0, ones, p, paths=ones, named=named)

    def from_start(self) -> Decision:
        """Return the same window, with every step counted."""
        if not self.output_from and not any(h.first for h in self.hidden):
            return self
        hidden = tuple(replace(h, first=0) for h in self.hidden)
        return replace(self, output_from=0, hidden=hidden)


@dataclass(frozen=True)
class Broadcast:
    """Hold what a decision broadcasts to its modules: phi and t, ``(n_actions,)`` each.

    action: as in `Decision`. t: +1 for modules of the chosen action, -1 for others, 0 if masked.
    """

    action: int | IntArray
    phi: Array
    t: Array

    @classmethod
    def of(cls, action: int, policy: Array) -> Broadcast:
        """Return the broadcast of *action*, drawn from *policy*."""
        t = 2.0 * chosen(action, len(policy)) - 1.0
        return cls(action, feedback(action, policy), t)


@dataclass(frozen=True)
class Factors:
    """Hold post factors ``(W, n)`` of the output and of hidden layers, from the output down."""

    output: Array
    hidden: tuple[Array, ...]


def feedback(action: int, policy: Array) -> Array:
    """Return ``phi_m = 1[m = action] - policy_m``, shape ``(n_actions,)``."""
    phi = -policy
    phi[action] += 1.0
    return phi


def chosen(action: int | IntArray, n_actions: int) -> Array:
    """Return ``g_m = 1[m = action]``, shape ``(n_actions,)``; *action* may hold several."""
    gate = np.zeros(n_actions)
    gate[action] = 1.0
    return gate


def per_module(per_action: Array, n: int) -> Array:
    """Repeat one number per action to one per output neuron, n in all, actors outermost."""
    return np.tile(per_action, n // len(per_action))
