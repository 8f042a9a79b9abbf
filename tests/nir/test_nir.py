"""Test NIR: what is written and read, against the equations, and on every backend."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.cli import main
from neurorl.errors import ArgumentError, DescriptionError, UnknownNameError, UnsupportedError
from neurorl.models import GLM, LIF, CubaLIF, actor_network
from neurorl.nir import DroppedWarning, from_nir, to_nir
from neurorl.nir.discretise import cycles, levels
from neurorl.numerics.arrays import FloatArray
from neurorl.testing import FEATURES, random_network

nir: Any = pytest.importorskip("nir", reason="pip install 'neurorl[nir]'")

DT = 1e-3
KEPT = ("LIF", "CUBA-LIF", "sparse projection (mask)", "delays of several steps")


def play(network: Network, backend: str, arithmetic: str, n_steps: int = 60) -> dict[str, Any]:
    """Return rasters of all populations for inputs that depend on the sources' names only."""
    inputs = {
        s.name: np.random.default_rng(len(s.name)).random((n_steps, s.size)) < 0.4
        for s in network.sources
    }
    with load(backend, network, arithmetic=arithmetic) as compiled:
        return compiled.step(inputs, n_steps)


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


def drawn(network: Network) -> dict[str, FloatArray]:
    """Return the weights as a backend has drawn them."""
    with load("reference", network, arithmetic="float") as backend:
        return {p.name: backend.weights(p.name) for p in network.projections}


def mixed() -> Network:
    """Return all that has an exact counterpart: biases, blocks, a loop, a delay, one-to-one."""
    k = np.arange(6)
    middle = CubaLIF(
        tau_syn=1e-3 * k, tau_mem=2e-3 * (1 + k), threshold=0.4 + 0.1 * k, bias=0.01 * k
    )
    return Network(
        (
            Source("one", 4),
            Source("two", 2),
            Population("z", 6, middle),
            Population("a", 6, LIF(7e-3, 0.9, bias=0.03)),
            Population("end", 2, LIF(20e-3, 1.0, bias=np.array([0.1, -0.2]))),
        ),
        (
            Projection("zw", "one", "z", np.linspace(-0.2, 1.0, 24).reshape(4, 6)),
            Projection("blocks", "two", "z", np.linspace(0.1, 0.6, 6).reshape(2, 1, 3), blocks=2),
            Projection("single", "z", "a", np.full((6, 1, 1), 0.7), blocks=6),
            Projection("loop", "a", "a", -0.1),
            Projection("aw", "a", "end", 0.3, delay=3e-3),
            Projection("skip", "one", "end", 0.2),
        ),
        DT,
    )


