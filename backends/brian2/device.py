"""Turn Brian2's C++ standalone mode into a library: Brian2's device with three changes.

Brian2 generates everything as for its own executable. Instead of ``main()``, the template
``main.cpp`` gives a C interface that steps the network in place (`neurorl.backends.brian2.library`
is its other side), and own templates add the sums of arriving weights. Running for 0 seconds makes
Brian2 emit all of its set-up and no step.

Only the process of `neurorl.backends.brian2.builder` imports this, as a device is set for the
whole process. Every private name of Brian2 that the compiled engine relies on is in this file and
in ``templates/``; `neurorl.backends.brian2.fingerprint` notices if Brian2 changes them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurorl.backends.brian2.engine import dynamic
from neurorl.backends.brian2.equations import Draw
from neurorl.backends.brian2.vendor import (
    CodeRunner,
    CPPStandaloneCodeObject,
    CPPStandaloneDevice,
    Variables,
    all_devices,
    brian2,
)

__all__ = ["Arrivals", "Draws", "Memory", "start"]

_NAME = "neurorl"
_PACKAGE = "neurorl.backends.brian2"


class _CodeObject(CPPStandaloneCodeObject):  # type: ignore[misc]
    """Generate code by templates of this package, or else by Brian2's own."""

    templater = CPPStandaloneCodeObject.templater.derive(
        _PACKAGE, env_globals={"library": lambda: all_devices[_NAME].library}
    )


class Device(CPPStandaloneDevice):  # type: ignore[misc]
    """Write the sources of a library; the attribute `library` fills the template ``main.cpp``."""

    library: dict[str, Any]

    def code_object_class(self, codeobj_class: Any = None, fallback_pref: Any = None) -> Any:
        """Return the class with this package's templates, for every object."""
        return _CodeObject

    def generate_makefile(self, *args: Any, **options: Any) -> None:
        """Write no makefile, as there is one file to compile."""

    def write(self, network: Any, folder: Path, nodes: list[dict[str, Any]]) -> list[list[Any]]:
        """Write ``main.cpp`` and what it includes.

        network: the `brian2.Network`.
        folder: where to write.
        nodes: name, size, depth and whether it is a source, in the order of rasters.

        Returns [owner, variable, dtype, size] of all arrays, in the order in which the library
        numbers them.
        """
        network.run(0 * brian2.second, namespace={})
        # The plan makes no synapse objects or monitors, so no array grows or is read from a file.
        for never in (self.dynamic_arrays, self.dynamic_arrays_2d, self.static_array_specs):
            assert not never
        arrays = [var for var in self.arrays if _owner(var)]
        symbols = {(_owner(var), var.name): f"brian::{self.arrays[var]}" for var in arrays}

        def listed(is_source: bool, variable: str, key: str) -> list[dict[str, Any]]:
            """List the size and an array of each source, or of each population."""
            return [
                {"size": node["size"], key: symbols[node["name"], variable]}
                for node in nodes
                if node["is_source"] == is_source
            ]

        def present(node: str, *variables: str) -> list[str]:
            """Return the symbols of the variables that a node has."""
            return [symbols[node, name] for name in variables if (node, name) in symbols]

        self.library = {
            "nodes": [
                {
                    "size": node["size"],
                    "depth": node["depth"],
                    "row": symbols[node["name"], "_spikespace"],
                    "ring": present(f"{node['name']}_memory", "ring"),
                    "dynamic": present(node["name"], *dynamic(node["starts"]), *node["states"]),
                    "starts": [present(node["name"], *pair) for pair in node["starts"]],
                }
                for node in nodes
            ],
            "network": network.name,
            "clock": network.sorted_objects[0].clock.name,
            "arrays": [{"symbol": symbols[_owner(var), var.name]} for var in arrays],
            "owned": sorted(f"brian::{name}" for name in self.arrays.values()),
            "sources": listed(True, "inject", "inject"),
            "populations": listed(False, "_spikespace", "row"),
        }
        self.build(directory=str(folder), compile=False, run=False)
        return [[_owner(v), v.name, np.dtype(v.dtype).str, int(v.size)] for v in arrays]


