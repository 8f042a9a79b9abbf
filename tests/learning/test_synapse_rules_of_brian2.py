"""Compare rules of statements with Brian2's own synapses: every weight, given the spikes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import Network, Population, Projection, Source, SynapseLearning, load
from neurorl.backends.brian2.vendor import brian2, exact_preferences
from neurorl.models import LIF, FixedProbability, OneToOne
from neurorl.network.description import Plasticity
from neurorl.rules import SynapseRule

N_PRE, N_POST, STEPS, DT = 12, 8, 400, 1e-3
Raster = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """Hold a rule, and the same as texts of Brian2: variables, on_pre, on_post."""

    rule: SynapseRule
    model: str
    on_pre: str
    on_post: str


CASES = [
    Case(
        SynapseRule(
            "song",
            equations="da_pre/dt = -a_pre/tau_p; db_post/dt = -b_post/tau_m",
            on_pre="w -= b_post; a_pre += up",
            on_post="w += a_pre; b_post += down",
            parameters={"tau_p": 20e-3, "tau_m": 30e-3, "up": 0.02, "down": 0.021},
        ),
        "da/dt = -a/(20*ms) : 1 (event-driven)\ndb/dt = -b/(30*ms) : 1 (event-driven)",
        "w = clip(w - b, 0, 1); a += 0.02",
        "w = clip(w + a, 0, 1); b += 0.021",
    ),
    Case(
        SynapseRule(
            "soft bounds",
            equations="da_pre/dt = -a_pre/tau; db_post/dt = -b_post/tau",
            on_pre="a_pre += 1; w -= 0.03*w*b_post",
            on_post="b_post += 1; w += 0.02*(1 - w)*a_pre",
            parameters={"tau": 20e-3},
        ),
        "da/dt = -a/(20*ms) : 1 (event-driven)\ndb/dt = -b/(20*ms) : 1 (event-driven)",
        "a += 1; w = clip(w - 0.03*w*b, 0, 1)",
        "b += 1; w = clip(w + 0.02*(1 - w)*a, 0, 1)",
    ),
    Case(
        SynapseRule(
            "vogels",
            equations="da_pre/dt = -a_pre/tau; db_post/dt = -b_post/tau",
            on_pre="a_pre += 1; w += eta*(b_post - alpha)",
            on_post="b_post += 1; w += eta*a_pre",
            parameters={"tau": 20e-3, "eta": 0.01, "alpha": 0.3},
        ),
        "da/dt = -a/(20*ms) : 1 (event-driven)\ndb/dt = -b/(20*ms) : 1 (event-driven)",
        "a += 1; w = clip(w + 0.01*(b - 0.3), 0, 1)",
        "b += 1; w = clip(w + 0.01*a, 0, 1)",
    ),
    Case(
        SynapseRule(
            "triplets, tags and decay",
            equations="""
            dr1_pre/dt = -r1_pre/tau_p
            dr2_pre/dt = -r2_pre/tau_x
            do1_post/dt = -o1_post/tau_m
            do2_post/dt = -o2_post/tau_y
            dtag/dt = -tag/tau_tag
            dw/dt = (tag - 0.1*w)/tau_w
            """,
            on_pre="tag -= o1_post*(0.2 + r2_pre); r1_pre += 1; r2_pre += 1",
            on_post="tag += r1_pre*(0.2 + 0.5*o2_post); o1_post += 1; o2_post += 1",
            method="euler",
            parameters={
                "tau_p": 17e-3,
                "tau_x": 0.1,
                "tau_m": 34e-3,
                "tau_y": 0.12,
                "tau_tag": 0.2,
                "tau_w": 20.0,
            },
        ),
        """
        dr1/dt = -r1/(17*ms) : 1 (clock-driven)
        dr2/dt = -r2/(100*ms) : 1 (clock-driven)
        do1/dt = -o1/(34*ms) : 1 (clock-driven)
        do2/dt = -o2/(120*ms) : 1 (clock-driven)
        dtag/dt = -tag/(200*ms) : 1 (clock-driven)
        dw/dt = (tag - 0.1*w)/(20*second) : 1 (clock-driven)
        """,
        "tag -= o1*(0.2 + r2); r1 += 1; r2 += 1",
        "tag += r1*(0.2 + 0.5*o2); o1 += 1; o2 += 1",
    ),
]


def network(delay: float) -> Network:
    """Return cells whose spikes a teacher says, one step before."""
    nodes = (
        Source("input", N_PRE),
        Source("teacher", N_POST),
        Population("cells", N_POST, LIF(tau_mem=0.0, threshold=50.0)),
    )
    learns = Projection(
        "learns",
        "input",
        "cells",
        0.5,
        connect=FixedProbability(0.6, seed=1),
        plasticity=Plasticity(0.02, 0.0, 1.0),
        delay=delay,
    )
    return Network(
        nodes, (learns, Projection("says", "teacher", "cells", 100.0, connect=OneToOne())), DT
    )


def theirs(case: Case, made: Network, pre: Raster, post: Raster) -> npt.NDArray[np.float64]:
    groups = []
    for raster in (pre, post):
        t, i = np.nonzero(raster)
        group = brian2.SpikeGeneratorGroup(
            raster.shape[1], i, t * DT * brian2.second, dt=DT * brian2.second
        )
        groups.append(group)
    model = case.model if "dw/dt" in case.model else f"w : 1\n{case.model}"
    synapses = brian2.Synapses(
        *groups,
        model,
        on_pre=case.on_pre,
        on_post=case.on_post,
        method="euler" if "clock" in model else "exact",
        dt=DT * brian2.second,
        namespace={"ms": brian2.ms, "second": brian2.second},
    )
    listed = made.synapses("learns")
    assert listed is not None
    synapses.connect(i=listed.pre, j=listed.post)
    synapses.w = 0.5
    synapses.pre.delay = made.delay_steps("learns") * DT * brian2.second
    brian2.Network(*groups, synapses).run(STEPS * DT * brian2.second, namespace={})
    return np.array(synapses.w)


@pytest.mark.parametrize("delay", [1e-3, 4e-3])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule.name)
def test_weights_are_brian2s(case: Case, delay: float) -> None:
    rng = np.random.default_rng(0)
    given = {
        "input": rng.random((STEPS, N_PRE)) < 0.03,
        "teacher": rng.random((STEPS, N_POST)) < 0.03,
    }
    made = network(delay)
    with load("native", made) as backend:
        learning = SynapseLearning(backend, case.rule)
        parts = [
            learning.window({k: x[t : t + 50] for k, x in given.items()}, 50)["cells"]
            for t in range(0, STEPS, 50)
        ]
        ours = learning.weights("learns")
    post = np.concatenate(parts)
    assert np.array_equal(post[1:], given["teacher"][:-1])
    with exact_preferences("numpy"):
        brian2s = theirs(case, made, given["input"], post)
    assert np.ptp(ours) > 0.05
    # Weights are rounded after each window, to a grid of the largest, which is the teacher's.
    assert ours == pytest.approx(brian2s, abs=2e-7)
