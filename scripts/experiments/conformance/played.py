"""Play a case on nengo-loihi's emulator and on the reference, and describe it in integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.conformance.cases import Case
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.base import Backend
from neurorl.backends.loihi import LoihiSimulator
from neurorl.backends.registry import load
from neurorl.network.description import Plasticity
from neurorl.testing import rasters

Arrays = dict[str, npt.NDArray[Any]]
STEPS = 120
_MAGNITUDE = 20.0
_SEED = 5


class _Draws:
    """Pass on the emulator's generator, and keep the uniform numbers that are drawn."""

    def __init__(self, rng: np.random.RandomState) -> None:
        self._rng, self.uniforms = rng, []  # type: tuple[np.random.RandomState, list[Any]]

    def rand(self, *shape: int) -> npt.NDArray[np.float64]:
        """Draw uniform numbers, as numpy.random.RandomState does."""
        drawn = np.asarray(self._rng.rand(*shape))
        self.uniforms.extend(drawn.ravel())
        return drawn

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rng, name)


def describe(case: Case) -> tuple[dict[str, Any], Arrays]:
    """Return a case in integers: the content of its JSON file, and the arrays that are given."""
    network = case.network
    chip = ChipArithmetic(network, case.noise)
    with load("reference", network, arithmetic="loihi", noise=case.noise) as backend:
        weights = {p.name: backend.weights(p.name) for p in network.projections}
    populations, projections, arrays = {}, [], dict[str, npt.NDArray[Any]]()
    for population in network.populations:
        integers = chip.chip.populations[population.name]
        populations[population.name] = {
            "size": population.size,
            "current_decay": integers.current_decay.tolist(),
            "voltage_decay": integers.voltage_decay.tolist(),
            "threshold": integers.threshold.tolist(),
            "bias": np.asarray(chip.bias(population.name, weights)).astype(int).tolist(),
            "refractory": (integers.refractory - 1).tolist(),
            "noise": _noise_of(case, bool(integers.noise_width.any())),
        }
    for p in network.projections:
        transmitted = np.asarray(chip.transmitted(p.name, weights[p.name])).astype(np.int64)
        arrays[f"{p.name}.weights"] = transmitted
        row: dict[str, Any] = {"name": p.name, "pre": p.pre, "post": p.post}
        row["delay"] = network.delay_steps(p.name)
        row["exponent"] = int(chip.chip.projections[p.name].exponent)
        if isinstance(p.plasticity, Plasticity):
            tau = max(1, round(p.plasticity.trace_tau / network.dt))
            row["plastic"] = {"tau": tau, "magnitude": _MAGNITUDE}
        projections.append(row)
    data = {
        "format": 1,
        "feature": case.feature,
        "steps": STEPS,
        "sources": {s.name: s.size for s in network.sources},
        "populations": populations,
        "projections": projections,
    }
    return data, arrays


def _noise_of(case: Case, is_noisy: bool) -> str:
    if not is_noisy:
        return "none"
    return "threshold" if case.noise == "exact" else "voltage"


def play(case: Case) -> tuple[Arrays, Arrays]:
    """Return the inputs and draws of a case, and what nengo-loihi's emulator did in every step.

    Raises AssertionError if the reference differs from it.
    """
    given: Arrays = {
        f"{name}.spikes": raster.astype(np.int64)
        for name, raster in rasters(case.network, STEPS, _SEED, case.density).items()
    }
    given |= _noise(case)
    if case.errors:
        rng = np.random.default_rng(_SEED)
        size = case.network.node("cells").size
        given["cells.error"] = rng.integers(-127, 128, (STEPS, size))
        return _learned(case, given)
    options: dict[str, Any] = {"arithmetic": "loihi", "seed": _SEED, "noise": case.noise}
    with (
        load("loihi", case.network, **options, engine="stock") as emulator,
        load("reference", case.network, **options) as reference,
    ):
        expected, ours = _steps(emulator, given), _steps(reference, given)
    for key, values in expected.items():
        assert np.array_equal(values, ours[key]), key
    return given, expected


