"""Describe how each of PyNN's simulators steps."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from neurorl.errors import check_name

__all__ = ["TARGETS", "PyNNTarget", "target_name"]


class PyNNTarget(NamedTuple):
    """Describe how one of PyNN's simulators steps; all times in steps.

    late: how much later than it arrives a neuron's current acts; subtracted from delays.
    first: PyNN's step in which spikes of the description's first step are recorded.
    begun: how many steps before the description's first the simulator begins.
    dead: steps that it adds to a refractory period.
    options: options of its `setup`. clock: a module whose default clock is also set.
    least: smallest number of spike sources in a population; added ones are silent.
    takes_lists: whether times of spikes are lists, not PyNN's sequences.
    needs_longest: whether `setup` has to be told the longest delay.
    one_refractory: whether all neurons of a population have the same refractory period.
    has_pulses: whether it integrates so well that noise can be given by `neurorl.pynn.pulses`.
    """

    late: int
    first: int
    begun: int
    dead: int
    options: Mapping[str, Any] = MappingProxyType({})
    clock: str = ""
    takes_lists: bool = False
    least: int = 1
    needs_longest: bool = False
    one_refractory: bool = False
    has_pulses: bool = True


TARGETS: Mapping[str, PyNNTarget] = {
    "nest": PyNNTarget(
        late=1,
        first=4,
        begun=3,
        dead=0,
        options={"spike_precision": "on_grid"},
        needs_longest=True,
    ),
    "brian2": PyNNTarget(
        late=1, first=4, begun=4, dead=1, clock="brian2", least=2, one_refractory=True
    ),
    "spiNNaker": PyNNTarget(late=0, first=3, begun=3, dead=0, takes_lists=True, has_pulses=False),
}
"""Hold PyNN's simulators, by the last part of their module's name; ``spynnaker.pyNN`` is spiNNaker.

Networks for spiNNaker were built and mapped on its virtual board, but never run: its steps follow
from its documentation.
"""


def target_name(simulator: Any) -> str:
    """Return the name of a simulator's module. Raises UnknownNameError for another."""
    module = str(getattr(simulator, "__name__", simulator))
    name = "spiNNaker" if module == "spynnaker.pyNN" else module.rpartition(".")[2]
    check_name("simulator of PyNN", name, TARGETS)
    return name
