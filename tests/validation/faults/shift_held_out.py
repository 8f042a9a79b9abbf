"""List faults of shifts that were written, and not run, before explanations met them."""

from __future__ import annotations

from functools import partial

import numpy as np

from faults.case import Fault
from faults.chip_of_shifts import Ints, Layer, ShiftChip
from faults.shift_tools import (
    POPULATIONS,
    PROJECTIONS,
    Made,
    faults_of,
    of_chip,
    of_layers,
    of_projection,
    some,
    with_numbers,
)


def _short_register(rng: np.random.Generator) -> type[ShiftChip]:
    def change(layer: Layer) -> None:
        layer.shift_syn = np.minimum(layer.shift_syn, 3)

    return with_numbers("", change)


def _multiplied(self: Layer, x: Ints, shift: Ints, of: str) -> Ints:
    return np.asarray(x - ((x * (256 - (256 >> shift))) >> 8))


def _to_zero(self: Layer, x: Ints, shift: Ints, of: str) -> Ints:
    return np.asarray(np.sign(x) * (np.abs(x) >> shift))


def _narrow(rng: np.random.Generator) -> type[ShiftChip]:
    bits, where = int(rng.integers(10, 14)), str(rng.choice(POPULATIONS))
    most = 2 ** (bits - 1) - 1

    def clip(self: Layer, x: Ints, place: str) -> Ints:
        return np.clip(x, -most - 1, most) if place == "current" else Layer.clip(self, x, place)

    return of_layers(where, clip=clip)


def _wraps(rng: np.random.Generator) -> type[ShiftChip]:
    wrapping = str(rng.choice(["driven", "current", "membrane"]))

    def clip(self: Layer, x: Ints, place: str) -> Ints:
        return (x + 32768) % 65536 - 32768 if place == wrapping else Layer.clip(self, x, place)

    return of_layers(clip=clip)


def _after_sum(self: Layer) -> None:
    self.i = np.clip(self.i, -32768, 32767)


def _fewer(rng: np.random.Generator) -> type[ShiftChip]:
    most, all_off = int(rng.integers(3, 20)), rng.random() < 0.5

    def spikes(self: Layer, v: Ints) -> Ints:
        return np.minimum(Layer.spikes(self, v), most)

    def after(self: Layer, v: Ints, count: Ints) -> Ints:
        return Layer.after(self, v, Layer.spikes(self, v) if all_off else count)

    return of_layers(spikes=spikes, after=after)


def _many_of_output(rng: np.random.Generator) -> type[ShiftChip]:
    def change(layer: Layer) -> None:
        layer.most = 31

    return with_numbers("act", change)


def _once_of(rng: np.random.Generator) -> type[ShiftChip]:
    chosen = str(rng.choice(["loop", "next", "back", "out"]))
    most = int(rng.choice([1, 1, 5]))
    return of_chip(
        times=lambda self, p, counts: np.minimum(counts, most) if p == chosen else counts
    )


