"""Define variants of the described step: what a population does if something is different.

Everything that a hypothesis may change is a field of `Variant`; the default of each is what the
description says. `neurorl.validation.evidence` predicts a history with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from neurorl.numerics.arrays import Array
from neurorl.program import NodeProgram
from neurorl.validation.history import History
from neurorl.validation.observed import Observed, Pathway


def latest(history: History, name: str, call: int) -> int:
    """Return the version of a projection's weights that the last write before a call brought."""
    return history.version(name, history.calls[call].writes)


def silence_after_reset(evidence: Observed, variable: str, before: Array) -> Array:
    """Return the state from which each call starts, ``(calls, size)``: 0 after a reset."""
    return np.where(evidence.fresh[:, None], evidence.rest(variable), before)


def weights_of(changes: Mapping[str, Callable[[Array], Array]]) -> Callable[[str, Array], Array]:
    """Return what changes the weights of some pathways, by name, and leaves others."""
    return lambda name, w: changes[name](w) if name in changes else w


@dataclass(frozen=True)
class Variant:
    """Define how a step differs from the description; by default not at all.

    cause: a word for it. detail: a sentence. change: of the neurons' program, see
    `neurorl.validation.rewriting`. freedom: how much of it was fitted to the backend: 0 nothing, 1
    a number, 2 numbers of each neuron, 4 of each synapse.
    arrivals: spikes of a projection that arrive in each step. order: of the projections, where sums
    depend on it. version: index of the weights in
    force among the history's; bias_version: of those in the bias of signed projections; late_by:
    steps by which both come later.
    values: the weights of a version, for transmission and bias. transmit: changes what a spike
    transmits. draws: noise of each step, ``(steps, size)``. start, finish:
    changes each variable before and after each call, ``(calls, size)``. recorded: changes the
    spikes that are recorded, not those that neurons had. of_steps: whether it says nothing of calls
    of several steps. of_all: whether it can't hold in some neurons and not in others.
    """

    cause: str
    detail: str
    change: Callable[[NodeProgram], NodeProgram] = lambda node: node
    freedom: int = 0
    arrivals: Callable[[Observed, Pathway], Array] = Observed.arriving
    order: Callable[[list[Pathway]], list[Pathway]] = lambda into: into
    version: Callable[[History, str, int], int] = latest
    bias_version: Callable[[History, str, int], int] = latest
    values: Callable[[History, str, int], Array] = lambda h, name, k: h.versions[name][k]
    transmit: Callable[[str, Array], Array] = lambda name, weights: weights
    draws: Callable[[Observed], Array] = lambda evidence: evidence.draws(evidence.t)
    start: Callable[[Observed, str, Array], Array] = silence_after_reset
    finish: Callable[[Observed, str, Array], Array] = lambda evidence, variable, after: after
    late_by: int = 0
    recorded: Callable[[Observed, Array], Array] = lambda evidence, spikes: spikes
    of_steps: bool = False
    of_all: bool = False


PLAIN = Variant("", "")
"""Leave the description as it is."""