def _noise(case: Case) -> Arrays:
    """Return the integers that noise adds in each step, by ``POPULATION.noise``."""
    arrays: Arrays = {}
    options: dict[str, Any] = {"arithmetic": "loihi", "seed": _SEED, "noise": case.noise}
    with load("reference", case.network, **options) as backend:
        chip = ChipArithmetic(case.network, case.noise).chip
        for p in case.network.populations:
            integers = chip.populations[p.name]
            if not integers.noise_width.any():
                continue
            (rows,) = backend.simulated.draws(p.name)
            drawn = np.stack([rows(t) for t in range(STEPS)])
            if integers.noise_exponent:
                values = drawn.astype(np.int64) * integers.noise_step
            else:
                values = np.floor(integers.noise_width * drawn + 0.5).astype(np.int64)
            arrays[f"{p.name}.noise"] = values
    return arrays


def _steps(backend: Backend, given: Arrays) -> Arrays:
    """Return spikes, currents and voltages of every step."""
    network, rows = backend.network, dict[str, list[Any]]()
    for t in range(STEPS):
        now = {s.name: given[f"{s.name}.spikes"][t : t + 1] > 0 for s in network.sources}
        spikes, state = backend.step(now, 1), backend.state()
        for p in network.populations:
            rows.setdefault(f"{p.name}.spikes", []).append(spikes[p.name][0].astype(np.int64))
            for key in ("current", "voltage"):
                rows.setdefault(f"{p.name}.{key}", []).append(state[f"{p.name}.{key}"])
    return {key: np.stack(values).astype(np.int64) for key, values in rows.items()}


def _learned(case: Case, given: Arrays) -> tuple[Arrays, Arrays]:
    """Play a network of one plastic projection ``drive`` into ``cells`` that learns by PES."""
    network = case.network
    n_pre, n_post = network.weight_shape("drive")
    given["drive.trace_draws"] = np.full((STEPS, n_pre), np.nan)
    given["drive.weight_draws"] = np.full((STEPS, n_pre, n_post), np.nan)
    rows = dict[str, list[Any]]()
    backend = load(
        "loihi",
        network,
        seed=_SEED,
        learning="pes",
        pes_magnitude=_MAGNITUDE,
        engine="stock",
    )
    with backend:
        simulator = backend.simulator
        assert isinstance(simulator, LoihiSimulator)
        emulator = simulator.engines[0]._emulator  # type: ignore[attr-defined]
        emulator.rng = draws = _Draws(emulator.rng)
        for t in range(STEPS):
            now = {"input": given["input.spikes"][t : t + 1] > 0}
            error = given["cells.error"][t : t + 1] / 127
            spikes, state = backend.learn(now, {"cells": error}, 1), backend.state()
            _take(draws.uniforms, given, t)
            for key in ("current", "voltage"):
                rows.setdefault(f"cells.{key}", []).append(state[f"cells.{key}"])
            rows.setdefault("cells.spikes", []).append(spikes["cells"][0])
            rows.setdefault("drive.trace", []).append(state["drive.trace"])
            learned = simulator.engines[0].learned_weights("drive")
            rows.setdefault("drive.learned", []).append(learned.copy())
    return given, {key: np.stack(values).astype(np.int64) for key, values in rows.items()}


def _take(uniforms: list[Any], given: Arrays, t: int) -> None:
    """Move the draws of step *t*: first those of traces, then of weights, twins last in a row."""
    n_pre, n_post = given["drive.weight_draws"].shape[1:]
    if len(uniforms) >= n_pre:
        given["drive.trace_draws"][t] = uniforms[:n_pre]
        del uniforms[:n_pre]
    if uniforms:
        given["drive.weight_draws"][t] = np.reshape(uniforms, (n_pre, 2 * n_post))[:, :n_post]
        uniforms.clear()
