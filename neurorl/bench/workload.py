"""Define the workload that everything is measured on, and the closed loop that is measured.

A network of three layers, all-to-all, of leaky integrate-and-fire neurons; a window of `STEPS`
steps of 1 ms for each environment step. Every projection takes one step. In step t, with the
spikes of step t-1 *arriving*::

    v      <- MEMBRANE v + sum of w over arrived spikes;  spike if v > 1, then v = 0
    x_pre  <- TRACE x_pre + arrived                   of each projection
    y_post <- TRACE y_post + spike                    of each neuron, this step's spike included
    e      <- ELIGIBILITY e + PLUS x_pre spike_post - MINUS arrived_pre y_post

After the window the action is the output neuron of most spikes (the first of equals), and with the
reward r: ``m = r - rbar; rbar <- rbar + BASELINE_RATE m; w <- clip(w + RATE mean m e, +-4 mean)``,
*mean* the layer's mean initial weight. All but w and rbar becomes 0 at an episode's end. Replicas
are independent: own environment, weights and rbar; the same initial weights.

The size `DEEP` is another workload: the preset of agents with shared hidden layers, on `Bricks`.

The loops are generators: their state is in local variables, so an environment step costs no
attribute look-ups of the driver, which would count against the quickest candidates.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.errors import check_name
from neurorl.models.agent.critics import Layers
from neurorl.models.deep.observations import AsSeen
from neurorl.models.deep.trunk import Shared
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.storage.plain import PlainData
from neurorl.tasks.kinds import Environment, Shown
from neurorl.tasks.known import GRID_ID

Array = npt.NDArray[np.float32]

DT = 1e-3
STEPS = 20
TAU_MEMBRANE = TAU_TRACE = 20e-3
TAU_ELIGIBILITY = 100e-3
MEMBRANE = math.exp(-DT / TAU_MEMBRANE)
TRACE = math.exp(-DT / TAU_TRACE)
ELIGIBILITY = math.exp(-DT / TAU_ELIGIBILITY)
THRESHOLD, PLUS, MINUS = 1.0, 1.0, 0.5
RATE, BOUND, BASELINE_RATE = 1e-4, 4.0, 0.01

CHANNELS = 8
P_MAX = 0.1
CARTPOLE_SCALE = (2.4, 3.0, 0.21, 3.0)


@dataclass(frozen=True)
class Size:
    """Hold the numbers of neurons in the three layers.

    hidden_mean, output_mean: mean initial weights, with which both layers fire at about 27 Hz.
    task: the environment of a preset, whose own network is run, escape noise on; no other than
    neurorl has it, and the numbers are 0.
    """

    name: str
    inputs: int
    hidden: int
    outputs: int
    task: str = ""

    @property
    def hidden_mean(self) -> float:
        return 1.2 / (20.0 * self.inputs / 32.0)

    @property
    def output_mean(self) -> float:
        return 1.2 / (20.0 * 0.03 * self.hidden)

    @property
    def synapses(self) -> int:
        return self.hidden * (self.inputs + self.outputs)


SIZES = {s.name: s for s in (Size("small", 32, 200, 2), Size("large", 128, 1000, 10))}

DEEP = Size("deep", 400, 128, 3)
"""Let actor and critic have hidden layers of 128 neurons each, that all actions share."""

DENSE: PlainData = {
    **dict.fromkeys(("alpha_hidden", "alpha_output"), 2e-4),
    "trunk": Shared(observations=AsSeen()),
    "critic": Layers(hidden=DEEP.hidden, alpha=2e-4),
    "hidden": DEEP.hidden,
}
"""Map options of the size deep to their values: dense layers, which learn by local numbers."""


_TASKS = {"cartpole": "CartPole-v1", "gridworld": GRID_ID}
PRESETS = {name: Size(name, 0, 0, 0, task) for name, task in _TASKS.items()}
"""List what is trained when nobody says otherwise; it has no floor."""


def get_size(name: str) -> Size:
    """Return the size, or the preset, of this name. Raises UnknownNameError."""
    known = {**SIZES, DEEP.name: DEEP, **PRESETS}
    check_name("size", name, known)
    return known[name]


def initial_weights(size: Size) -> tuple[Array, Array]:
    """Draw uniform(0, 2 mean) with seed 0: ``(inputs, hidden)`` and ``(hidden, outputs)``."""
    rng = np.random.default_rng(0)
    w1 = rng.uniform(0, 2 * size.hidden_mean, (size.inputs, size.hidden))
    w2 = rng.uniform(0, 2 * size.output_mean, (size.hidden, size.outputs))
    return w1.astype(np.float32), w2.astype(np.float32)


class GaussianEncoder:
    """Encode observations as spike probabilities, by 8 Gaussian channels for each number.

    ``p = 0.1 exp(-(x - c)^2 / (2 sigma^2))``, x the observation over its scale, clipped to
    [-1, 1]; centres c evenly from -1 to 1, sigma their distance. Each step and channel is one
    Bernoulli(p) draw. Arrays are reused, so that the loop allocates nothing.
    """

    def __init__(self, size: Size, replicas: int = 1) -> None:
        n = size.inputs // CHANNELS
        scale = CARTPOLE_SCALE if n == len(CARTPOLE_SCALE) else np.ones(n)
        self._per_scale = np.float32(1.0) / np.asarray(scale, dtype=np.float32)
        self._centres = np.linspace(-1.0, 1.0, CHANNELS, dtype=np.float32)
        self._factor = np.float32(-0.5 * ((CHANNELS - 1) / 2.0) ** 2)
        self._p_max = np.float32(P_MAX)
        self._x = np.zeros((replicas, n), dtype=np.float32)
        self._d = np.zeros((replicas, n, CHANNELS), dtype=np.float32)
        self._columns = self._x[:, :, None]
        self._p = self._d.reshape(replicas, size.inputs)

    def __call__(self, observations: npt.ArrayLike) -> Array:
        """Encode ``(n,)`` or ``(replicas, n)`` to ``(replicas, inputs)``, always the same array."""
        x, d = self._x, self._d
        np.multiply(observations, self._per_scale, out=x, casting="same_kind")
        np.maximum(x, -1.0, out=x)
        np.minimum(x, 1.0, out=x)
        np.subtract(self._columns, self._centres, out=d)
        np.multiply(d, d, out=d)
        np.multiply(d, self._factor, out=d)
        np.exp(d, out=d)
        np.multiply(d, self._p_max, out=d)
        return self._p


class Falls(gym.Wrapper[Any, Any, Any, Any]):
    """Give CartPole a reward of -1 for the step that ends in a fall."""

    def step(self, action: Shown) -> tuple[Shown, Shown, bool, bool, PlainData]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return observation, -1.0 if terminated else reward, terminated, truncated, info


class Sinusoids(Environment):
    """Show 16 sinusoids of drawn phase and frequency; reward action ``(t // 20) % 10`` by 1.

    Episodes of 200 steps, ended by truncation; 10 actions; t counts the steps, from 1.
    """

    _N, _ACTIONS, _LENGTH, _HOLD = 16, 10, 200, 20

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (self._N,), np.float64)
        self.action_space = gym.spaces.Discrete(self._ACTIONS)
        self._phase = np.zeros(self._N)
        self._frequency = np.zeros(self._N)
        self._t = 0

    def reset(
        self, *, seed: int | None = None, options: PlainData | None = None
    ) -> tuple[FloatArray, PlainData]:
        rng = np.random.default_rng(seed)
        self._phase = rng.uniform(0.0, 6.28, self._N)
        self._frequency = rng.uniform(0.01, 0.1, self._N)
        self._t = 0
        return np.sin(self._phase), {}

    def step(self, action: Shown) -> tuple[FloatArray, float, bool, bool, PlainData]:
        self._t = t = self._t + 1
        reward = 1.0 if action == t // self._HOLD % self._ACTIONS else 0.0
        return np.sin(self._phase + self._frequency * t), reward, False, t >= self._LENGTH, {}


class Bricks(Environment):
    """Show images like those of MinAtar's Breakout, and reward at random, whatever is done.

    Of 10 x 10 x 4 bits some 33 are set: 30 bricks, one of which moves each 100 steps, a paddle, and
    a ball with where it was. Episodes of 500 steps end by themselves; the images are drawn once.
    """

    _LENGTH = 500

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(0, 1, (10, 10, 4), np.bool_)
        self.action_space = gym.spaces.Discrete(3)
        rng = np.random.default_rng(0)
        images = np.zeros((self._LENGTH + 1, 10, 10, 4), dtype=np.bool_)
        bricks = np.arange(100) < 30
        steps = rng.choice([-1, 1], self._LENGTH + 1)
        paddle = np.abs((np.cumsum(steps) + 10) % 20 - 9.5).astype(int)
        x, y = (abs((np.arange(-1, self._LENGTH + 1) + n) % 18 - 9) for n in (0, 5))
        for t, image in enumerate(images):
            if t % 100 == 99:
                bricks[rng.choice(np.flatnonzero(bricks))] = False
                bricks[rng.choice(np.flatnonzero(~bricks))] = True
            image[..., 3] = bricks.reshape(10, 10)
            image[9, paddle[t], 0] = image[y[t + 1], x[t + 1], 1] = image[y[t], x[t], 2] = True
        self._images = list(images)
        self._rewards = (rng.random(self._LENGTH + 1) < 0.1).astype(float).tolist()
        self._t = 0

    def reset(
        self, *, seed: int | None = None, options: PlainData | None = None
    ) -> tuple[BoolArray, PlainData]:
        self._t = 0
        return self._images[0], {}

    def step(self, action: Shown) -> tuple[BoolArray, float, bool, bool, PlainData]:
        self._t = t = self._t + 1
        return self._images[t], self._rewards[t], t >= self._LENGTH, False, {}


def make_env(size: Size) -> Environment:
    """Make CartPole-v1 with a penalty for the small network, a preset's own, `Bricks` for the deep
    one, else `Sinusoids`.
    """
    if size.task:
        return gym.make(size.task)
    if size == DEEP:
        return Bricks()
    return Falls(gym.make("CartPole-v1")) if size.inputs == 32 else Sinusoids()


def episode_seed(replica: int, episode: int) -> int:
    """Return the seed for `reset`: ``1000 (replica + 1) + episode``."""
    return 1000 * (replica + 1) + episode


@dataclass(frozen=True)
class BenchLoop:
    """Run an agent in its environment, one of each for every replica.

    step: takes one environment step in every replica, learning included, and returns how many.
    close: frees everything. engine, arithmetic: what it really runs, for the row of the table.
    """

    step: Callable[[], int]
    close: Callable[[], None]
    engine: str
    arithmetic: str = "float32"


class BenchAgent(Protocol):
    """Describe a network with its rule, for one or many replicas."""

    def step(self, p: Array) -> Array:
        """Run a window at spike probabilities ``(replicas, inputs)``; return output counts.

        The counts may be overwritten by the next call.
        """

    def learn(self, m: object) -> None:
        """Update the weights for modulators, a float or ``(replicas,)``."""

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        """Zero everything but the weights, of these replicas or of all."""


def agent_loop(
    agent: BenchAgent,
    size: Size,
    replicas: int,
    *,
    engine: str,
    arithmetic: str = "float32",
    close: Callable[[], None] = lambda: None,
) -> BenchLoop:
    """Return the loop of a `BenchAgent` in the workload's environments."""
    running = _many(agent, size, replicas) if replicas > 1 else _one(agent, size)
    return BenchLoop(running.__next__, close, engine, arithmetic)


def _one(agent: BenchAgent, size: Size) -> Generator[int, None, None]:
    env, encode = make_env(size), GaussianEncoder(size)
    step, learn, env_step = agent.step, agent.learn, env.step
    episode, rbar = 0, 0.0
    observation, _ = env.reset(seed=episode_seed(0, 0))
    while True:
        action = int(step(encode(observation)).argmax())
        observation, reward, terminated, truncated, _ = env_step(action)
        m = float(reward) - rbar
        rbar += BASELINE_RATE * m
        learn(m)
        if terminated or truncated:
            agent.reset()
            episode += 1
            observation, _ = env.reset(seed=episode_seed(0, episode))
        yield 1


def _many(agent: BenchAgent, size: Size, replicas: int) -> Generator[int, None, None]:
    envs, encode = [make_env(size) for _ in range(replicas)], GaussianEncoder(size, replicas)
    env_steps = list(enumerate([env.step for env in envs]))
    observations = np.stack([e.reset(seed=episode_seed(b, 0))[0] for b, e in enumerate(envs)])
    episodes = [0] * replicas
    rewards, rbar = np.zeros(replicas), np.zeros(replicas)
    ended: list[int] = []
    while True:
        actions = agent.step(encode(observations)).argmax(1).tolist()
        for b, env_step in env_steps:
            observations[b], rewards[b], terminated, truncated, _ = env_step(actions[b])
            if terminated or truncated:
                ended.append(b)
        m = rewards - rbar
        rbar += BASELINE_RATE * m
        agent.learn(m)
        if ended:
            agent.reset(ended)
            for b in ended:
                episodes[b] += 1
                observations[b], _ = envs[b].reset(seed=episode_seed(b, episodes[b]))
            ended.clear()
        yield replicas
