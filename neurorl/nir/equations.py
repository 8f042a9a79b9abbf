"""Find equation neurons that NIR has, by their formulas, not by their names."""

from __future__ import annotations

import dataclasses

from neurorl.errors import UnsupportedError
from neurorl.models.neurons.chip_form import chip_form
from neurorl.models.neurons.equations import Equations
from neurorl.network.description import Network, Node, Population
from neurorl.network.integrator import Integrator
from neurorl.nir.discretise import NEVER
from neurorl.numerics.arrays import FloatArray

__all__ = ["readout", "subtracting", "without_equations"]


def subtracting(integrator: Integrator, bias: FloatArray) -> Equations:
    """Return neurons of these parameters whose spikes subtract the threshold from v."""
    return _stepped(integrator, bias, "v > top", "v = v - top", {"top": integrator.threshold})


def readout(integrator: Integrator, bias: FloatArray) -> Equations:
    """Return neurons of these parameters that never spike; their ``v`` is read."""
    return _stepped(integrator, bias, f"v > {NEVER:.0f}", "v = 0", {})


def _stepped(
    integrator: Integrator,
    bias: FloatArray,
    threshold: str,
    reset: str,
    more: dict[str, FloatArray],
) -> Equations:
    decays = {"a": integrator.current_decay, "b": integrator.membrane_decay, "push": bias}
    used = {name: values for name, values in decays.items() if name == "b" or values.any()}
    push = " + push" if "push" in used else ""
    lines, state = f"v = b * v + q{push}", {"v": 0.0}
    if "a" in used:
        lines, state = f"u = a * u + q\nv = b * v + u{push}", {"u": 0.0, "v": 0.0}
    return Equations(lines, threshold, reset, parameters={**used, **more}, initial=state)


def without_equations(network: Network) -> Network:
    """Return the network with LIF and CubaLIF in place of equations that mean the same.

    These are linear equations of a membrane, and maybe a current before it, with a reset to the
    initial value at ``v > number``; a membrane may have no leak (IF). Spikes are the same except
    for rounding: numbers equal the equations' to some units in the last place.
    Raises UnsupportedError naming the population for others.
    """
    if all(p.is_integrator(network.dt) for p in network.populations):
        return network
    nodes = tuple(_plain(n, network.dt) if isinstance(n, Population) else n for n in network.nodes)
    projections = tuple(dataclasses.replace(p, target=None) for p in network.projections)
    return dataclasses.replace(network, nodes=nodes, projections=projections)


def _plain(population: Population, dt: float) -> Node:
    if population.is_integrator(dt):
        return population
    form = chip_form(population.plan(dt), dt, keeps_all=True)
    if form is None:
        raise UnsupportedError(
            f"NIR, population {population.name!r}",
            "its equations are those of no NIR neuron (LIF, CubaLIF, IF, LI, CubaLI, I)",
            remedy="linear equations with one input, threshold 'v > number', reset 'v = number'",
        )
    if (form.threshold >= NEVER).any() and (form.scale != 1.0).any():
        raise UnsupportedError(
            f"NIR, population {population.name!r}",
            "never spikes, and its value would be another one: inputs are scaled before it",
            remedy="scale the weights instead",
        )
    return dataclasses.replace(population, neuron=form.neuron())
