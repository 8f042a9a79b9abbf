"""setup.cfg lists every package folder, and imports point one way."""

from __future__ import annotations

import ast
import configparser
import doctest
import functools
import importlib
import importlib.util
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import neurorl

ROOT = Path(__file__).parents[2]
LINKS = ("backends", "models")

# From the bottom up: a package or module may import those above it in this list, and itself.
CORE = (
    "errors",
    "_version",
    "storage",
    "numerics",
    "expressions",
    "tasks",
    "network",
    "arithmetic",
    "program",
    "rules",
    "native",
    "models",
    "diagnostics",
    "backends",
    "learning",
    "agents",
    "runs",
    "cli",
)
"""List what `neurorl train` on *native* needs; the rest are leaves, which only names find."""
LAYERS = (
    *CORE,
    "nir",
    "testing",
    "conformance",
    "reparameterization",
    "pynn",
    "validation",
    "lab",
    "plot",
    "callbacks",
    "nengo",
    "spinnaker",
    "brian2",
    "",  # neurorl itself, the public names
    "bench",
    "doctor",
    "__main__",
)
GUESTS = {"neurorl.nengo.cells"}  # neuron types of nengo, imported when a function needs them
OPTIONAL = {
    "neurorl.backends.torch": "torch",
    "neurorl.backends.xylo": "xylosim",
    "neurorl.backends.loihi.sana_fe": "sanafe",
}
SIMULATORS = {"brian2", "nengo", "nengo_loihi", "nxsdk", "sanafe", "xylosim"}


@functools.cache
def modules() -> list[str]:
    found = {info.name for info in pkgutil.walk_packages(neurorl.__path__, "neurorl.")}
    return sorted(found - {"neurorl.__main__"})


def load(module: str) -> ModuleType:
    """Return the module, or skip a test of one whose package is optional, and missing."""
    for name, package in OPTIONAL.items():
        if f"{module}.".startswith(f"{name}.") and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    return importlib.import_module(module)


def test_no_import_takes_what_belongs_to_the_program() -> None:
    """Import all modules, and what they import late: Ctrl-C and errors are told as before."""
    code = f"""
import importlib, signal, sys, warnings

def taken():
    return [*map(signal.getsignal, signal.valid_signals()), sys.excepthook, warnings.showwarning]

before = taken()
from neurorl.errors import UnsupportedError
for name in {modules()}:
    try:
        importlib.import_module(name)
    except (ImportError, UnsupportedError):
        continue
    assert taken() == before, name
from neurorl.lab.clusters import dask_jobqueue
try:
    dask_jobqueue()
except UnsupportedError:
    pass
assert taken() == before, "dask_jobqueue"
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def path_of(module: str) -> Path:
    base = ROOT / Path(*module.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def imports(module: str) -> set[str]:
    """Yield what a module imports, wherever in it: submodules by their own names."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path_of(module).read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            submodules = full & set(modules())
            found |= submodules
            if len(submodules) < len(full):
                found.add(node.module)
    return found


def layer(module: str) -> str:
    """Return the part of the package that a module belongs to, as `LAYERS` has it."""
    return module.split(".")[1] if "." in module else ""


def own_imports() -> dict[str, set[str]]:
    """Map every module, ``neurorl`` too, to those of this package that it imports."""
    every = [*modules(), "neurorl", "neurorl.__main__"]
    return {module: imports(module) & set(every) for module in every}


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return modules that import each other, by way of others or not."""
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        stack = list(graph[start])
        while stack:
            module = stack.pop()
            if module not in seen:
                seen.add(module)
                stack += graph[module]
        reached[start] = seen
    return [sorted(m for m in reached[x] if x in reached[m]) for x in graph if x in reached[x]]


def test_every_package_is_listed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    found = {
        ".".join(init.parent.relative_to(ROOT).parts)
        for init in (ROOT / "neurorl").rglob("__init__.py")
    }
    assert set(config["options"]["packages"].split()) == found


def test_every_part_has_a_layer() -> None:
    assert {layer(module) for module in own_imports()} == set(LAYERS)
    assert len(LAYERS) == len(set(LAYERS))


def test_imports_point_one_way() -> None:
    """Imports inside functions and for type checkers count too."""
    upward = [
        f"{module} imports {imported}"
        for module, all_of_it in own_imports().items()
        for imported in all_of_it
        if LAYERS.index(layer(imported)) > LAYERS.index(layer(module))
    ]
    assert upward == []


def test_the_core_imports_no_leaf() -> None:
    leaves = [
        f"{module} imports {imported}"
        for module, all_of_it in own_imports().items()
        for imported in all_of_it
        if layer(module) in CORE and layer(imported) not in CORE
    ]
    assert leaves == []


def test_no_modules_import_in_a_circle() -> None:
    assert circles(own_imports()) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"], ["b", "c"]]


def test_the_library_imports_no_program() -> None:
    """Experiments and benchmarks stand in ``scripts/`` and import the library, not the reverse."""
    for module in modules():
        assert not {name.split(".")[0] for name in imports(module)} & {"benchmarks", "experiments"}


def test_the_library_and_the_models_import_no_simulator() -> None:
    for module in modules():
        if not module.startswith("neurorl.backends.") and module not in GUESTS:
            assert not {name.split(".")[0] for name in imports(module)} & SIMULATORS, module


@pytest.mark.parametrize("folder", LINKS)
def test_a_second_copy_can_not_be_imported(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    with pytest.raises(ImportError, match=rf"import this folder as 'neurorl\.{folder}'"):
        importlib.import_module(folder)


@pytest.mark.parametrize("module", modules())
def test_examples_in_docstrings_run(module: str) -> None:
    failed, _ = doctest.testmod(load(module))
    assert failed == 0


@pytest.mark.parametrize("module", modules())
def test_all_is_sorted_and_true(module: str) -> None:
    loaded = load(module)
    names = list(getattr(loaded, "__all__", []))
    assert sorted(names) == sorted(set(names))
    for name in names:
        assert hasattr(loaded, name), name


def test_public_names_load() -> None:
    for name in neurorl.__all__:
        assert getattr(neurorl, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Netwrok'"):
        _ = neurorl.Netwrok
