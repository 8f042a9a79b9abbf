"""Write files of other libraries, with what these make of them, for tests/nir/test_peers.py.

python scripts/peer_files.py [--only snntorch,sinabs] [--out tests/nir/peers]

Needs the libraries; those that aren't installed keep their files. Each case is a NIR file as its
exporter wrote it, packed, and an npz with spikes that went in and came out of the network that it
was exported from; peers.json has the versions, how to read the file, and what the library makes of
the same network written here. rockpool tries to install its chip's driver when it is imported; it
works without.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
STEPS = 120
FLAT, IMAGE = (5,), (1, 6, 6)


@dataclass(frozen=True)
class Case:
    """Hold a network of a library and how its file is to be read.

    make: returns its graph, and a function of one step ``(1, *shape)`` to spikes. remark: what its
    file doesn't say.
    """

    library: str
    network: str
    make: Callable[[], tuple[Any, Callable[[Any], Any]]]
    shape: tuple[int, ...]
    dt: float
    discretisation: str = "euler"
    reset: str = "value"
    remark: str = ""


def weights(*layers: Any) -> None:
    """Draw weights that are multiples of 1/64, and biases of 0."""
    import torch

    rng = np.random.default_rng(7)
    for layer in layers:
        drawn = rng.normal(0.25, 0.5, tuple(layer.weight.shape))
        layer.weight.data = torch.tensor(np.rint(drawn * 64) / 64, dtype=torch.float32)
        if layer.bias is not None:
            layer.bias.data[:] = 0.0


def snntorch(reset: str) -> tuple[Any, Callable[[Any], Any]]:
    """Return two layers of Leaky, with this reset."""
    import snntorch as snn
    import torch
    from snntorch.export_nir import export_to_nir
    from torch import nn

    def leaky(n: int, beta: float) -> Any:
        return snn.Leaky(
            beta=torch.full((n,), beta),
            threshold=torch.full((n,), 65 / 64),
            reset_mechanism=reset,
            reset_delay=False,
            init_hidden=True,
        )

    one, two = nn.Linear(5, 8), nn.Linear(8, 4)
    weights(one, two)
    cells = leaky(8, 0.75), leaky(4, 0.5)
    net = nn.Sequential(one, cells[0], two, cells[1])
    graph = export_to_nir(net, torch.zeros(1, 5), ignore_dims=[0])
    for layer in cells:
        layer.reset_mem()
    return graph, net


def spikingjelly() -> tuple[Any, Callable[[Any], Any]]:
    """Return a convolution with LIF, a pool of its spikes, and IF; hard resets."""
    import torch
    from spikingjelly.activation_based import layer, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir
    from torch import nn

    conv, flat = layer.Conv2d(1, 2, 3, padding=1), layer.Linear(18, 4)
    weights(conv, flat)
    net = nn.Sequential(
        conv,
        neuron.LIFNode(tau=4.0, decay_input=False, v_threshold=1.01, v_reset=0.0),
        layer.AvgPool2d(2),
        layer.Flatten(),
        flat,
        neuron.IFNode(v_threshold=1.003, v_reset=0.0),
    )
    return export_to_nir(net, torch.zeros(1, *IMAGE), dt=1e-4), net


def sinabs(single: bool) -> tuple[Any, Callable[[Any], Any]]:
    """Return a convolution with IAF, a pool of its spikes, and LIF.

    single: one spike a step, and resets to 0; else as they are by default.
    """
    import torch
    from sinabs import layers
    from sinabs.activation import MembraneReset, SingleSpike
    from sinabs.nir import to_nir
    from torch import nn

    how = {"spike_fn": SingleSpike, "reset_fn": MembraneReset()} if single else {}
    conv, flat = nn.Conv2d(1, 2, 3, bias=False), nn.Linear(8, 4, bias=False)
    weights(conv, flat)
    flat.weight.data *= 4.0
    threshold = torch.full((4,), 1 + 1 / 128)
    fires = layers.LIFSqueeze(
        tau_mem=torch.full((4,), 4.0), spike_threshold=threshold, batch_size=1, **how
    )
    first = layers.IAFSqueeze(spike_threshold=threshold[0], batch_size=1, **how)
    net = nn.Sequential(conv, first, layers.SumPool2d(2), nn.Flatten(), flat, fires)
    net(torch.zeros(1, *IMAGE))
    graph = to_nir(net, torch.zeros(1, *IMAGE))
    # Both are None, which nir 1.0.8 can't write.
    graph.nodes["0"].input_shape = IMAGE[1:]
    graph.nodes["3"].input_type = {"input": np.array([2, 2, 2])}
    for layer in (first, fires):
        layer.reset_states()
    return graph, net


def norse(cell: str) -> tuple[Any, Callable[[Any], Any]]:
    """Return two layers of a cell of Norse."""
    import norse.torch as norse_torch
    import torch
    from torch import nn

    def cells(n: int) -> Any:
        fixed = {name: torch.zeros(n) for name in ("v_leak", "v_reset")}
        fixed |= {"v_th": torch.full((n,), 0.25 + 1 / 512), "tau_mem_inv": torch.full((n,), 250.0)}
        if cell == "LIFBox":
            return norse_torch.LIFBoxCell(norse_torch.LIFBoxParameters(**fixed))
        fixed["tau_syn_inv"] = torch.full((n,), 500.0)
        return norse_torch.LIFCell(norse_torch.LIFParameters(**fixed))

    one, two = nn.Linear(5, 8), nn.Linear(8, 4)
    weights(one, two)
    net = norse_torch.SequentialState(one, cells(8), two, cells(4))
    graph = norse_torch.to_nir(net, torch.zeros(1, 5))
    state: list[Any] = [None]

    def step(row: Any) -> Any:
        spikes, state[0] = net(row, state[0])
        return spikes

    return graph, step


def rockpool() -> tuple[Any, Callable[[Any], Any]]:
    """Return two layers of LIFTorch, which is what XyloSim's networks are trained as."""
    import torch
    from rockpool.nn.combinators import Sequential
    from rockpool.nn.modules import LIFTorch, LinearTorch
    from rockpool.nn.modules.torch.nir import to_nir

    one, two = LinearTorch((5, 8)), LinearTorch((8, 4))
    weights(one, two)
    fixed = {"dt": 1e-3, "tau_mem": 4e-3, "tau_syn": 2e-3, "threshold": 1 + 1 / 512}
    more = {"max_spikes_per_dt": torch.tensor(1.0)}
    net = Sequential(one, LIFTorch(8, **fixed, **more), two, LIFTorch(4, **fixed, **more))
    graph = to_nir(net)
    net.reset_state()
    return graph, lambda row: net(row[:, None])[0][:, 0]


