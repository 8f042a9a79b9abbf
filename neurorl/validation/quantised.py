"""Float arithmetic against the chip's: which rounding moved the first spike."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from neurorl.arithmetic.quantiser import ChipPopulation
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.network.description import Dynamics
from neurorl.validation.equations import Change, Predicted, Trial
from neurorl.validation.hypotheses.neurons import Unbounded

__all__ = ["quantised"]


def quantised(
    trials: list[Trial], plain: list[Predicted], step: int, neuron: int
) -> tuple[str, str]:
    """Cause and detail, of two lanes that each follow the equations of their own arithmetic.

    Overflow is a flag of the integers; weights that the chip clips, and the roundings of weights,
    decays, and thresholds and biases, are put into the float equations one at a time.
    """
    on_chip = [isinstance(trial.arithmetic, ChipArithmetic) for trial in trials]
    chip, fine = trials[on_chip.index(True)], trials[on_chip.index(False)]
    lane = chip.replay.lane.label
    first = max([k for k in fine.replay.fresh if k <= step] or [0])
    if _overflows(chip, plain[on_chip.index(True)], first, step, neuron):
        return "overflow", f"{lane}: a register of this neuron overflowed in or before this step"
    wanted = bool(chip.replay.raster(chip.population.name)[step, neuron])
    clipped = _clipped(chip, fine, neuron)
    changes = _roundings(chip)
    alone = [
        name
        for name, change in changes.items()
        if bool(fine.run(change, first, step).spikes[-1, neuron]) == wanted
    ]
    if clipped and "weights" in alone:
        detail = f"{lane}: {clipped} weights into this neuron are beyond what the chip can hold"
        return "clipping of weights", detail
    detail = "both follow the equations, each in its own arithmetic; "
    if alone:
        which = "the rounding of " + " alone, or that of ".join(alone)
        return "quantisation", f"{detail}{which} alone, put into float, gives the chip's spike"
    detail += "no rounding of weights, decays or thresholds alone gives the chip's spike"
    return "quantisation", f"{detail}: it is their sum, with that of the state in every step"


def _overflows(chip: Trial, plain: Predicted, first: int, step: int, neuron: int) -> bool:
    free = chip.predict(Change("", "", mixins=(Unbounded,)))
    steps = slice(first, step + 1)
    return any(
        not np.array_equal(one[steps, neuron], other[steps, neuron])
        for one, other in ((plain.current, free.current), (plain.level, free.level))
    )


def _clipped(chip: Trial, fine: Trial, neuron: int) -> int:
    """Synapses onto a neuron whose weight in float is beyond the chip's largest."""
    count = 0
    for p in chip.network.projections:
        if p.post == chip.population.name:
            rounding = chip.arithmetic.rounding(p.name)
            weights = fine.expected[p.name]
            block, column = divmod(neuron, weights.shape[-1])
            into = weights[..., column] if weights.ndim == 2 else weights[block, :, column]
            count += int((np.abs(into) > (rounding.limit + 0.5) * rounding.unit).sum())
    return count


def _roundings(chip: Trial) -> dict[str, Change]:
    """The chip's roundings for float equations, by what is rounded."""
    arithmetic, name = chip.arithmetic, chip.population.name
    assert isinstance(arithmetic, ChipArithmetic)
    integers = arithmetic.chip.populations[name]
    return {
        "weights": Change("", "", weights=chip.expected),
        "decays": Change("", "", parameters=lambda d: _decays(d, integers)),
        "thresholds and biases": Change(
            "",
            "",
            parameters=lambda d: dataclasses.replace(
                d, threshold=integers.threshold / integers.unit
            ),
            bias=lambda bias: _bias(bias, integers, chip),
        ),
    }


def _decays(d: Dynamics, integers: ChipPopulation) -> Dynamics:
    return dataclasses.replace(
        d,
        membrane_decay=(4096 - integers.voltage_decay) / 4096,
        current_decay=(4095 - integers.current_decay) / 4096,
    )


def _bias(bias: Any, integers: ChipPopulation, chip: Trial) -> Any:
    """The described bias as the chip rounds it; what signed projections and currents add stays."""
    d = chip.population.neuron.dynamics(chip.population.size, chip.network.dt)
    return bias - d.bias + integers.bias / integers.unit
