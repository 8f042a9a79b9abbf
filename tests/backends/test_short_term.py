"""Test short-term plasticity: known answers, plain Brian2 as a witness, all backends alike."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import neurorl
from neurorl import (
    Network,
    Plasticity,
    Population,
    Projection,
    Recording,
    Source,
    TsodyksMarkram,
    Uniform,
)
from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, DescriptionError, UnsupportedError
from neurorl.models import LIF, CubaLIF, Equations, FixedInDegree, FixedProbability
from neurorl.network.plasticity import RELEASE_GRID
from neurorl.testing import FEATURES, random_network, rasters, same_state

DT = 1e-3
DEPRESSES = TsodyksMarkram(U=0.5, tau_rec=0.8)
FACILITATES = TsodyksMarkram(U=0.05, tau_rec=0.1, tau_facil=0.5)
BOTH = TsodyksMarkram(U=0.2, tau_rec=0.13, tau_facil=0.07)
KINDS = [DEPRESSES, FACILITATES, BOTH, TsodyksMarkram(U=1.0, tau_rec=0.0, tau_facil=0.2)]

SUM = Equations("v = v + q", threshold="v > 1e9", reset="v = 0", initial={"v": 0.0})
"""Add up what arrives."""


def spike_trains(n_steps: int = 400, size: int = 5) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(5).random((n_steps, size)) < [0.02, 0.05, 0.1, 0.3, 0.9]


def summing(kind: TsodyksMarkram, delay: float | None = None) -> Network:
    """Return neurons that add up what each of 5 inputs releases."""
    nodes = (Source("input", 5), Population("cells", 5, SUM))
    drive = Projection("drive", "input", "cells", 1.0, blocks=5, delay=delay, short_term=kind)
    return Network(nodes, (drive,), DT)


def by_events(kind: TsodyksMarkram, steps: npt.NDArray[Any]) -> list[tuple[float, float, float]]:
    """Return u and x before a neuron's spikes by NEST's recursion from spike to spike, and u x."""
    u, x, rows = kind.U, 1.0, []
    for k, step in enumerate(steps):
        if k:
            h = (step - steps[k - 1]) * DT
            kept_x = math.exp(-h / kind.tau_rec) if kind.tau_rec else 0.0
            kept_u = math.exp(-h / kind.tau_facil) if kind.tau_facil else 0.0
            x = 1.0 + (x - x * u - 1.0) * kept_x
            u = kind.U + u * (1.0 - kind.U) * kept_u
        rows.append((u, x, u * x))
    return rows


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("delay", [1, 4])
def test_releases_what_the_recursion_from_spike_to_spike_says(
    kind: TsodyksMarkram, delay: int
) -> None:
    trains = spike_trains()
    names = ["cells.v", "drive.u", "drive.used"]
    with (
        load("reference", summing(kind, delay * DT)) as backend,
        Recording(backend, names) as recording,
    ):
        backend.step({"input": trains}, len(trains))
    arrived = np.diff(recording["cells.v"], axis=0, prepend=0.0)
    expected = np.zeros_like(arrived)
    for i in range(5):
        steps = np.flatnonzero(trains[:, i])
        for step, (u, x, released) in zip(steps, by_events(kind, steps), strict=True):
            if step + delay < len(trains):
                expected[step + delay, i] = released
            assert abs(recording["drive.u"][step, i] - u) < 1e-13
            assert abs(recording["drive.used"][step, i] - (1 - x + u * x)) < 1e-13
    assert np.abs(arrived - expected).max() <= 0.5 * RELEASE_GRID + 1e-12
    assert np.array_equal(np.rint(arrived / RELEASE_GRID) * RELEASE_GRID, arrived)
    assert (arrived > 0).sum() > 300


def test_without_memory_it_is_a_weight_times_u() -> None:
    network = summing(TsodyksMarkram(U=0.25, tau_rec=0.0))
    plain = dataclasses.replace(network.projections[0], short_term=None, weights=0.25)
    trains = spike_trains()
    with load("reference", network) as one:
        one.step({"input": trains}, len(trains))
        state = one.state()
    with load("reference", dataclasses.replace(network, projections=(plain,))) as other:
        other.step({"input": trains}, len(trains))
        assert np.array_equal(state["cells.v"], other.state()["cells.v"])


def test_plain_brian2_has_the_same_releases_and_spikes() -> None:
    pytest.importorskip("brian2", reason="Brian2, which this is compared with, is not installed")
    trains = spike_trains(400)
    nodes = (Source("input", 5), Population("cells", 4, LIF(10e-3, 0.3)))
    weights = np.random.default_rng(2).uniform(0.5, 2.5, (5, 4))
    drive = Projection("drive", "input", "cells", weights, short_term=BOTH)
    with (
        load("reference", Network(nodes, (drive,), DT)) as backend,
        Recording(backend, ["drive.u", "drive.used"]) as recording,
    ):
        spikes = backend.step({"input": trains}, 400)["cells"]
        weights = backend.weights("drive")
    raster, u, x = in_plain_brian2(trains, weights, threshold=0.3)
    assert spikes.sum() > 100
    assert np.array_equal(spikes, raster)
    for i in range(5):  # event-driven variables are those just after the last spike
        last = np.flatnonzero(trains[:, i])[-1]
        assert np.abs(u[i] - recording["drive.u"][last, i]).max() < 1e-12
        assert np.abs(1 - x[i] - recording["drive.used"][last, i]).max() < 1e-12


def in_plain_brian2(
    trains: npt.NDArray[np.bool_], weights: npt.NDArray[Any], threshold: float
) -> tuple[npt.NDArray[Any], ...]:
    """Return the raster, and u and x of all synapses, by Brian2's own event-driven equations."""
    import brian2

    from neurorl.backends.brian2.vendor import exact_preferences

    with exact_preferences("numpy"):
        clock, second = brian2.Clock(DT * brian2.second), brian2.second
        steps, indices = np.nonzero(trains)
        inputs = brian2.SpikeGeneratorGroup(5, indices, steps * DT * second, clock=clock)
        cells = brian2.NeuronGroup(
            4, "v : 1\nq : 1", threshold=f"v > {threshold}", reset="v = 0", clock=clock
        )
        cells.run_regularly(f"v = {math.exp(-DT / 10e-3)!r}*v + q\nq = 0", when="groups")
        synapses = brian2.Synapses(
            inputs,
            cells,
            f"""w : 1
            du/dt = -u/({BOTH.tau_facil}*second) : 1 (event-driven)
            dx/dt = (1 - x)/({BOTH.tau_rec}*second) : 1 (event-driven)""",
            on_pre=f"u += {BOTH.U}*(1 - u)\nr = u*x\nx -= r\nq_post += w*r",
            clock=clock,
        )
        pre, post = (k.ravel() for k in np.indices((5, 4)))
        synapses.connect(i=pre, j=post)
        synapses.w, synapses.x = weights.ravel(), 1.0
        told = brian2.SpikeMonitor(cells)
        network = brian2.Network(inputs, cells, synapses, told)
        network.run(len(trains) * DT * second, namespace={"second": second})
    raster = np.zeros((len(trains), 4), dtype=bool)
    raster[np.rint(np.array(told.t_) / DT).astype(int), np.array(told.i)] = True
    return raster, np.reshape(synapses.u, (5, 4)), np.reshape(synapses.x, (5, 4))


