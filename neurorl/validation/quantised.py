"""Compare float arithmetic with the chip's: which rounding moved the first spike."""

from __future__ import annotations

import numpy as np

from neurorl.validation.evidence import Evidence
from neurorl.validation.membranes import unit
from neurorl.validation.recording import SubjectRecording
from neurorl.validation.rewriting import chained, reading, with_constants, without_overflow
from neurorl.validation.variants import Variant


def quantised(
    evidences: list[Evidence], trace: SubjectRecording, step: int, neuron: int
) -> tuple[str, str]:
    """Return cause and detail of a difference that the arithmetics of two backends account for.

    Overflow is a flag of the integers; weights that the chip clips, and the roundings of weights,
    decays, and thresholds and biases, are put into the float equations one at a time.

    evidences: of the population that differs. trace: a replay of either. step: of the replay.
    """
    fine, chip = sorted(evidences, key=lambda e: e.history.arithmetic.is_chip)
    label = chip.history.spec.label
    begin = trace.first + max([k for k in trace.fresh if k <= step] or [0])
    row = trace.first + step
    if _overflows(chip, slice(begin, row + 1), neuron):
        return "overflow", f"{label}: a register of this neuron overflowed in or before this step"
    alone = [
        name
        for name, change in _roundings(fine, chip).items()
        if fine.run(change, begin, row)[neuron] == chip.spikes[row, neuron]
    ]
    clipped = _clipped(chip, fine, neuron)
    if clipped and "weights" in alone:
        detail = f"{label}: {clipped} weights into this neuron are beyond what the chip can hold"
        return "clipping of weights", detail
    detail = "both follow the equations, each in its own arithmetic; "
    if alone:
        which = "the rounding of " + " alone, or that of ".join(alone)
        return "quantisation", f"{detail}{which} alone, put into float, gives the chip's spike"
    detail += "no rounding of weights, decays or thresholds alone gives the chip's spike"
    return "quantisation", f"{detail}: it is their sum, with that of the state in every step"


def _overflows(chip: Evidence, rows: slice, neuron: int) -> bool:
    plain, free = chip.plain, chip.predict(Variant("", "", without_overflow(holds=False)))
    return any(
        not np.array_equal(one[rows, neuron], other[rows, neuron])
        for one, other in ((plain.current, free.current), (plain.level, free.level))
    )


def _clipped(chip: Evidence, fine: Evidence, neuron: int) -> int:
    """Count a neuron's incoming weights that in float are beyond the chip's largest."""
    count = 0
    for part in fine.parts:
        name = part.projection.name
        rounding = chip.history.arithmetic.rounding(name)
        into = part.into(fine.history.versions[name][-1], neuron)
        count += int((np.abs(into) > (rounding.limit + 0.5) * rounding.unit).sum())
    return count


def _roundings(fine: Evidence, chip: Evidence) -> dict[str, Variant]:
    """Return the chip's roundings as variants of the float step, by the quantity rounded."""
    constants, scale = chip.node.constants, unit(chip.history.arithmetic, chip.population.name)
    decays = {name: constants[name] / 4096 for name in ("kept_u", "kept_v")}
    more = chip.own_bias / scale - fine.own_bias  # of the described bias alone
    levels = with_constants(threshold=constants["threshold"] / scale, more_bias=more)
    versions = chip.history.versions
    return {
        "weights": Variant("", "", values=lambda _, name, version: versions[name][version]),
        "decays": Variant("", "", with_constants(**decays)),
        "thresholds and biases": Variant(
            "", "", chained(levels, reading("bias", "bias + more_bias"))
        ),
    }
