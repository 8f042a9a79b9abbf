"""Test the engine 'compiled': its cache, its libraries, and what it assumes of Brian2."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import load
from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.backends.brian2 import Brian2Simulator, builders, cache, engines, fingerprint
from neurorl.backends.brian2.compiled import Compiled
from neurorl.backends.brian2.plan import library_plan
from neurorl.children import child_environment
from neurorl.errors import BackendError, UnsupportedError
from neurorl.models import LIF
from neurorl.native import toolchain
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import FEATURES, rasters, same_state


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache."""
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache"


def compiled(network: Network, **options: Any) -> Any:
    return load("brian2", network, engine="compiled", **options)


def entries(folder: Path) -> list[str]:
    """List the names of all files and folders of a cache but the locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def plan(network: Network, arithmetic: str = "float") -> dict[str, Any]:
    delays = {node.name: 1 for node in network.nodes}
    return library_plan(network, make_arithmetic(arithmetic, network), delays)


def test_it_is_the_default() -> None:
    with load("brian2", FEATURES["LIF"]()) as backend:
        assert isinstance(backend.simulator, Brian2Simulator)
        assert backend.simulator.engine == "compiled"


def test_this_brian2_is_known() -> None:
    """If a release changes what the engine relies on: run this folder, then add its hash."""
    assert fingerprint.KNOWN[fingerprint.version()] == fingerprint.fingerprint()


def test_an_unknown_brian2_warns_once_and_takes_cython(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "KNOWN", {"1.0": "abc"})
    engines._best_engine.cache_clear()
    try:
        with pytest.warns(
            RuntimeWarning, match=r"slower engine 'cython' \(got brian2 .* 1\.0"
        ) as w:
            made = [load("brian2", FEATURES["LIF"]()) for _ in range(2)]
        assert len(w) == 1
        assert [getattr(b, "engine", None) for b in made] == ["cython", "cython"]
        with compiled(FEATURES["LIF"]()) as backend:
            assert backend.engine == "compiled"
    finally:
        engines._best_engine.cache_clear()


def test_without_a_compiler_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    with pytest.raises(BackendError, match=r"'compiled': can't compile .*c\+\+.*engine='numpy'"):
        compiled(FEATURES["LIF"]())


def test_it_has_no_brian2_network() -> None:
    with (
        compiled(FEATURES["LIF"]()) as backend,
        pytest.raises(UnsupportedError, match="engine='cython'"),
    ):
        _ = backend.brian2_network


@pytest.mark.parametrize("blocks", [1, 3])
def test_few_synapses_are_a_list(blocks: int) -> None:
    """The engine equals the reference, with a delay and a new weight where no synapse is."""
    shape = (blocks, 30 // blocks, 12 // blocks)
    mask = (np.arange(30 * 12 // blocks).reshape(shape) * 7) % 23 < 4
    mask = mask if blocks > 1 else mask[0]
    network = Network(
        (Source("input", 30), Population("cells", 12, LIF(5e-3, 0.5))),
        (
            Projection("few", "input", "cells", Uniform(-0.2, 1.0), blocks=blocks, mask=mask),
            Projection("late", "input", "cells", 0.1, blocks=blocks, mask=mask, delay=3e-3),
        ),
    )
    assert [p["sparse"] for p in plan(network)["projections"]] == [True, True]
    with load("reference", network) as reference, compiled(network) as backend:
        for seed in range(3):
            for one in (reference, backend):
                one.set_weights("few", np.random.default_rng(seed).random(mask.shape))
            inputs = rasters(network, 20, seed)
            expected, got = reference.step(inputs, 20), backend.step(inputs, 20)
            assert expected["cells"].any()
            assert np.array_equal(expected["cells"], got["cells"])
            assert same_state(reference.state(), backend.state()) == []


def test_windows_of_any_length_and_inputs_of_any_layout() -> None:
    network = FEATURES["several sources"]()
    with load("reference", network) as reference, compiled(network) as backend:
        for n_steps in (3, 500, 1, 40):
            inputs = {k: np.asfortranarray(v) for k, v in rasters(network, n_steps, 1).items()}
            assert np.array_equal(
                reference.step(inputs, n_steps)["cells"], backend.step(inputs, n_steps)["cells"]
            )


def test_rasters_are_the_callers_own() -> None:
    network = FEATURES["LIF"]()
    with compiled(network) as backend:
        first = backend.step(rasters(network, 20, 0, 0.9), 20)["middle"]
        kept = first.copy()
        backend.step({}, 20)
    assert kept.any()
    assert np.array_equal(first, kept)


def test_weights_seeds_names_and_parameters_compile_nothing() -> None:
    neuron = LIF(7e-3, 0.4)
    a, b = (
        Network(
            (Source(f"{name}_in", 3), Population(name, 4, neuron)),
            (Projection(f"{name}_to", f"{name}_in", name, weights),),
        )
        for name, neuron, weights in (("one", LIF(7e-3, 0.4), 0.5), ("two", neuron, Uniform(0, 1)))
    )
    assert cache.key(plan(a)) == cache.key(plan(b))
    wider = Network(
        (Source("in", 3), Population("out", 5, neuron)), (Projection("to", "in", "out"),)
    )
    assert len({cache.key(p) for p in (plan(a), plan(a, "loihi"), plan(wider))}) == 3


def test_a_broken_entry_is_built_again(folder: Path) -> None:
    network = FEATURES["escape noise"]()
    inputs = rasters(network, 9, 0)
    with compiled(network) as backend:
        expected = backend.step(inputs, 9)["middle"]
    (entry,) = (folder / name for name in entries(folder))
    library = entry / "library.so"
    before = library.stat().st_mtime_ns
    with compiled(network):
        assert library.stat().st_mtime_ns == before
    library.write_bytes(library.read_bytes()[:5000])
    with compiled(network) as backend:
        assert np.array_equal(backend.step(inputs, 9)["middle"], expected)
    (entry / "arrays.json").unlink()
    with compiled(network) as backend:
        assert np.array_equal(backend.step(inputs, 9)["middle"], expected)
    assert entries(folder) == [entry.name]


def test_nothing_is_imported_or_compiled_that_nobody_calls(tmp_path: Path) -> None:
    """Brian2 would import pyplot, and compile how its executable writes files and reads options."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-P", "-m", builders._MODULE, str(tmp_path)],
        input=json.dumps(plan(FEATURES["LIF"]())),
        env=child_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "brian2.devices.cpp_standalone" in done.stderr
    assert "matplotlib.pyplot" not in done.stderr
    code = (tmp_path / "library.so").read_bytes()
    assert b"neurorl_advance" in code
    for name in (b"_write_arrays", b"_dealloc_arrays", b"set_variable_by_name", b"brian_end"):
        assert name not in code


