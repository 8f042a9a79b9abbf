"""State the step of integrate-and-fire neurons in a chip's integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neurorl.arithmetic.chip_noise import COINS, NOISE_MAX
from neurorl.arithmetic.quantiser import CURRENT_BITS, CURRENT_SUM_BITS, VOLTAGE_MAX, ChipPopulation
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.network.initial_weights import initial_weights
from neurorl.numerics.arrays import Array, IntArray
from neurorl.numerics.random import Stream
from neurorl.program.program import Draw


@dataclass(frozen=True, eq=False)
class Membrane:
    """Hold the texts of a neuron with a current ``u`` and a membrane ``v``, and their constants.

    update, threshold, reset: texts, which name ``bias`` and the input ``q``. constants, draws,
    refractory: as in `neurorl.program.program.NodeProgram`.
    """

    update: str
    threshold: str
    constants: Mapping[str, Array]
    refractory: IntArray
    draws: Mapping[str, Draw] = field(default_factory=dict)
    reset: str = "v = 0"


def membrane_on_chip(
    arithmetic: ChipArithmetic, population: str, stream: int, coins: str | None
) -> Membrane:
    """Return the step in Loihi's integers, which float64 holds exactly.

    coins: the projection of *arithmetic*'s network that brings its coins; None if it has none.

    Source: nengo-loihi 1.1 (emulator), Davies et al. 2018; see `neurorl.arithmetic.quantiser`.
    """
    chip = arithmetic.chip.populations[population]
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
    return Membrane("\n".join(lines), threshold, constants, chip.refractory - 1, noise.draws)


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
