"""Each fault that is put into a backend is found, and called by its name."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from neurorl.backends.reference import ReferenceBackend
from neurorl.description import Network, Population, Projection, Source
from neurorl.models import CubaLIF
from neurorl.validation import Lane, validate
from neurorl.validation.explain import CAUSES
from neurorl.validation.stimulus import make_stimulus
from neurorl.validation.subject import make_subject


def _faults() -> Any:
    """The module beside this one; tests are no package."""
    name = "neurorl_test_faults"
    if name not in sys.modules:
        path = Path(__file__).with_name("faults.py")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


faults = _faults()


@pytest.mark.parametrize("fault", faults.FAULTS, ids=lambda f: f"{f.name}-{f.arithmetic}")
def test_an_injected_fault_is_named(fault: Any) -> None:
    lanes = [Lane("reference", fault.arithmetic), Lane("faulty", fault.arithmetic, {}, fault.cls)]
    report = validate(fault.network(), lanes, steps=240, seed=3)
    assert report.verdict == "different"
    found = report.explanations[0].to_dict()
    assert (found["cause"], found["lane"]) == (fault.cause, f"faulty:{fault.arithmetic}")
    assert fault.detail in found["detail"]
    assert found["cause"] in CAUSES


@pytest.mark.parametrize("fault", faults.FAULTS[:6], ids=lambda f: f.name)
def test_the_lane_at_fault_is_named_wherever_it_stands(fault: Any) -> None:
    lanes = [Lane("faulty", fault.arithmetic, {}, fault.cls), Lane("reference", fault.arithmetic)]
    found = validate(fault.network(), lanes, steps=120, seed=3).explanations[0].to_dict()
    assert (found["cause"], found["lane"]) == (fault.cause, f"faulty:{fault.arithmetic}")


def at(threshold: float) -> Network:
    """One cell that leaks and never spikes below *threshold*."""
    cell = CubaLIF(3e-3, 9e-3, threshold, 0.0013)
    return Network(
        (Source("input", 3), Population("cells", 1, cell)),
        (Projection("drive", "input", "cells", 0.031),),
    )


def membrane_of(cls: type[ReferenceBackend], stimulus: Any) -> list[float]:
    """Of each step before the first spike."""
    with cls(at(1.0)) as backend:
        found: list[float] = []
        for window in stimulus:
            for row in window.inputs["input"]:
                if backend.step({"input": row[None]}, 1)["cells"].any():
                    return found
                found.append(float(backend.state()["cells.voltage"][0]))
    raise AssertionError("no spike")


def threshold_between() -> float:
    """One that a membrane passes or just meets, depending on the order of a sum."""
    stimulus = make_stimulus(make_subject(at(1.0)), 240, 3, "float")
    highest = 0.0
    for one, two in zip(
        membrane_of(ReferenceBackend, stimulus),
        membrane_of(faults.OtherSums, stimulus),
        strict=True,
    ):
        if one != two and min(one, two) > max(highest, 0.5):  # the same grid of weights as for 1.0
            return min(one, two)
        highest = max(highest, one, two)
    raise AssertionError("the sums agree")


def test_a_membrane_at_the_threshold_within_float_error_is_told_from_a_fault() -> None:
    lanes = [Lane("reference", "float"), Lane("faulty", "float", {}, faults.OtherSums)]
    report = validate(at(threshold_between()), lanes, steps=240, seed=3)
    spikes = next(row for row in report.rows if row["quantity"] == "spikes")
    assert (spikes["verdict"], spikes["cause"]) == ("different", "float error")
    found = report.explanations[0].to_dict()
    assert (found["cause"], found["lane"]) == ("float error", None)
    margins = [row[lane]["margin"] for row in found["numbers"] for lane in "ab"]
    assert min(abs(margin) for margin in margins) < 1e-12
