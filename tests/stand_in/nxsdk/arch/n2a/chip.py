"""Do what a core does in a step, from nothing but its registers."""

from __future__ import annotations

from typing import Any

import numpy as np
from nxsdk.arch.n2a.registers import Core

SPIKE = 128  # what V shows after a spike, times the refractory delay


class RunningCore:
    """Hold one core in motion: U, V, refractory steps left and spikes, ``(compartments,)``."""

    def __init__(self, core: Core) -> None:
        self.core = core
        n = len(core.cxCfg.parts)
        own = [core.cxCfg[i].fields for i in range(n)]
        profiles = [core.cxProfileCfg[f["cxProfile"]].fields for f in own]
        self.bias = np.array([int(f["bias"]) << int(f["biasExp"]) for f in own], dtype=np.int64)
        self.vth = np.array(
            [64 * int(core.vthProfileCfg[f["vthProfile"]].staticCfg.fields["vth"]) for f in own]
        )
        self.keep_u = np.array([4095 - int(p["decayU"]) for p in profiles])
        self.keep_v = np.array([4096 - int(p["decayV"]) for p in profiles])
        self.refractory = np.array([int(p["refractDelay"]) for p in profiles])
        limits = core.dendriteSharedCfg.fields
        self.lowest = 1 - 2 ** limits["negVmLimit"]
        self.highest = 2 ** (9 + 2 * limits["posVmLimit"]) - 1
        self.u, self.v, self.dead, self.q = (np.zeros(n, dtype=np.int64) for _ in range(4))
        self.spikes = np.zeros(n, dtype=bool)

    def arrive(self, axon: int) -> None:
        """Deliver a spike to an entry of the synapse map."""
        core = self.core
        entry = core.synapseMap[axon].fields
        base = int(entry["discreteMapEntry"].fields["cxBase"])
        for k in range(entry["synapsePtr"], entry["synapsePtr"] + entry["synapseLen"]):
            synapse = core.synapses[k].fields
            exponent = 6 + int(core.synapseFmt[synapse["synFmtId"]].wgtExp)
            weight = int(synapse["Wgt"]) * 2.0**exponent
            assert weight == int(weight)
            self.q[base + int(synapse["CIdx"])] += int(weight)

    def step(self) -> None:
        self.u = _wrap(_shrink(self.u, self.keep_u) + _wrap(self.q, 21), 23)
        self.q[:] = 0
        v = _shrink(self.v, self.keep_v) + _wrap(self.u + self.bias, 23)
        v = np.minimum(np.maximum(v, self.lowest), self.highest)
        v[self.dead > 0] = 0
        self.spikes = v > self.vth
        v[self.spikes] = 0
        self.v = v
        self.dead = np.maximum(np.where(self.spikes, self.refractory, self.dead) - 1, 0)

    def shown(self) -> Any:
        """Return V as embedded code reads it."""
        return np.where(self.spikes, SPIKE * self.refractory, self.v)


def _shrink(x: Any, keep: Any) -> Any:
    return np.sign(x) * (np.abs(x) * keep // 4096)


def _wrap(x: Any, bits: int) -> Any:
    return (x + 2**bits) % 2 ** (bits + 1) - 2**bits
