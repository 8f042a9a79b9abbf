"""State the step of integrate-and-fire neurons in the integers of Loihi or Xylo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from neurorl.arithmetic.chip_noise import COINS, NOISE_MAX
from neurorl.arithmetic.quantiser import CURRENT_BITS, CURRENT_SUM_BITS, VOLTAGE_MAX, ChipPopulation
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import STATE_MAX
from neurorl.expressions.expression import Expression, read_statements
from neurorl.network.description import Network
from neurorl.network.initial_weights import initial_weights
from neurorl.numerics.arrays import Array
from neurorl.numerics.random import Stream
from neurorl.program.program import Draw, NodeProgram, Release


def membrane_on_chip(
    network: Network, arithmetic: ChipArithmetic, name: str, depth: int
) -> NodeProgram:
    """Return the program of a population in Loihi's integers, which float64 holds exactly.

    depth: steps for which its spikes are kept. network: without coins, which *arithmetic*'s has.

    Source: nengo-loihi 1.1 (emulator), Davies et al. 2018; see `neurorl.arithmetic.quantiser`.
    """
    chip = arithmetic.chip.populations[name]
    coins = _coins(network, arithmetic, name)
    tossed, noise, more, draws = _noise(chip, network.index(name), coins)
    lines = [
        *([f"q = q{tossed}"] if tossed else []),
        _wrapped("q", CURRENT_BITS),
        "u = trunc(u*kept_u/4096) + q",
        _wrapped("u", CURRENT_SUM_BITS),
        f"change = u + bias{noise}",
        _wrapped("change", CURRENT_SUM_BITS),
        f"v = clip(trunc(v*kept_v/4096) + change, {-VOLTAGE_MAX}, {VOLTAGE_MAX})",
    ]
    constants: dict[str, Array] = {
        "kept_u": 4095 - chip.current_decay,
        "kept_v": 4096 - chip.voltage_decay,
        "threshold": chip.threshold,
        **more,
    }
    threshold = "v > threshold"
    if chip.escapes:
        threshold = "v + floor(width*logistic + 0.5) > threshold"
    return replace(
        _in_integers(name, depth, lines, constants),
        inputs=("q",),
        threshold=Expression(threshold),
        reset=read_statements("v = 0", name),
        held=("v",),
        refractory=chip.refractory - 1,
        draws=draws,
    )


def _in_integers(
    name: str, depth: int, lines: Sequence[str], constants: Mapping[str, Array]
) -> NodeProgram:
    """Return neurons with a current u and a membrane v, which begin at 0."""
    size, update = len(constants["threshold"]), read_statements("\n".join(lines), name)
    node = NodeProgram(name, size, depth, is_source=False, update=update, names_bias=True)
    return replace(node, initial={x: np.zeros(size) for x in "uv"}, constants=constants)


def _noise(
    chip: ChipPopulation, stream: int, coins: Mapping[str, Array]
) -> tuple[str, str, Mapping[str, Array], Mapping[str, Draw]]:
    """Return what noise adds to arriving input and to a change; its constants and draws.

    Of escape noise, or of the chip's own, see `neurorl.arithmetic.chip_noise`. coins: what each
    transmits, by its name; empty for noise without coins.
    """
    if chip.escapes:
        return "", "", {"width": chip.noise_width}, {"logistic": Draw(stream, is_logistic=True)}
    if not chip.noise_exponent:
        return "", "", {}, {}
    draws, tossed = {"draw": Draw(stream, is_logistic=False)}, ""
    if coins:
        draws["toss"] = Draw(Stream.COINS + stream, is_logistic=False)
        bits = (f"(floor(toss/{2**j}) - 2*floor(toss/{2 ** (j + 1)}))" for j in range(len(coins)))
        tossed = " + " + " + ".join(f"coin_{j}*{bit}" for j, bit in enumerate(bits))
    span = 2 * NOISE_MAX + 1
    change = f" + noise_step*(floor(draw*{span}/{2**32}) - {NOISE_MAX})"
    return tossed, change, {"noise_step": chip.noise_step, **coins}, draws


def _coins(network: Network, arithmetic: ChipArithmetic, population: str) -> dict[str, Array]:
    """Return what each coin of a population transmits, by the coin's name."""
    described = {p.name for p in network.projections}
    for p in arithmetic.network.projections:
        if p.post == population and p.name not in described:
            sent = arithmetic.transmitted(p.name, initial_weights(arithmetic.network, p.name, 0))
            return {f"coin_{j}": sent[..., j, 0] for j in range(len(COINS))}
    return {}


def _wrapped(name: str, bits: int) -> str:
    """Return the statement that wraps a number to a register of *bits* bits and a sign."""
    span = 2 << bits
    return f"{name} = {name} - {span}*floor({name}/{span} + 0.5)"


_CLIP = f"{-STATE_MAX - 1}, {STATE_MAX}"
# It is floor(v/threshold): whole numbers and a half are far from what rounding could change.
_SPIKES = "count = min(floor((v + 0.5)*inverse), {most}); v = v - count*threshold"


def xylo_node(arithmetic: XyloArithmetic, name: str, depth: int) -> NodeProgram:
    """Return the program of a population; see `neurorl.arithmetic.xylo_integers` for its step.

    depth: steps for which its spikes are kept.
    """
    chip = arithmetic.chip.populations[name]
    lines = [  # a decay of x is x >> s, and at least 1 of x > 0
        "u = u - max(min(u, 1), floor(u*lost_u))",
        "back = 0 - max(min(v, 1), floor(v*lost_v))",
        f"driven = clip(back + u, {_CLIP})",
        f"change = clip(driven + bias, {_CLIP})",
        f"v = clip(v + change, {_CLIP})",
    ]
    if (chip.shift_mem == 0).any():  # all of the lowest membrane has no positive in 16 bits
        lines.insert(2, _wrapped("back", 15))
    constants = {
        "lost_u": np.exp2(-chip.shift_syn.astype(np.float64)),
        "lost_v": np.exp2(-chip.shift_mem.astype(np.float64)),
        "threshold": chip.threshold.astype(np.float64),
        "inverse": 1 / chip.threshold,
    }
    return replace(
        _in_integers(name, depth, lines, constants),
        inputs=("u",),
        limits=(-STATE_MAX - 1.0, float(STATE_MAX)),
        threshold=Expression("v >= threshold"),
        reset=read_statements(_SPIKES.format(most=chip.most), name),
        releases={"count": Release(name, 1, "count")},
    )
