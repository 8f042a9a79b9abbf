"""Expressions printed as C++ give the bits of NumPy."""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from function_table import TABLE
from random_expressions import random_expressions, same_bits, values

from neurorl.errors import ArgumentError
from neurorl.expressions import Expression
from neurorl.native import SOURCES, toolchain
from neurorl.numerics import elementary

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")

Arrays = dict[str, npt.NDArray[np.float64]]


def run(folder: Path, expressions: Sequence[Expression], names: Arrays) -> npt.NDArray[np.float64]:
    """Return the values of expressions, all compiled into one library; a row for each."""
    places = {name: f"x[{k}][i]" for k, name in enumerate(names)}
    lines = [f"out[{k}][i] = {e.cpp(places)};" for k, e in enumerate(expressions)]
    body = "\n".join(f"for (int64_t i = 0; i < n; i++) {line}" for line in lines)
    head = (
        '#include "expressions.h"\nextern "C" void run(const double *const *x, double *const *out'
    )
    (folder / "run.cpp").write_text(f"{head}, int64_t n)\n{{\n{body}\n}}\n")
    command = [*toolchain.compiler(), *toolchain.LIBRARY_FLAGS, "-iquote", str(SOURCES)]
    subprocess.run([*command, "run.cpp", "-o", "run.so"], cwd=folder, check=True)
    n = len(next(iter(names.values())))
    out = np.full((len(expressions), n), 123.0)
    pointers = (ctypes.c_void_p * len(names))(*(_address(a) for a in names.values()))
    rows = (ctypes.c_void_p * len(out))(*(_address(row) for row in out))
    ctypes.CDLL(str(folder / "run.so")).run(pointers, rows, ctypes.c_int64(n))
    return out


def _address(array: npt.NDArray[np.float64]) -> int:
    return int(array.__array_interface__["data"][0])


def check(folder: Path, expressions: Sequence[Expression], names: Arrays) -> None:
    for expression, row in zip(expressions, run(folder, expressions, names), strict=True):
        assert same_bits(expression.evaluate(names), row), expression.text


@pytest.mark.parametrize(("seed", "count"), [(1, 40), pytest.param(2, 400, marks=pytest.mark.slow)])
def test_random_expressions(seed: int, count: int, tmp_path: Path) -> None:
    check(tmp_path, random_expressions(seed, count), values(seed, 203))


def test_special_values(tmp_path: Path) -> None:
    """Each value is also computed in an array of another length, as a vector's remainder."""
    longest = max(len(given) for _, given, _ in TABLE)
    expressions = [Expression(re.sub(r"\bv\b", f"v{k}", row[0])) for k, row in enumerate(TABLE)]
    names = {f"v{k}": np.resize(row[1], longest) for k, row in enumerate(TABLE)}
    made = run(tmp_path, expressions, names)
    for (text, given, wanted), row in zip(TABLE, made, strict=True):
        assert same_bits(row[: len(given)], np.array(wanted, dtype=np.float64)), text


def test_constants_of_the_header() -> None:
    text = (SOURCES / "expressions.h").read_text()
    defined = dict(re.findall(r"#define NEURORL_(\w+) (0x\S+)", text))
    for name, value in defined.items():
        assert float.fromhex(value) == getattr(elementary, name)
    assert set(defined) == {"LOG2_E", "LN2_HIGH", "LN2_LOW"}


def test_every_name_must_have_its_c() -> None:
    with pytest.raises(ArgumentError, match="nothing stands for 'w'"):
        Expression("v + w").cpp({"v": "v[i]"})
    assert Expression("-v**2 < 0.1").cpp({"v": "x"}) == (
        "((-neurorl_power(x, 2)) < 0x1.999999999999ap-4)"
    )