def test_what_the_compiler_says_is_in_the_error_and_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "c++"
    real = " ".join(toolchain.compiler())
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *-shared*) exec {real} -Dneurorl_free=1 "$@";; esac\n'
        f'exec {real} "$@"\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("CXX", str(wrapper))
    with pytest.raises(
        BackendError, match=r"can't build .*error: .*all of it is in (.*\.log)"
    ) as e:
        compiled(FEATURES["LIF"]())
    (log,) = entries(folder)
    assert str(folder / log) in str(e.value)
    assert " error: " in (folder / log).read_text()
    monkeypatch.setenv("CXX", real)
    with compiled(FEATURES["LIF"]()) as backend:
        backend.step({}, 1)


_SCRIPT = """
import sys, time
from pathlib import Path
from neurorl.backends.brian2 import cache
cache.cache_folder = lambda: Path(sys.argv[1])
from neurorl import load
from neurorl.testing import FEATURES
with load("brian2", FEATURES["LIF"](), engine="compiled") as backend:
    backend.step({}, 3)
assert "brian2" not in sys.modules
"""


def test_processes_may_build_at_once_and_need_not_import_brian2(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path)]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode) for process in both] == [("", 0)] * 2
    assert len(entries(tmp_path)) == 1


def test_views_keep_the_library_and_nothing_is_left_after_them() -> None:
    def loaded() -> set[str]:
        lines = Path("/proc/self/maps").read_text().splitlines()
        return {line.split()[5] for line in lines if str(cache.cache_folder()) in line}

    network = FEATURES["refractory period"]()
    before = loaded()
    backend = compiled(network)
    assert isinstance(backend.simulator, Brian2Simulator)
    assert isinstance(backend.simulator.running, Compiled)
    view = backend.simulator.running.variables["middle"]["v"]
    assert len(loaded() - before) == 1
    backend.close()
    del backend
    gc.collect()
    view[:] = 3.25
    assert len(loaded() - before) == 1
    assert (view == 3.25).all()
    del view
    gc.collect()
    assert loaded() == before


def test_instances_come_and_go_without_growth() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    network = FEATURES["delays of several steps"]()
    inputs = rasters(network, 20, 0)

    def use(times: int) -> None:
        for _ in range(times):
            with compiled(network) as backend:
                backend.step(inputs, 20)

    use(30)
    before = resident()
    use(300)
    assert resident() - before < 3_000_000