def _five_bits(self: Layer, v: Ints) -> Ints:
    return np.maximum(v // self.threshold, 0) % 32 if not self.is_output else Layer.spikes(self, v)


def _capped(rng: np.random.Generator) -> type[ShiftChip]:
    def change(layer: Layer) -> None:
        cap = int(np.quantile(layer.threshold, 0.6))
        layer.threshold = np.minimum(layer.threshold, cap)

    return with_numbers(str(rng.choice(POPULATIONS)), change)


def _strictly(self: Layer, v: Ints) -> Ints:
    return np.clip((v - 1) // self.threshold, 0, self.most)


def _shifted(rng: np.random.Generator) -> type[ShiftChip]:
    more, chosen = int(rng.choice([-1, 1, 2])), str(rng.choice(PROJECTIONS))

    def shift(self: ShiftChip, p: str) -> int:
        known = ShiftChip.shift(self, p)
        return max(known + more, 0) if p == chosen and known + more >= 0 else known + (p == chosen)

    return of_chip(shift=shift)


def _dropped(rng: np.random.Generator) -> type[ShiftChip]:
    chosen, at = str(rng.choice(PROJECTIONS)), rng.random(2)

    def change(self: ShiftChip, p: str, w: Ints) -> Ints:
        if p == chosen:
            w[int(at[0] * w.shape[0]), int(at[1] * w.shape[1])] = 0
        return w

    return of_chip(mantissas=change)


def _biased(rng: np.random.Generator) -> type[ShiftChip]:
    where, seed, more = str(rng.choice(POPULATIONS)), int(rng.integers(99)), int(rng.integers(1, 9))

    def moved(self: Layer) -> Ints:
        kept = self.bias
        self.bias = kept + more * some(np.random.default_rng(seed), self.size)
        now = Layer.moved(self)
        self.bias = kept
        return now

    return of_layers(where, moved=moved)


def _late_one(rng: np.random.Generator) -> type[ShiftChip]:
    chosen = str(rng.choice(PROJECTIONS))
    return of_chip(delay=lambda self, p: 1 + (p == chosen))


def _later(rng: np.random.Generator) -> type[ShiftChip]:
    def decay(self: Layer, x: Ints, shift: Ints, of: str) -> Ints:
        return Layer.decay(self, x, shift + (of == "membrane"), of)

    return of_layers("", int(rng.integers(40, 160)), decay=decay)


def _of_some(rng: np.random.Generator) -> type[ShiftChip]:
    seed, less = int(rng.integers(99)), int(rng.integers(1, 3))

    def change(layer: Layer) -> None:
        layer.shift_mem = np.maximum(
            layer.shift_mem - less * some(np.random.default_rng(seed), layer.size), 0
        )

    return with_numbers(str(rng.choice(POPULATIONS)), change)


def _last_current(self: Layer) -> None:
    before = self.__dict__.get("before", 0 * self.i)
    self.i = self.i - self.decay(self.i, self.shift_syn, "current")
    now, self.i = self.i, before
    moved, self.i = self.moved(), now
    self.before = now  # type: ignore[attr-defined]
    self.count = self.spikes(moved)
    self.v = self.after(moved, self.count)


def _decays_last(self: Layer) -> Ints:
    v = self.clip(self.v + self.clip(self.i + self.bias, "change"), "membrane")
    return v - self.decay(v, self.shift_mem, "membrane")


def _jitter(self: Layer, v: Ints, count: Ints) -> Ints:
    return Layer.after(self, v, count) + (self.backend.t * 7919 % 5 == 0) * (
        np.arange(self.size) % 3
    )


def _two(rng: np.random.Generator) -> type[ShiftChip]:
    return of_layers(decay=lambda self, x, s, of: x >> (s + 1), after=_jitter)


_HELD_OUT: dict[str, tuple[tuple[str, ...], Made]] = {
    "shifts of currents have 2 bits": (("decay",), _short_register),
    "decays multiply by 256ths": (("decay",), lambda rng: of_layers(decay=_multiplied)),
    "decays towards 0, without a least step": (("decay",), lambda rng: of_layers(decay=_to_zero)),
    "shifts of some membranes less": (("decay",), _of_some),
    "shift one more, from a step on": (("decay",), _later),
    "currents of a population have 10 to 13 bits": (("saturation",), _narrow),
    "a sum wraps": (("saturation",), _wraps),
    "currents saturate after the sum": (
        ("saturation",),
        lambda rng: of_layers(
            clip=lambda self, x, place: x if place == "current" else Layer.clip(self, x, place),
            arrived=_after_sum,
        ),
    ),
    "fewer spikes a step": (("several spikes",), _fewer),
    "output spikes several times": (("several spikes",), _many_of_output),
    "spikes of a projection count less": (("several spikes",), _once_of),
    "number of spikes in 5 bits": (("several spikes",), lambda rng: of_layers(spikes=_five_bits)),
    "threshold subtracted once": (
        ("reset",),
        lambda rng: of_layers(
            after=lambda self, v, count: v - np.minimum(count, 1) * self.threshold
        ),
    ),
    "threshold exceeded": (("threshold",), lambda rng: of_layers(spikes=_strictly)),
    "thresholds capped": (("threshold",), _capped),
    "weights of a projection of 4 bits": (
        ("rounding of weights",),
        partial(of_projection, lambda w: (w >> 4) << 4),
    ),
    "weights of a projection clipped at 31": (
        ("clipping of weights",),
        partial(of_projection, lambda w: np.clip(w, -31, 31)),
    ),
    "weights of a projection shifted": (("weights",), _shifted),
    "a synapse dropped": (("weights",), _dropped),
    "bias of some neurons": (("bias",), _biased),
    "a projection a step late": (("delay",), _late_one),
    "membrane takes the last current": (("step order",), lambda rng: of_layers(step=_last_current)),
    "membrane decays after it moved": (("step order",), lambda rng: of_layers(moved=_decays_last)),
    "jitter in no list": (("unknown",), lambda rng: of_layers(after=_jitter)),
    "two faults at once": (("unknown",), _two),
}


def held_out_shifts(shift: int = 0) -> tuple[Fault, ...]:
    return faults_of(_HELD_OUT, 400 + shift)
