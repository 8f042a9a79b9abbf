"""Test that faults in Xylo's arithmetic are named rightly, or not at all."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import pytest
import xylo_windows as windows
from faults.case import Fault, judge
from faults.chip_of_shifts import Layer, ShiftChip
from faults.shift_faults import tuned_shifts
from faults.shift_held_out import held_out_shifts
from faults.shift_tools import network, with_numbers
from faults.shift_unseen import unseen_shifts
from test_evidence import probed
from xylo_vendor import needs_xylosim

from neurorl.backends.spec import BackendSpec
from neurorl.models import shift_lif
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.validation import validate
from neurorl.validation.subject import Subject

EVERY = (*tuned_shifts(), *held_out_shifts(), *unseen_shifts())
QUICK = {
    "shifts: fewer spikes a step",
    "shifts: currents saturate after the sum",
    "shifts: weights of a projection clipped at 31",
    "shifts: jitter in no list",
}
vendor = pytest.param("xylo", marks=needs_xylosim)


def assert_not_wrong(fault: Fault) -> str:
    verdict, told = judge(fault)
    assert verdict != "wrongly", told
    return verdict


@pytest.mark.parametrize("fault", [f for f in EVERY if f.name in QUICK], ids=lambda f: f.name)
def test_a_fault_of_shifts_is_named(fault: Fault) -> None:
    assert assert_not_wrong(fault) == "rightly"


def of_one_number(number: str, cause: str, population: str, seed: int) -> Fault:
    """Return a random network on a chip that takes a neuron's number for its whole population."""

    def change(layer: Layer) -> None:
        values = getattr(layer, number)
        setattr(layer, number, np.full_like(values, values[0]))

    made = partial(windows.random_xylo_network, seed, seed)
    cls = with_numbers(population, change)
    return Fault(f"one {number}", cls, made, (cause,), seed=seed, arithmetic="xylo")


@pytest.mark.parametrize("seed", [9001, 9005, 9012])
def test_one_threshold_for_all_is_no_reset(seed: int) -> None:
    """Where membranes are far beyond either threshold, what a spike takes off may be both."""
    verdict, told = judge(of_one_number("threshold", "threshold", "output", seed))
    assert verdict == "unknown"
    assert "reset" in told
    assert re.search(r"threshold: the threshold is the same number, \d+", told)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(9100, 9106))
@pytest.mark.parametrize("population", ["hidden0", "output"])
@pytest.mark.parametrize(
    ("number", "cause"),
    [("threshold", "threshold"), ("shift_syn", "decay"), ("shift_mem", "decay")],
)
def test_one_number_for_all_is_not_named_wrongly(
    number: str, cause: str, population: str, seed: int
) -> None:
    assert_not_wrong(of_one_number(number, cause, population, seed))


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0, 3000])
def test_faults_of_shifts_are_named_in_other_networks(shift: int) -> None:
    made = (*tuned_shifts(shift), *held_out_shifts(shift), *unseen_shifts(shift))
    verdicts = [assert_not_wrong(fault) for fault in made]
    seen = [verdict for verdict in verdicts if verdict != "not seen"]
    assert seen.count("rightly") >= 0.9 * len(seen) >= 0.9 * 40


@pytest.mark.parametrize("seed", range(3))
def test_a_chip_without_a_fault_is_equal(seed: int) -> None:
    """Otherwise a fault's explanation might be another's."""
    specs: list[Any] = ["reference:xylo", "native:xylo", ShiftChip]
    assert validate(network(seed), specs, steps=60).verdict == "exact"


def unpredicted(seed: int, backends: list[str]) -> list[str]:
    """Return what isn't predicted of a random network, in a history of calls, resets, writes."""
    subject, found = Subject("random", windows.random_xylo_network(seed, seed)), []
    for name in backends:
        spec = BackendSpec(name, "xylo")
        for evidence in probed(subject, spec, lengths=2):
            assert evidence.kept.sum() > 10
            odd = evidence.odd_calls(evidence.plain)
            found += [f"{spec.label}: {evidence.population.name}"] if odd.any() else []
    return found


@pytest.mark.parametrize("seed", [0, 4])
def test_sound_steps_are_predicted_to_the_bit(seed: int) -> None:
    assert unpredicted(seed, ["reference"]) == []


@pytest.mark.slow
@needs_xylosim
@pytest.mark.parametrize("seed", range(50))
def test_sound_simulators_are_equal_and_predicted(seed: int) -> None:
    assert unpredicted(seed, ["native", "xylo"]) == []
    specs: list[Any] = ["reference:xylo", "native:xylo", "xylo"]
    found = validate(windows.random_xylo_network(seed, seed), specs, steps=240)
    assert (found.verdict, found.explanations) == ("exact", [])


@pytest.mark.parametrize(
    ("cause", "weight", "shifts", "threshold"),
    [("several spikes", 100.0, (2, 3), 60), ("saturation", 127 * 128.0, (3, 1), 30_000)],
)
def test_floats_differ_from_xylo_by_a_cause(
    cause: str, weight: float, shifts: tuple[int, int], threshold: int
) -> None:
    """Strong input makes several spikes of one neuron, and fills 16 bits of another."""
    cell = shift_lif(*shifts, threshold=threshold)
    made = Network(
        (Source("input", 6), Population("cells", 5, cell)),
        (Projection("drive", "input", "cells", np.full((6, 5), weight)),),
    )
    found = validate(made, ["reference:float", "reference:xylo"], steps=120, seed=2)
    assert {e.cause for e in found.explanations} == {cause}
