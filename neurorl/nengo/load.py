"""Read nengo networks in which neurons are connected to neurons."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurorl.errors import ArgumentError, UnsupportedError, check_name
from neurorl.models import CubaLIF, Equations
from neurorl.nengo.chip import import_integers
from neurorl.nengo.imported import Imported, NengoObject, Rasters, load_nengo, probed
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.network.limits import check_identifier
from neurorl.network.neuron import Neuron
from neurorl.network.serialization import number
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData

_RESTS = {
    "LIF": "r = tau_ref + dt + tau_rc*log(1 - (v - 1)/(J - 1)); v = 0",
    "LoihiLIF": "r = tau_ref + dt; v = 0",
    "AdaptiveLIF": "r = tau_ref + dt + tau_rc*log(1 - (v - 1)/(J - 1)); v = 0; n += jump",
}


@dataclass(frozen=True)
class EnsembleNeurons:
    """Hold an ensemble's neurons as nengo built them.

    kind: class of nengo's neuron type, a key of `_RESTS`. lif: the type itself. bias, voltage: bias
    and initial voltage of each neuron. taus: distinct time constants of their synapses, s.
    """

    name: str
    kind: str
    lif: NengoObject
    bias: FloatArray
    voltage: FloatArray
    taus: tuple[float, ...]
    dt: float

    @property
    def tau_rc(self) -> float:
        """Return the time constant of the membrane, as nengo's step uses it."""
        if self.kind != "LoihiLIF":
            return float(self.lif.tau_rc)
        neurons = importlib.import_module("nengo_loihi.neurons")
        return float(neurons.discretize_tau_rc(self.lif.tau_rc, self.dt))

    @property
    def tau_ref(self) -> float:
        """Return the refractory period in seconds, as nengo's step uses it."""
        whole = self.dt * round(self.lif.tau_ref / self.dt)
        return whole if self.kind == "LoihiLIF" else float(self.lif.tau_ref)

    def decay(self, tau: float) -> float:
        """Return the share that a synapse keeps in a step; nengo takes 0 for the shortest."""
        return float(np.exp(-self.dt / tau)) if tau > 0.03 * self.dt else 0.0


def step_form(cells: EnsembleNeurons) -> tuple[Neuron, float]:
    """Return a CubaLIF for neurons with one synaptic time constant, and the factor of weights.

    Raises UnsupportedError for features that a CubaLIF doesn't have.
    """
    where, remedy = f"from_nengo, {cells.name}", "take discretisation='equations'"
    if cells.kind == "AdaptiveLIF":
        raise UnsupportedError(where, "an adapting neuron", got=cells.lif, remedy=remedy)
    if len(cells.taus) > 1:
        what, got = "synapses of several time constants", ", ".join(f"{t:g}" for t in cells.taus)
        raise UnsupportedError(where, what, got=got, limit=1, remedy=remedy)
    tau_syn = cells.taus[0] if cells.taus and cells.decay(cells.taus[0]) else 0.0
    gain = -float(np.expm1(-cells.dt / cells.tau_rc))
    neuron = CubaLIF(tau_syn, cells.tau_rc, 1.0, bias=gain * cells.bias, refractory=cells.tau_ref)
    return neuron, gain * (1.0 - cells.decay(tau_syn))


