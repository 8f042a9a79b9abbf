"""Test the noise that the chip itself has, by enumeration, by counting, and by the reference."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from simulators import loihi_of

from neurorl import SpikingActorCritic
from neurorl.arithmetic.chip_noise import COINS, NOISES, UniformRows, tossed
from neurorl.backends.loihi.hardware import HardwareEngine
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.backends.loihi.vendor import EmulatorInterface
from neurorl.backends.registry import load
from neurorl.errors import UnknownNameError, UnsupportedError
from neurorl.models import GLM, LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.numerics.random import DrawRows, Stream
from neurorl.testing import FEATURES, rasters, same_state

OWN = ("chip", "chip+coins")


def units(levels: npt.ArrayLike, **neuron: Any) -> Network:
    """Return a memoryless unit of noise width 1/2 for each level, with that as its bias."""
    bias = np.asarray(levels, dtype=np.float64)
    made = CubaLIF(0.0, 0.0, 0.0, bias, 0.5, **neuron)
    return Network(
        (Source("input", 2), Population("cells", len(bias), made)),
        (Projection("drive", "input", "cells", 0.3),),
    )


def probabilities(backend: Any) -> npt.NDArray[np.float64]:
    """Return P(spike) of units at rest without input, by counting noises above the threshold."""
    arithmetic = backend.arithmetic
    chip = arithmetic.chip.populations["cells"]
    bias = loihi_of(backend).arithmetic.bias("cells", loihi_of(backend).weights_of(0))
    noises = np.arange(-127, 128) * 2 ** (chip.noise_exponent - 7)
    coins = np.zeros(1)
    if backend.noise == "chip+coins":
        exponent = arithmetic.chip.projections["cells_coin_weights"].exponent
        tosses = itertools.product((0, 1), repeat=3)
        coins = np.array([np.dot(COINS, toss) for toss in tosses]) * 2.0 ** (6 + exponent)
    total = bias[:, None, None] + noises[None, :, None] + coins
    return np.asarray((total > chip.threshold[:, None, None]).mean(axis=(1, 2)))


# The line of slope 1 / (2h) from (-h, 0) to (h, 1), h = 2.80 widths: at its corner it is off by
# sigmoid(-h) = 0.0573; where sigmoid' = 1 / (2h), at sigmoid = 1/2 + sqrt(1/4 - 1/(2h)) = 0.7672
# and z = 1.1931, by 0.7672 - (1/2 + z / (2h)) = 0.0542. 255 values are at most 1/255 off the line.
BOUND = {"chip": 0.0573 + 1 / 255, "chip+coins": 0.02}


@pytest.mark.parametrize("mode", OWN)
def test_the_probability_is_near_the_sigmoid(mode: str) -> None:
    levels = np.linspace(-4, 4, 801)
    with load("loihi", units(levels), noise=mode, engine="stock") as backend:
        error = np.abs(probabilities(backend) - 1 / (1 + np.exp(-2 * levels))).max()
    assert error <= BOUND[mode]
    assert 0.9 * NOISES[mode].largest_error < error <= NOISES[mode].largest_error


@pytest.mark.parametrize("mode", OWN)
def test_units_spike_as_often_as_enumerated(mode: str) -> None:
    levels, n_steps = np.linspace(-1.5, 1.5, 41), 4000
    with load("loihi", units(levels), noise=mode, seed=3) as backend:
        p = probabilities(backend)
        seen = backend.step({}, n_steps)["cells"]
    # What is left of the membrane after a step, 1/4096, moves p by less than 0.001.
    allowed = 4.5 * np.sqrt(p * (1 - p) / n_steps) + 0.001
    assert (np.abs(seen.mean(axis=0) - p) <= allowed).all()
    # One step says nothing of the next.
    late, early = seen[1:, 20].astype(float), seen[:-1, 20].astype(float)
    assert abs(np.corrcoef(late, early)[0, 1]) < 4.5 / np.sqrt(n_steps)


def layers(neuron: Any, **projection: Any) -> Network:
    return Network(
        (Source("input", 5), Population("a", 9, neuron), Population("b", 4, neuron)),
        (
            Projection("into", "input", "a", Uniform(-0.5, 1.0), **projection),
            Projection("on", "a", "b", Uniform(-0.5, 1.0), signed=True),
            Projection("loop", "a", "a", Uniform(-0.3, 0.3), blocks=3),
        ),
    )


def sparing() -> Network:
    """Return units of which some have no noise, with refractory periods."""
    noise = 0.5 * (np.arange(9) % 3 > 0)
    some = CubaLIF(0.0, 0.0, 0.1, 0.05, noise, refractory=2e-3)
    return Network(
        (Source("input", 5), Population("a", 9, some), Population("still", 3, LIF())),
        (
            Projection("into", "input", "a", Uniform(-0.5, 1.0)),
            Projection("on", "a", "still", Uniform(0.0, 1.0)),
        ),
    )


def flowing() -> Network:
    cells = Population("a", 6, GLM(bias=0.1))
    return Network(
        (Source("input", 3), Source("flow", 4, kind="current"), cells),
        (
            Projection("into", "input", "a", Uniform(-0.5, 0.5)),
            Projection("currents", "flow", "a", Uniform(-0.5, 0.5)),
        ),
    )


LEAKY = CubaLIF(1.5e-3, 4.5e-3, 0.5, 0.0, 0.5, refractory=2e-3)
CASES = [
    *((mode, "memoryless", lambda: layers(GLM(bias=0.1))) for mode in OWN),
    *((mode, "delays", lambda: layers(GLM(), delay=3e-3)) for mode in OWN),
    *((mode, "some without noise", sparing) for mode in OWN),
    *((mode, "currents", flowing) for mode in OWN),
    ("chip", "leaky", lambda: layers(LEAKY)),
    ("chip", "escape noise", FEATURES["escape noise"]),
    ("chip", "LIF", FEATURES["LIF"]),
]


WAYS: dict[str, dict[str, Any]] = {
    "C++": {"name": "loihi"},
    "NumPy": {"name": "loihi"},
    "stock": {"name": "loihi", "engine": "stock"},
    "native": {"name": "native"},
    "brian2": {"name": "brian2"},
}
EVERY = [
    pytest.param(mode, make, way, id=f"{mode}, {what}, {way}")
    for mode, what, make in CASES
    for way in WAYS
]


@pytest.mark.parametrize(("mode", "make", "way"), EVERY)
def test_every_bit_is_the_references(
    mode: str, make: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "NumPy":
        monkeypatch.setattr("neurorl.backends.loihi.quick.toolchain.problem", lambda: "no compiler")
    network = make()
    rng = np.random.default_rng(1)
    options: dict[str, Any] = {"seed": 2**62 + 7, "arithmetic": "loihi", "noise": mode}
    with (
        load(**WAYS[way], network=network, **options) as backend,
        load("reference", network, **options) as reference,
    ):
        spikes = 0
        for window in range(12):
            n_steps = int(rng.integers(1, 9))
            inputs = rasters(network, n_steps, window, 0.4)
            seen, expected = backend.step(inputs, n_steps), reference.step(inputs, n_steps)
            for node, raster in expected.items():
                assert np.array_equal(seen[node], raster), (window, node)
                spikes += int(raster.sum())
            assert same_state(backend.state(), reference.state()) == [], window
            for name in [p.name for p in network.projections] if window % 3 == 0 else ():
                weights = rng.uniform(-0.5, 1.0, network.weight_shape(name))
                for one in (backend, reference):
                    one.set_weights(name, weights)
            if window % 5 == 4:
                backend.reset()
                reference.reset()
        assert spikes > 20


@pytest.mark.parametrize("mode", OWN)
def test_a_state_goes_on_and_moves_between_backends(mode: str) -> None:
    network = layers(GLM(bias=0.1))
    inputs = rasters(network, 8, 0)
    with (
        load("loihi", network, seed=2, noise=mode) as backend,
        load("reference", network, seed=2, arithmetic="loihi", noise=mode) as reference,
        load("brian2", network, seed=2, arithmetic="loihi", noise=mode) as brian2,
    ):
        backend.step(inputs, 8)
        state = backend.state()
        assert not any("coin" in key for key in state)
        expected = backend.step(inputs, 8)
        few = {"input": inputs["input"][:3]}
        for other in (backend, reference, brian2):
            other.step(few, 3)
            other.restore(state)
            seen = other.step(inputs, 8)
            assert all(np.array_equal(seen[k], expected[k]) for k in expected), other.name


@pytest.mark.parametrize(
    ("mode", "way"),
    [(mode, way) for mode in OWN for way in ("C++", "reference", "native", "brian2")],
)
def test_a_replica_is_its_seed_alone(mode: str, way: str) -> None:
    network = layers(GLM(bias=0.1))
    options: dict[str, Any] = {"noise": mode, "arithmetic": "loihi"}
    options |= WAYS.get(way, {"name": way})
    inputs = rasters(network, 30, 0)
    with (
        load(network=network, seed=(5, 9), **options) as both,
        load(network=network, seed=9, **options) as alone,
    ):
        for t in (2**33 + 1, 2**33 + 2, 4, 2**33 + 7):
            state = {**alone.state(), "t": np.array(t)}
            both.restore(state, 1)  # the other one starts at 0
            alone.restore(state)
            seen = both.step({"input": np.tile(inputs["input"], 2)}, 30)
            expected = alone.step(inputs, 30)
            for node, raster in expected.items():
                size = raster.shape[1]
                assert np.array_equal(seen[node][:, size:], raster), t
                assert not np.array_equal(seen[node][:, :size], raster), t


def test_the_formula_is_nengo_loihis() -> None:
    with load("loihi", units([0.0, 0.1]), noise="chip", engine="stock") as backend:
        engine: Any = loihi_of(backend).engines[0]
        step = 2 ** (engine._compiled.chip["cells"].noise_exponent - 7)
        with np.errstate(invalid="ignore"):
            stock = EmulatorInterface(engine._compiled.model, seed=5)
        seen = np.stack([stock.compartment.noise.sample(stock.rng) for _ in range(5000)])
        assert np.array_equal(np.unique(seen), np.arange(-127, 128) * step)
        assert stock.compartment.noise.target_u.all()


@pytest.mark.parametrize(
    "neuron",
    [
        {"tau_syn": 1.44e-3, "tau_mem": 4.48e-3, "threshold": 0.5, "noise": 0.5},
        {"tau_syn": 1.44e-3, "tau_mem": 4.48e-3, "threshold": 1.0, "noise": 0.25},
        {"tau_syn": 0.0, "tau_mem": 1.5e-3, "threshold": 0.5, "noise": 0.5},
        {"tau_syn": 2e-3, "tau_mem": 10e-3, "threshold": 1.0, "noise": 0.3},
    ],
)
def test_the_leaky_keep_their_rate(neuron: dict[str, float]) -> None:
    """Return windows of 12 steps from rest, drives from silence to every other step and more."""
    scale = (1 - np.exp(-1e-3 / (neuron["tau_syn"] or 1e-9))) * neuron["threshold"]
    bias = np.tile(np.linspace(-0.5, 1.2, 18) * scale, 60)
    network = Network((Population("cells", len(bias), CubaLIF(bias=bias, **neuron)),))
    rates = {}
    for arithmetic, noise in (("float", "exact"), ("loihi", "chip")):
        with load("reference", network, seed=4, arithmetic=arithmetic, noise=noise) as backend:
            seen = np.zeros(len(bias))
            for _ in range(20):
                backend.reset()
                seen += backend.step({}, 12)["cells"].mean(axis=0)
        rates[noise] = (seen / 20).reshape(60, -1).mean(axis=0)
    error = rates["chip"] - rates["exact"]
    assert np.ptp(rates["exact"]) > 0.25
    # With the spread of escape noise and the threshold as it is, these are 0.13 and 0.15.
    assert np.sqrt(np.mean(error**2)) < 0.025
    assert np.abs(error).max() < 0.045


def test_the_spread_in_the_leaky_is_as_said() -> None:
    """v = r v + noise without a spike has sd ``h / sqrt(3 (1 - r**2))``."""
    quiet = CubaLIF(0.0, 9.5e-3, 20.0, 0.0, 0.5)
    network = Network((Population("cells", 400, quiet),))
    with load("loihi", network, noise="chip", seed=1) as backend:
        backend.step({}, 60)
        unit = backend.arithmetic.chip.populations["cells"].unit  # type: ignore[attr-defined]
        voltage = backend.state()["cells.voltage"] / unit
    left = round(4096 * np.exp(-1 / 9.5)) / 4096
    wanted = 2.80 * 0.5 / np.sqrt(3) / (1 - left**2) ** 0.25
    assert abs(voltage.std() / wanted - 1) < 4.5 / np.sqrt(2 * 400)


def test_the_equations_of_brian2_show_it() -> None:
    options: dict[str, Any] = {"arithmetic": "loihi", "noise": "chip+coins"}
    with load("brian2", layers(GLM()), **options) as backend:
        text = backend.source()
    for part in (
        "drawn_draw = draw(i, t_in_timesteps, stream_draw, seed)",
        "drawn_toss = draw(i, t_in_timesteps, stream_toss, seed)",
        "q + coin_0 * (neurorl_floor(drawn_toss / 1.0) - 2.0 * neurorl_floor(drawn_toss / 2.0))",
        "u + bias + noise_step * (neurorl_floor(drawn_draw * 255.0 / 4294967296.0) - 127.0)",
        "threshold='v > threshold'",
        "# draw(i, step, stream, seed): 32 bits of neurorl.numerics.random, 0 to 2**32 - 1",
    ):
        assert part in text
    assert "logistic" not in text


def test_draws_are_even() -> None:
    x = np.concatenate([UniformRows(3, 1, 500)(k) for k in range(510)])
    assert x.dtype == np.int32
    counts = np.bincount(x + 127, minlength=255)
    assert len(counts) == 255
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(1000)
    rows = DrawRows(3, Stream.COINS + 1, 500, tossed)
    coins = np.stack([rows(k) for k in range(100)]).reshape(-1, 3)
    assert np.abs(coins.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(len(coins))
    codes = np.bincount(coins @ [1, 2, 4], minlength=8)
    assert np.abs(codes - len(coins) / 8).max() < 5 * np.sqrt(len(coins) / 8)


def test_what_a_mode_cannot_do_is_refused() -> None:
    network = layers(GLM())
    with pytest.raises(UnknownNameError, match="got 'logistic'"):
        load("loihi", network, noise="logistic")
    with pytest.raises(UnsupportedError, match="noise 'chip' in arithmetic 'float'"):
        load("reference", network, noise="chip")
    with pytest.raises(UnsupportedError, match=r"'a': units with a memory.*; noise='chip'"):
        load("loihi", layers(LEAKY), noise="chip+coins")
    motley = Network((Population("a", 2, LIF(0.0, 0.5, noise=np.array([0.1, 0.2]))),))
    with pytest.raises(UnsupportedError, match="'a': neurons of several noise widths"):
        load("loihi", motley, noise="chip")
    narrow = Network(
        (Source("input", 1), Population("a", 2, LIF(0.0, 0.5, noise=1e-3))),
        (Projection("into", "input", "a", 2.0),),
    )
    with pytest.raises(UnsupportedError, match="'a': noise too narrow against the weights"):
        load("loihi", narrow, noise="chip")


def test_coins_take_axons_and_cores() -> None:
    """The coins of a neuron take 3 axons: 1400 neurons need a core more than without."""
    network = Network(
        (Source("input", 1), Population("a", 1400, GLM(bias=0.1))),
        (Projection("into", "input", "a", 0.2),),
    )
    with (
        load("loihi", network, noise="chip+coins", core=CoreLimits(axons_in=1501)) as backend,
        load("reference", network, arithmetic="loihi", noise="chip+coins") as reference,
    ):
        (row,) = loihi_of(backend).chip_table()
        assert (row["cores"], row["axons_in"]) == (3, 4200 + 3)
        assert np.array_equal(backend.step({}, 6)["a"], reference.step({}, 6)["a"])


def test_a_chip_takes_its_own_noise_only() -> None:
    network = layers(GLM())
    found = {}
    for mode in ("exact", *OWN):
        with load("loihi", network, noise=mode, engine="stock") as backend:
            engine: Any = loihi_of(backend).engines[0]
            simulated = loihi_of(backend).simulated
            found[mode] = HardwareEngine.problems(engine._compiled, simulated)
    assert found["chip"] == found["chip+coins"] == []
    assert [text.split(" (")[1] for text in found["exact"]] == [
        "take the chip's own: noise='chip' or 'chip+coins')"
    ] * 2


def test_rules_that_need_probabilities_are_refused() -> None:
    options = {"noise": "chip"}
    with pytest.raises(UnsupportedError, match="noise 'chip': rule 'coagent' needs spike prob"):
        SpikingActorCritic(
            "neurorl/GridWorld-v0", "glm", "loihi", backend_options=options, rule="coagent"
        )


@pytest.mark.parametrize("mode", OWN)
def test_an_agent_learns_with_it_as_on_the_reference(mode: str) -> None:
    found = []
    for backend in ("loihi", "reference"):
        agent = SpikingActorCritic(
            "neurorl/GridWorld-v0",
            "glm",
            backend,
            arithmetic="loihi",
            seed=3,
            backend_options={"noise": mode},
            rule="spikes-only",
        )
        agent.learn(total_episodes=2)
        found.append({k: w.copy() for k, w in agent.memory.in_force.items()})
        agent.backend.close()
    assert all(np.array_equal(found[0][k], found[1][k]) for k in found[0])


def test_a_membrane_without_a_leak_has_no_noise_of_the_chip() -> None:
    """Let no draw move a membrane whose half-width is 0 by the formula, on any backend."""
    neuron = CubaLIF(tau_mem=4096.0, threshold=0.5, noise=0.4)
    network = Network((Source("input", 2), Population("cells", 3, neuron)), ())
    for name, engine in (("reference", {}), ("native", {}), ("loihi", {"engine": "stock"})):
        with load(name, network, arithmetic="loihi", noise="chip", **engine) as backend:
            assert not backend.step({}, 40)["cells"].any()
            assert not backend.state()["cells.voltage"].any()
