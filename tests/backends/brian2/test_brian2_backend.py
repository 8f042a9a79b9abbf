"""Test what is particular to the Brian2 backend; what it shares with the others is in contract/."""

from __future__ import annotations

import dataclasses
import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import load
from neurorl.backends.brian2 import Brian2Simulator, objects, vendor
from neurorl.backends.brian2.equations import group_text
from neurorl.backends.brian2.objects import array
from neurorl.backends.brian2.vendor import brian2, exact_preferences
from neurorl.errors import BackendError, UnknownNameError
from neurorl.models import LIF, CubaLIF
from neurorl.models.neurons.published import ADEX
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.program import Program
from neurorl.testing import FEATURES, rasters, same_state


def everything() -> Network:
    """Return a network of blocks, masks, signs, delays, a loop, noise and refractory periods."""
    mask = np.arange(4 * 2 * 3).reshape(4, 2, 3) % 3 > 0
    cells = CubaLIF(2e-3, 6e-3, 0.4, 0.05, 0.1 * (np.arange(12) % 3), 1e-3 * (np.arange(12) % 4))
    return Network(
        (
            Source("left", 8),
            Population("cells", 12, cells),
            Source("right", 3),
            Population("out", 4, LIF(5e-3, 0.3, noise=0.2)),
        ),
        (
            Projection("modules", "left", "cells", Uniform(-0.2, 0.8), blocks=4, mask=mask),
            Projection("late", "right", "cells", Uniform(-0.5, 0.5), delay=5e-3, signed=True),
            Projection("loop", "cells", "cells", Uniform(-0.3, 0.3), delay=3e-3),
            Projection("near", "cells", "out", Uniform(-0.2, 0.6), blocks=2),
            Projection("far", "cells", "out", Uniform(-0.2, 0.6), delay=2e-3),
            Projection("nothing", "left", "out", 0.5, mask=np.zeros((8, 4), bool)),
        ),
    )


@pytest.mark.parametrize(
    ("engine", "arithmetic"), [("numpy", "float"), ("numpy", "loihi"), ("cython", "float")]
)
def test_all_features_together_equal_the_reference(engine: str, arithmetic: str) -> None:
    network = everything()
    rng = np.random.default_rng(0)
    options: dict[str, Any] = {"arithmetic": arithmetic, "seed": 2**62 + 12345}
    a, b = (
        load("reference", network, **options),
        load("brian2", network, engine=engine, **options),
    )
    for k, n_steps in enumerate((1, 2, 9, 1, 1, 30)):
        inputs = rasters(network, n_steps, k, 0.5)
        expected, got = a.step(inputs, n_steps), b.step(inputs, n_steps)
        assert all(np.array_equal(expected[name], got[name]) for name in expected)
        assert same_state(a.state(), b.state()) == []
        for p in network.projections:
            weights = rng.uniform(-0.5, 0.5, network.weight_shape(p.name))
            a.set_weights(p.name, weights)
            b.set_weights(p.name, weights)
        if k == 2:  # a state with spikes in flight moves to a fresh instance, far in the future
            state = {**a.state(), "t": np.array(2**35 + 3)}
            a.restore(state)
            b.close()
            b = load("brian2", network, engine=engine, **options)
            b.restore(state)
    assert expected["cells"].any()
    assert expected["out"].any()


def test_monitors_can_be_added_at_any_time() -> None:
    network = FEATURES["escape noise"]()
    with load("brian2", network) as backend:
        simulator = backend.simulator
        assert isinstance(simulator, Brian2Simulator)
        backend.step(rasters(network, 5, 0), 5)
        group = simulator.brian2_network["node_1"]
        spikes = brian2.SpikeMonitor(group, name="spikes")
        voltage = brian2.StateMonitor(group, "v", record=True, when="end", name="voltage")
        simulator.brian2_network.add(spikes, voltage)
        raster = backend.step(rasters(network, 40, 1), 40)["middle"]
        steps, neurons = np.nonzero(raster)
        assert np.array_equal(np.array(spikes.i), neurons)
        assert np.array_equal(np.rint(np.array(spikes.t / brian2.ms)) - 5, steps)
        assert np.array_equal(np.array(voltage.v)[:, -1], backend.state()["middle.voltage"])


def test_network_run_gives_the_same_as_stepping() -> None:
    """The network is ordinary Brian2: it may also be run, and continued, in Brian2's own way."""
    network = FEATURES["delays of several steps"]()
    with (
        load("brian2", network) as stepped,
        load("brian2", network) as plain,
    ):
        simulator = plain.simulator
        assert isinstance(simulator, Brian2Simulator)
        for backend in (stepped, plain):
            backend.set_weights("near", np.full((5, 8), 0.1))
        always = {"input": np.arange(5) * np.ones((23, 1)) > 2}
        stepped.step(always, 23)
        with exact_preferences("numpy"):
            simulator.brian2_network["node_0"].inject = always["input"][0]
            for n_steps in (6, 1, 16):
                simulator.brian2_network.run(n_steps * brian2.ms)
        expected, got = stepped.state(), plain.state()
        keys = ["t", *(f"{p}.{k}" for p in ("middle", "last") for k in ("voltage", "current"))]
        assert got["middle.voltage"].any()
        assert same_state({k: expected[k] for k in keys}, {k: got[k] for k in keys}) == []


