"""List faults written after the explanations, which weren't changed for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from faults import mistakes as m
from faults import networks as n
from faults import wrapped as w
from faults import wrapped_acts as wa
from faults.case import LEARN, Fault
from faults.foreign import Cells, Foreign
from neurorl.testing import FEATURES, random_network


def feature(name: str) -> Callable[[], Any]:
    return FEATURES[name]


def drawn(seed: int) -> Callable[[], Any]:
    return lambda: random_network(seed, delays=True)


def whole(factor: float) -> Callable[[Any], Any]:
    """Multiply a chip's integers by a factor."""
    return lambda x: np.rint(x * factor).astype(np.int64)


class _Both(m.numbers("bias", lambda x: 1.5 * x)):  # type: ignore[misc]
    """Make a bias and a time constant wrong at once."""

    def dynamics(self, population: str, described: Any) -> Any:
        import dataclasses

        found = super().dynamics(population, described)
        return dataclasses.replace(found, membrane_decay=m.tau(0.8)(found.membrane_decay))


CHIP = "loihi"
_lif: Callable[[], Any] = lambda: "lif"  # noqa: E731
_glm: Callable[[], Any] = lambda: "glm"  # noqa: E731
HIDDEN = {**LEARN, "updates": 40, "overrides": {"hidden": 4}}