def test_a_file_round_trips_exactly(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = to_nir(mixed(), path=tmp_path / "a.nir")
    assert first.dropped == ()
    nir.read(tmp_path / "a.nir", type_check=True)
    read = from_nir(tmp_path / "a.nir")
    assert [n.name for n in read.nodes] == [n.name for n in mixed().nodes]
    assert [p.name for p in read.projections] == [p.name for p in mixed().projections]
    assert read.dt == DT
    assert read.node("z") == mixed().node("z")
    assert read.node("a") == mixed().node("a")
    assert read.node("end") == mixed().node("end")
    assert read.projection("single") == mixed().projection("single")
    assert read.projection("aw").delay == 3e-3
    to_nir(read, path=tmp_path / "b.nir")
    assert (tmp_path / "a.nir").read_bytes() == (tmp_path / "b.nir").read_bytes()
    assert from_nir(tmp_path / "b.nir") == read


@pytest.mark.parametrize("name", [*KEPT, "mixed"])
def test_a_file_gives_the_spikes_of_the_network(name: str, tmp_path: Path) -> None:
    network = mixed() if name == "mixed" else FEATURES[name]()
    weights = drawn(network)
    to_nir(network, weights, tmp_path / "a.nir")
    read = from_nir(tmp_path / "a.nir")
    # The chip's integers follow the range of the weights, so these are fixed for the comparison.
    fixed = tuple(dataclasses.replace(p, weights=weights[p.name]) for p in network.projections)
    network = dataclasses.replace(network, projections=fixed)
    for arithmetic in ("float", "loihi"):
        spikes = play(network, "reference", arithmetic)
        assert all(raster.any() for raster in spikes.values())
        assert same(spikes, play(read, "reference", arithmetic))


def calm(network: Network) -> Network:
    """Return the network without noise and refractory periods."""

    def quiet(node: Source | Population) -> Source | Population:
        if isinstance(node, Source):
            return node
        neuron = node.neuron
        if isinstance(neuron, GLM):
            return dataclasses.replace(node, neuron=CubaLIF(0.0, 0.0, 0.0, neuron.bias))
        assert isinstance(neuron, CubaLIF)
        return dataclasses.replace(
            node, neuron=dataclasses.replace(neuron, noise=0.0, refractory=0.0)
        )

    return dataclasses.replace(network, nodes=tuple(map(quiet, network.nodes)))


def test_random_networks_keep_every_spike(tmp_path: Path) -> None:
    spikes = 0
    for seed in range(40):
        network = calm(random_network(seed, delays=True))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DroppedWarning)
            to_nir(network, drawn(network), tmp_path / "a.nir")
        before = play(network, "reference", "float", 30)
        assert same(before, play(from_nir(tmp_path / "a.nir"), "reference", "float", 30)), seed
        spikes += sum(int(raster.sum()) for raster in before.values())
    assert spikes > 5000


def test_all_backends_run_it_with_the_same_spikes(tmp_path: Path) -> None:
    network = FEATURES["CUBA-LIF"]()
    to_nir(network, drawn(network), tmp_path / "a.nir")
    read = from_nir(tmp_path / "a.nir")
    assert same(play(read, "reference", "float"), play(read, "native", "float"))
    chip = play(read, "reference", "loihi")
    assert chip["last"].any()
    assert same(chip, play(read, "native", "loihi"))
    assert same(chip, play(read, "loihi", "loihi"))


@pytest.mark.parametrize("seed", range(5))
def test_constants_come_back_in_every_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 200
    neuron = CubaLIF(
        tau_syn=10.0 ** rng.uniform(-4, 0, n),
        tau_mem=10.0 ** rng.uniform(-4, 0, n),
        threshold=rng.uniform(0.1, 2.0, n),
        bias=np.round(rng.normal(size=n), 6),
    )
    network = Network(
        (Source("x", 1), Population("y", n, neuron)), (Projection("w", "x", "y"),), DT
    )
    read = from_nir(to_nir(network).graph).node("y")
    assert isinstance(read, Population)
    before, after = neuron.integrator(n, DT), read.neuron.integrator(n, DT)
    for field in ("current_decay", "membrane_decay", "threshold", "bias"):
        assert np.array_equal(getattr(before, field), getattr(after, field)), field


def test_signed_units_become_weights_and_a_bias() -> None:
    neuron = CubaLIF(0.0, 0.0, 0.0)
    network = Network(
        (Source("x", 5), Population("y", 4, neuron), Population("z", 3, neuron)),
        (
            Projection("xy", "x", "y", Uniform(-1, 1)),
            Projection("yz", "y", "z", Uniform(-1, 1), signed=True),
        ),
        DT,
    )
    with pytest.warns(DroppedWarning, match="signed unit"):
        graph, dropped = to_nir(network, drawn(network))
    assert dropped == ("signed unit: written as weights 2w and a bias, 'yz'",)
    assert same(play(network, "reference", "float"), play(from_nir(graph), "reference", "float"))


