"""Say formulas and statements of Brian2 in the language of `neurorl.expressions`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping

from neurorl.errors import UnsupportedError
from neurorl.expressions.expression import Expression
from neurorl.expressions.functions import FUNCTIONS
from neurorl.expressions.methods import PREFIXES
from neurorl.expressions.parse import MAX_EXPONENT
from neurorl.numerics.arrays import FloatArray

SPIKED_AT = "spiked_at"
_TAKEN = {"dt", "t", "bias", "rand", "logistic", "spikes", "since", "dead_steps", "into"}
_TAKEN |= {"noise_width", "is_silent", "refractory", SPIKED_AT}
AT = "_at"
Numbers = Mapping[str, float | FloatArray]
_PREFIXES = (*PREFIXES, "arrived_", "before_")


def own_name(name: str) -> str:
    """Return what a name of the user's is called here: the same, unless it means something else."""
    taken = name in FUNCTIONS or name in _TAKEN or name.startswith(_PREFIXES)
    return f"{name}_own" if taken else name


def statements(code: str, where: str) -> list[tuple[str, str]]:
    """Return what Brian2's code sets, and the formula of each. Raises UnsupportedError."""
    found = []
    for line in ast.parse("\n".join(map(str.strip, code.splitlines()))).body:
        match line:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.append((name, ast.unparse(value)))
            case ast.AugAssign(target=ast.Name(id=name) as target, op=op, value=value):
                whole = ast.BinOp(ast.Name(target.id), op, value)
                found.append((name, ast.unparse(whole)))
            case _:
                what, remedy = "isn't in the language", "write x = ..., or x += ..."
                raise UnsupportedError(where, what, got=ast.unparse(line), remedy=remedy)
    return found


class Translation(ast.NodeTransformer):
    """Translate formulas; the language refuses what it doesn't have by name.

    named: returns the formula, or the number, that stands for a name, or for ``name()`` of a call:
    itself, or a formula of its argument `AT`. known: what names stand for numbers.
    """

    def __init__(self, named: Callable[[str], str | float], known: Numbers) -> None:
        self._named, self._known = named, known

    def text(self, formula: str) -> str:
        """Return a formula of Brian2 in our language, in which units are numbers."""
        return ast.unparse(self.visit(_tree(formula.strip())))

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """Replace a name."""
        return _tree(str(self._named(node.id)))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Write functions that only Brian2 has by others."""
        name = ast.unparse(node.func)
        found = str(self._named(f"{name}()"))
        given = [self.visit(argument) for argument in node.args]
        x, *more = [f"({ast.unparse(argument)})" for argument in given] or [""]
        if found != f"{name}()":
            return _tree(found.replace(AT, x))
        if name == "rand":
            return ast.Name("rand")
        if name == "int":
            is_boolean = isinstance(given[0], ast.Compare | ast.BoolOp) or x.startswith("(not ")
            return _tree(f"where({x}, 1, 0)" if is_boolean else f"trunc{x}")
        if name == "exprel":
            series = f"1 + {x}/2*(1 + {x}/3*(1 + {x}/4))"
            return _tree(f"where(abs{x} < 1e-3, {series}, (exp{x} - 1)/{x})")
        return _tree(f"{name}({', '.join((x, *more))})")

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        """Write powers by those of the language, and what is computed of units as a number."""
        left, right = self.visit(node.left), self.visit(node.right)
        base, power, x = _value(left, {}), _value(right, self._known), f"({ast.unparse(left)})"
        if not isinstance(node.op, ast.Pow):
            made = ast.BinOp(left, node.op, right)
            return made if (value := _value(made, {})) is None else _tree(str(value))
        if base is not None and power is not None:
            return _tree(str(base**power))
        if power == 0:
            return _tree("1.0")
        if power is not None and power % 1 == 0 and abs(power) > MAX_EXPONENT:
            return _tree(f"{f'sign{x}*' * bool(power % 2)}exp({power}*log(abs{x}))")
        if power is None or power % 1:
            return _tree(f"sqrt{x}" if power == 0.5 else f"exp(({ast.unparse(right)})*log{x})")
        return _tree(f"{'1/' * (power < 0)}{x}**{abs(power):.0f}")


def _tree(formula: str) -> ast.expr:
    return ast.parse(formula, mode="eval").body


def _value(node: ast.expr, known: Numbers) -> float | None:
    """Return the value of a formula of numbers and of names of known ones; None for others."""
    names = (part.id for part in ast.walk(node) if isinstance(part, ast.Name))
    if not all(isinstance(known.get(name), float) for name in names):
        return None
    return float(Expression(ast.unparse(node)).evaluate(known))
