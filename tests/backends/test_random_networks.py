"""Test more random networks, and ways to run them that only the library's own backends have."""

from __future__ import annotations

import pytest

from neurorl.testing.contract.test_random_networks import compare
from neurorl.testing.plugin import Case

PLAIN = Case("loihi", "loihi", engine="stock")
NUMPY = [Case("brian2", arithmetic, engine="numpy") for arithmetic in ("float", "loihi")]


@pytest.mark.parametrize("seed", range(40))
def test_random_networks_on_nengo_loihis_own_emulator(seed: int) -> None:
    compare(seed, PLAIN)


@pytest.mark.parametrize("seed", range(600, 612))
def test_random_networks_with_currents_on_nengo_loihis_own_emulator(seed: int) -> None:
    compare(seed, PLAIN, currents=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 540))
@pytest.mark.parametrize("way", [*NUMPY, Case("loihi", "loihi"), PLAIN], ids=str)
def test_many_random_networks(seed: int, way: Case) -> None:
    compare(seed, way)
