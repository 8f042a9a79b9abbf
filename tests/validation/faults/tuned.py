"""List faults that were looked at while the explanations were written."""

from __future__ import annotations

from faults import acts as a
from faults import mistakes as m
from faults import networks as n
from faults.case import LEARN, Fault

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
        1004,
        600,
    ),
    Fault("threshold 1 % high", m.numbers("threshold", lambda x: 1.01 * x), n.cuba, ("threshold",)),
    Fault("reset by subtraction", m.cells(reset=a.subtract), n.lif, ("reset",), "subtracts"),
    Fault(
        "no reset", m.cells(reset=lambda self, spikes: None), n.cuba, ("reset",), "doesn't reset"
    ),
    Fault("reset late", m.cells(reset=a.reset_late), n.noisy, ("reset",), "late"),
    Fault(
        "current cleared by a spike",
        m.cells(reset=a.spike_clears_current),
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
        m.cells(hold=a.clear_dead_current),
        n.cuba,
        ("refractory",),
        "cleared",
    ),
    Fault("floor at 0", m.cells(membrane=a.floor(0.0)), n.cuba, ("floor",)),
    Fault("floor at -0.2", m.cells(membrane=a.floor(-0.2)), n.lif, ("floor",), "-0.2"),
    Fault(
        "u <- d (u + q)",
        m.cells(current=lambda self, q: self.d.current_decay * (self.u + q)),
        n.cuba,
        ("step order",),
    ),
    Fault("spikes lost between calls", m.between_calls(a.clear_sent), n.lif, ("between calls",)),
    Fault(
        "long delays lost between calls",
        m.between_calls(a.clear_sent, False),
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
        m.at_reset(a.keep("sent")),
        lambda: "lif",
        ("reset between decisions",),
        steps=120,
    ),
    Fault(
        "noise restarts in every call",
        m.writes(begin_call=a.note_start, noise_step=lambda self, _: self.steps - self.began),
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
        m.writes(take=a.take_late),
        lambda: "lif",
        ("writes",),
        "late",
        3,
        24,
        LEARN,
    ),
    Fault(
        "every second write lost",
        m.writes(take=a.take_second),
        lambda: "lif",
        ("writes",),
        "second",
        3,
        24,
        LEARN,
    ),
    Fault(
        "bias of signed projections stale",
        m.writes(refresh=a.stale),
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
        "time constant",
    ),
    Fault(
        "width of the noise doubled",
        m.numbers("noise_width", lambda x: 2 * x),
        n.noisy,
        ("noise source",),
        "wide",
    ),
)
