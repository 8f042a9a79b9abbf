"""Test faults that only training shows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
from stepwise import SteppedSimulator

from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.spec import BackendSpec
from neurorl.validation import Validation, report, validate
from neurorl.validation.learning import Moment


class Faulty(SteppedSimulator):
    name: ClassVar[str] = "faulty"

    def memory(self, projection: str) -> Any:
        return None  # so that weights come by `set_weights`


class DeafToWrites(Faulty):
    """Keep transmitting the first weights of one projection, and say otherwise."""

    deaf = False

    def build(self, simulated: SimulatedNetwork) -> None:
        super().build(simulated)
        self.deaf = True

    def write_weights(self, projection: str) -> None:
        if not (self.deaf and projection == "hidden_output"):
            super().write_weights(projection)


class SaysWhatItHolds(Faulty):
    """Tell which weights are transmitted, whatever was written."""

    built = False

    def build(self, simulated: SimulatedNetwork) -> None:
        super().build(simulated)
        self.built = True

    def held(self, projection: str) -> Any:
        return self.transmitted[projection].reshape(-1)


class RoundsWrites(SaysWhatItHolds):
    """Round what is written to 12 bits, and say so."""

    def write_weights(self, projection: str) -> None:
        super().write_weights(projection)
        if self.built:
            w = self.transmitted[projection]
            w[:] = np.rint(w * 2048) / 2048


class TakesLate(SaysWhatItHolds):
    """Take what was written the time before, and say so."""

    def write_weights(self, projection: str) -> None:
        before = self.__dict__.setdefault("before", {})
        late, before[projection] = before.get(projection), self.simulated.transmitted(projection)
        if not self.built:
            super().write_weights(projection)
        elif late is not None:
            self.transmitted[projection][:] = late


class LosesWrites(SaysWhatItHolds):
    """Lose every second write of a projection."""

    def write_weights(self, projection: str) -> None:
        count = self.__dict__.setdefault("count", {})
        count[projection] = count.get(projection, 0) + self.built
        if count[projection] % 2 == 0 and self.built:
            return
        super().write_weights(projection)


def trained(cls: type[SteppedSimulator]) -> Validation:
    specs = [BackendSpec("reference", "float"), BackendSpec("faulty", "float", cls=cls)]
    return validate("lif", specs, steps=24, learn=True, updates=40)


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
    cls: type[SteppedSimulator], words: str
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


@pytest.mark.parametrize(
    ("held", "cause", "said"),
    [
        ([0.25, -0.5, 0.75], "rounding of weights", "multiples of 2^-2, up to 0.1 away"),
        ([0.25, -0.5, 1 / 3], "weights", "are others than the rule's, up to 0.1 away"),
    ],
)
def test_weights_that_a_backend_holds_otherwise_are_told_by_their_grid(
    held: list[float], cause: str, said: str
) -> None:
    snapshot: Any = None
    moment = Moment(1, "weights", "in", snapshot, snapshot, np.array(held), {}, 20, 0.1, None)
    found, detail = report._held(moment)
    assert found == cause
    assert said in detail
