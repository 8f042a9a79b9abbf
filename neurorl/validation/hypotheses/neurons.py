"""Neurons whose step is other than described: mixins before those of the reference.

Each holds in both arithmetics. ``spiked`` are the neuron's own spikes of the step before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.quantiser import VOLTAGE_MAX

__all__ = ["Other", "current_left", "membrane_left"]

Array = npt.NDArray[Any]
Over = npt.NDArray[np.bool_]


def current_left(neurons: Any, x: Array) -> Array:
    """What a step's decay leaves of a current."""
    if hasattr(neurons, "_chip"):
        return np.asarray(neurons._left(x, 4095 - neurons._chip.current_decay))
    return np.asarray(neurons._d.current_decay * x)


def membrane_left(neurons: Any, x: Array) -> Array:
    """What a step's decay leaves of a membrane."""
    if hasattr(neurons, "_chip"):
        return np.asarray(neurons._left(x, 4096 - neurons._chip.voltage_decay))
    return np.asarray(neurons._d.membrane_decay * x)


class Other:
    """Base of the mixins: what `neurorl.backends.reference.neurons.Neurons` has."""

    u: Array
    v: Array
    dead: Array
    bias: Array
    threshold: Array
    spiked: Over
    moved: Array
    rows: Array

    def _in_range(self, v: Array) -> Array:
        on_chip = hasattr(self, "_chip")
        return np.clip(v, -VOLTAGE_MAX, VOLTAGE_MAX) if on_chip else v


class MembraneFirst(Other):
    """The membrane takes the current of the step before."""

    def _current(self, q: Array) -> Array:
        self._before = self.u
        return super()._current(q)  # type: ignore[misc,no-any-return]

    def _membrane(self, steps: Sequence[int]) -> Array:
        now, self.u = self.u, self._before
        moved = super()._membrane(steps)  # type: ignore[misc]
        self.u = now
        return moved  # type: ignore[no-any-return]


class InputDecays(Other):
    """``u <- d (u + q)``."""

    def _current(self, q: Array) -> Array:
        return current_left(self, self.u + q)


class InputShared(Other):
    """``u <- d u + (1 - d) q``."""

    def _current(self, q: Array) -> Array:
        return current_left(self, self.u) + q - current_left(self, q)


class SumDecays(Other):
    """``v <- d (v + u + bias)``."""

    def _membrane(self, steps: Sequence[int]) -> Array:
        return self._in_range(membrane_left(self, self.v + self.u + self.bias))


class CurrentDecaysToo(Other):
    """``v <- d (v + u) + bias``."""

    def _membrane(self, steps: Sequence[int]) -> Array:
        return self._in_range(membrane_left(self, self.v + self.u) + self.bias)


class BiasDecaysToo(Other):
    """``v <- d (v + bias) + u``."""

    def _membrane(self, steps: Sequence[int]) -> Array:
        return self._in_range(membrane_left(self, self.v + self.bias) + self.u)


class CurrentShared(Other):
    """``v <- d v + (1 - d) u + bias``."""

    def _membrane(self, steps: Sequence[int]) -> Array:
        shared = self.u - membrane_left(self, self.u)
        return self._in_range(membrane_left(self, self.v) + shared + self.bias)


class DriveShared(Other):
    """``v <- d v + (1 - d) (u + bias)``."""

    def _membrane(self, steps: Sequence[int]) -> Array:
        drive = self.u + self.bias
        return self._in_range(membrane_left(self, self.v) + drive - membrane_left(self, drive))


class BiasInCurrent(Other):
    """``u <- d u + q + bias``, ``v <- d v + u``."""

    def _current(self, q: Array) -> Array:
        return np.asarray(super()._current(q) + self.bias)  # type: ignore[misc]

    def _membrane(self, steps: Sequence[int]) -> Array:
        return self._in_range(membrane_left(self, self.v) + self.u)


class ComparedFirst(Other):
    """The membrane of the step before meets the threshold."""

    def _membrane(self, steps: Sequence[int]) -> Array:
        self._before = self.v
        return super()._membrane(steps)  # type: ignore[misc,no-any-return]

    def _noisy(self, steps: Sequence[int]) -> Array:
        now, self.v = self.v, self._before
        level = super()._noisy(steps)  # type: ignore[misc]
        self.v, self.moved = now, now.copy()
        return level  # type: ignore[no-any-return]


class NoiseStays(Other):
    """The noise stays in the membrane."""

    def _noisy(self, steps: Sequence[int]) -> Array:
        level = super()._noisy(steps)  # type: ignore[misc]
        self.v = np.where(self.dead > 0, self.v, level)
        return level  # type: ignore[no-any-return]


class Subtracts(Other):
    """A spike subtracts the threshold."""

    def _spike(self, over: Over) -> Over:
        before = self.v.copy()
        over = super()._spike(over)  # type: ignore[misc]
        self.v[over] = (before - self.threshold)[over]
        return over


class Kept(Other):
    """A spike leaves the membrane as it is."""

    def _spike(self, over: Over) -> Over:
        before = self.v.copy()
        over = super()._spike(over)  # type: ignore[misc]
        self.v[over] = before[over]
        return over


class ResetAtNextStart(Kept):
    """The membrane is reset as the next step begins."""

    def _membrane(self, steps: Sequence[int]) -> Array:
        self.v = np.where(self.spiked, 0, self.v)
        return super()._membrane(steps)  # type: ignore[misc,no-any-return]


