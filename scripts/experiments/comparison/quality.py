"""Measure bias and noise of estimators: the rows of comparison/gradients.csv."""

from __future__ import annotations

from dataclasses import dataclass

COSINE = 0.5
ALL = "all"


@dataclass(frozen=True)
class Amount:
    """Say how much is sampled: *parts* of *size* decisions in *states* of the first *played*.

    size must be a multiple of states, and parts at least 3.
    """

    states: int = 64
    played: int = 2000
    size: int = 128
    parts: int = 8


FULL = Amount()


@dataclass(frozen=True)
class QualityRow:
    """Hold one estimator in one layer of an agent at one point of its training.

    approach: by which it was trained, for *point* per cent of the run. returns: mean figure of its
    last training episodes, None before the first. certainty: mean over states of the largest
    probability. layer: the weights into it but for biases; or `ALL`, with biases. Changes of local
    rules are multiplied by the preset's rates. exact: norm of the exact gradient. cosine: of the
    mean with it, error: standard error of that. length: of the mean over that one's. noise: trace
    of the covariance of one decision's change over the squared norm of the mean. All of them are
    None where noise is too large to tell. to_half: decisions whose mean has a cosine of `COSINE`
    with the exact gradient, None if none has.
    """

    task: str
    model: str
    approach: str
    point: int
    seed: int
    returns: float | None
    certainty: float
    estimator: str
    layer: str
    exact: float
    cosine: float | None
    error: float | None
    length: float | None
    noise: float | None
    to_half: float | None
