"""Compare no choice with its name outside its own file: the object chosen says what it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from neurorl.agents.algorithms import ALGORITHMS
from neurorl.arithmetic.chip_noise import NOISE_MODES
from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.backends.lookup import BACKENDS
from neurorl.learning.loops.choose import LOOPS
from neurorl.models.agent.fields import KINDS
from neurorl.models.defaults.presets import MODELS
from neurorl.rules import RULES

ROOT = Path(__file__).parents[2]
FOLDERS = ("neurorl", "scripts", "examples")

CHOICES = {
    *("auto", "emulator"),  # targets of backend loihi
    *(BACKENDS | ARITHMETICS | ALGORITHMS | RULES),
    *(*NOISE_MODES, *MODELS, *LOOPS),
    *(name for registry in KINDS.values() for name in registry),
    *(engine for info in BACKENDS.values() for engine in info.engines),
} - {"current", "exact", "float", "reward"}
"""Hold all choices but words that also mean something else, such as a kind of source."""
OWN = {
    "neurorl/backends/brian2/simulator.py": {"cython"},  # has the engines of Brian2
    "neurorl/backends/brian2/vendor.py": {"brian2"},  # a module of Python
    "neurorl/backends/lookup.py": {"brian2"},  # finds what names meant before
    "neurorl/models/defaults/presets.py": {"glm"},  # has the models
    "neurorl/learning/loops/choose.py": {"native", "numpy"},  # has the loops
}
"""Map each file that defines a choice to its names, which it may compare."""


def texts(node: ast.AST) -> Iterator[str]:
    """Yield a text, or the texts of a tuple, list or set."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        for element in node.elts:
            yield from texts(element)


def compared(code: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of each choice that is compared with a text."""
    for node in ast.walk(ast.parse(code)):
        sides: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue):
            sides = [node.value]
        for side in sides:
            yield from (
                (getattr(side, "lineno", 0), text) for text in texts(side) if text in CHOICES
            )


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_choice_is_compared_with_its_name(folder: str) -> None:
    wrong = []
    for file in sorted((ROOT / folder).rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        allowed = OWN.get(name, set())
        wrong += [
            f"{name}:{line}: {text}"
            for line, text in compared(file.read_text())
            if text not in allowed
        ]
    assert wrong == []


@pytest.mark.parametrize(
    "code",
    [
        'x == "brian2"',
        'x in ("softmax", "other")',
        'x not in {"loihi"}',
        '"glm" != x',
        'match x:\n    case "pes":\n        pass',
    ],
)
def test_comparisons_are_found(code: str) -> None:
    assert list(compared(code))


@pytest.mark.parametrize("code", ['f("brian2")', 'x == "brian3"', 'x = {"loihi": 1}["loihi"]'])
def test_others_are_not(code: str) -> None:
    assert not list(compared(code))
