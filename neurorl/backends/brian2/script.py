"""Write a program as a script that plain Brian2 runs, C++ standalone too, in the same bits.

The folder holds ``network.py``, which imports NumPy and Brian2 alone, ``arrays.npz`` with weights,
constants, synapses and input spikes, and the C headers of the functions that the equations call.
Names after ``$`` in the text around the objects are filled in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np

from neurorl.backends.brian2.equations import CALLED, group_text, synapses_text
from neurorl.backends.brian2.lessons import lesson_arrays, lesson_code
from neurorl.backends.checks import Inputs
from neurorl.backends.simulator import ScriptedRule
from neurorl.native import SOURCES
from neurorl.native.toolchain import EXACT_FLAGS
from neurorl.numerics.arrays import Array
from neurorl.numerics.random import LOGISTIC_BITS, LOGISTIC_TABLE
from neurorl.program import Program
from neurorl.storage.archive import packed
from neurorl.storage.files import make_folder, write_bytes

if TYPE_CHECKING:
    from neurorl.backends.brian2.objects import Objects

HEAD = Template('''"""Run a network in plain Brian2, from rest, on the input spikes in arrays.npz.

    python network.py               by Brian2's Cython
    python network.py standalone    by Brian2's C++ standalone, in the folder standalone/

Writes spikes.npz: for each population, POPULATION.i and POPULATION.step of its spikes; for each
projection that learns, PROJECTION.weights at the end, flat.
"""

import sys
from pathlib import Path

import numpy as np
from brian2 import Function, Network, NeuronGroup, SpikeMonitor, Synapses, TimedArray
from brian2 import defaultclock, prefs, second, set_device

HERE = Path(__file__).resolve().parent
ARRAYS = dict(np.load(HERE / "arrays.npz"))
N_STEPS = $n_steps
if sys.argv[1:] == ["standalone"]:
    set_device("cpp_standalone", directory=str(HERE / "standalone"))
else:
    prefs["codegen.target"] = "cython"
prefs["codegen.string_expression_target"] = "numpy"
# Terms keep their order and aren't fused, so that all simulators compute the same bits.
prefs["codegen.loop_invariant_optimisations"] = False
prefs["codegen.cpp.extra_compile_args"] = $flags
prefs["codegen.cpp.include_dirs"] = [str(HERE)]
prefs["core.default_float_dtype"] = np.float64
defaultclock.dt = $dt * second
dt = defaultclock.dt


def in_c(name, header, *kinds):
    """Return the function of this name in a C header; kinds: the types of its arguments."""
    types = {"float": "double", "boolean": "int", "integer": "int64_t"}
    made = Function(
        lambda *arguments: None,
        arg_units=[bool if kind == "boolean" else 1 for kind in kinds],
        return_unit=1,
        arg_types=["any" if kind == "boolean" else kind for kind in kinds],
        arg_names=[f"argument_{k}" for k in range(len(kinds))],
        return_type="float",
    )
    declared = f"double {name}({', '.join(types[kind] for kind in kinds)}) noexcept nogil"
    cython = f"from libc.stdint cimport int64_t\\ncdef extern from '{header}':\\n    {declared}\\n"
    add = made.implementations.add_implementation
    add("cython", cython, name=name)
    add("cpp", "", name=name, compiler_kwds={"headers": [f'"{header}"']})
    return made


FUNCTIONS = {
$functions
}


def begin(group, name):
    """Write the constants and the initial state of a group."""
    for key, value in ARRAYS.items():
        owner, _, variable = key.partition("/")
        if owner == name:
            setattr(group, variable, value if value.ndim else value.item())


def given(name):
    """Return the input spikes of a source, by time and channel."""
    raster = np.zeros((N_STEPS, int(ARRAYS[f"input/{name}/size"])))
    raster[ARRAYS[f"input/{name}/steps"], ARRAYS[f"input/{name}/channels"]] = 1
    return TimedArray(raster, dt=dt)


def connect(synapses, name):
    """Make synapses, with their delays and weights."""
    pre, post, steps, weights = (
        ARRAYS[f"synapses/{name}/{key}"] for key in ("pre", "post", "steps", "weights")
    )
    synapses.connect(i=pre, j=post)
    if hasattr(synapses, "pre"):
        synapses.pre.delay = (steps - 1) * dt
    if "age" in synapses.variables:
        synapses.age = steps
    synapses.w = weights


def learn(synapses, name, late):
    """Let the lines of a rule run in their order, and its variables begin."""
    for path, delay in (("hear", ARRAYS[f"synapses/{name}/steps"]), ("fire", late)):
        if hasattr(synapses, path):
            pathway = getattr(synapses, path)
            pathway.when = "before_synapses"
            pathway.delay = delay * dt
    for key, value in ARRAYS.items():
        if key.startswith(f"begins/{name}/"):
            setattr(synapses, key.split("/")[-1], value if value.ndim else value.item())
''')

TAIL = Template("""
network = Network($objects)
monitors = {name: SpikeMonitor(group) for name, group in $populations.items()}
network.add(*monitors.values())
network.run(N_STEPS * dt)
spikes = {}
for name, monitor in monitors.items():
    spikes[f"{name}.i"] = np.asarray(monitor.i)
    spikes[f"{name}.step"] = np.rint(np.asarray(monitor.t / dt)).astype(np.int64)
for name, synapses in $learning.items():
    weights = np.zeros(len(synapses))
    weights[ARRAYS[f"places/{synapses.name}"]] = synapses.learned
    spikes[f"{name}.weights"] = weights