def start() -> Device:
    """Set and return a new device for this process, before any Brian2 object exists."""
    device = Device()
    all_devices[_NAME] = device
    brian2.set_device(_NAME, build_on_run=False)
    return device


def _owner(variable: Any) -> str:
    """Return the name of the object that a variable belongs to; empty if it is gone."""
    try:
        return str(variable.owner.name)
    except ReferenceError:
        return ""


class _Runner(CodeRunner):  # type: ignore[misc]
    """Run code from a template of this package; its arrays are known by their names in the code."""

    def __init__(self, group: Any, template: str, when: str, name: str, clock: Any) -> None:
        super().__init__(group, template, when=when, name=name, clock=clock)
        self.variables = Variables(self)
        self.template_kwds: dict[str, Any] = {"step": _symbol(clock, "timestep")}

    def add_array(self, name: str, size: int, dtype: type = np.float64) -> None:
        """Add an array of its own, and tell the template its name."""
        self.variables.add_array(name, size=size, dtype=dtype)
        self.template_kwds[name] = _symbol(self, name)


class Memory(_Runner):
    """Keep the spikes of a group's last *depth* steps."""

    def __init__(self, group: Any, depth: int, name: str, clock: Any) -> None:
        super().__init__(group, "remember", "before_start", name, clock)
        self.add_array("ring", depth * (len(group) + 1), np.int32)
        self.template_kwds |= {"depth": depth, "size": len(group)}
        self.template_kwds["row"] = _symbol(group, "_spikespace")


class Draws(_Runner):
    """Draw noise for every neuron of a group in each step.

    replicas: number of replicas that the neurons belong to.
    """

    def __init__(self, group: Any, draw: Draw, replicas: int, clock: Any) -> None:
        super().__init__(group, "draws", "start", f"{group.name}_{draw.variable}_draws", clock)
        self.template_kwds |= {"replicas": replicas, "size": len(group) // replicas}
        self.template_kwds |= {"function": draw.function, "seed": _symbol(group, "seed")}
        self.template_kwds |= {"to": _symbol(group, draw.variable)}
        self.template_kwds |= {"stream": _symbol(group, draw.stream)}
        self.template_kwds["ahead"] = _symbol(group, "ahead") if replicas > 1 else "NULL"


class Arrivals(_Runner):
    """Add a projection's weights to ``arrival`` at the start of the step in which spikes arrive.

    text: as in `neurorl.backends.brian2.equations.ProjectionText`, as a dict.
    memory: of the presynaptic group, if it has a delay of several steps.
    """

    def __init__(
        self, pre: Any, post: Any, text: dict[str, Any], memory: Memory | None, clock: Any
    ) -> None:
        super().__init__(post, "arrive", "start", text["name"], clock)
        self.add_array("w", text["weights"])
        if text["sparse"]:
            self.add_array("start", max(1, text["delays"]) * (len(pre) + 1), np.int64)
            self.add_array("target", text["weights"], np.int32)
        if text["delays"]:
            self.add_array("delays", text["delays"], np.int32)
        if text["levels"]:
            self.add_array("levels", text["weights"], np.int32)
            self.add_array("unit", 1)
        self.template_kwds |= {"n_delays": text["delays"], "has_levels": text["levels"]}
        self.template_kwds |= {"size": len(pre), "q": _symbol(post, text["arrival"])}
        self.template_kwds |= {key: text[key] for key in ("sparse", "n_pre", "n_post")}
        self.template_kwds |= {"row": _symbol(pre, "_spikespace"), "depth": 1}
        if memory is not None:
            self.template_kwds |= {key: memory.template_kwds[key] for key in ("ring", "depth")}
        self.template_kwds["delay"] = text["delay_steps"] + 1
        self.template_kwds["release"] = [_symbol(pre, name) for name in text["release"]]


def _symbol(owner: Any, variable: str) -> str:
    """Return the name of a variable's memory in the generated code."""
    return str(brian2.get_device().get_array_name(owner.variables[variable], access_data=False))
