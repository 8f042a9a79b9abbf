"""Test chip integers by hand, their limits, and that what is refused is named."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neurorl.arithmetic.quantiser import ChipProjection, bias_integers, quantise, weight_integers
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.errors import UnsupportedError
from neurorl.models import GLM, LIF, CubaLIF
from neurorl.models.defaults.presets import MODELS, make_config
from neurorl.network.description import Network, Neuron, Plasticity, Population, Projection, Source
from neurorl.tasks.environments import discrete_actions, make_env


def network(neuron: Neuron, high: float = 1.0, **projection: object) -> Network:
    plastic = Plasticity(low=-high, high=high)
    return Network(
        (Source("input", 4), Population("cells", 3, neuron)),
        (Projection("drive", "input", "cells", 0.0, plasticity=plastic, **projection),),  # type: ignore[arg-type]
    )


def test_integers_by_hand() -> None:
    """Weights to 1 use mantissas to 254, so 1 is 254 * 64 = 16256 chip units."""
    tau = -1e-3 / np.log(0.5)
    neuron = CubaLIF(tau_syn=tau, tau_mem=2 * tau, threshold=0.5, bias=0.01, refractory=2e-3)
    chip = quantise(network(neuron))
    cells = chip.populations["cells"]
    assert cells.unit == 16256
    assert cells.current_decay.tolist() == [4095 - 2048] * 3
    assert cells.voltage_decay.tolist() == [4096 - round(4096 * 0.5**0.5)] * 3
    assert cells.threshold.tolist() == [8128] * 3  # 127 * 64
    assert cells.bias.tolist() == [163] * 3
    assert cells.refractory.tolist() == [3] * 3
    drive = chip.projections["drive"]
    assert drive.exponent == 0
    weights = np.array([1.0, 0.5, -1.0, 1 / 127, 0.0039, 7.0])
    assert weight_integers(drive, weights).tolist() == [254, 128, -254, 2, 0, 254]


def test_a_narrow_projection_gets_a_finer_exponent() -> None:
    cells = Population("cells", 3, LIF())
    wide, narrow = Plasticity(low=-1, high=1), Plasticity(low=-0.1, high=0.1)
    both = Network(
        (Source("a", 1), Source("b", 1), cells),
        (
            Projection("wide", "a", "cells", plasticity=wide),
            Projection("narrow", "b", "cells", plasticity=narrow),
        ),
    )
    chip = quantise(both)
    assert (chip.projections["wide"].exponent, chip.projections["narrow"].exponent) == (0, -3)
    assert weight_integers(chip.projections["narrow"], np.array([0.1])).tolist() == [204]


def test_the_glm_unit_has_a_lifted_threshold() -> None:
    cells = quantise(network(GLM())).populations["cells"]
    assert (cells.threshold.tolist(), cells.bias.tolist()) == ([64] * 3, [64] * 3)
    assert cells.current_decay.tolist() == [4095] * 3
    assert np.allclose(cells.noise_width, 0.5 * cells.unit)


def test_a_signed_projection_moves_the_bias() -> None:
    chip = ChipArithmetic(network(GLM(), signed=True))
    w = np.array([[1.0, 0.5, -1.0]] * 4)
    rounded = {"drive": chip.round("drive", w)}
    assert np.allclose(rounded["drive"], w, atol=1 / 254)
    transmitted = chip.transmitted("drive", rounded["drive"])
    assert transmitted[0].tolist() == [16256, 8192, -16256]
    assert chip.bias("cells", rounded).tolist() == [64 - 32512 + 64 - 64, -16320, 32576]


def test_biases_are_mantissa_times_power() -> None:
    assert bias_integers([0, 4095, -4095, 4097, 8191, 10**9]).tolist() == [
        0,
        4095,
        -4095,
        4096,
        8192,
        4095 * 128,
    ]


@given(st.floats(-6e5, 6e5))
def test_biases_are_representable_and_near(bias: float) -> None:
    value = int(bias_integers(bias))
    assert any(value % 2**e == 0 and abs(value >> e) <= 4095 for e in range(8))
    if abs(bias) <= 4095 * 128:
        assert abs(value - bias) <= max(0.5, abs(bias) / 4095)


@given(st.floats(-1.0, 1.0), st.integers(-7, 0))
def test_rounding_is_nearest_and_stays(weight: float, exponent: int) -> None:
    projection = ChipProjection("p", exponent, 1 / 254)
    mantissa = weight_integers(projection, np.array([weight]))
    assert abs(mantissa[0] * projection.unit - weight) <= projection.unit + 1e-12
    assert weight_integers(projection, mantissa * np.array([projection.unit])) == mantissa


@pytest.mark.parametrize(
    ("neuron", "high", "words"),
    [
        (
            LIF(threshold=np.array([0.3, -0.5, -0.1])),
            1.0,
            "'cells': negative threshold (got -0.5, limit >= 0); take 0, and 0.5 more bias",
        ),
        (
            LIF(refractory=0.1),
            1.0,
            "refractory period too long (got 100 steps, limit 62 steps); take 0.062 s, or a longer",
        ),
        # 254 * 64 / 2**12 chip units to a weight of 1, and half of 2**23 - 1 is the most of them.
        (
            LIF(threshold=2e6),
            1.0,
            "'cells': threshold and noise too large against the weights (got 2e+06, "
            "limit 1.056e+06 for weights up to 1); scale it down to that, or the range of the "
            "weights up to 1.893",
        ),
        (
            LIF(bias=-5e5),
            1.0,
            "'cells': bias too large against the weights (got 500000, limit 132000 for weights "
            "up to 1); scale it down to that, or the range of the weights up to 3.786",
        ),
    ],
)
def test_what_has_no_integer_is_named_with_the_nearest_that_has(
    neuron: Neuron, high: float, words: str
) -> None:
    with pytest.raises(UnsupportedError) as raised:
        quantise(network(neuron, high))
    assert words in str(raised.value)


@pytest.mark.parametrize(
    "neuron",
    [LIF(threshold=0.0), LIF(refractory=0.062), LIF(threshold=1.056e6), LIF(bias=-132000.0)],
    ids=str,
)
def test_the_nearest_is_accepted(neuron: Neuron) -> None:
    quantise(network(neuron))


@pytest.mark.parametrize(
    ("neuron", "high"), [(LIF(threshold=2e6), 1.893), (LIF(bias=-5e5), 3.786)], ids=str
)
def test_so_is_the_range_of_weights_that_is_named(neuron: Neuron, high: float) -> None:
    quantise(network(neuron, high))


def test_the_narrowest_noise_of_the_chip_is_named_and_accepted() -> None:
    """127 chip units are 127 / (254 * 64) = 1/128 of the largest weight: 2.8 widths at least."""
    with pytest.raises(UnsupportedError) as raised:
        quantise(network(LIF(0.0, 0.5, noise=1e-3)), "chip")
    words = "(got 0.001, limit >= 0.002791); take 0.002791, or a range of weights 0.3583 times as"
    assert words in str(raised.value)
    assert quantise(network(LIF(0.0, 0.5, noise=0.002791)), "chip").populations["cells"].unit > 0
    assert (
        quantise(network(LIF(0.0, 0.5, noise=1e-3), 0.3583), "chip").populations["cells"].unit > 0
    )


@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0", "neurorl/GridWorld-v0"])
@pytest.mark.parametrize("model", MODELS)
def test_weights_of_presets_are_multiples_of_64(env_id: str, model: str) -> None:
    """Then it doesn't matter whether six bits of a weight are cleared, see docs/chip.md."""
    env = make_env(env_id)
    chip = quantise(make_config(env, model).network(int(discrete_actions(env).n)))
    assert min(p.exponent for p in chip.projections.values()) >= -1


def test_a_wide_signed_projection_is_refused() -> None:
    wide = Network(
        (Source("input", 200), Population("cells", 3, GLM())),
        (Projection("drive", "input", "cells", 1.0, signed=True),),
    )
    words = r"overflows the bias .got 200, limit 64.; use blocks, an unsigned projection, or split"
    with pytest.raises(UnsupportedError, match=words):
        quantise(wide)
