"""Compile nengo-loihi's embedded code for this machine, and call it in every step."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from nxsdk.graph.processes.phase_enums import Phase

ENTRY = """
static runState state;
void stand_in_step(int t, const int32_t *in, int32_t *out) {
    incoming = in; outgoing = out; n_sent = 0; state.time_step = t;
    if (guard_io(&state)) nengo_io(&state);
}
void stand_in_learn(void) { if (guard_learn(&state)) nengo_learn(&state); }
NeuronCore *stand_in_cores(void) { return neuron_cores; }
int32_t *stand_in_sent(int *n) { *n = n_sent; return sent; }
"""


class EmbeddedCode:
    """Hold the snips of one chip. sources: their text, by phase."""

    def __init__(self, snips: list[Any]) -> None:
        by_phase = {snip.phase: snip for snip in snips}
        self.sources = {k: Path(snip.cFilePath).read_text() for k, snip in by_phase.items()}
        order = (Phase.EMBEDDED_MGMT, Phase.EMBEDDED_PRELEARN_MGMT)
        folders = tuple(str(by_phase[phase].includeDir) for phase in order)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "snips.so"  # a new one each time, for memory of its own
            file.write_bytes(_built("".join(self.sources[phase] for phase in order), folders))
            self._library = ctypes.CDLL(str(file))
        self._library.stand_in_sent.restype = ctypes.POINTER(ctypes.c_int32)
        self._library.stand_in_cores.restype = ctypes.POINTER(ctypes.c_int32)
        # (128 cores, 1024 states of U and V, then 1024 entries of 9)
        cores = np.ctypeslib.as_array(self._library.stand_in_cores(), (128, 1024 * 11))
        self.states = cores[:, : 2 * 1024].reshape(128, 1024, 2)
        self.entries = cores[:, 2 * 1024 :].reshape(128, 1024, 9)

    def step(self, t: int, given: list[int]) -> tuple[Any, list[tuple[int, int]]]:
        """Return the packets that it writes, and ``(core, axon)`` of the spikes that it sends."""
        packets = np.zeros(64 * (2 + len(given) // 64), dtype=np.int32)
        packets[: len(given)] = given
        out = np.zeros(1 << 16, dtype=np.int32)
        pointer = ctypes.POINTER(ctypes.c_int32)
        self._library.stand_in_step(t, packets.ctypes.data_as(pointer), out.ctypes.data_as(pointer))
        n = ctypes.c_int()
        sent = self._library.stand_in_sent(ctypes.byref(n))
        return out, [(sent[2 * k], sent[2 * k + 1]) for k in range(n.value)]

    def learn(self) -> None:
        """Send errors of this step to the learning engine."""
        self._library.stand_in_learn()


_made: dict[str, bytes] = {}


def _built(text: str, folders: tuple[str, ...]) -> bytes:
    """Return the shared library of a text, which is compiled once."""
    if text not in _made:
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder) / "snips.c", Path(folder) / "snips.so"
            source.write_text(text + ENTRY)
            command = [os.environ.get("CC", "cc"), "-w", "-fgnu89-inline", "-shared", "-fPIC"]
            command += [f"-I{place}" for place in (Path(__file__).parent, *folders)]
            subprocess.run([*command, str(source), "-o", str(library)], check=True)
            _made[text] = library.read_bytes()
    return _made[text]