def test_what_is_dropped_is_named_once_a_kind() -> None:
    network = actor_network(4, 2, neuron=GLM(), actors=2, hidden=3, signed=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        dropped = to_nir(network, drawn(network)).dropped
    assert [w.category for w in caught] == [DroppedWarning] * 3
    assert dropped == (
        "plasticity: left out of 'input_hidden', 'bias_hidden', 'hidden_output', 'bias_output'",
        "stochastic GLM unit: written as a hard threshold, 'hidden', 'output'",
        "signed unit: written as weights 2w and a bias, 'hidden_output'",
    )
    noisy = Network((Population("y", 1, LIF(noise=0.1, refractory=2e-3)),))
    with pytest.warns(DroppedWarning):
        dropped = to_nir(noisy).dropped
    assert dropped == ("escape noise: left out of 'y'", "refractory period: left out of 'y'")


def test_what_no_node_can_hold_is_refused() -> None:
    y = Population("y", 1, LIF())
    flow = Network((Source("x", 1, kind="current"), y), (Projection("w", "x", "y"),))
    with pytest.raises(UnsupportedError, match="sources of currents: 'x'"):
        to_nir(flow)
    keeps = CubaLIF(tau_syn=5e-3, tau_mem=1e30)
    with pytest.raises(UnsupportedError, match="population 'y': a membrane that keeps everything"):
        to_nir(Network((Population("y", 1, keeps),)))


def test_weights_that_a_seed_draws_must_be_given() -> None:
    network = FEATURES["LIF"]()
    with pytest.raises(ArgumentError, match="weights of 'first': drawn by a seed"):
        to_nir(network)
    with pytest.raises(UnknownNameError, match="did you mean 'first'"):
        to_nir(network, {"frist": 1.0})
    with pytest.raises(ArgumentError, match="wrong shape"):
        to_nir(network, {"first": np.ones((2, 2))})
    plastic = Plasticity()
    net = Network(
        (Source("x", 1), Population("y", 1, LIF())),
        (Projection("w", "x", "y", 0.5, plasticity=plastic),),
    )
    with pytest.warns(DroppedWarning, match="plasticity"):
        assert to_nir(net, {"w": np.array([[0.25]])}).graph.nodes["w"].weight.tolist() == [[0.25]]


# NIR's equations by Euler's step, each layer in the step of its input, as snnTorch and Norse have
# them: a second implementation, to be equal to ours but for the layers' lateness.


def euler(node: Any, current: FloatArray, state: dict[str, FloatArray], dt: float) -> FloatArray:
    """Return spikes ``(n,)`` of a LIF or CubaLIF node, from v_reset and without a current."""
    v = state.setdefault("v", np.array(node.v_reset, dtype=np.float64))
    tau = node.tau if hasattr(node, "tau") else node.tau_mem
    if hasattr(node, "tau_syn"):
        i = state.setdefault("i", np.zeros_like(v))
        current = state["i"] = i + dt / node.tau_syn * (-i + node.w_in * current)
    v = v + dt / tau * (node.v_leak - v + node.r * current)
    spikes = v > node.v_threshold
    state["v"] = np.where(spikes, node.v_reset, v)
    return np.asarray(spikes, dtype=np.float64)


def layered(kind: str, bias: float, leak: float) -> Any:
    """Draw two layers of 5 and 3 neurons with all parameters, as someone else's file has them."""
    rng = np.random.default_rng(8)
    first, second = (1.0, 1.0) if kind == "LIF" else (0.25, 0.06)

    def neurons(n: int) -> Any:
        fixed = {
            "r": rng.uniform(1, 4, n),
            "v_leak": np.full(n, 0.3) + leak,
            "v_reset": np.full(n, 0.3),
            "v_threshold": rng.uniform(0.5, 0.8, n),
        }
        if kind == "LIF":
            return nir.LIF(tau=rng.uniform(2e-3, 2e-2, n), **fixed)
        taus = {"tau_mem": rng.uniform(2e-3, 2e-2, n), "tau_syn": rng.uniform(1e-3, 5e-3, n)}
        return nir.CubaLIF(**taus, **fixed, w_in=rng.uniform(1, 2, n))

    return nir.NIRGraph(
        {
            "in": nir.Input(np.array([6])),
            "1": nir.Affine(first * rng.normal(0.6, 0.8, (5, 6)), np.full(5, bias)),
            "2": neurons(5),
            "w 3": nir.Affine(second * rng.normal(2.5, 3.0, (3, 5)), np.full(3, bias)),
            "4": neurons(3),
            "out": nir.Output(np.array([3])),
        },
        [("in", "1"), ("1", "2"), ("2", "w 3"), ("w 3", "4"), ("4", "out")],
    )


@pytest.mark.parametrize("kind", ["LIF", "CubaLIF"])
def test_a_foreign_graph_gives_the_spikes_of_its_equations(kind: str) -> None:
    graph = layered(kind, bias=0.05, leak=0.05 if kind == "LIF" else 0.0)
    network = from_nir(graph, DT)
    x = np.random.default_rng(5).random((200, 6)) < 0.5
    states: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
    expected: tuple[list[FloatArray], list[FloatArray]] = ([], [])
    for spikes in x.astype(np.float64):
        for k, names in enumerate((("1", "2"), ("w 3", "4"))):
            linear, neurons = (graph.nodes[name] for name in names)
            spikes = euler(neurons, linear.weight @ spikes + linear.bias, states[k], DT)
            expected[k].append(spikes)
    assert [n.name for n in network.populations] == ["n2", "n4", "clock", "clock_2"]
    with load("reference", network, arithmetic="float") as backend:
        found = backend.step({"in": np.vstack([x, np.zeros((2, 6), bool)])}, 202)
    for late, (name, rows) in enumerate(zip(("n2", "n4"), expected, strict=True), start=1):
        raster = np.array(rows) > 0
        assert 0.05 < raster.mean() < 0.9
        assert np.array_equal(found[name][late : late + 200], raster), name


def test_both_discretisations_by_hand() -> None:
    one = np.ones(1)
    node = nir.LIF(tau=4e-3 * one, r=2 * one, v_leak=0 * one, v_threshold=one, v_reset=0 * one)
    graph = nir.NIRGraph.from_list(nir.Linear(np.array([[0.5]])), node)
    euler_way = from_nir(graph, DT)
    population = euler_way.node("lif")
    assert isinstance(population, Population)
    assert population.neuron.integrator(1, DT).membrane_decay == 1 - 0.25
    assert euler_way.projection("linear").weights == 0.5 * 2 * 0.25
    exact = from_nir(graph, DT, discretisation="exponential")
    assert exact.node("lif") == Population("lif", 1, LIF(4e-3))
    assert exact.projection("linear").weights == pytest.approx(0.5 * 2 * (1 - np.exp(-0.25)))
    with pytest.raises(UnknownNameError, match="did you mean 'euler'"):
        from_nir(graph, DT, discretisation="eulre")
    with pytest.raises(UnsupportedError, match="'lif': a time constant shorter than the step"):
        from_nir(graph, 5e-3)
    with pytest.raises(ArgumentError, match="no time step"):
        from_nir(graph)


@pytest.mark.parametrize("discretisation", ["euler", "exponential"])
@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (nir.LIF, "tau"),
        (nir.LI, "tau"),
        *((kind, field) for kind in (nir.CubaLIF, nir.CubaLI) for field in ("tau_mem", "tau_syn")),
    ],
)
def test_time_constants_below_0_are_refused(kind: Any, field: str, discretisation: Any) -> None:
    names = [name for name in inspect.signature(kind).parameters if name in _NEURON]
    node = kind(**{name: np.full(2, -1.0 if name == field else 1.0) for name in names})
    graph = nir.NIRGraph.from_list(nir.Linear(np.eye(2)), node)
    with pytest.raises(UnsupportedError, match="a time constant below 0"):
        from_nir(graph, DT, discretisation=discretisation)


