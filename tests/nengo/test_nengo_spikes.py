"""Test that spikes get through: into nengo-loihi from ours, and from nengo's Nodes to ours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from load_script import load_script

import neurorl
from neurorl.errors import UnsupportedError
from neurorl.models import LIF, CubaLIF
from neurorl.nengo import from_nengo, lower_floors, to_nengo
from neurorl.nengo.imported import load_nengo, load_nengo_loihi
from neurorl.network.description import Network, Population, Projection, Source

nengo, nengo_loihi = load_nengo(), load_nengo_loihi()
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")

STEPS = 300
NETWORKS: dict[str, tuple[Any, float, float]] = {
    "CubaLIF": (CubaLIF(5e-3, 20e-3, threshold=1.0), 0.1, 1e-3),
    "LIF": (LIF(20e-3, 1.0), 0.3, 1e-3),
    "bias and refractory": (CubaLIF(10e-3, 30e-3, 2.0, bias=0.02, refractory=2e-3), 0.05, 1e-3),
    "another step": (CubaLIF(5e-3, 20e-3, threshold=1.0), 0.1, 0.7e-3),
}


def run(cls: Any, network: Any, dt: float = 1e-3) -> Any:
    with cls(network, dt=dt, progress_bar=False) as simulator:
        simulator.run_steps(STEPS)
    return simulator


@pytest.mark.parametrize("name", NETWORKS)
def test_what_goes_to_nengo_spikes_on_nengo_loihi_too(name: str) -> None:
    """Within 2 % of the reference, as LoihiLIF keeps 12 bits of a decay."""
    neuron, weight, dt = NETWORKS[name]
    rng = np.random.default_rng(len(name))
    network = Network(
        (Source("input", 6), Population("cells", 12, neuron)),
        (
            Projection("drive", "input", "cells", rng.uniform(0, 2 * weight, (6, 12))),
            Projection("back", "cells", "cells", rng.uniform(-0.05, 0.05, (12, 12))),
        ),
        dt,
    )
    inputs = {"input": rng.random((STEPS, 6)) < 0.2}
    exported = to_nengo(network, inputs, neurons="nengo")
    with neurorl.load("reference", network) as backend:
        ours = int(backend.step(inputs, STEPS)["cells"].sum())
    assert ours > 300
    for cls in (nengo.Simulator, nengo_loihi.Simulator):
        theirs = exported.spikes(run(cls, exported.network, dt))["cells"].sum()
        assert abs(theirs / ours - 1) < 0.02, cls


def driven(passes_on: bool) -> Any:
    """A Node of spikes that excites cells, through neurons of the host or not."""
    heights = 1000.0 * (np.random.default_rng(0).random((STEPS, 8)) < 0.1)
    with nengo.Network(seed=0) as network:
        sender: Any = nengo.Node(lambda t: heights[min(round(t * 1000), STEPS) - 1], label="in")
        ones: Any = {"gain": np.ones(8), "bias": np.zeros(8)}
        if passes_on:
            relay = nengo.Ensemble(8, 1, neuron_type=nengo.SpikingRectifiedLinear(), **ones)
            nengo_loihi.add_params(network)
            network.config[relay].on_chip = False
            nengo.Connection(sender, relay.neurons, synapse=None)
            sender = relay.neurons
        cells = nengo.Ensemble(8, 1, **ones)
        nengo.Connection(sender, cells.neurons, transform=np.full((8, 8), 0.06), synapse=0.005)
        network.probe = nengo.Probe(cells.neurons)
    return network


def test_spikes_that_neurons_pass_on_come_here() -> None:
    """Nothing inhibits, so there is no word of inhibition, and each spike is there."""
    network = driven(passes_on=True)
    imported = from_nengo(network, "nengo")
    inputs = imported.inputs(STEPS)
    with neurorl.load("reference:loihi", imported.network, record=imported.record) as backend:
        ours = imported.spikes(network.probe, backend.step(inputs, STEPS))
    theirs = run(nengo_loihi.Simulator, network).data[network.probe] > 0
    assert theirs.sum() > 300
    assert np.array_equal(ours, theirs)


def test_spikes_of_a_node_that_dont_get_through_are_told() -> None:
    network = driven(passes_on=False)
    with pytest.raises(UnsupportedError, match=r"values may reach.*RectifiedLinear") as told:
        from_nengo(network, "nengo")
    assert "inhibition" not in str(told.value)
    lower_floors(network)
    imported = from_nengo(network, "nengo")
    with pytest.raises(UnsupportedError, match=r"a Node's spikes.*got 1000.*pass them on"):
        imported.inputs(STEPS)


def test_a_table_without_spikes_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    agreement = load_script("nengo_agreement")
    monkeypatch.setattr(agreement, "compare", lambda *_: (100, 0, 0, 0))
    monkeypatch.setattr("sys.argv", ["nengo_agreement", "--networks", "1"])
    with pytest.raises(SystemExit, match="no spike in 1 networks: nothing is compared"):
        agreement.main()
