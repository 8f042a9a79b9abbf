"""nengo_loihi's own Simulator runs in the environment that we install, as our backends do."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl.arithmetic.quantiser import VOLTAGE_MAX, quantise
from neurorl.backends.loihi import vendor
from neurorl.backends.registry import load
from neurorl.errors import BackendUnavailableError
from neurorl.models import CubaLIF
from neurorl.nengo.chip import check_integers, describe_model, lower_floors, name_parts
from neurorl.network.description import Network, Population, Projection, Source

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of every nengo newer than 3.2
    import nengo
    import nengo_loihi

from nengo_integers import Played, play

STEPS = 400
OURS = ["reference", "loihi", "loihi:stock", "native"]
pytestmark = pytest.mark.filterwarnings(
    "ignore::RuntimeWarning",  # it fills integer arrays with nan, then overwrites them
    "ignore:Lost .* extra bits in weight rounding",
    "ignore:NengoLoihi does not support initial values",
)


def driven(seed: int) -> nengo.Network:
    """Return LIF neurons that a host drives, and that excite others."""
    rng = np.random.default_rng(seed)
    with nengo.Network(seed=seed) as network:
        stimulus = nengo.Node(lambda t: np.sin(20 * t))
        cells = nengo.Ensemble(24, 1, neuron_type=nengo.LIF())
        others = nengo.Ensemble(17, 1, neuron_type=nengo_loihi.neurons.LoihiLIF())
        nengo.Connection(stimulus, cells)
        nengo.Connection(
            cells.neurons, others.neurons, transform=rng.uniform(-0.002, 0.004, (17, 24))
        )
        nengo.Probe(cells.neurons)
        nengo.Probe(others.neurons)
    return network


def recurrent(seed: int) -> nengo.Network:
    """Return a two-dimensional ensemble with weights onto itself, found by a solver."""
    with nengo.Network(seed=seed) as network:
        stimulus = nengo.Node(lambda t: [np.sin(15 * t), np.cos(15 * t)])
        cells = nengo.Ensemble(
            40,
            2,
            neuron_type=nengo.LIF(tau_rc=0.03, tau_ref=0.003),
            max_rates=nengo.dists.Uniform(100, 250),
        )
        nengo.Connection(stimulus, cells, synapse=0.02)
        solver = nengo.solvers.LstsqL2(weights=True)
        nengo.Connection(cells, cells, solver=solver, synapse=0.02)
        nengo.Probe(cells.neurons)
    return network


def rectified(seed: int) -> nengo.Network:
    """Return integrators without a leak behind LIF neurons, through sparse weights."""
    rng = np.random.default_rng(seed)
    with nengo.Network(seed=seed) as network:
        stimulus = nengo.Node(lambda t: 1.0 if t % 0.1 < 0.06 else -1.0)
        cells = nengo.Ensemble(20, 1, neuron_type=nengo.LIF())
        integrators = nengo.Ensemble(
            10,
            1,
            neuron_type=nengo_loihi.neurons.LoihiSpikingRectifiedLinear(),
            gain=np.ones(10),
            bias=rng.uniform(0, 80, 10),
        )
        nengo.Connection(stimulus, cells)
        places = [(k % 10, k) for k in range(20)]
        weights = nengo.Sparse((10, 20), indices=places, init=rng.uniform(0.2, 1.0, 20))
        nengo.Connection(cells.neurons, integrators.neurons, transform=weights)
        nengo.Probe(integrators.neurons)
    return network


NETWORKS = {"driven": driven, "recurrent": recurrent, "rectified": rectified}


@pytest.fixture(scope="module", params=[(n, s) for n in NETWORKS for s in (0, 1)], ids=str)
def stock(request: pytest.FixtureRequest) -> tuple[Any, Any, Played]:
    """Return a network, the simulator that nengo-loihi made of it, and what it did."""
    name, seed = request.param
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = NETWORKS[name](seed)
        lower_floors(network)
        with nengo_loihi.Simulator(network, dt=1e-3, target="sim") as simulator:
            played = play(simulator, STEPS)
    return network, simulator, played


def test_it_runs_and_its_probes_are_what_it_did(stock: tuple[Any, Any, Played]) -> None:
    network, simulator, played = stock
    probed = np.hstack([simulator.data[probe] > 0 for probe in network.all_probes])
    name = name_parts(simulator.model)
    cores = [simulator.model.objs[probe.target]["out"] for probe in network.all_probes]
    rasters = [played.spikes[name[block]] for blocks in cores for block in blocks]
    assert np.array_equal(probed, np.hstack(rasters))
    assert probed.sum() > 100


@pytest.mark.parametrize("ours", OURS)
def test_given_its_integers_ours_has_every_spike(stock: tuple[Any, Any, Played], ours: str) -> None:
    _, simulator, played = stock
    network = describe_model(simulator.model)
    check_integers(simulator.model, network)
    name, _, way = ours.partition(":")
    options: dict[str, Any] = {"engine": "stock"} if way == "stock" else {}
    with load(name, network, arithmetic="loihi", **options) as backend:
        for k in range(0, STEPS, 50):
            rasters = {node: raster[k : k + 50] for node, raster in played.inputs.items()}
            for node, raster in backend.step(rasters, 50).items():
                assert np.array_equal(raster, played.spikes[node][k : k + 50]), (node, k)
            state = backend.state()
            for node, voltages in played.voltages.items():
                assert np.array_equal(state[f"{node}.voltage"], voltages[k + 49]), (node, k)
    assert all(raster.any() for raster in played.spikes.values())
    assert all(raster.any() for raster in played.inputs.values())


def test_integers_of_one_description_differ_as_the_page_says() -> None:
    neuron = CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=1.0, bias=0.02)
    described = Network(
        (Source("input", 1), Population("cells", 1, neuron)),
        (Projection("drive", "input", "cells", 0.3496),),
    )
    ours = quantise(described).populations["cells"]
    block = nengo_loihi.block.LoihiBlock(1)
    block.compartment.configure_lif(tau_rc=20e-3)
    block.compartment.scale_u = block.compartment.scale_v = False
    block.compartment.bias[:] = 0.02
    synapse = nengo_loihi.block.Synapse(1)
    synapse.set_weights(np.array([[0.3496]]))
    block.add_synapse(synapse)
    nengo_loihi.builder.discretize.discretize_block(block)
    theirs = block.compartment
    assert (theirs.vth[0], ours.threshold[0]) == (46656, 46528)
    assert (theirs.bias[0], ours.bias[0]) == (934, 930)
    assert (theirs.vmin, VOLTAGE_MAX) == (0, 8388607)
    page = (Path(__file__).parents[3] / "docs" / "loihi.md").read_text()
    assert all(str(n) in page for n in (46656, 46528, 934, 930, -8388607))


def test_only_the_places_that_are_mended_need_it() -> None:
    for info in pkgutil.walk_packages(nengo_loihi.__path__, "nengo_loihi."):
        if ".tests" not in info.name and ".hardware" not in info.name:
            source = inspect.getsource(importlib.import_module(info.name))
            assert source.count("copy=False") == 3 * (info.name in vendor.MENDED), info.name


@pytest.fixture
def unmended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use nengo-loihi as it comes; afterwards it is mended again."""
    for name in vendor.MENDED:
        monkeypatch.setattr(importlib.import_module(name), "np", np)


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="NumPy 1 needs nothing")
class TestOnNumPy2:
    def test_without_it_no_network_is_built(self, unmended: None) -> None:
        with pytest.raises(ValueError, match="Unable to avoid copy"):
            nengo_loihi.Simulator(driven(0), target="sim")
        assert vendor.mend() == vendor.MENDED
        nengo_loihi.Simulator(driven(0), target="sim").close()

    def test_mending_twice_changes_nothing(self) -> None:
        before = [importlib.import_module(name).np for name in vendor.MENDED]
        assert vendor.mend() == ()
        assert all(
            importlib.import_module(name).np is module
            for name, module in zip(vendor.MENDED, before, strict=True)
        )

    def test_another_vendor_is_refused_and_left_alone(
        self, unmended: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(vendor, "version", lambda: "1.2.0")
        with pytest.raises(BackendUnavailableError, match=r"got 1\.2\.0, limit .* 1\.1.*pip inst"):
            vendor.mend()
        assert importlib.import_module("nengo_loihi.block").np is np

    def test_its_numpy_is_numpy_but_for_copying(self) -> None:
        theirs: Any = importlib.import_module("nengo_loihi.block").np
        assert theirs is not np
        array = np.arange(3.0)
        assert theirs.array(array, copy=False) is array
        assert theirs.array(array) is not array
        assert theirs.array([1, 2], copy=False, dtype=float, ndmin=2).tolist() == [[1.0, 2.0]]
        assert theirs.ndarray is np.ndarray
        assert theirs.testing is np.testing

    def test_a_network_runs_in_a_new_process(self) -> None:
        program = (
            "import warnings; warnings.simplefilter('ignore');"
            "import neurorl.backends.loihi, nengo, nengo_loihi;"
            "net = nengo.Network(seed=0);"
            "net.__enter__(); cells = nengo.Ensemble(10, 1); net.__exit__(None, None, None);"
            "sim = nengo_loihi.Simulator(net, target='sim'); sim.run(0.05); print(sim.n_steps)"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert (done.stdout, done.returncode) == ("50\n", 0), done.stderr