CASES = {
    "snntorch-zero": Case(
        "snntorch", "Linear, Leaky, Linear, Leaky; resets to zero", lambda: snntorch("zero"), FLAT,
        1e-4,
    ),
    "snntorch-subtract": Case(
        "snntorch", "the same; resets by subtraction", lambda: snntorch("subtract"), FLAT, 1e-4,
        reset="subtract", remark="its reset",
    ),
    "norse-lifbox": Case(
        "norse", "Linear, LIFBox, Linear, LIFBox", lambda: norse("LIFBox"), FLAT, 1e-6,
    ),
    "norse-lif": Case(
        "norse", "Linear, LIF, Linear, LIF", lambda: norse("LIF"), FLAT, 1e-6,
        remark="a current that acts a step later, and isn't scaled by dt/tau_syn",
    ),
    "spikingjelly": Case(
        "spikingjelly", "Conv2d, LIF, AvgPool2d, Flatten, Linear, IF", spikingjelly, IMAGE, 1e-4,
    ),
    "sinabs-single": Case(
        "sinabs", "Conv2d, IAF, SumPool2d, Flatten, Linear, LIF; single spikes, resets to zero",
        lambda: sinabs(True), IMAGE, 1.0, "exponential",
    ),
    "sinabs-default": Case(
        "sinabs", "the same; several spikes a step, resets by subtraction",
        lambda: sinabs(False), IMAGE, 1.0, "exponential", "subtract", "several spikes a step",
    ),
    "rockpool": Case(
        "rockpool", "Linear, LIFTorch, Linear, LIFTorch; one spike a step", rockpool, FLAT, 1e-3,
        "exponential", "subtract",
        "its reset, and what a spike adds: r is tau e/dt, e = exp(-dt/tau), and w_in is 1",
    ),
}  # fmt: skip


def read_snntorch(graph: Any) -> Callable[[Any], Any]:
    """Return one step of the graph as snnTorch reads it."""
    from snntorch.import_nir import import_from_nir

    with contextlib.redirect_stdout(io.StringIO()):
        return _stateful(import_from_nir(graph))


def read_norse(graph: Any) -> Callable[[Any], Any]:
    """Return one step of the graph as Norse reads it, with dt = 1e-6."""
    import norse.torch as norse_torch

    return _stateful(norse_torch.from_nir(graph, dt=1e-6))


def read_spikingjelly(graph: Any) -> Callable[[Any], Any]:
    """Return one step of the graph as SpikingJelly reads it."""
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return _stateful(import_from_nir(graph, dt=1e-4))