def test_source_is_readable_and_complete() -> None:
    with load("brian2", everything()) as backend:
        assert isinstance(backend.simulator, Brian2Simulator)
        text = backend.source()
    for part in (
        "# population 'cells'",
        "node_1 = NeuronGroup(12, '''",
        "new_1 = kept_v * v + u + bias\n    v = new_1\n",
        "threshold='live and (v + noise_width * drawn_logistic > threshold)'",
        "reset='''\n    v = 0.0\n    dead = refractory_steps\n''')",
        "when='groups'",
        "# projection 'late'",
        "Synapses(node_2, node_1, '''w : 1''', on_pre='arrived_q_post += w', delay=4*dt)",
        "projection_0.connect(i=..., j=...)  # 24 synapses",
    ):
        assert part in text


def test_what_a_population_does_not_need_is_not_in_its_code() -> None:
    with load("brian2", FEATURES["LIF"]()) as backend:
        assert isinstance(backend.simulator, Brian2Simulator)
        text = backend.source()
    assert "logistic" not in text
    assert "dead" not in text
    assert "threshold='v > threshold'" in text


def test_a_name_that_brian2_has_itself_is_another_there() -> None:
    with load("brian2", Network((Population("cells", 2, ADEX),), (), 1e-4)) as backend:
        text = backend.source()
    for part in (
        "own_w_own : 1\n",  # synapses have a w
        "gL : 1 (constant, shared)",
        "threshold='v > v_cut'",
        "v = 1.0*v_reset\n    new_1 = own_w_own + b\n    own_w_own = new_1\n",
        "v = 1.0*next_v\n    own_w_own = 1.0*next_w\n",
    ):
        assert part in text
    assert " ms : " not in text  # it is only a part of C*ms, which is one constant


def test_preferences_clock_and_hooks_of_the_user_stay() -> None:
    names = ("codegen.target", "codegen.cpp.extra_compile_args", "core.default_float_dtype")
    before = [brian2.prefs[name] for name in names]
    hook = sys.excepthook
    with load("brian2", FEATURES["LIF"]()) as backend:
        backend.step({}, 5)
    assert [brian2.prefs[name] for name in names] == before
    assert sys.excepthook is hook
    assert array(brian2.defaultclock, "timestep")[0] == 0


def test_a_users_float32_preference_changes_nothing() -> None:
    network = FEATURES["escape noise"]()
    brian2.prefs["core.default_float_dtype"] = np.float32
    try:
        backend = load("brian2", network)
    finally:
        brian2.prefs["core.default_float_dtype"] = np.float64
    reference = load("reference", network)
    inputs = rasters(network, 20, 0)
    backend.step(inputs, 20)
    reference.step(inputs, 20)
    assert same_state(backend.state(), reference.state()) == []


def test_importing_leaves_no_files_and_no_hooks(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import glob, logging, os, sys, warnings\n"
        "from signal import SIGINT, getsignal\n"
        "hook, show, key = sys.excepthook, warnings.showwarning, getsignal(SIGINT)\n"
        "from neurorl import load\n"
        "from neurorl.testing import FEATURES\n"
        "load('brian2', FEATURES['LIF']()).step({}, 3)\n"
        "assert sys.excepthook is hook and warnings.showwarning is show\n"
        "assert getsignal(SIGINT) is key\n"
        "assert glob.glob(os.environ['TMPDIR'] + '/brian*') == []\n"
    )
    (tmp_path / "tmp").mkdir()
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_unknown_engine() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'cython'"):
        load("brian2", FEATURES["LIF"](), engine="cyton")


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/nonexistent/cc")
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    vendor.cython_problem.cache_clear()
    try:
        with pytest.raises(BackendError, match=r"engine 'cython': can't compile .*engine='numpy'"):
            load("brian2", FEATURES["LIF"](), engine="cython")
        with load("brian2", FEATURES["LIF"]()) as backend:
            assert getattr(backend, "engine", None) == "numpy"
    finally:
        vendor.cython_problem.cache_clear()


def test_what_brian2_refuses_becomes_a_backend_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def wrong(program: Program, k: int) -> Any:
        return dataclasses.replace(group_text(program, k), threshold="injct")

    monkeypatch.setattr(objects, "group_text", wrong)
    with pytest.raises(BackendError, match=r"can't build the network .*injct"):
        load("brian2", FEATURES["LIF"]())
    gc.collect()
    assert capfd.readouterr() == ("", "")


def test_what_the_compiler_says_is_in_the_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(objects, "_CYTHON", objects._CYTHON.replace("uint32_t k0", "nonsense_t k0"))
    with pytest.raises(BackendError, match=r"can't build the network .*nonsense_t"):
        load("brian2", FEATURES["escape noise"](), engine="cython")
    gc.collect()
    assert capfd.readouterr().out == ""


def test_another_device_is_refused() -> None:
    brian2.set_device("cpp_standalone", build_on_run=False)
    try:
        with pytest.raises(BackendError, match=r"set_device\('runtime'\)"):
            load("brian2", FEATURES["LIF"]())
    finally:
        brian2.set_device("runtime")
