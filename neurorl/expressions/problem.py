"""Say what is wrong with a text, and where: the line and the character."""

from __future__ import annotations

from dataclasses import dataclass

from neurorl.errors import DescriptionError, format_message

__all__ = ["ExpressionError", "TextPlace"]

_AROUND = 30  # characters that an error quotes to either side


class ExpressionError(DescriptionError):
    """Refuse a text that isn't in the language of expressions.

    line: the line in question. column: index of the wrong character in it, from 0.
    """

    line: str = ""
    column: int = 0

    def caret(self) -> str:
        """Return the line, and below it a caret that points at the character."""
        return f"{self.line}\n{' ' * self.column}^"


@dataclass(frozen=True)
class TextPlace:
    """Say where a text stands, for errors.

    where: names it, such as ``"equations, line 2"``. line: the line that it is a part of.
    begin: index of its first character in the line.
    """

    where: str
    line: str
    begin: int = 0

    def problem(
        self, at: int, what: str, remedy: str | None = None, limit: object = None
    ) -> ExpressionError:
        """Return the error at the text's character *at*; the message counts the line's from 1."""
        column = self.begin + at
        first = max(0, column - _AROUND)
        quoted = self.line[first : column + _AROUND].strip()
        got = f"{'...' * (first > 0)}{quoted}{'...' * (column + _AROUND < len(self.line))}"
        where = f"{self.where}, character {column + 1}"
        error = ExpressionError(
            format_message(where, what, got=repr(got) if got else None, limit=limit, remedy=remedy)
        )
        error.line, error.column = self.line, column
        return error
