"""Faults that only training shows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

from neurorl.backends.reference import ReferenceBackend
from neurorl.validation import Lane, Validation, validate


class Faulty(ReferenceBackend):
    name: ClassVar[str] = "faulty"

    def _transmitted_memory(self, name: str) -> None:
        return None  # so that weights come by `set_weights`


class DeafToWrites(Faulty):
    """Keeps transmitting the first weights of one projection, and says otherwise."""

    def _build(self) -> None:
        self._deaf = False
        super()._build()
        self._deaf = True

    def _write_weights(self, name: str) -> None:
        if not (self._deaf and name == "hidden_output"):
            super()._write_weights(name)


class RoundsWrites(Faulty):
    """Rounds what is written to 12 bits, and says so."""

    def _build(self) -> None:
        self._coarse = False
        super()._build()
        self._coarse = True

    def _round(self, name: str, weights: Any) -> None:
        coarse = np.rint(weights * 2048) / 2048 if getattr(self, "_coarse", False) else weights
        super()._round(name, coarse)


class TakesLate(Faulty):
    """Takes what was written the time before, and says so."""

    def set_weights(self, name: str, weights: Any) -> Any:
        before = self.__dict__.setdefault("before", {})
        late, before[name] = before.get(name), np.array(weights)
        return self.weights(name) if late is None else super().set_weights(name, late)


class LosesWrites(Faulty):
    """Loses every second write of a projection, and says otherwise."""

    def set_weights(self, name: str, weights: Any) -> Any:
        count = self.__dict__.setdefault("count", {})
        count[name] = count.get(name, 0) + 1
        if count[name] % 2 == 0:
            return self.arithmetic.round(name, np.array(weights))
        return super().set_weights(name, weights)


def trained(cls: type[ReferenceBackend]) -> Validation:
    lanes = [Lane("reference", "float"), Lane("faulty", "float", {}, cls)]
    return validate("lif", lanes, steps=24, learn=True, updates=40)


def row(found: Validation, quantity: str, projection: str | None) -> dict[str, Any]:
    return next(
        r
        for r in found.rows
        if (r["quantity"], r["projection"]) == (f"learning: {quantity}", projection)
    )


def test_weights_that_are_not_taken_are_found_in_training_only() -> None:
    found = trained(DeafToWrites)
    before = [r for r in found.rows if not r["quantity"].startswith("learning")]
    assert {r["verdict"] for r in before} == {"exact"}
    assert found.verdict == "different"
    (why,) = found.explanations
    assert (why.cause, why.lane, why.population) == ("weights", "faulty:float", "output")
    assert "hidden_output never came into force" in why.detail
    weights = row(found, "weights", "hidden_output")
    assert (weights["verdict"], weights["cause"]) == ("different", "follows")
    assert weights["first_divergence"]["update"] > 0
    assert why.detail in weights["detail"]


def test_weights_that_are_rounded_when_they_are_written() -> None:
    found = trained(RoundsWrites)
    weights = row(found, "in force", "input_hidden")
    assert (weights["verdict"], weights["cause"]) == ("different", "rounding of weights")


@pytest.mark.parametrize(
    ("cls", "words"), [(TakesLate, "a write late"), (LosesWrites, "every second write is lost")]
)
def test_writes_that_come_late_or_not_are_told_from_rounding(
    cls: type[ReferenceBackend], words: str
) -> None:
    """What is held is near to what was written, as it would be if it were rounded."""
    found = trained(cls)
    (why, *_) = found.explanations
    assert (why.cause, why.lane) == ("writes", "faulty:float")
    assert words in why.detail
    assert row(found, "in force", "input_hidden")["cause"] == "writes"


@pytest.mark.parametrize("quantity", ["trace", "eligibility", "weights", "in force"])
def test_every_quantity_of_every_projection_has_a_row(quantity: str) -> None:
    found = trained(Faulty)
    assert found.verdict == "exact"
    for p in found.subject.network.projections:
        assert row(found, quantity, p.name)["compared"] == 40
    assert row(found, "returns", None)["episodes_a"] > 0
