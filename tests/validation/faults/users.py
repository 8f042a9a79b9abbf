"""List faults that a user found `validate` not to know, some tuned on and some held out.

`USERS` were looked at while explanations were written. `USERS_HELD_OUT` are the same kinds in other
networks, at other positions and with other numbers; they were written before, and looked at once.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from faults import networks as n
from faults import strange as s
from faults.case import LEARN, Fault
from neurorl.testing import FEATURES, random_network

CHIP = "loihi"
ROUNDED, WEIGHTS, DEAD = ("rounding of weights",), ("weights",), ("dead neuron",)
SWAPPED, LOST, WRITES, AT = ("neurons swapped",), ("lost spikes",), ("writes",), ("threshold",)
TRAINED: dict[str, Any] = {**LEARN, "updates": 40}
LONG: dict[str, Any] = {**LEARN, "updates": 70, "overrides": {"hidden": 4}}
_lif: Callable[[], Any] = lambda: "lif"  # noqa: E731
_glm: Callable[[], Any] = lambda: "glm"  # noqa: E731


def feature(name: str) -> Callable[[], Any]:
    return FEATURES[name]


def drawn(seed: int) -> Callable[[], Any]:
    return lambda: random_network(seed, delays=True)


USERS = (
    Fault("truncated to 1/32", s.weights(s.truncated(1 / 32)), n.lif, ROUNDED, "toward zero", 200),
    Fault(
        "truncated to 0.01, told",
        s.weights(s.truncated(0.01), says=True),
        n.cuba,
        ROUNDED,
        "toward zero",
        201,
    ),
    Fault(
        "truncated to 8 bits",
        s.weights(s.truncated_of_largest(8), "drive"),
        n.noisy,
        ROUNDED,
        "toward zero",
        202,
    ),
    Fault(
        "rounded down to 1/64",
        s.weights(s.truncated(1 / 64, np.floor)),
        n.cuba,
        ROUNDED,
        "down",
        203,
    ),
    Fault("dead neuron", s.dead("cells", 4), n.cuba, DEAD, "neuron 4 ", 204),
    Fault("dead neuron by equations", s.dead("coba", 2), n.own, DEAD, "neuron 2 ", 205),
    Fault(
        "neuron that isn't heard", s.sending(s.silent("cells", 3)), n.lif, DEAD, "neuron 3 ", 206
    ),
    Fault(
        "input that isn't heard", s.sending(s.silent("input", 1)), n.cuba, DEAD, "neuron 1 ", 207
    ),
    Fault("neuron that isn't recorded", s.recording(s.silent("cells", 6)), n.lif, DEAD, "6", 208),
    Fault(
        "neurons swapped on the way",
        s.sending(s.swapped("cells", 2, 5)),
        n.lif,
        SWAPPED,
        "2 and 5",
        209,
    ),
    Fault(
        "neurons swapped in the record",
        s.recording(s.swapped("cells", 1, 7)),
        n.cuba,
        SWAPPED,
        "1 and 7",
        210,
    ),
    Fault(
        "inputs swapped", s.weights(s.exchanged(0, 0, 4), "drive"), n.cuba, SWAPPED, "0 and 4", 211
    ),
    Fault(
        "targets swapped", s.weights(s.exchanged(1, 3, 8), "drive"), n.lif, SWAPPED, "3 and 8", 212
    ),
    Fault("transposed", s.weights(s.transposed), n.square, WEIGHTS, "transposed", 213),
    Fault(
        "transposed in one",
        s.weights(s.transposed, "next"),
        partial(n.square, 8, 3e-3),
        WEIGHTS,
        "transposed",
        214,
    ),
    Fault("in column order", s.weights(s.column_order, "drive"), n.cuba, WEIGHTS, "column", 215),
    Fault("inputs in reverse", s.weights(s.turned(0), "drive"), n.lif, WEIGHTS, "reverse", 216),
    Fault(
        "targets rolled", s.weights(s.rolled(1, 1), "next"), n.cuba, WEIGHTS, "neuron before", 217
    ),
    Fault(
        "one spike in 50 lost",
        s.sending(s.lost_at_random("input", 0.02, 5)),
        n.lif,
        LOST,
        "",
        218,
        480,
    ),
    Fault(
        "every 20th spike lost",
        s.sending(s.every_nth_lost("cells", 20)),
        n.cuba,
        LOST,
        "every 20th",
        219,
        600,
    ),
    Fault(
        "one spike in 40 not recorded",
        s.recording(s.lost_at_random("cells", 0.025, 6)),
        n.lif,
        LOST,
        "record",
        220,
        480,
    ),
    Fault("every 7th write lost", s.nth_write_lost(7), _lif, WRITES, "every 7th", 221, 24, TRAINED),
    Fault(
        "every 5th write of all lost",
        s.nth_write_lost(5, of_all=True),
        _glm,
        WRITES,
        "every 5th",
        222,
        24,
        TRAINED,
    ),
    Fault(">= without ties", s.including(), n.equal, AT, "exactly at", 223),
    Fault(">= on the chip", s.including(), n.cuba, AT, "exactly at", 224, arithmetic=CHIP),
)

USERS_HELD_OUT = (
    Fault("truncated to 1/100", s.weights(s.truncated(0.01)), n.loop, ROUNDED, "toward zero", 300),
    Fault(
        "truncated to 1/16 in one",
        s.weights(s.truncated(1 / 16), "far"),
        n.delayed,
        ROUNDED,
        "toward zero",
        301,
    ),
    Fault(
        "truncated to 6 bits",
        s.weights(s.truncated_of_largest(6)),
        n.square,
        ROUNDED,
        "toward zero",
        302,
    ),
    Fault(
        "truncated to 10 bits, a list",
        s.weights(s.truncated_of_largest(10), "drive"),
        feature("synapses as a list"),
        ROUNDED,
        "toward zero",
        303,
    ),
    Fault(
        "truncated by equations", s.weights(s.truncated(0.02)), n.own, ROUNDED, "toward zero", 304
    ),
    Fault(
        "truncated, an agent",
        s.weights(s.truncated(0.005), says=True),
        _lif,
        ROUNDED,
        "toward",
        305,
    ),
    Fault("dead last", s.dead("last", 0), n.lif, DEAD, "neuron 0 ", 306),
    Fault("dead in a loop", s.dead("cells", 7), n.loop, DEAD, "neuron 7 ", 307),
    Fault("dead with noise", s.dead("middle", 3), feature("escape noise"), DEAD, "neuron 3 ", 308),
    Fault("dead hidden", s.dead("hidden", 5), _lif, DEAD, "neuron 5 ", 309, 120),
    Fault("dead on the chip", s.dead("cells", 2), n.cuba, DEAD, "neuron 2 ", 310, arithmetic=CHIP),
    Fault(
        "unheard with delays", s.sending(s.silent("input", 4)), n.delayed, DEAD, "neuron 4 ", 311
    ),
    Fault("unheard by equations", s.sending(s.silent("coba", 1)), n.own, DEAD, "neuron 1 ", 312),
    Fault("unrecorded last", s.recording(s.silent("last", 2)), n.cuba, DEAD, "2", 313),
    Fault(
        "swapped of a square",
        s.sending(s.swapped("cells", 0, 3)),
        n.square,
        SWAPPED,
        "0 and 3",
        314,
    ),
    Fault(
        "swapped in a loop", s.sending(s.swapped("cells", 4, 6)), n.loop, SWAPPED, "4 and 6", 315
    ),
    Fault(
        "swapped inputs by equations",
        s.weights(s.exchanged(0, 2, 7), "excites"),
        n.own,
        SWAPPED,
        "2 and 7",
        316,
    ),
    Fault(
        "swapped targets on the chip",
        s.weights(s.exchanged(1, 0, 2), "next"),
        n.lif,
        SWAPPED,
        "0 and 2",
        317,
        arithmetic=CHIP,
    ),
    Fault(
        "swapped in the record of the last",
        s.recording(s.swapped("last", 1, 2)),
        n.noisy,
        SWAPPED,
        "1 and 2",
        318,
    ),
    Fault(
        "swapped, recorded by equations",
        s.recording(s.swapped("adaptive", 0, 5)),
        n.own,
        SWAPPED,
        "0 and 5",
        319,
    ),
    Fault("transposed loop", s.weights(s.transposed, "own"), n.loop, WEIGHTS, "transposed", 320),
    Fault(
        "transposed by equations",
        s.weights(s.transposed, "second"),
        n.own,
        WEIGHTS,
        "transposed",
        321,
    ),
    Fault(
        "transposed recurrent, chip",
        s.weights(s.transposed, "loop"),
        feature("recurrent projection"),
        WEIGHTS,
        "transposed",
        322,
        arithmetic=CHIP,
    ),
    Fault(
        "in column order, agent's hidden",
        s.weights(s.column_order, "next"),
        n.lif,
        WEIGHTS,
        "column",
        323,
    ),
    Fault("targets in reverse", s.weights(s.turned(1), "out"), n.loop, WEIGHTS, "reverse", 324),
    Fault(
        "one spike in 100 lost",
        s.sending(s.lost_at_random("cells", 0.01, 9)),
        n.loop,
        LOST,
        "",
        325,
        1000,
    ),
    Fault(
        "one spike in 20 lost",
        s.sending(s.lost_at_random("input", 0.05, 10)),
        n.delayed,
        LOST,
        "",
        326,
        480,
    ),
    Fault(
        "every 30th input lost",
        s.sending(s.every_nth_lost("input", 30)),
        n.square,
        LOST,
        "every 30th",
        327,
        480,
    ),
    Fault(
        "one spike in 30 lost by equations",
        s.sending(s.lost_at_random("input", 0.03, 11)),
        n.own,
        LOST,
        "",
        328,
        480,
    ),
    Fault(
        "every 12th not recorded",
        s.recording(s.every_nth_lost("last", 12)),
        n.square,
        LOST,
        "record",
        329,
        480,
    ),
    Fault(
        "one input in 50 lost on the chip",
        s.sending(s.lost_at_random("input", 0.02, 12)),
        n.cuba,
        LOST,
        "",
        330,
        480,
        arithmetic=CHIP,
    ),
    Fault("every 3rd write lost", s.nth_write_lost(3), _glm, WRITES, "every 3rd", 331, 24, LONG),
    Fault("every 9th write lost", s.nth_write_lost(9), _lif, WRITES, "every 9th", 332, 24, LONG),
    Fault(
        "every 4th write of all lost",
        s.nth_write_lost(4, True, 1),
        _lif,
        WRITES,
        "every 4th",
        333,
        24,
        TRAINED,
    ),
    Fault(">= of a square", s.including(), n.square, AT, "exactly at", 334),
    Fault(">= of an agent", s.including(), _lif, AT, "exactly at", 335, 120),
    Fault(">= of uneven", s.including(), n.uneven, AT, "exactly at", 336),
)
