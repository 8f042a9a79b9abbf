"""Test our NIR files in the libraries that read them: every spike, with the lag as stated.

Each row of the table in docs/nir.md is one of these tests; it fails if the table says otherwise.
``--nir-table FILE`` writes the rows instead; scripts/nir_table.py puts them into the page.

snnTorch and Norse compute in float32, and SpikingJelly too if nobody says: weights and factors are
rounded to 24 bits, and membranes of size 1 are off by some 1e-7. Each test asserts that none came
nearer to its threshold here than 5e-6. SpikingJelly in float64 leaves no doubt at all.
"""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
from nir_networks import CASES, Case
from nir_readers import play_form, play_in
from nir_rows import Row, expect_row

from neurorl import Network, Population, Projection, Source
from neurorl.errors import ArgumentError, UnknownNameError, UnsupportedError
from neurorl.models import LIF
from neurorl.nir import READERS, DroppedWarning, Reader, reader_problems, to_nir
from neurorl.nir.package import RESERVED
from neurorl.nir.parts import Parts

pytest.importorskip("nir", reason="pip install 'neurorl[nir]'")

ALL = {
    **READERS,
    "spikingjelly-float64": dataclasses.replace(READERS["spikingjelly"], single=False),
}
FEWEST = 300
NEAREST = 5e-6


def readers(*names: str) -> list[object]:
    """Return parameters of a test, each with what it needs to be installed."""
    needs = {"snntorch": ("snntorch", "nirtorch"), "norse": ("norse",)}
    return [
        pytest.param(
            name,
            marks=[
                pytest.mark.witness(package)
                for package in needs.get(ALL[name].name, (ALL[name].name,))
            ],
        )
        for name in names
    ]


@pytest.mark.parametrize("name", readers(*ALL))
@pytest.mark.parametrize("case", CASES)
def test_a_reader_gives_every_spike(
    case: str, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    reader, described = ALL[name], CASES[case]
    if reader.name in described.refused:
        expect_row(request, refusal(described, name, reader, tmp_path))
    else:
        expect_row(request, comparison(described, name, reader, tmp_path))


def refusal(described: Case, name: str, reader: Reader, folder: Path) -> Row:
    """The network is refused before anything is written, with the reason."""
    played = described.play()
    assert played.output.any()
    with pytest.raises(UnsupportedError, match=described.refused[reader.name]) as caught:
        to_nir(played.network, played.weights, folder / "a.nir", reader=reader)
    assert list(folder.iterdir()) == []
    problems = reader_problems(played.network, played.weights, reader=reader)
    assert all(line in str(caught.value) for line in problems)
    return Row(described.title, name, f"refused: {described.refused[reader.name]}")


def comparison(described: Case, name: str, reader: Reader, folder: Path) -> Row:
    played = described.play()
    path, network = folder / "a.nir", played.network
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        written = to_nir(network, played.weights, path, reader=reader)
    assert [w.category for w in caught] == [DroppedWarning] * len(written.dropped)
    assert [line.partition(":")[0] for line in written.dropped] == [
        described.named for _ in written.dropped
    ]
    assert bool(described.named) == bool(written.dropped)
    assert written.lag is not None
    silent = np.zeros((written.lead, *played.inputs.shape[1:]), bool)
    inputs = np.concatenate([silent, played.inputs])
    later = written.lag - written.lead
    steps = len(played.inputs) - later
    ours = played.output[later:]
    form, _ = reader.form(Parts(network, played.weights, in_force=True))
    assert form is not None
    by_hand, nearest = play_form(form, inputs)
    assert np.array_equal(by_hand[:steps], ours)
    theirs = play_in(reader.name, path, inputs, reader.dt, double=not reader.single)[:steps]
    differences = int((theirs != ours).sum())
    assert differences == 0
    assert ours.sum() >= FEWEST
    assert not np.array_equal(theirs[:-1], ours[1:])
    assert not np.array_equal(theirs[1:], ours[:-1])
    assert nearest > NEAREST
    one = "one population" if form.layers[0].name is None else "chain"
    return Row(
        described.title,
        name,
        one,
        written.lag,
        written.lead,
        int(ours.sum()),
        differences,
        f"{nearest:.0e}",
    )


def at_the_threshold() -> Network:
    """Membranes come to the threshold exactly, which is no spike here, and above it."""
    weights = np.array([[0.5, 1.0, 0.5], [0.5, 0.25, 1.0]])
    nodes = (Source("input", 2), Population("output", 3, LIF(tau_mem=0.0)))
    return Network(nodes, (Projection("w", "input", "output", weights),), 1e-3)


@pytest.mark.parametrize("name", readers(*ALL))
def test_a_membrane_at_its_threshold_does_not_spike(name: str, tmp_path: Path) -> None:
    path, reader = tmp_path / "a.nir", ALL[name]
    to_nir(at_the_threshold(), path=path, reader=reader)
    inputs = np.array([[[1, 0]], [[0, 1]], [[1, 1]]], dtype=bool)
    spikes = play_in(reader.name, path, inputs, reader.dt, double=not reader.single)
    assert spikes[:, 0].tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 1]]