def equation_form(cells: EnsembleNeurons) -> Equations:
    """Return nengo's own step of these neurons, with inputs ``q0``, ... for the time constants."""
    numbers = range(len(cells.taus) or 1)
    taus = cells.taus or (0.0,)
    adapts = cells.kind == "AdaptiveLIF"
    lines = [f"f{k} = a{k}*f{k} + b{k}*q{k}" for k in numbers]
    drive = " + ".join(f"f{k}" for k in numbers)
    lines.append(f"J = bias + {drive}{' - n' if adapts else ''}")
    lines += ["n = n - dt/tau_n*n"] if adapts else []
    lines += ["r = r - dt", "d = clip(dt - r, 0, dt)", "v = v - (J - v)*(exp(-d/tau_rc) - 1)"]
    parameters: PlainData = {"bias": cells.bias, "tau_rc": cells.tau_rc, "tau_ref": cells.tau_ref}
    parameters |= {f"a{k}": cells.decay(tau) for k, tau in enumerate(taus)}
    parameters |= {f"b{k}": 1.0 - cells.decay(tau) for k, tau in enumerate(taus)}
    initial: PlainData = {"v": cells.voltage, "r": 0.0, "J": 0.0, "d": 0.0}
    initial |= {f"f{k}": 0.0 for k in numbers}
    if np.isfinite(cells.lif.min_voltage):
        lines.append("v = max(v, floor_v)")
        parameters["floor_v"] = float(cells.lif.min_voltage)
    if adapts:
        initial["n"] = 0.0
        parameters["tau_n"] = float(cells.lif.tau_n)
        parameters["jump"] = float(cells.lif.inc_n * cells.lif.amplitude / cells.lif.tau_n)
    form = "\n".join(lines), "v > 1", _RESTS[cells.kind]
    inputs = tuple(f"q{k}" for k in numbers)
    return Equations(*form, parameters=parameters, initial=initial, held=(), inputs=inputs)


DISCRETISATIONS = ("steps", "equations", "nengo")
_TOLERANCE = 1e-9  # relative, of a spike's height 1/dt


class _Wire(NamedTuple):
    """Hold a connection: its ends, ``weights[pre, post]`` for a spike, and its time constant."""

    pre: NengoObject
    post: NengoObject
    weights: FloatArray
    tau: float


def from_nengo(network: NengoObject, discretisation: str = "steps", dt: float = 1e-3) -> Imported:
    """Return the description of a nengo network, and its differences from nengo.

    discretisation: form of neurons and weights.

        ``'steps'``: `CubaLIF` with nengo's factors, which runs on every backend. Refractory periods
        are whole steps, membranes begin at 0 and have no lowest voltage. Equal to nengo's Simulator
        for ``nengo_loihi.LoihiLIF`` as long as no membrane is below its lowest.

        ``'equations'``: nengo's own step of LIF, AdaptiveLIF and LoihiLIF: spikes within a step,
        initial and lowest voltages. It runs where neurons by equations do.

        ``'nengo'``: the thresholds, biases, decays and weights that nengo-loihi's builder makes, as
        integers of the chip; also for decoded connections, whose values the host turns to spikes.

    dt: step of nengo's Simulator, seconds.

    Connections lead from Nodes of spikes (0 or 1/dt) or neurons to neurons, with a Lowpass synapse,
    or ``Lowpass(0)``: without a synapse they would act within the step. With ``'nengo'`` all that
    nengo-loihi builds is allowed. Raises UnsupportedError naming what has no counterpart.
    """
    nengo = load_nengo()
    if not isinstance(network, nengo.Network):
        raise ArgumentError("from_nengo", "not a nengo.Network", got=type(network).__name__)
    check_name("discretisation", discretisation, DISCRETISATIONS)
    dt = number("from_nengo: dt", dt, 1e-12, 1e6)
    if discretisation == "nengo":
        return import_integers(network, dt)
    return _Reader(network, discretisation == "equations", dt).read()


