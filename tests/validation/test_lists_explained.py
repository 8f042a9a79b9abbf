"""Neurons that lists of synapses lead to: predicted to the bit, and faults named."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pytest
from stepwise import SteppedSimulator
from stepwise.listed import ListedArrivals

import neurorl
from neurorl import Network, Population, Projection, Source, TsodyksMarkram, Uniform
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.spec import BackendSpec
from neurorl.models import COBA_LIF, CubaLIF, FixedInDegree, FixedProbability, Synapses
from neurorl.validation import observed
from neurorl.validation.diagnosis import probe
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import enact
from neurorl.validation.subject import Subject, make_stimulus

CELL = CubaLIF(2e-3, 8e-3, 0.5, 0.0, 0.1)
RNG = np.random.default_rng(4)
TWICE = Synapses(RNG.integers(0, 6, 30), RNG.integers(0, 8, 30), multapses=True)
DELAYS = 1e-3 * RNG.integers(1, 5, 30)
FEW = FixedProbability(0.5, seed=2)


def network(chip: bool = False) -> Network:
    """Return neurons that lists of every kind lead to; those of equations have no chip form."""
    cells = Population("cells", 8, CELL)
    drive = Projection("drive", "input", "cells", 0.4, connect=TWICE, delay=DELAYS)
    shift = Projection("shift", "level", "cells", Uniform(0, 0.2), connect=FEW)
    levels = Source("level", 3, "current")
    if chip:
        once = Synapses(*np.divmod(RNG.permutation(48)[:30], 8))  # as the chip has it
        drive = dataclasses.replace(drive, connect=once)
        return Network((Source("input", 6), levels, cells), (drive, shift))
    own = Population("own", 4, COBA_LIF)
    few: dict[str, Any] = {
        "connect": FixedInDegree(3, seed=1),
        "short_term": TsodyksMarkram(0.5, 50e-3),
    }
    follow = Projection("next", "cells", "own", Uniform(4, 12), target="ge", delay=2e-3, **few)
    return Network((Source("input", 6), levels, cells, own), (drive, shift, follow))


def probed(spec: BackendSpec) -> list[Evidence]:
    """Return evidence on each population, in a history with resets and calls of all lengths."""
    made = network(spec.chosen_arithmetic == "loihi")
    subject = Subject("lists", made)
    stimulus = make_stimulus(subject, 60, 4, spec.chosen_arithmetic)
    stimulus[0] = stimulus[0]._replace(fresh=True)
    history = enact(subject, spec, 4, probe(subject, stimulus, 4, 40, 120))
    return [Evidence(made, population, history) for population in made.populations]


@pytest.mark.parametrize(
    ("backend", "arithmetic"),
    [("reference", "float"), ("reference", "loihi"), ("torch", "float"), ("loihi", "loihi")],
)
def test_each_step_is_predicted_whatever_the_calls(backend: str, arithmetic: str) -> None:
    if backend == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
    for evidence in probed(BackendSpec(backend, arithmetic)):
        assert not evidence.odd_calls(evidence.plain, exact=True).any(), evidence.population.name
        assert evidence.plain["spikes"].sum() > 10


class Faulty(SteppedSimulator):
    """A reference under another name."""

    name: ClassVar[str] = "faulty"


class OneLate(Faulty):
    """The synapses with a delay of two steps have one of three."""

    def build(self, simulated: SimulatedNetwork) -> None:
        super().build(simulated)
        synapses, delays = (
            simulated.network.synapses("drive"),
            simulated.network.synapse_delays("drive"),
        )
        assert synapses is not None
        assert delays is not None
        self._lists["drive"] = ListedArrivals(synapses, 4, np.where(delays == 2, 3, delays))


class OtherWeight(Faulty):
    """One synapse has another weight."""

    def write_weights(self, projection: str) -> None:
        super().write_weights(projection)
        if projection == "drive":
            self.transmitted[projection][7] *= 1.5


class Sooner(Faulty):
    """Transmit a step too early what a list with short-term plasticity releases."""

    def build(self, simulated: SimulatedNetwork) -> None:
        super().build(simulated)
        synapses = simulated.network.synapses("next")
        assert synapses is not None
        self._lists["next"] = ListedArrivals(synapses, 1, None)


FAULTS: dict[str, tuple[type[Faulty], str, str, str]] = {
    "late": (OneLate, "cells", "drive", "delay"),
    "weight": (OtherWeight, "cells", "drive", "weights"),
    "early": (Sooner, "own", "next", "delay"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] * (n != "weight")) for n in FAULTS]
)
def test_a_fault_is_named(name: str) -> None:
    simulator, population, projection, cause = FAULTS[name]
    result = neurorl.validate(network(), ["reference", simulator], steps=80)
    assert result.verdict == "different"
    first = result.explanations[0]
    assert (first.population, first.lane) == (population, "faulty:float")
    assert first.cause == cause, first.detail
    assert projection in first.detail


def test_lists_that_are_too_long_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observed, "MOST_PLACES", 10)
    result = neurorl.validate(network(), ["reference", OtherWeight], steps=40)
    assert result.explanations[0].cause == "unknown"
    assert "lists of synapses of more than" in result.explanations[0].detail
