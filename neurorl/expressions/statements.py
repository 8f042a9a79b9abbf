"""Read several lines: updates ``x = ...`` in order, and differential equations ``dx/dt = ...``."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from neurorl.expressions.expression import Expression
from neurorl.expressions.functions import FUNCTIONS
from neurorl.expressions.scan import MAX_NAME, TextPlace

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
    text: str,
    where: str,
    targets: Collection[str] | None = None,
    derivatives: bool = False,
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
