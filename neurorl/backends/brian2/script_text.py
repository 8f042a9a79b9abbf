"""Hold the text around the objects of a script: what it imports, reads, calls in C and writes.

Names after ``$`` are filled in by `neurorl.backends.brian2.script`.
"""

from __future__ import annotations

from string import Template

__all__ = ["HEAD", "TAIL"]

HEAD = Template('''"""Run a network in plain Brian2, from rest, on the input spikes in arrays.npz.

    python network.py               by Brian2's Cython
    python network.py standalone    by Brian2's C++ standalone, in the folder standalone/

Writes spikes.npz: for each population, POPULATION.i and POPULATION.step of its spikes.
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
    add, here = made.implementations.add_implementation, {"include_dirs": [str(HERE)]}
    add("cython", cython, name=name, compiler_kwds=here)
    add("cpp", "", name=name, compiler_kwds={"headers": [f'"{header}"'], **here})
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
    synapses.pre.delay = (steps - 1) * dt
    if "age" in synapses.variables:
        synapses.age = steps
    synapses.w = weights
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
np.savez(HERE / "spikes.npz", **spikes)
""")