np.savez(HERE / "spikes.npz", **spikes)
""")


_KINDS = {"number": "float", "boolean": "boolean", "whole": "integer"}
_COUNTER = ("integer",) * 4


def write_script(
    folder: Path,
    program: Program,
    objects: Objects,
    dt: float,
    inputs: Inputs,
    n_steps: int,
    lessons: Mapping[str, ScriptedRule],
) -> None:
    """Write a folder whose ``network.py`` plain Brian2 runs; see the module.

    objects: of the program, with its weights and biases. inputs: a raster ``(n_steps, size)`` for
    each source. lessons: by projection. Raises RunError if the folder can't be written to.
    """
    head = HEAD.substitute(n_steps=n_steps, flags=EXACT_FLAGS, dt=dt, functions=_functions())
    tail = TAIL.substitute(_names(program, lessons))
    parts = [head, *_groups(program), *_synapses(program, lessons, dt), tail]
    arrays = dict(_arrays(program, objects, inputs))
    for k, projection in enumerate(program.projections):
        if projection.name in lessons:
            lesson, places = lessons[projection.name], projection.places()
            arrays |= lesson_arrays(f"projection_{k}", lesson, places)
    make_folder(folder)
    write_bytes(folder / "arrays.npz", packed(arrays))
    for header in ("expressions.h", "philox.h"):
        write_bytes(folder / header, (SOURCES / header).read_bytes())
    write_bytes(folder / "draws.h", _draws().encode())
    write_bytes(folder / "network.py", "\n".join(parts).encode())


def _names(program: Program, lessons: Mapping[str, ScriptedRule]) -> dict[str, str]:
    """Return the names of all objects, and those of populations by their own."""
    groups = {node.name: f"node_{k}" for k, node in enumerate(program.nodes)}
    objects = [*groups.values(), *(f"projection_{k}" for k in range(len(program.projections)))]
    shown = (f"{n.name!r}: {groups[n.name]}" for n in program.nodes if not n.is_source)
    pairs = ((k, p.name) for k, p in enumerate(program.projections) if p.name in lessons)
    learning = ", ".join(f"{name!r}: projection_{k}" for k, name in pairs)
    return {
        "objects": ", ".join(objects),
        "populations": f"{{{', '.join(shown)}}}",
        "learning": f"{{{learning}}}",
    }


def _functions() -> str:
    """Return the lines of the functions that equations call, by their names there."""
    found = {
        name: (name, "expressions.h", *(_KINDS[kind] for kind in kinds))
        for name, (kinds, _) in CALLED.items()
    }
    found |= {name: (f"neurorl_{name}", "draws.h", *_COUNTER) for name in ("logistic", "draw")}
    return "\n".join(f'    "{name}": in_c{arguments!r},' for name, arguments in found.items())


def _groups(program: Program) -> Iterator[str]:
    """Yield the code that makes the group of each node, and writes what it begins with."""
    for k, node in enumerate(program.nodes):
        text = group_text(program, k)
        dtypes = (f"{name!r}: np.{of}" for name, of in text.dtypes.items())
        update, namespace = text.update, "FUNCTIONS"
        if node.is_source:
            update = "\n".join([f"inject = input_{k}(t, i) > 0", *filter(None, [text.update])])
            namespace = f"FUNCTIONS | {{'input_{k}': given({text.name!r})}}"
        text = replace(text, update=update)
        more = f", name={text.name!r}, dtype={{{', '.join(dtypes)}}}, namespace={namespace}"
        yield f"{text.written(more)}\nbegin({text.name}, {text.name!r})\n"


def _synapses(program: Program, lessons: Mapping[str, ScriptedRule], dt: float) -> Iterator[str]:
    """Yield the code that makes the synapses of each projection."""
    for k, projection in enumerate(program.projections):
        text = synapses_text(program, k)
        if projection.name in lessons:
            yield lesson_code(text, lessons[projection.name], dt) + "\n"
            continue
        more = f", name={text.name!r}, dtype={{'w': np.float64}}, namespace={{}}"
        yield f"{text.written(more)}\nconnect({text.name}, {text.name!r})\n"


def _arrays(program: Program, objects: Objects, inputs: Inputs) -> Iterator[tuple[str, Array]]:
    """Yield the arrays of the script by their names there."""
    for k, node in enumerate(program.nodes):
        for variable, value in group_text(program, k).begins.items():
            yield f"node_{k}/{variable}", value
        if node.has_bias:
            yield f"node_{k}/bias", objects.memory[k]["bias"]
        if node.is_source:
            steps, channels = np.nonzero(inputs[node.name])
            yield f"input/node_{k}/steps", steps
            yield f"input/node_{k}/channels", channels
            yield f"input/node_{k}/size", np.array(node.size)
    for k, projection in enumerate(program.projections):
        pre, post, delays = projection.synapses()
        found = {"pre": pre, "post": post, "steps": delays, "weights": objects.weights[k]}
        yield from ((f"synapses/projection_{k}/{name}", x) for name, x in found.items())


def _draws() -> str:
    """Return the header of the draws, with the table of the logistic ones."""
    table = ", ".join(float(x).hex() for x in LOGISTIC_TABLE)
    counter = "(int64_t i, int64_t step, int64_t stream, int64_t seed)"
    word = "neurorl_word(i, step, stream, seed)"
    return (
        "#ifndef NEURORL_DRAWS_H\n#define NEURORL_DRAWS_H\n"
        '#include "philox.h"\n'
        f"static const double neurorl_logistic_table[] = {{{table}}};\n"
        f"static inline double neurorl_draw{counter} {{ return {word}; }}\n"
        f"static inline double neurorl_logistic{counter}\n"
        f"{{\n    return neurorl_logistic_table[{word} >> {32 - LOGISTIC_BITS}];\n}}\n#endif\n"
    )
