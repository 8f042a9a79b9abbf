"""Damage checkpoints: bytes, arrays and structure, each signed as if it were whole."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
import zlib
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from fuzzing.runs import ENV, small_run
from fuzzing.targets import Target
from fuzzing.values import TRAP, changed_bytes, changed_tree, paths_of
from neurorl import ReparameterizedActorCritic, SpikingActorCritic
from neurorl.agents.checkpoint import packed, read_checkpoint
from neurorl.storage.archive import signed

Arrays = dict[str, npt.NDArray[Any]]
_DTYPES = ["float64", "float32", "float16", "int64", "int8", "uint64", "bool", "complex128", "S4"]
_DTYPES += ["U3", "datetime64[s]"]
_FILLS = [
    0,
    1,
    -1,
    2,
    255,
    1e308,
    -1e308,
    1e31,
    float("nan"),
    float("inf"),
    -float("inf"),
    1.5,
    2**40,
]
_SHAPES = [(), (0,), (1,), (3,), (2, 2), (1, 1, 1), (0, 5), (1000,), (1,) * 8, (1,) * 12]


def unsigned(data: bytes) -> bytes:
    """Return the archive without its comment."""
    return data[:-66] + b"\0\0"


@st.composite
def changed_arrays(draw: st.DrawFn, arrays: Arrays) -> Arrays:
    """Return *arrays* with one to three of them changed, missing or added."""
    changed = dict(arrays)
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(arrays)))
        if name not in changed:
            continue
        array = changed[name]
        how = draw(
            st.sampled_from(("fill", "put", "dtype", "shape", "longer", "drop", "swap", "add"))
        )
        with np.errstate(all="ignore"):
            if how == "fill":
                changed[name] = np.full(array.shape, draw(st.sampled_from(_FILLS)))
            elif how == "put" and array.size and array.dtype.kind in "fiu":
                wide = array.astype(float)
                wide.flat[draw(st.integers(0, array.size - 1))] = draw(st.sampled_from(_FILLS))
                changed[name] = wide.astype(array.dtype)
            elif how == "dtype" and array.dtype.kind in "biuf":
                changed[name] = array.astype(draw(st.sampled_from(_DTYPES)))
            elif how == "shape":
                changed[name] = np.ones(draw(st.sampled_from(_SHAPES)), array.dtype)
            elif how == "longer":
                changed[name] = np.concatenate([array.ravel(), array.ravel()[:1]])
            elif how == "drop":
                del changed[name]
            elif how == "swap":
                changed[name] = arrays[draw(st.sampled_from(sorted(arrays)))]
            elif how == "add":
                changed[f"{name}2"] = array
    return changed


def _signed(content: bytes) -> bytes:
    """Return a zip with its digest."""
    return signed(io.BytesIO(content))


class CheckpointBytes(Target):
    """Change some bytes of a checkpoint: the digest finds them."""

    name: ClassVar[str] = "checkpoint, bytes"
    weight: ClassVar[int] = 10

    def prepare(self) -> None:
        self.run = small_run(self.folder / "run")
        self.data = self.run.checkpoint.read_bytes()
        self.path = self.folder / "agent.npz"
        self.inputs = changed_bytes(self.data)

    def attempt(self, value: Any) -> None:
        self.path.write_bytes(value)
        read_checkpoint(self.path)


class SignedBytes(CheckpointBytes):
    """Sign the damaged archive anew: its structure and arrays are anything."""

    name = "checkpoint, bytes signed"
    weight = 16

    def prepare(self) -> None:
        super().prepare()
        self.inputs = changed_bytes(unsigned(self.data)).map(_signed)


class SignedArrays(CheckpointBytes):
    """Restore arrays of other names, shapes, kinds and values into an agent that is there."""

    name = "checkpoint, arrays"
    weight = 20

    def prepare(self) -> None:
        super().prepare()
        self.described, arrays = read_checkpoint(self.run.checkpoint)
        self.agent = SpikingActorCritic.load(self.run.path)
        self.inputs = changed_arrays(arrays)

    def attempt(self, value: Any) -> None:
        self.path.write_bytes(packed(self.described, value))
        _, arrays = read_checkpoint(self.path)
        self.agent.restore(arrays)
        self.agent.diagnostics  # noqa: B018  # what is computed from it


class Loaded(SignedArrays):
    """Load and play a file in which both description and arrays are anything."""

    name = "checkpoint, loaded"
    weight = 4

    def prepare(self) -> None:
        super().prepare()
        _, arrays = read_checkpoint(self.run.checkpoint)
        tree = {"format": 1, **self.described}
        whole = st.just(arrays)
        changed = changed_tree(tree, paths_of(tree))
        self.inputs = st.one_of(
            st.tuples(changed, whole),
            st.tuples(changed, whole),
            st.tuples(st.just(tree), changed_arrays(arrays)),
        ).filter(lambda pair: isinstance(pair[0], dict))

    def attempt(self, value: Any) -> None:
        described, arrays = value
        try:
            data = packed(described, arrays)
        except ValueError:  # not JSON: nothing that a file could hold
            return
        self.path.write_bytes(data)
        agent = SpikingActorCritic.load(self.path)
        agent.predict(0)
        agent.close()


class Midway(SignedArrays):
    """Change the arrays of an agent in the midst of an episode, which goes on for a step."""

    name = "checkpoint, midway"
    weight = 4

    def prepare(self) -> None:
        self.agent = SpikingActorCritic("neurorl/GridWorld-v0", actors=1, hidden=2)
        self.agent.learn(total_steps=20)
        self.path = self.folder / "agent.npz"
        self.agent.save(self.path)
        self.described, arrays = read_checkpoint(self.path)
        self.inputs = changed_arrays(arrays)

    def attempt(self, value: Any) -> None:
        self.path.write_bytes(packed(self.described, value))
        _, arrays = read_checkpoint(self.path)
        self.agent.restore(arrays)
        self.agent.learn(total_steps=self.agent.steps_taken + 1)


class ByGradients(Loaded):
    """Change the arrays of an agent that learns by gradients, and resume it."""

    name = "checkpoint, gradients"
    weight = 4
    needs = ("torch",)

    def prepare(self) -> None:
        agent = ReparameterizedActorCritic(
            ENV, actors=1, hidden=2, window=4, gradient={"environments": 2, "steps": 4}
        )
        agent.learn(total_episodes=3)
        self.agent: Any = agent
        self.path = self.folder / "agent.npz"
        agent.save(self.path)
        self.described, arrays = read_checkpoint(self.path)
        self.inputs = changed_arrays(arrays)

    def attempt(self, value: Any) -> None:
        self.path.write_bytes(packed(self.described, value))
        _, arrays = read_checkpoint(self.path)
        self.agent.restore(arrays)


class Structure(CheckpointBytes):
    """Make archives of members that `numpy.savez` never writes: bombs, pickles, huge shapes."""

    name = "checkpoint, structure"
    weight = 12

    def prepare(self) -> None:
        super().prepare()
        with zipfile.ZipFile(io.BytesIO(self.data)) as archive:
            self.members = {info.filename: archive.read(info) for info in archive.infolist()}
        # What would be unpacked if nobody looked: 600 MB of 600 KB.
        squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
        zeros = bytes(2**20)
        head = _npy("<f8", "(78643200,)")
        self.bomb = b"".join(
            [
                squeeze.compress(head),
                *(squeeze.compress(zeros) for _ in range(600)),
                squeeze.flush(),
            ]
        )
        self.inputs = self._archives()

    def attempt(self, value: Any) -> None:
        super().attempt(_signed(value))

    def _archives(self) -> st.SearchStrategy[bytes]:
        names = st.sampled_from(sorted(self.members)) | st.sampled_from(_NAMES)
        header = st.builds(_npy, st.sampled_from(_DESCRS), st.sampled_from(_SHAPE_TEXTS))
        content = st.one_of(
            st.sampled_from(sorted(self.members.values())),
            st.builds(lambda head, body: head + body, header, st.binary(max_size=40)),
            st.just(_npy("|O", "(1,)") + _PICKLE),
            st.just(_PICKLE),
            st.binary(max_size=60),
        )
        method = st.sampled_from((zipfile.ZIP_STORED,) * 3 + (zipfile.ZIP_DEFLATED,))
        extra = st.lists(st.tuples(names, content, method), min_size=1, max_size=3)
        return st.builds(self._archive, extra, st.booleans(), st.integers(0, 9))

    def _archive(self, extra: list[tuple[str, bytes, int]], keeps: bool, how: int) -> bytes:
        buffer = io.BytesIO()
        parts = [(n, c, zipfile.ZIP_STORED) for n, c in self.members.items()] if keeps else []
        with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
            warnings.simplefilter("ignore")  # of names that are there twice
            for name, content, method in [*parts, *extra]:
                archive.writestr(zipfile.ZipInfo(name or "x"), content, method)
        data = buffer.getvalue()
        return self._bomb(data) if how == 9 else data

    def _bomb(self, data: bytes) -> bytes:
        """Replace *data* by one member that is a thousand times as long as it seems."""
        size = 600 * 2**20 + 128
        name = b"learner.weights.bias_output.npy"
        local = struct.pack(
            "<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(self.bomb), size, len(name), 0
        )
        start = local + name + self.bomb
        entry = struct.pack(
            "<4s6H3L5H2L",
            *(b"PK\1\2", 20, 20, 0, 8, 0, 0, 0, len(self.bomb), size, len(name)),
            *(0, 0, 0, 0, 0, 0),
        )
        directory = entry + name
        end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), len(start), 0)
        return start + directory + end


def _npy(descr: str, shape: str) -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"
    if descr.startswith("["):
        text = text.replace(repr(descr), descr)
    text += " " * ((64 - (len(text) + 11) % 64) % 64) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode()


_PICKLE = f"c{TRAP}\nTrap\n.".encode()
_DESCRS = [
    "<f8",
    "|O",
    "<U100000000",
    "|S2000000000",
    "|V9",
    "[('a', '<f8'), ('b', '|O')]",
    "<M8[s]",
]
_DESCRS += [">f8", "|b1", "<i8", "<c16", "|u1", "x"]
_SHAPE_TEXTS = ["()", "(3,)", "(1000000000000,)", "(-1,)", "(2, 2)", "(99999999999, 99999999999)"]
_SHAPE_TEXTS += ["[3]", "(1.5,)", "((1,),)", "(" * 200 + ")" * 200, "(True,)", "('a',)", "(0, 10)"]
_SHAPE_TEXTS += ["(1, " * 40 + ")" * 40, "__import__('os')", "(18446744073709551616,)"]
_NAMES = ["", "x", "../x.npy", "/etc/passwd.npy", "a" * 3000 + ".npy", "ä.npy", "critic.npy.npy"]
_NAMES += ["\udcff.npy".encode("utf-8", "replace").decode(), "description.json.npy", "critic.npy"]

TARGETS: tuple[type[Target], ...] = (
    *(CheckpointBytes, SignedBytes, SignedArrays, Loaded, Midway, ByGradients, Structure),
)
