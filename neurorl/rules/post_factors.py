"""Build post factors from parts that the rules share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.rules.base import Array, Decision, Factors, Hidden, Raster

__all__ = [
    "answered",
    "chosen",
    "counted",
    "gated",
    "per_hidden_neuron",
    "per_module",
    "slope",
    "surprise",
    "unsaturated",
]


def chosen(action: int | npt.NDArray[np.int64], n_actions: int) -> Array:
    """Return ``g_m = 1[m = action]``, shape ``(n_actions,)``; *action* may hold several."""
    gate = np.zeros(n_actions)
    gate[action] = 1.0
    return gate


def per_module(per_action: Array, n: int) -> Array:
    """Repeat a number for each action to one for each of *n* modules, actors in the outer order."""
    return np.tile(per_action, n // len(per_action))


def per_hidden_neuron(of_modules: Array, h: Hidden) -> Array:
    """Repeat a number for each module to one for each hidden neuron, along the last axis."""
    return of_modules.repeat(h.spikes.shape[1] // of_modules.shape[-1], axis=-1)


def counted(factors: Array, first: int) -> Array:
    """Set the factors of steps before *first* to 0, in place: input can't have reached them."""
    factors[:first] = 0.0
    return factors


def surprise(spikes: Raster, p: Array | None) -> Array:
    """Return ``spike - p``."""
    assert p is not None
    return spikes - p


def slope(p: Array | None) -> Array:
    """Return ``p (1 - p)``, the slope of p in units of the noise."""
    assert p is not None
    return p * (1.0 - p)


def unsaturated(spikes: Raster, first: int) -> Array:
    """Return ``(1 - n/W) spike``, n the neuron's own spikes in the W steps from *first* on."""
    counting = spikes[first:]
    return counted(spikes * (1.0 - counting.sum(axis=0) / len(counting)), first)


def gated(d: Decision, output: Array, hidden: tuple[Array, ...]) -> Factors:
    """Multiply factors by phi, and those of hidden neurons by the sign of their path too."""
    phi = per_module(d.phi, output.shape[1])
    gates = [per_hidden_neuron(phi, h) * h.signs for h in d.hidden]
    return Factors(output * phi, tuple(f * gate for f, gate in zip(hidden, gates, strict=True)))


def answered(d: Decision, broadcast: Array) -> Factors:
    """Return the factors of units that are compared with the output of their module.

    ``f_out = c |y - tanh z|``, ``f_hid = c y' (s - tanh z)``, c the *broadcast* to a module and
    y' = y(t+d) the output of the unit's own module when its spike has come so far.
    """
    c = per_module(broadcast, d.output.shape[1])
    output = counted(2.0 * c * np.abs(surprise(d.output, d.output_p)), d.output_from)

    def of_layer(h: Hidden) -> Array:
        answer = np.zeros(d.output.shape)
        answers = c * (2.0 * d.output[h.lag :] - 1.0)
        answer[: len(answers)] = answers
        return counted(2.0 * per_hidden_neuron(answer, h) * surprise(h.spikes, h.p), h.first)

    return Factors(output, tuple(map(of_layer, d.hidden)))