def read_sinabs(graph: Any) -> Callable[[Any], Any]:
    """Return one step of the graph as Sinabs reads it, with single spikes and resets to 0."""
    import nir
    from sinabs.activation import MembraneReset, SingleSpike
    from sinabs.nir import from_nir

    for name, node in graph.nodes.items():
        if isinstance(node, nir.Linear):  # which it doesn't read
            graph.nodes[name] = nir.Affine(node.weight, np.zeros(len(node.weight)))
    net = from_nir(graph, batch_size=1)
    for layer in net.modules():
        if hasattr(layer, "spike_fn"):
            layer.spike_fn, layer.reset_fn, layer.min_v_mem = SingleSpike, MembraneReset(), None
    return _stateful(net)


def read_rockpool(graph: Any) -> Callable[[Any], Any]:
    """Return one step of the graph as Rockpool reads it."""
    from rockpool.nn.modules.torch.nir import from_nir

    net = _stateful(from_nir(graph))
    return lambda row: net(row[:, None])[:, 0]


READ = {
    "snntorch": read_snntorch,
    "norse": read_norse,
    "spikingjelly": read_spikingjelly,
    "sinabs": read_sinabs,
    "rockpool": read_rockpool,
}


def _stateful(net: Any) -> Callable[[Any], Any]:
    state: list[Any] = [None]

    def step(row: Any) -> Any:
        answer = net(row, state[0])
        spikes, state[0] = answer if isinstance(answer, tuple) else (answer, None)
        return spikes

    return step


def back(case: Case, graph: Any, inputs: Any) -> str:
    """Return how many spikes of the last layer are others there, of the file written again here."""
    import nir
    import torch

    from neurorl import load
    from neurorl.nir import READERS, from_nir, to_nir

    network = from_nir(graph, case.dt, discretisation=case.discretisation)
    images = {"input": case.shape} if len(case.shape) > 1 else {}
    for name, node in graph.nodes.items():
        threshold = getattr(node, "v_threshold", np.zeros(1))
        if np.ndim(threshold) == 3:
            images[next(p.name for p in network.populations if p.name.endswith(name))] = np.shape(
                threshold
            )
    images = {network.sources[0].name if k == "input" else k: v for k, v in images.items()}
    layers = [p.name for p in network.populations if not p.name.startswith("clock")]
    given = np.vstack([inputs.reshape(STEPS, -1), np.zeros((2, inputs[0].size), bool)])
    with load("reference", network, arithmetic="float") as backend:
        ours = backend.step({network.sources[0].name: given}, STEPS + 2)[layers[-1]][2:]
    file = io.BytesIO()
    reader = case.library if case.library in READERS and not images else None
    try:
        written = to_nir(network, dt=case.dt, shapes=images, reader=reader)
        nir.write(file, written.graph)
        step = READ[case.library](nir.read(file))
        rows = [
            step(torch.tensor(row, dtype=torch.float32)[None]).numpy().ravel() for row in inputs
        ]
    except Exception as exc:  # each raises what it likes
        return f"refused: {type(exc).__name__}: {str(exc).splitlines()[0][:80]}"
    return f"{int((np.array(rows) != ours).sum())} of {ours.size}"


def write(name: str, case: Case, folder: Path) -> dict[str, Any]:
    """Write a case's files; return what the list says of it."""
    import nir
    import torch

    torch.set_num_threads(1)
    inputs = np.random.default_rng(3).random((STEPS, *case.shape)) < 0.3
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        graph, step = case.make()
        rows = [
            step(torch.tensor(row, dtype=torch.float32)[None]).numpy().ravel() for row in inputs
        ]
        file = io.BytesIO()
        nir.write(file, graph)
        way_back = back(case, nir.read(file, type_check=False), inputs)
    (folder / f"{name}.nir.gz").write_bytes(gzip.compress(file.getvalue(), mtime=0))
    flat = inputs.reshape(STEPS, -1)
    np.savez_compressed(folder / f"{name}.npz", inputs=flat, outputs=np.array(rows, np.int8))
    said = {key: value for key, value in asdict(case).items() if key not in ("make", "shape")}
    return {**said, "version": version(case.library), "back": way_back}


def main(arguments: list[str] | None = None) -> int:
    """Write the files of all libraries that are installed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="libraries, by commas")
    parser.add_argument("--out", type=Path, default=ROOT / "tests" / "nir" / "peers")
    options = parser.parse_args(arguments)
    listed = options.out / "peers.json"
    cases = json.loads(listed.read_text()) if listed.exists() else {}
    for name, case in CASES.items():
        wanted = options.only is None or case.library in options.only.split(",")
        if wanted and find_spec(case.library) is not None:
            cases[name] = write(name, case, options.out)
            print(name)
    listed.write_text(json.dumps({name: cases[name] for name in CASES if name in cases}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
