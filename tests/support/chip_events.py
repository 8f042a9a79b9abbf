"""Count what happens inside the chip neurons of `stepwise`, for tests to know what they reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
from stepwise.neurons import ChipNeurons

from neurorl.arithmetic.quantiser import CURRENT_BITS, VOLTAGE_MAX


@contextmanager
def counting() -> Iterator[Counter[str]]:
    """Count neurons and steps of every `ChipNeurons` in which something rare happens."""
    events: Counter[str] = Counter()
    update = ChipNeurons.update

    def watched(
        self: ChipNeurons, q: npt.NDArray[Any], steps: Sequence[int]
    ) -> npt.NDArray[np.bool_]:
        _before(self, q, events)
        dead = self.dead > 0
        spikes = update(self, q, steps)
        events["dead steps"] += int(dead.sum())
        events["spikes"] += int(spikes.sum())
        events["lowest membrane"] += int((self.v == -VOLTAGE_MAX).sum())
        met = ~spikes & ~dead & (self.v == self._chip.threshold)
        events["threshold met"] += int(met.sum()) if self._noise is None else 0
        events["noise"] += int((self._noise or self._own_noise) is not None)
        return spikes

    ChipNeurons.update = watched  # type: ignore[method-assign,assignment]
    try:
        yield events
    finally:
        ChipNeurons.update = update  # type: ignore[method-assign]


def _before(neurons: ChipNeurons, q: npt.NDArray[Any], events: Counter[str]) -> None:
    chip = neurons._chip
    arrived = _wrapped(q, CURRENT_BITS)
    kept = np.sign(neurons.u) * (np.abs(neurons.u) * (4095 - chip.current_decay) >> 12)
    u = _wrapped(kept + arrived, 23)
    change = u + neurons.bias
    left = np.sign(neurons.v) * (np.abs(neurons.v) * (4096 - chip.voltage_decay) >> 12)
    v = left + _wrapped(change, 23)
    events["overflow of q"] += int((arrived != q).sum())
    events["overflow of u"] += int((u != kept + arrived).sum())
    events["overflow of u + bias"] += int((_wrapped(change, 23) != change).sum())
    events["beyond the highest membrane"] += int((v > VOLTAGE_MAX).sum())
    events["beyond the lowest membrane"] += int((v < -VOLTAGE_MAX).sum())
    # A rounding towards zero differs from one down wherever something negative is not whole.
    events["u rounded from below"] += int(((neurons.u < 0) & _broken(neurons.u, kept, chip)).sum())
    events["bias"] += int((neurons.bias != 0).sum())


def _wrapped(x: npt.NDArray[Any], bits: int) -> npt.NDArray[np.int64]:
    span = 2 ** (bits + 1)
    return np.asarray((x + span // 2) % span - span // 2)


def _broken(u: npt.NDArray[Any], kept: npt.NDArray[Any], chip: Any) -> npt.NDArray[np.bool_]:
    return np.asarray(u * (4095 - chip.current_decay) != kept * 4096)
