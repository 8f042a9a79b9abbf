"""Turn a network into the matrices and constants of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import FloatArithmetic
from neurorl.errors import ArgumentError, UnsupportedError, check_name
from neurorl.network.description import Network, Projection, Uniform
from neurorl.network.initial_weights import initial_weights
from neurorl.network.limits import MAX_WEIGHTS, check_limit
from neurorl.network.replicate import without_equations
from neurorl.nir.convolution import SparseMap
from neurorl.nir.discretise import plain_neuron
from neurorl.numerics.arrays import FloatArray


class Parts:
    """Hold a network's nodes and projections as numbers of float arithmetic.

    integrators, bias: by population; the bias includes what signed projections add.
    sent: by projection, what a spike adds, in the shape of its weights. lists: the same for sparse
    projections, without zeros.
    columns: place of each ordinary source in the single input, which is `width` wide.
    folded: names of the projections from sources that are always on.
    always_on: sources whose channels spike in every step; None means one named ``bias``. If there
    is no other source, they are ordinary. in_force: whether weights are rounded to the grid of
    float arithmetic, as in backends.
    Equations equal to a LIF or CubaLIF are treated as one; see `neurorl.nir.discretise`.
    Raises ArgumentError for weights that are missing or don't fit, UnknownNameError, and
    UnsupportedError for analog sources, short-term plasticity and other equations.
    """

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, npt.ArrayLike],
        always_on: Iterable[str] | None = None,
        in_force: bool = False,
    ) -> None:
        for name in weights:
            check_name("projection", name, [p.name for p in network.projections])
        if network.analog:
            kinds = " and ".join(sorted({*network.analog.values()}))
            what = f"sources of {kinds}: {', '.join(map(repr, network.analog))}"
            raise UnsupportedError("NIR", what, remedy="take sources of spikes")
        for what in ("short-term plasticity", "gap junctions"):
            named = [repr(p.name) for p in network.projections if p.more_than_weights == what]
            if named:
                remedy = "leave out short_term= and gap="
                raise UnsupportedError("NIR", f"{what}: {', '.join(named)}", remedy=remedy)
        arithmetic = FloatArithmetic(network)  # the weight grid of the original equations
        owned = {p.name for p in network.populations if not p.is_integrator(network.dt)}
        self.network = network = without_equations(network, lambda p: plain_neuron(p, network.dt))
        held = {
            p.name: _weights_of(network, arithmetic, p, weights, in_force)
            for p in network.projections
        }
        sent = {n: arithmetic.transmitted(n, w) for n, w in held.items()}
        self.sent = {n: np.asarray(x, dtype=np.float64) for n, x in sent.items()}
        self.lists = {n: _listed(network, n, x) for n, x in self.sent.items() if x.ndim == 1}
        self.integrators = {p.name: p.integrator(network.dt) for p in network.populations}
        names = [p.name for p in network.populations]
        self.bias = {n: np.asarray(arithmetic.bias(n, held), dtype=np.float64) for n in names}
        for name in owned:
            self.bias[name] = self.bias[name] + self.integrators[name].bias
        constant = _always_on(network, always_on)
        self.folded = [p.name for p in network.projections if p.pre in constant]
        self.columns: dict[str, slice] = {}
        self.width = 0
        for source in network.sources:
            if source.name not in constant:
                self.columns[source.name] = slice(self.width, self.width + source.size)
                self.width += source.size

    def matrix(self, p: Projection) -> FloatArray:
        """Return ``(n_post, n_pre)``, zeros between blocks; ``(n_post, width)`` from a source."""
        matrix = self._dense(p.name)
        if p.pre not in self.columns:
            return matrix
        wide = np.zeros((len(matrix), self.width))
        wide[:, self.columns[p.pre]] = matrix
        return wide

    def added(self, name: str) -> FloatArray:
        """Return what a source that is always on adds to each neuron in a step, ``(n_post,)``."""
        return np.asarray(self._dense(name).sum(axis=1))

    def _dense(self, name: str) -> FloatArray:
        """Return ``(n_post, n_pre)``, for listed weights too."""
        if name not in self.lists:
            return _matrix(self.sent[name])
        listed = self.lists[name]
        size = listed.n_pre * len(listed)
        check_limit(f"NIR, projection {name!r}", "weights of a matrix", size, MAX_WEIGHTS)
        return listed.synapses.dense(listed.values).T.copy()

    def single(self, p: Projection) -> bool:
        """Return whether each neuron has one synapse, from the neuron of its own number."""
        size = self.network.node(p.post).size
        return p.blocks > 1 and p.blocks == self.network.node(p.pre).size == size

    def into(self, population: str) -> list[Projection]:
        """Return the projections into a population, except folded ones."""
        into = (p for p in self.network.projections if p.post == population)
        return [p for p in into if p.name not in self.folded]

    def last(self) -> list[str]:
        """Return the populations that drive no other, and one named ``output``; else all."""
        drives = {p.pre for p in self.network.projections if p.pre != p.post}
        names = [p.name for p in self.network.populations]
        return [name for name in names if name not in drives or name == "output"] or names

    def lags(self) -> dict[str, int] | None:
        """Return the steps from the input to each population, if they are the same on every path.

        Loops from a population to itself don't count. None if paths differ, or in a cycle.
        """
        every = self.network.projections
        ways = [p for p in every if p.name not in self.folded and p.pre != p.post]
        lags: dict[str, int] = dict.fromkeys(self.columns, 0)
        for _ in self.network.nodes:
            for p in ways:
                if p.pre in lags:
                    lags.setdefault(p.post, lags[p.pre] + self.network.delay_steps(p.name))
        steps = {p.name: self.network.delay_steps(p.name) for p in ways}
        even = all(p.pre in lags and lags[p.post] == lags[p.pre] + steps[p.name] for p in ways)
        return lags if even else None


def _always_on(network: Network, named: Iterable[str] | None) -> set[str]:
    signed = {p.pre for p in network.projections if p.signed}
    if named is None:
        plain = [s for s in network.sources if s.size == 1 and s.name not in signed]
        chosen = {s.name for s in plain if s.name == "bias"}
    else:
        chosen = set(named)
    for name in sorted(chosen):
        sizes = {s.name: s.size for s in network.sources}
        check_name("source", name, sizes)
        if name in signed or sizes[name] > 1:
            what = "only one channel of unsigned projections can become a bias"
            raise UnsupportedError(f"NIR, source {name!r}", what, remedy="use always_on=()")
    return chosen if len(chosen) < len(network.sources) else set()


def _weights_of(
    network: Network,
    arithmetic: FloatArithmetic,
    p: Projection,
    known: Mapping[str, npt.ArrayLike],
    in_force: bool,
) -> FloatArray:
    if p.name in known:
        weights = arithmetic.check(p.name, known[p.name])
    elif isinstance(p.weights, Uniform):
        remedy = f"give weights={{{p.name!r}: ...}}, such as those of a backend"
        raise ArgumentError(f"weights of {p.name!r}", "drawn by a seed", remedy=remedy)
    else:
        weights = initial_weights(network, p.name, 0)
    weights = arithmetic.masked(p.name, weights)
    # 2w and sum(w) are exact only for weights on the grid.
    return arithmetic.round(p.name, weights) if p.signed or in_force else weights


def _listed(network: Network, name: str, sent: FloatArray) -> SparseMap:
    """Return listed weights, added for each pair of neurons."""
    synapses = network.synapses(name)
    assert synapses is not None
    if network.synapse_delays(name) is not None:
        what, remedy = "a delay for each synapse", "one projection for each delay"
        raise UnsupportedError(f"NIR, projection {name!r}", what, remedy=remedy)
    return SparseMap.of(synapses.pre, synapses.post, sent, (synapses.n_pre, synapses.n_post))


def _matrix(weights: FloatArray) -> FloatArray:
    if weights.ndim == 2:
        return weights.T.copy()
    blocks, n_pre, n_post = weights.shape
    matrix = np.zeros((blocks, n_post, blocks, n_pre))
    matrix[np.arange(blocks), :, np.arange(blocks), :] = weights.transpose(0, 2, 1)
    return matrix.reshape(blocks * n_post, blocks * n_pre)
