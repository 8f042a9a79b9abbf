"""Give descriptions what a caller might: NumPy's scalars, masked, complex and huge numbers."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, ClassVar

import numpy as np
from hypothesis import strategies as st

from fuzzing.descriptions import descriptions
from fuzzing.targets import Target
from neurorl.network.serialization import Described

_NUMBERS = [0, 1, -1, 3, 0.5, -0.25, 1e-3, 1e30, 1e300, 255, 2**31, 2**63 - 1]
_KINDS = [np.float16, np.float32, np.float64, np.longdouble, np.int8, np.int64, np.uint64, np.bool_]
_MASKED: Any = np.ma
ODD: list[Any] = [
    *(10**400, -(10**400), 1j, complex(1, 0), np.complex128(1), float("nan"), float("inf"), True),
    *(np.ma.masked, _MASKED.array([1.0, 2.0], mask=[True, False]), _MASKED.array(1.0)),
    *(np.datetime64("2020"), np.timedelta64(1, "s"), np.str_("x"), np.bytes_(b"x"), b"x", "x", ""),
    *(np.array(0.5), np.array([0.5]), np.array([1, 2], dtype=object), np.array([]), [], (), {}),
    *(None, object, object(), len, [np.float32(0.1)], (np.int64(3),), np.array(["a"])),
]


def _scalars() -> list[Any]:
    """Return NumPy's scalars of all kinds, where a number fits into one."""
    made: list[Any] = []
    for kind in _KINDS:
        for number in _NUMBERS:
            with np.errstate(all="ignore"):
                try:
                    made.append(np.array(number).astype(kind)[()])
                except (OverflowError, TypeError):
                    continue
    return made


class Callers(Target):
    """Replace one field of a description by an odd value: what is taken survives its file."""

    name: ClassVar[str] = "fields given in Python"
    weight: ClassVar[int] = 20

    def prepare(self) -> None:
        made = [Described.from_dict(data) for data in descriptions()]
        fields = [(one, f.name) for one in made for f in dataclasses.fields(one)]  # type: ignore[arg-type]
        self.inputs = st.tuples(st.sampled_from(fields), st.sampled_from([*_scalars(), *ODD]))

    def attempt(self, value: Any) -> None:
        (one, name), odd = value
        made = dataclasses.replace(one, **{name: odd})
        again = Described.from_dict(json.loads(json.dumps(made.to_dict())))
        assert again.to_dict() == made.to_dict(), f"{name} of {type(one).__name__}: {odd!r}"


TARGETS: tuple[type[Target], ...] = (Callers,)
