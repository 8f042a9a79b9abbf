"""Learn the values of states, and tell whether a step was better or worse than expected."""

from __future__ import annotations

import abc
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, ClassVar

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models.actor import hidden_sizes
from neurorl.models.agent.answers import Check, finite_number, refused, whole_number
from neurorl.models.agent.memories import check_changes
from neurorl.models.agent.parts import Part, Registry
from neurorl.models.features import Features
from neurorl.network.description import Network
from neurorl.network.limits import MAX_SIZE, MAX_TAPS
from neurorl.network.serialization import (
    Count,
    NotNegative,
    Number,
    Range,
    Share,
    check_kind_or_none,
    number,
    positive,
)
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.numerics.elementary import dot
from neurorl.rules.three_factor import td_error

__all__ = [
    "CRITICS",
    "Critic",
    "Layers",
    "Linear",
    "LinearCritic",
    "Optimistic",
    "Spiking",
    "SpikingCritic",
]


class _Heard:
    """Check the TD errors that a user's critic computes."""

    def __init__(self, where: str, critic: Any) -> None:
        self._where, self._critic = f"{where}, modulator", critic

    def __getattr__(self, name: str) -> Any:
        return getattr(self._critic, name)

    def modulator(self, reward: float, discount: float, x_next: FloatArray, rate: float) -> float:
        """Return the TD error, which must be finite if the reward is."""
        error = self._critic.modulator(reward, discount, x_next, rate)
        return finite_number(self._where, error) if isfinite(reward) else error


def _values(where: str, answer: object, *_: object) -> Any:
    if not callable(getattr(answer, "modulator", None)):
        limit = "an object with a method modulator, as LinearCritic"
        raise refused(where, "answers no critic", answer, limit, "return one")
    return answer if type(answer) is LinearCritic else _Heard(where, answer)


@dataclass(frozen=True, eq=False)
class Critic(Part, abc.ABC):
    """Learn the value of states from the agent's ``features``; derive critics from this class.

    alpha: step size; for a linear critic the fraction of an error that one step removes.
    lambda_: share of an eligibility left after a decision, before the factor gamma.
    population: name of the population that codes the value; None if the host computes it.
    neurons: how many it has in an agent's own network. initial_value: of every state before
        anything is learned. changes: how many last changes of the observation the features read.
    """

    answers: ClassVar[Mapping[str, Check]] = {"values": _values, "n_values": whole_number(0)}
    attributes: ClassVar[Mapping[str, Check]] = {
        "alpha": functools.partial(number, low=0.0),
        "lambda_": functools.partial(number, low=0.0, high=1.0),
        "initial_value": number,
        "changes": functools.partial(positive, least=0, most=MAX_TAPS),
        "neurons": functools.partial(positive, least=0, most=MAX_SIZE),
        "population": functools.partial(check_kind_or_none, kind=str),
    }
    population: ClassVar[str | None] = None
    initial_value = 0.0
    changes = 0
    neurons = 0
    _place = "agent.critic"

    alpha: NotNegative = 0.05
    lambda_: Share = 0.9

    def check(self, features: Features, cells: Features, window: int) -> None:
        """Raise DescriptionError for features or a window that it can't use."""

    def check_network(self, network: Network, features: Features) -> None:
        """Raise DescriptionError unless a user's network has what this critic needs."""

    @property
    def widening(self) -> str:
        """Name, for a warning, the option that lets the critic express larger values."""
        return "weight_bound"

    def n_values(self, features: Features) -> int:
        """Return how many weights the host keeps for it."""
        return features.size

    def values(
        self, weights: FloatArray, trace: FloatArray, x: FloatArray, gamma: float
    ) -> LinearCritic:
        """Return the object that computes TD errors on the host, from arrays ``(n_values,)``."""
        decay = gamma * self.lambda_
        return LinearCritic(weights, trace, x, self.alpha, decay, self.initial_value)

    def reader(self, network: Network, window: int, carries: bool) -> SpikingCritic | None:
        """Return the object that reads the value from the population's spikes, or None."""
        return None


@dataclass(frozen=True, eq=False)
class Linear(Critic, called="linear", kernel="linear"):
    """Judge states by a weighted sum of features, learned by TD(lambda) on the host.

    changes: how many last changes of the observation the features also read
        (`neurorl.models.agent.memories.ObservationHistory`).
    """

    changes: Annotated[int, Range(0, MAX_TAPS)] = 0

    def check(self, features: Features, cells: Features, window: int) -> None:
        check_changes(features, cells, self.changes)


@dataclass(frozen=True, eq=False)
class Optimistic(Linear, called="optimistic", kernel="linear"):
    """Begin with the same value in all states: ``V = initial_value + v . x``, as `Linear` learns.

    Visited states fall short of a high one, so unvisited ones look better, and the agent explores.
    With that of random play, first errors tell good actions from bad ones, as in the default for
    actions that are numbers. initial_value: in units of scaled rewards. The gridworld code of
    arXiv:1910.06489 draws it from [0, 10) for each state, where a goal pays 10.
    """

    initial_value: Number = 1.0


