"""Test files, descriptions and arguments made by others: one line, and no memory for them.

`tests/attacks/test_fuzz.py` tries many more by chance; these are the kinds that have broken it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzzing.guard import limited_memory

from neurorl import SpikingActorCritic, load
from neurorl.agents.checkpoint import packed, read_checkpoint
from neurorl.agents.evaluation import read_cost
from neurorl.cli import main
from neurorl.cli.status import exit_status
from neurorl.errors import ArgumentError, NeurorlError, RunError
from neurorl.models import LIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.network.restoring import load_network
from neurorl.runs.directory import RunDirectory
from neurorl.runs.training import read_seeds, train
from neurorl.storage import archive as archives
from neurorl.storage.archive import read_arrays
from neurorl.storage.reading import JSON_DEPTH, FilePlace, parse_json, read_bytes

ENV = "neurorl/Bandit-v0"
PLACE = FilePlace("file x")
MIB = 2**20


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "run"
    train(ENV, path, episodes=3, overrides={"actors": 1, "hidden": 2})
    return path


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "run"))


def signed(archive: Callable[[zipfile.ZipFile], None], path: Path) -> Path:
    """Write a file with the digest of whatever was put in it."""

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        archive(file)
    path.write_bytes(archives.signed(data))
    return path


def npy(array: Any, pickled: bool = False) -> bytes:
    data = io.BytesIO()
    np.save(data, array, allow_pickle=pickled)
    return data.getvalue()


# Files as such.


@pytest.mark.parametrize(
    "name", ["/dev/zero", "fifo", "folder", "missing", "loop", "a\0b", "x" * 300]
)
def test_only_ordinary_files_are_read(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(RunError, match=r"file x: (can't be read|is no ordinary file)"):
        read_bytes(tmp_path / name, 100, PLACE)


def test_a_file_is_measured_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(3 * 2**30)
    with limited_memory(), pytest.raises(RunError, match=r"is too large.*limit 1000 bytes"):
        read_bytes(path, 1000, PLACE)
    with limited_memory(), pytest.raises(RunError, match="is too large"):
        read_checkpoint(path)
    path.write_bytes(b"whole")
    assert read_bytes(path, 5, PLACE) == b"whole"


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        "[Infinity]",
        "[" * 100_000,
        "[" * (JSON_DEPTH + 2) + "]" * (JSON_DEPTH + 2),
        "9" * 5000,
        "\xff",
        "",
        "{",
    ],
)
def test_json_is_strict(text: str) -> None:
    with pytest.raises(RunError, match="file x: is damaged"):
        parse_json(text.encode("latin-1"), PLACE)


def test_json_takes_no_more_memory_than_it_may() -> None:
    text = b"[" + b"[]," * (6 * MIB) + b"[]]"
    with limited_memory(), pytest.raises(RunError, match="takes too much memory"):
        parse_json(text, PLACE)
    deep: Any = 1
    for _ in range(JSON_DEPTH):
        deep = {"a": [0.5, None, True, "ä"], "b": deep}
    assert parse_json(json.dumps(deep).encode(), PLACE) == deep


# Runs.


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("agent", 3),
        ("agent", None),
        ("seed", "0"),
        ("seed", -1),
        ("seed", 2**63),
        ("seed", True),
        ("episodes", 1.5),
        ("episodes", 0),
        ("env", ["x"]),
        ("backend", {}),
        ("gradient", 1.0),
        ("env_spec", "x"),
        ("approach", None),
    ],
)
def test_values_of_another_kind_in_config_json(key: str, value: Any, run: Path) -> None:
    file = run / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))
    assert main(["train", ENV, "--out", str(run), "--resume"]) == 2


@pytest.mark.parametrize(
    "file", ["config.json", "episodes.csv", "checkpoint.npz", "evaluation.json"]
)
def test_no_reader_waits_for_a_pipe(file: str, run: Path) -> None:
    (run / file).unlink(missing_ok=True)
    os.mkfifo(run / file)
    readers: dict[str, Callable[[], object]] = {
        "config.json": RunDirectory(run).read_config,
        "episodes.csv": RunDirectory(run).read_episodes,
        "checkpoint.npz": lambda: SpikingActorCritic.load(run),
        "evaluation.json": lambda: read_cost(run),
    }
    with pytest.raises(RunError, match="no ordinary file"):
        readers[file]()


@pytest.mark.parametrize(
    "rows",
    ["\0", "0,nan,1,1,0,0\n", "0,1\n", "x,1,1,1,1,1\n", "1" * 2000, '"', "0,1e999,1,1,0,0\n"],
)
def test_a_damaged_table_of_episodes(rows: str, run: Path) -> None:
    table = run / "episodes.csv"
    table.write_text(table.read_text() + rows)
    with pytest.raises(RunError, match=r"episodes\.csv"):
        RunDirectory(run).read_episodes()


@pytest.mark.parametrize(
    "changes", [{"model": None}, {"env": "$x_{"}, {"backend": "x" * 10**5}, {"env": "a\nb"}]
)
def test_odd_runs_are_drawn(changes: dict[str, Any], run: Path) -> None:
    file = run / "config.json"
    config = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))
    assert main(["plot", str(run), "--out", str(run / "x.svg")]) == 0


# Checkpoints.


def header(shape: str, content: bytes = b"") -> bytes:
    """Return an npy whose header says a shape, whatever follows it."""
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + content


def deflated(file: zipfile.ZipFile) -> None:
    file.writestr("w.npy", npy(np.zeros(3)))
    info = zipfile.ZipInfo("bomb.npy")
    info.compress_type = zipfile.ZIP_DEFLATED
    with file.open(info, "w", force_zip64=True) as member:
        for _ in range(200):
            member.write(bytes(MIB))


def claimed(file: zipfile.ZipFile) -> None:
    """Let the directory claim four gigabytes of a member of a few bytes."""
    file.writestr("w.npy", npy(np.zeros(3)))
    info = file.getinfo("w.npy")
    info.file_size = info.compress_size = 2**32 - 2


def overlapping(file: zipfile.ZipFile) -> None:
    """Let a thousand members be the same megabyte."""
    file.writestr("w0.npy", npy(np.zeros(MIB // 8)))
    for k in range(1, 1000):
        again = zipfile.ZipInfo(f"w{k}.npy")
        whole = file.getinfo("w0.npy")
        again.file_size = again.compress_size = whole.file_size
        again.CRC, again.header_offset = whole.CRC, whole.header_offset
        file.filelist.append(again)


def many(file: zipfile.ZipFile) -> None:
    for k in range(15_000):
        file.writestr(f"array number {k} of this file.npy", npy(0.0))


BOMBS: dict[str, Callable[[zipfile.ZipFile], None]] = {
    "deflated": deflated,
    "claimed": claimed,
    "overlapping": overlapping,
    "a header of exabytes": lambda file: file.writestr("w.npy", header(f"{2**57}, 8")),
    "a header beyond 64 bits": lambda file: file.writestr(
        "w.npy", header(", ".join(["9" * 18] * 8))
    ),
    "an endless axis": lambda file: file.writestr("w.npy", header("9" * 60_000 + ",")),
    "nothing by exabytes": lambda file: file.writestr("w.npy", header(f"0, {2**57}")),
    "many arrays": many,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_not_unpacked(name: str, tmp_path: Path) -> None:
    """A small file that claims, or unpacks to, gigabytes is refused in one line."""
    path = signed(BOMBS[name], tmp_path / "bomb.npz")
    assert path.stat().st_size < 10 * MIB
    for read, whose in ((read_checkpoint, "an agent's"), (load_network, "a network's")):
        with limited_memory(64 * MIB), pytest.raises(RunError, match=f"is not {whose}") as raised:
            read(path)
        assert len(str(raised.value)) < 300
        assert "\n" not in str(raised.value)


def test_a_file_that_is_compressed_as_a_whole_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / f"bomb.npz{archives.COMPRESSED}"
    path.write_bytes(archives.compressed(bytes(40 * MIB)))
    assert path.stat().st_size < MIB
    with limited_memory(64 * MIB), pytest.raises(RunError, match="damaged, or too large"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        npy(np.array([print]), pickled=True),
        npy(np.zeros(2, dtype="S9")),
        npy(np.zeros(2, dtype=[("a", "f8")])),
        npy(np.zeros(2, dtype=complex)),
        npy(np.zeros(3))[:-1],
        npy(np.zeros(3)) + b"x",
        npy(np.zeros(3)).replace(b"(3,)", b"(9,)"),
        npy(np.zeros(3)).replace(b"(3,), }" + b" " * 13, b"(10000000000000,), }"),
        npy(np.ones(3, dtype=bool))[:-3] + b"\2\2\2",
        b"",
        b"not an array",
    ],
)
def test_arrays_that_are_none_of_ours(content: bytes, tmp_path: Path) -> None:
    path = signed(lambda file: file.writestr("description.json.npy", content), tmp_path / "a.npz")
    with limited_memory(), pytest.raises(RunError, match="is not an agent's"):
        read_checkpoint(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_stands_once(tmp_path: Path) -> None:
    def archive(file: zipfile.ZipFile) -> None:
        file.writestr("a.npy", npy(np.zeros(1)))
        file.writestr("a.npy", npy(np.ones(1)))

    with pytest.raises(RunError, match="there twice"):
        read_checkpoint(signed(archive, tmp_path / "a.npz"))


def test_what_an_agent_writes_is_read_in_every_bit(finished: Path, tmp_path: Path) -> None:
    described, _ = read_checkpoint(finished / "checkpoint.npz")
    arrays: dict[str, Any] = {
        "scalar": np.array(1.5),
        "empty": np.zeros((0, 3)),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "single": np.arange(4, dtype=np.float32),
        "bytes": np.arange(256, dtype=np.uint8),
        "counts": np.array([-(2**63), 2**63 - 1]),
        "flags": np.array([[True, False]]),
    }
    path = tmp_path / "a.npz"
    path.write_bytes(packed(described, arrays))
    _, read = read_checkpoint(path)
    for name, array in arrays.items():
        assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(read[name], array)
    with np.load(finished / "checkpoint.npz") as plain:
        assert set(read_arrays((finished / "checkpoint.npz").read_bytes())) == set(plain.files)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("learner.weights.bias_output", np.nan),
        ("learner.weights.bias_output", 1e300),
        ("learner.norm.output", -1.0),
        ("critic", np.inf),
        ("mean_reward", np.nan),
        ("episodes.length", 1.5),
        ("episodes.length", 0.0),
        ("episodes.env_steps", -1.0),
        ("episodes.return", np.inf),
        ("diagnostics.policies", 2.0),
        ("diagnostics.start", -1.0),
        ("backend.output.voltage", np.nan),
        ("backend.output.refractory", -1),
        ("backend.t", -1),
        ("decisions", -1),
        ("decisions", 2**62),
    ],
)
def test_numbers_that_no_agent_has(name: str, value: float, finished: Path) -> None:
    _, arrays = read_checkpoint(finished / "checkpoint.npz")
    agent = SpikingActorCritic.load(finished)
    assert name in arrays
    with pytest.raises(RunError, match="checkpoint: doesn't fit this agent"):
        agent.restore({**arrays, name: np.full_like(arrays[name], value)})
    for odd in (np.zeros((7, 7)), arrays[name].astype(complex), arrays[name].astype("S9")):
        with pytest.raises(RunError, match="doesn't fit"):
            agent.restore({**arrays, name: odd})
    agent.restore(arrays)


def test_a_small_file_takes_no_memory_for_a_large_agent(finished: Path, tmp_path: Path) -> None:
    described, arrays = read_checkpoint(finished / "checkpoint.npz")
    for name, value in (("hidden", 200_000), ("hidden", [30_000, 3]), ("actors", 100_000)):
        config = {**described["config"], name: value}
        path = tmp_path / "a.npz"
        path.write_bytes(packed({**described, "config": config}, arrays))
        with limited_memory(), pytest.raises(NeurorlError, match=r"doesn't fit|too many"):
            SpikingActorCritic.load(path)


@pytest.mark.parametrize("model", ["lif", "glm", "lif-spiking-critic"])
def test_agents_of_every_model_fit_what_they_describe(model: str, tmp_path: Path) -> None:
    agent = SpikingActorCritic("neurorl/GridWorld-v0", model, actors=1)
    agent.save(tmp_path / "a.npz")
    assert SpikingActorCritic.load(tmp_path / "a.npz").config == agent.config


def test_a_state_of_another_kind_is_refused_by_a_backend() -> None:
    network = Network(
        (Source("input", 2), Population("output", 3, LIF())),
        (Projection("a", "input", "output", 0.5),),
    )
    with load("reference", network) as backend:
        state = backend.state()
        backend.restore({**state, "output.voltage": [0, 0, 0]})  # whole numbers are numbers
        for key, value in (
            ("output.voltage", np.full(3, np.inf)),
            ("output.voltage", np.zeros(3, dtype=complex)),
            ("output.refractory", np.full(3, 0.5)),
            ("output.spikes", np.full((1, 3), 0.5)),
            ("t", np.array(-1)),
            ("t", np.array(2.0**63)),
        ):
            with pytest.raises(ArgumentError, match="restore: "):
                backend.restore({**state, key: value})


# The command line.


@pytest.mark.parametrize(
    "text", ["0..99999999999", "0..9999999999999999999999", "9" * 30, "0..1000"]
)
def test_seeds_that_nobody_trains(text: str) -> None:
    with limited_memory(), pytest.raises(ArgumentError, match="--seeds: not seeds"):
        read_seeds(text)


@pytest.mark.parametrize("out", ["a" * 300, "a/" * 3000, "a\0b"])
def test_paths_that_no_file_system_takes(out: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["train", ENV, "--out", out])
    assert stopped.value.code == 2
    assert "--out: a path" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(28, "No space left on device", "x.png"), "x.png: No space left on device"),
        (MemoryError(), "not enough memory"),
    ],
)
def test_what_the_system_refuses_is_a_line(
    error: Exception, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @exit_status("command")
    def refused(arguments: list[str] | None = None) -> int:
        raise error

    assert refused() == 2
    assert capsys.readouterr().err == f"command: {words}\n"


@pytest.mark.parametrize("redirected", [">/dev/full", "| true"])
def test_output_that_nobody_takes(redirected: str) -> None:
    command = f"{sys.executable} -m neurorl backends --json {redirected}; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert int(done.stdout) in ((2,) if "full" in redirected else (0, 141))
