"""Share what all do that learn on a backend of their own: weights, other synapses, states."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, State
from neurorl.errors import ArgumentError, NeurorlError, check_mapping, quoted
from neurorl.learning.levels import Levels
from neurorl.learning.standalone_rules import Numbers
from neurorl.network.connectors import Connector, Synapses
from neurorl.network.plasticity import Normal, Uniform
from neurorl.network.restoring import take
from neurorl.network.rewiring import Growth, Rewiring, rewired, wires_of
from neurorl.network.serialization import number
from neurorl.network.synapse_list import SynapseList
from neurorl.numerics.arrays import Array, FloatArray, IntArray
from neurorl.storage.plain import check_count

_BACKEND, _SYNAPSES = "backend.", "synapses."
_MOST = 2**31

Where = npt.ArrayLike | Callable[[FloatArray], npt.ArrayLike]
"""Accept a mask of synapses, or a function of their weights that returns one."""


class LearnsOnBackend(abc.ABC):
    """Hold weights that learn on a backend, and let nobody else have others in force.

    backend: whose owner this becomes.
    """

    _plastic: Mapping[str, object]  # the projections that learn
    _levels: Mapping[str, Levels] = MappingProxyType({})

    def __init__(self, backend: Backend) -> None:
        self.backend, self._n = backend, backend.n_replicas

    def weights(self, name: str) -> FloatArray:
        """Return a copy of a projection's learned weights, shaped as `Backend.weights`.

        In coarse arithmetic those in force are rounded copies of them.
        """
        self._check_open("weights")
        return self._shown(self._weights_of(name))

    def set_weights(
        self, name: str, weights: npt.ArrayLike, replica: int | None = None
    ) -> FloatArray:
        """Go on from these weights, each clipped to low..high; return those in force.

        Eligibilities, variables, traces and spikes in flight stay. `Backend.set_weights` does the
        same.

        weights: shaped as `weights` returns them. replica: the one whose they are, in the shape
        that it would have alone; None for all.
        Raises ArgumentError for a wrong shape or a number that isn't finite.
        """
        self._check_open("set_weights")
        new, arithmetic = self._weights_of(name).copy(), self.backend.arithmetic
        which = slice(None) if replica is None else check_count("replica", replica, 0, self._n - 1)
        axes = self.backend.simulated.axes if replica is None else ()
        new[which] = arithmetic.check(name, weights, axes).reshape(new[which].shape)
        self._write(name, arithmetic.masked(name, self._bounded(name, new)))
        return self.backend.weights(name)

    def scale(self, name: str, factor: npt.ArrayLike, replica: int | None = None) -> FloatArray:
        """Multiply weights by a factor, and do with them as `set_weights`.

        factor: a number, or an array that NumPy spreads over the weights, such as one for each
        neuron that they enter, ``(n_post,)``.
        """
        self._check_open("scale")
        shown = self._chosen(name, replica)
        factors = np.asarray(factor)
        if factors.dtype.kind not in "fiu" or not np.isfinite(factors).all():
            raise ArgumentError("scale, factor", "not finite numbers", got=quoted(factor))
        try:
            new = np.broadcast_to(factors, shown.shape) * shown
        except ValueError:
            limit = f"a number, or what fits {shown.shape}"
            got = factors.shape
            raise ArgumentError("scale, factor", "wrong shape", got=got, limit=limit) from None
        return self.set_weights(name, new, replica)

    def normalise(self, name: str, total: float, replica: int | None = None) -> FloatArray:
        """Scale the weights into each neuron, so that their sizes add up to *total*.

        Neurons whose weights are all 0 stay as they are. Weights are then clipped, as by
        `set_weights`, so that sums differ where bounds or levels get in the way.
        """
        self._check_open("normalise")
        shown, total = self._chosen(name, replica), number("normalise, total", total, low=0.0)
        sizes, synapses = np.abs(shown), self.backend.network.synapses(name)
        if synapses is None:
            sums = sizes.sum(axis=-2, keepdims=True)
        else:
            post, n = synapses.post, synapses.n_post
            rows = [np.bincount(post, row, n)[post] for row in np.atleast_2d(sizes)]
            sums = np.stack(rows).reshape(shown.shape)
        factors = np.divide(total, sums, out=np.ones(sums.shape), where=sums > 0.0)
        return self.set_weights(name, shown * factors, replica)

    def prune(self, name: str, where: Where) -> SynapseList:
        """Take synapses out of a list, in all replicas, and return it; all else stays.

        where: a boolean for each synapse, ``(n_synapses,)``, such as ``weights(name) < 0.1``, or a
        function that returns these for the weights. Spikes on their way to them are lost. Raises
        UnsupportedError for a projection without a list, ArgumentError for another shape.
        """
        return self.rewire(name, Synapses([], []), where)

    def rewire(
        self,
        name: str,
        to: Connector,
        where: Where | None = None,
        *,
        n: int | None = None,
        weights: float | npt.ArrayLike | Uniform = 0.0,
        delay: float | npt.ArrayLike | Uniform | Normal | None = None,
    ) -> SynapseList:
        """Add synapses to a list, take some out, and return it; the others keep all their state.

        to: `Synapses` to add, or another sparse connector, such as `GaussianDistance`: of its pairs
        that have no synapse *n* are drawn, each as likely. where: the synapses that go, as of
        `prune`. n: None for as many as go, so that these move. weights, delay: of the new ones, as
        of `Projection`; delay None is that of all.

        New synapses have no eligibility, and variables of their own as at the beginning; spikes on
        their way arrive at them. Draws depend on the connector's seed, the projection's name and
        the step, weights also on the seed of each replica. Replicas have the same synapses.

        Raises as `prune` does, ArgumentError for too few pairs, DescriptionError for weights or
        delays of another shape or out of range; nothing has changed then.
        """
        self._prepare("rewire")
        self._weights_of(name)
        growth, backend = Growth(to, n, weights, delay), self.backend
        goes = where(self.weights(name)) if callable(where) else where
        made = growth.made(backend.network, name, goes, backend.t, backend.seeds)
        return self._rewire(name, made)

    def learns(self, name: str) -> bool:
        """Return whether a projection learns here."""
        return name in self._plastic

    def reset(self) -> None:
        """Silence the network, and forget all but the weights; a rule's variables begin again."""
        self._check_open("reset")
        with self.backend.owner_acts():
            self.backend.reset()
        self._forget()

    def close(self) -> None:
        """Let go of the backend, which keeps its weights and may then be stepped by anyone."""
        if self.backend.owner is self:
            self.backend.disown()

    def state(self, replica: int = 0) -> State:
        """Return all that `restore` needs of a replica, as arrays.

        The backend's state is among them, and the synapses of a list that was changed.
        """
        self._prepare("state")
        k = check_count("replica", replica, 0, self._n - 1)
        state = {f"{_BACKEND}{x}": np.asarray(a) for x, a in self.backend.state(k).items()}
        state |= {name: array.copy() for name, array in self._held(k)}
        changed = {name: wires_of(self.backend.network, name) for name in self._differing({})}
        return state | {f"{_SYNAPSES}{name}": wires for name, wires in changed.items()}

    def restore(self, state: Mapping[str, npt.ArrayLike], replica: int = 0) -> None:
        """Go on from a state, exactly, on any backend of the same arithmetic.

        Lists of synapses become those of the state; several replicas must have them already.

        Raises RunError or ArgumentError if it doesn't fit; nothing has changed then.
        """
        self._prepare("restore")
        k = check_count("replica", replica, 0, self._n - 1)
        check_mapping("restore", state)
        arrays = {name: np.asarray(value) for name, value in state.items()}
        differ = self._differing(arrays)
        if differ and self._n > 1:
            what, remedy = "other synapses, which replicas share", "load the network of then"
            raise ArgumentError("restore", what, got=[*differ], remedy=remedy)
        before = self.state(k) if differ else {}
        try:
            for name, wires in differ.items():
                all_new = np.full(wires.shape[1], -1)
                self._rewire(name, Rewiring(wires, all_new, np.zeros((1, 1))))
            self._take_up(k, arrays)
        except NeurorlError:
            if before:
                self.restore(before, k)
            raise
        self._settle()

    @abc.abstractmethod
    def _weights_of(self, name: str) -> FloatArray:
        """Return the weights that learn, ``(n_replicas, *shape)``, to be written to."""

    def _bounded(self, name: str, weights: FloatArray) -> FloatArray:
        """Return weights within the bounds of a projection, and on its levels."""
        if name in self._levels:
            return self._levels[name].nearest(weights)
        bounds = self.backend.network.projection(name).plasticity
        assert bounds is not None
        return np.clip(weights, bounds.low, bounds.high)

    @abc.abstractmethod
    def _held(self, k: int) -> Iterator[tuple[str, Array]]:
        """Yield all that a replica's synapses remember, by ``KIND.NAME``."""

    @abc.abstractmethod
    def _follow(self, name: str, rewiring: Rewiring) -> None:
        """Take the network of `backend`, which has other synapses *name* than before."""

    @abc.abstractmethod
    def _forget(self) -> None:
        """Forget all but the weights."""

    @abc.abstractmethod
    def _settle(self) -> None:
        """Bring weights into force after `restore`."""

    def _take_up(self, k: int, state: Mapping[str, Array]) -> None:
        """Write a replica's state into the backend and the arrays that this holds."""
        held = dict(self._held(k))
        for name, array in held.items():
            take(state, name, array.shape, "bool" if array.dtype == bool else "float")
        parts = ((x.removeprefix(_BACKEND), a) for x, a in state.items() if x.startswith(_BACKEND))
        with self.backend.owner_acts():
            self.backend.restore(dict(parts), k)
        for name, array in held.items():
            array[...] = state[name]

    def _by_name(self, signals: Mapping[str, Numbers] | None) -> Mapping[str, Numbers]:
        told: Mapping[str, Numbers] = {} if signals is None else signals
        check_mapping("signals", told)
        return told

    def _prepare(self, verb: str) -> None:
        """Raise an error if this method can't be called now."""
        self._check_open(verb)

    @abc.abstractmethod
    def _check_wires(self, name: str, wires: IntArray) -> None:
        """Refuse synapses that can't be followed."""

    def _rewire(self, name: str, rewiring: Rewiring) -> SynapseList:
        self._check_wires(name, rewiring.wires)
        learned = self._bounded(name, rewiring.all_weights(self._weights_of(name)))
        network = rewired(self.backend.network, name, rewiring.wires)
        with self.backend.owner_acts():
            axes = self.backend.simulated.axes
            self.backend.rebuild(network, {name: learned.reshape(*axes, learned.shape[1])})
        self._follow(name, rewiring)
        self._write(name, learned)
        synapses = self.backend.network.synapses(name)
        assert synapses is not None
        return synapses

    def _differing(self, state: Mapping[str, Array]) -> dict[str, IntArray]:
        """Return lists of synapses by projection, where those of a state aren't those of now.

        A state has those alone that weren't described so. Raises RunError.
        """
        differing, network = dict[str, IntArray](), self.backend.network
        for name in self._plastic:
            key, described = f"{_SYNAPSES}{name}", self.backend.described
            if key in state:
                wires = take(state, key, (3, None), "whole", 0, _MOST)
            elif network is described or network.synapses(name) is None:
                continue
            else:
                wires = wires_of(described, name)
            if not np.array_equal(wires, wires_of(network, name)):
                differing[name] = wires
        return differing

    def _write(self, name: str, weights: FloatArray) -> None:
        """Bring weights into force, ``(n_replicas, *shape)``.

        On a fine grid those in force learn; else float weights do, and are copied rounded.
        """
        shape = (*self.backend.simulated.axes, *self.backend.network.weight_shape(name))
        held = self.backend.write(name, weights.reshape(shape))
        learned = np.reshape(held, weights.shape) if self.backend.arithmetic.is_fine else weights
        self._weights_of(name)[...] = learned

    def _chosen(self, name: str, replica: int | None) -> FloatArray:
        """Return the weights of all, or of a replica in the shape that it has alone."""
        if replica is None:
            return self.weights(name)
        alone: FloatArray = self._weights_of(name)[check_count("replica", replica, 0, self._n - 1)]
        return alone

    def _shown(self, held: FloatArray) -> FloatArray:
        """Return a copy in a caller's shape."""
        return held.reshape(*self.backend.simulated.axes, *held.shape[1:]).copy()

    def _check_open(self, verb: str) -> None:
        """Raise an error if the backend is closed, or this has let go of it."""
        self.backend.check_open()
        if self.backend.owner is not self:
            name = type(self).__name__
            what, remedy = "is closed", f"a new {name}(backend)"
            raise ArgumentError(f"{name}.{verb}", what, remedy=remedy)
