"""The faults, the networks they are put into, and what has to be said of each.

`TUNED` were looked at while explanations were written, `HELD_OUT` were not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from faults import mistakes as m
from faults import networks as n
from faults.foreign import Cells, Foreign
from neurorl.backends.base import Backend
from neurorl.validation import Lane, Validation, validate

__all__ = ["HELD_OUT", "TUNED", "Fault", "judge"]


@dataclass(frozen=True)
class Fault:
    """One mistake in one network. causes: the words that are right."""

    name: str
    cls: type[Backend]
    network: Callable[[], Any]
    causes: tuple[str, ...]
    words: str = ""
    seed: int = 3
    steps: int = 240
    options: dict[str, Any] = field(default_factory=dict)
    arithmetic: str = "float"


def judge(fault: Fault) -> tuple[str, str]:
    """Whether it is named 'rightly', 'unknown', 'wrongly' or not seen; and what was said."""
    found: Validation = validate(
        fault.network(),
        [Lane("reference", fault.arithmetic), Lane("foreign", fault.arithmetic, {}, fault.cls)],
        steps=fault.steps,
        seed=fault.seed,
        **fault.options,
    )
    if found.verdict == "exact":
        return "unseen", ""
    said = [(e.cause, e.detail) for e in found.explanations]
    said = said or [
        (r["cause"], r["detail"]) for r in found.rows if r["cause"] not in (None, "follows")
    ]
    if not said:
        return "unknown", "nothing was said"
    told = "; ".join(f"{cause}: {detail}" for cause, detail in said)
    right = [cause in fault.causes and fault.words in detail for cause, detail in said]
    unsure = [cause == "unknown" for cause, _ in said]
    if all(r or u for r, u in zip(right, unsure, strict=True)):
        return ("rightly" if any(right) else "unknown"), told
    return "wrongly", told


def _floor(at: float) -> Any:
    return lambda self: np.maximum(Cells.membrane(self), at)


def _clear_sent(self: Foreign) -> None:
    for spikes in self.sent.values():
        spikes[:] = False


def _clear(*names: str) -> Callable[[Foreign], None]:
    def clear(self: Foreign) -> None:
        for cells in self.neurons.values():
            for name in names:
                getattr(cells, name)[:] = 0

    return clear


def _keep(*names: str) -> Callable[[Foreign], None]:
    """A silence that forgets some variables."""

    def silence(self: Foreign) -> None:
        for cells in self.neurons.values():
            for name in ("u", "v", "dead"):
                if name not in names:
                    getattr(cells, name)[:] = 0
        if "sent" not in names:
            _clear_sent(self)

    return silence


def _spike_clears_current(self: Cells, spikes: Any) -> None:
    self.v[spikes] = 0
    self.u[spikes] = 0


def _subtract(self: Cells, spikes: Any) -> None:
    self.v[spikes] -= self.d.threshold[spikes]


def _reset_late(self: Cells, spikes: Any) -> None:
    last = getattr(self, "last", np.zeros(self.size, bool))
    self.v[last] = 0
    self.last = spikes.copy()


def _clear_dead_current(self: Cells) -> None:
    self.u[self.dead > 0] = 0
    self.v[self.dead > 0] = 0


def _take_late(self: Foreign, projection: str, weights: Any) -> None:
    waiting = self.__dict__.setdefault("waiting", {})
    if projection in waiting:
        self.w[projection] = waiting[projection]
        self.refresh(projection)
    waiting[projection] = weights


def _take_second(self: Foreign, projection: str, weights: Any) -> None:
    count = self.__dict__.setdefault("count", {})
    count[projection] = count.get(projection, 0) + 1
    if count[projection] % 2:
        self.w[projection] = weights
        self.refresh(projection)


def _note_start(self: Foreign) -> None:
    self.began = self.steps  # type: ignore[attr-defined]


def _stale(self: Foreign, projection: str) -> None:
    """The bias of signed projections stays as it was."""


LEARN: dict[str, Any] = {"learn": True, "updates": 12}

TUNED = (
    Fault(
        "tau_mem 10 % long", m.numbers("membrane_decay", m.tau(1.1)), n.lif, ("decay",), "1.1 times"
    ),
    Fault(
        "tau_syn 5 % short",
        m.numbers("current_decay", m.tau(0.95)),
        n.cuba,
        ("decay",),
        "0.95 times",
    ),
    Fault("bias doubled", m.numbers("bias", lambda x: 2 * x), n.cuba, ("bias",), "2 times"),
    Fault(
        "bias of one neuron 3 % low",
        m.numbers("bias", lambda x: 0.97 * x, None, 3),
        n.lif,
        ("bias",),
        "neuron 3",
    ),
    Fault(
        "threshold of one 1 % high",
        m.numbers("threshold", lambda x: 1.01 * x, "cells", 2),
        n.noisy,
        ("threshold",),
        "neuron 2",
        4,
        600,
    ),
    Fault("threshold 1 % high", m.numbers("threshold", lambda x: 1.01 * x), n.cuba, ("threshold",)),
    Fault("reset by subtraction", m.cells(reset=_subtract), n.lif, ("reset",), "subtracts"),
    Fault(
        "no reset", m.cells(reset=lambda self, spikes: None), n.cuba, ("reset",), "doesn't reset"
    ),
    Fault("reset late", m.cells(reset=_reset_late), n.noisy, ("reset",), "late"),
    Fault(
        "current cleared by a spike",
        m.cells(reset=_spike_clears_current),
        n.cuba,
        ("reset",),
        "current",
    ),
    Fault(
        "refractory + 1",
        m.numbers("refractory_steps", lambda x: x + 1),
        n.lif,
        ("refractory",),
        "longer",
    ),
    Fault(
        "refractory - 1",
        m.numbers("refractory_steps", lambda x: x - 1),
        n.cuba,
        ("refractory",),
        "shorter",
    ),
    Fault(
        "integrates while refractory",
        m.cells(hold=lambda self: None),
        n.cuba,
        ("refractory",),
        "integrates",
    ),
    Fault(
        "current cleared while refractory",
        m.cells(hold=_clear_dead_current),
        n.cuba,
        ("refractory",),
        "cleared",
    ),
    Fault("floor at 0", m.cells(membrane=_floor(0.0)), n.cuba, ("floor",)),
    Fault("floor at -0.2", m.cells(membrane=_floor(-0.2)), n.lif, ("floor",), "-0.2"),
    Fault(
        "u <- d (u + q)",
        m.cells(current=lambda self, q: self.d.current_decay * (self.u + q)),
        n.cuba,
        ("step order",),
    ),
    Fault("spikes lost between calls", m.between_calls(_clear_sent), n.lif, ("between calls",)),
    Fault(
        "long delays lost between calls",
        m.between_calls(_clear_sent, False),
        n.delayed,
        ("between calls",),
    ),
    Fault(
        "state not reset",
        m.at_reset(lambda self: None),
        lambda: "lif",
        ("reset between decisions",),
        steps=120,
    ),
    Fault(
        "spikes survive a reset",
        m.at_reset(_keep("sent")),
        lambda: "lif",
        ("reset between decisions",),
        steps=120,
    ),
    Fault(
        "noise restarts in every call",
        m.writes(begin_call=_note_start, noise_step=lambda self, _: self.steps - self.began),
        n.glm,
        ("noise source",),
    ),
    Fault("noise never advances", m.draws(lambda self, _: 0), n.noisy, ("noise source",)),
    Fault(
        "one projection doubled",
        m.projections(lambda w: 2 * w, "drive"),
        n.loop,
        ("weights",),
        "2 times",
    ),
    Fault(
        "weights 3 % low",
        m.projections(lambda w: 0.97 * w, "next"),
        n.glm,
        ("weights",),
        "0.97 times",
    ),
    Fault(
        "writes one late",
        m.writes(take=_take_late),
        lambda: "lif",
        ("writes",),
        "late",
        3,
        24,
        LEARN,
    ),
    Fault(
        "every second write lost",
        m.writes(take=_take_second),
        lambda: "lif",
        ("writes",),
        "second",
        3,
        24,
        LEARN,
    ),
    Fault(
        "bias of signed projections stale",
        m.writes(refresh=_stale),
        lambda: "glm",
        ("writes",),
        "bias",
        3,
        24,
        {"learn": True, "updates": 40, "overrides": {"hidden": 4}},
    ),
    Fault("spikes one step late", m.delayed(1, "out"), n.loop, ("delay",), "later"),
    Fault(
        "threshold only after step 100",
        m.late(m.numbers("threshold", lambda x: 1.1 * x), lambda b: b.steps >= 100),
        n.cuba,
        ("threshold",),
    ),
    Fault(
        "tau only after step 100",
        m.late(m.numbers("membrane_decay", m.tau(0.9)), lambda b: b.steps >= 100),
        n.lif,
        ("decay",),
        "from step 100",
    ),
    Fault(
        "width of the noise doubled",
        m.numbers("noise_width", lambda x: 2 * x),
        n.noisy,
        ("noise source",),
        "wide",
    ),
)


def _noisy_membrane(self: Cells) -> Any:
    return Cells.membrane(self) + self.d.noise_width * self.draw()


def _leak_less(self: Cells) -> Any:
    """Unlike anything that has a name: a membrane that loses a part that grows with it."""
    return Cells.membrane(self) - 0.01 * self.v**3


def _lose_newest(self: Foreign) -> None:
    for spikes in self.sent.values():
        spikes[-1] = False


def _take_first_only(self: Foreign, projection: str, weights: Any) -> None:
    if not self.writes:
        self.w[projection] = weights
        self.refresh(projection)


def _take_next_call(self: Foreign, projection: str, weights: Any) -> None:
    self.__dict__.setdefault("pending", {})[projection] = weights


def _apply_pending(self: Foreign) -> None:
    for projection, weights in self.__dict__.pop("pending", {}).items():
        self.w[projection] = weights
        self.refresh(projection)


def _adding(self: Foreign, projection: str, weights: Any) -> None:
    self.w[projection] = (self.w[projection] + weights) / 2
    self.refresh(projection)


def _one_weight(w: Any) -> Any:
    w = w.copy()
    w[1, 2] *= 1.5
    return w


def _row(w: Any) -> Any:
    w = w.copy()
    w[2] *= 0.97
    return w


def _draw_of_own(self: Cells) -> Any:
    rng = self.__dict__.setdefault("rng", np.random.default_rng(99))
    return rng.logistic(size=self.size)


def _draw_normal(self: Cells) -> Any:
    rng = self.__dict__.setdefault("rng", np.random.default_rng(7))
    return rng.normal(size=self.size)


def _freeze_current(self: Cells, q: Any) -> Any:
    return np.where(self.dead > 0, self.u, Cells.current(self, q))


def _ignore_input(self: Cells, q: Any) -> Any:
    return Cells.current(self, np.where(self.dead > 0, 0, q))


def _swap(self: Cells) -> Any:
    """Neurons 0 and 1 take each other's decay."""
    decay = self.d.membrane_decay.copy()
    decay[[0, 1]] = decay[[1, 0]]
    return decay * self.v + self.u + self.bias


