"""Test listed synapses in what reads networks: validation, NIR, costs, lesions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import neurorl
from neurorl.backends.reference import ReferenceSimulator
from neurorl.errors import DescriptionError, UnsupportedError
from neurorl.models import LIF, FixedInDegree, FixedProbability
from neurorl.models.neurons.lesions import lesioned
from neurorl.network.cost import fan_out
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.nir import to_nir
from neurorl.numerics.arrays import FloatArray

CELLS = LIF(8e-3, 0.5)
LISTED = Network(
    (Source("input", 8), Population("cells", 10, CELLS), Population("last", 4, CELLS)),
    (
        Projection("drive", "input", "cells", 0.3, connect=FixedInDegree(3)),
        Projection("second", "cells", "last", 0.4, connect=FixedProbability(0.4)),
    ),
)


def masked(network: Network) -> Network:
    """Return the same with masks."""
    projections = []
    for p in network.projections:
        listed = network.synapses(p.name)
        assert listed is not None
        mask = listed.dense(np.ones(len(listed))) > 0
        projections.append(dataclasses.replace(p, connect=None, mask=mask))
    return dataclasses.replace(network, projections=tuple(projections))


class Generous(ReferenceSimulator):
    """Let a little more arrive at the first neurons."""

    name = "generous"

    def arrived(self) -> list[dict[str, FloatArray]]:
        sums = super().arrived()
        for q in sums[self.numbers["cells"]].values():
            q *= 1 + 1e-3
        return sums


def test_backends_agree_and_a_difference_is_explained() -> None:
    result = neurorl.validate(LISTED, ["reference", "torch"], steps=60)
    assert result.verdict == "exact"
    result = neurorl.validate(LISTED, ["reference", Generous], steps=60)
    assert result.verdict == "different"
    first = result.explanations[0]
    assert (first.population, first.cause) == ("cells", "weights")
    assert "weights of drive are 1.001 times those described" in first.detail


def test_nir_has_them_as_a_matrix() -> None:
    pytest.importorskip("nir", reason="nir is not installed")
    one, other = to_nir(LISTED).graph, to_nir(masked(LISTED)).graph
    assert one.edges == other.edges
    found = 0
    for name, node in one.nodes.items():
        weight = getattr(node, "weight", None)
        if weight is not None:
            assert np.array_equal(weight, other.nodes[name].weight)
            found += 1
    assert found == 2
    delayed = dataclasses.replace(LISTED.projections[0], delay=1e-3 * (1 + np.arange(30) % 2))
    slow = dataclasses.replace(LISTED, projections=(delayed, LISTED.projections[1]))
    with pytest.raises(UnsupportedError, match="NIR, projection 'drive': a delay for each"):
        to_nir(slow)


def test_costs_are_those_of_a_mask() -> None:
    drive, second = LISTED.synapses("drive"), LISTED.synapses("second")
    assert drive is not None
    assert second is not None
    weights: dict[str, FloatArray] = {
        "drive": np.tile([0.0, 1.0], 15),
        "second": np.ones(len(second)),
    }
    dense = {"drive": drive.dense(weights["drive"]), "second": second.dense(weights["second"])}
    for one, other in (
        (fan_out(LISTED), fan_out(masked(LISTED))),
        (fan_out(LISTED, weights), fan_out(masked(LISTED), dense)),
    ):
        assert all(np.array_equal(one[name], other[name]) for name in one)


def test_lesions_refuse_them_by_name() -> None:
    with pytest.raises(DescriptionError, match="lesioned, projection 'drive': a list loses no"):
        lesioned(LISTED, 0.5, populations=["cells"])
