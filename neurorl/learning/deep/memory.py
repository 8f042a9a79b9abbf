"""Hold what agents with shared hidden layers have learned, and remember in an episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.learning.deep.plan import DeepPlan, first_copies
from neurorl.learning.memory import Memory, kind_of, unlearned
from neurorl.network.restoring import take_shown
from neurorl.numerics.arrays import Array, FloatArray, zeros_on_lines
from neurorl.numerics.random import Stream, uniforms


@dataclass(kw_only=True)
class DeepMemory(Memory):
    """Hold the arrays of N agents, a row for each; `of` gives those of one, as views.

    ``weights`` are float32 and learn; ``in_force`` is what their rounded copies transmit, in chip
    arithmetic whole numbers, float64. ``eligibility`` is float32. lasting, passing_arrays: further
    arrays by name, which outlive an episode or don't. Of a projection P:

    - lasting ``P.h``, mean squares, and ``P.feedback``, float32; ``P.last``, how many decisions
      were learned from when a row's mean squares last changed; ``P.tied``, float32, weights that
      patches share: ``weights`` has copies.
    - passing ``P.age``, decisions since a row's input spoke, and ``P.live``.

    Of a layer L: lasting ``L.mean`` and ``L.variance`` of its drives, ``L.alpha`` and ``L.kappa``
    of its learning signals; passing ``L.x``, what came in, ``L.u``, ``L.slope``, ``L.inverse``, and
    the traces ``L.a``, ``L.c``. Of the agent: lasting ``seen.mean``, ``seen.square``,
    ``seen.count`` of observations, ``returns`` (mean, sum of squares and count of discounted
    returns) and ``learned``, a count of decisions; passing ``scores``, ``pull``, the discounted
    ``return``, and ``before``, the value of the last state or NaN.
    """

    lasting: dict[str, Array]
    passing_arrays: dict[str, Array]

    def learning(self, name: str) -> Array:
        """Return the weights of a projection that learn: its own, or those that patches share."""
        return self.lasting.get(f"{name}.tied", self.weights[name])

    def forget(self) -> None:
        super().forget()
        for name, array in self.passing_arrays.items():
            array[...] = np.nan if name == "before" else 0

    def state(self) -> dict[str, FloatArray]:
        return super().state() | {f"deep.{n}": a.copy() for n, a in self.lasting.items()}

    def restore(self, state: dict[str, FloatArray]) -> None:
        super().restore(state)
        self.restore_lasting({name.removeprefix("deep."): a for name, a in state.items()})

    def passing(self) -> dict[str, Array]:
        return super().passing() | {f"deep.{n}": a.copy() for n, a in self.passing_arrays.items()}

    def restore_passing(self, state: dict[str, Array]) -> None:
        for name, array in self.passing_arrays.items():
            key, is_before = f"deep.{name}", name == "before"
            array[...] = take_shown(state, key, array.shape, kind_of(array), may_be_nan=is_before)
        super().restore_passing(state)

    def adopt(self, *_: object) -> None:
        """Raise UnsupportedError: weights alone are no agent of this kind."""
        remedy = "load the agent itself"
        raise UnsupportedError("agent.trunk 'shared'", "begins with no other's", remedy=remedy)

    def lasting_arrays(self) -> dict[str, Array]:
        return self.lasting


def deep_memory(
    plan: DeepPlan,
    weights: dict[str, FloatArray],
    seeds: Sequence[int],
    n_seen: int,
    n_actions: int,
) -> DeepMemory:
    """Make the memory of agents that have learned nothing.

    weights: in force in each projection, ``(N, *shape)``. n_seen: numbers of an observation.
    """
    n = len(seeds)

    def zeros(*shape: int, of: type[np.generic] = np.float32) -> Array:
        return zeros_on_lines((n, *shape), of)

    lasting: dict[str, Array] = {
        "seen.mean": zeros(n_seen, of=np.float64),
        "seen.square": zeros(n_seen, of=np.float64),
        "seen.count": zeros(1, of=np.int64),
        "returns": zeros(3, of=np.float64),
        "learned": zeros(1, of=np.int64),
    }
    passing: dict[str, Array] = {
        "scores": zeros(n_actions),
        "pull": zeros(n_actions),
        "return": zeros(1, of=np.float64),
        "before": np.full((n, 1), np.nan),
    }
    shapes: dict[str, tuple[int, int]] = {}
    for layer in plan.layers:
        passing[f"{layer.name}.x"] = zeros(layer.into[0].n_pre)
        for p in layer.into:
            tie = layer.tie(p.name)
            rows, columns = shapes[p.name] = layer.shape(p)
            if tie is not None:
                tied = lasting[f"{p.name}.tied"] = zeros(rows, columns)
                first = weights[p.name].reshape(n, -1)[:, first_copies(tie)]
                tied[...] = first.reshape(tied.shape)
            lasting[f"{p.name}.h"] = zeros(rows, columns)
            lasting[f"{p.name}.last"] = zeros(rows, of=np.int64)
            passing[f"{p.name}.age"] = zeros(rows, of=np.int64)
            passing[f"{p.name}.live"] = zeros(rows, of=np.bool_)
        if layer.is_hidden:
            lasting[f"{layer.name}.mean"] = zeros(layer.size, of=np.float64)
            lasting[f"{layer.name}.variance"] = np.ones((n, layer.size))
            lasting |= {f"{layer.name}.{x}": zeros(layer.size) for x in ("alpha", "kappa")}
            passing |= {
                f"{layer.name}.{x}": zeros(layer.size) for x in ("u", "slope", "inverse", "a", "c")
            }
    for number, layer in enumerate(plan.hidden):
        assert layer.above is not None
        shape = shapes[layer.above]
        draws = [uniforms(seed, Stream.FEEDBACK, int(np.prod(shape)), number) for seed in seeds]
        drawn = [plan.trunk.feedback.first(row.reshape(shape)) for row in draws]
        lasting[f"{layer.above}.feedback"] = np.array(drawn, dtype=np.float32)
    plastic = [p.name for layer in plan.layers for p in layer.into]
    learned = {name: zeros(*weights[name].shape[1:]) for name in plastic}
    for name, array in learned.items():
        array[...] = weights[name]
    return DeepMemory(
        weights=learned,
        eligibility={name: zeros(*shapes[name]) for name in plastic},
        in_force={name: np.zeros((n, *shapes[name])) for name in plastic},
        lasting=lasting,
        passing_arrays=passing,
        **unlearned(n),
    )
