"""setup.cfg lists every package folder, and imports point one way."""

from __future__ import annotations

import ast
import configparser
import doctest
import importlib
import importlib.util
import pkgutil
from pathlib import Path
from types import ModuleType

import pytest

import neurorl
import neurorl.backends
import neurorl.models

ROOT = Path(__file__).parents[1]
FOLDERS = {"neurorl": "neurorl", "backends": "neurorl.backends", "models": "neurorl.models"}
PACKAGES = (neurorl, neurorl.backends, neurorl.models)

# Lower may not import higher; a module that is not listed belongs to no layer.
LAYERS = [
    ("neurorl.errors",),
    ("neurorl.described", "neurorl.random", "neurorl.elementary"),
    ("neurorl.description",),
    ("neurorl.models", "neurorl.quantiser", "neurorl.rules", "neurorl.replicate"),
    (
        "neurorl.arithmetic",
        "neurorl.features",
        "neurorl.encoder",
        "neurorl.cost",
        "neurorl.lesions",
    ),
    (
        "neurorl.nir",
        "neurorl.backends",
        "neurorl.config",
        "neurorl.critic",
        "neurorl.policy",
        "neurorl.memory",
    ),
    ("neurorl.learner", "neurorl.presets", "neurorl.envgroup"),
    ("neurorl.verdicts", "neurorl.sites", "neurorl.remedies"),
    ("neurorl.loop", "neurorl.diagnostics"),
    ("neurorl.player", "neurorl.replicas"),
    ("neurorl.groups", "neurorl.verbs"),
    ("neurorl.agent",),
    ("neurorl.training", "neurorl.evaluation", "neurorl.plot"),
    ("neurorl.bench", "neurorl.doctor", "neurorl.validation"),
    ("neurorl.cli",),
]
OPTIONAL = {"neurorl.backends.torch": "torch"}
SIMULATORS = {"brian2", "nengo", "nengo_loihi", "nxsdk"}


def modules() -> list[str]:
    found = {
        info.name
        for package in PACKAGES
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    }
    return sorted(found - {"neurorl.__main__"})


def load(module: str) -> ModuleType:
    """The module; a test of one whose package is optional, and missing, is skipped."""
    for name, package in OPTIONAL.items():
        if f"{module}.".startswith(f"{name}.") and importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    return importlib.import_module(module)


def path_of(module: str) -> Path:
    for name in ("neurorl.backends", "neurorl.models", "neurorl"):
        if module == name or module.startswith(name + "."):
            folder = {v: k for k, v in FOLDERS.items()}[name]
            base = ROOT / folder / Path(*module.removeprefix(name).strip(".").split("."))
            return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    raise AssertionError(module)


def imports(module: str, top_level_only: bool = False) -> set[str]:
    tree = ast.parse(path_of(module).read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def layer(module: str) -> int | None:
    for k, names in enumerate(LAYERS):
        if any(module == name or module.startswith(name + ".") for name in names):
            return k
    return None


def test_every_package_is_listed() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    found = {
        ".".join([name, *init.parent.relative_to(ROOT / folder).parts])
        for folder, name in FOLDERS.items()
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert set(config["options"]["packages"].split()) == found


def test_imports_point_one_way() -> None:
    for module in modules():
        mine = layer(module)
        for imported in imports(module):
            other = layer(imported)
            if mine is not None and other is not None:
                assert other <= mine, f"{module} imports {imported}"


def test_the_library_and_the_models_import_no_simulator() -> None:
    for module in modules():
        if not module.startswith("neurorl.backends."):
            assert not {name.split(".")[0] for name in imports(module)} & SIMULATORS, module


@pytest.mark.parametrize("folder", ["backends", "models"])
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
