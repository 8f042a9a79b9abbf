"""Draw expressions, and values for their names, special ones among them."""

from __future__ import annotations

import itertools
import random

import numpy as np
import numpy.typing as npt

from neurorl.expressions import FUNCTIONS, Expression
from neurorl.expressions.nodes import (
    COMPARISONS,
    TEXT,
    Binary,
    Flag,
    FunctionCall,
    Kind,
    Name,
    Node,
    Number,
    Power,
    Unary,
    render,
)

NAMES = ("v", "w", "tau", "q")
SPECIAL = [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 5e-324, -1e-310, 2.0**-1022, 1.7e308]
SPECIAL += [-1.7e308, 0.5, -2.5, 700.0, 710.0, -745.2, 22.0, 2.0**52, 2.0**53 + 2, 1e16, -0.3]
_LITERALS = [0.0, 1.0, 2.0, 0.1, 1e-300, 1e300, 5e-324, 1 / 3, 140.0, 0.04, 1e16, 123456789.0]


_NEW = {"cos", "sin", "trunc"}
"""Name functions of later versions: trees drawn without them stay the same from each seed."""


def random_tree(rng: random.Random, size: int, kind: Kind = "number") -> Node:
    """Return a random tree of about *size* operations."""
    if kind == "boolean":
        return _condition(rng, size)
    if size <= 0:
        if rng.random() < 0.75:
            return Name(rng.choice(NAMES))
        return Number(rng.choice([rng.choice(_LITERALS), rng.random(), rng.expovariate(0.01)]))
    choice = rng.random()
    if choice < 0.5:
        left = rng.randrange(size)
        op = rng.choice("+-*/")
        return Binary(op, random_tree(rng, left), random_tree(rng, size - 1 - left))
    if choice < 0.58:
        return Unary("-", random_tree(rng, size - 1))
    if choice < 0.66:
        return Power(random_tree(rng, size - 1), rng.randint(1, 5))
    name = rng.choice(sorted({*FUNCTIONS} - _NEW))
    kinds = FUNCTIONS[name].arguments
    share = (size - 1) // len(kinds)
    return FunctionCall(name, tuple(random_tree(rng, share, kind) for kind in kinds))


def _condition(rng: random.Random, size: int) -> Node:
    """Return a random tree whose value is a boolean."""
    choice = rng.random()
    if size <= 0 or choice < 0.6:
        sides = random_tree(rng, (size - 1) // 2), random_tree(rng, (size - 1) // 2)
        return Binary(rng.choice(COMPARISONS), *sides)
    if choice < 0.65:
        return Flag(rng.random() < 0.5)
    if choice < 0.75:
        return Unary("not", _condition(rng, size - 1))
    return Binary(
        rng.choice(["and", "or"]), _condition(rng, size // 2), _condition(rng, (size - 1) // 2)
    )


def random_expressions(seed: int, count: int, size: int = 12) -> list[Expression]:
    """Return random expressions, every tenth of them a boolean one, some within a new function."""
    rng = random.Random(seed)
    kinds: list[Kind] = ["boolean" if k % 10 == 9 else "number" for k in range(count)]
    trees = [random_tree(rng, rng.randint(1, size), kind) for kind in kinds]
    for k, name in zip(range(0, count, 10), itertools.cycle(sorted(_NEW)), strict=False):
        trees[k] = FunctionCall(name, (Binary("/", trees[k], Number(1e3)),))
    return [Expression(render(tree, TEXT)) for tree in trees]


def values(seed: int, count: int) -> dict[str, npt.NDArray[np.float64]]:
    """Return numbers for each name: of many sizes, and every combination of some special ones."""
    rng = np.random.default_rng(seed)
    made = {}
    for name in NAMES:
        scale = 10.0 ** rng.integers(-3, 4, count)
        drawn = rng.normal(0, 1, count) * scale
        made[name] = np.where(rng.random(count) < 0.35, rng.choice(SPECIAL, count), drawn)
    return made


def same_bits(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> bool:
    """Return whether all numbers have the same bits; nan is one number, whatever its bits."""
    a, b = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    nan = np.isnan(a)
    return bool(
        np.array_equal(nan, np.isnan(b))
        and np.array_equal(np.where(nan, 0, a).view(np.int64), np.where(nan, 0, b).view(np.int64))
    )
