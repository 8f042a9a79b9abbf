"""Define neurons whose step differs from the description: mixins for those of the reference.

Each holds in both arithmetics, and each change is a function of the neurons, the described method
and its argument. ``spiked`` are the neurons' own spikes of the step before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurorl.arithmetic.quantiser import VOLTAGE_MAX
from neurorl.numerics.arrays import Array

__all__ = ["mixin", "with_current", "with_membrane", "with_reset"]

Change = Callable[..., Any]


def mixin(detail: str, **changes: Change) -> type:
    """Return a class that changes methods of `neurorl.validation.neurons.Neurons`.

    detail: what is other than described, as a sentence. changes: by the method's name without the
    underscore; called with the neurons, the method as described, and the argument.
    """
    cls = type("Changed", (), {"detail": detail})
    for name, change in changes.items():
        method = name if name == "update" else f"_{name}"
        setattr(cls, method, _method(cls, method, change))
    return cls


def _method(cls: type, name: str, change: Change) -> Callable[..., Any]:
    def changed(self: Any, *arguments: Any) -> Any:
        return change(self, getattr(super(cls, self), name), *arguments)

    return changed


def with_membrane(detail: str, moved: Callable[[Any], Array]) -> type:
    """Return a class whose membranes move as *moved* says, within the register's range."""

    return mixin(detail, membrane=lambda n, described, steps: _in_range(n, moved(n)))


def with_current(detail: str, current: Callable[[Any, Any, Array], Array]) -> type:
    """Return a class whose currents are ``current(neurons, described method, input)``."""
    return mixin(detail, current=lambda n, described, q: np.asarray(current(n, described, q)))


def with_reset(detail: str, becomes: Callable[[Any, Array], Array], **changes: Change) -> type:
    """Return a class whose membranes are reset to something other than 0 by a spike."""

    def spike(n: Any, described: Any, over: Array) -> Array:
        before = n.v.copy()
        spikes: Array = described(over)
        n.v[spikes] = becomes(n, before)[spikes]
        return spikes

    return mixin(detail, spike=spike, **changes)


def _in_range(n: Any, v: Array) -> Array:
    return np.clip(v, -VOLTAGE_MAX, VOLTAGE_MAX) if hasattr(n, "_chip") else v


def current_left(n: Any, x: Array) -> Array:
    """Return what a step's decay leaves of a current."""
    if hasattr(n, "_chip"):
        return np.asarray(n._left(x, 4095 - n._chip.current_decay))
    return np.asarray(n._d.current_decay * x)


def left(n: Any, x: Array) -> Array:
    """Return what a step's decay leaves of a membrane."""
    if hasattr(n, "_chip"):
        return np.asarray(n._left(x, 4096 - n._chip.voltage_decay))
    return np.asarray(n._d.membrane_decay * x)


def _current_and_keep(n: Any, described: Any, q: Array) -> Any:
    n.before = n.u
    return described(q)


def _membrane_of_old_current(n: Any, described: Any, steps: Any) -> Any:
    now, n.u = n.u, n.before
    moved = described(steps)
    n.u = now
    return moved


MEMBRANE_FIRST = mixin(
    "the membrane moves before the current of the same step has arrived",
    current=_current_and_keep,
    membrane=_membrane_of_old_current,
)
INPUT_DECAYS = with_current(
    "input decays with the current: u <- d (u + q), not d u + q",
    lambda n, _, q: current_left(n, n.u + q),
)
SUM_DECAYS = with_membrane(
    "input decays with the membrane: v <- d (v + u + bias), not d v + u + bias",
    lambda n: left(n, n.v + n.u + n.bias),
)
CURRENT_DECAYS_TOO = with_membrane(
    "the current decays with the membrane: v <- d (v + u) + bias, not d v + u + bias",
    lambda n: left(n, n.v + n.u) + n.bias,
)
BIAS_DECAYS_TOO = with_membrane(
    "the bias decays with the membrane: v <- d (v + bias) + u, not d v + u + bias",
    lambda n: left(n, n.v + n.bias) + n.u,
)


BIAS_IN_CURRENT = mixin(
    "the bias goes into the current, not into the membrane",
    current=lambda n, described, q: np.asarray(described(q) + n.bias),
    membrane=lambda n, described, steps: _in_range(n, left(n, n.v) + n.u),
)


def _membrane_and_keep(n: Any, described: Any, steps: Any) -> Any:
    n.before = n.v
    return described(steps)


def _level_of_old_membrane(n: Any, described: Any, steps: Any) -> Any:
    now, n.v = n.v, n.before
    level = described(steps)
    n.v, n.moved = now, now.copy()
    return level


COMPARED_FIRST = mixin(
    "the membrane meets the threshold before it moves",
    membrane=_membrane_and_keep,
    noisy=_level_of_old_membrane,
)


def _noise_stays(n: Any, described: Any, steps: Any) -> Any:
    level = described(steps)
    n.v = np.where(n.dead > 0, n.v, level)
    return level


NOISE_STAYS = mixin("the noise stays in the membrane", noisy=_noise_stays)
CURRENT_SHARED = with_membrane(
    "the membrane takes 1 - d of the current: v <- d v + (1 - d) u + bias",
    lambda n: left(n, n.v) + (n.u - left(n, n.u)) + n.bias,
)
DRIVE_SHARED = with_membrane(
    "the membrane takes 1 - d of its input: v <- d v + (1 - d) (u + bias)",
    lambda n: left(n, n.v) + (n.u + n.bias) - left(n, n.u + n.bias),
)
INPUT_SHARED = with_current(
    "the current takes 1 - d of its input: u <- d u + (1 - d) q",
    lambda n, _, q: current_left(n, n.u) + q - current_left(n, q),
)

