"""C++ and Python mean the same by a structure, and by the fields of an agent's part."""

from __future__ import annotations

import ctypes
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest
from sampled import sampled

from neurorl.errors import BackendError
from neurorl.models.agent.fields import KINDS
from neurorl.models.agent.modulators import TDError
from neurorl.models.agent.policies import EpsilonGreedy, Softmax
from neurorl.native import SOURCES, build, structures, toolchain
from neurorl.native.structures import PARTS, asserted, choices, fields, filled, kernels_of

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
    return {"loops": (structures, '#include "kernels.cpp"\n', (SOURCES,))}


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
        if isinstance(value, type)
        and issubclass(value, module.Struct)
        and value is not module.Struct
    } | {
        kind.__name__
        for parts in ("PARTS", "TRUNK_PARTS")
        for kind in getattr(module, parts, {}).values()
    }


@pytest.mark.parametrize("change", sampled(["swapped", "longer", "narrower"]))
@pytest.mark.parametrize(("structure", "name"), EVERY)
def test_a_structure_that_drifted_does_not_compile(
    structure: type[ctypes.Structure], name: str, change: str
) -> None:
    checks = asserted([drifted(structure, change)])
    assert checks != asserted([structure])
    assert f"({structure.__name__}" in problem(name, checks)


def test_a_library_whose_structures_drifted_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache")
    code = "struct Missing { double n; };\n"
    missing = type("Missing", (ctypes.Structure,), {"_fields_": [("n", ctypes.c_int32)]})
    with pytest.raises(BackendError, match=r"mine: its library doesn't compile.*sizeof\(Missing"):
        build.compiled(build.CppSource(code + asserted([missing])), "mine", "give up")


@pytest.mark.parametrize("kind", PARTS)
def test_kernels_read_fields_of_parts_of_ours(kind: str) -> None:
    classes = KINDS[kind].values()
    kernels = {cls.kernel for cls in classes} - {None}
    assert kernels == kernels_of(PARTS[kind]).keys()
    for name, *_ in PARTS[kind]._fields_:
        assert any(hasattr(cls, name) for cls in classes), name


@dataclass(frozen=True, eq=False)
class Doubled(Softmax):
    """Have a field more than any policy of ours."""

    kernel: ClassVar[str | None] = "doubled"
    copies: int = 2


KERNEL = """
#include <stdint.h>
enum PolicyKernel { GREEDY, DOUBLED };
struct Policy {
    int64_t kernel, copies;  // as a kernel in C++ has them
    double beta, exploration;
};
extern "C" double weigh(const Policy *p)
{
    return p->kernel == DOUBLED ? (double)p->copies * p->beta : p->exploration;
}
"""


def test_a_new_field_of_a_part_is_in_its_class_and_its_kernel_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "cache_folder", lambda: tmp_path / "cache")
    header = tmp_path / "kernel.h"
    header.write_text(KERNEL)
    found = {"_fields_": fields(header, "Policy"), "kernels": choices(header, "PolicyKernel")}
    kind = type("Policy", (ctypes.Structure,), found)
    weigh = build.compiled(build.CppSource(KERNEL + asserted([kind])), "mine", "give up").weigh
    weigh.restype = ctypes.c_double
    parts = [EpsilonGreedy(0.25), Doubled(0.125, copies=12)]
    assert [weigh(ctypes.byref(filled(kind, part))) for part in parts] == [0.25, 1.5]
    assert filled(PARTS["modulator"], TDError()).limit == float("inf")
