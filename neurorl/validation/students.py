"""Train agents on several backends, an update of every one at a time."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np

from neurorl.agents.budget import Budget
from neurorl.agents.replicas import Replicas
from neurorl.backends.checks import Inputs
from neurorl.backends.spec import BackendSpec
from neurorl.numerics.arrays import Array
from neurorl.tasks.groups import SeparateEnvs
from neurorl.tasks.specification import copy_env
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

_MOST_LOGGED = 10_000_000  # numbers
QUANTITIES = ("spikes", "trace", "eligibility", "weights", "in force", "critic")
"""List the quantities of a weight update in the order in which they are computed."""

Snapshot = Mapping[tuple[str, str], Array]
"""Map quantity and name of a population or projection to a copy of its values."""


class Student:
    """Train one backend's agent, with an environment of its own.

    snapshot: after the last update, or before the first. inputs, t: inputs and number of the first
    step of the last window. action, episode: of the last update. updates: an upper limit.
    log: every window so far, with the weights that were written before it; None if that is more
    than can be kept.
    """

    def __init__(self, subject: Subject, spec: BackendSpec, seed: int, updates: int) -> None:
        assert subject.config is not None
        assert subject.env is not None
        self.spec = spec
        self._network = subject.network
        is_registered = subject.env.spec is not None
        env = copy_env(subject.env) if is_registered else copy.deepcopy(subject.env)
        self._replicas = Replicas(
            SeparateEnvs([env]),
            subject.config,
            subject.n_actions,
            (seed,),
            backend=spec,
        )
        self._take(subject)
        self._playing = self._replicas.play(Budget(updates + 1))  # more episodes than can end
        self.inputs: Inputs = {}
        self.log: list[InputWindow] | None = []
        self._logged = 0
        self._begins = True
        self.action = self.episode = self.t = 0
        self.snapshot: Snapshot = self._snapshot()

    def close(self) -> None:
        self._replicas.close()

    @property
    def returns(self) -> list[float]:
        """Return the returns of episodes that have ended."""
        return [episode.ret for episode in self._replicas.episodes[0]]

    def update(self) -> None:
        """Take one environment step, and learn from it."""
        replicas = self._replicas
        ended = len(replicas.episodes[0])
        self._begins = self._begins or ended != self.episode
        self.episode = ended
        next(self._playing)
        window = replicas.loop.window
        before = self.snapshot
        self.inputs = {name: np.array(values) for name, values in window.inputs.items()}
        self.action = int(replicas.loop.actions[0])
        self.t = replicas.backend.t - replicas.config.window
        self.snapshot = self._snapshot()
        self._note(before)
        self._begins = False

    def _note(self, before: Snapshot) -> None:
        """Add a window to the log; *before*: the snapshot before its update."""
        if self.log is None:
            return
        config = self._replicas.config
        weights = [(name, w) for (quantity, name), w in before.items() if quantity == "weights"]
        writes = weights if self.log else []
        fresh = self._begins or not config.carries
        self.log.append(InputWindow(self.inputs, config.window, fresh, writes))
        self._logged += sum(x.size for x in (*self.inputs.values(), *(w for _, w in writes)))
        if self._logged > _MOST_LOGGED:
            self.log = None

    def _take(self, subject: Subject) -> None:
        """Set the agent's weights to the subject's, if it has some."""
        memory = self._replicas.loop.memory.of(0)
        for name, weights in subject.weights.items():
            memory.weights[name][...] = weights
        if subject.weights:
            self._replicas.loop.write(0)

    def _snapshot(self) -> Snapshot:
        replicas, network = self._replicas, self._network
        replicas.loop.settle()
        memory = replicas.loop.memory.of(0)
        copies: dict[tuple[str, str], Array] = {}
        for name, raster in replicas.loop.window.rasters.items():
            copies["spikes", name] = raster.copy()
        for name, trace in memory.trace.items():
            norm = memory.norm[network.projection(name).post]
            copies["trace", name] = np.concatenate([trace, norm])
            copies["eligibility", name] = memory.eligibility[name].copy()
            copies["weights", name] = memory.weights[name].copy()
            copies["in force", name] = replicas.backend.weights(name)
        values = [memory.value, memory.mean_reward, memory.expected]
        copies["critic", "critic"] = np.concatenate(values)
        return copies
