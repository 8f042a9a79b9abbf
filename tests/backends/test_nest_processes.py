"""Networks in parts: without NEST, what parts are; with a NEST that has MPI, that all is equal.

What needs such a NEST is skipped by name unless ``NEURORL_NEST`` names one and mpirun is here.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import networks_in_parts as together
import numpy as np
import pytest

from neurorl import Learning, Network, Population, Projection, Uniform, load
from neurorl.errors import BackendError, RunError
from neurorl.models import LIF, FixedInDegree
from neurorl.network.initial_weights import initial_weights
from neurorl.network.restoring import save_network

EXAMPLE = Path(__file__).parents[2] / "examples" / "nest_backend"
SEED = 100  # of a network whose weights move
EMPTY = 115  # of one with a projection of random delays that has no synapse in some parts
needs_mpi = pytest.mark.skipif(
    not os.environ.get("NEURORL_NEST") or shutil.which("mpirun") is None,
    reason="needs a NEST with MPI, named by NEURORL_NEST, and mpirun: docs/nest.md builds one",
)


@pytest.fixture(autouse=True)
def example(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package of the backend be found."""
    monkeypatch.syspath_prepend(str(EXAMPLE))


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("seed", range(8))
def test_parts_are_the_whole(seed: int, n: int) -> None:
    from neurorl_nest.parts import part_of

    whole = together.random_network(seed)
    parts = [part_of(whole, rank, n, seed) for rank in range(n)]
    for p in whole.projections:
        rows = []
        for part, rank in zip(parts, range(n), strict=True):
            pre, post = part.ends(p.name)
            assert (post % n == rank).all()
            steps = part.synapse_delays(p.name)
            if steps is None:
                steps = np.full(len(pre), part.delay_steps(p.name))
            rows.append([pre, post, initial_weights(part, p.name, seed), steps])
        pre, post = whole.ends(p.name)
        steps = whole.synapse_delays(p.name)
        if steps is None:
            steps = np.full(len(pre), whole.delay_steps(p.name))
        expected = np.array([pre, post, initial_weights(whole, p.name, seed).ravel(), steps])
        if p.mask is not None:
            expected = expected[:, np.asarray(p.mask).ravel()]
        got = np.concatenate([np.array(of, float) for of in rows], axis=1)
        order = (np.lexsort(which[[1, 0]]) for which in (got, expected))
        assert np.array_equal(got[:, next(order)], expected[:, next(order)]), p.name


