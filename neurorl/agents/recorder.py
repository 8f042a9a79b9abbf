"""Record what an agent does and learns while it trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from neurorl.agents.episodes import Episode
from neurorl.backends.recording import Callback, Records, read_names
from neurorl.errors import UnsupportedError, check_name
from neurorl.learning.loops.base import Loop
from neurorl.learning.memory import Memory
from neurorl.numerics.arrays import Array
from neurorl.storage.plain import check_count

_SIGNALS = ("action", "modulator", "policy", "reward", "value")
_CHANGED = ("value", "value_trace", "x", "mean_reward")
"""List variables of an agent's memory that learning changes and signals depend on."""


class Recorder(Records):
    """Record decisions of an agent in training: ``agent.learn(..., record=Recorder([...]))``.

    names: ``NODE.spikes`` gives a row for each step of the window. A row for each decision is given
        by ``PROJECTION.weights`` (learned) and ``PROJECTION.eligibility``, both after learning from
        it, ``action``, ``policy``, ``reward`` (scaled), ``value`` (of the state before the action,
        before learning) and ``modulator`` (before it is clipped).
    episodes, every: record every *episodes*-th episode, in it every *every*-th decision, both
        counted since the agent's first.
    callback: called with ``(t, name, value)`` for each row, which then isn't kept.

    `times` count decisions; step s of the window of decision d is at ``d + s / window``. Recording
    doesn't change training by a bit. A recorder that is passed again goes on.

    `learn` raises UnknownNameError for a name that the agent doesn't have, UnsupportedError for an
    agent trained by gradients, and for value and modulator of a spiking critic, known only later.
    """

    def __init__(
        self,
        names: Sequence[str],
        episodes: int = 1,
        every: int = 1,
        callback: Callback | None = None,
    ) -> None:
        super().__init__(read_names(names, names), "decision", callback)
        self.episodes = check_count("Recorder, episodes", episodes)
        self.every = check_count("Recorder, every", every)

    def check(self, loop: Loop) -> None:
        """Raise an error unless the agent has everything that is to be recorded."""
        nodes = [*loop.window.inputs, *loop.window.rasters]
        known = [f"{name}.spikes" for name in nodes if name not in loop.backend.network.analog]
        known += [f"{p}.{kind}" for p in loop.memory.weights for kind in ("weights", "eligibility")]
        for name in self.names:
            check_name("recorded name", name, (*known, *_SIGNALS))
            if name in ("modulator", "value") and _is_late(loop):
                problem = "a spiking critic says it only with the next decision"
                raise UnsupportedError(f"Recorder {name!r}", problem, remedy="record others")

    def around(self, loop: Loop, played: Sequence[Episode]) -> Callable[[], None]:
        """Return one agent's `loop.learn` with recording; played: its finished episodes."""
        self.check(loop)
        memory = loop.memory.of(0)  # views

        def learn() -> None:
            decision = int(memory.decisions[0]) - 1
            if len(played) % self.episodes or decision % self.every:
                loop.learn()
                return
            before = {name: getattr(memory, name).copy() for name in _CHANGED}
            loop.learn()
            self._take(loop, memory, decision, before)

        return learn

    def _take(self, loop: Loop, memory: Memory, decision: int, before: dict[str, Array]) -> None:
        if any(name.endswith(".weights") for name in self.names):
            loop.settle()
        rasters = {**loop.window.inputs, **loop.window.rasters}
        steps = decision + np.arange(loop.config.window) / loop.config.window
        signals = self._signals(loop, before)
        for name in self.names:
            owner, _, kind = name.partition(".")
            if kind == "spikes":
                self._add(name, steps, rasters[owner])
                continue
            of_kind = {"weights": memory.weights, "eligibility": memory.eligibility}.get(kind)
            row = signals[name] if of_kind is None else of_kind[owner]
            self._add(name, np.array([float(decision)]), np.asarray(row)[None])

    def _signals(self, loop: Loop, before: dict[str, Array]) -> dict[str, Array | float]:
        """Return a decision's signals, computed as the NumPy loop does."""
        config, reward = loop.config, float(loop.reward[0])
        signals: dict[str, Array | float] = {
            "action": loop.actions[0],
            "policy": loop.probabilities[0],
            "reward": reward,
        }
        if _is_late(loop):
            return signals
        error = signals["value"] = 0.0
        if config.needs_critic:
            arrays = (before["value"], before["value_trace"], before["x"])
            critic = config.critic.values(*arrays, config.gamma)
            signals["value"] = critic.value(before["x"])
            x_next, rate = loop.memory.x[0], float(loop.rate[0])
            error = critic.modulator(reward, float(loop.discount[0]), x_next, rate)
        mean, step = before["mean_reward"], config.critic.alpha
        signals["modulator"] = config.modulator.signal(reward, error, mean, step)
        return signals


def _is_late(loop: Loop) -> bool:
    """Return whether a decision is learned from in the next one."""
    return loop.critic is not None or loop.config.trunk.is_shared
