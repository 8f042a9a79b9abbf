"""Compare random networks in chip arithmetic: every feature, on all backends, bit for bit.

Each feature has examples of its own, in which it is strong; a test fails too if what its feature is
about never happened in them. `make test` takes a few examples of each, ``-m slow`` many.
"""

from __future__ import annotations

from collections import Counter

import pytest
from chip_cases import FEATURES
from chip_compare import run

FEW, MANY = 3, 24
RARE = {
    "threshold met exactly": 6,
    "overflow of q": 6,
    "overflow of u": 40,
}  # which are drawn hangs on what else is imported
"""Map what is rarely met to how many examples are few."""

NEEDED: dict[str, tuple[str, ...]] = {
    "decays": (
        *("current decay 0", "current decay 4095", "voltage decay 0", "voltage decay 4095"),
        *(f"{kind} decay {k}/16" for kind in ("current", "voltage") for k in range(16)),
        "u rounded from below",
    ),
    "refractory periods": (
        *("refractory 1", "refractory 63", "dead steps"),
        *(f"refractory {k}/8" for k in range(8)),
    ),
    "biases": ("bias", "negative bias"),
    "negative weights": ("no positive weight", "u rounded from below"),
    "threshold met exactly": ("threshold met", "noise"),
    "weights of every exponent": ("exponent 0", "exponent -4", "exponent -6", "exponent -7"),
    "recurrent projections": ("loop",),
    "sparse projections": ("mask",),
    "blocks": ("blocks",),
    "signed projections": ("signed",),
    "overflow of q": ("overflow of q",),
    # Beyond the highest membrane a neuron spikes, as thresholds are at most half as high.
    "overflow of u": ("overflow of u", "overflow of u + bias"),
    "lowest membrane": ("lowest membrane", "beyond the lowest membrane"),
    "escape noise": ("noise",),
    "noise of the chip": ("noise",),
    "noise of the chip and coins": ("noise",),
    "populations on several cores": ("split population",),
    "delays": ("delay of 2 or 3", "delay of 4 or more"),
    "currents": ("current",),
    "rewritten weights": ("write",),
    "resets": ("reset",),
    "states taken and restored": ("save", "restore", "dead steps"),
    "replicas": ("replicas", "write", "reset", "save", "restore"),
    "replicas on several cores": ("replicas", "split population"),
}
"""Map each feature to what must have happened in its examples, beside spikes."""


def check_reached(feature: str, seen: Counter[str], examples: int) -> None:
    assert seen["examples"] >= examples
    missing = [event for event in ("spikes", *NEEDED[feature]) if not seen[event]]
    assert missing == [], f"never happened in {seen['examples']} examples"


@pytest.mark.parametrize("feature", FEATURES)
def test_all_backends_agree_in_every_bit(feature: str) -> None:
    few = RARE.get(feature, FEW)
    check_reached(feature, run(feature, few), few)


@pytest.mark.slow
@pytest.mark.parametrize("feature", FEATURES)
def test_all_backends_agree_in_many_networks(feature: str) -> None:
    check_reached(feature, run(feature, MANY), MANY)


def test_every_feature_says_what_it_must_reach() -> None:
    assert set(NEEDED) == set(FEATURES)
    assert len(FEATURES) * FEW >= 50
    assert len(FEATURES) * MANY >= 500
