"""State the step of Xylo's neurons in its integers, several spikes of a step included."""

from __future__ import annotations

import numpy as np

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import STATE_MAX, XyloPopulation
from neurorl.expressions.expression import Expression, read_statements
from neurorl.program.program import NodeProgram, Release

LIMITS = (-STATE_MAX - 1.0, float(STATE_MAX))
COUNT = "count"
"""Name the variable that holds how often a neuron spikes in a step."""

_CLIP = f"{-STATE_MAX - 1}, {STATE_MAX}"
_WRAP = f"back = back - {2 * STATE_MAX + 2}*floor(back/{2 * STATE_MAX + 2} + 0.5)"
# It is floor(v/threshold): whole numbers and a half are far from what rounding could change.
_SPIKES = "count = min(floor((v + 0.5)*inverse), {most}); v = v - count*threshold"


def xylo_node(arithmetic: XyloArithmetic, population: str, depth: int) -> NodeProgram:
    """Return the program of a population; see `neurorl.arithmetic.xylo_integers` for its step."""
    chip = arithmetic.chip.populations[population]
    size = len(chip.threshold)
    return NodeProgram(
        name=population,
        size=size,
        depth=depth,
        is_source=False,
        initial={name: np.zeros(size) for name in ("u", "v")},
        constants={
            "lost_u": np.exp2(-chip.shift_syn.astype(np.float64)),
            "lost_v": np.exp2(-chip.shift_mem.astype(np.float64)),
            "threshold": chip.threshold.astype(np.float64),
            "inverse": 1 / chip.threshold,
        },
        inputs=("u",),
        limits=LIMITS,
        update=read_statements("\n".join(_lines(chip)), population),
        threshold=Expression("v >= threshold"),
        reset=read_statements(_SPIKES.format(most=chip.most), population),
        names_bias=True,
        releases={COUNT: Release(population, 1, COUNT)},
    )


def _lines(chip: XyloPopulation) -> list[str]:
    """Return the statements of a step. A decay of x is ``x >> s``, and at least 1 of x > 0."""
    lines = [
        "u = u - max(min(u, 1), floor(u*lost_u))",
        "back = 0 - max(min(v, 1), floor(v*lost_v))",
        f"driven = clip(back + u, {_CLIP})",
        f"change = clip(driven + bias, {_CLIP})",
        f"v = clip(v + change, {_CLIP})",
    ]
    if (chip.shift_mem == 0).any():  # all of the lowest membrane has no positive in 16 bits
        lines.insert(2, _WRAP)
    return lines
