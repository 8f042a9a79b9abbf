"""Make a projection of PyNN from a list of synapses, all at once instead of cell by cell.

PyNN's own `FromListConnector` takes milliseconds for each postsynaptic cell. The methods of its
simulators used here are private; tests/pynn/test_pynn.py reads the results by public ones.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.numerics.arrays import FloatArray

__all__ = ["make_projection"]

Ints = npt.NDArray[np.int64]


def make_projection(
    simulator: Any,
    ends: tuple[Any, Any],
    pre: Ints,
    post: Ints,
    weights: FloatArray,
    delays: FloatArray,
    receptor: str,
) -> Any:
    """Return a projection of these synapses; weights in nA, all of one sign, delays in ms."""
    module = str(getattr(simulator, "__name__", ""))
    fill = _FILL.get(module)
    if fill is None:
        columns = (pre, post, weights, delays)
        listed = list(zip(*(column.tolist() for column in columns), strict=True))
        connector = simulator.FromListConnector(listed, column_names=["weight", "delay"])
    else:
        connector = simulator.FromListConnector([])
    made = simulator.Projection(
        *ends, connector, synapse_type=simulator.StaticSynapse(), receptor_type=receptor
    )
    if fill is not None:
        fill(made, pre, post, weights, delays)
    return made


def _fill_nest(made: Any, pre: Ints, post: Ints, weights: FloatArray, delays: FloatArray) -> None:
    nest: Any = importlib.import_module("nest")
    ids = [np.asarray(end.all_cells, dtype=np.int64) for end in (made.pre, made.post)]
    nest.Connect(
        ids[0][pre],
        ids[1][post],
        "one_to_one",
        {
            "synapse_model": made.nest_synapse_model,
            "synapse_label": made.nest_synapse_label,
            "weight": weights * 1e3,  # pA
            "delay": delays,
        },
    )
    made._sources.update(ids[0][np.unique(pre)].tolist())
    made._simulator.state.stale_connection_cache = True


def _fill_brian2(made: Any, pre: Ints, post: Ints, weights: FloatArray, delays: FloatArray) -> None:
    brian2: Any = importlib.import_module("brian2")
    synapses = made._brian2_synapses[0][0]
    synapses.connect(i=pre, j=post)
    synapses.weight = weights * brian2.nA
    synapses.delay = delays * brian2.ms
    made._n_connections += len(pre)


_FILL: Mapping[str, Callable[..., None]] = {
    "pyNN.nest": _fill_nest,
    "pyNN.brian2": _fill_brian2,
}
