"""Test how native compiles: once for a structure, again if damaged, with the compiler's words."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import load
from neurorl.backends.native import printer
from neurorl.errors import BackendError
from neurorl.native import build, toolchain
from neurorl.testing import FEATURES, rasters

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")


def forget() -> None:
    """Forget what is loaded, as a new process has."""
    printer.library_of.cache_clear()
    printer._engine.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return an empty cache."""
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache")
    forget()
    yield tmp_path / "cache"
    forget()


def libraries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.so"))


@pytest.mark.parametrize("arithmetic", ["float", "loihi", "xylo"])
def test_a_network_needs_no_long_headers(arithmetic: str) -> None:
    """Let a header of vectors' instructions not double the time of each compilation."""
    with load("native", FEATURES["CUBA-LIF"](), arithmetic=arithmetic) as backend:
        source = backend.simulator.source()
    folders = [f"-iquote{folder}" for folder in printer._FOLDERS]
    command = [
        *toolchain.compiler(),
        *toolchain.LIBRARY_FLAGS,
        *folders,
        "-E",
        "-P",
        "-x",
        "c++",
        "-",
    ]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=True)
    assert 200 < done.stdout.count("\n") < 2500


def test_a_broken_entry_is_built_again(folder: Path) -> None:
    network = FEATURES["escape noise"]()
    inputs = rasters(network, 9, 0)

    def played() -> npt.NDArray[np.bool_]:
        forget()
        with load("native", network) as backend:
            return backend.step(inputs, 9)["middle"]

    expected, built = played(), libraries(folder)
    times = [path.stat().st_mtime_ns for path in built]
    assert len(built) == 2  # the network, and what all networks share
    assert np.array_equal(played(), expected)
    assert [path.stat().st_mtime_ns for path in built] == times
    whole = [path.read_bytes() for path in built]
    for path, data in zip(built, whole, strict=True):
        path.write_bytes(data[:5000])
    assert np.array_equal(played(), expected)
    assert [path.read_bytes() for path in libraries(folder)] == whole


def test_without_a_compiler_it_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    with pytest.raises(BackendError, match=r"can't run .*nonexistent.*backend='reference'"):
        load("native", FEATURES["LIF"]())


def test_what_the_compiler_says_is_in_the_error_and_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper = tmp_path / "c++"
    real = " ".join(toolchain.compiler())
    wrapper.write_text(f'#!/bin/sh\nexec {real} -Dneurorl_advance=1 "$@"\n')
    wrapper.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("CXX", str(wrapper))
        with pytest.raises(BackendError, match=r"doesn't compile .*error: .*all of it is in") as e:
            load("native", FEATURES["LIF"]())
    log = folder / "build.log"
    assert str(log) in str(e.value)
    assert " error: " in log.read_text()
    with load("native", FEATURES["LIF"]()) as backend:
        backend.step({}, 1)


_SCRIPT = """
import sys
from pathlib import Path
from neurorl.native import build
build.cache_folder = lambda: Path(sys.argv[1])
from neurorl import load
from neurorl.testing import FEATURES
with load("native", FEATURES["LIF"]()) as backend:
    backend.step({}, 3)
"""


def test_processes_may_build_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _SCRIPT, str(tmp_path / "cache")]
    both = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode) for process in both] == [("", 0)] * 2
    assert len(libraries(tmp_path / "cache")) == 2
