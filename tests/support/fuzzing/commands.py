"""Change some words of valid command lines, and run them as far as the work they ask for.

What takes long is left out: training, playing, measuring and simulating begin, and end at once.
"""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any, ClassVar

from hypothesis import strategies as st

from fuzzing.runs import ENV, small_run
from fuzzing.shortcut import nothing_long
from fuzzing.targets import Target
from neurorl.backends.registry import available_backends
from neurorl.cli import main
from neurorl.errors import NeurorlError

_WORDS = [
    *("", " ", "-", "--", ":", "::", "x", "0", "-1", "1", "2", "1.5", "nan", "inf", "1e999"),
    *("9" * 30, "9" * 5000, "-" + "9" * 30, "0x10", "1_000", "１２", "²", "\0", "a\0b", "\n", "🦄"),
    *("\udcff", "a" * 300, "a/" * 2100, "../" * 40, "~", "*", "lif", "glm", "host", "pes", "float"),
    *("reference", "loihi:x", "reference:", ":float", "reference,reference", ",", "chip", "loihi"),
    *("0..1", "0..99999999999", "5..1", "1..", "..", "0,0", "1,2,3", "0..9999999999999999999999"),
    *("/dev/zero", "/dev/full", "/dev/null", "/proc/self/mem", "/etc/passwd", "/", ".", "torch"),
    *("arms=", "=", "arms=1e999", "arms=-1", "arms=" + "[" * 5000, "arms=NaN", "arms=" + "9" * 400),
    *("FIFO", "LOOP", "FOLDER", "FILE", "RUN", "NIR", "no.nir", "x.png", "x.exe", "--json"),
    *("--seed", "--seeds", "--out", "--resume", "--backend", "--noise", "--target", "--help"),
]


class Commands(Target):
    """Call ``neurorl`` with arguments of any kind, through its own `main`."""

    name: ClassVar[str] = "command line"
    weight: ClassVar[int] = 12

    def prepare(self) -> None:
        run = str(small_run(self.folder / "run").path)
        os.mkfifo(self.folder / "fifo")
        (self.folder / "loop").symlink_to("loop")
        (self.folder / "file").write_text("not a run")
        (self.folder / "folder").mkdir()
        (self.folder / "graph.nir").write_bytes(b"not a graph")
        places = ("FIFO", "LOOP", "FOLDER", "FILE", "RUN")
        self.places = {name: str(self.folder / name.lower()) for name in places}
        self.places["NIR"] = str(self.folder / "graph.nir")
        lines = [
            ["train", ENV, "--out", "OUT", "--seed", "1", "--episodes", "3", "--model", "lif"],
            ["train", ENV, "--out", "OUT", "--seeds", "0..1", "--backend", "reference"],
            ["train", ENV, "--out", run, "--resume", "--learning", "host", "--approach", "local"],
            ["train", ENV, "--out", "OUT", "--from", run, "--noise", "exact", "--target", "auto"],
            [
                "evaluate",
                run,
                "--episodes",
                "1",
                "--seed",
                "1",
                "--sample",
                "--arithmetic",
                "float",
            ],
            ["train", ENV, "--out", "OUT", "--env-arg", "arms=3", "--steps", "9"],
            ["evaluate", run, "--env", ENV, "--env-arg", "contexts=2", "--trust-env"],
            ["show", run, "--backend", "reference", "--json"],
            ["show", "lif", "--env", ENV, "--dt", "0.001", "--arithmetic", "loihi"],
            ["plot", run, "--out", str(self.folder / "x.svg")],
            ["validate", "lif", "--backends", "reference:float,reference:loihi", "--steps", "2"],
            ["validate", run, "--env", ENV, "--report", "OUT.html", "--learn", "--updates", "1"],
            ["bench", "--size", "small", "--replicas", "1", "--rounds", "1", "--seconds", "0.1"],
            ["bench", "--backends", "reference", "--peers", "torch", "--cold", "--json"],
            ["backends", "--json"],
            ["doctor"],
        ]
        self.inputs = _changed_line(lines)
        self._n = 0
        available_backends()  # whose imports take long, and once

    def attempt(self, value: Any) -> None:
        self._n += 1
        out = str(self.folder / f"out{self._n}")
        words = [self.places.get(word, word.replace("OUT", out)) for word in value]
        with (
            nothing_long(),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            said = io.StringIO()
            with contextlib.redirect_stderr(said):
                status = main(words)
        assert status in (0, 1, 2), f"status {status}"
        if status == 2:
            said_all = said.getvalue().strip().split("\n")
            lines = [line for line in said_all if not line.startswith("neurorl: warning:")]
            assert len(lines) == 1, f"{len(lines)} lines: {lines[:3]}"
            raise NeurorlError(lines[0][:200])


@st.composite
def _changed_line(draw: st.DrawFn, lines: list[list[str]]) -> list[str]:
    line = list(draw(st.sampled_from(lines)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(line)))
        word = draw(st.sampled_from(_WORDS) | st.text(max_size=4))
        how = draw(st.sampled_from(("set", "set", "set", "insert", "drop")))
        if how == "insert" or place == len(line):
            line.insert(place, word)
        elif how == "set":
            line[place] = word
        else:
            del line[place]
    return line


TARGETS: tuple[type[Target], ...] = (Commands,)