_NEURON = ("tau", "tau_mem", "tau_syn", "r", "v_leak", "v_threshold")


def test_linear_nodes_are_composed() -> None:
    """Read Input (2, 3), Flatten, Scale, Linear, Delay and Threshold, and one of a subgraph."""
    inner = nir.NIRGraph.from_list(
        nir.Scale(np.array([2.0, 3.0])), nir.IF(np.full(2, 1e3), np.ones(2))
    )
    weight = np.arange(12.0).reshape(2, 6) / 8
    graph = nir.NIRGraph(
        {
            "input": nir.Input(np.array([2, 3])),
            "flat": nir.Flatten(np.array([2, 3]), 0, -1),
            "scale": nir.Scale(np.array([1.0, 2, 1, 1, 1, 1])),
            "w": nir.Linear(weight),
            "late": nir.Delay(np.full(2, 2 * DT)),
            "sharp": nir.Threshold(np.array([0.5, 1.0])),
            "sub": inner,
            "output": nir.Output(np.array([2])),
        },
        [
            ("input", "flat"),
            ("flat", "scale"),
            ("scale", "w"),
            ("w", "late"),
            ("late", "sharp"),
            ("sharp", "sub"),
            ("sub", "output"),
        ],
    )
    network = from_nir(graph, DT)
    assert network.nodes[0] == Source("input", 6)
    assert network.node("sharp") == Population("sharp", 2, LIF(0.0, np.array([0.5, 1.0])))
    first, second = network.projections
    expected = (weight * [1, 2, 1, 1, 1, 1]).T
    assert np.array_equal(first.weights, expected)
    assert np.array_equal(first.mask, expected != 0)
    assert network.delay_steps(first.name) == 3
    assert (second.pre, second.post, second.blocks) == ("sharp", "sub_if", 2)
    assert second.weights.ravel().tolist() == [2.0, 3.0]
    neuron = network.node("sub_if")
    assert isinstance(neuron, Population)
    assert neuron.neuron.integrator(2, DT).membrane_decay.tolist() == [1.0, 1.0]
    # An integrator without a leak comes back as one.
    again = to_nir(network).graph.nodes["sub_if"]
    assert type(again) is nir.IF
    assert again.r.tolist() == [1e3, 1e3]


