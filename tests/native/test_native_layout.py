"""C++ and Python mean the same by a structure and by the name of a choice."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import pytest

from neurorl.errors import BackendError
from neurorl.models.encoders import ENCODERS
from neurorl.models.modulators import MODULATORS
from neurorl.models.parts import Registry
from neurorl.models.policies import POLICIES
from neurorl.models.writes import WRITES
from neurorl.native import structures, toolchain
from neurorl.native.build import library
from neurorl.native.layout import check_structures, codes, describe
from neurorl.rules import RULES

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")


def drifted(original: type[ctypes.Structure], change: str) -> type[ctypes.Structure]:
    """A structure of the same name with two fields swapped, one more, or one of another size."""
    fields = list(original._fields_)
    if change == "swapped":
        fields[0], fields[1] = fields[1], fields[0]
    elif change == "longer":
        fields.append(("added", ctypes.c_int64))
    else:
        fields[0] = (fields[0][0], ctypes.c_int32)
    return type(original.__name__, (ctypes.Structure,), {"_fields_": fields})


def test_every_structure_is_as_in_the_library() -> None:
    check_structures(library(), structures.ALL, "learning loop")
    listed = {structure.__name__ for structure in structures.ALL}
    assert listed == {
        name
        for name, value in vars(structures).items()
        if isinstance(value, type) and issubclass(value, ctypes.Structure)
    }


@pytest.mark.parametrize("change", ["swapped", "longer", "narrower"])
@pytest.mark.parametrize("structure", structures.ALL, ids=lambda s: s.__name__)
def test_a_structure_that_drifted_is_named(structure: type[ctypes.Structure], change: str) -> None:
    other = drifted(structure, change)
    if describe(other) == describe(structure):
        pytest.fail("the change isn't one")
    with pytest.raises(BackendError, match=rf"structure {structure.__name__}: C\+\+ and Python"):
        check_structures(library(), [other], "learning loop")


def test_a_structure_that_the_library_lacks_is_named() -> None:
    missing = type("Missing", (ctypes.Structure,), {"_fields_": [("n", ctypes.c_int64)]})
    with pytest.raises(BackendError, match="structure Missing"):
        check_structures(library(), [missing], "learning loop")


def kernels(registry: Registry[Any]) -> list[str]:
    return [str(cls.kernel) for cls in registry.values()]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("rule", RULES),
        ("encoder", kernels(ENCODERS)),
        ("policy", kernels(POLICIES)),
        ("modulator", kernels(MODULATORS)),
        ("writes", kernels(WRITES)),
    ],
)
def test_every_choice_of_a_user_has_a_number_of_its_own(choice: str, names: Iterable[str]) -> None:
    known = codes(library(), choice)
    assert set(known) == set(names)
    assert sorted(known.values()) == list(range(len(known)))
