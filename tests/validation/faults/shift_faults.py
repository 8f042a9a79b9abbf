"""Put one mistake each into a chip of shifts: `TUNED` ones, and others that were held out.

`HELD_OUT` was written, and not run, before hypotheses met it; networks, sizes and what a fault does
where and when are drawn by seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from faults.case import Fault
from faults.chip_of_shifts import Ints, Layer, ShiftChip
from neurorl.models import CubaLIF, shift_lif
from neurorl.network.description import Network, Population, Projection, Source

Made = Callable[[np.random.Generator], type[ShiftChip]]


def network(seed: int) -> Network:
    """Return inputs, two hidden populations that recur, and outputs, mostly in whole numbers."""
    rng = np.random.default_rng([seed, 77])
    n, a, b, m = (int(x) for x in rng.integers((5, 6, 4, 2), (16, 20, 12, 7)))

    def weights(pre: int, post: int, most: int, mean: float = 0.0) -> Any:
        drawn = np.rint(rng.normal(mean, most / 2, (pre, post)))
        return scale * np.clip(drawn, -127, 127)

    def cells(size: int) -> Any:
        if is_described:
            tau_syn, tau_mem = rng.uniform(2e-3, 3e-2, (2, size))
            threshold = rng.uniform(2.0, 40.0) * rng.uniform(0.7, 1.3, size)
            return CubaLIF(tau_syn, tau_mem, threshold, rng.normal(0.1, 0.3, size))
        level = int(rng.choice([60, 400, 3000]))
        bias = rng.integers(-level // 10, level // 3, size)
        return shift_lif(
            rng.integers(1, 7, size),
            rng.integers(1, 9, size),
            rng.integers(level // 2, level, size),
            bias,
        )

    is_described = bool(rng.random() < 0.3)
    scale = 1.0 / 8 if is_described else 2.0 ** rng.integers(0, 5)
    nodes = (
        Source("senses", n),
        Population("first", a, cells(a)),
        Population("second", b, cells(b)),
        Population("act", m, cells(m)),
    )
    return Network(
        nodes,
        (
            Projection("in", "senses", "first", weights(n, a, 110, 15.0)),
            Projection("loop", "first", "first", weights(a, a, 50)),
            Projection("next", "first", "second", weights(a, b, 90, 10.0)),
            Projection("back", "second", "first", weights(b, a, 40)),
            Projection("out", "second", "act", weights(b, m, 100, 10.0)),
        ),
    )


def of_layers(where: str = "", start: int = 0, **methods: Callable[..., Any]) -> type[ShiftChip]:
    """Return a chip whose layers, or one of them, have other methods.

    where: the name of the one. start: the step from which on they have them.
    """

    def chosen(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Layer, *arguments: Any) -> Any:
            if where in ("", self.name) and self.backend.t >= start:
                return method(self, *arguments)
            return getattr(Layer, name)(self, *arguments)

        return call

    cls = type("Faulty", (Layer,), {name: chosen(name, method) for name, method in methods.items()})
    return type("Chip", (ShiftChip,), {"neurons": cls})


def of_chip(**methods: Callable[..., Any]) -> type[ShiftChip]:
    """Return a chip with other methods."""
    return type("Chip", (ShiftChip,), methods)


def with_numbers(where: str, change: Callable[[Layer], None]) -> type[ShiftChip]:
    """Return a chip of which a layer has other numbers; *change*: puts them there."""

    def begin(self: Layer, backend: ShiftChip, chip: Any) -> None:
        Layer.__init__(self, backend, chip)
        if where in ("", self.name):
            change(self)

    return type("Chip", (ShiftChip,), {"neurons": type("Faulty", (Layer,), {"__init__": begin})})


def some(rng: np.random.Generator, size: int) -> Any:
    """Return a mask of about half the neurons, of one at least."""
    mask = rng.random(size) < 0.5
    mask[int(rng.integers(size))] = True
    return mask


POPULATIONS = ("first", "second", "act")
PROJECTIONS = ("in", "loop", "next", "back", "out")


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


def _short_register(rng: np.random.Generator) -> type[ShiftChip]:
    def change(layer: Layer) -> None:
        layer.shift_syn = np.minimum(layer.shift_syn, 3)

    return with_numbers("", change)


def _multiplied(self: Layer, x: Ints, shift: Ints, of: str) -> Ints:
    return x - ((x * (256 - (256 >> shift))) >> 8)


def _to_zero(self: Layer, x: Ints, shift: Ints, of: str) -> Ints:
    return np.sign(x) * (np.abs(x) >> shift)


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


def _of_projection(change: Callable[[Ints], Ints], rng: np.random.Generator) -> type[ShiftChip]:
    chosen = str(rng.choice(PROJECTIONS))
    return of_chip(mantissas=lambda self, p, w: change(w) if p == chosen else w)


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
        partial(_of_projection, lambda w: (w >> 4) << 4),
    ),
    "weights of a projection clipped at 31": (
        ("clipping of weights",),
        partial(_of_projection, lambda w: np.clip(w, -31, 31)),
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
        partial(_of_projection, lambda w: w & ~1),
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


def _faults(made: dict[str, tuple[tuple[str, ...], Made]], first: int) -> tuple[Fault, ...]:
    return tuple(
        Fault(
            f"shifts: {name}",
            make(np.random.default_rng([first, k])),
            partial(network, first + k),
            causes,
            seed=first + k,
            arithmetic="xylo",
        )
        for k, (name, (causes, make)) in enumerate(made.items())
    )


def tuned_shifts(shift: int = 0) -> tuple[Fault, ...]:
    return _faults(_TUNED, 300 + shift)


def held_out_shifts(shift: int = 0) -> tuple[Fault, ...]:
    return _faults(_HELD_OUT, 400 + shift)


def unseen_shifts(shift: int = 0) -> tuple[Fault, ...]:
    return _faults(_UNSEEN, 500 + shift)