def lif(n: int) -> Any:
    return nir.LIF(np.full(n, 5e-3), np.ones(n), np.zeros(n), np.ones(n), np.zeros(n))


def test_what_has_no_counterpart_is_named() -> None:
    two = np.array([2])
    ends = {"i": nir.Input(two), "o": nir.Output(two)}
    nodes = {**ends, "leaky": nir.LI(np.ones(2), np.ones(2), np.zeros(2)), "v": nir.I(np.ones(2))}
    graph = nir.NIRGraph(nodes, [("i", "leaky"), ("leaky", "v"), ("v", "o")])
    with pytest.raises(UnsupportedError, match="'leaky': LI: its value goes on to 'v'"):
        from_nir(graph, DT)
    readout = nir.NIRGraph.from_list(nir.Input(two), lif(2), nir.Linear(np.eye(2)))
    with pytest.raises(UnsupportedError, match="'linear': a readout without neurons"):
        from_nir(readout, DT)
    slow = nir.NIRGraph.from_list(nir.Input(two), nir.Delay(np.full(2, 1.5e-3)), lif(2))
    with pytest.raises(UnsupportedError, match="no whole number of steps"):
        from_nir(slow, DT)
    uneven = nir.NIRGraph.from_list(nir.Input(two), nir.Delay(np.array([1e-3, 2e-3])), lif(2))
    with pytest.raises(UnsupportedError, match="several delays"):
        from_nir(uneven, DT)
    wrong = nir.NIRGraph(
        {**ends, "w": nir.Linear(np.ones((2, 3))), "n": lif(2)},
        [("i", "w"), ("w", "n"), ("n", "o")],
        type_check=False,
    )
    with pytest.raises(DescriptionError, match="'w': takes another number of inputs"):
        from_nir(wrong, DT)
    nodes = {**ends, "a": nir.Scale(np.ones(2)), "b": nir.Scale(np.ones(2)), "n": lif(2)}
    edges = [("i", "a"), ("a", "b"), ("b", "a"), ("a", "n"), ("n", "o")]
    with pytest.raises(UnsupportedError, match="in a cycle without neurons"):
        from_nir(nir.NIRGraph(nodes, edges, type_check=False), DT)


