"""Write expressions as Brian2's own statements, so that every engine computes the same bits.

Only inside `neurorl.backends.brian2.preferences.exact_preferences`, where Brian2 neither reorders
terms nor lets its compilers fuse them. Names that Brian2 or C++ has taken are others there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from textwrap import indent
from typing import Any

import numpy as np

from neurorl.expressions.expression import Expression
from neurorl.expressions.functions import FUNCTIONS, power
from neurorl.expressions.nodes import Kind, Name
from neurorl.expressions.printing import Style, render
from neurorl.native import SOURCES
from neurorl.program import NodeProgram

_C = (SOURCES / "expressions.h").read_text()
_STYLE = Style(
    call=lambda name, arguments: f"neurorl_{name}({', '.join(arguments)})",
    power=lambda base, exponent: f"neurorl_power({base}, {exponent})",
    # Both Brian2's Cython and Python, in its numpy target, raise an exception for x / 0.
    divide=lambda a, b: f"neurorl_divide({a}, {b})",
)
_TYPES: Mapping[str, str] = {"number": "float", "boolean": "any", "whole": "integer"}
_IN_C: Mapping[str, str] = {"number": "double", "boolean": "int", "whole": "int"}


def expression_text(expression: Expression, names: Mapping[str, str] | None = None) -> str:
    """Return an expression as Brian2 reads it, for statements, thresholds and resets.

    names: the Brian2 variable of each name; None for the same ones.
    """
    return render(expression.tree, _STYLE, names)


def assignments(
    lines: Iterable[tuple[str, Expression]], names: Mapping[str, str] | None = None
) -> list[str]:
    """Return the code that sets variables, by their names in Brian2, in order.

    Of ``v = v + ...`` Brian2 makes ``v += ...`` with the rest as SymPy sorts it, so such a value
    gets a name of its own first, ``new_0``. And ``v = w`` is another view of the memory of w in
    Brian2's numpy target, so it is multiplied by 1.
    """
    code = []
    for number, (variable, expression) in enumerate(lines):
        text = expression_text(expression, names)
        if isinstance(expression.tree, Name):
            code.append(f"{variable} = 1.0*{text}")
        elif variable in [(names or {}).get(name, name) for name in expression.names]:
            code += [f"new_{number} = {text}", f"{variable} = new_{number}"]
        else:
            code.append(f"{variable} = {text}")
    return code


@functools.cache
def expression_functions() -> dict[str, Any]:
    """Return the Brian2 functions that `expression_text` calls, for a group's namespace."""
    made = {
        f"neurorl_{name}": _function(name, one.arguments, one.numpy)
        for name, one in FUNCTIONS.items()
    }
    made["neurorl_power"] = _function("power", ("number", "whole"), _power)
    made["neurorl_divide"] = _function("divide", ("number", "number"), np.divide)
    return made


def _power(x: Any, exponent: Any) -> Any:
    return power(np.asarray(x, dtype=np.float64), int(exponent))


def _function(name: str, kinds: tuple[Kind | str, ...], numpy: Callable[..., Any]) -> Any:
    """Return one Brian2 function."""
    from neurorl.backends.brian2.vendor import brian2  # takes a second, so late

    function = brian2.Function(
        numpy,
        arg_units=[bool if kind == "boolean" else 1 for kind in kinds],
        return_unit=1,
        arg_types=[_TYPES[kind] for kind in kinds],
        return_type="float",
    )
    function.implementations.add_implementation("numpy", numpy)
    declared = f"double neurorl_{name}({', '.join(_IN_C[kind] for kind in kinds)}) noexcept nogil"
    cython = f"cdef extern from *:\n    '''\n{indent(_C, '    ')}\n    '''\n    {declared}\n"
    function.implementations.add_implementation("cython", cython, name=f"neurorl_{name}")
    function.implementations.add_implementation("cpp", _C, name=f"neurorl_{name}")
    return function


_CPP_WORDS = """
alignas alignof and_eq asm auto bitand bitor bool break case catch char compl const constexpr
const_cast continue decltype default delete do double dynamic_cast enum explicit export extern false
float friend goto inline int long mutable namespace new noexcept nullptr operator or_eq private
protected public register reinterpret_cast short signed sizeof static static_assert static_cast
struct switch template this thread_local throw true typedef typeid typename union unsigned using
virtual void volatile wchar_t xor xor_eq NULL
"""
_OURS = "dead live refractory_steps neuron ahead seed inject"
_BRIAN2 = "i j N t dt t_in_timesteps lastspike not_refractory xi"
_SYNAPSES = "w delay lastupdate pre post age"  # which no neuron that synapses enter may have too
_BEGIN = ("arrived_", "drawn_", "neurorl_", "new_", "old_", "own_", "past_", "stream_", "xi_")
_END = ("_", "_pre", "_post")


def brian2_names(node: NodeProgram) -> dict[str, str]:
    """Return what each name is called: the same, unless it is taken; draws have names of ours."""
    from neurorl.backends.brian2.vendor import brian2  # takes a second, so late

    taken = {*_CPP_WORDS.split(), *_OURS.split(), *_BRIAN2.split(), *_SYNAPSES.split()}
    taken |= {*brian2.DEFAULT_UNITS, *brian2.DEFAULT_FUNCTIONS, *brian2.DEFAULT_CONSTANTS}
    lines = (*node.update, *node.reset)
    used = {*node.initial, *node.constants, *node.inputs, *(line.variable for line in lines)}
    names = {
        name: f"own_{name}_own"
        if name in taken or name.startswith(_BEGIN) or name.endswith(_END)
        else name
        for name in sorted(used)
    }
    return {"bias": "bias", **names} | {name: f"drawn_{name}" for name in node.draws}


def arrival_of(name: str) -> str:
    """Return the variable that synapses to an input add to."""
    return f"arrived_{name}"


def past_release(variable: str, age: int) -> str:
    """Return the variable that has what a spike of *age* steps ago released; 1 is the last step."""
    return variable if age == 1 else f"past_{variable}_{age}"
