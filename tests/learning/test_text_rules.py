"""Compare rules of texts, compiled into the C loop, with NumPy's loop."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from random_rules import (
    ELSEWHERE,
    SMALL,
    STDP,
    check_equal,
    drawn,
    everywhere,
    known,
    learned,
    of_numpy,
)

from neurorl import Network, Plasticity, Population, Projection, SpikingActorCritic, Uniform
from neurorl.errors import DescriptionError, DivergenceError
from neurorl.learning.loops.native import NativeLoop
from neurorl.models import LIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.features import RBF, GaussianCells
from neurorl.models.neurons.equations import Equations
from neurorl.native import build, toolchain
from neurorl.network.description import Source
from neurorl.rules import Rule, find_rule
from neurorl.rules.registry import SHIPPED
from neurorl.runs.training import train

pytestmark = pytest.mark.skipif(
    toolchain.problem() is not None, reason="no C++ compiler: there is only the loop in NumPy"
)


def check_loops(rule: Rule, **options: Any) -> dict[str, Any]:
    native = learned(rule, "native", **options)
    check_equal(native, learned(rule, "numpy", **options))
    return native


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
@pytest.mark.parametrize("name", [name for name, rule in SHIPPED.items() if not rule.signals])
def test_a_rule_of_ours_is_in_the_library_of_the_loop(
    name: str, arithmetic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build.library()
    monkeypatch.setattr(build, "compiled", None)  # nothing more is compiled
    rule = replace(find_rule(name), name="copy", modulator=None)
    options: dict[str, Any] = {**(STDP if rule.pairs_spikes else {}), "arithmetic": arithmetic}
    options["model"] = "glm" if rule.needs_probability else "lif"
    check_loops(rule, **options)


WIDE: dict[str, Any] = {"actors": 4, "hidden": 0, "model": "lif"}
CASES: dict[str, dict[str, Any]] = {
    "p in every step of the STDP rule": {
        "rule": Rule("mine", output="spike - 0.1*p*phi", pairs_spikes=True),
        "model": "lif",
        **STDP,
    },
    "a gain of STDP that doesn't gate": {
        "rule": Rule("mine", output="spike*2*phi*t", hidden="-spike*b/W", pairs_spikes=True),
        "model": "lif",
        **STDP,
    },
    "a gate of counts": {
        "rule": Rule("mine", output="spike/n", pairs_spikes=True, gates_depression=True),
        "carries": True,
        "model": "lif",
        **STDP,
    },
    "V without p": {"rule": Rule("mine", output="spike*phi", hidden="spike*phi*V")},
    "V without p, weights told": {
        "rule": Rule("mine", output="spike*phi", hidden="spike*phi*V"),
        "backend": "loihi",
    },
    "late spikes dropped": {
        "rule": Rule("mine", output="spike*phi", hidden="spike*phi*b", drops_late=True)
    },
    "y of the output": {"rule": Rule("mine", output="(y + 1)*phi", hidden="y*phi*b")},
    "one hidden layer, wide": {
        "rule": Rule("mine", output="spike*phi*(1 - n/W)", hidden="spike*phi*b*(1 - n/W)"),
        **WIDE,
        "hidden": 20,
    },
    "no hidden layer": {"rule": Rule("mine", output="where(spike > 0, phi, 0)"), **WIDE},
    "a spiking critic": {
        "rule": Rule("mine", output="spike*phi", hidden="spike*phi*b"),
        "critic": "spiking",
        "features": RBF((-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0), cells=3),
        "critic.neurons": 12,
    },
    "membranes and thresholds": {
        "rule": Rule("mine", output="trace*phi*(theta - v)", hidden="phi*b*max(0, v)/theta*trace"),
        "model": "lif",
    },
    "membranes beside p": {
        "rule": Rule("mine", output="phi*p*v", hidden="phi*b*p*(1 - v)"),
    },
    "slow traces of STDP": {
        "rule": Rule("mine", output="spike*(1 + slow)", pairs_spikes=True, slow_tau=0.1),
        "model": "lif",
        "carries": True,
        **STDP,
    },
    "slow traces without pairs": {
        "rule": Rule("mine", output="slow*phi", hidden="(slow - 0.1)*phi*b", slow_tau=0.02),
        "model": "lif",
    },
    "an eligibility that decays in every step": {
        "rule": Rule("mine", output="spike*phi", hidden="spike*phi*b", eligibility_tau=0.02),
        "model": "lif",
    },
    "an eligibility that decays in every step, dense": {
        "rule": Rule("mine", output="p*phi", hidden="p*phi*b", eligibility_tau=0.005),
        "hidden": 20,
        "actors": 2,
    },
    "STDP whose eligibility decays with every decision": {
        "rule": Rule("mine", output="spike*phi", pairs_spikes=True, eligibility_keep=0.5),
        "model": "lif",
        **STDP,
    },
    "STDP with its own constants": {
        "rule": Rule(
            "mine",
            output="spike*phi",
            pairs_spikes=True,
            eligibility_tau=0.05,
            post_tau=0.005,
            depression=2.0,
        ),
        "model": "lif",
        **STDP,
    },
    "the modulator": {
        "rule": Rule("mine", output="where(t > 0 or M > 0, spike, 0)", hidden="spike*M*t"),
        "model": "lif",
    },
    "writes of a chip": {
        "rule": Rule("mine", output="phi*p", hidden="phi*V*p"),
        "arithmetic": "loihi",
        "writes": "stochastic",
    },
}


@pytest.mark.parametrize("case", CASES)
def test_native_and_numpy_agree(case: str) -> None:
    options = {"model": "glm", **CASES[case]}
    learned = check_loops(options.pop("rule"), **options)
    assert any(value.any() for name, value in learned.items() if name.startswith("e "))


@pytest.mark.parametrize(
    "seed", [pytest.param(s, marks=[pytest.mark.slow] if s >= 30 else []) for s in range(130)]
)
def test_random_texts_agree(seed: int) -> None:
    rule, options = drawn(seed)
    check_loops(rule, episodes=1, **options)


QUICK = 3


@pytest.mark.parametrize(
    "seed",
    [pytest.param(s, marks=[pytest.mark.slow] if s >= QUICK else []) for s in range(QUICK + 100)],
)
def test_random_rules_learn_the_same_everywhere(seed: int) -> None:
    """Run one rule of all names through every loop, backend and engine, in both arithmetics."""
    rule, options = everywhere(seed)
    expected = of_numpy(rule, options)
    for where, other in ELSEWHERE.items():
        if where == "torch" and importlib.util.find_spec("torch") is None:
            continue
        got = learned(rule, "native", 1, **other, **options)
        check_equal(got, expected[other.get("arithmetic", "float")])


@pytest.mark.parametrize("loop", ["native", "numpy"])
@pytest.mark.parametrize("value", ["1/(n - n)", "spike/(W - W)", "log(-1)"])
def test_a_factor_that_is_not_finite_is_named(loop: str, value: str) -> None:
    rule = Rule("mine", output="spike*phi", hidden=f"{value}")
    where = r"post factor of rule 'mine', hidden(_2)?, step \d, neuron \d+ is not finite"
    with pytest.raises(DivergenceError, match=where):
        learned(rule, loop, model="lif")


def test_a_rule_is_compiled_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A second process finds it; another text, or a constant of it, is another library."""
    build.library()
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache")
    counts = []
    for output in ("spike*phi*0.75", "spike*phi*0.75", "spike*phi*0.875"):
        build.lasting.cache_clear()  # as a new process
        learned(Rule("mine", output=output), "native", episodes=1, hidden=0)
        counts.append(len(list((tmp_path / "cache").glob("*.so"))))
    assert counts == [1, 1, 2]


