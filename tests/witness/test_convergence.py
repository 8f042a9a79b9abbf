"""Compare ours and NEST's neurons with conductances with a solution by tight tolerances.

It says why spikes differ from NEST's. Membranes of neurons that don't spike: NEST's solver is exact
to 1e-7 mV at every dt, and our methods are of first order, half the error at half the dt. Spikes:
both put them on the grid of dt, and reset there, which is of first order for both.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

SMALL = (1e-4, 5e-5)


@pytest.mark.witness("nest")
@pytest.mark.parametrize(
    ("name", "is_small"),
    [("coba", True), *(pytest.param(n, False, marks=pytest.mark.slow) for n in ("aeif", "coba"))],
)
def test_ours_is_of_first_order_and_nests_solver_is_exact(
    name: str, is_small: bool, measured: Callable[[str, str, float, float], None]
) -> None:
    pytest.importorskip("scipy", reason="scipy is not installed")
    from convergence import STEPS, measure

    errors = measure(name, SMALL, 2) if is_small else measure(name)
    steps = SMALL if is_small else STEPS
    ours, nest = errors.membranes
    for dt, half in itertools.pairwise(steps):
        assert 1.8 < ours[dt] / ours[half] < 2.2
    witness = {"aeif": "NEST aeif_cond_exp", "coba": "NEST iaf_cond_exp"}[name]
    if not is_small:
        label = f"{name}: membrane without spikes, mV, at any of {len(STEPS)} dt, from the solution"
        measured(witness, label, max(nest.values()), 1e-7)
    assert max(nest.values()) < 1e-3 * min(ours.values())
    for kind, of_dt in zip(("ours", "NEST's"), errors.spikes, strict=True):
        worst = max(1e-6 * of_dt[dt] / dt for dt in steps)
        assert worst < 1.5
        if not is_small:
            label = f"{name}: median of spikes, steps of dt, from the solution, {kind}"
            measured(witness, label, worst, 1.5)
