"""Do what mistaken neurons and backends do instead: parts for `mistakes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from faults.foreign import Cells, Foreign


def floor(at: float) -> Any:
    return lambda self: np.maximum(Cells.membrane(self), at)


def clear_sent(self: Foreign) -> None:
    for spikes in self.sent.values():
        spikes[:] = False


def clear(*names: str) -> Callable[[Foreign], None]:
    def clear(self: Foreign) -> None:
        for cells in self.neurons.values():
            for name in names:
                getattr(cells, name)[:] = 0

    return clear


def keep(*names: str) -> Callable[[Foreign], None]:
    """Silence all but some variables."""

    def silence(self: Foreign) -> None:
        for cells in self.neurons.values():
            for name in ("u", "v", "dead"):
                if name not in names:
                    getattr(cells, name)[:] = 0
        if "sent" not in names:
            clear_sent(self)

    return silence


def spike_clears_current(self: Cells, spikes: Any) -> None:
    self.v[spikes] = 0
    self.u[spikes] = 0


def subtract(self: Cells, spikes: Any) -> None:
    self.v[spikes] -= self.d.threshold[spikes]


def reset_late(self: Cells, spikes: Any) -> None:
    last = getattr(self, "last", np.zeros(self.size, bool))
    self.v[last] = 0
    self.__dict__["last"] = spikes.copy()


def clear_dead_current(self: Cells) -> None:
    self.u[self.dead > 0] = 0
    self.v[self.dead > 0] = 0


def take_late(self: Foreign, projection: str, weights: Any) -> None:
    waiting = self.__dict__.setdefault("waiting", {})
    if projection in waiting:
        self.w[projection] = waiting[projection]
        self.refresh(projection)
    waiting[projection] = weights


def take_second(self: Foreign, projection: str, weights: Any) -> None:
    count = self.__dict__.setdefault("count", {})
    count[projection] = count.get(projection, 0) + 1
    if count[projection] % 2:
        self.w[projection] = weights
        self.refresh(projection)


def note_start(self: Foreign) -> None:
    self.began = self.steps  # type: ignore[attr-defined]


def stale(self: Foreign, projection: str) -> None:
    """Leave the bias of signed projections as it was."""


def noisy_membrane(self: Cells) -> Any:
    return Cells.membrane(self) + self.d.noise_width * self.draw()


def leak_less(self: Cells) -> Any:
    """Lose a part of the membrane that grows with it, which has no name."""
    return Cells.membrane(self) - 0.01 * self.v**3


def lose_newest(self: Foreign) -> None:
    for spikes in self.sent.values():
        spikes[-1] = False


def take_first_only(self: Foreign, projection: str, weights: Any) -> None:
    if not self.writes:
        self.w[projection] = weights
        self.refresh(projection)


def take_next_call(self: Foreign, projection: str, weights: Any) -> None:
    self.__dict__.setdefault("pending", {})[projection] = weights


def apply_pending(self: Foreign) -> None:
    for projection, weights in self.__dict__.pop("pending", {}).items():
        self.w[projection] = weights
        self.refresh(projection)


def adding(self: Foreign, projection: str, weights: Any) -> None:
    self.w[projection] = (self.w[projection] + weights) / 2
    self.refresh(projection)


def one_weight(w: Any) -> Any:
    w = w.copy()
    w[1, 2] *= 1.5
    return w


def row(w: Any) -> Any:
    w = w.copy()
    w[2] *= 0.97
    return w


def draw_of_own(self: Cells) -> Any:
    rng = self.__dict__.setdefault("rng", np.random.default_rng(99))
    return rng.logistic(size=self.size)


def draw_normal(self: Cells) -> Any:
    rng = self.__dict__.setdefault("rng", np.random.default_rng(7))
    return rng.normal(size=self.size)


def freeze_current(self: Cells, q: Any) -> Any:
    return np.where(self.dead > 0, self.u, Cells.current(self, q))


def ignore_input(self: Cells, q: Any) -> Any:
    return Cells.current(self, np.where(self.dead > 0, 0, q))


def swap(self: Cells) -> Any:
    """Let neurons 0 and 1 take each other's decay."""
    decay = self.d.membrane_decay.copy()
    decay[[0, 1]] = decay[[1, 0]]
    return decay * self.v + self.u + self.bias


def reset_to(value: float) -> Any:
    def reset(self: Cells, spikes: Any) -> None:
        self.v[spikes] = value

    return reset


def halved(self: Cells, spikes: Any) -> None:
    self.v[spikes] *= 0.5


def after(steps: int) -> Any:
    return lambda backend: backend.steps >= steps


def silence_and_note(self: Foreign) -> None:
    """Count noise from a reset on."""
    Foreign.silence(self)
    self.__dict__["zero"] = self.steps


def steps_since(self: Foreign, population: str) -> int:
    """Return the steps since that reset."""
    return self.steps - int(self.__dict__.get("zero", 0))
