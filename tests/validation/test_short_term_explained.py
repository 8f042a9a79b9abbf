"""Networks with short-term plasticity: predicted to the bit, and faults named."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pytest
from stepwise import SteppedSimulator
from stepwise.short_term import ShortTerm

import neurorl
from neurorl import Network, Population, Projection, Source, TsodyksMarkram
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.spec import BackendSpec
from neurorl.models import COBA_LIF, CubaLIF
from neurorl.validation.diagnosis import probe
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import enact
from neurorl.validation.hypotheses.arrivals import releases
from neurorl.validation.subject import Subject, make_stimulus

CELL = CubaLIF(2e-3, 8e-3, 0.5, 0.0, 0.1)
DEPRESSES = TsodyksMarkram(U=0.6, tau_rec=50e-3)
BOTH = TsodyksMarkram(U=0.2, tau_rec=20e-3, tau_facil=80e-3)
SPREAD = np.random.default_rng(3).uniform(0.2, 1.2, (6, 8))
NETWORK = Network(
    (Source("input", 6), Population("cells", 8, CELL), Population("coba", 4, COBA_LIF)),
    (
        Projection("drive", "input", "cells", SPREAD, short_term=BOTH),
        Projection("late", "input", "cells", 0.9, blocks=2, delay=3e-3, short_term=DEPRESSES),
        Projection("plain", "input", "cells", 0.1),
        Projection("next", "cells", "coba", 9.0, target="ge", short_term=DEPRESSES),
    ),
)


def probed(spec: BackendSpec) -> list[Evidence]:
    """Return evidence on each population, in a history with resets and calls of all lengths."""
    subject = Subject("short", NETWORK)
    stimulus = make_stimulus(subject, 60, 4, "float")
    stimulus[0] = stimulus[0]._replace(fresh=True)
    history = enact(subject, spec, 4, probe(subject, stimulus, 4, 40, 120))
    return [Evidence(NETWORK, population, history) for population in NETWORK.populations]


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_each_step_is_predicted_whatever_the_calls(backend: str) -> None:
    if backend == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
    for evidence in probed(BackendSpec(backend, "float")):
        assert not evidence.odd_calls(evidence.plain, exact=True).any(), evidence.population.name
        assert evidence.plain["spikes"].sum() > 20


class Faulty(SteppedSimulator):
    """A reference under another name, whose short-term plasticity may be another."""

    name: ClassVar[str] = "faulty"
    kinds: ClassVar[dict[str, TsodyksMarkram | None]] = {}
    made: ClassVar[type[ShortTerm]] = ShortTerm

    def build(self, simulated: SimulatedNetwork) -> None:
        super().build(simulated)
        for name, (pre, old) in list(self._short_term.items()):
            kind = self.kinds.get(name, simulated.network.projection(name).short_term)
            size, depth = len(old.u), len(old.release)
            del self._short_term[name]
            if kind is not None:
                self._short_term[name] = pre, self.made(kind, size, depth, 1e-3)


class Unrounded(ShortTerm):
    """Releases are what they are."""

    def update(self, spikes: Any) -> None:
        left = 1.0 - self._decays[1] * self.used
        super().update(spikes)
        self.release[-1] = np.where(spikes, self.u * left, 0.0)


class LateRise(ShortTerm):
    """A spike releases by u as it was before the spike."""

    def update(self, spikes: Any) -> None:
        kept_u, kept_used = self._decays[0] * self.u, self._decays[1] * self.used
        super().update(spikes)
        released = np.where(spikes, kept_u * (1.0 - kept_used), 0.0)
        self.used[:] = kept_used + released
        self.release[-1] = np.floor(released * 2**16 + 0.5) / 2**16


class Remembering(Faulty):
    """A reset leaves u and x as they are."""

    def reset(self, replicas: Sequence[int]) -> None:
        kept = {k: (s.u.copy(), s.used.copy()) for k, (_, s) in self._short_term.items()}
        super().reset(replicas)
        for name, (u, used) in kept.items():
            state = self._short_term[name][1]
            state.u[:], state.used[:] = u, used


def test_what_survives_a_reset_is_predicted_by_its_variant_alone() -> None:
    cells, _ = probed(BackendSpec("remembering", "float", cls=Remembering))
    assert cells.odd.any()
    fitting = [
        v for v in releases(cells) if not cells.odd_calls(cells.predict(v), exact=True).any()
    ]
    assert [v.detail for v in fitting] == ["u and x of all spikes survive a reset"]


def with_kinds(**kinds: TsodyksMarkram | None) -> type[Faulty]:
    return type("WithKinds", (Faulty,), {"kinds": kinds})


FAULTS: dict[str, tuple[type[Faulty], str, str]] = {
    "none": (with_kinds(drive=None), "parameter", "of drive transmit the whole weight"),
    "a time constant": (
        with_kinds(late=dataclasses.replace(DEPRESSES, tau_rec=0.1)),
        "parameter",
        "plasticity of late: tau_rec is 2 times it",
    ),
    "time constants swapped": (
        with_kinds(drive=TsodyksMarkram(U=0.2, tau_rec=80e-3, tau_facil=20e-3)),
        "parameter",
        "plasticity of drive: tau_rec and tau_facil are each other's",
    ),
    "unrounded": (
        type("OfUnrounded", (Faulty,), {"made": Unrounded}),
        "rounding of weights",
        "what all spikes release is not rounded",
    ),
    "a late rise": (
        type("OfLateRise", (Faulty,), {"made": LateRise}),
        "step order",
        "all spikes release by u before it rises",
    ),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in ("none", "a late rise") else pytest.mark.slow)
        for name in FAULTS
    ],
)
def test_a_fault_is_named(name: str) -> None:
    simulator, cause, detail = FAULTS[name]
    result = neurorl.validate(NETWORK, ["reference", simulator], steps=80)
    assert result.verdict == "different"
    first = result.explanations[0]
    assert (first.population, first.lane) == ("cells", "faulty:float")
    assert (first.cause, detail in first.detail) == (cause, True), (first.cause, first.detail)
