"""Networks of nengo here, ours in nengo, and agents in both."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from load_script import load_script

import neurorl
from neurorl.arithmetic.quantiser import quantise
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.models import LIF, CubaLIF, InChipUnits, shift_lif
from neurorl.nengo import ActionOutput, NengoEnv, agent_node, from_nengo, lower_floors, to_nengo
from neurorl.nengo.imported import load_nengo, load_nengo_loihi
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import FEATURES, rasters

nengo = load_nengo()
nengo_loihi = load_nengo_loihi()
agreement = load_script("nengo_agreement")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")


def test_neurons_that_spike_several_times_a_step_are_refused() -> None:
    cells = Population("cells", 5, shift_lif(2, 3, 100))
    drive = Projection("drive", "cue", "cells", Uniform(40.0, 40.0))
    with pytest.raises(UnsupportedError, match=r"to_nengo, arithmetic.*several times.*got 'xylo'"):
        to_nengo(Network((Source("cue", 7), cells), (drive,)), arithmetic="xylo")


def run(network: Any, steps: int, dt: float = 1e-3) -> Any:
    with nengo.Simulator(network, dt=dt, progress_bar=False) as simulator:
        simulator.run_steps(steps)
    return simulator


def small(synapse: Any = 0.005, neuron: Any = None, pre: Any = None, transform: Any = 0.05) -> Any:
    """A Node of spikes, and cells that hear it."""
    with nengo.Network(seed=1) as network:
        node = nengo.Node(pre or (lambda t: [1000.0 * (round(t * 1000) % 7 == 0)] * 3), label="in")
        cells = nengo.Ensemble(3, 1, neuron_type=neuron or nengo.LIF(), label="cells")
        nengo.Connection(node, cells.neurons, synapse=synapse, transform=transform)
        network.probe = nengo.Probe(cells.neurons)
    return network


@pytest.mark.parametrize("row", [r for r in agreement.ROWS if r != "LIF steps"])
def test_no_spike_differs(row: str) -> None:
    for seed in (0, 1, 2):
        _, spikes, ours, differing = agreement.compare(row, 100 + seed)
        assert differing == 0
        assert spikes == ours > 100


@pytest.mark.parametrize("backend", ["loihi", "brian2:numpy"])
def test_nengo_loihis_integers_run_on_other_backends(backend: str) -> None:
    _, spikes, _, differing = agreement.compare("chip nengo", 7, backend)
    assert (differing, spikes > 100) == (0, True)


@pytest.mark.slow
def test_no_spike_of_a_hundred_networks_differs() -> None:
    for seed in range(100):
        assert agreement.compare("chip nengo", seed)[3] == 0, seed


def test_whole_steps_differ_from_nengos_and_say_so() -> None:
    imported = from_nengo(small())
    assert any("whole steps" in note for note in imported.notes)
    assert any("begin at 0" in note for note in imported.notes)
    assert imported.record == ("cells",)
    assert imported.network.node("in").size == 3
    assert from_nengo(small(), "equations").notes == ()


def test_slices_scalars_and_sparse_weights_are_what_they_were() -> None:
    network = small()
    with network:
        others = nengo.Ensemble(4, 1, label="others")
        sparse = nengo.Sparse((4, 3), indices=[(0, 1), (3, 2), (0, 1)], init=[0.1, 0.2, 0.3])
        cells = network.ensembles[0].neurons
        nengo.Connection(cells, others.neurons, transform=sparse)
        nengo.Connection(cells[1:], others.neurons[[3, 0]], transform=[[0.01, 0.02], [0.03, 0.04]])
        nengo.Connection(cells, cells, synapse=0.01, transform=0.03)
        probe = nengo.Probe(others.neurons[::2])
    imported = from_nengo(network, "equations")
    weights = {p.name: np.asarray(p.weights) for p in imported.network.projections}
    gain, theirs = run(network, 1).data[others].gain, run(network, 200).data
    assert np.allclose(weights["cells_others_1"][:, 0], [0, 400 * gain[0], 0])
    assert np.allclose(weights["cells_others_2"], gain * [[0] * 4, [30, 0, 0, 10], [40, 0, 0, 20]])
    with neurorl.load("reference", imported.network) as backend:
        ours = backend.step(imported.inputs(200), 200)
    for one in (network.probe, probe):
        assert np.array_equal(imported.spikes(one, ours), theirs[one] > 0)
        assert theirs[one].any()
    with pytest.raises(ArgumentError, match="not a probe of spikes"):
        imported.spikes("other", ours)


def decoded() -> Any:
    network = small()
    with network:
        nengo.Connection(network.ensembles[0], network.ensembles[0])
    return network


def learning() -> Any:
    network = decoded()
    network.connections[1].learning_rule_type = nengo.PES()
    return network


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: small(synapse=None), r"a synapse that isn't Lowpass.*Lowpass\(0\)"),
        (lambda: small(synapse=nengo.Alpha(0.01)), "a synapse that isn't Lowpass"),
        (lambda: small(neuron=nengo.Izhikevich()), "another neuron.*limit LIF, LoihiLIF"),
        (lambda: small(neuron=nengo.AdaptiveLIF()), "an adapting neuron.*equations"),
        (decoded, "not between neurons.*discretisation='nengo'"),
        (learning, "a learning rule.*leave it out"),
    ],
    ids=["none", "alpha", "izhikevich", "adaptive", "decoded", "learning"],
)
def test_what_has_no_counterpart_is_refused(make: Any, said: str) -> None:
    with pytest.raises(UnsupportedError, match=said):
        from_nengo(make())


def test_several_time_constants_need_equations() -> None:
    network = small()
    with network:
        own = network.ensembles[0].neurons
        nengo.Connection(own, own, synapse=0.02, transform=0.01)
    with pytest.raises(UnsupportedError, match=r"several time constants .got 0.005, 0.02"):
        from_nengo(network)
    (cells,) = from_nengo(network, "equations").network.populations
    assert cells.neuron.inputs == ("q0", "q1")


def test_values_that_are_no_spikes_are_refused() -> None:
    imported = from_nengo(small(pre=lambda t: [np.sin(t)] * 3))
    with pytest.raises(UnsupportedError, match=r"values that are no spikes .limit 0 and 1000"):
        imported.inputs(5)
    with pytest.raises(ArgumentError, match=r"not a nengo.Network .got int"):
        from_nengo(3)
    with pytest.raises(LookupError, match="discretisation"):
        from_nengo(small(), "exact")


def test_a_floor_that_may_be_reached_is_refused_on_the_chip() -> None:
    network = agreement.chip_network(3)
    with pytest.raises(UnsupportedError, match=r"lowest voltage.*lower_floors"):
        from_nengo(network, "nengo")
    lower_floors(network)
    assert "arithmetic='loihi'" in from_nengo(network, "nengo").notes[0]


def test_chip_units_are_kept_whatever_the_weights() -> None:
    neuron = CubaLIF(threshold=6400, bias=37)
    for weight, exponent in ((254.0, -6), (254.0 * 2**9, 3)):
        network = Network(
            (Source("in", 2), Population("cells", 2, InChipUnits(neuron, 1.0))),
            (Projection("p", "in", "cells", [[weight, 0], [0, weight]]),),
        )
        assert Network.from_dict(network.to_dict()) == network
        chip = quantise(network)
        assert chip.populations["cells"].threshold.tolist() == [6400, 6400]
        assert chip.populations["cells"].bias.tolist() == [37, 37]
        assert chip.projections["p"].exponent == exponent
    big = Network((Population("cells", 1, InChipUnits(LIF(threshold=1e7), 1.0)),))
    with pytest.raises(UnsupportedError, match=r"threshold too large.*limit 8388544"):
        neurorl.load("reference:loihi", big)
    with pytest.raises(ValueError, match=r"InChipUnits\.unit"):
        InChipUnits(neuron, 0.0)


HELD = [
    name
    for name in FEATURES
    if name
    not in {
        "currents",
        "neurons by equations",
        "synapses as a list",
        "a delay for each synapse",
        "short-term plasticity",
        "values for each step",
        "gap junctions",
        "more neurons than a core",  # large
    }
]


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_descriptions_have_every_spike_in_nengo(arithmetic: str) -> None:
    for feature in HELD:
        network = FEATURES[feature]()
        inputs = rasters(network, 40, seed=5)
        exported = to_nengo(network, inputs, seed=3, arithmetic=arithmetic)
        with neurorl.load("reference", network, seed=3, arithmetic=arithmetic) as backend:
            ours = backend.step(inputs, 40)
        theirs = exported.spikes(run(exported.network, 40, network.dt))
        for name, raster in ours.items():
            assert np.array_equal(theirs[name], raster), (feature, name)


def test_equations_and_lists_of_synapses_go_to_nengo() -> None:
    from neurorl.models import ADAPTIVE_LIF, FixedProbability

    network = Network(
        (Source("in", 9), Population("cells", 6, ADAPTIVE_LIF)),
        (Projection("p", "in", "cells", 1.0, connect=FixedProbability(0.5)),),
    )
    inputs = rasters(network, 60, seed=5)
    exported = to_nengo(network, inputs)
    with neurorl.load("reference", network) as backend:
        ours = backend.step(inputs, 60)["cells"]
    assert np.array_equal(exported.spikes(run(exported.network, 60))["cells"], ours)
    assert ours.any()


def test_what_nengo_can_not_hold_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="of currents"):
        to_nengo(FEATURES["currents"]())
    with pytest.raises(UnsupportedError, match="with a delay for each synapse"):
        to_nengo(FEATURES["a delay for each synapse"]())
    with pytest.raises(UnsupportedError, match="noise"):
        to_nengo(FEATURES["escape noise"](), neurons="nengo")
    with pytest.raises(ArgumentError, match=r"wrong shape .got \(2, 1\), limit \(steps, 6\)"):
        to_nengo(FEATURES["LIF"](), {"input": np.zeros((2, 1))})


def test_plain_neurons_go_to_nengo_and_back() -> None:
    rng = np.random.default_rng(0)
    neuron = CubaLIF(threshold=rng.uniform(0.5, 1.5, 12), refractory=2e-3, bias=0.01)
    network = Network(
        (Source("in", 8), Population("a", 12, neuron), Population("b", 6, LIF(threshold=0.7))),
        (
            Projection("p", "in", "a", rng.uniform(-0.1, 0.3, (8, 12))),
            Projection("q", "a", "b", rng.uniform(-0.2, 0.4, (12, 6))),
        ),
    )
    inputs = rasters(network, 200, seed=2)
    exported = to_nengo(network, inputs, neurons="nengo")
    theirs = exported.spikes(run(exported.network, 200))
    imported = from_nengo(exported.network)
    assert imported.notes == ()
    with (
        neurorl.load("reference", network) as one,
        neurorl.load("reference", imported.network) as back,
    ):
        ours, again = one.step(inputs, 200), back.step(imported.inputs(200), 200)
    for name, raster in theirs.items():
        assert np.array_equal(raster, again[name])
        assert (
            abs(raster.sum() / ours[name].sum() - 1) < 0.02
        )  # LoihiLIF keeps 12 bits of its decay
        assert raster.any()


@pytest.fixture(scope="module")
def agent() -> neurorl.SpikingActorCritic:
    made = neurorl.SpikingActorCritic("CartPole-v1", seed=1, backend="reference")
    made.learn(total_episodes=3)
    return made


class Pole:
    """CartPole as the function of a Node: acts once a window, and goes on showing what it sees."""

    def __init__(self, every: int) -> None:
        self.env = neurorl.tasks.environments.make_env("CartPole-v1").unwrapped
        self.seen, _ = self.env.reset(seed=5)
        self.actions: list[int] = []
        self.every, self.is_over = every, False

    def __call__(self, t: float, x: Any) -> Any:
        k = round(t / 1e-3) - 1
        if k > 0 and k % self.every == 0 and not self.is_over:
            self.actions.append(int(np.argmax(x)))
            self.seen, _, self.is_over, _, _ = self.env.step(self.actions[-1])
        return self.seen


@pytest.mark.parametrize("simulator", ["nengo", "nengo_loihi"])
def test_an_agent_plays_in_a_closed_loop(agent: Any, simulator: str) -> None:
    pole = Pole(every=5)
    with nengo.Network(seed=0) as network:
        world = nengo.Node(pole, size_in=2, size_out=4)
        player = agent_node(agent, every=5, seed=7)
        nengo.Connection(world, player, synapse=None)
        nengo.Connection(player, world, synapse=nengo.Lowpass(0))
        if simulator == "nengo_loihi":  # a part for the chip, which listens
            nengo.Connection(player[0], nengo.Ensemble(10, 1))
    options = {"target": "sim"} if simulator == "nengo_loihi" else {}
    with {"nengo": nengo, "nengo_loihi": nengo_loihi}[simulator].Simulator(
        network, progress_bar=False, **options
    ) as running:
        running.run_steps(600)
    actions: list[int] = []
    other, is_over = Pole(every=5), False
    direct = agent.player(7)
    direct.begin()
    while not is_over and len(actions) < 119:
        actions.append(int(direct.move(other.seen).action))
        other.seen, _, is_over, _, _ = other.env.step(actions[-1])
    assert pole.actions == actions
    assert len(actions) > 7


def cued(simulator: Any = None, on_chip: bool = False, **options: Any) -> NengoEnv:
    """An environment in nengo: the action of the side that was shown is rewarded."""
    actions, sides = ActionOutput(2), np.random.default_rng(0).integers(2, size=10_000)

    def cue(t: float) -> Any:  # the one that counts in the next window shows at the end of this
        return np.eye(2)[sides[round(t / 1e-3) // 10]]

    with nengo.Network(seed=0) as network:
        hand = nengo.Node(actions)
        shown = nengo.Node(cue)
        judge = nengo.Node(lambda t, x: x[:2] @ np.eye(2)[sides[(round(t / 1e-3) - 1) // 10]], 2)
        nengo.Connection(hand, judge, synapse=None)
        if on_chip:  # something has to be there
            nengo.Connection(hand[0], nengo.Ensemble(5, 1))
        seen, reward = nengo.Probe(shown), nengo.Probe(judge)
    return NengoEnv(network, actions, seen, reward, simulator=simulator, **options)


def test_an_agent_learns_in_a_network_of_nengo() -> None:
    env = cued(decisions=50)
    agent = neurorl.SpikingActorCritic(env, seed=1, backend="reference")
    episodes = agent.learn(total_episodes=25)
    assert np.mean([e.ret for e in episodes[-5:]]) > 40  # chance is 25
    env.close()


def test_a_simulator_without_a_reset_is_made_again() -> None:
    made = []

    def loihi(network: Any, **options: Any) -> Any:
        made.append(nengo_loihi.Simulator(network, target="sim", **options))
        return made[-1]

    def episode(env: NengoEnv) -> list[Any]:
        rows = [env.reset()[0].tolist()]
        for action in (0, 1, 1):
            seen, reward, _, truncated, _ = env.step(action)
            rows.append([*seen, reward, truncated])
        return rows

    env, other = cued(loihi, on_chip=True, decisions=3), cued(decisions=3)
    first = episode(env)
    assert first == episode(env) == episode(other) == episode(other)
    assert first[-1][-1] is True
    assert len(made) == 2
    env.close()
    other.close()
    with pytest.raises(ArgumentError, match="no episode has begun"):
        env.step(0)


def test_importing_it_imports_no_simulator() -> None:
    program = "import sys, neurorl.nengo; assert not {'nengo', 'nengo_loihi'} & {*sys.modules}"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_nengos_own_warnings_stay_away() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        network = agreement.chip_network(3)
        lower_floors(network)
        from_nengo(network, "nengo").inputs(20)
