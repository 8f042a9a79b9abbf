"""State the published rules of plasticity that `experiments.plasticity` checks."""

from __future__ import annotations

from dataclasses import replace

from neurorl.rules import SynapseRule
from neurorl.testing.rules import RULES

MS = 1e-3

OJA = replace(RULES["oja"](), parameters={"tau": 20 * MS, "eta": 0.5})
VOGELS = SynapseRule(
    "Vogels et al. 2011",
    equations="dx_pre/dt = -x_pre/tau; dy_post/dt = -y_post/tau",
    on_pre="x_pre += 1; w += eta*(y_post - alpha)",
    on_post="y_post += 1; w += eta*x_pre",
    parameters={"tau": 20 * MS, "eta": 2e-3, "alpha": 2 * 5.0 * 20 * MS},  # 5 Hz
)
BCM = replace(
    RULES["bcm"](),
    parameters={"tau": 50 * MS, "tau_theta": 5.0, "target": 0.5, "eta": 0.005},
)
TRIPLET = SynapseRule(
    "Pfister & Gerstner 2006, minimal, all to all",
    equations="dr_pre/dt = -r_pre/tp; do1_post/dt = -o1_post/tm; do2_post/dt = -o2_post/ty",
    on_pre="w -= down*o1_post; r_pre += 1",
    on_post="w += up*r_pre*o2_post; o1_post += 1; o2_post += 1",
    parameters={"tp": 16.8 * MS, "tm": 33.7 * MS, "ty": 114 * MS, "up": 6.5e-3, "down": 7.1e-3},
)
CAPTURE = SynapseRule(
    "synaptic tagging and capture",
    equations="""
    dx_pre/dt = -x_pre/tau
    dtag/dt = -tag/tau_tag
    dprotein_post/dt = (dopamine - protein_post)/tau_protein
    dw/dt = rate*tag*protein_post
    """,
    on_pre="x_pre += 1",
    on_post="tag += acetylcholine*x_pre",
    method="euler",
    parameters={"tau": 20 * MS, "tau_tag": 2.0, "tau_protein": 3.0, "rate": 0.02},
    signals=("dopamine", "acetylcholine"),
)
SONG = SynapseRule(
    "Song, Miller & Abbott 2000",
    equations="da_pre/dt = -a_pre/tau; db_post/dt = -b_post/tau",
    on_pre="w -= b_post; a_pre += up",
    on_post="w += a_pre; b_post += 1.05*up",
    parameters={"tau": 20 * MS, "up": 0.01 * 0.01},
)
REWIRED = SynapseRule(
    "pairs, for rewiring",
    equations="da_pre/dt = -a_pre/tau; db_post/dt = -b_post/tau",
    on_pre="w -= 1.8*up*b_post; a_pre += 1",
    on_post="w += up*a_pre; b_post += 1",
    parameters={"tau": 20 * MS, "up": 0.05 * 0.1},
)
