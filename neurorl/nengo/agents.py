"""Let agents play in nengo's networks, and learn in them."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.agents.base import LearningAgent
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.nengo.imported import load_nengo
from neurorl.network.serialization import positive
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData
from neurorl.tasks.kinds import Environment, Shown, Space


def agent_node(agent: LearningAgent, every: int = 10, seed: int = 0, **options: Any) -> Any:
    """Return a `nengo.Node` in which *agent* plays; call it inside of ``with network:``.

    Its input is an observation, ``(size,)``, or one number of a Discrete space. In every *every*-th
    step it decides by its present input; its output is 1 at the action's place and 0 elsewhere,
    until the next decision. Training isn't affected. Each nengo simulator has its own player, so
    runs can be repeated.

    every: steps of nengo. seed, options: as in `LearningAgent.player`.
    """
    cells: Any = importlib.import_module("neurorl.nengo.cells")
    space, action_space = agent.env.observation_space, agent.env.action_space
    if not isinstance(action_space, gym.spaces.Discrete):
        where, what = "agent_node", "actions that aren't Discrete"
        raise UnsupportedError(where, what, got=action_space, limit="Discrete")
    if not isinstance(space, (gym.spaces.Box, gym.spaces.Discrete)):
        where, what = "agent_node", "observations that are no vector"
        raise UnsupportedError(where, what, got=space, limit="Box, Discrete")
    if agent.config.sees_rewards:
        where, what = "agent_node", "an agent that sees what its actions are paid"
        raise UnsupportedError(where, what, remedy="train it with sees_rewards=False")
    n_actions = int(action_space.n)

    def begin() -> Callable[[FloatArray], FloatArray]:
        player = agent.player(seed, **options)
        player.begin()

        def decide(signal: FloatArray) -> FloatArray:
            action = player.move(_observation(space, signal)).action
            return np.asarray(np.eye(n_actions)[int(action)])

        return decide

    size = 1 if isinstance(space, gym.spaces.Discrete) else int(np.prod(space.shape))
    playing = cells.Playing(begin, positive("agent_node: every", every), size, n_actions)
    return load_nengo().Node(playing, size_in=size, size_out=n_actions, label="agent")


def _observation(space: Space, signal: FloatArray) -> Shown:
    """Return *signal* as an observation of *space*, clipped to its bounds."""
    if isinstance(space, gym.spaces.Discrete):
        first = int(space.start)
        return int(np.clip(round(float(signal[0])), first, first + int(space.n) - 1))
    assert isinstance(space, gym.spaces.Box)
    return np.clip(signal.reshape(space.shape), space.low, space.high).astype(space.dtype)


class ActionOutput:
    """Give a Node of a `NengoEnv` its output: 1 at the action's place, else 0.

    size: number of actions.
    """

    def __init__(self, size: int) -> None:
        self.value = np.zeros(positive("Actions", size))

    def __call__(self, t: float) -> FloatArray:
        return self.value.copy()


class NengoEnv(Environment):
    """Make a nengo network an environment, in which agents can learn.

    network: contains ``nengo.Node(actions)`` and two probes.
    actions: an `ActionOutput`. observation, reward: probes; the last value of a window counts, of
        the reward its first number.
    every: nengo steps for each decision. decisions: limit of decisions in an episode.
    simulator: class of nengo or one of its backends, such as ``nengo_loihi.Simulator``, called with
        the network. An episode begins with a reset, or with a new simulator if it can't be reset.
    """

    def __init__(
        self,
        network: object,
        actions: ActionOutput,
        observation: Shown,
        reward: object,
        *,
        every: int = 10,
        decisions: int = 100,
        simulator: Callable[..., Any] | None = None,
    ) -> None:
        if not isinstance(actions, ActionOutput):
            what, got = "not neurorl.nengo.Actions", type(actions).__name__
            raise ArgumentError("NengoEnv.actions", what, got=got)
        self._network, self._actions = network, actions
        self._observed, self._reward = observation, reward
        self._every = positive("NengoEnv.every", every)
        self._limit = positive("NengoEnv.decisions", decisions)
        self._make = simulator or load_nengo().Simulator
        self._simulator: Any = None
        self._taken = 0
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (observation.size_in,), np.float64)
        self.action_space = gym.spaces.Discrete(len(actions.value))

    def reset(
        self, *, seed: int | None = None, options: PlainData | None = None
    ) -> tuple[FloatArray, PlainData]:
        """Begin an episode with one window without an action."""
        super().reset(seed=seed)
        self._actions.value[:] = 0
        self._taken = 0
        if self._simulator is not None:
            try:
                self._simulator.reset()
            except NotImplementedError:  # nengo-loihi's simulator can't reset
                self.close()
        if self._simulator is None:
            self._simulator = self._make(self._network, progress_bar=False)
        return self._advance()[0], {}

    def step(self, action: Shown) -> tuple[FloatArray, float, bool, bool, PlainData]:
        """Act for a window of steps."""
        if self._simulator is None:
            raise ArgumentError("NengoEnv.step", "no episode has begun", remedy="call reset()")
        self._actions.value[:] = 0
        self._actions.value[int(action)] = 1
        self._taken += 1
        observed, reward = self._advance()
        return observed, reward, False, self._taken >= self._limit, {}

    def _advance(self) -> tuple[FloatArray, float]:
        """Run a window; return the last observation and reward."""
        self._simulator.run_steps(self._every)
        observed = np.array(self._simulator.data[self._observed][-1], dtype=np.float64)
        reward = float(np.ravel(self._simulator.data[self._reward][-1])[0])
        self._simulator.clear_probes()
        return observed, reward

    def close(self) -> None:
        """Close the simulator."""
        if self._simulator is not None:
            self._simulator.close()
            self._simulator = None