class ResetInNextStep(Kept):
    """The membrane is reset before the next step's threshold."""

    def _membrane(self, steps: Sequence[int]) -> Array:
        moved = super()._membrane(steps)  # type: ignore[misc]
        return np.where(self.spiked, 0, moved)


class ResetAtNextEnd(Kept):
    """The membrane is reset after the next step's threshold."""

    def _spike(self, over: Over) -> Over:
        over = super()._spike(over)
        self.v[self.spiked] = 0
        return over


class SpikeClearsCurrent(Other):
    """A spike resets the current too."""

    def _spike(self, over: Over) -> Over:
        over = super()._spike(over)  # type: ignore[misc]
        self.u[over] = 0
        return over


class SpikeClearsCurrentLate(Other):
    """A spike resets the current as the next step begins."""

    def _current(self, q: Array) -> Array:
        self.u = np.where(self.spiked, 0, self.u)
        return super()._current(q)  # type: ignore[misc,no-any-return]


class IntegratesWhileDead(Other):
    """The membrane moves in dead steps, and only spikes are held back."""

    def update(self, q: Array, steps: Sequence[int]) -> Over:
        neurons: Any = self
        self.u = neurons._current(q)
        self.v = neurons._membrane(steps)
        return neurons._spike(neurons._noisy(steps) > self.threshold)  # type: ignore[no-any-return]


class HeldAStepLess(Other):
    """The membrane moves in the last dead step."""

    def update(self, q: Array, steps: Sequence[int]) -> Over:
        neurons: Any = self
        self.u = neurons._current(q)
        self.v = neurons._membrane(steps)
        self.v[self.dead > 1] = 0
        return neurons._spike(neurons._noisy(steps) > self.threshold)  # type: ignore[no-any-return]


class FrozenWhileDead(IntegratesWhileDead):
    """The membrane stays where it is in dead steps, and isn't 0."""

    def _membrane(self, steps: Sequence[int]) -> Array:
        return np.where(self.dead > 0, self.v, super()._membrane(steps))  # type: ignore[misc]


class NeverDead(Other):
    """Dead steps are counted, and nothing comes of it."""

    def update(self, q: Array, steps: Sequence[int]) -> Over:
        neurons: Any = self
        self.u = neurons._current(q)
        self.v = neurons._membrane(steps)
        dead, self.dead = self.dead, np.zeros_like(self.dead)
        over: Over = neurons._spike(neurons._noisy(steps) > self.threshold)
        self.dead = np.where(over, self.dead, np.maximum(dead - 1, 0))
        return over


class CurrentForgottenWhileDead(Other):
    """Nothing is left of a current in dead steps but what arrives."""

    def _current(self, q: Array) -> Array:
        self.u = np.where(self.dead > 0, 0, self.u)
        return super()._current(q)  # type: ignore[misc,no-any-return]


class CurrentClearedUntilFree(Other):
    """There is no current after a step as long as the neuron is dead in the next."""

    def _spike(self, over: Over) -> Over:
        over = super()._spike(over)  # type: ignore[misc]
        self.u = np.where(self.dead > 0, 0, self.u)
        return over


class SpikesWhileDead(Other):
    """Neurons spike in dead steps."""

    def _spike(self, over: Over) -> Over:
        dead, self.dead = self.dead, np.zeros_like(self.dead)
        over = super()._spike(over)  # type: ignore[misc]
        self.dead = np.where(over, self.dead, np.maximum(dead - 1, 0))
        return over


class CurrentClearedWhileDead(Other):
    """There is no current in dead steps."""

    def _current(self, q: Array) -> Array:
        return np.where(self.dead > 0, 0, super()._current(q))  # type: ignore[misc]


class CurrentFrozenWhileDead(Other):
    """The current stays as it is in dead steps."""

    def _current(self, q: Array) -> Array:
        return np.where(self.dead > 0, self.u, super()._current(q))  # type: ignore[misc]


class InputLostWhileDead(Other):
    """What arrives in dead steps is lost."""

    def _current(self, q: Array) -> Array:
        return super()._current(np.where(self.dead > 0, 0, q))  # type: ignore[misc,no-any-return]


class BothSigns(Other):
    """A membrane below minus the threshold spikes too."""

    def _spike(self, over: Over) -> Over:
        neurons: Any = self
        return super()._spike(over | (neurons.level < -self.threshold))  # type: ignore[misc,no-any-return]


class Unbounded(Other):
    """Registers don't overflow."""

    def _held(self, x: Array, bits: int) -> Array:
        return np.asarray(x, dtype=np.int64)


class Saturated(Other):
    """Registers stay at their largest value."""

    def _held(self, x: Array, bits: int) -> Array:
        return np.clip(np.asarray(x, dtype=np.int64), -(1 << bits), (1 << bits) - 1)


class RoundedDown(Other):
    """Decays are rounded down, not towards zero."""

    def _left(self, x: Array, factor: Array) -> Array:
        return np.asarray((x * factor) >> 12)


class RoundedNearest(Other):
    """Decays are rounded to the nearest."""

    def _left(self, x: Array, factor: Array) -> Array:
        return np.rint(x * factor / 4096).astype(np.int64)
