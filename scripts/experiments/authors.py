"""Run what the public programs of arXiv:1910.06489 do: their units, critics and updates.

Reimplemented from github.com/asneha213/spiking-agent-RL, commit f961c84, as it runs, oddities
included; all actors in one array. Every end of an episode is bootstrapped, as there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Rng = np.random.Generator


class Actors(Protocol):
    """Define what a program's actors do in a decision."""

    def forward(self, observation: Any) -> Values:
        """Return +-1 of each actor and action."""
        ...

    def update(self, delta: float, action: int, recent: float) -> None:
        """Learn from a TD error; recent: what the program's learning rate follows."""
        ...


def drawn(rng: Rng, p: Values) -> Values:
    """Return +-1, +1 with chance *p*."""
    return np.where(p > rng.random(p.shape), 1.0, -1.0)


def chance(z: Values) -> Values:
    """Return the chance of a unit to spike."""
    with np.errstate(over="ignore"):  # a chance of 0
        return np.asarray(1.0 / (1.0 + np.exp(-2.0 * z)))


@dataclass
class CartPoleActors:
    """Hold 10 actors of 2 modules with 200 units, which see the raw state; no biases."""

    rng: Rng

    def __post_init__(self) -> None:
        self.hidden = 0.01 * self.rng.random((10, 2, 200, 4))
        self.output = 0.01 * self.rng.random((10, 2, 200))

    def forward(self, observation: Any) -> Values:
        self._x = np.asarray(observation, dtype=np.float64)
        z = self.hidden @ self._x
        self._s = drawn(self.rng, chance(z))
        self._f = self._s - np.tanh(z)
        out = (self.output * self._s).sum(axis=2)
        self._y = drawn(self.rng, chance(out))
        self._g = self._y - np.tanh(out)
        return self._y

    def update(self, delta: float, action: int, recent: float) -> None:
        """Learn; the output of the action taken counts with +, of the other with -y."""
        rate = 1e-5 if recent > 70 and recent != 190 else 1e-3
        sign = np.where(np.arange(2) == action, 1.0, -self._y) * rate * delta
        self.hidden += (sign[:, :, None] * self._f)[..., None] * self._x
        self.output += (sign * self._g)[:, :, None] * self._s


@dataclass
class MountainCarActors:
    """Hold 20 actors of 5 shared units and 3 outputs, which see codes of 10 out of 20 channels."""

    rng: Rng

    def __post_init__(self) -> None:
        rng = self.rng
        self.hidden, self.hidden_bias = rng.random((20, 5, 20)), rng.random((20, 5))
        self.output, self.output_bias = rng.random((20, 3, 5)), rng.random((20, 3))
        self._codes = list(itertools.combinations(range(10), r=5))

    def forward(self, observation: Any) -> Values:
        place, velocity = (float(x) for x in observation)
        x = -np.ones(20)
        x[list(self._codes[int(10 * (place + 1.2) / 2.4)])] = 1
        x[np.array(self._codes[int(10 * (velocity + 0.07) / 0.14)]) + 10] = 1
        self._x = x
        self._s = drawn(self.rng, chance(self.hidden @ x + self.hidden_bias))
        z = (self.output @ self._s[..., None])[..., 0] + self.output_bias
        self._y = drawn(self.rng, chance(z - 0.5))
        return self._y

    def update(self, delta: float, action: int, recent: float) -> None:
        """Learn: plain spikes, as two comparisons there are never true."""
        step = 0.1 * delta
        self.hidden_bias += step * self._s
        self.hidden += step * self._s[..., None] * self._x
        self.output_bias += step * self._y
        taken = (np.arange(3) == action) | (delta > 0)
        self.output += step * (taken * self._y)[..., None] * self._s[:, None]


@dataclass
class GridWorldActors:
    """Hold 10 actors of 4 modules with 2 units of filters of 3 taps on 3 channels.

    A unit draws once for each channel and output once for each unit; the last draw is what goes on.
    """

    rng: Rng

    def __post_init__(self) -> None:
        self.hidden = self.rng.random((10, 4, 2, 3, 3))
        self.output = self.rng.random((10, 4, 2, 3))
        pairs = list(itertools.combinations(range(5), r=2))
        self._codes = list(itertools.combinations(pairs, r=3))

    def forward(self, observation: Any) -> Values:
        x = -np.ones((3, 5))
        for channel, places in enumerate(self._codes[int(observation)]):
            x[channel, list(places)] = 1
        taps = np.stack([x[:, 2:5], x[:, 1:4], x[:, 0:3]], axis=1)  # (channel, tap, step)
        p = chance(np.einsum("amukt,kts->amuks", self.hidden, taps))
        s = drawn(self.rng, p)
        self._dh = np.einsum("amuks,kts->amukt", (s + 1) / 2 - p, taps)
        last = s[:, :, :, -1]
        q = chance((last * self.output).sum(axis=-1))
        y = drawn(self.rng, q)
        self._do = ((y + 1) / 2 - q)[..., None] * last
        self._y = y[:, :, -1]
        return self._y

    def update(self, delta: float, action: int, recent: float) -> None:
        """Learn by whether an output agrees with the action that was carried out."""
        rate = 0.01 if recent < 0.4 else 0.001
        sign = np.where(np.arange(4) == action, 1.0, -1.0) * self._y * rate * delta
        self.hidden += sign[:, :, None, None, None] * self._dh
        self.output += sign[:, :, None, None] * self._do


