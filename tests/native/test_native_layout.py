"""C++ and Python mean the same by a structure and by the name of a choice."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import pytest

from neurorl.errors import BackendError
from neurorl.models.agent.fields import KINDS
from neurorl.native import SOURCES, build, structures, toolchain
from neurorl.native.build import library
from neurorl.native.layout import asserted, codes

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")


def drifted(original: type[ctypes.Structure], change: str) -> type[ctypes.Structure]:
    """Return structures of that name with two fields swapped, one more, or one of another size."""
    fields = list(original._fields_)
    if change == "swapped":
        fields[0], fields[1] = fields[1], fields[0]
    elif change == "longer":
        fields.append(("added", ctypes.c_int64))
    else:
        fields[0] = (fields[0][0], ctypes.c_int32)
    return type(original.__name__, (ctypes.Structure,), {"_fields_": fields})


def sources() -> dict[str, tuple[ModuleType, str, tuple[Path, ...]]]:
    """Map the loops in C++ to structures, what declares them, and folders."""
    return {"loops": (structures, '#include "critic.h"\nusing namespace neurorl;\n', (SOURCES,))}


CXX = sources()
EVERY = [
    pytest.param(structure, name, id=f"{name}-{structure.__name__}")
    for name, (module, *_) in CXX.items()
    for structure in module.ALL
]


def problem(name: str, checks: str) -> str:
    """Return what the compiler says of *checks*, nothing if it takes them."""
    _, declared, folders = CXX[name]
    command = [*toolchain.compiler(), "-std=c++17", "-w", "-fsyntax-only", "-x", "c++", "-"]
    command += [f"-iquote{folder}" for folder in folders]
    done = subprocess.run(
        command, input=declared + checks, capture_output=True, text=True, check=False
    )
    return done.stderr if done.returncode else ""


@pytest.mark.parametrize("name", CXX)
def test_every_structure_is_as_in_c(name: str) -> None:
    module = CXX[name][0]
    assert problem(name, asserted(module.ALL)) == ""
    listed = {structure.__name__ for structure in module.ALL}
    assert listed == {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, ctypes.Structure)
    }


@pytest.mark.parametrize("change", ["swapped", "longer", "narrower"])
@pytest.mark.parametrize(("structure", "name"), EVERY)
def test_a_structure_that_drifted_does_not_compile(
    structure: type[ctypes.Structure], name: str, change: str
) -> None:
    checks = asserted([drifted(structure, change)])
    assert checks != asserted([structure])
    assert f"({structure.__name__}" in problem(name, checks)


def test_a_choice_whose_order_drifted_does_not_compile() -> None:
    assert problem("loops", asserted([], ["softmax", "greedy"])) == ""
    assert "GREEDY: not 0" in problem("loops", asserted([], ["greedy", "softmax"]))


def test_a_library_whose_structures_drifted_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache")
    code = "struct Missing { double n; };\n"
    missing = type("Missing", (ctypes.Structure,), {"_fields_": [("n", ctypes.c_int32)]})
    with pytest.raises(BackendError, match=r"mine: its library doesn't compile.*sizeof\(Missing"):
        build.compiled(build.CppSource(code + asserted([missing])), "mine", "give up")


def kernels(kind: str) -> list[str]:
    """Return the kernels of a kind of part, from registries that the configuration completed."""
    return [str(cls.kernel) for cls in KINDS[kind].values()]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("encoder", kernels("encoder")),
        ("policy", kernels("policy")),
        ("modulator", [name for name in kernels("modulator") if name != "None"]),
        ("writes", kernels("writes")),
    ],
)
def test_every_choice_of_a_user_has_a_number_of_its_own(choice: str, names: Iterable[str]) -> None:
    known = codes(library(), choice)
    assert set(known) == set(names)
    assert sorted(known.values()) == list(range(len(known)))