def test_skips_get_delays_and_long_cycles_a_warning() -> None:
    two = np.array([2])
    nodes = {name: lif(2) for name in "abc"}
    edges = [("i", "a"), ("a", "b"), ("b", "c"), ("i", "c"), ("c", "o"), ("b", "b")]
    graph = nir.NIRGraph({"i": nir.Input(two), "o": nir.Output(two), **nodes}, edges)
    network = from_nir(graph, DT)
    delays = {(p.pre, p.post): network.delay_steps(p.name) for p in network.projections}
    assert delays == {("i", "a"): 1, ("a", "b"): 1, ("b", "b"): 1, ("b", "c"): 1, ("i", "c"): 3}
    plain = from_nir(graph, DT, align=False)
    assert {plain.delay_steps(p.name) for p in plain.projections} == {1}
    graph.edges.append(("b", "a"))
    with pytest.warns(DroppedWarning, match="the cycle of 'a', 'b'"):
        from_nir(graph, DT)


def test_levels_and_cycles_by_hand() -> None:
    names = ["x", "a", "b", "c", "d"]
    edges = [("x", "a"), ("a", "b"), ("b", "a"), ("b", "c"), ("x", "c"), ("c", "c")]
    assert cycles(names, edges) == [frozenset("ab"), frozenset("c")]
    assert levels(names, edges, ["x"]) == {"x": 0, "a": 1, "b": 1, "c": 2, "d": 1}


def test_a_bias_through_a_synapse_needs_a_clock() -> None:
    graph = layered("CubaLIF", bias=0.2, leak=0.0)
    with pytest.raises(UnsupportedError, match="'2': a bias that goes through"):
        from_nir(graph, DT, align=False)


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="no such file"):
        from_nir(tmp_path / "none.nir")
    (tmp_path / "bad.nir").write_text("nothing")
    with pytest.raises(ArgumentError, match="can't be read"):
        from_nir(tmp_path / "bad.nir")
    with pytest.raises(ArgumentError, match="not a graph or file"):
        from_nir(nir.Linear(np.eye(2)), DT)
    with pytest.raises(ArgumentError, match="can't be written"):
        to_nir(mixed(), path=tmp_path / "none" / "a.nir")


def test_show_prints_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.nir"
    to_nir(mixed(), path=path)
    assert main(["show", str(path), "--backend", "reference"]) == 0
    assert "Projection zw: one -> z" in capsys.readouterr().out
    nir.write(path, layered("LIF", 0.1, 0.0))
    assert main(["show", str(path)]) == 2
    assert "give dt" in capsys.readouterr().err
    assert main(["show", str(path), "--dt", "1e-3", "--backend", "loihi"]) == 0
    assert "n4" in capsys.readouterr().out


def trained_in_snntorch(torch: Any, snn: Any, recurrent: bool) -> Any:
    """Train 8 -> 12 LIF -> 3 CUBA-LIF in float32 for some steps, to tell three inputs apart."""
    torch.manual_seed(3)
    options = {"reset_mechanism": "zero", "reset_delay": False, "init_hidden": True}
    first = {"beta": torch.full((12,), 0.9), "threshold": torch.full((12,), 0.4), **options}
    alpha, beta, threshold = (torch.full((3,), x) for x in (0.6, 0.85, 0.5))
    net = torch.nn.Sequential(
        torch.nn.Linear(8, 12),
        snn.RLeaky(linear_features=12, **first) if recurrent else snn.Leaky(**first),
        torch.nn.Linear(12, 3),
        snn.Synaptic(alpha, beta, threshold=threshold, **options),
    )
    optimiser = torch.optim.Adam(net.parameters(), 2e-2)
    rates = torch.full((3, 8), 0.1)
    rates[0, :3] = rates[1, 3:6] = rates[2, 5:] = 0.8
    for _ in range(25):
        silence(net)
        counts = sum(net(torch.bernoulli(rates)) for _ in range(20))
        loss = torch.nn.functional.cross_entropy(counts, torch.arange(3))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return net


