"""The comparison of chip networks can fail: errors put into the program, each found by a feature.

The lowering's own source is changed in one place. All that runs a program is then wrong in the same
way; nengo-loihi's own emulator, which has no part in it, differs.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest
from chip_compare import run

from neurorl.program import membranes

MUTATIONS = [
    ("overflow of q", '_wrapped("q", CURRENT_BITS)', '"q = q"'),
    ("overflow of q", '_wrapped("q", CURRENT_BITS)', '_wrapped("q", CURRENT_BITS - 1)'),
    ("overflow of u", '_wrapped("u", CURRENT_SUM_BITS)', '_wrapped("u", CURRENT_SUM_BITS - 1)'),
    ("overflow of u", '_wrapped("u", CURRENT_SUM_BITS)', '_wrapped("u", CURRENT_SUM_BITS + 1)'),
    ("overflow of u", '_wrapped("change", CURRENT_SUM_BITS)', '"change = change"'),
    ("lowest membrane", "{-VOLTAGE_MAX}, {VOLTAGE_MAX}", "{-VOLTAGE_MAX - 1}, {VOLTAGE_MAX}"),
    ("lowest membrane", "{-VOLTAGE_MAX}, {VOLTAGE_MAX}", "{-VOLTAGE_MAX // 2}, {VOLTAGE_MAX}"),
    ("decays", "4095 - chip.current_decay", "4096 - chip.current_decay"),
    ("decays", "4096 - chip.voltage_decay", "4095 - chip.voltage_decay"),
    ("decays", "trunc(u*kept_u/4096)", "floor(u*kept_u/4096)"),
    ("decays", "trunc(v*kept_v/4096)", "floor(v*kept_v/4096)"),
    ("threshold met exactly", 'threshold = "v > threshold"', 'threshold = "v >= threshold"'),
    ("biases", "change = u + bias", "change = u"),
    ("refractory periods", "chip.refractory - 1", "chip.refractory"),
    ("threshold met exactly", "floor(width*logistic + 0.5)", "floor(width*logistic)"),
    ("noise of the chip", "noise_step*(floor(draw", "(0.5*noise_step)*(floor(draw"),
    ("negative weights", 'read_statements("v = 0"', 'read_statements("v = 1"'),
]
"""List, for each feature that finds an error, the text in the source and what replaces it."""

EXAMPLES = 12
RARE = {"overflow of u": 60}  # which are drawn hangs on what else is imported


@pytest.mark.parametrize(("feature", "old", "new"), MUTATIONS)
def test_an_error_in_the_neurons_is_found(
    feature: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = mutant(old, new).membrane_on_chip
    monkeypatch.setattr("neurorl.program.lowering.membrane_on_chip", changed)
    with pytest.raises(AssertionError):
        run(feature, RARE.get(feature, EXAMPLES), is_quick=True)


def test_a_change_that_means_nothing_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = mutant("change = u + bias", "change = 1*u + bias").membrane_on_chip
    monkeypatch.setattr("neurorl.program.lowering.membrane_on_chip", changed)
    assert run("decays", EXAMPLES, is_quick=True)["examples"] >= EXAMPLES


def mutant(old: str, new: str) -> ModuleType:
    """Return `neurorl.program.membranes` with another text in one place."""
    source = Path(membranes.__file__).read_text()
    assert source.count(old) >= 1, f"{old!r} is no longer in the source"
    module = ModuleType("neurorl.program.mutant")
    sys.modules[module.__name__] = module  # where dataclasses look their annotations up
    exec(compile(source.replace(old, new), "mutant", "exec"), vars(module))
    return module
