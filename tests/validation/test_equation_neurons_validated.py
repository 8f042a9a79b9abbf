"""Test validation and exchange of networks whose neurons are equations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import neurorl
from neurorl.backends.reference import ReferenceSimulator
from neurorl.errors import UnsupportedError
from neurorl.models import Equations
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.nir import to_nir
from neurorl.numerics.arrays import FloatArray
from neurorl.testing import FEATURES

NETWORK = FEATURES["neurons by equations"]()


class Generous(ReferenceSimulator):
    """Let a millionth more arrive at inputs named ge."""

    name = "generous"

    def arrived(self) -> list[dict[str, FloatArray]]:
        sums = super().arrived()
        return [{x: q * (1 + 1e-6 * (x == "ge")) for x, q in own.items()} for own in sums]


def test_backends_agree(tmp_path: Path) -> None:
    result = neurorl.validate(NETWORK, ["reference", "brian2:numpy", "torch"], steps=120)
    page = result.write(tmp_path / "page.html")
    assert result.verdict == "exact"
    assert {row["quantity"] for row in result.rows} >= {"spikes", "membrane"}
    assert "membrane of middle" in page.read_text()


def test_a_difference_is_located(tmp_path: Path) -> None:
    result = neurorl.validate(NETWORK, ["reference", Generous], steps=120)
    page = result.write(tmp_path / "page.html")
    assert result.verdict == "different"
    first = result.explanations[0]
    assert (first.population, first.cause, first.lane) == ("middle", "weights", "generous:float")
    assert first.variable in ("v", "ge")
    assert "weights of excites are 1.000001 times those described" in first.detail
    assert first.detail in page.read_text()


@pytest.mark.parametrize("name", ["level", "moved", "threshold"])
def test_variables_may_have_the_names_of_what_a_threshold_sees(name: str) -> None:
    neuron = Equations(
        f"v = 0.9*v + {name} + q; {name} = 0.5*{name}",
        "v > 1",
        reset=f"v = 0; {name} = {name} - 0.1",
        initial={"v": 0.0, name: 0.0},
    )
    network = Network(
        (Source("input", 4), Population("cells", 3, neuron)),
        (Projection("drive", "input", "cells", 0.4),),
    )
    assert neurorl.validate(network, ["reference", "native"], steps=40).verdict == "exact"


def test_what_has_no_equations_says_so() -> None:
    with pytest.raises(UnsupportedError, match="'middle': neurons by equations have no chip"):
        neurorl.validate(NETWORK, ["reference", "loihi"], steps=20)
    weights = {p.name: np.zeros(NETWORK.weight_shape(p.name)) for p in NETWORK.projections}
    plain = neurorl.network.description.Network(
        tuple(n for n in NETWORK.nodes if n.name != "level"),
        tuple(p for p in NETWORK.projections if p.pre != "level"),
    )
    with pytest.raises(
        UnsupportedError, match="NIR, population 'middle': its equations are those of no NIR"
    ):
        to_nir(plain, {p.name: weights[p.name] for p in plain.projections})