UNSEEN = (
    Fault(
        "chip: bias x 2",
        w.parameters(bias=whole(2)),
        n.cuba,
        ("bias",),
        "2 times",
        60,
        arithmetic=CHIP,
    ),
    Fault(
        "chip: threshold x 1.01",
        w.parameters(threshold=whole(1.01)),
        n.cuba,
        ("threshold",),
        "",
        61,
        600,
        arithmetic=CHIP,
    ),
    Fault(
        "chip: tau_mem + 10 %",
        w.parameters(voltage_decay=whole(0.9)),
        n.lif,
        ("decay",),
        "membrane",
        62,
        arithmetic=CHIP,
    ),
    Fault(
        "chip: tau_syn - 10 %",
        w.parameters(current_decay=whole(1.1)),
        n.noisy,
        ("decay",),
        "current",
        63,
        arithmetic=CHIP,
    ),
    Fault(
        "chip: refractory + 1",
        w.of_neurons(lambda x: setattr(x, "_refractory_steps", x._refractory_steps + 1)),
        n.lif,
        ("refractory",),
        "longer",
        64,
        arithmetic=CHIP,
    ),
    Fault(
        "chip: reset by subtraction",
        w.of_neurons(_spike=wa.soft),
        n.noisy,
        ("reset",),
        "subtract",
        65,
        arithmetic=CHIP,
    ),
    Fault(
        "chip: weights halved",
        w.transmitting(w.half, "next"),
        n.cuba,
        ("weights",),
        "0.5",
        66,
        arithmetic=CHIP,
    ),
    Fault(
        "chip: floor at 0",
        w.of_neurons(_membrane=wa.rectified),
        n.cuba,
        ("floor",),
        "",
        67,
        arithmetic=CHIP,
    ),
    Fault(
        "chip: current cleared by a spike",
        w.of_neurons(_spike=wa.spike_and_current),
        n.uneven,
        ("reset",),
        "current",
        68,
        arithmetic=CHIP,
    ),
    Fault(
        "chip: spikes lost between calls",
        w.stepping(w.forget_spikes, w.nothing),
        n.loop,
        ("between calls",),
        "",
        69,
        arithmetic=CHIP,
    ),
    Fault(
        "spikes in flight survive a reset",
        w.resetting(wa.only_state),
        _lif,
        ("reset between decisions",),
        "",
        70,
        120,
    ),
    Fault(
        "current lost between calls",
        w.stepping(wa.clear_u, w.nothing),
        feature("CUBA-LIF"),
        ("between calls",),
        "current",
        71,
    ),
    Fault(
        "noise a step back in every call",
        w.stepping(w.nothing, wa.rewind),
        feature("escape noise"),
        ("noise source",),
        "",
        72,
    ),
    Fault(
        "noise a step on in every call",
        w.stepping(wa.twice, w.nothing),
        feature("stochastic GLM unit"),
        ("noise source",),
        "",
        73,
    ),
    Fault(
        "no reset in one population",
        w.of_neurons(None, "last", _spike=wa.kept),
        feature("LIF"),
        ("reset",),
        "",
        74,
    ),
    Fault(
        "floor of currents",
        w.of_neurons(_current=wa.rectified),
        feature("recurrent projection"),
        ("floor",),
        "current",
        75,
    ),
    Fault(
        "bias x 3",
        w.parameters(bias=lambda x: 3 * x),
        feature("parameters per neuron"),
        ("bias",),
        "3 times",
        76,
    ),
    Fault(
        "threshold x 0.9",
        w.parameters(threshold=lambda x: 0.9 * x),
        feature("refractory period"),
        ("threshold",),
        "",
        77,
        480,
    ),
    Fault(
        "weights x 1.01",
        w.transmitting(lambda x: 1.01 * x),
        feature("sparse projection (mask)"),
        ("weights",),
        "1.01",
        78,
    ),
    Fault(
        "weights from the left x 2",
        w.transmitting(lambda x: 2 * x, "from_left"),
        feature("several sources"),
        ("weights",),
        "from_left",
        79,
    ),
    Fault(
        "weights in blocks x 0.9",
        w.transmitting(lambda x: 0.9 * x, "hidden_output"),
        feature("modules (blocks)"),
        ("weights",),
        "hidden_output",
        80,
    ),
    Fault(
        "width x 1.2",
        w.parameters(noise_width=lambda x: 1.2 * x),
        feature("weights written between windows"),
        ("noise source",),
        "",
        81,
        480,
    ),
    Fault(
        "tau of a drawn network",
        w.parameters(membrane_decay=lambda x: x**1.25),
        drawn(3),
        ("decay",),
        "",
        82,
    ),
    Fault(
        "bias of a drawn network",
        w.parameters(bias=lambda x: x + 0.02),
        drawn(5),
        ("bias",),
        "",
        83,
    ),
    Fault(
        "integrates while refractory, drawn",
        m.cells(hold=lambda self: None),
        drawn(8),
        ("refractory",),
        "",
        84,
    ),
    Fault(
        "u <- d (u + q), drawn",
        m.cells(current=lambda self, q: self.d.current_decay * (self.u + q)),
        drawn(12),
        ("step order",),
        "",
        85,
    ),
    Fault(
        "delay + 2 of currents' network",
        m.delayed(2, "first"),
        feature("currents"),
        ("delay",),
        "2 steps later",
        86,
    ),
    Fault(
        "currents doubled",
        m.writes(
            write_bias=lambda self, p, bias: Foreign.write_bias(
                self, p, 2 * bias - self.simulated.bias(p)
            )
        ),
        feature("currents"),
        ("bias", "weights"),
        "2 times",
        87,
    ),
    Fault(
        "writes one late, chip",
        w.writing(wa.previous),
        _lif,
        ("writes",),
        "late",
        88,
        24,
        {**LEARN, "updates": 40},
        CHIP,
    ),
    Fault(
        "the first of two writes lost",
        w.writing(wa.third_lost),
        _glm,
        ("writes",),
        "second",
        89,
        24,
        HIDDEN,
    ),
    Fault(
        "tau 2 x after 150 steps of neuron 1",
        m.late(m.numbers("membrane_decay", m.tau(2.0), None, 1), lambda b: b.steps >= 150),
        n.noisy,
        ("decay",),
        "of neuron 1 only",
        90,
    ),
    Fault(
        "no noise after the second call",
        m.late(m.cells(draw=lambda self: 0 * Cells.draw(self)), lambda b: b.calls >= 2),
        n.loop,
        ("noise source",),
        "no noise",
        91,
    ),
    Fault(
        "threshold x 1.1 after a reset",
        m.late(m.numbers("threshold", lambda x: 1.1 * x), lambda b: b.resets >= 4),
        _lif,
        ("threshold",),
        "",
        92,
        120,
    ),
    Fault(
        "bias 2 x after a write",
        m.late(m.cells(membrane=lambda self: Cells.membrane(self) + 0.1), lambda b: b.writes >= 1),
        _lif,
        ("bias",),
        "",
        93,
        24,
        LEARN,
    ),
    Fault("a bias and a time constant", _Both, n.cuba, ("unknown",), "voltage", 94),
    Fault(
        "noise that isn't the same twice",
        m.cells(draw=lambda self: np.random.default_rng().logistic(size=self.size)),
        n.noisy,
        ("not repeatable",),
        "",
        95,
    ),
    Fault(
        "ceiling of the membrane",
        m.cells(membrane=lambda self: np.minimum(Cells.membrane(self), 0.5)),
        n.loop,
        ("ceiling",),
        "0.5",
        96,
    ),
    Fault(
        "float32 membrane",
        m.cells(membrane=lambda self: Cells.membrane(self).astype(np.float32).astype(float)),
        n.cuba,
        ("float error",),
        "single",
        97,
    ),
)