@pytest.mark.parametrize(
    ("before", "after", "seed"), [(1, 3, SEED), (4, 1, SEED), (3, 2, SEED), (4, 2, EMPTY)]
)
def test_a_checkpoint_goes_to_any_number(
    before: int, after: int, seed: int, tmp_path: Path
) -> None:
    """States of parts, on native in place of NEST, are taken apart and put together."""
    from neurorl_nest.checkpoint import restore, save
    from neurorl_nest.parts import part_of

    whole = together.random_network(seed)

    def learning(rank: int, n: int) -> Any:
        backend = load("native", part_of(whole, rank, n, seed), seed=seed)
        return Learning(backend, **together.learning_of(seed))

    rng = np.random.default_rng(1)
    values = {p.name: rng.random((whole.node(p.pre).size, 64)) for p in whole.projections}

    def of(network: Any, name: str) -> Any:  # a value for each pair, whoever has the synapse
        pre, post = network.ends(name)
        return values[name][pre, post]

    for rank in range(before):
        runs = learning(rank, before)
        state = runs.state()
        for key in state:
            if key.startswith("eligibility."):
                state[key] = of(runs.backend.network, key.removeprefix("eligibility."))
            if key == "backend.c0.voltage":
                state[key] = np.arange(len(state[key])) * (
                    np.arange(len(state[key])) % before == rank
                )
        save(tmp_path, rank, before, runs.backend.network, state)
    for rank in range(after):
        runs = learning(rank, after)
        state = restore(tmp_path, rank, after, runs.backend.network, runs.state())
        assert np.array_equal(
            state["backend.c0.voltage"], np.arange(len(state["backend.c0.voltage"]))
        )
        for key in state:
            if key.startswith("eligibility."):
                name = key.removeprefix("eligibility.")
                expected = of(runs.backend.network, name)
                assert np.array_equal(state[key], expected.astype(state[key].dtype)), key


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    from neurorl_nest.checkpoint import complete, restore, save, whole

    network = together.random_network(SEED)
    with pytest.raises(RunError, match="checkpoint: there is none"):
        whole(tmp_path / "none")
    with load("native", network, seed=SEED) as backend:
        state = backend.state()
    for _ in range(2):  # the second takes the first one's place
        partial = tmp_path / "partial"
        partial.mkdir()
        save(partial, 0, 1, network, state)
        complete(partial, tmp_path / "kept")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    folder = whole(tmp_path / "kept")
    assert np.array_equal(restore(folder, 0, 1, network, state)["t"], state["t"])
    with pytest.raises(RunError, match="damaged, or of another network"):
        restore(folder, 0, 1, together.random_network(SEED + 1), state)
    (folder / "0.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(RunError, match="damaged, or of another network"):
        restore(folder, 0, 1, network, state)


@needs_mpi
@pytest.mark.parametrize(
    ("run", "processes", "threads"),
    [
        (together.in_parts, 2, 1),
        (together.in_parts, 4, 1),
        (together.in_parts, 1, 4),
        (together.on_backend, 2, 2),
    ],
)
def test_everything_is_equal_on_processes_and_threads(
    run: Any, processes: int, threads: int
) -> None:
    network = together.random_network(SEED)
    values, state = together.native(network, SEED)
    got, then = run(network, SEED, processes, threads)
    assert [*together.differing(values, got)] == []
    assert [*together.differing(state, then)] == []
    assert any(value.any() for name, value in values.items() if name.startswith("e "))


@needs_mpi
@pytest.mark.parametrize(("before", "after"), [(4, 1), (1, 4)])
def test_a_run_goes_on_with_other_processes(before: int, after: int, tmp_path: Path) -> None:
    network = together.random_network(SEED)
    got = together.resumed(network, SEED, tmp_path / "checkpoint", before, after)
    assert [*together.differing(together.native(network, SEED)[0], got)] == []


@needs_mpi
def test_a_killed_process_is_said_and_the_checkpoint_stays(tmp_path: Path) -> None:
    from neurorl_nest.distributed import Distributed

    network, told = together.random_network(SEED), {"seed": SEED, "processes": 2}
    with Distributed(network, **told) as runs:  # type: ignore[arg-type]
        runs.save(tmp_path / "kept")
        os.kill(int(runs.measure()[1]["process"]), signal.SIGKILL)
        with pytest.raises(BackendError, match=r"has ended .got .*signal 9") as caught:
            runs.window({}, 50)
        assert "\n" not in str(caught.value)
        with pytest.raises(BackendError):
            runs.save(tmp_path / "kept")
    with Distributed(network, seed=SEED) as runs:
        runs.restore(tmp_path / "kept")
        assert runs.window({}, 5)


@needs_mpi
def test_what_goes_wrong_in_one_process_ends_all() -> None:
    from neurorl_nest.distributed import Distributed

    with Distributed(together.random_network(SEED), processes=2) as runs:
        with pytest.raises(BackendError, match=r"unknown name .*none"):
            runs.weights("none")
        with pytest.raises(BackendError, match="nothing learns"):
            runs.reinforce(1.0)


def test_a_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main = importlib.import_module("neurorl_nest.__main__").main
    file = str(tmp_path / "network.npz")
    save_network(file, together.random_network(SEED))
    for arguments, said in (
        (["--rate", "in=x"], "--rate: is no rate (got in=x, limit SOURCE=HZ)"),
        (["--resume"], "--resume: goes on from a checkpoint; --checkpoint DIR"),
    ):
        assert main([file, "--steps", "3", *arguments]) == 2
        assert capsys.readouterr().err == f"neurorl_nest: {said}\n"


@needs_mpi
def test_a_command_goes_on_with_other_processes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = importlib.import_module("neurorl_nest.__main__").main
    file, state = str(tmp_path / "network.npz"), str(tmp_path / "state")
    save_network(file, together.random_network(SEED))
    counted = []
    for arguments in (
        ["--steps", "300"],
        ["--steps", "200", "--processes", "2", "--checkpoint", state],
        ["--steps", "300", "--processes", "3", "--checkpoint", state, "--resume"],
    ):
        assert main([file, "--rate", "in=100", *arguments]) == 0
        rows = capsys.readouterr().out.splitlines()[1:]
        counted.append(np.array([int(row.split()[2]) for row in rows]))
    assert counted[0].any()
    assert np.array_equal(counted[0], counted[1] + counted[2])


@needs_mpi
def test_nobody_draws_the_whole() -> None:
    from neurorl_nest.distributed import Distributed

    connect = FixedInDegree(5, seed=3)
    recurrent = Projection("recurrent", "cells", "cells", Uniform(0.0, 0.1), connect=connect)
    network = Network((Population("cells", 40, LIF(0.01, noise=0.3)),), (recurrent,))
    with Distributed(network, processes=3) as runs:
        assert runs.window({}, 20)["cells"].any()
        assert [one["synapses"] for one in runs.measure()] == [70, 65, 65]
        assert "_kept" not in vars(network.projection("recurrent"))  # no list was made here
