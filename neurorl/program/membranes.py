"""State the step of integrate-and-fire neurons in a chip's integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from neurorl.arithmetic.chip_noise import COINS, NOISE_MAX
from neurorl.arithmetic.quantiser import CURRENT_BITS, CURRENT_SUM_BITS, VOLTAGE_MAX, ChipPopulation
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.expressions.expression import Expression, read_statements
from neurorl.network.initial_weights import initial_weights
from neurorl.numerics.arrays import Array
from neurorl.numerics.random import Stream
from neurorl.program.program import Draw, NodeProgram


def membrane_on_chip(
    arithmetic: ChipArithmetic, name: str, depth: int, stream: int, coins: str | None
) -> NodeProgram:
    """Return the program of a population in Loihi's integers, which float64 holds exactly.

    depth: steps for which its spikes are kept. stream: of its draws. coins: the projection of
    *arithmetic*'s network that brings its coins; None if it has none.

    Source: nengo-loihi 1.1 (emulator), Davies et al. 2018; see `neurorl.arithmetic.quantiser`.
    """
    chip = arithmetic.chip.populations[name]
    noise = _noise(chip, stream, {} if coins is None else _coins(arithmetic, coins))
    lines = [
        *noise.arrival,
        _wrapped("q", CURRENT_BITS),
        "u = trunc(u*kept_u/4096) + q",
        _wrapped("u", CURRENT_SUM_BITS),
        f"change = u + bias{noise.change}",
        _wrapped("change", CURRENT_SUM_BITS),
        f"v = clip(trunc(v*kept_v/4096) + change, {-VOLTAGE_MAX}, {VOLTAGE_MAX})",
    ]
    constants: dict[str, Array] = {
        "kept_u": 4095 - chip.current_decay,
        "kept_v": 4096 - chip.voltage_decay,
        "threshold": chip.threshold,
        **noise.constants,
    }
    threshold = "v > threshold"
    if chip.escapes:
        threshold = "v + floor(width*logistic + 0.5) > threshold"
    size = len(chip.threshold)
    return NodeProgram(
        name=name,
        size=size,
        depth=depth,
        is_source=False,
        initial={x: np.zeros(size) for x in ("u", "v")},
        constants=constants,
        inputs=("q",),
        update=read_statements("\n".join(lines), name),
        threshold=Expression(threshold),
        reset=read_statements("v = 0", name),
        held=("v",),
        names_bias=True,
        refractory=chip.refractory - 1,
        draws=noise.draws,
    )


@dataclass(frozen=True)
class _Noise:
    """Hold what noise adds to arriving input and to the change of a membrane, and its names."""

    constants: Mapping[str, Array] = field(default_factory=dict)
    draws: Mapping[str, Draw] = field(default_factory=dict)
    arrival: tuple[str, ...] = ()
    change: str = ""


def _noise(chip: ChipPopulation, stream: int, coins: Mapping[str, Array]) -> _Noise:
    """Return escape noise, or the chip's own, see `neurorl.arithmetic.chip_noise`.

    coins: what each transmits, by its name; empty for noise without coins.
    """
    if chip.escapes:
        return _Noise({"width": chip.noise_width}, {"logistic": Draw(stream, is_logistic=True)})
    if not chip.noise_exponent:
        return _Noise()
    draws = {"draw": Draw(stream, is_logistic=False)}
    arrival: tuple[str, ...] = ()
    if coins:
        draws["toss"] = Draw(Stream.COINS + stream, is_logistic=False)
        bits = (f"(floor(toss/{2**j}) - 2*floor(toss/{2 ** (j + 1)}))" for j in range(len(coins)))
        tossed = " + ".join(f"coin_{j}*{bit}" for j, bit in enumerate(bits))
        arrival = (f"q = q + {tossed}",)
    span = 2 * NOISE_MAX + 1
    change = f" + noise_step*(floor(draw*{span}/{2**32}) - {NOISE_MAX})"
    return _Noise({"noise_step": chip.noise_step, **coins}, draws, arrival, change)


def _coins(arithmetic: ChipArithmetic, projection: str) -> dict[str, Array]:
    """Return what each coin of a neuron transmits, by the coin's name."""
    weights = initial_weights(arithmetic.network, projection, 0)
    sent = arithmetic.transmitted(projection, weights)
    return {f"coin_{j}": sent[..., j, 0] for j in range(len(COINS))}


def _wrapped(name: str, bits: int) -> str:
    """Return the statement that wraps a number to a register of *bits* bits and a sign."""
    span = 2 << bits
    return f"{name} = {name} - {span}*floor({name}/{span} + 0.5)"
