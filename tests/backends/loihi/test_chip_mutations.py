"""The comparison of chip networks can fail: errors put into the reference, each found by a feature.

The reference's own source is changed in one place and compared with the emulator, which is not.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from chip_compare import run

from neurorl.backends.reference import neurons

MUTATIONS = [
    ("overflow of q", "self._held(q, CURRENT_BITS)", "q"),
    ("overflow of q", "self._held(q, CURRENT_BITS)", "self._held(q, CURRENT_BITS - 1)"),
    ("overflow of q", "self._held(q, CURRENT_BITS), 23)", "self._held(q, CURRENT_BITS), 22)"),
    ("overflow of u", "self._held(q, CURRENT_BITS), 23)", "self._held(q, CURRENT_BITS), 24)"),
    ("overflow of u", "self._held(change, 23)", "change"),
    ("lowest membrane", "-VOLTAGE_MAX, VOLTAGE_MAX", "-VOLTAGE_MAX - 1, VOLTAGE_MAX"),
    ("lowest membrane", "-VOLTAGE_MAX, VOLTAGE_MAX", "-VOLTAGE_MAX // 2, VOLTAGE_MAX"),
    ("decays", "4095 - self._chip.current_decay", "4096 - self._chip.current_decay"),
    ("decays", "4096 - self._chip.voltage_decay", "4095 - self._chip.voltage_decay"),
    ("decays", "np.sign(x) * ((np.abs(x) * factor) >> 12)", "(x * factor) >> 12"),
    ("decays", ">> 12))", ">> 12) + (x > 4e6))"),
    (
        "threshold met exactly",
        "self._noisy(steps) > self.threshold",
        "self._noisy(steps) >= self.threshold",
    ),
    ("biases", "change = self.u + self.bias", "change = self.u"),
    ("refractory periods", "chip.refractory - 1", "chip.refractory"),
    ("refractory periods", "self.v[self.dead > 0] = 0", "pass"),
    ("refractory periods", "over &= self.dead == 0", "pass"),
    (
        "refractory periods",
        "= self._refractory_steps[over]",
        "= np.minimum(61, self._refractory_steps)[over]",
    ),
    ("threshold met exactly", "self._noise(steps) + 0.5)", "self._noise(steps))"),
    ("noise of the chip", "* self._chip.noise_step", "* (self._chip.noise_step // 2)"),
    ("negative weights", "self.v[over] = 0", "self.v[over] = 1"),
]
"""List, for each feature that finds an error, the text in the source and what replaces it."""

EXAMPLES = 12


@pytest.mark.parametrize(("feature", "old", "new"), MUTATIONS)
def test_an_error_in_the_neurons_is_found(
    feature: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = mutant(old, new).ChipNeurons
    monkeypatch.setattr("neurorl.backends.reference.simulator.ChipNeurons", changed)
    with pytest.raises(AssertionError):
        run(feature, EXAMPLES, engines=(), shrink=False)


def test_a_change_that_means_nothing_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = mutant("+ self._held(change, 23)", "+ 1 * self._held(change, 23)").ChipNeurons
    monkeypatch.setattr("neurorl.backends.reference.simulator.ChipNeurons", changed)
    assert run("decays", EXAMPLES, engines=(), shrink=False)["examples"] >= EXAMPLES


def mutant(old: str, new: str) -> ModuleType:
    """Return `neurorl.backends.reference.neurons` with another text in one place."""
    source = Path(neurons.__file__).read_text()
    assert source.count(old) >= 1, f"{old!r} is no longer in the source"
    module = ModuleType("mutant")
    exec(compile(source.replace(old, new), "mutant", "exec"), vars(module))
    return module
