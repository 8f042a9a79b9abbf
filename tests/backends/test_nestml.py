"""Write neurons and rules as NESTML; pynestml generates code from them, where it is installed."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import Population
from neurorl.backends.spec import BackendSpec
from neurorl.errors import UnsupportedError
from neurorl.models import IZHIKEVICH, CubaLIF, Equations
from neurorl.rules import SynapseRule
from neurorl.validation.plasticity import validate_rule

WRITER = Path(__file__).parents[2] / "examples" / "nest_backend" / "neurorl_nest" / "nestml.py"
REWARD = SynapseRule(
    "reward",
    equations="dx/dt = -x/tau; de/dt = -e/tau_e",
    on_pre="x += 1",
    on_post="e += x*(1 - w)",
    on_reward="w += eta*M*e",
    parameters={"tau": 20e-3, "tau_e": 0.3, "eta": 0.05},
)
LIF = Equations(
    "dv/dt = (ge - v)/taum\ndge/dt = -ge/taue",
    threshold="v > 1 and ge < 9",
    reset="v = where(v > 2, 0.5, 0)",
    method="exact",
    refractory=2e-3,
    held=("v",),
    parameters={"taum": [20e-3, 10e-3], "taue": 5e-3},
    inputs=("ge",),
)


@pytest.fixture(scope="module")
def writer() -> Any:
    """Return the module, which needs no NEST."""
    spec = importlib.util.spec_from_file_location("nestml_writer", WRITER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_neuron_makes_the_step_of_its_plan(writer: Any) -> None:
    text, values = writer.neuron_model(Population("cells", 2, LIF), 1e-3)
    assert text.startswith("model cells_neuron:\n    state:\n        v real = 0.0\n")
    lines = [line.strip() for line in text.splitlines()]
    update = lines[lines.index("update:") + 1 :]
    assert update[:6] == [
        "before_v real = v",
        "ge = ge + arrived_ge * 1 s",
        "next_v real = ((keep_v_v * v) + (keep_v_ge * ge))",
        "next_ge real = (keep_ge_ge * ge)",
        "v = next_v",
        "ge = next_ge",
    ]
    assert update[6:8] == ["if dead > 0:", "v = before_v"]
    assert "elif ((v > 1.0) and (ge < 9.0)):" in update
    assert "v = (((v > 2.0)) ? (0.5) : (0.0))" in update
    assert {*values} == {"keep_v_v", "keep_v_ge"}
    assert values["keep_v_v"] == pytest.approx(np.exp([-1 / 20, -1 / 10]))


def test_a_rule_is_a_synapse_with_a_third_factor(writer: Any) -> None:
    text = writer.synapse_model(REWARD, "reward", 0.0, 2.0)
    parts = dict(part.split(":\n", 1) for part in text.split("\n\n") if ":\n" in part)
    found = {name.strip(): body.split("\n") for name, body in parts.items()}
    assert found["onReceive(mod_spikes)"] == [
        "        w = min(max((w + ((eta * M) * e_own)), low), high)"
    ]
    assert found["onReceive(pre_spikes)"][0] == "        emit_spike(w)"
    assert found["equations"][0] == "        x' = (((-x) / tau)) / (1000 ms)"
    assert found["update"][0] == "        integrate_odes()"
    still = SynapseRule("pairs", on_pre="w -= 0.1", on_post="w += 0.1")
    assert "mod_spikes" not in writer.synapse_model(still, "pairs", 0.0, 1.0)


def test_what_nestml_has_not_is_refused_by_name(writer: Any) -> None:
    noisy = Population("cells", 2, CubaLIF(noise=0.1))
    with pytest.raises(UnsupportedError, match=r"population 'cells': noise .*; noise=0"):
        writer.neuron_model(noisy, 1e-3)
    told = SynapseRule("told", on_pre="w += ach", signals=("ach",))
    with pytest.raises(UnsupportedError, match=r"rule 'told': signals, .*; one modulator"):
        writer.synapse_model(told, "told", 0.0, 1.0)
    waves = SynapseRule("waves", on_pre="w += sin(w)")
    with pytest.raises(UnsupportedError, match="rule 'waves': NESTML has no sin; write it"):
        writer.synapse_model(waves, "waves", 0.0, 1.0)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("pynestml") is None,
    reason="nestml is not installed: pip install 'nestml >= 9, < 10'",
)
def test_pynestml_generates_code_of_them(
    writer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frontend: Any = importlib.import_module("pynestml.frontend.pynestml_frontend")
    for name, neuron in (("cells", LIF), ("bursts", IZHIKEVICH)):
        text, _ = writer.neuron_model(Population(name, 2, neuron), 1e-3)
        (tmp_path / f"{name}_neuron.nestml").write_text(text)
    (tmp_path / "reward_synapse.nestml").write_text(writer.synapse_model(REWARD, "reward", 0, 2))
    ports = {"reward_synapse": {"post_ports": ["post_spikes"], "vt_ports": ["mod_spikes"]}}
    options = {
        "neuron_synapse_pairs": [{"neuron": "cells_neuron", "synapses": ports}],
        "weight_variable": {"reward_synapse": "w"},
        "nest_version": "v3.10.0",
    }
    monkeypatch.chdir(tmp_path)
    failed = "pynestml.exceptions.generated_code_build_exception"
    not_built: Any = importlib.import_module(failed).GeneratedCodeBuildException
    no_path: Any = importlib.import_module("pynestml.exceptions.invalid_path_exception")
    # It builds them too, which needs more of NEST's installation than its wheel has.
    with contextlib.suppress(not_built, no_path.InvalidPathException):
        frontend.generate_target(
            input_path=[str(path) for path in sorted(tmp_path.glob("*.nestml"))],
            target_platform="NEST",
            target_path=str(tmp_path / "out"),
            module_name="neurorlmodule",
            codegen_opts=options,
        )
    made = {path.name for path in (tmp_path / "out").glob("*.h")}
    assert {"cells_neuron.h", "bursts_neuron.h", "neurorlmodule.h"} <= made
    assert "reward_synapse__with_cells_neuron.h" in made


MISSING = [x for x in ("nest", "pynestml") if importlib.util.find_spec(x) is None]


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize("name", ["pairs", "reward"])
def test_nest_learns_what_the_rule_says_at_other_times(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Build and run the models; every number is the rule's, once the named causes are undone."""
    monkeypatch.syspath_prepend(str(WRITER.parents[1]))
    learners: Any = importlib.import_module("neurorl_nest.learners")
    specs = [BackendSpec("reference", "float")]
    found = validate_rule(name, specs, delay=2e-3, others=[learners.of_nestml])
    assert {row["verdict"] for row in found.rows} == {"different"}
    assert {row["quantity"] for row in found.rows} >= {"learning: x_pre", "learning: w"}
    for row in found.rows:
        assert row["cause"] == "delay"
        assert row["detail"] is not None
        for words in ("the delay is dendritic", "traces are read before any is raised", "no grid"):
            assert words in row["detail"]


def test_rules_that_nestml_would_solve_otherwise_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(WRITER.parents[1]))
    learners: Any = importlib.import_module("neurorl_nest.learners")
    specs = [BackendSpec("reference", "float")]
    for name, words in (("oja", "'Oja 1982': dw/dt reads w"), ("dopamine", "dw/dt reads")):
        with pytest.raises(UnsupportedError, match=words):
            validate_rule(name, specs, others=[learners.of_nestml])
    with pytest.raises(UnsupportedError, match="another rule than that of NEST's synapse"):
        validate_rule("pairs", specs, others=[learners.of_dopamine])
