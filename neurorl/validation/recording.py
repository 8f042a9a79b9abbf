"""Record what one backend does with a stimulus: spikes, states after windows, decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import Arithmetic
from neurorl.backends.base import Raster
from neurorl.backends.spec import BackendSpec
from neurorl.models.agent.policies import choose, votes
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import DrawRows, Stream
from neurorl.validation.history import History, acts_of, enact
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

__all__ = ["SubjectRecording", "record"]


@dataclass
class SubjectRecording:
    """Hold what one backend did with a stimulus.

    history: a call for each window. rasters: ``(steps, size)`` by population.
    decisions: the agent's action in each window; empty without an agent.
    """

    history: History
    rasters: dict[str, Raster]
    decisions: npt.NDArray[np.int64]

    @property
    def spec(self) -> BackendSpec:
        return self.history.spec

    @property
    def arithmetic(self) -> Arithmetic:
        """Return the arithmetic that the backend should follow."""
        return self.history.arithmetic

    @property
    def weights(self) -> dict[str, FloatArray]:
        """Return the effective weights at the end, as the backend reports them."""
        return self.history.held


def record(
    subject: Subject,
    spec: BackendSpec,
    stimulus: Sequence[InputWindow],
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> SubjectRecording:
    """Run a stimulus on a backend; advance: called with the number of steps of each window."""
    acts = acts_of(subject, stimulus)
    history = enact(subject.network, spec, seed, acts, subject.t, advance)
    rasters = {p.name: history.raster(p.name) for p in subject.network.populations}
    return SubjectRecording(history, rasters, decide(subject, rasters.get("output"), seed))


def decide(subject: Subject, output: Raster | None, seed: int) -> npt.NDArray[np.int64]:
    """Return the agent's action of each window, by its policy and with its draws."""
    config = subject.config
    if config is None or output is None:
        return np.zeros(0, dtype=np.int64)
    first = 0 if config.carries else subject.network.depth("output")
    draws = DrawRows(seed, Stream.ACTION, 1)
    chosen = []
    for k, window in enumerate(output.reshape(-1, config.window, output.shape[1])):
        n = votes(window, subject.n_actions, first)
        chosen.append(choose(config.policy.distribution(n), float(draws(k)[0])))
    return np.array(chosen, dtype=np.int64)
