"""Choose an action by votes."""

from __future__ import annotations

import abc
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from neurorl.models.agent.answers import Check, Choice, array, refused, whole_number
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.limits import MAX_SIZE
from neurorl.network.serialization import Count, NotNegative, Range, Share, flag, number, positive
from neurorl.numerics.arrays import Array, BoolArray, FloatArray
from neurorl.numerics.elementary import exp, log

__all__ = [
    "POLICIES",
    "AnnealedSoftmax",
    "EpsilonGreedy",
    "Greedy",
    "Policy",
    "Softmax",
    "choose",
    "explore",
    "greedy",
    "softmax",
    "votes",
]


_MOST_REPEATS, _MOST_DRAWS, _MOST_DECISIONS = 1000, 4096, 2**40
_ROUNDING = 1e-6
Groups = Sequence[int]
Allowed = BoolArray | None
_TINY = 1e-300


def _distribution(where: str, answer: object, _: object, votes: FloatArray) -> Array:
    probabilities = array(where, answer, votes.shape, 0.0, 1.0)
    total = float(probabilities.sum())
    if abs(total - 1.0) > _ROUNDING:
        what = "answers probabilities of another sum"
        raise refused(where, what, total, "1", "divide them by their sum")
    return probabilities


def _choice(
    where: str,
    answer: object,
    policy: Policy,
    votes: FloatArray,
    groups: Groups,
    *_: object,
    **__: object,
) -> Choice:
    if not isinstance(answer, Choice):
        limit = "neurorl.models.agent.answers.Choice"
        raise refused(where, "answers no choice", answer, limit, "return one")
    for name in ("policy", "phi", "t"):
        array(f"{where}, {name}", getattr(answer, name), votes.shape)
    low, high = (-1.0, 1.0) if policy.is_continuous else (0, max(groups) - 1)
    array(f"{where}, actions", answer.actions, (len(groups),), low, high)
    return answer


@dataclass(frozen=True, eq=False)
class Policy(Part, abc.ABC):
    """Turn the votes of actions into their probabilities; derive policies from this class.

    The broadcast phi of a rule follows from these probabilities for every policy.

    is_continuous: whether it chooses numbers, which needs a Box of actions. draws: how many random
    numbers a choice takes. hold: decisions in a row that get the same random numbers. repeats: how
    often in a row an action is taken; decisions that only repeat it broadcast phi and t of 0.
    population: how many modules of each actor code a number.
    """

    answers: ClassVar[Mapping[str, Check]] = {
        "distribution": _distribution,
        "decide": _choice,
        "repeats_at": whole_number(1),
    }
    attributes: ClassVar[Mapping[str, Check]] = {
        "is_continuous": flag,
        "draws": functools.partial(positive, least=0, most=_MOST_DRAWS),
        "hold": functools.partial(positive, most=_MOST_DECISIONS),
        "repeats": functools.partial(positive, most=_MOST_REPEATS),
        "population": functools.partial(positive, most=MAX_SIZE),
        "exploration": functools.partial(number, low=0.0, high=1.0),
    }
    is_continuous: ClassVar[bool] = False
    draws: ClassVar[int] = 1
    _place = "agent.policy"
    hold = 1
    repeats = 1
    population = 1

    def repeats_at(self, decision: int) -> int:
        """Return the repeats in force at one of the agent's decisions, counted from 0."""
        return self.repeats

    def at_best(self) -> Policy:
        """Return the policy of an agent that doesn't explore."""
        return Greedy()

    def decide(
        self, votes: FloatArray, groups: Groups, allowed: Allowed, u: FloatArray, decision: int = 0
    ) -> Choice:
        """Choose one of each group of actions.

        votes: votes for the modules of all groups. groups: sizes of the groups. allowed: a mask of
        *votes*, None allows all; modules masked out have probability, phi and t of 0. u:
        ``(groups * draws,)`` in (0, 1). decision: how many decisions the agent made before.
        """
        policy, t, now = np.zeros(len(votes)), np.full(len(votes), -1.0), self.at(decision)
        actions, first = np.zeros(len(groups), dtype=np.int64), 0
        for g, size in enumerate(groups):
            group = np.arange(first, first + size)
            if allowed is not None:
                group = group[allowed[group]]
            policy[group] = now.distribution(votes[group])
            actions[g] = group[choose(policy[group], float(u[g]))]
            first += size
        t[actions] = 1.0
        if allowed is not None:
            t[~allowed] = 0.0
        phi = -policy
        phi[actions] += 1.0
        return Choice(policy, actions - np.cumsum([0, *groups[:-1]]), phi, t)

    def at(self, decision: int) -> Policy:
        """Return the policy of a decision, counted from 0."""
        return self

    def pull(self, readouts: FloatArray, probabilities: FloatArray, factor: float) -> FloatArray:
        """Return what moves the readouts of one choice whatever comes of it, ``(n,)``.

        It is *factor* times the gradient of the entropy H by the preferences,
        ``-pi (log pi + H)``; 0 where an action is masked.
        """
        logs = np.where(probabilities > 0.0, log(np.maximum(probabilities, _TINY)), 0.0)
        entropy = -float(np.add.accumulate(probabilities * logs)[-1])
        return np.asarray(factor * (-probabilities * (logs + entropy)))

    @property
    def exploration(self) -> float:
        """Return the share of actions that is drawn evenly."""
        return 0.0

    @abc.abstractmethod
    def distribution(self, votes: FloatArray) -> FloatArray:
        """Return the probability of each action by its count of votes, ``(n_actions,)``."""

    @property
    def remedy(self) -> str | None:
        """Name, for a warning, what makes the policy less certain; None if nothing does."""
        return None


