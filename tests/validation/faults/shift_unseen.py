"""List faults of shifts that explanations met last, when they were no more changed."""

from __future__ import annotations

from functools import partial

import numpy as np

from faults.case import Fault
from faults.chip_of_shifts import Ints, Layer, ShiftChip
from faults.shift_tools import (
    POPULATIONS,
    Made,
    faults_of,
    of_chip,
    of_layers,
    of_projection,
    some,
    with_numbers,
)


def _neighbours(rng: np.random.Generator) -> type[ShiftChip]:
    def change(layer: Layer) -> None:
        layer.shift_syn, layer.shift_mem = np.roll(layer.shift_syn, 1), np.roll(layer.shift_mem, 1)

    return with_numbers(str(rng.choice(POPULATIONS)), change)


def _symmetric(self: Layer, x: Ints, place: str) -> Ints:
    return np.clip(x, -32767, 32767)


def _scaled_threshold(rng: np.random.Generator) -> type[ShiftChip]:
    factor = float(rng.choice([0.75, 1.25, 1.5]))

    def change(layer: Layer) -> None:
        layer.threshold = np.maximum((layer.threshold * factor).astype(np.int64), 1)

    return with_numbers(str(rng.choice(POPULATIONS)), change)


def _resets_later(rng: np.random.Generator) -> type[ShiftChip]:
    def after(self: Layer, v: Ints, count: Ints) -> Ints:
        return np.where(count > 0, 0, v)

    return of_layers(str(rng.choice(POPULATIONS)), int(rng.integers(30, 120)), after=after)


def _double_bias(rng: np.random.Generator) -> type[ShiftChip]:
    def moved(self: Layer) -> Ints:
        kept, self.bias = self.bias, 2 * self.bias
        now = Layer.moved(self)
        self.bias = kept
        return now

    return of_layers(str(rng.choice(POPULATIONS)), moved=moved)


def _of_eight(rng: np.random.Generator) -> type[ShiftChip]:
    seed, most = int(rng.integers(99)), int(rng.integers(2, 9))

    def spikes(self: Layer, v: Ints) -> Ints:
        count, few = Layer.spikes(self, v), some(np.random.default_rng(seed), self.size)
        return np.where(few, np.minimum(count, most), count)

    return of_layers(str(rng.choice(POPULATIONS[:2])), spikes=spikes)


def _decays_first(self: Layer) -> None:
    moved = self.moved()
    self.count = self.spikes(moved)
    self.v = self.after(moved, self.count)
    self.i = self.i - self.decay(self.i, self.shift_syn, "current")


def _positive(self: Layer) -> Ints:
    kept, self.i = self.i, np.maximum(self.i, 0)
    moved = Layer.moved(self)
    self.i = kept
    return moved


def _forgets(self: Layer, v: Ints, count: Ints) -> Ints:
    return Layer.after(self, v, count) * (self.backend.t % 37 > 0)


_UNSEEN: dict[str, tuple[tuple[str, ...], Made]] = {
    "shifts of the neuron before": (("decay",), _neighbours),
    "sums end at -32767": (("saturation",), lambda rng: of_layers(clip=_symmetric)),
    "thresholds by a factor": (("threshold",), _scaled_threshold),
    "reset to 0 from a step on": (("reset",), _resets_later),
    "odd mantissas lose their bit": (
        ("rounding of weights",),
        partial(of_projection, lambda w: w & ~1),
    ),
    "bias twice in a population": (("bias",), _double_bias),
    "spikes of a source twice": (
        ("weights", "several spikes"),
        lambda rng: of_chip(times=lambda self, p, counts: counts * (1 + (p == "in"))),
    ),
    "recurrent weights transposed": (
        ("weights",),
        lambda rng: of_chip(mantissas=lambda self, p, w: w.T if p == "loop" else w),
    ),
    "some neurons spike up to 2 to 8 times": (("several spikes",), _of_eight),
    "current decays after the membrane moved": (
        ("step order",),
        lambda rng: of_layers(step=_decays_first),
    ),
    "negative currents do nothing, in no list": (
        ("unknown", "floor"),
        lambda rng: of_layers(moved=_positive),
    ),
    "forgets every 37th step, in no list": (("unknown",), lambda rng: of_layers(after=_forgets)),
}


def unseen_shifts(shift: int = 0) -> tuple[Fault, ...]:
    return faults_of(_UNSEEN, 500 + shift)
