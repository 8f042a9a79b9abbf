"""Xylo's integers: what is rounded to what, what is exact, and what has none."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import MANTISSA_MAX, SHIFT_MAX, STATE_MAX, decay_shift
from neurorl.backends.registry import load
from neurorl.backends.spec import BackendSpec
from neurorl.errors import DescriptionError, UnsupportedError
from neurorl.models import GLM, LIF, CubaLIF, InChipUnits, shift_lif
from neurorl.network.description import Network, Population, Projection, Source, TsodyksMarkram
from neurorl.network.replicate import replicate

DT = 1e-3


def network(neuron: Any, weight: Any = 1.0, **projection: Any) -> Network:
    nodes = (Source("input", 3), Population("cells", 2, neuron), Population("out", 2, neuron))

    def of(n_pre: int) -> Any:
        return np.broadcast_to(weight, (n_pre, 2)).astype(float)

    return Network(
        nodes,
        (
            Projection("drive", "input", "cells", of(3), **projection),
            Projection("loop", "cells", "cells", of(2)),
            Projection("read", "cells", "out", of(2)),
        ),
        DT,
    )


numbers = st.floats(1e-3, 1e3)


@settings(max_examples=40)
@given(numbers, st.floats(0.0, 1.0), numbers, numbers)
def test_numbers_are_as_near_as_8_and_16_bits_allow(
    threshold: float, share: float, weight: float, tau: float
) -> None:
    weights = np.array([weight, -weight * share])
    described = network(
        CubaLIF(tau * DT, 5 * DT, threshold, bias=threshold / 3), np.tile(weights, 1)
    )
    arithmetic = XyloArithmetic(described)
    for name in ("drive", "loop", "read"):
        rounding, post = arithmetic.rounding(name), described.projection(name).post
        chip = arithmetic.chip.populations[post]
        assert 0 <= arithmetic.exponent(name) <= SHIFT_MAX
        in_force = arithmetic.round(name, weights)
        assert np.abs(in_force - weights).max() <= rounding.unit * 0.5 * (1 + 1e-9)
        sent = arithmetic.transmitted(name, in_force)
        assert (sent % 2 ** arithmetic.exponent(name) == 0).all()
        assert np.abs(sent).max() <= MANTISSA_MAX << arithmetic.exponent(name)
        unit = arithmetic.membrane_unit(post)
        assert (chip.threshold > threshold * unit * (1 - 1e-9)).all()
        assert (chip.threshold <= threshold * unit * (1 + 1e-9) + 1).all()
        assert chip.threshold.max() <= STATE_MAX
        assert np.abs(chip.bias - threshold / 3 * unit).max() <= 0.5 + 1e-6


def test_the_numbers_are_as_large_as_thresholds_allow() -> None:
    chip = XyloArithmetic(network(CubaLIF(threshold=1.0))).chip
    for population in chip.populations.values():
        assert STATE_MAX / 8 < population.threshold.min() <= STATE_MAX / 4 + 1


def test_memories_of_different_range_have_shifts_of_their_own() -> None:
    described = network(CubaLIF(threshold=10.0))
    parts = [described.projections[0], *described.projections[1:]]
    parts[1] = dataclasses.replace(parts[1], weights=np.asarray(8.0))
    arithmetic = XyloArithmetic(dataclasses.replace(described, projections=tuple(parts)))
    assert arithmetic.exponent("loop") - arithmetic.exponent("drive") == 3
    for name, weight in (("drive", 1.0), ("loop", 8.0)):
        assert arithmetic.mantissa(name, np.asarray(weight)) == MANTISSA_MAX


@settings(max_examples=40)
@given(st.integers(0, 15))
def test_time_constants_of_shifts_are_exact(shift: int) -> None:
    assert decay_shift(np.array([1 - 2.0**-shift]), 0) == shift
    nearer = np.array([1 - 2.0**-shift * 1.3])
    assert shift == 0 or decay_shift(nearer, 0) == shift


def test_time_constants_beyond_are_the_nearest() -> None:
    np.testing.assert_array_equal(decay_shift(np.array([0.0, 0.3, 1.0]), 1), [1, 1, 15])


@settings(max_examples=40)
@given(st.data())
def test_a_shift_neuron_has_the_chips_own_integers(data: st.DataObject) -> None:
    def drawn(low: int, high: int) -> Any:
        return np.array(data.draw(st.lists(st.integers(low, high), min_size=2, max_size=2)))

    syn, mem = drawn(1, 15), drawn(0, 15)
    threshold, bias = drawn(1, STATE_MAX), drawn(-STATE_MAX - 1, STATE_MAX)
    shift = data.draw(st.integers(0, 7))
    weights = drawn(-MANTISSA_MAX, MANTISSA_MAX)
    weights[0] = MANTISSA_MAX  # which decides on the shift
    described = network(shift_lif(syn, mem, threshold, bias), weights * 2.0**shift)
    arithmetic = XyloArithmetic(described)
    chip = arithmetic.chip.populations["cells"]
    np.testing.assert_array_equal(chip.shift_syn, syn)
    np.testing.assert_array_equal(chip.shift_mem, mem)
    np.testing.assert_array_equal(chip.threshold, threshold)
    np.testing.assert_array_equal(chip.bias, bias)
    np.testing.assert_array_equal(arithmetic.mantissa("drive", weights * 2.0**shift), weights)
    assert arithmetic.exponent("drive") == shift


def test_chip_units_hold_what_a_description_says() -> None:
    tau = -DT / np.log(0.75)
    described = network(InChipUnits(CubaLIF(tau, tau, threshold=400 / 0.75), 1.0), 100.0)
    chip = XyloArithmetic(described).chip.populations["cells"]
    assert (*chip.shift_syn, *chip.shift_mem) == (2, 2, 2, 2)
    assert set(chip.threshold) <= {400, 401}


def test_replicas_have_the_integers_of_one() -> None:
    described = network(shift_lif([1, 2], 3, 70, [5, -5]), 12.0)
    one, three = XyloArithmetic(described).chip, XyloArithmetic(replicate(described, 3)).chip
    assert one.shifts == three.shifts
    for name, chip in one.populations.items():
        np.testing.assert_array_equal(np.tile(chip.threshold, 3), three.populations[name].threshold)
        assert chip.unit == three.populations[name].unit


def test_output_neurons_are_those_that_hidden_ones_project_to() -> None:
    chip = XyloArithmetic(network(CubaLIF())).chip.populations
    assert (chip["cells"].most, chip["out"].most) == (31, 1)


REFUSED: dict[str, tuple[Any, str]] = {
    "noise": (network(GLM()), "population 'cells' of stochastic neurons"),
    "refractory": (network(CubaLIF(refractory=2e-3)), "a refractory period"),
    "negative": (network(CubaLIF(threshold=-1.0)), "a negative threshold, -1"),
    "large": (network(InChipUnits(LIF(threshold=1e5), 1.0)), "a threshold of 50000 chip units"),
    "signed": (network(CubaLIF(), signed=True), "signed projection 'drive'"),
    "delay": (network(CubaLIF(), delay=2e-3), "'drive' with a delay of more than one step"),
    "short": (network(CubaLIF(), short_term=TsodyksMarkram()), "short-term plasticity"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_integers_is_refused_by_name(name: str) -> None:
    described, said = REFUSED[name]
    spec = BackendSpec.parse("native:xylo")
    assert any(said in line for line in spec.problems(described)), spec.problems(described)
    with pytest.raises(UnsupportedError, match=said):
        spec.load(described)


def test_two_projections_between_the_same_neurons_are_refused() -> None:
    described = network(CubaLIF())
    again = dataclasses.replace(described.projections[0], name="again")
    beside = dataclasses.replace(described, projections=(*described.projections, again))
    with pytest.raises(UnsupportedError, match="several projections between the same nodes, again"):
        make_arithmetic("xylo", beside)


def test_no_noise_but_the_described_one() -> None:
    with pytest.raises(UnsupportedError, match="can't run noise 'chip' in arithmetic 'xylo'"):
        load("reference", network(CubaLIF()), arithmetic="xylo", noise="chip")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("shift_syn", 0), ("shift_mem", 16), ("threshold", 0), ("threshold", 1.5)),
        *(("bias", 0.5), ("bias", 2**15), ("dt", 0), ("shift_syn", "a"), ("shift_mem", np.nan)),
    ],
)
def test_a_shift_neuron_refuses_what_the_chip_cannot_hold(field: str, value: Any) -> None:
    with pytest.raises(DescriptionError, match=rf"shift_lif, {field}"):
        shift_lif(**{field: value})


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_spikes_are_counted_rightly_in_32_bits(beyond: int) -> None:
    """Native counts them so: at all thresholds, and beside all their multiples."""
    threshold = np.arange(1, STATE_MAX + 1)[:, None]
    membrane = np.arange(32) * threshold + beyond
    inverse = (1 / threshold).astype(np.float32)
    counted = np.floor((membrane.astype(np.float32) + np.float32(0.5)) * inverse)
    reached = (membrane >= threshold) & (membrane <= STATE_MAX)
    np.testing.assert_array_equal(counted[reached], (membrane // threshold)[reached])
