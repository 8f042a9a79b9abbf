"""Make a page for each neuron model of `neurorl.models`, from the model itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import neurorl.models
from documentation import formulas
from documentation.neuron_figure import response
from documentation.pages import (
    Page,
    below_constant,
    cleaned,
    described,
    equations,
    table,
    where_networks_run,
)
from neurorl.models import Equations, InChipUnits, Lesion
from neurorl.models.neurons import published
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.network.neuron import Neuron

_WRAPPERS = (Equations, InChipUnits, Lesion)
"""Name what makes neurons of others, or of texts, and so has a page of its own elsewhere."""


def neurons() -> dict[str, Neuron]:
    """Return the ready neurons among the public names, with their own parameters."""
    found: dict[str, Neuron] = {}
    for name in neurorl.models.__all__:
        value = getattr(neurorl.models, name)
        if isinstance(value, Neuron):
            found[name] = value
        elif inspect.isclass(value) and issubclass(value, Neuron) and value not in _WRAPPERS:
            found[name] = value()
    return found


def write_pages(folder: Path) -> list[str]:
    """Write a page and a figure of each neuron, and return their names."""
    for name, neuron in neurons().items():
        page(name, neuron, folder).write(folder)
    return list(neurons())


def page(name: str, neuron: Neuron, folder: Path) -> Page:
    """Return the page of a neuron, and draw its figure into *folder*."""
    prose, what = described(docstring(name, neuron))
    made = Page(name, name)
    made.add(cleaned(prose[0]), equations(_equations(neuron)))
    made.add(*(cleaned(part) for part in prose[1:]))
    figure, weight = response(neuron)
    made.show(folder, figure, f"{name}: its answer to a step of input, and its rate")
    made.add(
        f"Left: input from 50 ms on, a spike of weight {weight:g} in every ms. Right: spikes "
        "a second for other weights. Steps of 1 ms."
    )
    made.add(
        "## Parameters and variables", table(("name", "value", "what it is"), _rows(neuron, what))
    )
    made.add("## Where it runs", where_networks_run(_network(neuron)), "## In a program")
    made.add(f"```python\n{usage(name, neuron, weight)}```")
    made.add(_elsewhere(neuron))
    return made


def docstring(name: str, neuron: Neuron) -> str:
    """Return what the source says of a neuron: of its class, or under the constant."""
    if not isinstance(neuron, Equations):
        return inspect.getdoc(type(neuron)) or ""
    return below_constant(published, name)


def usage(name: str, neuron: Neuron, weight: float) -> str:
    """Return a program of a few lines that runs the neuron."""
    target = f', target="{neuron.inputs[0]}"' if len(neuron.inputs) > 1 else ""
    model = name if isinstance(neuron, Equations) else f"{name}()"
    return (
        "import numpy as np\n"
        "from neurorl import Network, Population, Projection, Source, load\n"
        f"from neurorl.models import {name}\n\n"
        f'nodes = (Source("input", 1), Population("cells", 3, {model}))\n'
        f'drive = Projection("drive", "input", "cells", {weight:g}{target})\n'
        'with load("brian2:numpy", Network(nodes, (drive,)), seed=1) as backend:\n'
        '    print(backend.step({"input": np.ones((200, 1), bool)}, 200)["cells"].sum(axis=0))\n'
    )


def _rows(neuron: Neuron, what: dict[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield a row for each parameter and variable; raise KeyError for one without a word."""
    values: dict[str, Any]
    if isinstance(neuron, Equations):
        variables = dict.fromkeys(neuron.inputs, "0")
        variables |= dict.fromkeys(neuron.plan(1, 0.001).initial, "0")
        variables |= {name: f"{float(v):g}" for name, v in neuron.initial.items()}
        for name, value in variables.items():
            yield f"${formulas.symbol(name)}$, `{name}`", f"at first {value}", what[name]
        values = dict(neuron.parameters)
        for name in ("refractory", "noise"):
            if getattr(neuron, name):
                values[name], what = getattr(neuron, name), {**_COMMON, **what}
    else:
        values = {field.name: getattr(neuron, field.name) for field in fields(neuron)}  # type: ignore[arg-type]
    for name, value in values.items():
        yield f"${formulas.symbol(name)}$, `{name}`", f"{float(value):g}", what[name]


_COMMON = {
    "refractory": "time after a spike without another one, s, >= 0, rounded to steps",
    "noise": "width of the escape noise, in the threshold's units, >= 0",
}


def _equations(neuron: Neuron) -> list[str]:
    if isinstance(neuron, Equations):
        lines = formulas.statements(neuron.equations)
        lines.append(rf"\text{{spike if }} & {formulas.expression(neuron.threshold)}")
        reset = formulas.statements(neuron.reset, derivatives=False)
        return lines + [rf"\text{{after it }}\; {line}" for line in reset]
    return _update(neuron)


def _update(neuron: Neuron) -> list[str]:
    """Return the one update that LIF neurons have, with the parameters that this one has."""
    names = {field.name for field in fields(neuron)}  # type: ignore[arg-type]
    has_threshold, lines, current = "threshold" in names, [], "q"
    if "tau_syn" in names:
        lines.append(r"u &\leftarrow e^{-dt/\tau_\mathrm{syn}}\, u + q")
        current = "u"
    memory = r"e^{-dt/\tau_\mathrm{mem}}\, v + " if "tau_mem" in names else ""
    lines.append(rf"v &\leftarrow {memory}{current} + \mathrm{{bias}}")
    if "noise" in names:
        threshold = r"\mathrm{threshold}" if has_threshold else "0"
        drive = rf"\frac{{v - {threshold}}}{{\mathrm{{noise}}}}"
    else:
        width = float(neuron.integrator(1, 1e-3).noise_width[0])
        drive = f"{1 / width:g}\\, v"
    lines.append(rf"P(\text{{spike}}) &= \frac{{1}}{{1 + e^{{-x}}}}, \quad x = {drive}")
    if "noise" in names:
        lines.append(r"\text{without noise, a spike if } v &> \mathrm{threshold}")
    if memory:
        lines.append(r"\text{after a spike } v &\leftarrow 0")
    return lines


def _network(neuron: Neuron) -> Network:
    nodes = (Source("input", 1), Population("cells", 2, neuron))
    return Network(nodes, (Projection("drive", "input", "cells", 0.5, target=_target(neuron)),))


def _target(neuron: Neuron) -> str | None:
    return neuron.inputs[0] if len(neuron.inputs) > 1 else None


def _elsewhere(neuron: Neuron) -> str:
    if isinstance(neuron, Equations):
        return (
            "`with_parameters(NAME=VALUE)` returns the same neuron with other parameters. The "
            "language is that of [expressions](../../expressions.md); [neurons](../../neurons.md) "
            "has more, such as escape noise and what follows from dt."
        )
    return (
        "Each parameter is a number or an array, one for each neuron. What is per step, and how to "
        "convert it, is in [steps and units](../../units.md)."
    )