ORDERS = (
    *(MEMBRANE_FIRST, INPUT_DECAYS, SUM_DECAYS, CURRENT_DECAYS_TOO, BIAS_DECAYS_TOO),
    *(BIAS_IN_CURRENT, COMPARED_FIRST, NOISE_STAYS, CURRENT_SHARED, DRIVE_SHARED, INPUT_SHARED),
)
OF_CURRENT = (INPUT_DECAYS, INPUT_SHARED)
OF_MEMBRANE = (SUM_DECAYS, CURRENT_DECAYS_TOO, BIAS_DECAYS_TOO, CURRENT_SHARED, DRIVE_SHARED)
"""List the `ORDERS` that matter only if currents or membranes last beyond a step."""


def _keep(n: Any, before: Array) -> Array:
    return before


def _reset_at_start(n: Any, described: Any, steps: Any) -> Any:
    n.v = np.where(n.spiked, 0, n.v)
    return described(steps)


def _reset_at_end(n: Any, described: Any, over: Array) -> Any:
    before = n.v.copy()
    spikes = described(over)
    n.v[spikes] = before[spikes]
    n.v[n.spiked] = 0
    return spikes


def _clear_current(n: Any, described: Any, over: Array) -> Any:
    spikes = described(over)
    n.u[spikes] = 0
    return spikes


def _clear_current_late(n: Any, described: Any, q: Array) -> Any:
    n.u = np.where(n.spiked, 0, n.u)
    return described(q)


RESETS = (
    with_reset(
        "a spike subtracts the threshold and doesn't reset to 0", lambda n, v: v - n.threshold
    ),
    with_reset("a spike doesn't reset the membrane", _keep),
    with_reset(
        "a spike resets the membrane late, as the next step begins", _keep, membrane=_reset_at_start
    ),
    with_reset(
        "a spike resets the membrane a step late, before its threshold",
        _keep,
        membrane=lambda n, described, steps: np.where(n.spiked, 0, described(steps)),
    ),
    mixin("a spike resets the membrane a step late", spike=_reset_at_end),
    mixin("a spike clears the current too", spike=_clear_current),
    mixin("a spike clears the current too, as the next step begins", current=_clear_current_late),
)


def _step(n: Any, q: Array, steps: Any, held: Callable[[Any], None] = lambda n: None) -> Any:
    """Make a step in which a refractory membrane moves, but for what *held* does to it."""
    n.u = n._current(q)
    n.v = n._membrane(steps)
    held(n)
    return n._spike(n._noisy(steps) > n.threshold)


def _hold_until_last(n: Any) -> None:
    n.v[n.dead > 1] = 0


def _spike_while_dead(n: Any, described: Any, over: Array) -> Any:
    dead, n.dead = n.dead, np.zeros_like(n.dead)
    spikes = described(over)
    n.dead = np.where(spikes, n.dead, np.maximum(dead - 1, 0))
    return spikes


def _never_dead(n: Any, described: Any, q: Array, steps: Any) -> Any:
    n.u = n._current(q)
    n.v = n._membrane(steps)
    return _spike_while_dead(n, n._spike, n._noisy(steps) > n.threshold)


def _forget_current(n: Any, described: Any, q: Array) -> Any:
    n.u = np.where(n.dead > 0, 0, n.u)
    return described(q)


def _clear_until_free(n: Any, described: Any, over: Array) -> Any:
    spikes = described(over)
    n.u = np.where(n.dead > 0, 0, n.u)
    return spikes


REFRACTORY = (
    mixin(
        "the membrane integrates while refractory, and isn't held at 0",
        update=lambda n, _, q, steps: _step(n, q, steps),
    ),
    mixin(
        "the membrane integrates in the last refractory step",
        update=lambda n, _, q, steps: _step(n, q, steps, _hold_until_last),
    ),
    mixin(
        "the membrane is frozen while refractory, and isn't held at 0",
        update=lambda n, _, q, steps: _step(n, q, steps),
        membrane=lambda n, described, steps: np.where(n.dead > 0, n.v, described(steps)),
    ),
    mixin("neurons spike while refractory", spike=_spike_while_dead),
    mixin("the refractory time is counted, but nothing comes of it", update=_never_dead),
    mixin("the current is cleared while refractory, but for what arrives", current=_forget_current),
    mixin("the current is cleared from a spike on while refractory", spike=_clear_until_free),
    mixin(
        "the current is cleared while refractory",
        current=lambda n, described, q: np.where(n.dead > 0, 0, described(q)),
    ),
    mixin(
        "the current is frozen while refractory",
        current=lambda n, described, q: np.where(n.dead > 0, n.u, described(q)),
    ),
    mixin(
        "input that arrives while refractory is lost",
        current=lambda n, described, q: described(np.where(n.dead > 0, 0, q)),
    ),
)

BOTH_SIGNS = mixin(
    "a membrane below minus the threshold spikes too",
    spike=lambda n, described, over: described(over | (n.level < -n.threshold)),
)
UNBOUNDED = mixin(
    "registers don't overflow, as the chip's do",
    held=lambda n, _, x, bits: np.asarray(x, dtype=np.int64),
)
SATURATED = mixin(
    "registers stay at their largest value, where the chip's overflow",
    held=lambda n, _, x, bits: np.clip(np.asarray(x, np.int64), -(1 << bits), (1 << bits) - 1),
)
ROUNDED_DOWN = mixin(
    "decays are rounded down, not towards zero",
    left=lambda n, _, x, factor: np.asarray((x * factor) >> 12),
)
ROUNDED_NEAREST = mixin(
    "decays are rounded to the nearest",
    left=lambda n, _, x, factor: np.rint(x * factor / 4096).astype(np.int64),
)
