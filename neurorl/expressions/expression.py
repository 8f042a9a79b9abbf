"""Hold one formula: its text, its checked tree, and what can be done with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy.typing as npt

from neurorl.errors import DescriptionError
from neurorl.expressions.functions import evaluate_arrays
from neurorl.expressions.nodes import (
    CPP,
    TEXT,
    Kind,
    Name,
    Node,
    kind_of,
    names_in,
    nodes_of,
    render,
)
from neurorl.expressions.parse import check_kind, parse
from neurorl.expressions.scan import TextPlace, hint
from neurorl.numerics.arrays import Array


@dataclass(frozen=True)
class Expression:
    """Hold a formula in the language of docs/expressions.md, for example ``"v > 30 and w < 0"``.

    text: as written; two expressions are equal if their texts are.
    place: names it in errors.

    Raises DescriptionError with the wrong character. A description holds the text; nothing in a
    file is ever run as Python.
    """

    text: str
    place: TextPlace | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.place, (TextPlace, type(None))):
            raise DescriptionError("Expression.place", "is no Place")
        self.tree  # noqa: B018 - raises for a text that is wrong

    @classmethod
    def of(cls, tree: Node) -> Expression:
        """Return the formula of a checked tree, which may be longer than users' texts."""
        made = object.__new__(cls)
        made.__dict__.update(text=render(tree, TEXT), place=None, tree=tree)
        return made

    @cached_property
    def tree(self) -> Node:
        """Return the checked tree."""
        return parse(self.text, self.place)

    @property
    def kind(self) -> Kind:
        """Return whether the value is a number or a boolean."""
        return kind_of(self.tree)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Return the names that it needs, in the order of their first use."""
        return names_in(self.tree)

    def check(self, names: Collection[str] | None = None, kind: Kind | None = None) -> Expression:
        """Return this expression if it uses only these *names* and is of this *kind*.

        Raises DescriptionError, with the character of the first unknown name.
        """
        place = self.place or TextPlace("expression", self.text)
        if names is not None:
            for node in nodes_of(self.tree):
                if isinstance(node, Name) and node.name not in names:
                    what, remedy = f"unknown name {node.name!r}", _remedy(node.name, names)
                    raise place.problem(node.at, what, remedy)
        if kind is not None:
            check_kind(self.tree, kind, place)
        return self

    def evaluate(self, names: Mapping[str, npt.ArrayLike]) -> Array:
        """Return the value for these arrays, float64 or bool, broadcast against each other.

        Raises ArgumentError for a name without a value.
        """
        return evaluate_arrays(self.tree, self.names, names)

    def cpp(self, names: Mapping[str, str]) -> str:
        """Return the formula as C++ that includes ``native/src/expressions.h``.

        names: the C++ of each name, such as ``{"v": "v[i]"}``.
        """
        return render(self.tree, CPP, names)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as descriptions hold it."""
        return {"type": "Expression", "text": self.text}


_UNITS = re.compile(
    r"[munpkM]?(second|volt|amp|ampere|siemens|farad|ohm|hertz|Hz|metre|meter)2?\Z|[munpM][VASFs]\Z"
)
"""Match Brian2's names of units."""

_LISTED = 12  # how many names an error lists


def _remedy(name: str, names: Collection[str]) -> str:
    """Suggest what an unknown name may have meant."""
    if _UNITS.match(name):
        what = "write plain numbers, 2*ms as 2e-3 and 5*mV as 5 if all potentials are in mV"
        return f"formulas have no units: {what}"
    if not names:
        return "no name can be used here"
    listed = sorted(names)
    more = f", ... ({len(listed)} in all)" if len(listed) > _LISTED else ""
    return hint(name, listed) or f"known: {', '.join(listed[:_LISTED])}{more}"