def test_the_default_loop_of_a_text_is_native(recwarn: pytest.WarningsRecorder) -> None:
    agent = SpikingActorCritic("CartPole-v1", rule=Rule("mine", output="spike*phi"), **SMALL)
    assert isinstance(agent._replicas.loop, NativeLoop)
    assert not recwarn.list


def test_without_a_compiler_a_text_runs_in_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurorl.native.toolchain.problem", lambda: "no compiler of this test")
    with pytest.warns(RuntimeWarning, match="no compiler of this test"):
        agent = SpikingActorCritic("CartPole-v1", rule=Rule("mine", output="spike*phi"), **SMALL)
    assert not isinstance(agent._replicas.loop, NativeLoop)


def by_equations() -> Network:
    """Return modules of neurons that are written as equations."""
    cell = Equations(
        "dv/dt = -v/tau",
        threshold="v > 0.4",
        reset="v = 0",
        method="exact",
        parameters={"tau": 5e-3},
        inputs=("v",),
    )
    plastic = Plasticity(trace_tau=5e-3)
    nodes = (Source("input", 24), Population("hidden", 8, cell), Population("output", 4, cell))
    return Network(
        nodes,
        (
            Projection("a", "input", "hidden", Uniform(0, 0.4), target="v", plasticity=plastic),
            Projection(
                "b", "hidden", "output", Uniform(0, 0.5), target="v", blocks=4, plasticity=plastic
            ),
        ),
    )


