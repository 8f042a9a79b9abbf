"""Hold every bit of some 300 cases: spikes, weights, eligibilities, actions and values.

A case that differs has changed what the library computes. If that is meant, the change log says so,
every figure is made anew, and so are these digests: ``python scripts/bits.py --write``.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from guarded import CASES
from guarded.digest import digested

KNOWN = json.loads((Path(__file__).parent / "digests.json").read_text("utf-8"))


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_the_bits_that_it_had(name: str) -> None:
    assert digested(CASES[name]()) == KNOWN[name]


def test_hardly_a_case_is_refused() -> None:
    refused = [name for name, digests in KNOWN.items() if [*digests] == ["refused"]]
    assert len(refused) < len(KNOWN) / 10, refused
    assert KNOWN.keys() == CASES.keys()
