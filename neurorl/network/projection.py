"""Describe a projection: which neurons it connects, by what weights, and when spikes arrive."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.errors import DescriptionError, quoted
from neurorl.network.between import Between, split_part
from neurorl.network.connectors import (
    AllToAll,
    Blocks,
    Connector,
    Ends,
    OneToOne,
    Sparse,
    Synapses,
    check_count,
)
from neurorl.network.limits import check_identifier, truth_values
from neurorl.network.plasticity import Normal, Plasticity, TsodyksMarkram, Uniform, drawn_steps
from neurorl.network.serialization import (
    LARGEST,
    Described,
    check_kind_or_none,
    flag,
    frozen_array,
    number,
    positive,
)
from neurorl.network.synapse_list import SynapseList
from neurorl.numerics.arrays import Int32Array


@dataclass(frozen=True, eq=False)
class Projection(Described):
    """Describe weighted connections from one node to a population.

    pre, post: names of nodes, or of their parts, ``"cells[:3200]"``, which become names and a
        `neurorl.network.between.Between` around *connect*.
    weights: an array, one number for all, or `Uniform`. Shape ``(n_pre, n_post)``, or with
        ``blocks`` > 1 ``(blocks, n_pre // blocks, n_post // blocks)``: equal blocks of consecutive
        neurons, each all-to-all inside and unconnected to the others (the modules of an actor).
        With a sparse *connect*, ``(n_synapses,)``.
    mask: booleans of the same shape; False where there is no synapse. None: all connected.
    delay: seconds from a spike to its arrival, a whole number of steps; None is one step. Sources
        of currents have no delay. With a sparse *connect* it may be an array with a number for each
        synapse, or `Uniform` or `Normal`, drawn as whole steps for each synapse.
    signed: whether, as in the papers, a silent presynaptic neuron transmits -w and a spike +w in
        every step (so: weights 2w, and bias - sum(w) for the postsynaptic neuron).
    plasticity: None for fixed weights.
    target: the input variable that spikes are added to; None is the neurons' only one, or ``q``.
    connect: a connector, in place of *blocks* and *mask*; see `neurorl.network.connectors`. Sparse
        synapses are sorted by presynaptic, then by postsynaptic neuron, here, in backends and in
        states; weights and delays of `Synapses` listed in another order are sorted with them.
    short_term: short-term plasticity of the presynaptic neurons; see `TsodyksMarkram`.
    gap: the variable of both populations, mostly the membrane ``v``, that gap junctions of
        conductances *weights* couple; no spikes then: ``sum_i w_ij (v_i - v_j)`` of the values
        after the step before is added to the target, from the first neuron i on.
    """

    name: str
    pre: str
    post: str
    weights: Any = 0.0
    blocks: int = 1
    mask: Any = None
    delay: Any = None
    signed: bool = False
    plasticity: Plasticity | None = None
    target: str | None = None
    connect: Connector | None = None
    short_term: TsodyksMarkram | None = None
    gap: str | None = None
    _added = ("target", "connect", "short_term", "gap")

    def __post_init__(self) -> None:
        check_identifier(f"{type(self).__name__}.name", self.name)
        where = f"Projection {self.name!r}"
        self._take_parts()
        object.__setattr__(self, "blocks", positive(f"{where}.blocks", self.blocks))
        self._check_delay(f"{where}.delay")
        object.__setattr__(self, "signed", flag(f"{where}.signed", self.signed))
        parts = {"plasticity": Plasticity, "short_term": TsodyksMarkram}
        for name, kind in {"target": str, **parts, "gap": str}.items():
            check_kind_or_none(f"{where}.{name}", getattr(self, name), kind)
        if self.gap is not None and (self.plasticity or self.signed or self.delay is not None):
            what, remedy = "is coupled without delay, sign and plasticity", "leave these out"
            raise DescriptionError(f"{where}.gap", what, remedy=remedy)
        if self.short_term is not None and (self.plasticity or self.signed or self.gap):
            what = "goes with no plasticity=, no signed=True and no gap="
            raise DescriptionError(f"{where}.short_term", what, remedy="leave these out")
        if not isinstance(self.weights, Uniform):
            weights = frozen_array(f"{where}.weights", self.weights, None, self.is_sparse)
            object.__setattr__(self, "weights", weights)
            if np.abs(weights).max(initial=0.0) > LARGEST:
                raise DescriptionError(f"{where}.weights", "too large", limit=f"{LARGEST:g}")
        if self.mask is not None:
            object.__setattr__(self, "mask", truth_values(f"{where}.mask", self.mask))
        self._check_connector(f"{where}.connect")

    def _take_parts(self) -> None:
        """Take parts of nodes out of their names, into the connector."""
        if not (isinstance(self.pre, str) and isinstance(self.post, str)):
            return
        (pre, of_pre), (post, of_post) = split_part(self.pre), split_part(self.post)
        if (pre, post) == (self.pre, self.post):
            return
        connect = AllToAll() if self.connect is None else self.connect
        for name, value in (("pre", pre), ("post", post)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "connect", Between(connect, of_pre, of_post))

    @property
    def more_than_weights(self) -> str:
        """Return what few simulators have, short-term plasticity or gap junctions; or nothing."""
        return (
            "gap junctions" if self.gap else "short-term plasticity" * (self.short_term is not None)
        )

    @property
    def is_sparse(self) -> bool:
        """Return whether the synapses are kept as a list."""
        return isinstance(self.connect, Sparse)

    def synapses(self, n_pre: int, n_post: int) -> SynapseList | None:
        """Return the list of synapses between *n_pre* and *n_post* neurons; None if dense.

        It is made when first needed, and kept.
        """
        if not isinstance(self.connect, Sparse):
            return None
        # No field, so that neither equality nor files know of it.
        kept: dict[tuple[int, int], SynapseList] = self.__dict__.setdefault("_kept", {})
        if (n_pre, n_post) not in kept:
            ends = self._ends(n_pre, n_post)
            check_count(self.connect, ends)
            kept[n_pre, n_post] = self.connect.make(ends)
        return kept[n_pre, n_post]

    @property
    def has_delays(self) -> bool:
        """Return whether each synapse has a delay of its own."""
        return isinstance(self.delay, (np.ndarray, Uniform, Normal))

    def delays(self, n_pre: int, n_post: int, dt: float) -> Int32Array | None:
        """Return each synapse's delay in steps of *dt* seconds; None if all share one.

        Random delays are drawn when first needed, and kept.
        """
        if isinstance(self.delay, np.ndarray):
            return np.rint(self.delay / dt).astype(np.int32)
        synapses = self.synapses(n_pre, n_post)
        if synapses is None or not isinstance(self.delay, (Uniform, Normal)):
            return None
        kept: dict[object, Int32Array] = self.__dict__.setdefault("_drawn_delays", {})
        if (n_pre, n_post, dt) not in kept:
            key = self._ends(n_pre, n_post).seed(getattr(self.connect, "seed", 0))
            kept[n_pre, n_post, dt] = drawn_steps(self.delay, key, synapses, dt)
            kept[n_pre, n_post, dt].setflags(write=False)
        return kept[n_pre, n_post, dt]

    def shape(self, n_pre: int, n_post: int) -> tuple[int, ...]:
        """Return the shape of the weights between *n_pre* and *n_post* neurons."""
        synapses = self.synapses(n_pre, n_post)
        if synapses is not None:
            return (len(synapses),)
        if self.blocks == 1:
            return (n_pre, n_post)
        return (self.blocks, n_pre // self.blocks, n_post // self.blocks)

    def most(self, n_pre: int, n_post: int) -> int:
        """Return the largest possible number of weights, without drawing synapses."""
        if isinstance(self.connect, Sparse):
            return check_count(self.connect, self._ends(n_pre, n_post))[1]
        return math.prod(self.shape(n_pre, n_post))

    def resolved(self, n_pre: int, n_post: int) -> Projection:
        """Return the projection for known sizes.

        One to one becomes blocks of one neuron, and a matrix between parts of nodes a list.
        Raises DescriptionError if they don't fit.
        """
        where, weights = f"Projection {self.name!r}", self.weights
        if isinstance(self.connect, Between):
            shape = self.connect.matrix(self._ends(n_pre, n_post))
            if isinstance(weights, Uniform) or weights.ndim != 2 or weights.shape != shape:
                return self
            return dataclasses.replace(self, weights=weights.ravel())
        if not isinstance(self.connect, OneToOne):
            return self
        if n_pre != n_post:
            what, got = "one to one needs two ends of one size", f"{n_pre} and {n_post}"
            raise DescriptionError(f"{where}.connect", what, got=got)
        if not isinstance(weights, Uniform) and weights.shape == (n_pre,):
            weights = weights.reshape(n_pre, *(1, 1) if n_pre > 1 else (1,))
        return dataclasses.replace(self, connect=None, blocks=n_pre, weights=weights)

    def check_weights(self, n_pre: int, n_post: int) -> None:
        """Raise DescriptionError for weights, a mask or delays of a wrong shape."""
        where, weights = f"Projection {self.name!r}", self.weights
        arrays = {"weights": weights, "mask": self.mask, "delay": self.delay}
        shapes = {key: a.shape for key, a in arrays.items() if isinstance(a, np.ndarray) and a.ndim}
        if isinstance(self.connect, Sparse):
            least, most = check_count(self.connect, self._ends(n_pre, n_post))
            for key, shape in shapes.items():  # checked before as many are drawn
                if len(shape) != 1 or not least <= shape[0] <= most:
                    limit = f"({most},)" if least == most else "one for each synapse"
                    raise DescriptionError(f"{where}.{key}", "wrong shape", got=shape, limit=limit)
        for key, got in shapes.items():
            limits = self.shape(n_pre, n_post)
            if got != limits:
                raise DescriptionError(f"{where}.{key}", "wrong shape", got=got, limit=limits)

    def _ends(self, n_pre: int, n_post: int) -> Ends:
        return Ends(self.name, n_pre, n_post, self.pre == self.post)

    def _check_delay(self, where: str) -> None:
        delay = self.delay
        if isinstance(delay, (np.ndarray, list, tuple)) and np.ndim(delay):
            object.__setattr__(self, "delay", frozen_array(where, delay, None, self.is_sparse))
            if not self.is_sparse:
                what, remedy = "one for each synapse", "connect=Synapses(...), or one number"
                raise DescriptionError(where, f"{what} needs a list of them", remedy=remedy)
        elif isinstance(delay, (Uniform, Normal)):
            if not self.is_sparse:
                what, remedy = "drawn ones need a list of synapses", "connect=, or one number"
                raise DescriptionError(where, what, remedy=remedy)
        elif delay is not None:
            number(where, delay, low=0.0)

    def _check_connector(self, where: str) -> None:
        connect = self.connect
        if connect is None:
            return
        if not isinstance(connect, Connector):
            remedy = "such as FixedInDegree(100)"
            raise DescriptionError(where, "not a connector", got=quoted(connect), remedy=remedy)
        if self.blocks != 1 or self.mask is not None:
            what = "says which neurons are connected, as blocks and mask do"
            raise DescriptionError(where, what, remedy="leave both out")
        if isinstance(connect, (AllToAll, Blocks)):
            object.__setattr__(self, "connect", None)
            object.__setattr__(self, "blocks", connect.n if isinstance(connect, Blocks) else 1)
        if isinstance(connect, Synapses):
            self._sort(connect)

    def _sort(self, connect: Synapses) -> None:
        """Sort listed synapses, with their weights and delays."""
        order = connect.order()
        if order is None:
            return
        ordered = Synapses(connect.pre[order], connect.post[order], connect.multapses)
        object.__setattr__(self, "connect", ordered)
        for key in ("weights", "delay"):
            values = getattr(self, key)
            if isinstance(values, np.ndarray) and values.shape == order.shape:
                values = values[order]
                values.setflags(write=False)
                object.__setattr__(self, key, values)
