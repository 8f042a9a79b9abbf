"""Write a program as the text of Brian2 groups and synapses; no Brian2 object is made here.

Names are by number (``node_0``, ``projection_1``), because they end up in the compiled code: two
networks of the same kind then share what Brian2 has compiled and cached.

Only inside `neurorl.backends.brian2.vendor.exact_preferences`, where Brian2 neither reorders
terms nor lets its compilers fuse them. Names that Brian2 or C++ has taken are others there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from textwrap import indent
from typing import Any

import numpy as np

from neurorl.expressions.expression import Expression, Statement
from neurorl.expressions.functions import FUNCTIONS, power
from neurorl.expressions.nodes import Kind, Name, Style, render
from neurorl.native import SOURCES
from neurorl.numerics.arrays import Array
from neurorl.program import NodeProgram, Program
from neurorl.storage.plain import PlainData

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


def _power(x: Any, exponent: Any) -> Any:
    return power(np.asarray(x, dtype=np.float64), int(exponent))


CALLED: Mapping[str, tuple[tuple[Kind | str, ...], Callable[..., Any]]] = {
    **{f"neurorl_{name}": (one.arguments, one.numpy) for name, one in FUNCTIONS.items()},
    "neurorl_power": (("number", "whole"), _power),
    "neurorl_divide": (("number", "number"), np.divide),
}
"""Map the names of functions that `expression_text` calls to the kinds of their arguments, and to
what computes them in NumPy."""


@functools.cache
def expression_functions() -> dict[str, Any]:
    """Return the Brian2 functions that `expression_text` calls, for a group's namespace."""
    made = {}
    for name, (kinds, numpy) in CALLED.items():
        declared = f"double {name}({', '.join(_IN_C[kind] for kind in kinds)}) noexcept nogil"
        code = f"cdef extern from *:\n    '''\n{indent(_C, '    ')}\n    '''\n    {declared}\n"
        made[name] = function_of(name, numpy, [_TYPES[kind] for kind in kinds], code)
        made[name].implementations.add_implementation("cpp", _C, name=name)
    return made


def function_of(
    name: str, numpy: Any, types: Sequence[str], cython: str, namespace: PlainData | None = None
) -> Any:
    """Return a Brian2 function of these types. namespace: arrays that its Cython refers to."""
    from neurorl.backends.brian2.vendor import brian2  # takes a second, so late

    units = [bool if kind == "any" else 1 for kind in types]
    own = {"arg_units": units, "arg_types": [*types], "return_unit": 1, "return_type": "float"}
    function = brian2.Function(numpy, **own)
    # Not add_numpy_implementation, whose wrapper formats an error message on every call.
    function.implementations.add_implementation("numpy", numpy)
    function.implementations.add_implementation("cython", cython, name=name, namespace=namespace)
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
_BEGIN = "arrived_ drawn_ drive_ gap_ neurorl_ new_ old_ own_ past_ stream_ xi_"
_END = ("_", "_pre", "_post")


def brian2_names(node: NodeProgram) -> dict[str, str]:
    """Return what each name is called: the same, unless it is taken; draws have names of ours."""
    from neurorl.backends.brian2.vendor import brian2  # takes a second, so late

    taken = {*_CPP_WORDS.split(), *_OURS.split(), *_BRIAN2.split(), *_SYNAPSES.split()}
    taken |= {*brian2.DEFAULT_UNITS, *brian2.DEFAULT_FUNCTIONS, *brian2.DEFAULT_CONSTANTS}
    lines = (*node.update, *node.reset)
    used = {*node.initial, *node.constants, *node.inputs, *(line.variable for line in lines)}
    begin = tuple(_BEGIN.split())
    clash = {x for x in used if x in taken or x.startswith(begin) or x.endswith(_END)}
    names = {name: f"own_{name}_own" if name in clash else name for name in sorted(used)}
    return {"bias": "bias", **names} | {name: f"drawn_{name}" for name in node.draws}


def arrival_of(name: str) -> str:
    """Return the variable that synapses to an input add to."""
    return f"arrived_{name}"


def past_release(variable: str, age: int) -> str:
    """Return the variable that has what a spike of *age* steps ago released; 1 is the last step."""
    return variable if age == 1 else f"past_{variable}_{age}"


_DTYPES: Mapping[str, str] = {"1": "float64", "integer": "int64", "boolean": "bool_"}


