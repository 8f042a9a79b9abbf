"""nengo-loihi's embedded code, compiled for this machine and called in every step."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from nxsdk.graph.processes.phase_enums import Phase

__all__ = ["EmbeddedCode"]

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
    """The snips of one chip. sources: their text, by phase."""

    def __init__(self, snips: list[Any]) -> None:
        files = {snip.phase: Path(snip.cFilePath) for snip in snips}
        include = Path(snips[0].includeDir)
        parts = [files[phase] for phase in (Phase.EMBEDDED_MGMT, Phase.EMBEDDED_PRELEARN_MGMT)]
        self.sources = {phase: path.read_text() for phase, path in files.items()}
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "snips.c"
            whole.write_text("".join(f'#include "{part}"\n' for part in parts) + ENTRY)
            built = Path(folder) / "snips.so"
            here = Path(__file__).parent
            folders = [f"-I{here}", f"-I{include}", *(f"-I{learn.parent}" for learn in parts)]
            folders += [f"-I{Path(snip.includeDir)}" for snip in snips]
            command = [
                os.environ.get("CC", "cc"),
                "-w",
                "-O1",
                "-fgnu89-inline",
                "-shared",
                "-fPIC",
            ]
            subprocess.run([*command, *folders, str(whole), "-o", str(built)], check=True)
            self._library = ctypes.CDLL(str(built))
        self._library.stand_in_sent.restype = ctypes.POINTER(ctypes.c_int32)
        self._library.stand_in_cores.restype = ctypes.POINTER(ctypes.c_int32)
        # (128 cores, 1024 states of U and V, then 1024 entries of 9)
        cores = np.ctypeslib.as_array(self._library.stand_in_cores(), (128, 1024 * 11))
        self.states = cores[:, : 2 * 1024].reshape(128, 1024, 2)
        self.entries = cores[:, 2 * 1024 :].reshape(128, 1024, 9)

    def step(self, t: int, given: list[int]) -> tuple[Any, list[tuple[int, int]]]:
        """The packets that it writes, and ``(core, axon)`` of the spikes that it sends."""
        packets = np.zeros(64 * (2 + len(given) // 64), dtype=np.int32)
        packets[: len(given)] = given
        out = np.zeros(1 << 16, dtype=np.int32)
        pointer = ctypes.POINTER(ctypes.c_int32)
        self._library.stand_in_step(t, packets.ctypes.data_as(pointer), out.ctypes.data_as(pointer))
        n = ctypes.c_int()
        sent = self._library.stand_in_sent(ctypes.byref(n))
        return out, [(sent[2 * k], sent[2 * k + 1]) for k in range(n.value)]

    def learn(self) -> None:
        """Errors of this step go to the learning engine."""
        self._library.stand_in_learn()
