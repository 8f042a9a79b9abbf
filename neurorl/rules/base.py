"""Define what a rule is given, what it returns, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Decision", "Factors", "Hidden", "Rule", "feedback"]

Array = npt.NDArray[np.float64]
Raster = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hidden:
    """Hold a hidden layer of n neurons in a window of W steps.

    spikes: raster ``(W, n)``.
    first: the first step that input can have reached.
    lag: steps until a spike of this layer reaches the output, at least 1.
    signs: ``(n,)`` of +-1, the sign of each neuron's path to its output before learning.
    p: spike probabilities ``(W, n)`` given the input, None if the rule needs none.
    paths: path weights in force, ``(n,)``, None if the rule needs none.
    """

    spikes: Raster
    first: int
    lag: int
    signs: Array
    p: Array | None = None
    paths: Array | None = None


@dataclass(frozen=True)
class Decision:
    """Hold one window of W steps, and the action that was chosen by its votes.

    action: index of the action; for a batch of decisions, an index for each of them.
    phi: ``1[m = action] - policy_m`` of each module m, ``(n_actions,)``.
    output: raster ``(W, n)`` of the output population.
    output_from: the first step that input can have reached.
    hidden: layers from the output down.
    output_p: spike probabilities ``(W, n)`` given the input, None if the rule needs none.
    """

    action: int | npt.NDArray[np.int64]
    phi: Array
    output: Raster
    output_from: int
    hidden: tuple[Hidden, ...] = ()
    output_p: Array | None = None


@dataclass(frozen=True)
class Factors:
    """Hold post factors ``(W, n)`` of the output, and of the hidden layers from the output down."""

    output: Array
    hidden: tuple[Array, ...]


@dataclass(frozen=True)
class Rule:
    """Describe a learning rule: a pure function of a decision, and what that function needs.

    name: as users write it in ``rule=``.
    post_factors: what each neuron adds to the eligibility of its synapses in each step.
    needs_probability: reads spike probabilities; neurons must have escape noise.
    needs_paths: reads the path weights in force of hidden neurons.
    needs_modules: every hidden neuron must belong to the module of one output neuron.
    pairs_spikes: is spike-timing dependent: the eligibility decays in every step, and a spike that
        arrives after the neuron's own depresses (`neurorl.learning.learner`). Learns in any
        population.
    gates_depression: the broadcast to a module multiplies the depression too.
    needs_td_error: the modulator must be the TD error.
    is_centred: its post factors have the mean 0 while nothing is learned, so that an error of the
        critic doesn't let weights drift.
    counts_returns: where spikes come back to a population, its factors count from step 0, as its
        early spikes bear on its later ones.
    """

    name: str
    post_factors: Callable[[Decision], Factors]
    needs_probability: bool = False
    needs_paths: bool = False
    needs_modules: bool = True
    pairs_spikes: bool = False
    gates_depression: bool = False
    needs_td_error: bool = False
    counts_returns: bool = False
    is_centred: bool = False

    def __call__(self, decision: Decision) -> Factors:
        """Return the post factors of a decision."""
        return self.post_factors(decision)


def feedback(action: int, policy: Array) -> Array:
    """Return ``phi_m = 1[m = action] - policy_m``, shape ``(n_actions,)``."""
    phi = -policy
    phi[action] += 1.0
    return phi
