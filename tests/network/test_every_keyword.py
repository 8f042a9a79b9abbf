"""No field of a network or a rule and no keyword of `Learning` is without effect, or it is refused.

Fields and keywords are found by introspection, so a new one fails here until it has another value
to be tried with, or a reason in `HAS_NO_EFFECT`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest

from neurorl import (
    Learning,
    Network,
    Normal,
    Plasticity,
    Population,
    Projection,
    Source,
    TsodyksMarkram,
    Uniform,
    load,
)
from neurorl.backends.base import Backend
from neurorl.errors import NeurorlError
from neurorl.models import (
    GLM,
    LIF,
    Blocks,
    CubaLIF,
    FixedInDegree,
    FixedOutDegree,
    FixedProbability,
    Synapses,
)
from neurorl.rules import Rule

Fields = dict[str, Any]

CELLS = {"tau_syn": 2e-3, "tau_mem": 9e-3, "threshold": 0.6, "noise": 0.2}
USUAL: dict[type, Fields] = {
    Source: {"name": "in", "size": 6},
    Population: {"name": "cells", "size": 6, "neuron": CubaLIF(**CELLS)},
    Projection: {"name": "up", "pre": "in", "post": "cells", "weights": Uniform(0.02, 0.2)},
    Network: {},
    Plasticity: {"trace_tau": 5e-3, "low": 0.0, "high": 0.25},
    Uniform: {"low": 0.02, "high": 0.2},
    Normal: {"mean": 4e-3, "sd": 2e-3, "low": 1e-3, "high": 9e-3},
    TsodyksMarkram: {"U": 0.4, "tau_rec": 0.02, "tau_facil": 0.01},
    LIF: {"tau_mem": 9e-3, "threshold": 0.6, "noise": 0.2},
    CubaLIF: CELLS,
    GLM: {},
    Blocks: {"n": 2},
    FixedProbability: {"p": 0.4},
    FixedInDegree: {"n": 5},
    FixedOutDegree: {"n": 5},
    Synapses: {"pre": [0, 1, 2, 5], "post": [0, 1, 2, 3]},
}
"""Give the fields of an object of each class, as the network of `study` has it."""
OTHERS: dict[type, Fields] = {
    Source: {"name": "other", "size": 7, "kind": "current"},
    Population: {"name": "other", "size": 7, "neuron": LIF(threshold=0.4)},
    Projection: {
        "name": "other",
        "pre": "cells",
        "post": "in",
        "weights": 0.7,
        "blocks": 2,
        "mask": np.eye(6, dtype=bool),
        "delay": 4e-3,
        "signed": True,
        "plasticity": None,
        "target": "v",
        "connect": FixedInDegree(2),
        "short_term": TsodyksMarkram(0.5, 0.1),
        "gap": "v",
    },
    Network: {"nodes": (Source("in", 6),), "projections": (), "dt": 2e-3},
    Plasticity: {"trace_tau": 0.0, "low": 0.1, "high": 0.12},
    Uniform: {"low": 0.1, "high": 0.12},
    Normal: {"mean": 6e-3, "sd": 1e-3, "low": 4e-3, "high": 5e-3},
    TsodyksMarkram: {"U": 0.9, "tau_rec": 0.2, "tau_facil": 0.5},
    LIF: {"tau_mem": 3e-3, "threshold": 0.4, "bias": 0.2, "noise": 0.5, "refractory": 4e-3},
    CubaLIF: {
        "tau_syn": 0.0,
        "tau_mem": 3e-3,
        "threshold": 0.4,
        "bias": 0.2,
        "noise": 0.5,
        "refractory": 4e-3,
    },
    GLM: {"bias": 0.7},
    Blocks: {"n": 3},
    FixedProbability: {"p": 0.7, "autapses": False, "seed": 4},
    FixedInDegree: {"n": 3, "autapses": False, "multapses": True, "seed": 4},
    FixedOutDegree: {"n": 3, "autapses": False, "multapses": True, "seed": 4},
    Synapses: {"pre": [3, 1, 2, 5], "post": [5, 1, 2, 3], "multapses": True},
}
"""Give another value of each field."""
HAS_NO_EFFECT: Mapping[str, str] = {
    "Synapses.multapses": "only allows pairs that occur twice; without them nothing changes",
    "Rule.name": "only names it",
    "Rule.needs_td_error": "what the modulator is, is the caller's to say",
    "Rule.is_centred": "tells diagnostics of agents what to propose",
    "Rule.counts_returns": "every step counts without an agent",
    "Rule.random_feedback": "b is 1 without an agent, and a caller's phi has its own signs",
    "Rule.drops_late": "spikes in flight carry on to the next window, so none comes too late",
}
"""Give the reason why a field or keyword that is taken changes nothing."""


def study(cls: type, fields: Fields) -> str:
    """Return what a network that has such an object does and learns, as a few letters."""
    nodes: list[Any] = [Source(**USUAL[Source]), Population(**USUAL[Population])]
    up = Projection(**USUAL[Projection], plasticity=Plasticity(**USUAL[Plasticity]))
    loop = Projection("loop", "cells", "cells", 0.05)
    if cls is Network:
        made = Network(**{"nodes": tuple(nodes), "projections": (up, loop), **fields})
        return learned(made)
    part: Any = cls(**fields)
    if cls is Source:
        nodes[0] = part
    elif cls is Population:
        nodes[1] = part
    elif cls is Projection:
        up = part if "plasticity" in fields else dataclasses.replace(part, plasticity=up.plasticity)
    elif cls is Plasticity:
        up = dataclasses.replace(up, plasticity=part)
    elif cls is Uniform:
        up = dataclasses.replace(up, weights=part)
    elif cls is Normal:
        loop = dataclasses.replace(loop, connect=FixedInDegree(3), delay=part)
    elif cls is TsodyksMarkram:
        loop = dataclasses.replace(loop, short_term=part)
    elif cls in (LIF, CubaLIF, GLM):
        nodes[1] = dataclasses.replace(nodes[1], neuron=part)
    else:
        loop = dataclasses.replace(loop, connect=part, weights=0.2)
    return learned(Network(tuple(nodes), (up, loop)))


def learned(network: Network, window: Fields | None = None, **changed: Any) -> str:
    """Return what `Learning` with these keywords does with a network, as a few letters."""
    kept = hashlib.sha256()
    keywords = {"rule": "spikes-only", "rate": 0.05, **changed}
    said = {"modulator": 0.7, "phi": 1.3, **(window or {})}
    rng = np.random.default_rng(1)
    with load("reference", network, seed=3) as backend:
        learning = Learning(backend, **keywords)
        for _ in range(6):
            inputs = {
                s.name: rng.random(s.size)
                if s.kind == "current"
                else rng.random((12, s.size)) < 0.4
                for s in network.sources
            }
            rasters = learning.window(inputs, 12)
            learning.reinforce(**{k: v for k, v in said.items() if v is not None})
            for name, raster in sorted(rasters.items()):
                kept.update(name.encode() + raster.tobytes())
        for p in network.projections:
            kept.update(f"{p.name} {p.post}".encode() + backend.weights(p.name).tobytes())
            if p.plasticity is not None:
                kept.update(learning.eligibility(p.name).tobytes())
        for name, array in sorted(backend.state().items()):
            kept.update(name.encode() + np.asarray(array).tobytes())
    return kept.hexdigest()


def check(where: str, usual: str, change: Callable[[], str]) -> None:
    """Fail if a change is neither refused nor without effect for a reason."""
    try:
        same = change() == usual
    except NeurorlError:
        same = False
        assert where not in HAS_NO_EFFECT, f"{where} is listed, but refused"
    assert same == (where in HAS_NO_EFFECT), f"{where}: {'no' if same else 'an'} effect"


@pytest.mark.parametrize("cls", OTHERS, ids=lambda cls: cls.__name__)
def test_every_field_of_a_network_is_read(cls: type) -> None:
    assert {f.name for f in dataclasses.fields(cls)} == {*OTHERS[cls]}
    usual = study(cls, USUAL[cls])
    for name, value in OTHERS[cls].items():
        changed = {**USUAL[cls], name: value}
        check(f"{cls.__name__}.{name}", usual, partial(study, cls, changed))


PAIRS: Fields = {"rule": "reward-stdp", "window": {"phi": None}}
OF_LEARNING: Fields = {
    "rule": "reward-stdp",
    "rules": {"up": "centred-feedback"},
    "rate": 0.1,
    "eligibility_tau": 0.01,
    "post_tau": 0.5,
    "depression": 3.0,
}


def net(post: str = "cells") -> Network:
    nodes = (Source(**USUAL[Source]), Population(**{**USUAL[Population], "name": post}))
    plastic = Plasticity(**USUAL[Plasticity])
    return Network(nodes, (Projection(**{**USUAL[Projection], "post": post}, plasticity=plastic),))


def test_every_keyword_of_learning_is_read() -> None:
    assert {*inspect.signature(Learning).parameters} == {"backend", *OF_LEARNING}
    usual = learned(net(), **PAIRS)
    for name, value in OF_LEARNING.items():
        changed = {**PAIRS, name: value}
        if name == "rule":
            changed = {"rule": "centred-feedback"}
        if name == "rules":
            changed["window"] = {}
        check(f"Learning, {name}", usual, partial(learned, net(), **changed))


OF_RULES: Fields = {
    "name": "other",
    "post_factors": lambda decision: decision,
    **dict.fromkeys(("needs_probability", "needs_paths"), True),
    "needs_modules": False,
    **dict.fromkeys(("pairs_spikes", "gates_depression", "needs_td_error"), True),
    **dict.fromkeys(("counts_returns", "is_centred", "drops_late", "random_feedback"), True),
    "output": "3*spike",
    "hidden": "3*spike",
    "signals": ("told",),
    "modulator": "told",
    "eligibility_tau": 0.01,
    "eligibility_keep": 0.5,
    "post_tau": 0.5,
    "depression": 3.0,
    "slow_tau": 0.5,
}
BESIDE: Mapping[str, Fields] = {
    **{name: {"pairs_spikes": True} for name in ("gates_depression", "post_tau", "depression")},
    "needs_modules": {"hidden": "2*spike*phi"},
    "modulator": {"modulator": "food"},
    "random_feedback": {"hidden": "2*spike*b"},
    "slow_tau": {"hidden": "spike*slow", "slow_tau": 0.02},
}
"""Give the fields that a field of a rule is beside, in place of none."""


@pytest.mark.parametrize("name", OF_RULES)
def test_every_field_of_a_rule_is_read(name: str) -> None:
    assert {f.name for f in dataclasses.fields(Rule)} == {*OF_RULES}
    whole = net("output" if name == "output" else "cells")
    beside = {"name": "mine", "output": "spike", "hidden": "2*spike", **BESIDE.get(name, {})}
    window: Fields = {} if "phi" in beside["hidden"] else {"phi": None}
    window |= {"modulator": {"food": 0.7}} if name == "modulator" else {}

    def changed(**fields: Any) -> str:
        return learned(whole, rule=Rule(**{**beside, **fields}), window=window)

    usual = changed()
    check(f"Rule.{name}", usual, partial(changed, **{name: OF_RULES[name]}))


@pytest.mark.parametrize("name", ["post_tau", "depression"])
def test_constants_of_pairs_are_refused_without_pairs(name: str) -> None:
    with pytest.raises(NeurorlError, match=f"{name}.*no rule.*pair"):
        learned(net(), **{name: OF_LEARNING[name]})


def test_a_constant_that_every_rule_has_itself_is_refused() -> None:
    with pytest.raises(NeurorlError, match=r"eligibility_tau.*'mstdpet'"):
        learned(net(), **{**PAIRS, "rule": "mstdpet", "eligibility_tau": 0.3})


OF_LOAD: Mapping[str, Fields] = {
    "seed": {"seed": 4},
    "arithmetic": {"arithmetic": "loihi"},
    "noise": {"noise": "chip", "arithmetic": "loihi"},
    "record": {"record": ["other"]},
    "weights": {"weights": {"up": np.full((6, 6), 0.2)}},
}


def run(**keywords: Any) -> str:
    """Return what a network that is loaded with these keywords does, as a few letters."""
    nodes = (*net().nodes, Population("other", 2, LIF()))
    kept = hashlib.sha256()
    with load("reference", Network(nodes, net().projections), **{"seed": 3, **keywords}) as backend:
        rasters = backend.step({"in": np.random.default_rng(1).random((40, 6)) < 0.4}, 40)
        for name, array in [*rasters.items(), *sorted(backend.state().items())]:
            kept.update(name.encode() + np.asarray(array).tobytes())
    return kept.hexdigest()


def test_every_keyword_of_load_is_read() -> None:
    known = {*inspect.signature(Backend.__init__).parameters} - {"self", "simulator", "network"}
    assert known == {*OF_LOAD}
    usual = run()
    for name, keywords in OF_LOAD.items():
        base = run(arithmetic="loihi") if name == "noise" else usual
        check(f"load, {name}", base, partial(run, **keywords))
