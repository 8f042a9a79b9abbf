"""Generate and compile one network as a shared library; `neurorl.backends.brian2.builder` calls it.

Takes a plan (`neurorl.backends.brian2.plan`), and leaves ``library.so`` and ``arrays.json`` in a
folder.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from neurorl.backends.brian2 import device
from neurorl.backends.brian2.build import make_group
from neurorl.backends.brian2.equations import Draw, NodeText
from neurorl.backends.brian2.preferences import exact_preferences
from neurorl.backends.brian2.vendor import brian2
from neurorl.native import SOURCES
from neurorl.native.toolchain import LIBRARY_FLAGS, compiler
from neurorl.numerics.random import LOGISTIC_BITS

__all__ = ["build"]

_HEADERS = (
    Path(__file__).parent / "templates" / "neurorl.h",
    SOURCES / "philox.h",
    SOURCES / "expressions.h",
)


def build(folder: Path, plan: dict[str, Any]) -> int:
    """Write the sources, compile them and describe the result; return the exit status."""
    sources = folder / "source"
    with exact_preferences("numpy"):
        arrays = _write(sources, plan)
    for header in _HEADERS:
        shutil.copy(header, sources)
    extra = sorted(str(path.relative_to(sources)) for path in sources.glob("brianlib/*.cpp"))
    command = [
        *compiler(),
        *LIBRARY_FLAGS,
        f"-DNEURORL_LOGISTIC_BITS={LOGISTIC_BITS}",
        *("-I.", "-Ibrianlib", "main.cpp", *extra, "-o", str(folder / "library.so")),
    ]
    done = subprocess.run(command, cwd=sources, check=False)
    if done.returncode == 0:
        (folder / "arrays.json").write_text(json.dumps(arrays))
        shutil.rmtree(sources)
    return done.returncode


def _write(folder: Path, plan: dict[str, Any]) -> list[list[Any]]:
    """Write the sources, and return what `device.Device.write` does."""
    brian2.prefs["codegen.cpp.extra_compile_args"] = []  # else Brian2 tests each of the flags
    used = device.start()
    clock = brian2.Clock(plan["dt"] * brian2.second, name="ticks")
    groups: dict[str, Any] = {}
    memories: dict[str, device.Memory] = {}
    objects: list[Any] = []
    for text in plan["nodes"]:
        group = groups[text["name"]] = make_group(_text(text), clock)
        objects.append(group)
        objects += [
            device.Draws(group, Draw(*draw), plan["replicas"], clock) for draw in text["draws"]
        ]
        if text["depth"] > 1:
            name = f"{text['name']}_memory"
            memories[text["name"]] = device.Memory(group, text["depth"], name, clock)
    objects += memories.values()
    for text in plan["projections"]:
        pre, post = groups[text["pre"]], groups[text["post"]]
        memory = memories.get(text["pre"])
        objects.append(device.Arrivals(pre, post, text, memory, clock))
    network = brian2.Network(*objects, name="network")
    return used.write(network, folder, plan["nodes"])


def _text(planned: dict[str, Any]) -> NodeText:
    """Return the text of a node in a plan, without its draws, which this package's code makes."""
    extra = ("is_source", "depth", "draws")
    return NodeText(title="", **{k: v for k, v in planned.items() if k not in extra})
