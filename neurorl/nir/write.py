"""From a network to a NIR graph."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import FloatArithmetic, initial_weights
from neurorl.described import FloatArray
from neurorl.description import Dynamics, Network, Population, Projection, Uniform
from neurorl.errors import ArgumentError, UnsupportedError, say, unknown
from neurorl.models import GLM, CubaLIF
from neurorl.nir.discretise import keep_and_fraction, tidy
from neurorl.nir.package import DroppedWarning, load_package, write_graph

__all__ = ["Written", "to_nir"]


class Written(NamedTuple):
    """graph: a ``nir.NIRGraph``. dropped: what of the network is not in it, a line a kind."""

    graph: Any
    dropped: tuple[str, ...]


def to_nir(
    network: Network,
    weights: Mapping[str, npt.ArrayLike] | None = None,
    path: str | Path | None = None,
) -> Written:
    """The NIR graph of a network for inference, written to *path* if that is given.

    weights: of projections by name, such as ``backend.weights(name)``, in place of the
    description's; needed for those that a seed draws. Sources become Input nodes, populations LIF,
    CubaLIF or IF (no leak), projections Linear, Affine (with the bias of a LIF population) or
    Scale (neuron to neuron); a delay of d steps a Delay of d - 1; a CubaLIF's bias v_leak; a
    population that drives no other one leads to an Output node.

    NIR has no plasticity, noise, refractory period or signed unit: each is left out (a signed
    projection becomes weights 2w and a bias), named in `Written.dropped` and in a DroppedWarning.
    Without these, `from_nir` makes a network of the same spikes, bit for bit in float arithmetic.
    (Chip integers follow the range of the weights, which for a projection that is plastic or
    drawn by a seed is that of its bounds: there they differ.)

    Raises ArgumentError for weights that are missing or don't fit, UnsupportedError for sources
    of currents and for a bias that no node can hold.
    """
    for name in weights or {}:
        if name not in {p.name for p in network.projections}:
            raise unknown("projection", name, [p.name for p in network.projections])
    dropped = _dropped(network)
    graph = _Writer(network, weights or {}).graph()
    for line in dropped:
        warnings.warn(f"NIR has no {line}", DroppedWarning, stacklevel=2)
    if path is not None:
        write_graph(Path(path), graph)
    return Written(graph, dropped)


def _dropped(network: Network) -> tuple[str, ...]:
    populations = {p.name: p.neuron.dynamics(p.size, network.dt) for p in network.populations}
    units = [p.name for p in network.populations if isinstance(p.neuron, GLM)]
    found = {
        "plasticity: left out of": [p.name for p in network.projections if p.plasticity],
        "stochastic GLM unit: written as a hard threshold,": units,
        "escape noise: left out of": [
            name for name, d in populations.items() if d.noise_width.any() and name not in units
        ],
        "refractory period: left out of": [
            name for name, d in populations.items() if d.refractory_steps.any()
        ],
        "signed unit: written as weights 2w and a bias,": [
            p.name for p in network.projections if p.signed
        ],
    }
    return tuple(f"{what} {', '.join(map(repr, names))}" for what, names in found.items() if names)


class _Writer:
    """Writes one network; see `to_nir`."""

    def __init__(self, network: Network, weights: Mapping[str, npt.ArrayLike]) -> None:
        self._nir = load_package()
        if network.currents:
            what = f"sources of currents: {', '.join(map(repr, sorted(network.currents)))}"
            raise UnsupportedError(say("NIR", what, remedy="take sources of spikes"))
        self._network = network
        self._arithmetic = FloatArithmetic(network)
        self._weights = {p.name: self._weights_of(p, weights) for p in network.projections}
        self._nodes: dict[str, Any] = {}
        self._edges: list[tuple[str, str]] = []

    def graph(self) -> Any:
        network, nir = self._network, self._nir
        for source in network.sources:
            self._nodes[source.name] = nir.Input(np.array([source.size]))
        affine: dict[str, FloatArray] = {}
        for population in network.populations:
            affine.update(self._add_population(population))
        for p in network.projections:
            self._add_projection(p, affine.get(p.name))
        self._add_outputs()
        order = [n.name for n in network.nodes] + [p.name for p in network.projections]
        # Nothing but our own reader's defaults depends on the metadata.
        metadata = {
            "writer": "neurorl",
            "dt": network.dt,
            "discretisation": "euler",
            "order": " ".join(order),
        }
        # Its check of types refuses networks without a source; all types are given here.
        return nir.NIRGraph(self._nodes, self._edges, metadata=metadata, type_check=False)

    def _weights_of(self, p: Projection, given: Mapping[str, npt.ArrayLike]) -> FloatArray:
        if p.name in given:
            weights = self._arithmetic.check(p.name, given[p.name])
        elif isinstance(p.weights, Uniform):
            remedy = f"give weights={{{p.name!r}: ...}}, such as those of a backend"
            raise ArgumentError(say(f"weights of {p.name!r}", "drawn by a seed", remedy=remedy))
        else:
            weights = initial_weights(self._network, p.name, 0)
        weights = self._arithmetic.masked(p.name, weights)
        # 2w and sum(w) are exact only of weights on the grid.
        return self._arithmetic.round(p.name, weights) if p.signed else weights

    def _add_population(self, population: Population) -> dict[str, FloatArray]:
        """Adds the neurons; returns the bias for a projection that is to carry it."""
        network = self._network
        d = population.neuron.dynamics(population.size, network.dt)
        bias = np.asarray(self._arithmetic.bias(population.name, self._weights), dtype=np.float64)
        cuba = isinstance(population.neuron, CubaLIF) or bool(d.current_decay.any())
        into = [
            p for p in network.projections if p.post == population.name and not _single(p, network)
        ]
        carried = bool(bias.any()) and not cuba and bool(into)
        leak = np.zeros_like(bias) if carried else bias
        self._nodes[population.name] = self._neuron(population.name, d, leak, cuba)
        return {into[0].name: bias} if carried else {}

    def _neuron(self, name: str, d: Dynamics, bias: FloatArray, cuba: bool) -> Any:
        nir, dt = self._nir, self._network.dt
        forgets = d.membrane_decay < 1.0
        if not forgets.all() and (cuba or forgets.any() or bias.any()):
            what = "a membrane that keeps everything, with a synapse, a bias or others that forget"
            raise UnsupportedError(say(f"NIR, population {name!r}", what))
        zeros = np.zeros(len(bias))
        if not forgets.all():
            return nir.IF(r=np.full(len(bias), 1 / dt), v_threshold=d.threshold, v_reset=zeros)
        tau, r = self._constants(d.membrane_decay)
        fixed = {"v_leak": _leak(bias, tau, dt), "v_threshold": d.threshold, "v_reset": zeros}
        if not cuba:
            return nir.LIF(tau=tau, r=r, **fixed)
        if (d.current_decay == 1.0).any():
            raise UnsupportedError(say(f"NIR, population {name!r}", "a current that never decays"))
        tau_syn, w_in = self._constants(d.current_decay)
        return nir.CubaLIF(tau_syn=tau_syn, tau_mem=tau, r=r, w_in=w_in, **fixed)

    def _constants(self, keep: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Time constant and resistance that make ``x <- keep x + i`` in Euler's step."""
        return self._network.dt / (1.0 - keep), 1.0 / (1.0 - keep)

    def _add_projection(self, p: Projection, bias: FloatArray | None) -> None:
        nir, network = self._nir, self._network
        sent = np.asarray(self._arithmetic.transmitted(p.name, self._weights[p.name]))
        if _single(p, network):
            self._nodes[p.name] = nir.Scale(sent.ravel())
        elif bias is None:
            self._nodes[p.name] = nir.Linear(_matrix(sent))
        else:
            self._nodes[p.name] = nir.Affine(_matrix(sent), bias)
        pre, steps = p.pre, network.delay_steps(p.name)
        if steps > 1:
            pre = self._fresh(f"{p.name}_delay")
            seconds = np.full(network.node(p.pre).size, (steps - 1) * network.dt)
            self._nodes[pre] = nir.Delay(seconds)
            self._edges.append((p.pre, pre))
        self._edges += [(pre, p.name), (p.name, p.post)]

    def _add_outputs(self) -> None:
        drives = {p.pre for p in self._network.projections if p.pre != p.post}
        populations = self._network.populations
        last = [p for p in populations if p.name not in drives] or list(populations)
        for population in last:
            name = self._fresh("output" if len(last) == 1 else f"{population.name}_output")
            self._nodes[name] = self._nir.Output(np.array([population.size]))
            self._edges.append((population.name, name))

    def _fresh(self, name: str) -> str:
        network = self._network
        taken = {
            *self._nodes,
            *(n.name for n in network.nodes),
            *(p.name for p in network.projections),
        }
        while name in taken:
            name += "_"
        return name


def _single(p: Projection, network: Network) -> bool:
    """Whether each neuron has one synapse, from the neuron of its own number."""
    return p.blocks > 1 and p.blocks == network.node(p.pre).size == network.node(p.post).size


def _matrix(weights: FloatArray) -> FloatArray:
    """``(n_post, n_pre)``, zeros between the blocks."""
    if weights.ndim == 2:
        return weights.T.copy()
    blocks, n_pre, n_post = weights.shape
    matrix = np.zeros((blocks, n_post, blocks, n_pre))
    matrix[np.arange(blocks), :, np.arange(blocks), :] = weights.transpose(0, 2, 1)
    return matrix.reshape(blocks * n_post, blocks * n_pre)


def _leak(bias: FloatArray, tau: FloatArray, dt: float) -> FloatArray:
    """The v_leak that comes back as *bias*: in every bit if a neighbouring float does so."""
    _, fraction = keep_and_fraction(tau, dt, "euler")
    best = bias / fraction
    low, high = np.nextafter(best, -np.inf), np.nextafter(best, np.inf)
    for other in (low, high):
        right = (tidy(fraction * best) == bias) | (tidy(fraction * other) != bias)
        best = np.where(right, best, other)
    return best