class _Reader:
    """Read one network, and keep what is found on the way."""

    def __init__(self, network: NengoObject, by_equations: bool, dt: float) -> None:
        self.nengo, self.network, self.dt = load_nengo(), network, dt
        self.by_equations = by_equations
        self.notes: list[str] = []
        self.names = _names(network)
        self.relays = self._relays()

    def read(self) -> Imported:
        """Return what was read."""
        for connection in self.network.all_connections:
            if connection.learning_rule is not None:
                where, what = f"from_nengo, {connection}", "a learning rule"
                raise UnsupportedError(where, what, remedy="leave it out")
        with self.nengo.Simulator(self.network, dt=self.dt, progress_bar=False) as simulator:
            wires = [w for c in self.network.all_connections if (w := self._wire(c, simulator))]
            ensembles = [e for e in self.network.all_ensembles if e not in self.relays]
            cells = {e: self._cells(e, wires, simulator) for e in ensembles}
        form = (lambda own: (equation_form(own), 1.0)) if self.by_equations else step_form
        forms = {e: form(own) for e, own in cells.items()}
        populations = [Population(self.names[e], e.n_neurons, n) for e, (n, _) in forms.items()]
        projections = []
        for k, wire in enumerate(wires):
            pre, post = self.names[wire.pre], self.names[wire.post]
            number = cells[wire.post].taus.index(wire.tau)
            target = f"q{number}" if self.by_equations else None
            weights = forms[wire.post][1] * wire.weights
            projections.append(Projection(f"{pre}_{post}_{k}", pre, post, weights, target=target))
        nodes = list(dict.fromkeys(w.pre for w in wires if isinstance(w.pre, self.nengo.Node)))
        sources = [Source(self.names[node], node.size_out) for node in nodes]
        own_populations = {e: (self.names[e],) for e in cells}
        return Imported(
            network=Network((*sources, *populations), tuple(projections), self.dt),
            populations=own_populations,
            sources={self.names[node]: node for node in nodes},
            notes=tuple(dict.fromkeys(self.notes)),
            probes=probed(self.network, own_populations),
            play=lambda n_steps: self._play(nodes, n_steps),
        )

    def _relays(self) -> dict[NengoObject, NengoObject]:
        """Return the ensembles that only pass on a Node's spikes, each with its Node.

        `to_nengo` makes them for nengo-loihi.
        """
        into: dict[NengoObject, list[NengoObject]] = {}
        for connection in self.network.all_connections:
            into.setdefault(connection.post_obj, []).append(connection)
        relays = {}
        for ensemble in self.network.all_ensembles:
            heard = into.get(ensemble.neurons, [])
            if (
                type(ensemble.neuron_type) is self.nengo.SpikingRectifiedLinear
                and [c.synapse for c in heard] == [None]
                and ensemble not in into
                and isinstance(heard[0].pre, self.nengo.Node)
                and isinstance(heard[0].transform, self.nengo.transforms.NoTransform)
                and not heard[0].function
                and _are_numbers(ensemble.gain, 1.0)
                and _are_numbers(ensemble.bias, 0.0)
            ):
                relays[ensemble] = heard[0].pre
        return relays

    def _cells(
        self, ensemble: NengoObject, wires: list[_Wire], simulator: NengoObject
    ) -> EnsembleNeurons:
        """Return the neurons of *ensemble*. Raises UnsupportedError for neurons of another kind."""
        name, lif, dt = self.names[ensemble], ensemble.neuron_type, self.dt
        kind = type(lif).__name__
        if not isinstance(lif, self.nengo.LIF) or kind not in _RESTS:
            limit = ", ".join(_RESTS)
            raise UnsupportedError(f"from_nengo, {name}", "another neuron", got=lif, limit=limit)
        taus = tuple(dict.fromkeys(w.tau for w in wires if w.post is ensemble))
        signals = simulator.model.sig[ensemble.neurons]
        bias = np.array(simulator.data[ensemble].bias, dtype=np.float64)
        voltage = np.array(simulator.signals[signals["voltage"]], dtype=np.float64)
        cells = EnsembleNeurons(name, kind, lif, bias, voltage, taus, dt)
        if not self.by_equations:
            notes = {
                "membranes begin at 0, not where nengo draws them": voltage.any(),
                "spikes and refractory periods are whole steps": kind != "LoihiLIF",
                "membranes have no lowest voltage": np.isfinite(lif.min_voltage),
            }
            self.notes += [f"{name}: {note}" for note, holds in notes.items() if holds]
        return cells

    def _wire(self, connection: NengoObject, simulator: NengoObject) -> _Wire | None:
        """Return a connection as weights of a spike; None for one to a Node, which is noted."""
        where = f"from_nengo, {connection}"
        pre, post = connection.pre_obj, connection.post_obj
        if getattr(post, "ensemble", None) in self.relays:
            return None  # a relay repeats its Node
        if isinstance(post, self.nengo.Node):
            self.notes.append(f"{connection}: what a Node hears isn't described")
            return None
        neurons = self.nengo.ensemble.Neurons
        if not isinstance(post, neurons) or not isinstance(pre, (neurons, self.nengo.Node)):
            what, remedy = "not between neurons", "connect .neurons, or take discretisation='nengo'"
            raise UnsupportedError(where, what, remedy=remedy)
        if isinstance(pre, self.nengo.Node) and (pre.size_in or connection.function):
            what = "a Node that hears others" if pre.size_in else "a function of a Node's spikes"
            raise UnsupportedError(where, what, remedy="take a Node of spikes")
        synapse = connection.synapse
        if not isinstance(synapse, self.nengo.Lowpass):
            what = "a synapse that isn't Lowpass"
            remedy = "take nengo.Lowpass(tau), or nengo.Lowpass(0) for the next step"
            raise UnsupportedError(where, what, got=synapse, remedy=remedy)
        weights = self._matrix(connection, simulator, where)
        ensemble = getattr(pre, "ensemble", None)
        if ensemble is None or ensemble in self.relays:
            weights, pre = weights / self.dt, self.relays.get(ensemble, pre)
        else:
            weights, pre = weights * (ensemble.neuron_type.amplitude / self.dt), ensemble
        return _Wire(pre, post.ensemble, weights, float(synapse.tau))

    def _matrix(self, connection: NengoObject, simulator: NengoObject, where: str) -> FloatArray:
        """Return the weights between all neurons of both ends, ``[pre, post]``."""
        transform, kinds = connection.transform, self.nengo.transforms
        if not isinstance(transform, (kinds.Dense, kinds.Sparse, kinds.NoTransform)):
            raise UnsupportedError(where, "another transform", got=transform, limit="Dense, Sparse")
        weights = simulator.data[connection].weights
        if isinstance(weights, kinds.SparseMatrix):
            weights = weights.allocate()  # adds several of one pair
        if hasattr(weights, "toarray"):
            weights = weights.toarray()  # a sparse matrix of SciPy
        n_pre, n_post = connection.pre_obj.size_out, connection.post_obj.size_in
        rows = np.arange(n_post)[connection.post_slice]
        columns = np.arange(n_pre)[connection.pre_slice]
        if isinstance(transform, kinds.NoTransform):
            weights = 1.0
        if np.ndim(weights) < 2:
            weights = np.broadcast_to(weights, (len(rows),)) * np.eye(len(rows))
        whole = np.zeros((n_post, n_pre))
        np.add.at(whole, np.ix_(rows, columns), np.asarray(weights, dtype=np.float64))
        gain = simulator.data[connection.post_obj.ensemble].gain  # neurons' inputs are scaled, too
        return np.ascontiguousarray((gain[:, None] * whole).T)

    def _play(self, nodes: list[NengoObject], n_steps: int) -> Rasters:
        """Return the spikes of *nodes* in a run by nengo; raise UnsupportedError for others."""
        values = {node: np.zeros((n_steps, node.size_out)) for node in nodes}
        with (
            warnings.catch_warnings(action="ignore"),
            self.nengo.Simulator(self.network, dt=self.dt, progress_bar=False) as simulator,
        ):
            for k in range(n_steps):
                simulator.step()
                for node in nodes:
                    values[node][k] = simulator.signals[simulator.model.sig[node]["out"]]
        rasters = {}
        for node, value in values.items():
            counts = value * self.dt
            odd = np.abs(counts - np.rint(counts)).max() > _TOLERANCE
            if odd or not 0 <= counts.min() <= counts.max() <= 1 + _TOLERANCE:
                where, limit = f"from_nengo, {self.names[node]}", f"0 and {1 / self.dt:g}"
                remedy = "take a Node of spikes, or discretisation='nengo'"
                raise UnsupportedError(
                    where, "values that are no spikes", limit=limit, remedy=remedy
                )
            rasters[self.names[node]] = counts > 0.5
        return rasters


def _are_numbers(values: NengoObject, number: float) -> bool:
    """Return whether nengo's gains or biases are given and all equal *number*."""
    return isinstance(values, np.ndarray) and np.allclose(values, number, rtol=0, atol=_TOLERANCE)


def _names(network: NengoObject) -> dict[NengoObject, str]:
    """Return a name for each Node and each ensemble: its label, if that can be a name."""
    names: dict[NengoObject, str] = {}
    for kind, things in (("node", network.all_nodes), ("ensemble", network.all_ensembles)):
        for k, thing in enumerate(things):
            label = str(thing.label or "")
            try:
                check_identifier("label", label)
            except ValueError:
                label = ""
            names[thing] = label if label and label not in {*names.values()} else f"{kind}{k}"
    return names
