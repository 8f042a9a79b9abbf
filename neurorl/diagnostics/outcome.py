"""Say what a training run came to: what it learned, or the cause that it learned nothing."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from neurorl.diagnostics.monitor import Finding
from neurorl.diagnostics.observed import Hidden
from neurorl.models.agent.config import AgentConfig
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData
from neurorl.tasks.first_play import FirstPlay

LEAST_EPISODES = 20
_FIRST, _LAST = 20, 100
_ERRORS, _FEW = 3.0, 10


@dataclass(frozen=True)
class RunVerdict:
    """Hold a run's verdict.

    kind: ``learned``, or the name of the cause in `neurorl.diagnostics.causes`. words: one line,
    *where: what; remedy*. measure: ``return`` or ``discounted return``, which the figures are of:
    means of the first and the last episodes, of random and of greedy play, and of play with actions
    drawn from the policy, as in training; None if not measured.
    share: what the cause was found by, in [0, 1]; None if it isn't a share.
    """

    kind: str
    words: str
    measure: str
    first: float | None
    last: float | None
    random: float | None
    greedy: float | None
    drawn: float | None
    share: float | None = None

    @property
    def has_learned(self) -> bool:
        """Return whether the agent has learned, so that no cause is named."""
        return self.kind == "learned"

    def to_dict(self) -> PlainData:
        """Return it as plain data."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Facts:
    """Hold what a verdict is made of.

    returns: of all episodes of training, ``(n,)``. steps: how many were trained for. findings: of
    the run's monitor. random, greedy, drawn: returns of whole episodes with actions that are drawn
    evenly, have the most votes, and are drawn from the policy; empty if none was played. look:
    finds what the agent can't see. has_moved: whether a weight has changed. rate: name and value of
    the rate of learning. only_action: the one that greedy play takes, whatever it sees, if any.
    """

    config: AgentConfig
    seed: int
    measure: str
    returns: FloatArray
    steps: int
    findings: Sequence[Finding] = ()
    random: FloatArray = field(default_factory=lambda: np.empty(0))
    greedy: FloatArray = field(default_factory=lambda: np.empty(0))
    drawn: FloatArray = field(default_factory=lambda: np.empty(0))
    look: Callable[[], Hidden] = Hidden
    has_moved: bool = True
    rate: str = "alpha_output"
    only_action: str = ""

    @functools.cached_property
    def hidden(self) -> Hidden:
        """Return what the agent can't see."""
        return self.look()

    @property
    def first(self) -> FloatArray:
        """Return the first returns, at most a quarter of all."""
        return self.returns[: max(1, min(_FIRST, len(self.returns) // 4))]

    @property
    def last(self) -> FloatArray:
        """Return the last returns, at most a quarter of all."""
        return self.returns[-max(1, min(_LAST, len(self.returns) // 4)) :]

    @property
    def is_better(self) -> bool:
        """Return whether the last returns surely exceed random play, or else the first ones.

        Those that probably do, by half as many errors, count if greedy play adds what is missing:
        of two independent numbers, each in errors of its own, the sum has an error of sqrt(2).
        """
        if len(self.random) < 2:
            return exceeds(self.last, self.first)
        trained, greedy = (errors_above(each, self.random) for each in (self.last, self.greedy))
        if trained > 1.0:  # a few long episodes spread means, not ranks
            trained = max(trained, _ranks_above(self.last, self.random))
        both = (trained + greedy) / math.sqrt(2.0)
        return trained > _ERRORS or (trained > _ERRORS / 2 and both > _ERRORS)

    @property
    def rival(self) -> str:
        """Return what the last returns are compared with."""
        return "random play" if len(self.random) > 1 else "at its start"

    @property
    def base(self) -> float:
        """Return the mean return of random play, or else of the first episodes."""
        return float(np.mean(self.random if len(self.random) > 1 else self.first))

    @property
    def gained(self) -> float:
        """Return by how much the last returns exceed `base`."""
        return float(np.mean(self.last)) - self.base

    @property
    def means(self) -> dict[str, float | None]:
        """Return the mean returns by the fields of `RunVerdict`."""
        names = ("first", "last", "random", "greedy", "drawn")
        return {name: mean_of(getattr(self, name)) for name in names}


def exceeds(higher: FloatArray, lower: FloatArray, errors: float = _ERRORS) -> bool:
    """Return whether one mean exceeds another by more than so many of their standard errors."""
    return errors_above(higher, lower) > errors


def errors_above(higher: FloatArray, lower: FloatArray) -> float:
    """Return by how many standard errors of the difference one mean is above another; 0 of nothing.

    The spread of fewer than 10 numbers is taken to be at least that of the others.
    """
    if not len(higher) or not len(lower):
        return 0.0
    spreads = [float(np.var(each, ddof=min(1, len(each) - 1))) for each in (higher, lower)]
    if min(len(higher), len(lower)) < _FEW:
        spreads = [max(spreads)] * 2
    error = math.sqrt(spreads[0] / len(higher) + spreads[1] / len(lower))
    least = 1e-9 * float(np.abs(lower).max(initial=1e-3))  # what rounding of sums may be
    return float(np.mean(higher) - np.mean(lower)) / max(error, least)


def _ranks_above(higher: FloatArray, lower: FloatArray) -> float:
    """Return how many standard errors of its own the rank sum of *higher* is above an even one."""
    n, m = len(higher), len(lower)
    shares = [np.mean(value > lower) - np.mean(value < lower) for value in higher]
    return float(np.mean(shares)) / 2.0 * math.sqrt(12.0 * n * m / (n + m + 1.0))


def mean_of(returns: FloatArray | Sequence[float]) -> float | None:
    """Return the mean; None of nothing, or if it isn't finite."""
    with np.errstate(over="ignore"):
        mean = float(np.mean(returns)) if len(returns) else math.nan
    return mean if math.isfinite(mean) else None


def returns_of(play: FirstPlay | None, gamma: float = 1.0) -> FloatArray:
    """Return the returns of a play's whole episodes, ``(n,)``, discounted by *gamma*."""
    if play is None:
        return np.empty(0)
    whole = play.rewards if play.is_over else play.rewards[:-1]
    return np.array([float(np.dot(r, gamma ** np.arange(len(r)))) for r in whole])


def trend(returns: FloatArray) -> tuple[float, float]:
    """Return by how much a straight line through *returns* rises, and its standard error."""
    n = len(returns)
    place = np.arange(n) - (n - 1) / 2
    spread = float(place @ place)
    slope = float(place @ returns) / spread
    rest = returns - returns.mean() - slope * place
    error = math.sqrt(float(rest @ rest) / max(1, n - 2) / spread)
    return slope * (n - 1), error * (n - 1)
