"""Scan a text, character by character, before Python's own parser sees it.

It bounds length, tokens and brackets, and refuses by name what the language doesn't have, so that
the parser can't run out of stack or memory, and never warns.
"""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from neurorl.errors import DescriptionError, format_message

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


MAX_TEXT = 4000  # characters of an expression
MAX_TOKENS = 1500
MAX_NAME = 60
MAX_DEPTH = 100  # nesting of brackets and depth of the tree; a sum of 100 terms is as deep

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?P<tail>\w*)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<op>\*\*|<=|>=|==|!=|[-+*/<>(),])",
    re.ASCII,
)
_WORDS = {"and", "or", "not", "True", "False"}
_REMEDIES = {
    "//": "write floor(a/b)",
    "%": "write x - y*floor(x/y)",
    "^": "a power is x**2",
    "&": "write `and` between comparisons",
    "|": "write `or` between comparisons",
    "~": "write `not` before a comparison",
    "!": "write `not` before a comparison, or a != b",
    "=": "two values are compared by ==",
    ".": "attributes aren't in the language, only names, numbers, operators and functions",
    "[": "nothing has an index; a name stands for each neuron's own number",
    "{": "only round brackets group",
    "'": "texts aren't in the language",
    '"': "texts aren't in the language",
    ":": "a unit or a type has no place here; leave it out",
    "#": "leave the comment out",
}
_WORD_REMEDIES = {
    "if": "write where(condition, value, otherwise)",
    "else": "write where(condition, value, otherwise)",
    "is": "two values are compared by ==",
    "in": "compare with <, <=, ==, and `and`",
}


def scan(text: str, place: TextPlace) -> None:
    """Raise ExpressionError unless *text* is made of the language's tokens, within its bounds."""
    if len(text) > MAX_TEXT:
        raise place.problem(MAX_TEXT, "too long", "split it", f"{MAX_TEXT} characters")
    at = tokens = depth = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or text.startswith("//", at):
            sign = "//" if text.startswith("//", at) else text[at]
            raise place.problem(at, f"{sign!r} isn't in the language", _REMEDIES.get(sign))
        tokens += match["space"] is None
        if tokens > MAX_TOKENS:
            limit = f"{MAX_TOKENS} names, numbers and operators"
            raise place.problem(at, "too large", "split it", limit)
        _check_word(match, place)
        depth += (match["op"] == "(") - (match["op"] == ")")
        if depth > MAX_DEPTH:
            raise place.problem(at, "too deep", "split it", f"{MAX_DEPTH} brackets")
        at = match.end()


def _check_word(match: re.Match[str], place: TextPlace) -> None:
    """Refuse numbers that run into letters, and words of Python that the language doesn't have."""
    name = match["name"]
    if match["tail"]:
        what, remedy = f"a number runs into {match['tail'][:20]!r}", "write a product as 2*x"
        raise place.problem(match.start("tail"), what, remedy)
    if name is None or name in _WORDS:
        return
    if name.startswith("_"):
        raise place.problem(match.start(), "a name begins with _", "begin names with a letter")
    if len(name) > MAX_NAME:
        raise place.problem(match.start(), "a name is too long", limit=f"{MAX_NAME} characters")
    if keyword.iskeyword(name):
        what = f"{name!r} isn't in the language"
        raise place.problem(match.start(), what, _WORD_REMEDIES.get(name))


INPUT = (
    "what changes in time arrives at an input: spikes, or a source of kind 'current', "
    "given in each call of step"
)
"""Say how a neuron gets values from outside."""

_NOISE = (
    "a neuron's dx/dt may have xi, white noise, its formulas rand, from 0 to 1, without brackets, "
    "and Equations(noise=...) draws at the threshold; "
    "other noise arrives at an input, as spikes or by a source of kind 'current'"
)
_OWN_NUMBER = "give each neuron its own number as a parameter, an array (size,)"
_STEPS = "write floor(x/dt + 0.5)"
_NO_INVERSE = "there is none; as a table of values it can be a parameter or an input"
_DEAD = "say refractory=... and held=... of Equations"
_SYNAPSE = "give the current an equation of its own, di/dt = -i/tau, with inputs=('i',)"

_DRAWS = "rand randn xi poisson random random_normal random_uniform random_poisson normal uniform"
ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(_DRAWS.split(), _NOISE),
    **dict.fromkeys(["TimedArray", "stim", "stimulus", "inject"], INPUT),
    **dict.fromkeys(["i", "j", "N"], _OWN_NUMBER),
    **dict.fromkeys(["asin", "acos", "atan", "arcsin", "arccos", "arctan", "erf"], _NO_INVERSE),
    **dict.fromkeys(["timestep", "steps", "t_in_timesteps"], _STEPS),
    **dict.fromkeys(["lastspike", "not_refractory", "unless"], _DEAD),
    **dict.fromkeys(["convolve", "delta"], _SYNAPSE),
    "t": "only a neuron's equations, threshold and reset have it",
    "dt": "only a neuron's equations have dt; write its number",
    "tan": "write sin(x)/cos(x)",
    "ceil": "write -floor(-x)",
    "int": "write floor(x), or where(condition, 1, 0)",
    "bool": "compare it, such as x > 0",
    "float": "every value is a float; where(condition, 1, 0) makes one of a condition",
    "round": "write floor(x + 0.5)",
    "rint": "write floor(x + 0.5)",
    "mod": "write x - y*floor(x/y)",
    "pow": "write x**2, or exp(y*log(x))",
    "square": "write x**2",
    "heaviside": "write where(x > 0, 1, 0)",
    "expm1": "write exp(x) - 1",
    "exprel": "write where(x == 0, 1, (exp(x) - 1)/x)",
    "ln": "write log(x)",
    "log1p": "write log(1 + x)",
    "log2": "write log(x)/log(2)",
    "log10": "write log(x)/log(10)",
    "sinh": "write (exp(x) - exp(-x))/2",
    "cosh": "write (exp(x) + exp(-x))/2",
    "minimum": "write min(a, b)",
    "maximum": "write max(a, b)",
    "fabs": "write abs(x)",
    "pi": "write 3.141592653589793",
    "inf": "write 1e308",
    "resolution": "the step in seconds is dt",
    "emit_spike": "a neuron spikes where its threshold holds: say threshold=...",
    "integrate_odes": "say method=... of Equations",
}
"""Map each foreign name to what to do instead."""

_NEAR = 0.66  # similarity of `difflib`: one wrong letter of three, or two of six


def hint(name: str, known: Collection[str]) -> str | None:
    """Return what to do about an unknown name; None if only the known names can be listed.

    A name spelled much like one of the *known* names is taken for it.
    """
    if name in ELSEWHERE:
        return f"it isn't in the language: {ELSEWHERE[name]}"
    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
    return f"did you mean {near[0]!r}?" if near else None