def _reset_to(value: float) -> Any:
    def reset(self: Cells, spikes: Any) -> None:
        self.v[spikes] = value

    return reset


def _halved(self: Cells, spikes: Any) -> None:
    self.v[spikes] *= 0.5


def _after(steps: int) -> Any:
    return lambda backend: backend.steps >= steps


_LIF: Callable[[], Any] = lambda: "lif"  # noqa: E731
_TASK = {"env": "MountainCar-v0"}

HELD_OUT = (
    Fault(
        "threshold x 0.97",
        m.numbers("threshold", lambda x: 0.97 * x),
        n.noisy,
        ("threshold",),
        "",
        8,
        480,
    ),
    Fault(
        "threshold x 2 of neuron 3",
        m.numbers("threshold", lambda x: 2 * x, None, 3),
        n.cuba,
        ("threshold",),
        "",
        9,
    ),
    Fault(
        "threshold x 1.01 of neuron 1",
        m.numbers("threshold", lambda x: 1.01 * x, "cells", 1),
        n.lif,
        ("threshold",),
        "",
        10,
        1000,
    ),
    Fault(
        "threshold + 0.05",
        m.numbers("threshold", lambda x: x + 0.05),
        n.uneven,
        ("threshold",),
        "more",
        11,
        480,
    ),
    Fault(
        "threshold of a GLM at 0.1",
        m.numbers("threshold", lambda x: x + 0.1),
        n.glm,
        ("threshold",),
        "",
        12,
        400,
    ),
    Fault(
        "tau_mem 10 % short of neuron 3",
        m.numbers("membrane_decay", m.tau(0.9), "cells", 3),
        n.loop,
        ("decay",),
        "neuron 3",
        13,
    ),
    Fault(
        "both taus 2 x", m.numbers("membrane_decay", m.tau(2)), n.uneven, ("decay",), "2 times", 14
    ),
    Fault("tau_syn 0", m.numbers("current_decay", lambda x: 0 * x), n.noisy, ("decay",), "", 15),
    Fault("decays swapped", m.cells(membrane=_swap), n.uneven, ("decay",), "", 16),
    Fault(
        "bias x 0.97 from step 50",
        m.late(m.numbers("bias", lambda x: 0.97 * x), _after(50)),
        n.uneven,
        ("bias",),
        "",
        17,
    ),
    Fault("bias + 0.01", m.numbers("bias", lambda x: x + 0.01), n.loop, ("bias",), "", 18),
    Fault("no bias", m.numbers("bias", lambda x: 0 * x), n.glm, ("bias",), "", 19),
    Fault("reset to 0.1", m.cells(reset=_reset_to(0.1)), n.loop, ("reset",), "0.1", 20),
    Fault("reset halves", m.cells(reset=_halved), n.cuba, ("reset",), "0.5", 21),
    Fault(
        "no reset after step 100",
        m.late(m.cells(reset=lambda self, s: None), _after(100)),
        n.loop,
        ("reset",),
        "",
        22,
    ),
    Fault(
        "subtracts, in a second network",
        m.cells(reset=_subtract),
        n.delayed,
        ("reset",),
        "subtracts",
        23,
    ),
    Fault(
        "refractory + 2",
        m.numbers("refractory_steps", lambda x: x + 2),
        n.noisy,
        ("refractory",),
        "",
        24,
    ),
    Fault(
        "refractory of neuron 2 + 1",
        m.numbers("refractory_steps", lambda x: x + 1, None, 2),
        n.uneven,
        ("refractory",),
        "",
        25,
    ),
    Fault(
        "none refractory",
        m.numbers("refractory_steps", lambda x: 0 * x),
        n.noisy,
        ("refractory",),
        "no refractory",
        26,
    ),
    Fault(
        "current frozen while refractory",
        m.cells(current=_freeze_current),
        n.uneven,
        ("refractory",),
        "frozen",
        27,
    ),
    Fault(
        "input lost while refractory",
        m.cells(current=_ignore_input),
        n.noisy,
        ("refractory",),
        "lost",
        28,
    ),
    Fault(
        "integrates while refractory, noise",
        m.cells(hold=lambda self: None),
        n.noisy,
        ("refractory",),
        "integrates",
        29,
    ),
    Fault("floor at -0.1, noise", m.cells(membrane=_floor(-0.1)), n.loop, ("floor",), "-0.1", 30),
    Fault(
        "v <- d (v + u + bias)",
        m.cells(membrane=lambda self: self.d.membrane_decay * (self.v + self.u + self.bias)),
        n.noisy,
        ("step order",),
        "",
        31,
    ),
    Fault(
        "takes 1 - d of the current",
        m.cells(
            membrane=lambda self: (
                self.d.membrane_decay * self.v + (1 - self.d.membrane_decay) * self.u + self.bias
            )
        ),
        n.cuba,
        ("step order",),
        "",
        32,
    ),
    Fault(
        "noise into the membrane",
        m.cells(membrane=_noisy_membrane, level=lambda self: self.v),
        n.noisy,
        ("noise source", "step order"),
        "",
        33,
    ),
    Fault(
        "weights of one projection x 1.01",
        m.projections(lambda w: 1.01 * w, "back"),
        n.loop,
        ("weights",),
        "back",
        34,
    ),
    Fault(
        "one weight x 1.5",
        m.projections(_one_weight, "drive"),
        n.lif,
        ("weights",),
        "from 1 to 2",
        35,
    ),
    Fault(
        "weights of one neuron's spikes x 0.97",
        m.projections(_row, "drive"),
        n.noisy,
        ("weights",),
        "",
        36,
    ),
    Fault(
        "all weights x 2", m.projections(lambda w: 2 * w), n.delayed, ("weights",), "2 times", 37
    ),
    Fault("delay of one projection - 1", m.delayed(-1, "far"), n.delayed, ("delay",), "far", 38),
    Fault(
        "newest spikes lost at the end of a call",
        m.between_calls(_lose_newest, False),
        n.delayed,
        ("between calls",),
        "",
        39,
    ),
    Fault(
        "membrane lost between calls",
        m.between_calls(_clear("v")),
        n.noisy,
        ("between calls",),
        "membrane",
        40,
    ),
    Fault(
        "refractory time lost between calls",
        m.between_calls(_clear("dead"), False),
        n.cuba,
        ("between calls",),
        "refractory",
        41,
    ),
    Fault(
        "calls start from silence",
        m.between_calls(lambda self: Foreign.silence(self)),
        n.loop,
        ("between calls",),
        "silence",
        42,
    ),
    Fault(
        "current survives a reset",
        m.at_reset(_keep("u")),
        _LIF,
        ("reset between decisions",),
        "current",
        43,
        120,
    ),
    Fault(
        "membrane survives a reset",
        m.at_reset(_keep("v")),
        _LIF,
        ("reset between decisions",),
        "membrane",
        44,
        120,
        _TASK,
    ),
    Fault(
        "noise starts again at a reset",
        m.writes(
            noise_step=lambda self, _: self.since,
            silence=lambda self: (Foreign.silence(self), self.__dict__.update(zero=self.steps))[0],
            since=property(lambda self: self.steps - self.__dict__.get("zero", 0)),
        ),
        _LIF,
        ("noise source",),
        "",
        45,
        120,
        {"overrides": {}},
    ),
    Fault(
        "noise twice a step",
        m.draws(lambda self, _: 2 * self.steps),
        n.glm,
        ("noise source",),
        "",
        46,
    ),
    Fault("noise of its own", m.cells(draw=_draw_of_own), n.noisy, ("noise source",), "", 47, 480),
    Fault(
        "noise of another seed",
        m.writes(noise_seed=lambda self: self.seed + 12345),
        n.loop,
        ("noise source",),
        "",
        48,
    ),
    Fault(
        "normal noise",
        m.cells(draw=_draw_normal),
        n.noisy,
        ("noise source", "unknown"),
        "",
        49,
        480,
    ),
    Fault(
        "noise width x 0.9",
        m.numbers("noise_width", lambda x: 0.9 * x),
        n.loop,
        ("noise source",),
        "0.9",
        50,
        1000,
    ),
    Fault(
        "only the first write",
        m.writes(take=_take_first_only),
        _LIF,
        ("writes",),
        "",
        51,
        24,
        LEARN,
    ),
    Fault(
        "writes a call late",
        m.writes(take=_take_next_call, end_call=_apply_pending),
        _LIF,
        ("writes",),
        "late",
        52,
        24,
        LEARN,
    ),
    Fault(
        "writes averaged with those before",
        m.writes(take=_adding),
        _LIF,
        ("writes", "weights", "unknown"),
        "",
        53,
        24,
        LEARN,
    ),
    Fault(
        "every second write of all lost",
        m.writes(
            take=lambda self, p, w: (
                (self.w.update({p: w}), self.refresh(p))[1] if self.writes % 2 == 0 else None
            )
        ),
        lambda: "glm",
        ("writes",),
        "second",
        54,
        24,
        {**LEARN, "env": "MountainCar-v0"},
    ),
    Fault(
        "bias of signed projections a write late",
        m.writes(refresh=_stale),
        lambda: "glm",
        ("writes",),
        "bias",
        55,
        24,
        {**LEARN, "updates": 40, "overrides": {"hidden": 4}},
    ),
    Fault(
        "a membrane that nobody has a name for",
        m.cells(membrane=_leak_less),
        n.cuba,
        ("unknown",),
        "voltage",
        56,
    ),
)