@pytest.mark.parametrize("name", readers("spikingjelly", "norse"))
def test_another_step_of_the_reader(name: str, tmp_path: Path) -> None:
    """With dt = 2**-7 s spikes are the same, and others if the reader isn't told."""
    played = CASES["cuba-2"].play()
    path = tmp_path / "a.nir"
    written = to_nir(played.network, path=path, reader=name, dt=2.0**-7)
    steps = len(played.inputs) - 2
    assert written.lag == 2
    right = play_in(name, path, played.inputs, 2.0**-7)[:steps]
    assert np.array_equal(right, played.output[2:])
    if name == "norse":
        wrong = play_in(name, path, played.inputs, 1e-3)[:steps]
        assert not np.array_equal(wrong, played.output[2:])


@pytest.mark.parametrize("name", readers(*READERS))
def test_standard_files_of_an_agent_as_drawn(name: str, tmp_path: Path) -> None:
    """Told nothing of the reader but its dt, biases are in Affine, with one Input and Output."""
    played = CASES["cartpole"].play()
    path, reader = tmp_path / "a.nir", READERS[name]
    with pytest.warns(DroppedWarning, match="plasticity"):
        written = to_nir(played.network, played.weights, path, dt=reader.dt)
    assert sorted(written.graph.nodes) == [
        *("hidden", "hidden_output", "input", "input_hidden", "output", "output_neurons")
    ]
    theirs = play_in(name, path, played.inputs, reader.dt)[:-2]
    assert written.lag == 2
    assert played.output.sum() >= FEWEST
    assert np.array_equal(theirs, played.output[2:])


@pytest.mark.parametrize("name", readers(*READERS))
def test_a_standard_file_of_a_trained_agent_is_not_exact(name: str, tmp_path: Path) -> None:
    """The bias of its output begins a step earlier here, which is why there is ``reader=``."""
    played = CASES["cartpole-trained"].play()
    path, reader = tmp_path / "a.nir", READERS[name]
    with pytest.warns(DroppedWarning, match="plasticity"):
        to_nir(played.network, played.weights, path, dt=reader.dt)
    theirs = play_in(name, path, played.inputs, reader.dt)[:-2]
    differences = int((theirs != played.output[2:]).sum())
    assert 0 < differences < 0.05 * played.output.sum()


def test_the_step_of_snntorch_is_fixed() -> None:
    with pytest.raises(ArgumentError, match=r"NIR for snntorch, dt: is fixed \(got 0.001"):
        to_nir(at_the_threshold(), reader="snntorch", dt=1e-3)
    with pytest.raises(UnknownNameError, match="did you mean 'norse'"):
        to_nir(at_the_threshold(), reader="nors")


@pytest.mark.witness("torch")
def test_names_that_are_avoided_are_those_of_modules() -> None:
    import torch

    modules = (
        torch.nn.ModuleDict(),
        torch.fx.GraphModule(torch.nn.Module(), torch.fx.Graph()),
    )
    public = {name for module in modules for name in dir(module) if not name.startswith("_")}
    assert public - RESERVED == set()