@dataclass(frozen=True)
class GroupText:
    """Hold the arguments of a `brian2.NeuronGroup`, and the code of its ``run_regularly``.

    title: a comment for the reader. begins: what variables are at the start, by name.
    """

    title: str
    name: str
    size: int
    model: str
    threshold: str
    reset: str
    update: str
    begins: Mapping[str, Array]

    @property
    def dtypes(self) -> dict[str, str]:
        """Return NumPy's name for the type of each variable that the model declares."""
        kinds = (line.split(" : ") for line in self.model.splitlines())
        return {name: _DTYPES[kind.split()[0]] for name, kind in kinds}

    def written(self, more: str = "") -> str:
        """Return the code that makes the group. more: other arguments, each after a comma."""
        lines = [
            f"# {self.title}",
            f"{self.name} = NeuronGroup({self.size}, '''",
            indent(self.model, "    "),
            f"''', threshold='{self.threshold}', reset='''",
            indent(self.reset, "    "),
            f"'''{more})",
        ]
        if self.update:
            lines.append(f"{self.name}.run_regularly('''")
            lines += [indent(self.update, "    "), "''', when='groups')"]
        return "\n".join(lines)


@dataclass(frozen=True)
class SynapsesText:
    """Hold the arguments of a `brian2.Synapses`.

    title: a comment for the reader. on_pre: empty for gap junctions. delay: in steps, one less than
    the projection's, as what arrives acts in the next step; None if each synapse has its own.
    """

    title: str
    name: str
    pre: str
    post: str
    on_pre: str
    n_synapses: int
    delay: int | None
    model: str = "w : 1"

    def __str__(self) -> str:
        delay = "" if self.delay is None else f", delay={self.delay}*dt"
        is_each = self.delay is None and self.on_pre
        each = f"\n{self.name}.delay = ...  # of each synapse" if is_each else ""
        connected = f"{self.name}.connect(i=..., j=...)  # {self.n_synapses} synapses{each}"
        return f"{self.written(delay)}\n{connected}"

    def written(self, more: str) -> str:
        """Return the code that makes the synapses. more: other arguments, each after a comma."""
        return (
            f"# {self.title}\n"
            f"{self.name} = Synapses({self.pre}, {self.post}, '''{self.model}''', "
            f"on_pre='{self.on_pre}'{more})"
        )


def group_text(program: Program, k: int) -> GroupText:
    """Return the text of node number *k*."""
    node, n_replicas = program.nodes[k], program.n_replicas
    names = brian2_names(node)
    reset = _lines(node.reset, names)
    threshold = "inject" if node.threshold is None else expression_text(node.threshold, names)
    held = [names[x] for x in node.held] if node.refractory is not None else []
    update = [*_draws(node, n_replicas), *(f"old_{x} = 1.0*{x}" for x in held)]
    added = {x: [f"gap_{j}" for j in program.gaps(k, x)] for x in node.inputs}
    added |= {x: [f"drive_{x}", *added[x]] for x in node.driven}
    model = [*_model(node, names, n_replicas), *(f"{x} : 1" for xs in added.values() for x in xs)]
    update += [*_arrivals(node, names, added), *_ageing(node), *_lines(node.update, names)]
    if node.refractory is not None:
        update.append("live = dead == 0")
        update += [f"{x} = neurorl_where(live, {x}, old_{x})" for x in held]
        update.append("dead = dead - int(dead > 0)")
        threshold = f"live and ({threshold})"
        reset.append("dead = refractory_steps")
    declared = {line.split(" : ")[0] for line in model}
    return GroupText(
        title=f"{'source' if node.is_source else 'population'} {node.name!r}",
        name=f"node_{k}",
        size=node.size,
        model="\n".join(model),
        threshold=threshold,
        reset="\n".join(reset),
        update="\n".join(update),
        begins={x: value for x, value in _begins(program, k, names).items() if x in declared},
    )


def _begins(program: Program, k: int, names: Mapping[str, str]) -> dict[str, Array]:
    """Return the values that a group's variables have at the start, if it has these variables."""
    node = program.nodes[k]
    values: dict[str, Array] = {
        names[x]: np.asarray(value) for x, value in (*node.initial.items(), *node.constants.items())
    }
    streams = {x: draw.stream for x, draw in node.draws.items() if draw.stream is not None}
    values |= {f"stream_{x}": np.asarray(stream) for x, stream in streams.items()}
    if node.refractory is not None:
        values["refractory_steps"] = node.refractory
    if program.n_replicas == 1:
        return values | {"seed": np.asarray(program.seeds[0])}
    size = node.size // program.n_replicas
    values["neuron"] = np.tile(np.arange(size), program.n_replicas)
    return values | {"seed": np.repeat(np.array(program.seeds), size)}


