"""A chip made of the registers alone gives the reference's spikes: so all of them are right."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from chip_cases import FEATURES, ChipCase, chip_cases
from chip_events import counting
from hypothesis import HealthCheck, Phase, assume, given, settings
from nxsdk.arch.n2a.n2board import N2Board
from simulators import loihi_of
from stepwise import SteppedSimulator

from neurorl.arithmetic.chip_noise import tossed
from neurorl.backends.loihi import LoihiSimulator
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.backends.registry import load
from neurorl.models import GLM
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.numerics.random import DrawRows, Stream
from neurorl.testing import rasters

EXAMPLES = 2
# Noise is a chip's own, and what is done between windows can't be done to one that runs.
POSSIBLE = [
    name
    for name in FEATURES
    if not any(word in name for word in ("noise", "currents", "rewritten", "resets", "states"))
]


@pytest.mark.parametrize("feature", POSSIBLE)
def test_the_spikes_of_a_chip_are_the_references(feature: str) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(case=chip_cases(feature, quiet=True))
    def equal(case: ChipCase) -> None:
        core = CoreLimits(**case.core)
        assume(not LoihiSimulator.problems(case.network, "loihi", core=core))
        with (
            counting() as events,
            load(SteppedSimulator, case.network, arithmetic="loihi", seed=case.seeds) as reference,
            load("loihi", case.network, seed=case.seeds, core=core) as chip,
        ):
            assert loihi_of(chip).target == "loihi"
            for moment in case.moments:
                inputs = rasters(
                    reference.simulated.whole, moment.n_steps, moment.seed, moment.density
                )
                expected = reference.step(inputs, moment.n_steps)
                seen_here = chip.step(inputs, moment.n_steps)
                for name, raster in expected.items():
                    assert np.array_equal(seen_here[name], raster), name
        seen.update(events)

    equal()
    assert seen["spikes"]


def test_input_spikes_are_labelled_with_their_step() -> None:
    cells = Population("cells", 2, GLM())
    network = Network(
        (Source("input", 3), Source("idle", 1), cells),
        (Projection("drive", "input", "cells", np.arange(6).reshape(3, 2) / 8),),
    )
    spikes = np.zeros((4, 3), dtype=bool)
    spikes[0, 2] = spikes[3, 1] = True
    with load("loihi", network, noise="chip") as backend:
        rows = [backend.step({"input": spikes}, 4)["cells"] for _ in range(2)]
        assert [row.shape for row in rows] == [(4, 2)] * 2
        assert backend.t == 8
        board = N2Board.last
        sent = board.global_spike_generator.spikes  # type: ignore[attr-defined]
        assert [(time, axon) for time, _, _, axon in sent] == [(1, 2), (4, 1), (5, 2), (8, 1)]
        assert board.runs == [4, 4]


def test_coins_reach_the_chip() -> None:
    network = Network(
        (Source("input", 2), Population("cells", 2, GLM())),
        (Projection("drive", "input", "cells", 0.5),),
    )
    with load("loihi", network, seed=4, noise="chip+coins") as backend:
        backend.step({}, 3)
        sent = N2Board.last.global_spike_generator.spikes  # type: ignore[attr-defined]
    rows = DrawRows(4, Stream.COINS + 1, 2, tossed)
    expected = [(k, int(2 + i)) for k in (1, 2, 3) for i in np.asarray(rows(k)).nonzero()[0]]
    assert [(time, axon) for time, _, _, axon in sent] == expected