@pytest.mark.parametrize("recurrent", [False, True])
def test_a_network_trained_in_snntorch_gives_its_spikes(recurrent: bool, tmp_path: Path) -> None:
    """Every spike is the same while no membrane comes within 1e-5 of its threshold.

    snnTorch computes in float32 and its exporter rounds time constants to it: a factor comes back
    to some 1e-8, a membrane of size 1 to some 1e-6. A membrane nearer to the threshold than that
    could go either way, so that none is nearer than 1e-5 is asserted as well.
    """
    torch = pytest.importorskip("torch", reason="snnTorch needs torch")
    snn = pytest.importorskip("snntorch", reason="pip install snntorch nirtorch")
    pytest.importorskip("nirtorch", reason="snnTorch's exporter needs it")
    from snntorch.export_nir import export_to_nir

    net = trained_in_snntorch(torch, snn, recurrent)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of nirtorch, in snnTorch's exporter
        graph = export_to_nir(net, torch.zeros(1, 8), ignore_dims=[0])
    nir.write(tmp_path / "a.nir", graph)
    x = np.random.default_rng(2).random((150, 8)) < 0.5
    expected, nearest = snntorch_spikes(torch, net, x)
    assert nearest > 1e-5
    network = from_nir(tmp_path / "a.nir", dt=1e-4)
    inputs = {"input": np.vstack([x, np.zeros((2, 8), bool)])}
    found = {}
    for backend, arithmetic in (("reference", "float"), ("reference", "loihi"), ("loihi", "loihi")):
        with load(backend, network, arithmetic=arithmetic) as compiled:
            found[backend, arithmetic] = compiled.step(inputs, 152)
    names = ("n1_lif" if recurrent else "n1", "n3")
    for late, (name, raster) in enumerate(zip(names, expected, strict=True), start=1):
        assert 0.02 < raster.mean() < 0.9
        assert np.array_equal(found["reference", "float"][name][late : late + 150], raster), name
    assert same(found["reference", "loihi"], found["loihi", "loihi"])


def snntorch_spikes(torch: Any, net: Any, x: Any) -> tuple[list[Any], float]:
    """Return rasters of both layers, and how near a membrane came to its threshold."""
    silence(net)
    rasters: list[list[Any]] = [[], []]
    nearest = np.inf
    with torch.no_grad():
        for row in x:
            spikes = torch.tensor(row[None], dtype=torch.float32)
            for k in (0, 1):
                neurons, current = net[2 * k + 1], net[2 * k](spikes)
                drive = current
                if hasattr(neurons, "recurrent"):
                    drive = drive + neurons.recurrent(_state(neurons.spk, current))
                if hasattr(neurons, "syn"):
                    drive = drive + neurons.alpha * _state(neurons.syn, current)
                v = neurons.beta * _state(neurons.mem, current) + drive
                nearest = min(nearest, float((v - neurons.threshold).abs().min()))
                spikes = neurons(current)
                rasters[k].append(spikes[0].numpy() > 0)
    return [np.array(rows) for rows in rasters], nearest


def silence(net: Any) -> None:
    for neurons in (net[1], net[3]):
        neurons.reset_mem()


def _state(value: Any, like: Any) -> Any:
    """Hold a hidden state, 0 before the first step."""
    return value if value.shape == like.shape else 0 * like