@dataclass
class Fourier:
    """Hold a linear critic of Fourier features, whose value begins at 0."""

    low: Any
    width: Any
    order: int
    rate: float
    keep: float = 0.5
    gamma: float = 1.0
    weights: Values = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.low)
        self._waves = np.array(list(itertools.product(range(self.order + 1), repeat=n)))
        self.weights = np.zeros(len(self._waves))

    def begin(self) -> None:
        """Forget the traces."""
        self._trace = np.zeros(len(self.weights))

    def delta(self, before: Any, after: Any, reward: float) -> float:
        """Return the TD error, and learn from it."""
        x, y = self._features(before), self._features(after)
        self._trace = self.gamma * self.keep * self._trace + x
        delta = reward + self.gamma * self.weights @ y - self.weights @ x
        self.weights += self.rate * delta * self._trace
        return float(delta)

    def _features(self, state: Any) -> Values:
        scaled = (np.asarray(state, dtype=np.float64) + self.low) / self.width
        return np.asarray(np.cos(np.pi * (self._waves @ scaled)))


@dataclass
class Table(Fourier):
    """Hold a value for each state of the gridworld, drawn from [0, 10) at first."""

    rng: Rng = field(default_factory=np.random.default_rng)

    def __post_init__(self) -> None:
        self.weights = 10 * self.rng.random(101)

    def _features(self, state: Any) -> Values:
        return np.asarray(np.arange(101) == int(state) - 1, dtype=np.float64)


@dataclass(frozen=True)
class Program:
    """Hold one of the three: where it learns, its parts, its exploration, and how long.

    episodes: what is run here; theirs are 1000, 2000 and 100. discount: of the returns.
    """

    env: str
    actors: Callable[[Rng], Actors]
    critic: Callable[[Rng], Fourier]
    epsilon: float
    episodes: int
    discount: float = 1.0


PROGRAMS = {
    "gridworld": Program(
        "neurorl/GridWorld-v0",
        GridWorldActors,
        lambda rng: Table((0,), 1, 0, 0.1, 0.7, 0.9, rng=rng),
        0.01,
        600,
        0.9,
    ),
    "cartpole": Program(
        "neurorl/AuthorsCartPole-v0",
        CartPoleActors,
        lambda _: Fourier(
            np.array([3, 10, np.pi / 2, np.pi]), np.array([6, 20, np.pi, 2 * np.pi]), 5, 0.001
        ),
        0.1,
        250,
    ),
    "mountaincar": Program(
        "neurorl/AuthorsMountainCar-v0",
        MountainCarActors,
        lambda _: Fourier(np.array([0.5, 0.07]), np.array([1.7, 0.14]), 4, 0.01),
        0.1,
        100,
    ),
}


def run(program: Program, seed: int, episodes: int | None = None) -> list[float]:
    """Return the return of each episode, discounted where the program's is."""
    rng, env = np.random.default_rng(seed), gym.make(program.env)
    actors, critic, returns = program.actors(rng), program.critic(rng), list[float]()
    actions = int(env.action_space.n)  # type: ignore[attr-defined]
    for k in range(program.episodes if episodes is None else episodes):
        state, _ = env.reset(seed=seed if k == 0 else None)
        critic.begin()
        rewards: list[float] = []
        over = False
        while not over:
            votes = (actors.forward(state) > 0).sum(axis=0)
            action = int(np.argmax(votes))
            if rng.random() < program.epsilon:
                action = int(rng.integers(actions))
            after, reward, done, late, _ = env.step(action)
            over = done or late
            recent = rewards[-5:] if program.discount < 1 else returns[-10:]
            mean = float(np.mean(recent)) if recent else np.nan
            actors.update(
                critic.delta(state, after, float(reward)),
                _moved(state, after, action, program),
                mean,
            )
            rewards.append(float(reward))
            state = after
        returns.append(float(np.dot(rewards, program.discount ** np.arange(len(rewards)))))
    return returns


def _moved(before: Any, after: Any, action: int, program: Program) -> int:
    """Return the action that was carried out, which is what the gridworld's program learns.

    Where a wall held, that is the action chosen; there it may also be one that it veered to.
    """
    if program.discount == 1.0 or before == after:
        return action
    return {-10: 0, 10: 1, -1: 2, 1: 3}[int(after) - int(before)]
