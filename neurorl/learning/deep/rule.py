"""Learn hidden layers by a local rule, one decision after the other.

A layer's drives are ``d = sum_j w_ij x_j`` (exact, of the weights in force), and its neurons spike
where ``u = (d - shift) / scale`` exceeds 1 (`neurorl.models.deep.normalisation`). The sums of the
readouts are the preferences of actions and the value V. With the TD error delta of the step from
one decision to the next, clipped to the modulator's limit, and the scores phi of the policy (of the
critic 1), each hidden neuron i and its synapses learn from the earlier decision::

    L_i = sum_j B_ij f_j / scale_j          feedback from the layer above; of readouts phi
    f_i = project(L_i psi_i)                psi = k p (1 - p),  p = 1 / (1 + exp(-k (u - 1)))
    e_ij <- gl e_ij + f_i x_j / scale_i     gl = gamma lambda
    a_i <- gl a_i + f_i;   c_i <- gl c_i + f_i u_i
    alpha_i <- alpha_i + r (delta a_i - alpha_i);   kappa_i <- kappa_i + r (delta c_i - kappa_i)
    g_ij = delta e_ij - (alpha_i + kappa_i u_i) x_j / scale_i
    w_ij <- clip(w_ij + eta step(g_ij))     B_ij gets the same increment if it learns

The actor's readout has instead ``g_aj = delta e_aj + x_j dH/dlogit_a`` times the entropy's factor.
All is local but for delta and the layer's scores: a synapse has its trace, its mean square and its
weight, a neuron two traces and two means. Every number is float32, each operation rounded on its
own, and sums run in the order of what is added, so that ``native/src/deep_learning.h`` has the same
bits.

A row of synapses (of one presynaptic neuron) whose input was silent for so long that less than
``faded`` of its trace is left is not visited; its mean squares decay when it speaks again.
Sources: the trace and the step of one sample at a time, Elsayed et al. 2024, arXiv:2410.14606;
post factors from feedback, Lillicrap et al. 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.models.deep.step_size import StepSize
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.elementary import sigmoid


def surrogate(u: FloatArray, slope: float) -> Array:
    """Return psi of normalised drives, float32 ``(n,)``."""
    p = sigmoid(slope * (u - 1.0))
    return np.asarray((slope * p) * (1.0 - p), dtype=np.float32)


def told(feedback: Array, signals: Array) -> Array:
    """Return ``sum_j B_ij f_j`` for each neuron i, added in the order of j; float32 ``(n_pre,)``.

    feedback: B, ``(n_pre, n_post)``. signals: f, ``(n_post,)``.
    """
    total = np.zeros(len(feedback), dtype=np.float32)
    for j, signal in enumerate(signals):
        total += feedback[:, j] * signal
    return total


def longest_silence(keep: float, faded: float) -> int:
    """Return after how many silent decisions a trace counts as 0; at least 1, at most 1000."""
    if keep <= 0.0 or faded >= 1.0:
        return 1
    return 1000 if keep >= 1.0 else min(1000, int(math.log(faded) / math.log(keep)) + 1)


def centred(
    held: Sequence[Array], factor: Array, u: Array, keep: np.float32, delta: np.float32, rate: float
) -> Array:
    """Remember post factors, and return what is added to g for each unit of input, times scale.

    held: two traces and two running means of a layer's neurons, float32 ``(n,)`` each.
    """
    a, c, alpha, kappa = held
    a[...] = keep * a + factor
    c[...] = keep * c + factor * u
    alpha += np.float32(rate) * (delta * a - alpha)
    kappa += np.float32(rate) * (delta * c - kappa)
    return np.asarray(-(alpha + kappa * u))


@dataclass
class TracedSynapses:
    """Hold one projection of one agent: arrays ``(n_pre, n_post)``, and ``(n_pre,)`` of its rows.

    weights, trace, mean_square, feedback: float32; feedback only if it learns. last, age, live: how
    many decisions had been learned from when a row's mean squares last changed, decisions since its
    input spoke, and whether its trace lives.
    """

    weights: Array
    trace: Array
    mean_square: Array
    last: Array
    age: Array
    live: Array
    feedback: Array | None
    bound: np.float32
    longest: int

    def learn(
        self,
        x: Array,
        factor: Array,
        extra: Array | None,
        delta: np.float32,
        keep: np.float32,
        eta: np.float32,
        step_size: StepSize,
        decisions: int,
    ) -> None:
        """Remember ``factor x``, and change the weights of all rows whose traces live.

        x: ``(n_pre,)``, or of patches ``(positions, n_pre)``, whose signals add up. factor, extra:
        ``(n_post,)``, or ``(positions, n_post)``; extra x is added to g. decisions: how many were
        learned from before.
        """
        speaks = (x != 0).any(axis=0) if x.ndim > 1 else x != 0
        self.age[...] = np.where(speaks, 0, self.age + 1)
        woken = np.flatnonzero(speaks & ~self.live)
        if len(woken):
            squares = self.mean_square[woken]
            step_size.fade(squares, decisions - self.last[woken])
            self.mean_square[woken] = squares
        self.live[woken] = True
        silent = self.live & (self.age > self.longest)
        self.trace[silent], self.live[silent] = 0.0, False
        rows = np.flatnonzero(self.live)
        self.last[rows] = decisions + 1
        if not len(rows):
            return
        said = np.flatnonzero(speaks[rows])
        trace = keep * self.trace[rows]
        trace[said] += _outer(x, factor, rows[said])
        self.trace[rows] = trace
        signal = delta * trace
        if extra is not None:
            signal[said] += _outer(x, extra, rows[said])
        squares = self.mean_square[rows]
        change = eta * step_size.steps(signal, squares, decisions).astype(np.float32, copy=False)
        self.mean_square[rows] = squares
        bound = self.bound
        moved = np.minimum(np.maximum(self.weights[rows] + change, -bound), bound)
        self.weights[rows] = moved
        if self.feedback is not None:
            self.feedback[rows] += change


def _outer(x: Array, factor: Array, rows: Array) -> Array:
    """Return ``x factor`` of some rows, summed over positions in their order."""
    if x.ndim == 1:
        return np.asarray(x[rows, None] * factor)
    total = np.zeros((len(rows), factor.shape[1]), dtype=np.float32)
    for seen, signal in zip(x[:, rows], factor, strict=True):
        total += seen[:, None] * signal
    return total