@dataclass(frozen=True, eq=False)
class Spiking(Critic, called="spiking", kernel="spiking"):
    """Judge states by the rate of a population ``critic`` that sees the features as spikes.

    `neurorl.rules.registry.VALUE` teaches it.
    neurons: how many, even. scale: the value at which half of them spike in every step.
    """

    population: ClassVar[str | None] = "critic"

    neurons: Count = 200
    scale: NotNegative = 6.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.neurons % 2:
            what = "must be even: half of them add to the value and half take from it"
            raise DescriptionError("agent.critic.neurons", what, got=self.neurons)

    @property
    def widening(self) -> str:
        return f"critic.scale (now {self.scale:g})"

    def check(self, features: Features, cells: Features, window: int) -> None:
        if window < 3:
            what = "too short to count a critic's spikes"
            raise DescriptionError("agent.window", what, got=window, limit=">= 3")
        if not features.are_cells:
            what = "a spiking critic needs activations in [0, 1]"
            got = type(features).__name__
            raise DescriptionError("agent.features", what, got=got, remedy="RBF or Tiles")

    def check_network(self, network: Network, features: Features) -> None:
        where = "agent.description"
        sources = {source.name: source.size for source in network.sources}
        if sources.get("critic_input") != features.size:
            what = "needs a source 'critic_input' of a channel for each feature"
            got = sources.get("critic_input")
            raise DescriptionError(where, what, got=got, limit=features.size)
        sizes = {p.name: p.size for p in network.populations}
        if sizes.get("critic", 1) % 2:
            what = "needs a population 'critic' of an even number of neurons"
            raise DescriptionError(where, what, got=sizes.get("critic"))
        if not any(p.post == "critic" and p.plasticity for p in network.projections):
            raise DescriptionError(where, "has no projection into 'critic' that learns")

    def n_values(self, features: Features) -> int:
        return 0

    def reader(self, network: Network, window: int, carries: bool) -> SpikingCritic | None:
        first = 0 if carries else network.depth("critic")
        return SpikingCritic(network.node("critic").size, first, window, self.scale)


@dataclass(frozen=True, eq=False)
class Layers(Critic, called="layers", kernel="layers"):
    """Judge states by hidden layers of its own, which learn as the actor's do.

    It needs the trunk `neurorl.models.deep.trunk.Shared`, whose rule it learns by.
    hidden: sizes of its hidden layers, from the input up. alpha: step of its synapses for a
        normalised signal.
    """

    hidden: int | tuple[int, ...] = 128
    alpha: NotNegative = 2e-4
    lambda_: Share = 0.8

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.hidden, (list, tuple)):
            object.__setattr__(self, "hidden", hidden_sizes(self.hidden))
        hidden_sizes(self.hidden)

    def check(self, features: Features, cells: Features, window: int) -> None:
        what, remedy = "'layers' need shared hidden layers", "trunk 'shared', or critic 'linear'"
        raise DescriptionError("agent.critic", what, remedy=remedy)

    def n_values(self, features: Features) -> int:
        return 0


CRITICS = Registry("critic", Critic, Linear, Spiking, Optimistic, Layers)
"""Map the name of each critic to its class; ``CRITICS.register`` adds one."""


@dataclass
class LinearCritic:
    """Learn the values of states by TD(lambda), as a weighted sum of features.

    ``V = V_0 + v . x``, ``z <- gamma lambda z + x``, ``v <- v + alpha delta z / max(|x|**2, 1)``.
    weights, trace, x: v, z and the features of the present state, arrays of one shape that are
    written in place. alpha: step size, a fraction of the error removed at once. trace_decay: gamma
    lambda. initial: V_0. Source: Sutton & Barto, TD(lambda) with accumulating traces.
    """

    weights: FloatArray
    trace: FloatArray
    x: FloatArray
    alpha: float
    trace_decay: float
    initial: float = 0.0

    def value(self, x: FloatArray) -> float:
        """Return V of features *x*."""
        learned = dot(self.weights, x)
        return self.initial + learned if self.initial else learned

    def modulator(self, reward: float, discount: float, x_next: FloatArray, rate: float) -> float:
        """Return the TD error of the step to the state of features *x_next*, and learn from it.

        discount: gamma, or 0 after a terminal state. rate: scales the step.
        """
        delta = td_error(reward, discount, self.value(self.x), self.value(x_next))
        self.trace *= self.trace_decay
        self.trace += self.x
        step = rate * self.alpha * delta / max(dot(self.x, self.x), 1.0)
        self.weights += step * self.trace
        self.x[:] = x_next
        return delta


@dataclass(frozen=True)
class SpikingCritic:
    """Read the value from the rate of a population: ``V = scale sum_i b_i n_i / (N W)``.

    n_i counts the spikes of neuron i in the W steps from *first* on; b_i is +1 for the first half
    of the N neurons and -1 for the second. `neurorl.rules.registry.VALUE` teaches it.

    size: N. first: first step that the input can reach. steps: length of a window.
    """

    size: int
    first: int
    steps: int
    scale: float

    @property
    def unit(self) -> float:
        """Return how much one spike adds to V or subtracts from it."""
        return self.scale / (self.size * (self.steps - self.first))

    @property
    def signs(self) -> FloatArray:
        """Return b, shape ``(N,)``."""
        return np.where(np.arange(self.size) < self.size // 2, 1.0, -1.0)

    def value(self, raster: BoolArray) -> float:
        """Return V from the population's raster ``(steps, N)``."""
        counts = raster[self.first :].sum(axis=0)
        return self.unit * float(counts @ self.signs)
