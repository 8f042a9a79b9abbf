"""Test that faulty backends of a third party are named rightly, or not at all."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from faults import networks
from faults.case import Fault, judge
from faults.foreign import Foreign
from faults.held_out import HELD_OUT
from faults.mistakes import numbers
from faults.tuned import TUNED
from faults.unseen import UNSEEN
from faults.users import USERS, USERS_HELD_OUT
from faults.wrapped import Wrapped

from neurorl.backends.spec import BackendSpec
from neurorl.errors import BackendError
from neurorl.testing import FEATURES, random_network
from neurorl.validation import validate

Mistaken: Any = numbers("bias", lambda x: 1.5 * x)
EVERY = (*TUNED, *HELD_OUT, *UNSEEN)
QUICK = {
    "threshold of one 1 % high",
    "bias doubled",
    "tau_mem 10 % long",
    "current cleared by a spike",
    "integrates while refractory",
    "floor at 0",
    "u <- d (u + q)",
    "spikes lost between calls",
    "writes one late",
    "every second write lost",
    "bias of signed projections stale",
    "noise never advances",
    "tau only after step 100",
    "one weight x 1.5",
    "chip: tau_mem + 10 %",
    "a membrane that nobody has a name for",
    "a bias and a time constant",
    "noise that isn't the same twice",
}
UNKNOWN = {
    "u <- d (u + q), drawn",  # of neurons that forget currents, so all input is lost
    "writes averaged with those before",  # in no list
}


def test_the_foreign_backend_is_sound() -> None:
    """Otherwise a fault's explanation might be another's."""
    listed = {"synapses as a list", "a delay for each synapse", "short-term plasticity"}
    listed |= {"values for each step", "gap junctions"}
    for feature in sorted(
        set(FEATURES) - {"more neurons than a core", "neurons by equations"} - listed
    ):
        specs: list[Any] = ["reference:float", Foreign]
        assert validate(feature, specs, steps=60).verdict == "exact", feature
    trained = validate("lif", ["reference:float", Foreign], steps=24, learn=True, updates=6)
    assert trained.verdict == "exact"


def assert_named(fault: Fault) -> None:
    verdict, told = judge(fault)
    assert verdict == ("unknown" if fault.name in UNKNOWN else "rightly"), told


@pytest.mark.parametrize("fault", [f for f in EVERY if f.name in QUICK], ids=lambda f: f.name)
def test_a_fault_is_named(fault: Fault) -> None:
    assert_named(fault)


@pytest.mark.slow
@pytest.mark.parametrize("fault", [f for f in EVERY if f.name not in QUICK], ids=lambda f: f.name)
def test_each_of_the_other_faults_is_named(fault: Fault) -> None:
    assert_named(fault)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [1000, 2000])
def test_none_is_named_wrongly_with_other_seeds(shift: int) -> None:
    found = [judge(dataclasses.replace(f, seed=f.seed + shift)) for f in EVERY]
    assert [told for verdict, told in found if verdict == "wrongly"] == []
    named = sum(verdict == "rightly" for verdict, _ in found)
    seen = sum(verdict != "not seen" for verdict, _ in found)
    assert named >= 0.9 * seen


def test_what_hangs_on_calls_is_not_taken_for_float_error() -> None:
    """Weights a call late show in no window that is stepped one step at a time."""
    fault = next(f for f in EVERY if f.name == "writes a call late")
    for seed in (3052, 3053):
        verdict, told = judge(dataclasses.replace(fault, seed=seed))
        assert verdict == "rightly", told


class Stubborn(Mistaken):  # type: ignore[misc]
    """Take no more than a few calls of one step."""

    def begin_call(self) -> None:
        if self.seed != 3:
            raise BackendError("stubborn: only with seed 3")


def test_what_a_probe_cannot_try_is_unknown() -> None:
    fault = Fault("stubborn", Stubborn, networks.cuba, ("unknown",), "a probe failed: stubborn")
    verdict, told = judge(fault)
    assert verdict == "rightly", told
    assert "its voltage isn't as described from step 0 on" in told


def test_every_quick_fault_exists() -> None:
    assert {f.name for f in EVERY} >= QUICK | UNKNOWN
    assert len({f.name for f in EVERY}) == len(EVERY) >= 100


QUICK_OF_USERS = {
    "truncated to 1/32",
    "dead neuron",
    "neuron that isn't recorded",
    "neurons swapped on the way",
    "transposed",
    "one spike in 50 lost",
    ">= without ties",
    ">= on the chip",
}
UNKNOWN_OF_USERS = {"one spike in 30 lost by equations"}


def assert_named_of_users(fault: Fault) -> None:
    verdict, told = judge(fault)
    if fault.name == "dead in a loop":  # a neuron that doesn't spike anyway
        assert verdict == "not seen"
    else:
        assert verdict == ("unknown" if fault.name in UNKNOWN_OF_USERS else "rightly"), told


@pytest.mark.parametrize(
    "fault", [f for f in USERS if f.name in QUICK_OF_USERS], ids=lambda f: f.name
)
def test_a_fault_of_users_is_named(fault: Fault) -> None:
    assert_named_of_users(fault)


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [f for f in (*USERS, *USERS_HELD_OUT) if f.name not in QUICK_OF_USERS],
    ids=lambda f: f.name,
)
def test_each_other_fault_of_users_is_named(fault: Fault) -> None:
    assert_named_of_users(fault)


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
@pytest.mark.parametrize("seed", range(4))
def test_a_right_backend_takes_ties_as_described(arithmetic: str, seed: int) -> None:
    specs = [BackendSpec("reference", arithmetic), BackendSpec("w", arithmetic, cls=Wrapped)]
    found = validate(random_network(400 + seed, delays=True), specs, steps=20, seed=seed)
    assert found.verdict == "exact"
