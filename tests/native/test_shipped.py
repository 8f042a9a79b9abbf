"""Compiled code that a wheel brought along: found for this processor, whole, and of equal bits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from neurorl import FallbackWarning, Network, Population, Projection, Source, load
from neurorl.backends import lookup
from neurorl.backends.native import printer
from neurorl.errors import NotShippedError
from neurorl.models import LIF
from neurorl.native import build, shipped, toolchain
from neurorl.native.build import CppSource
from neurorl.testing import FEATURES, rasters

pytestmark = pytest.mark.skipif(
    toolchain.problem() is not None, reason="compiling libraries needs a C++ compiler"
)

LEVELS = ["quick", "slow"]
Ship = Callable[[str, str, CppSource], Path]


def answering(number: int) -> CppSource:
    return CppSource(f'extern "C" int answer() {{ return {number}; }}\n', ())


def forget() -> None:
    """Forget what is loaded, as a new process has."""
    for function in (shipped._folders, printer.library_of, printer._engine):
        function.cache_clear()


@pytest.fixture
def ship(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ship]:
    """Yield what ships a library at a level; the cache of compiled code is empty."""
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "shipped")
    monkeypatch.setattr(shipped, "_levels", lambda: iter(LEVELS))
    digests: dict[str, dict[str, str]] = {}

    def ship(level: str, name: str, source: CppSource) -> Path:
        path = tmp_path / "shipped" / level / f"{name}.so"
        path.parent.mkdir(parents=True, exist_ok=True)
        build.build(source, path, "test", "mend it")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        digests.setdefault(level, {})[path.stem] = digest
        (tmp_path / "shipped" / shipped.DIGESTS).write_text(json.dumps(digests))
        shipped._folders.cache_clear()
        return path

    forget()
    yield ship
    forget()


def answer(source: CppSource) -> int:
    found: int = build.compiled(source, "answer", "give up").answer()
    return found


def test_the_quickest_level_is_taken_and_nothing_compiled(ship: Ship, tmp_path: Path) -> None:
    asked = answering(0)
    ship("slow", asked.name(), answering(1))
    assert answer(asked) == 1
    ship("quick", asked.name(), answering(2))
    assert answer(asked) == 2
    assert not (tmp_path / "cache").exists()


def test_what_is_damaged_or_missing_is_compiled(ship: Ship) -> None:
    asked = answering(7)
    path = ship("quick", asked.name(), answering(1))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert answer(asked) == 7
    path.unlink()
    assert answer(asked) == 7


def test_another_text_is_not_taken_for_it(ship: Ship) -> None:
    ship("quick", answering(1).name(), answering(1))
    assert answer(answering(7)) == 7


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("fpu sse2", []),
        ("ssse3 sse4_1 sse4_2 popcnt cx16 avx avx512f", ["x86-64-v2"]),
        (
            "ssse3 sse4_1 sse4_2 popcnt cx16 avx avx2 bmi1 bmi2 f16c fma abm movbe",
            ["x86-64-v3", "x86-64-v2"],
        ),
    ],
)
def test_a_processor_gets_what_it_can_execute(
    flags: str, expected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(shipped, "processor", lambda: f"model name\t: CPU\nflags\t\t: {flags}")
    assert [*shipped._levels()] == expected
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert [*shipped._levels()] == []


@pytest.mark.parametrize(
    ("seeds", "arithmetic"),
    [([3, 4], "float"), pytest.param(3, "loihi", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("kind", FEATURES)
def test_code_for_all_sizes_has_the_bits_of_the_definition(
    kind: str, seeds: int | list[int], arithmetic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printer.CppProgram, "taken", lambda code: code.general)
    network = FEATURES[kind]()
    if lookup.backend_class("reference").problems(network, arithmetic):
        pytest.skip(f"{arithmetic} arithmetic has no {kind}")
    rasters_of = []
    for name in ("native", "reference"):
        with load(name, network, seed=seeds, arithmetic=arithmetic) as backend:
            given = {x: np.tile(a, np.size(seeds)) for x, a in rasters(network, 40, 0).items()}
            rasters_of.append([backend.step(given, 40) for _ in range(2)])
    for native, reference in zip(*rasters_of, strict=True):
        for name, raster in reference.items():
            assert np.array_equal(native[name], raster), name


def programs(network: Network) -> printer.CppProgram:
    with load("reference", network) as backend:
        return printer.printed(backend.simulated.program)


def sized(n: int) -> Network:
    nodes = (Source("input", n), Population("cells", n + 1, LIF()))
    return Network(nodes, (Projection("drive", "input", "cells", 0.3),), dt=1e-3)


def test_without_a_compiler_one_library_serves_all_sizes(
    ship: Ship, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for source in (printer.ENGINE, programs(sized(3)).general):
        ship("slow", source.name(), source)
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    for n in (3, 50):
        inputs = rasters(sized(n), 30, n)
        with load("native", sized(n)) as backend, load("reference", sized(n)) as reference:
            assert backend.name == "native"
            expected = reference.step(inputs, 30)["cells"]
            assert np.array_equal(backend.step(inputs, 30)["cells"], expected)
    assert expected.any()
    assert not (tmp_path / "cache").exists()


def test_without_a_compiler_another_structure_runs_on_the_definition_and_says_so_once(
    ship: Ship, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookup.warn_slower.cache_clear()
    ship("slow", printer.ENGINE.name(), printer.ENGINE)
    monkeypatch.setenv("CXX", "/nonexistent/c++")
    with pytest.raises(NotShippedError, match=r"shipped for .*structure \(got no C\+\+ compiler"):
        programs(sized(3)).taken()
    with pytest.warns(FallbackWarning, match="native isn't taken, so all is slower") as said:
        backends = [load("native", sized(n), threads=1) for n in (3, 4)]
    assert [backend.name for backend in backends] == ["reference"] * 2
    assert len(said) == 1


def test_with_a_compiler_the_code_is_for_the_sizes(ship: Ship) -> None:
    for source in (printer.ENGINE, programs(sized(3)).general):
        ship("slow", source.name(), source)
    with load("native", sized(3)) as backend:
        assert "const int64_t size0 = 3;" in backend.source()
