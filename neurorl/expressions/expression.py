"""Hold one formula, or a statement with one, read from text, and compute it."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

import numpy.typing as npt

from neurorl.errors import DescriptionError
from neurorl.expressions.functions import FUNCTIONS, Computed, computed, evaluate_arrays
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
from neurorl.expressions.scan import MAX_NAME, TextPlace, hint
from neurorl.numerics.arrays import Array
from neurorl.storage.plain import PlainData


@dataclass(frozen=True)
class Expression:
    """Hold a formula in the language of docs/expressions.md, for example ``"v > 30 and w < 0"``.

    text: as written; two expressions are equal if their texts are.
    place: names it in errors.

    Raises DescriptionError with the wrong character. A description holds the text, which is
    never run as Python: a checked tree is printed for that.
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
        return evaluate_arrays(_computed(self), self.names, names)

    def cpp(self, names: Mapping[str, str]) -> str:
        """Return the formula as C++ that includes ``native/src/expressions.h``.

        names: the C++ of each name, such as ``{"v": "v[i]"}``.
        """
        return render(self.tree, CPP, names)

    def to_dict(self) -> PlainData:
        """Return plain data, as descriptions hold it."""
        return {"type": "Expression", "text": self.text}


@lru_cache(maxsize=1024)
def _computed(expression: Expression) -> Computed:
    """Return what computes a formula; kept here, as functions can't be pickled with it."""
    return computed(expression.tree)


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


MAX_LETTERS = 20_000
MAX_STATEMENTS = 100

_STATEMENT = re.compile(
    r"\s*(?:d(?P<derived>[A-Za-z]\w*)\s*/\s*dt|(?P<name>[A-Za-z]\w*))\s*(?P<op>[-+*/]?=)(?!=)\s*",
    re.ASCII,
)


@dataclass(frozen=True)
class Statement:
    """Hold one line.

    variable: the name that is set, or that changes. value: the right side, a number.
    is_derivative: whether the line is ``dx/dt = value``. written: what stands behind ``+=`` and its
    like in a text; None: the value.
    """

    variable: str
    value: Expression
    is_derivative: bool = False
    written: Expression | None = field(default=None, compare=False)

    def check(self, names: Collection[str]) -> None:
        """Raise ExpressionError for a name that isn't among *names*, where it was written."""
        if self.written is not None:
            self.written.check(names)
        self.value.check(names)

    def __str__(self) -> str:
        left = f"d{self.variable}/dt" if self.is_derivative else self.variable
        return f"{left} = {self.value.text}"


def read_statements(
    text: str, where: str, targets: Collection[str] | None = None, derivatives: bool = False
) -> tuple[Statement, ...]:
    """Return the statements of a text, one a line or separated by ``;``, in their order.

    ``x += y`` means ``x = x + (y)``, and so on for ``-= *= /=``. Text after ``#`` is a comment.
    targets: the variables that may be set; None for any. derivatives: whether lines ``dx/dt = ...``
    are taken, too.
    Raises ExpressionError, with line and character.
    """
    return tuple(_read(piece, place, targets, derivatives) for piece, place in _pieces(text, where))


def _pieces(text: str, where: str) -> Iterator[tuple[str, TextPlace]]:
    """Yield the statements' texts that aren't empty, and where they stand."""
    if not isinstance(text, str):
        what = f"not a text but {type(text).__name__}"
        raise TextPlace(where, "").problem(0, what, "write it as a text")
    if len(text) > MAX_LETTERS:
        raise TextPlace(where, "").problem(0, "too long", "split it", f"{MAX_LETTERS} characters")
    count = 0
    for number, row in enumerate(text.split("\n"), start=1):
        begin = 0
        for piece in row.partition("#")[0].split(";"):
            place = TextPlace(f"{where}, line {number}", row, begin)
            begin += len(piece) + 1
            count += bool(piece.strip())
            if count > MAX_STATEMENTS:
                raise place.problem(0, "too many statements", "split it", MAX_STATEMENTS)
            if piece.strip():
                yield piece, place


def _read(
    piece: str, place: TextPlace, targets: Collection[str] | None, derivatives: bool
) -> Statement:
    match = _STATEMENT.match(piece)
    if match is None:
        forms = "x = ..., or dx/dt = ..." if derivatives else "x = ..."
        raise place.problem(0, "isn't an assignment", f"write {forms}")
    op, is_derivative = match["op"], match["derived"] is not None
    group = "derived" if is_derivative else "name"
    variable, at = match[group], match.start(group)
    if is_derivative and (op != "=" or not derivatives):
        raise place.problem(at - 1, "no place for a derivative", "write x = ...")
    _check_target(variable, at, place, targets)
    end = match.end()
    text = piece[end:].strip()
    value = Expression(text, replace(place, begin=place.begin + end)).check(kind="number")
    if op == "=":
        return Statement(variable, value, is_derivative)
    whole = Expression(f"{variable} {op[0]} ({text})")
    return Statement(variable, whole, is_derivative, written=value)


def _check_target(
    variable: str, at: int, place: TextPlace, targets: Collection[str] | None
) -> None:
    """Refuse to set a name that isn't among *targets*."""
    if variable in FUNCTIONS or keyword.iskeyword(variable) or len(variable) > MAX_NAME:
        what, remedy = f"{variable[:MAX_NAME]!r} is no name for a variable", "take another name"
        raise place.problem(at, what, remedy, f"{MAX_NAME} characters")
    if targets is not None and variable not in targets:
        listed = ", ".join(sorted(targets)[:12]) or "nothing"
        raise place.problem(at, f"{variable!r} can't be set here", f"what can be set: {listed}")