def synapses_text(program: Program, k: int) -> SynapsesText:
    """Return the text of projection number *k*."""
    p = program.projections[k]
    arrived, has_own = f"{arrival_of(p.target)}_post", len(p.delays) > 1
    model, released = "w : 1", ""
    if p.gap:
        v, u = (brian2_names(program.nodes[j])[p.gap] for j in (p.pre, p.post))
        model += f"\ngap_{k}_post = w*({v}_pre - {u}_post) : 1 (summed)"
    if p.release is not None:
        ages = {delay: f"{past_release(p.release, delay)}_pre" for delay in p.delays}
        released = f"*{ages[p.delays[0]]}"
        if has_own:
            model = "w : 1\nage : integer"
            terms = (f"int(age == {delay})*{name}" for delay, name in ages.items())
            released = f"*({' + '.join(terms)})"
    return SynapsesText(
        title=f"projection {p.name!r}",
        name=f"projection_{k}",
        pre=f"node_{p.pre}",
        post=f"node_{p.post}",
        on_pre="" if p.gap else f"{arrived} += w{released}",
        n_synapses=p.n_weights,
        delay=None if has_own or p.gap else p.delays[0] - 1,
        model=model,
    )


def _model(node: NodeProgram, names: Mapping[str, str], n_replicas: int) -> Iterable[str]:
    """Yield the lines that declare a group's variables."""
    if node.is_source:
        yield "inject : boolean"
    later = {*node.kept, *(node.threshold.names if node.threshold else ())}
    set_here = dict.fromkeys([*node.inputs, *(line.variable for line in node.update)])
    kept = [x for x in set_here if x not in node.initial and (x in later or x in node.releases)]
    yield from (f"{names[x]} : 1" for x in (*node.initial, *kept))
    yield from (f"{arrival_of(x)} : 1" for x in node.inputs)
    for x, value in node.constants.items():
        yield f"{names[x]} : 1 (constant{'' if value.ndim else ', shared'})"
    for release in node.releases.values():
        ages = range(2, release.delay + 1)
        yield from (f"{past_release(release.variable, age)} : 1" for age in ages)
    if node.has_bias:
        yield "bias : 1"
    for x, draw in node.draws.items():
        yield f"drawn_{x} : 1"
        if draw.stream is not None:
            yield f"stream_{x} : integer (constant, shared)"
    if node.draws and n_replicas == 1:
        yield "seed : integer (constant, shared)"
    elif node.draws:  # a neuron's number in its replica, and the replica's steps less the network's
        yield "neuron : integer (constant)"
        yield "ahead : integer"
        yield "seed : integer (constant)"
    if node.refractory is not None:
        yield "dead : integer"
        yield "live : boolean"
        yield "refractory_steps : integer (constant)"


def _draws(node: NodeProgram, n_replicas: int) -> Iterable[str]:
    who, when = ("i", "t_in_timesteps")
    if n_replicas > 1:
        who, when = ("neuron", "t_in_timesteps + ahead")
    for x, draw in node.draws.items():
        if draw.stream is None:
            yield f"drawn_{x} = 1.0*({when})"
            continue
        function = "logistic" if draw.is_logistic else "draw"
        yield f"drawn_{x} = {function}({who}, {when}, stream_{x}, seed)"


def _arrivals(
    node: NodeProgram, names: Mapping[str, str], added: Mapping[str, Sequence[str]]
) -> Iterable[str]:
    """Yield the lines that take in what has arrived; a state variable keeps what it had."""
    for name in node.inputs:
        arrived, x = arrival_of(name), names[name]
        yield from (f"{arrived} = {arrived} + {more}" for more in added[name])
        if name == node.biased:
            yield f"{arrived} = {arrived} + bias"
        yield f"{x} = {x} + {arrived}" if name in node.initial else f"{x} = 1.0*{arrived}"
        yield f"{arrived} = 0"


def _ageing(node: NodeProgram) -> Iterable[str]:
    """Yield the lines that move what was released to the next age, the oldest first."""
    for release in node.releases.values():
        for age in range(release.delay, 1, -1):
            older, newer = (past_release(release.variable, k) for k in (age, age - 1))
            yield f"{older} = 1.0*{newer}"


def _lines(statements: Iterable[Statement], names: Mapping[str, str]) -> list[str]:
    return assignments(((names[line.variable], line.value) for line in statements), names)
