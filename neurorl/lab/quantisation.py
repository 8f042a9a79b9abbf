"""Report what becomes of a network's numbers in chip arithmetic: the error of each, by name.

An error of a weight, threshold or bias is in units of the membrane's *scale*: its threshold, or of
a population without one the width of its noise. So 0.01 is 1 % of what makes a neuron spike.

`compare` tells what an agent loses by being moved from one setting to another. A setting is a
backend, an arithmetic and a noise, as `SpikingActorCritic.player` takes them. Both play with the
same seed: the same input spikes, ties drawn alike, and (of noise ``'exact'``) the same draws, so
that what differs is due to the setting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from neurorl.agents.local import SpikingActorCritic
from neurorl.arithmetic.chip_noise import threshold_reduction, with_coin_sources
from neurorl.arithmetic.fitting import Weights, largest_sums
from neurorl.arithmetic.quantiser import kept
from neurorl.arithmetic.rounding import Arithmetic, ChipArithmetic, make_arithmetic
from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import STATE_MAX
from neurorl.backends.base import Backend
from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, check_name
from neurorl.network.description import Network, Population, Projection
from neurorl.network.initial_weights import initial_weights
from neurorl.network.neuron import Integrator
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.numerics.random import derive, read_seed
from neurorl.storage.plain import Named, PlainData


class QuantisationReport(TypedDict):
    """Hold a row for each population and projection, see `quantisation_report`."""

    noise: str
    populations: list[PlainData]
    projections: list[PlainData]


def quantisation_report(
    network: Network,
    weights: Mapping[str, FloatArray] | None = None,
    *,
    arithmetic: str = "loihi",
    noise: str = "exact",
    inputs: Mapping[str, npt.ArrayLike] | None = None,
    n_steps: int = 0,
    seed: int = 0,
) -> QuantisationReport:
    """Return rows ``populations`` and ``projections``, with the worst neuron or weight.

    weights: by projection, in the description's units; those left out are the initial ones of
    *seed*. arithmetic: a chip's. noise: as in `neurorl.arithmetic.quantiser.quantise`. Integers are
    those of *network* as it is described; for one that won't learn, see `Arithmetic.fitted`.

    Population: scale; unit (chip integers to one unit of the membrane); threshold_error and
    bias_error (of the scale); threshold_lowered (of the scale), on purpose, see
    `neurorl.arithmetic.chip_noise.threshold_reduction`; current_decay_error and
    membrane_decay_error (of what is left after a step, chip less description); noise_error
    (``'exact'``: of the scale, from rounding draws; of the chip's own the largest
    ``|p - sigmoid|``, None for units with a memory,
    for which no bound is known); arriving_percent, current_percent and bias_percent, see
    `neurorl.arithmetic.fitting.Sums`: above 100, all inputs at once overflow (Xylo: saturate).

    Projection: exponent; resolution and largest (of weights); worst_error and rms_error (of the
    scale; without those clipped); clipped_percent of weights beyond the largest, and zeroed_percent
    of those that aren't 0 and become 0.

    With *inputs* for *n_steps* steps, as `Backend.step` takes them, populations also have rate and
    chip_rate (spikes a step, on the reference with the same draws), and rate_error_percent, None
    for one that is silent in float arithmetic.
    Raises UnsupportedError for what has no integers at all.
    """
    seed = read_seed(seed)
    drawn = {p.name: initial_weights(network, p.name, seed) for p in network.projections}
    held = {name: np.asarray((weights or {}).get(name, w)) for name, w in drawn.items()}
    with_coins = with_coin_sources(network, noise)[0]
    check_name("arithmetic of a chip", arithmetic, _POPULATION)
    made, chip = _POPULATION[arithmetic], make_arithmetic(arithmetic, with_coins, noise)
    every = {p.name: held.get(p.name, p.weights) for p in with_coins.projections}
    report: QuantisationReport = {
        "noise": noise,
        "populations": [{"population": p.name} | made(chip, p, every) for p in network.populations],
        "projections": [_projection(chip, p, held[p.name]) for p in network.projections],
    }
    if inputs is not None:
        settings = {"arithmetic": "float"}, {"arithmetic": arithmetic, "noise": noise}
        backends = (load("reference", network, seed=seed, **setting) for setting in settings)
        rates = [_rates(backend, held, inputs, n_steps) for backend in backends]
        for row in report["populations"]:
            rate, chip_rate = (of_each[row["population"]] for of_each in rates)
            row |= {"rate": rate, "chip_rate": chip_rate}
            row["rate_error_percent"] = 100 * (chip_rate - rate) / rate if rate else None
    return report


def _rates(
    backend: Backend, weights: Weights, inputs: Mapping[str, npt.ArrayLike], n_steps: int
) -> dict[str, float]:
    """Return the spikes a step of each population."""
    with backend:
        for name, values in weights.items():
            backend.set_weights(name, values)
        rasters = backend.step(inputs, n_steps)
    return {name: float(raster.mean()) for name, raster in rasters.items()}


def _on_xylo(arithmetic: XyloArithmetic, population: Population, weights: Weights) -> PlainData:
    name, network = population.name, arithmetic.network
    chip, unit = arithmetic.chip.populations[name], arithmetic.membrane_unit(name)
    d = population.integrator(network.dt)
    scale, arriving = _scale(d), np.zeros(population.size)
    for p in network.projections:
        if p.post == name and p.pre not in network.analog:
            sent = arithmetic.transmitted(p.name, weights[p.name])
            signs = (network.sums_into(p.name, np.maximum(sign * sent, 0)) for sign in (1, -1))
            arriving += np.maximum(*signs)
    return {
        "scale": scale,
        "unit": chip.unit,
        # A threshold of whole numbers stands for all between it and the one below.
        "threshold_error": _worst((chip.threshold - 0.5) / unit - d.threshold) / scale,
        "bias_error": _worst(chip.bias / unit - d.bias) / scale,
        "current_decay_error": _signed(chip.kept - d.current_decay),
        "membrane_decay_error": _signed(1 - np.exp2(-chip.shift_mem) - d.membrane_decay),
        "arriving_percent": 100 * _worst(arriving) / STATE_MAX,
        "current_percent": 100 * _worst(arriving * np.exp2(chip.shift_syn)) / STATE_MAX,
        "bias_percent": 100 * float(np.abs(chip.bias).max()) / STATE_MAX,
        **dict.fromkeys(("threshold_lowered", "noise_error"), 0.0),
    }


def _on_loihi(arithmetic: ChipArithmetic, population: Population, weights: Weights) -> PlainData:
    chip = arithmetic.chip.populations[population.name]
    d = population.integrator(arithmetic.network.dt)
    scale = _scale(d)
    # For noise of the chip's own it may be lower, for the rate.
    wanted = d.threshold - (threshold_reduction(d, kept(d)) if not arithmetic.noise.is_exact else 0)
    # The bias makes up for the chip's lowest threshold, and then contains it.
    threshold = np.where(wanted * chip.unit < chip.threshold / 2, 0, chip.threshold)
    bias = chip.bias - (chip.threshold - threshold)
    noisy = d.noise_width > 0
    error: float | None = 0.5 / chip.unit / scale
    if chip.noise_exponent:
        has_memory = d.current_decay[noisy].any() or d.membrane_decay[noisy].any()
        error = None if has_memory else arithmetic.noise.largest_error
    sums = largest_sums(arithmetic.network, arithmetic.chip, population.name, weights)
    return {
        "scale": scale,
        "unit": chip.unit,
        "threshold_error": _worst(threshold / chip.unit - wanted) / scale,
        "threshold_lowered": _worst(d.threshold - wanted) / scale,
        "bias_error": _worst(bias / chip.unit - d.bias) / scale,
        "current_decay_error": _signed((4095 - chip.current_decay) / 4096 - d.current_decay),
        "membrane_decay_error": _signed((4096 - chip.voltage_decay) / 4096 - d.membrane_decay),
        "noise_error": error if noisy.any() else 0.0,
        "arriving_percent": 100 * sums.arriving,
        "current_percent": 100 * sums.current,
        "bias_percent": 100 * sums.bias,
    }


_POPULATION: Mapping[str, Callable[..., PlainData]] = {"loihi": _on_loihi, "xylo": _on_xylo}
"""Map each arithmetic of a chip to what makes the row of a population."""


def _projection(arithmetic: Arithmetic, p: Projection, weights: FloatArray) -> PlainData:
    network, rounding = arithmetic.network, arithmetic.rounding(p.name)
    post = network.node(p.post)
    assert isinstance(post, Population)
    there = np.ones(network.weight_shape(p.name), dtype=bool) if p.mask is None else p.mask
    present = np.broadcast_to(weights, there.shape)[there]
    rounded = arithmetic.round(p.name, present)
    largest = rounding.limit * rounding.unit
    clipped = np.abs(present) > largest + rounding.unit / 2
    error = (rounded - present)[~clipped] / _scale(post.integrator(network.dt))
    zeroed = (present != 0) & (rounded == 0)
    row = {"projection": p.name, "exponent": arithmetic.exponent(p.name)}
    row |= {"resolution": rounding.unit, "largest": largest, "worst_error": _worst(error)}
    row["rms_error"] = float(np.sqrt(np.mean(error**2))) if error.size else 0.0
    return {**row, "clipped_percent": _percent(clipped), "zeroed_percent": _percent(zeroed)}


def _scale(d: Integrator) -> float:
    """Return a population's mean threshold, or the noise's width where that is 0, or 1."""
    for values in (d.threshold, d.noise_width):
        if values.any():
            return float(np.abs(values).mean())
    return 1.0


def _worst(values: FloatArray) -> float:
    return float(np.abs(values).max(initial=0.0))


def _signed(values: FloatArray) -> float:
    """Return the value of largest magnitude."""
    return float(values[np.argmax(np.abs(values))])


def _percent(where: BoolArray) -> float:
    return 100 * float(where.mean()) if where.size else 0.0


_PLAY, _RESET = 5, 6  # purposes of derived seeds


class Comparison(TypedDict):
    """Say how alike two settings decide, see `compare`."""

    decisions: int
    agreement: float
    populations: list[PlainData]


def compare(
    agent: SpikingActorCritic,
    decisions: int = 2000,
    *,
    first: Named,
    second: Named,
    seed: int = 0,
    other_seed: int | None = None,
) -> Comparison:
    """Return how alike two settings are, over decisions of greedy play in the *first* one.

    The second is shown the observations of the first, and its actions are not taken.
    other_seed: gives the second one other noise and ties: how far two runs of one setting differ
    by draws alone.
    Returns agreement (the share of decisions with the same action), decisions, and for each
    population a row of ``populations``: rate and other_rate (spikes of a neuron per step, first
    and second), error_percent (of the mean rate; None if that is 0) and rms (of the neurons' own
    differences, spikes per step). Raises ArgumentError for decisions out of range.
    """
    if decisions < 1:
        raise ArgumentError("compare", "decisions out of range", got=decisions, limit=">= 1")
    seed = read_seed(seed, "compare.seed")
    other = seed if other_seed is None else read_seed(other_seed, "compare.other_seed")
    settings = (seed, first), (other, second)
    populations = agent.network.populations
    players = [agent.player(derive(k, _PLAY, agent.seed), **dict(x)) for k, x in settings]
    # Steps in which input can have reached a population.
    reached = {p.name: slice(agent.network.depth(p.name) - 1, None) for p in populations}
    spikes = [{p.name: np.zeros(p.size) for p in populations} for _ in players]
    same = done = episode = 0
    with players[0].backend, players[1].backend:
        while done < decisions:
            observation, _ = agent.env.reset(seed=derive(seed, _RESET, episode) & 0x7FFFFFFF)
            episode += 1
            over, paid = False, 0.0
            for player in players:
                player.begin()
            while not over and done < decisions:
                actions = []
                for player, sums in zip(players, spikes, strict=True):
                    move = player.move(observation, reward=paid)
                    for name, steps in reached.items():
                        sums[name] += move.rasters[name][steps].sum(axis=0)
                    actions.append(move.action)
                same += actions[0] == actions[1]
                done += 1
                taken = agent.actions.taken(actions[0])
                observation, reward, terminated, truncated, _ = agent.env.step(taken)
                paid, over = float(reward), terminated or truncated
    rows = []
    for name, steps in reached.items():
        n_steps = done * len(range(agent.config.window)[steps])
        a, b = (sums[name] / max(1, n_steps) for sums in spikes)
        mean, changed = float(a.mean()), float(b.mean())
        row: PlainData = {"population": name, "rate": mean, "other_rate": changed}
        row["error_percent"] = 100 * (changed - mean) / mean if mean else None
        rows.append({**row, "rms": float(np.sqrt(np.mean((a - b) ** 2)))})
    return {"decisions": decisions, "agreement": same / decisions, "populations": rows}
