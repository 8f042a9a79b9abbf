"""Run NEST in a process of its own, which has one kernel: ``worker.py MEMORY COMMANDS ANSWERS``.

The arguments are file descriptors: of the shared memory, of a pipe of commands and of one of
answers, a line of JSON each. The first command describes the network; a list is a window.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import sys
from typing import Any

import nest
import numpy as np

from neurorl_nest.shared import views

POINTERS = (
    *("current", "voltage", "dead", "spikes", "arrived"),
    *("current_decay", "membrane_decay", "threshold", "bias", "noise_width"),
    *("refractory", "seeds", "steps"),
)
NUMBERS = ("size", "width", "depth", "stream")
NEURON, SOURCE, LATER = range(3)


class Part(ctypes.Structure):
    """Mirror the structure of the same name in ``nodes.cpp``."""

    _fields_ = [(name, ctypes.c_void_p) for name in POINTERS] + [
        (name, ctypes.c_int64) for name in NUMBERS
    ]


def main(memory: int, commands: int, answers: int) -> None:
    """Build the network, then run windows until there are no more commands."""
    with os.fdopen(commands) as reading, os.fdopen(answers, "w") as writing:
        described = json.loads(reading.readline())
        arrays = views(memory, described["plan"])
        library = build(described, arrays)
        step = 0
        print("null", file=writing, flush=True)
        for line in reading:
            n_steps, is_taken = json.loads(line)
            library.neurorl_window(ctypes.c_int64(step), ctypes.c_int64(is_taken))
            nest.Run(n_steps * described["resolution"])
            step += n_steps
            print("null", file=writing, flush=True)


def build(described: dict[str, Any], arrays: dict[str, Any]) -> ctypes.CDLL:
    """Make all nodes and connections, ready to run."""
    nest.set_verbosity("M_ERROR")
    nest.resolution = described["resolution"]
    nest.local_num_threads = described["threads"]
    kernel = importlib.import_module("nest.nestkernel_api").__file__
    ctypes.CDLL(kernel, mode=ctypes.RTLD_GLOBAL)  # whose names the models need
    library = ctypes.CDLL(described["library"], mode=ctypes.RTLD_GLOBAL)
    parts = (Part * len(described["parts"]))()
    for part, (name, numbers) in zip(parts, described["parts"].items(), strict=True):
        for key in POINTERS:
            if f"{name}.{key}" in arrays:
                setattr(part, key, arrays[f"{name}.{key}"].ctypes.data)
        for key, number in numbers.items():
            if key in NUMBERS:
                setattr(part, key, number)
    pointers = [ctypes.c_void_p(arrays[name].ctypes.data) for name in ("table", "logistic")]
    library.neurorl_register(parts, ctypes.c_int64(len(parts)), *pointers)
    nodes: dict[tuple[str, int], Any] = {}
    for k, (name, numbers) in enumerate(described["parts"].items()):
        for later in numbers["laters"]:
            kind = LATER if later else SOURCE if numbers["is_source"] else NEURON
            made = nest.Create("neurorl_node", numbers["size"])
            places = list(range(numbers["size"]))
            made.set({"kind": kind, "part": k, "later": later, "number": places})
            nodes[name, later] = np.asarray(made.tolist())
    for pre, later, post, key in described["connections"]:
        ends, places = arrays[f"{key}.ends"], arrays[f"{key}.places"]
        nest.Connect(
            nodes[pre, later][ends[0]],
            nodes[post, 0][ends[1]],
            "one_to_one",
            {
                "synapse_model": "neurorl_synapse",
                "weight": places.astype(float),
                "delay": np.full(len(places), described["resolution"]),
            },
        )
    nest.Prepare()
    return library


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