@dataclass(frozen=True, eq=False)
class Softmax(Policy, called="softmax", kernel="softmax"):
    """Draw actions by ``exp(beta votes)``, and a share of them evenly.

    beta: inverse temperature, per vote. exploration: share of actions drawn evenly, in [0, 1]; phi
    takes it into account, so its mean stays 0. repeats: how many steps an action is kept, unless a
    mask forbids it; actions that pay only if they go on for long are found sooner.
    repeats_decisions: repeats fall evenly to 1 over so many of the agent's decisions; 0 keeps them,
    and so does learning by gradients. An agent that doesn't explore decides in every step.
    """

    beta: NotNegative = 0.3
    exploration: Share = 0.0
    repeats: Annotated[int, Range(1, _MOST_REPEATS)] = 1
    repeats_decisions: Annotated[int, Range(0, _MOST_DECISIONS)] = 0

    def repeats_at(self, decision: int) -> int:
        fall = self.repeats_decisions
        return self.repeats - (self.repeats - 1) * min(decision, fall) // max(fall, 1)

    def distribution(self, votes: FloatArray) -> FloatArray:
        return softmax(votes, self.beta, self.exploration)

    @property
    def remedy(self) -> str | None:
        return f"policy.beta (now {self.beta:g})"


@dataclass(frozen=True, eq=False)
class AnnealedSoftmax(Softmax, called="annealed-softmax", kernel="annealed-softmax"):
    """Draw actions as `Softmax` does, by an inverse temperature that grows as the agent decides.

    beta: initial value, per vote. beta_end, beta_decisions: beta goes to beta_end, evenly over so
    many of the agent's decisions. exploration: as in `Softmax`.

    Greedy play takes the most votes, so it comes to other states than the policy that learned,
    unless that is nearly as certain. Votes are noisy, as spikes are drawn; where 1 / beta is less
    than the width of that noise, both policies are alike. Learning by gradients keeps beta.
    """

    beta: NotNegative = 0.1
    beta_end: NotNegative = 0.4
    beta_decisions: Count = 100_000

    def at(self, decision: int) -> Softmax:
        share = min(decision / self.beta_decisions, 1.0)
        return Softmax(self.beta + share * (self.beta_end - self.beta), self.exploration)

    def distribution(self, votes: FloatArray) -> FloatArray:
        """Return the probability of each action with the final beta."""
        return self.at(self.beta_decisions).distribution(votes)

    @property
    def remedy(self) -> str | None:
        return f"policy.beta_end (now {self.beta_end:g})"


@dataclass(frozen=True, eq=False)
class Greedy(Policy, called="greedy", kernel="greedy"):
    """Take the action with the most votes; ties are drawn evenly."""

    def distribution(self, votes: FloatArray) -> FloatArray:
        return greedy(votes)


@dataclass(frozen=True, eq=False)
class EpsilonGreedy(
    Policy, called="epsilon-greedy", kernel="greedy"
):  # which explores with a share
    """Take the action with the most votes, or with probability *epsilon* any, drawn evenly.

    epsilon: in [0, 1]. The code of arXiv:1910.06489 has 0.1 (CartPole, MountainCar) and 0.01
    (gridworld); there ties go to the first action, here they are drawn evenly.
    """

    epsilon: Share = 0.1

    @property
    def exploration(self) -> float:
        return self.epsilon

    def distribution(self, votes: FloatArray) -> FloatArray:
        return explore(greedy(votes), self.epsilon)


POLICIES = Registry("policy", Policy, Softmax, Greedy, EpsilonGreedy, AnnealedSoftmax)  # type: ignore[type-abstract]
"""Map the name of each policy to its class; ``POLICIES.register`` adds one."""


def votes(output: BoolArray, n_actions: int, first_step: int) -> FloatArray:
    """Count the spikes of each action's modules over all actors from *first_step* on.

    output: raster ``(W, actors * n_actions)``, actors in the outer order. Returns ``(n_actions,)``.
    """
    counts = output[first_step:].sum(axis=0).reshape(-1, n_actions).sum(axis=0)
    return np.asarray(counts, dtype=np.float64)


def softmax(n: FloatArray, beta: float, exploration: float = 0.0) -> FloatArray:
    """Return ``(1 - exploration) exp(beta n_m) / sum + exploration / A``, of the shape of *n*."""
    # Less the maximum, so that exp can't overflow.
    z = exp(beta * (n - n.max()))
    return explore(np.asarray(z / np.add.accumulate(z)[-1]), exploration)


def explore(policy: FloatArray, share: float) -> FloatArray:
    """Return ``(1 - share) policy + share / A``: a share of actions is drawn evenly."""
    return np.asarray((1.0 - share) * policy + share / len(policy))


def greedy(n: FloatArray) -> FloatArray:
    """Put all probability on the most votes, shared evenly by ties."""
    best = n == n.max()
    return np.asarray(best / best.sum())


def choose(policy: FloatArray, u: float) -> int:
    """Return the action at *u* in (0, 1) of the cumulated policy."""
    # The last sum may round to less than 1, and u be above it.
    return min(int(np.searchsorted(np.add.accumulate(policy), u)), len(policy) - 1)