def configured(rule: Rule) -> AgentConfig:
    cells = GaussianCells((-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0), cells=6)
    return AgentConfig(
        model="own",
        neuron=LIF(),
        rule=rule,
        cells=cells,
        features=cells,
        window=8,
        description=by_equations(),
    )


def test_a_rule_learns_in_neurons_by_equations_and_needs_noise_for_p() -> None:
    config = configured(Rule("mine", output="spike*phi", hidden="spike*phi*V"))
    native, numpy = (
        known(SpikingActorCritic("CartPole-v1", config=config, seed=5, loop=loop), 3)
        for loop in ("native", "numpy")
    )
    check_equal(native, numpy)
    assert native["e a"].any()
    match = r"output, character 11 \(p in 'spike\*phi\*p'\), needs spike.*'hidden' has no noise"
    with pytest.raises(DescriptionError, match=match):
        configured(Rule("mine", output="spike*phi*p"))


@pytest.mark.parametrize("size", [2, 11])
def test_a_hidden_layer_that_modules_share_hears_no_broadcast(size: int) -> None:
    plastic = Plasticity(trace_tau=5e-3)
    nodes = (Source("input", 24), Population("hidden", size, LIF()), Population("output", 4, LIF()))
    shared = Network(
        nodes,
        (
            Projection("a", "input", "hidden", Uniform(0, 2), plasticity=plastic),
            Projection("b", "hidden", "output", Uniform(0, 2), plasticity=plastic),
        ),
    )
    rule = Rule("mine", output="2*spike*phi*t", pairs_spikes=True, gates_depression=True)
    config = replace(configured(rule), description=shared, normalises=False)
    native, numpy = (
        known(SpikingActorCritic("CartPole-v1", config=config, seed=5, loop=loop), 3)
        for loop in ("native", "numpy")
    )
    check_equal(native, numpy)
    assert native["e a"].any()


def test_a_run_goes_on_with_the_texts_of_its_file(tmp_path: Path) -> None:
    rule = Rule("mine", output="spike*phi", hidden="spike*(phi*b)*(1 - 0.5*n/W)")
    overrides = {"rule": rule, "actors": 2, "hidden": 2}
    whole = train("CartPole-v1", tmp_path / "a", seed=1, episodes=4, overrides=overrides)
    train("CartPole-v1", tmp_path / "b", seed=1, episodes=2, overrides=overrides)
    resumed = train("CartPole-v1", tmp_path / "b", resume=True, episodes=4)
    assert resumed["digest"] == whole["digest"]
