"""Share what tests against other simulators need: an agent that learns from given spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.learning.learner import Learner
from neurorl.learning.memory import Memory, memory_for
from neurorl.learning.plan import LearningPlan
from neurorl.models import LIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.features import RBF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.rules.three_factor import arrivals

Array = npt.NDArray[Any]

WINDOW = 10


def relative(ours: Array, theirs: Array) -> float:
    """Return the largest difference of a synapse over its own largest value; steps first."""
    largest = np.abs(theirs).max(axis=0)
    return float((np.abs(ours - theirs).max(axis=0) / np.where(largest > 0, largest, 1.0)).max())


def learner_of(
    n_pre: int,
    n_post: int,
    *,
    tau_plus: float,
    tau_minus: float,
    tau_c: float,
    depression: float,
    delay: int = 1,
    weight: float = 0.0,
    low: float = -1e6,
    high: float = 1e6,
) -> tuple[Learner, Memory]:
    """Return a learner with the rule reward-stdp and one projection; times in steps of 1 ms."""
    learned = Plasticity(trace_tau=1e-3 * tau_plus, low=low, high=high)
    projection = Projection(
        "learned", "input", "output", weight, delay=1e-3 * delay, plasticity=learned
    )
    cells = RBF(low=(0.0,), high=(1.0,), cells=n_pre)
    network = Network((Source("input", n_pre), Population("output", n_post, LIF())), (projection,))
    config = AgentConfig(
        model="own",
        neuron=LIF(),
        rule="reward-stdp",
        cells=cells,
        features=cells,
        description=network,
        window=WINDOW,
        carries=True,
        normalises=False,
        alpha_output=1.0,
        depression=depression,
        post_tau=1e-3 * tau_minus,
        eligibility_tau=1e-3 * tau_c,
    )
    weights = {"learned": np.full((1, n_pre, n_post), weight)}
    plan = LearningPlan(network, config)
    memory = memory_for(plan, weights).of(0)
    return Learner(plan, memory), memory


def observe(learner: Learner, pre: Array, post: Array) -> None:
    """Let the learner see one window of spikes."""
    n_post = post.shape[1]
    learner.remember({"input": pre}, {"output": post}, 0, np.full(n_post, 1 / n_post))


def rounding_bound(
    pre: Array,
    post: Array,
    *,
    delay: int,
    tau_plus: float,
    tau_minus: float,
    depression: float,
    grid: float,
) -> Array:
    """Bound how far an agent's eligibility may be from exact at the end of each window.

    Traces are rounded to 1/grid in every step: a trace is off by half of it for each step that it
    remembers, and once more in its product.
    """
    half = 0.5 / grid
    of_x, of_y = (half / -np.expm1(-1 / tau) for tau in (tau_plus, tau_minus))
    came = arrivals(pre, delay)
    added = (of_x + half) * post.astype(float)[:, None, :]
    added = added + (depression * of_y + half) * came[:, :, None]
    return np.asarray(np.cumsum(added, axis=0)[WINDOW - 1 :: WINDOW])
