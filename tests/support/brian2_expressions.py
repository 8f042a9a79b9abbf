"""Put many expressions into one Brian2 network, run for one step on one of its engines.

``python brian2_expressions.py FOLDER < TEXTS``: on its C++ standalone device, which is set for a
whole process; TEXTS are JSON, the results ``FOLDER/results.npy``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.expressions import expression_functions, expression_text
from neurorl.backends.brian2.preferences import exact_preferences
from neurorl.backends.brian2.vendor import brian2
from neurorl.expressions import Expression

__all__ = ["run"]

Arrays = Mapping[str, npt.NDArray[np.float64]]


def run(
    target: str, expressions: Sequence[Expression], names: Arrays, folder: Path | None = None
) -> npt.NDArray[np.float64]:
    """Return the values of expressions, a row for each, as *target* computes them.

    folder: for C++ standalone, of which *target* is then ``'numpy'``.
    """
    kinds = {"number": "1", "boolean": "boolean"}
    model = [f"{name} : 1" for name in names]
    model += [f"y{k} : {kinds[e.kind]}" for k, e in enumerate(expressions)]
    n = len(next(iter(names.values())))
    with exact_preferences(target), np.errstate(all="ignore"):
        clock = brian2.Clock(1e-3 * brian2.second)
        functions = expression_functions()
        group = brian2.NeuronGroup(n, "\n".join(model), namespace=functions, clock=clock)
        for name, value in names.items():
            setattr(group, name, value)
        lines = [f"y{k} = {expression_text(e)}" for k, e in enumerate(expressions)]
        group.run_regularly("\n".join(lines), when="groups")
        network: Any = brian2.Network(group)
        network.run(1e-3 * brian2.second, namespace={})
        if folder is not None:
            brian2.get_device().build(directory=str(folder), compile=True, run=True)
        rows = [np.array(getattr(group, f"y{k}")) for k in range(len(expressions))]
    return np.array(rows, dtype=np.float64)


def main(folder: Path, given: dict[str, Any]) -> None:
    """Run the texts and values of *given* on the C++ standalone device."""
    brian2.set_device("cpp_standalone", build_on_run=False)
    names = {name: np.array(values, dtype=np.float64) for name, values in given["names"].items()}
    results = run("numpy", [Expression(text) for text in given["texts"]], names, folder / "code")
    np.save(folder / "results.npy", results)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.load(sys.stdin))
