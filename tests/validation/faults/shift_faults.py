"""List the faults of shifts by which explanations were tuned."""

from __future__ import annotations

import numpy as np

from faults.case import Fault
from faults.chip_of_shifts import Ints, Layer, ShiftChip
from faults.shift_tools import (
    Made,
    faults_of,
    of_chip,
    of_layers,
    with_numbers,
)


def _shift_more(rng: np.random.Generator) -> type[ShiftChip]:
    def change(layer: Layer) -> None:
        layer.shift_mem = layer.shift_mem + 1

    return with_numbers("first", change)


def _late(rng: np.random.Generator) -> type[ShiftChip]:
    return of_chip(delay=lambda self, p: 2 if p == "in" else 1)


def _without(place: str) -> type[ShiftChip]:
    return of_layers(
        clip=lambda self, x, where: x if where == place else Layer.clip(self, x, where)
    )


def _no_bias(self: Layer) -> Ints:
    kept, self.bias = self.bias, 0 * self.bias
    moved = Layer.moved(self)
    self.bias = kept
    return moved


def _old_current(self: Layer) -> None:
    before = self.i
    self.i = self.i - self.decay(self.i, self.shift_syn, "current")
    now, self.i = self.i, before
    moved, self.i = self.moved(), now
    self.count = self.spikes(moved)
    self.v = self.after(moved, self.count)


_TUNED: dict[str, tuple[tuple[str, ...], Made]] = {
    "shift of the membrane one more": (("decay",), _shift_more),
    "no least step of a decay": (
        ("decay",),
        lambda rng: of_layers(decay=lambda self, x, s, of: x >> s),
    ),
    "membrane doesn't saturate": (("saturation",), lambda rng: _without("membrane")),
    "one spike a step": (
        ("several spikes",),
        lambda rng: of_layers(spikes=lambda self, v: np.minimum(Layer.spikes(self, v), 1)),
    ),
    "spikes count once": (
        ("several spikes",),
        lambda rng: of_chip(times=lambda self, p, counts: np.minimum(counts, 1)),
    ),
    "reset to 0": (
        ("reset",),
        lambda rng: of_layers(after=lambda self, v, count: np.where(count > 0, 0, v)),
    ),
    "threshold 3 more": (
        ("threshold",),
        lambda rng: with_numbers(
            "", lambda layer: layer.__setattr__("threshold", layer.threshold + 3)
        ),
    ),
    "weights of 7 bits": (
        ("clipping of weights",),
        lambda rng: of_chip(mantissas=lambda self, p, w: np.clip(w, -63, 63)),
    ),
    "input a step late": (("delay",), _late),
    "no bias": (("bias",), lambda rng: of_layers(moved=_no_bias)),
    "membrane takes the current before it decays": (
        ("step order",),
        lambda rng: of_layers(step=_old_current),
    ),
}


def tuned_shifts(shift: int = 0) -> tuple[Fault, ...]:
    return faults_of(_TUNED, 300 + shift)
