"""C++ and Python mean the same by a structure and by the name of a choice."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from types import ModuleType

import pytest

from neurorl.errors import BackendError
from neurorl.models.fields import KINDS
from neurorl.native import structures, toolchain
from neurorl.native.build import library
from neurorl.native.layout import check_choice, check_structures, codes, describe

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


def libraries() -> dict[str, tuple[ModuleType, Callable[[], ctypes.CDLL]]]:
    """Map the loops and each backend with C++ to their structures, and what loads their library."""
    found: dict[str, tuple[ModuleType, Callable[[], ctypes.CDLL]]] = {
        "loops": (structures, library)
    }
    if find_spec("nengo_loihi") is not None:
        from neurorl.backends.loihi import native

        found["loihi"] = (native, native.library)
    if find_spec("torch") is not None:
        from neurorl.backends.torch import native as cells
        from neurorl.backends.torch import structures as of_torch

        found["torch"] = (of_torch, cells.library)
    return found


LIBRARIES = libraries()
EVERY = [
    pytest.param(structure, name, id=f"{name}-{structure.__name__}")
    for name, (module, _) in LIBRARIES.items()
    for structure in module.ALL
]


@pytest.mark.parametrize("name", LIBRARIES)
def test_every_structure_is_as_in_the_library(name: str) -> None:
    module, load = LIBRARIES[name]
    check_structures(load(), module.ALL, name)
    listed = {structure.__name__ for structure in module.ALL}
    assert listed == {
        name
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, ctypes.Structure)
    }


@pytest.mark.parametrize("change", ["swapped", "longer", "narrower"])
@pytest.mark.parametrize(("structure", "name"), EVERY)
def test_a_structure_that_drifted_is_named(
    structure: type[ctypes.Structure], name: str, change: str
) -> None:
    other = drifted(structure, change)
    if describe(other) == describe(structure):
        pytest.fail("the change isn't one")
    with pytest.raises(BackendError, match=rf"structure {structure.__name__}: C\+\+ and Python"):
        check_structures(LIBRARIES[name][1](), [other], name)


def test_a_choice_whose_order_drifted_is_named() -> None:
    policies = list(codes(library(), "policy"))
    check_choice(library(), "policy", policies, "learning loop")
    with pytest.raises(BackendError, match=r"choice policy: C\+\+ and Python order it differently"):
        check_choice(library(), "policy", policies[::-1], "learning loop")


def test_a_structure_that_the_library_lacks_is_named() -> None:
    missing = type("Missing", (ctypes.Structure,), {"_fields_": [("n", ctypes.c_int64)]})
    with pytest.raises(BackendError, match="structure Missing"):
        check_structures(library(), [missing], "learning loop")


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