def random_short_term(seed: int) -> Network:
    """Return a random network in which most projections have short-term plasticity."""
    rng, described = np.random.default_rng(seed), random_network(seed, delays=True)
    sizes = {node.name: node.size for node in described.nodes}

    def changed(p: Projection) -> Projection:
        p = dataclasses.replace(p, plasticity=None)
        if p.signed or rng.random() < 0.2:
            return p
        tau_rec, tau_facil = rng.uniform(0, 0.2, 2) * (rng.random(2) < 0.8)
        p = dataclasses.replace(
            p, short_term=TsodyksMarkram(float(rng.uniform(0.05, 1)), tau_rec, tau_facil)
        )
        if rng.random() < 0.4:
            n = max(1, sizes[p.pre] // 2)
            connect = FixedInDegree(n, seed=seed)
            delay = DT * rng.integers(1, 5, n * sizes[p.post])
            p = dataclasses.replace(p, blocks=1, mask=None, connect=connect, delay=delay)
        return p

    return dataclasses.replace(
        described, projections=tuple(changed(p) for p in described.projections)
    )


def compare(network: Network, seed: int, name: str) -> int:
    """Compare a backend with the reference over resets and restored states; return the spikes."""
    seeds, spikes = (seed, seed + 7), 0
    with (
        load("reference", network, seed=seeds) as reference,
        load(name, network, seed=seeds) as backend,
    ):
        whole = reference.simulated.whole
        for k, n_steps in enumerate((9, 1, 17, 6)):
            inputs = rasters(whole, n_steps, seed + k, 0.4)
            expected, got = (b.step(inputs, n_steps) for b in (reference, backend))
            for node, raster in expected.items():
                assert np.array_equal(raster, got[node]), node
                spikes += int(raster.sum())
            for replica in (0, 1):
                state = reference.state(replica)
                assert same_state(state, backend.state(replica)) == []
            if k == 1:
                reference.restore(state, 0)
                backend.restore(reference.state(0), 0)
            if k == 2:
                reference.reset([1])
                backend.reset([1])
    return spikes


@pytest.mark.parametrize(("name", "n"), [("native", 8), ("brian2", 4), ("torch", 8)])
def test_random_networks_are_the_same(name: str, n: int) -> None:
    if name != "native":
        pytest.importorskip(name, reason=f"{name} is not installed")
    assert sum(compare(random_short_term(seed), seed, name) for seed in range(n)) > 120 * n


@pytest.mark.parametrize("delay", [1, 4])
def test_gradients_pass_through_what_is_released(delay: int) -> None:
    """Compare with differences of the loss where its spikes are as relaxed as in the gradient."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    nodes = (Source("input", 3), Population("first", 3, LIF()), Population("last", 2, LIF()))
    learned = Plasticity(low=-9, high=9)
    network = Network(
        nodes,
        (
            Projection("drive", "input", "first", Uniform(0.2, 0.9), plasticity=learned),
            Projection("next", "first", "last", 1.7, delay=delay * DT, short_term=BOTH),
            Projection("back", "last", "first", 0.3, short_term=FACILITATES),
        ),
        DT,
    )
    from neurorl.backends.torch import Concrete, SpikingModule

    relaxed = Concrete(temperature=1.0, hard=False)
    module = SpikingModule(network, dtype=torch.float64, estimator=relaxed)
    inputs = {"input": torch.tensor(spike_trains(12, 5)[:, None, 2:] * 1.0)}
    weight = module.weight("drive")

    def loss() -> Any:
        rasters, _ = module(inputs)
        return (rasters["last"] ** 2).sum()

    (gradient,) = torch.autograd.grad(loss(), weight)
    with torch.no_grad():
        step, difference = 3e-2, torch.zeros_like(weight)
        for k in range(weight.numel()):
            sides = []
            for sign in (1, -1):
                weight.view(-1)[k] += sign * step
                sides.append(loss())
                weight.view(-1)[k] -= sign * step
            difference.view(-1)[k] = (sides[0] - sides[1]) / (2 * step)
    assert gradient.abs().min() > 0
    assert (gradient - difference).abs().max() < 0.02 * gradient.abs().max()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["native", "brian2"])
def test_more_random_networks_are_the_same(name: str) -> None:
    if name == "brian2":
        pytest.importorskip("brian2", reason="Brian2 is not installed")
    assert sum(compare(random_short_term(seed), seed, name) for seed in range(10, 60)) > 1000


def test_a_reset_brings_all_neurons_to_rest_and_a_state_goes_on_exactly() -> None:
    network = FEATURES["short-term plasticity"]()
    inputs = rasters(network, 20, 1, 0.5)
    with load("reference", network) as backend:
        first = backend.step(inputs, 20)["middle"]
        saved = backend.state()
        second = backend.step(inputs, 20)["middle"]
        assert not np.array_equal(first, second)
        backend.restore(saved)
        assert np.array_equal(second, backend.step(inputs, 20)["middle"])
        backend.reset()
        assert not any(
            value.any()
            for key, value in backend.state().items()
            if not key.endswith(("weights", "t"))
        )
        assert np.array_equal(first, backend.step(inputs, 20)["middle"])


def test_sums_at_the_limit_are_exact_in_any_order_and_larger_weights_are_refused() -> None:
    rng = np.random.default_rng(0)
    nodes = (Source("input", 64), Population("cells", 1, SUM))
    drive = Projection("drive", "input", "cells", rng.uniform(0.5, 1, (64, 1)), short_term=BOTH)
    limit = 2.0**11 / 64
    with load("reference", Network(nodes, (drive,), DT)) as backend:
        weights = backend.set_weights("drive", rng.uniform(-limit, limit, (64, 1))).ravel()
        released = np.floor(rng.random(64) / RELEASE_GRID) * RELEASE_GRID
        sums = {float(np.add.reduce((weights * released)[rng.permutation(64)])) for _ in range(50)}
        assert sums == {math.fsum(weights * released)}
        with pytest.raises(ArgumentError, match=r"weights of 'drive': too large.*32"):
            backend.set_weights("drive", np.full((64, 1), 1.01 * limit))


def test_old_files_keep_their_bytes_and_new_ones_come_back(tmp_path: Any) -> None:
    network = FEATURES["short-term plasticity"]()
    assert Network.from_dict(network.to_dict()) == network
    neurorl.save_network(tmp_path / "n.npz", network)
    assert neurorl.load_network(tmp_path / "n.npz") == network
    plain, short = (network.projection(name).to_dict() for name in ("plain", "drive"))
    assert "short_term" not in plain
    assert short["short_term"] == {
        "type": "TsodyksMarkram",
        "U": 0.6,
        "tau_rec": 50e-3,
        "tau_facil": 0.0,
    }


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"U": 0.0}, r"TsodyksMarkram\.U: out of range.*0 < U <= 1"),
        ({"U": 1.5}, r"TsodyksMarkram\.U: out of range"),
        ({"U": "half"}, r"TsodyksMarkram\.U: not a number"),
        ({"tau_rec": -0.1}, r"TsodyksMarkram\.tau_rec: out of range"),
        ({"tau_facil": float("nan")}, r"TsodyksMarkram\.tau_facil: out of range"),
    ],
)
def test_bad_numbers_get_one_line(options: Any, match: str) -> None:
    with pytest.raises(DescriptionError, match=match) as error:
        TsodyksMarkram(**options)
    assert "\n" not in str(error.value)


def test_quantities_with_units_get_one_line() -> None:
    brian2 = pytest.importorskip("brian2", reason="Brian2 is not installed")
    with pytest.raises(DescriptionError, match=r"TsodyksMarkram\.tau_rec"):
        TsodyksMarkram(tau_rec=800 * brian2.ms)


@pytest.mark.parametrize(
    "options", [{"plasticity": Plasticity()}, {"signed": True}, {"short_term": 0.5}]
)
def test_what_does_not_go_together_is_refused(options: Any) -> None:
    with pytest.raises(DescriptionError, match=r"Projection 'p'\.short_term"):
        Projection("p", "a", "b", 1.0, **({"short_term": BOTH} | options))


def test_a_current_releases_nothing() -> None:
    nodes = (Source("level", 2, "current"), Population("cells", 2, CubaLIF()))
    with pytest.raises(DescriptionError, match="a current has no spikes that release"):
        Network(nodes, (Projection("p", "level", "cells", 1.0, short_term=BOTH),))


@pytest.mark.parametrize("choice", ["reference:loihi", "native:loihi", "loihi", "torch:loihi"])
def test_backends_without_it_name_the_projection(choice: str) -> None:
    needed = {"loihi": "nengo_loihi", "torch:loihi": "torch"}.get(choice, "numpy")
    pytest.importorskip(needed, reason=f"{needed} is not installed")
    with pytest.raises(UnsupportedError, match="projection 'drive' with short-term plasticity"):
        load(choice, summing(BOTH))


def test_brian2_names_a_delay_that_is_too_long() -> None:
    pytest.importorskip("brian2", reason="Brian2 is not installed")
    with pytest.raises(UnsupportedError, match=r"a delay of 40 steps \(limit 32\)"):
        load("brian2", summing(BOTH, 40 * DT))


def test_nir_names_the_projection() -> None:
    from neurorl.nir.parts import Parts

    with pytest.raises(UnsupportedError, match="NIR: short-term plasticity: 'drive'"):
        Parts(FEATURES["short-term plasticity"](), {})


@pytest.mark.parametrize("backend", ["native", "brian2", "torch"])
def test_a_projection_without_synapses_keeps_its_state(backend: str) -> None:
    """Compare variables of its presynaptic neurons, which go on though no synapse hears them."""
    nodes = (Source("input", 3), Population("cells", 4, LIF(noise=0.1)))
    empty = FixedProbability(0.0)
    network = Network(
        nodes,
        (
            Projection("drive", "input", "cells", 0.5),
            Projection("none", "cells", "cells", 0.2, connect=empty, short_term=BOTH, delay=3 * DT),
        ),
    )
    spikes = {"input": np.random.default_rng(0).random((60, 3)) < 0.5}
    with load(backend, network, seed=1) as ours, load("reference", network, seed=1) as reference:
        for part in (slice(0, 25), slice(25, 60)):
            given = {"input": spikes["input"][part]}
            n = len(given["input"])
            assert np.array_equal(ours.step(given, n)["cells"], reference.step(given, n)["cells"])
            assert same_state(ours.state(), reference.state()) == []
            ours.restore(reference.state())
