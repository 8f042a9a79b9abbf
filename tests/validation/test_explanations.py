"""Each fault that is put into a backend is found, and called by its name."""

from __future__ import annotations

from typing import Any

import injected_faults as faults
import pytest
from stepwise import SteppedSimulator

from neurorl import load
from neurorl.backends.spec import BackendSpec
from neurorl.models import CubaLIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.validation import validate
from neurorl.validation.subject import make_stimulus, make_subject


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda f: f"{f.name}-{f.arithmetic}")
def test_an_injected_fault_is_named(fault: faults.Fault) -> None:
    specs = [
        BackendSpec("reference", fault.arithmetic),
        BackendSpec("faulty", fault.arithmetic, cls=fault.cls),
    ]
    report = validate(fault.network(), specs, steps=240, seed=3)
    assert report.verdict == "different"
    found = report.explanations[0]
    assert (found.cause, found.lane) == (fault.cause, f"faulty:{fault.arithmetic}")
    assert fault.detail in found.detail
    assert [row["diverges"] for row in found.numbers].count(True) == 1


@pytest.mark.parametrize("name", ["LateProjection", "MembraneFirst", "OtherSeed", "Euler"])
def test_the_lane_at_fault_is_named_wherever_it_stands(name: str) -> None:
    fault = next(f for f in faults.FAULTS if f.name == name)
    specs = [BackendSpec("faulty", "float", cls=fault.cls), BackendSpec("reference", "float")]
    found = validate(fault.network(), specs, steps=120, seed=3).explanations[0]
    assert (found.cause, found.lane) == (fault.cause, "faulty:float")


def test_what_a_difference_brings_about_follows_from_it() -> None:
    specs = [BackendSpec("reference", "float"), BackendSpec("faulty", "float", cls=faults.Euler)]
    report = validate(faults.plain(), specs, steps=240, seed=3)
    rows = {row["population"]: row for row in report.rows if row["quantity"] == "spikes"}
    assert rows["cells"]["cause"] == "decay"
    assert rows["last"]["cause"] == "follows"
    assert "decay in cells from step" in rows["last"]["detail"]


def test_the_numbers_of_the_neuron_stand_side_by_side() -> None:
    """By hand, with one refractory step more the membrane stays 0 a step longer after a spike."""
    specs = [
        BackendSpec("reference", "float"),
        BackendSpec("faulty", "float", cls=faults.LongRefractory),
    ]
    found = validate(faults.plain(), specs, steps=240, seed=3).explanations[0]
    now = next(row for row in found.numbers if row["diverges"])
    assert found.variable == "refractory"
    assert (now["a"]["refractory"], now["b"]["refractory"]) == (3, 4)
    assert now["a"]["spike"]
    assert now["b"]["spike"]
    assert now["a"]["margin"] == pytest.approx(now["a"]["level"] - 0.6)


def at(threshold: float) -> Network:
    """Return one cell that leaks and never spikes below *threshold*."""
    cell = CubaLIF(3e-3, 9e-3, threshold, 0.0013)
    return Network(
        (Source("input", 3), Population("cells", 1, cell)),
        (Projection("drive", "input", "cells", 0.031),),
    )


def membrane_of(cls: type[SteppedSimulator], stimulus: Any) -> list[float]:
    """Return the numbers of each step before the first spike."""
    with load(cls, at(1.0)) as backend:
        found: list[float] = []
        for window in stimulus:
            for row in window.inputs["input"]:
                if backend.step({"input": row[None]}, 1)["cells"].any():
                    return found
                found.append(float(backend.state()["cells.voltage"][0]))
    raise AssertionError("no spike")


def threshold_between(other: type[SteppedSimulator]) -> Any:
    """Return a threshold that a membrane passes or just meets, by the order of a sum."""
    stimulus = make_stimulus(make_subject(at(1.0)), 240, 3, "float")
    highest = 0.0
    specs = (membrane_of(cls, stimulus) for cls in (SteppedSimulator, other))
    for one, two in zip(*specs, strict=True):
        if one != two and min(one, two) > max(highest, 0.5):  # the same grid of weights as for 1.0
            return min(one, two)
        highest = max(highest, one, two)
    raise AssertionError("the sums agree")


def test_a_membrane_at_the_threshold_within_float_error_is_told_from_a_fault() -> None:
    specs = [
        BackendSpec("reference", "float"),
        BackendSpec("faulty", "float", cls=faults.OtherSums),
    ]
    report = validate(at(threshold_between(faults.OtherSums)), specs, steps=240, seed=3)
    spikes = next(row for row in report.rows if row["quantity"] == "spikes")
    assert (spikes["verdict"], spikes["cause"]) == ("different", "float error")
    found = report.explanations[0]
    assert (found.cause, found.lane) == ("float error", None)
    margins = [row[side]["margin"] for row in found.numbers for side in "ab"]
    assert min(abs(margin) for margin in margins) < 1e-12
