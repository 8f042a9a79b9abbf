"""Hold the board: registers, and when it runs, cores made of them."""

from __future__ import annotations

import importlib
import re
import socket
import struct
import threading
from types import SimpleNamespace
from typing import Any

import numpy as np
import nxsdk.graph.graph as graph
from nxsdk.arch.n2a.chip import RunningCore
from nxsdk.arch.n2a.registers import Core
from nxsdk.arch.n2a.snips import EmbeddedCode
from nxsdk.graph.processes.phase_enums import Phase


class N2Board:
    """Hold a board, whose chips run as soon as `run` is called. last: the one made last.

    runs: numbers of steps asked for. packets: what came for a chip in every step, if there is
    embedded code. errors: entries of the learning engine after every step, ``(cores, 1024, 9)``.
    """

    last: N2Board
    started: bool
    answers = True

    def __init__(self, board_id: int, n_chips: int, n_cores: list[int], n_synapses: Any) -> None:
        N2Board.last = self
        self.n2Chips = [SimpleNamespace(parent=self, id=k) for k in range(n_chips)]
        for chip, n in zip(self.n2Chips, n_cores, strict=True):
            chip.n2Cores = chip.n2CoresAsList = [Core(chip, j) for j in range(n)]
        self.n_synapses = n_synapses
        self.monitor = SimpleNamespace(probe=self._probe)
        self.executor = SimpleNamespace(
            hasStarted=lambda: self.started, _host_coordinator=SimpleNamespace(hostAddr="127.0.0.1")
        )
        self.started = False
        self.runs: list[int] = []
        self.packets: list[tuple[int, ...]] = []
        self.errors: list[Any] = []
        self.snips: list[Any] = []
        self._probes: list[tuple[Core, int, Any]] = []
        self._graph = graph.Graph()
        self._t = 0
        self._left = threading.Semaphore(0)

    def createSnip(self, phase: int, **options: Any) -> Any:
        self.snips.append(self._graph.createSnip(phase, **options))
        return self.snips[-1]

    def createChannel(self, name: bytes, **options: int) -> Any:
        return SimpleNamespace(name=name, **options, connect=lambda a, b: None)

    def start(self) -> None:
        if not N2Board.answers:
            raise OSError("no board")
        self.started = True
        self._cores = {
            (chip.id, core.id): RunningCore(core) for chip in self.n2Chips for core in chip.n2Cores
        }
        self._arriving: list[tuple[int, int, int]] = []
        if self.snips:
            self._start_snips()

    def run(self, steps: int, aSync: bool = False) -> None:
        self.runs.append(steps)
        if self.snips:
            self._running = threading.Thread(target=self._serve, args=(steps,), daemon=True)
            self._running.start()
            return
        generated = self.global_spike_generator.spikes  # type: ignore[attr-defined]
        for _ in range(steps):
            self._step([s[1:] for s in generated if s[0] == self._t])
            for core, compartment, probe in self._probes:
                spikes = self._cores[core.parent.id, core.id].spikes
                probe.timeSeries.data.append(int(spikes[compartment]))

    def finishRun(self) -> None:
        if self.snips:
            self._running.join(600)
            assert not self._running.is_alive(), "steps that got no packet"

    def disconnect(self) -> None:
        self.started = False
        for folder in getattr(self._graph, "nengo_tmp_dirs", []):
            folder.cleanup()
        if self.snips and hasattr(self, "_server"):
            self._server.close()
            if self._connection is not None:
                self._connection.close()

    def _step(self, inputs: list[tuple[int, int, int]]) -> None:
        """Step once. inputs: ``(chip, core, axon)`` of spikes labelled with the step before."""
        for chip, core, axon in [*self._arriving, *inputs]:
            self._cores[chip, core].arrive(axon)
        self._t += 1
        self._arriving = []
        for running in self._cores.values():
            running.step()
            for source, *target in running.core.axons:
                if running.spikes[source]:
                    self._arriving.append(tuple(target))

    def _probe(self, register: Any, compartments: Any, key: str) -> list[Any]:
        assert key == "spike"
        core = register.fields["core"]
        made = [SimpleNamespace(timeSeries=SimpleNamespace(data=[])) for _ in compartments]
        self._probes += [(core, int(c), p) for c, p in zip(compartments, made, strict=True)]
        return made

    def _start_snips(self) -> None:
        # nengo-loihi gives a chip 0.1 s for a step; this one may wait for a busy machine.
        host_snip = importlib.import_module("nengo_loihi.hardware.interface").HostSnip
        host_snip.recv_retries = 60_000
        self._code = [
            EmbeddedCode([s for s in self.snips if getattr(s, "chipId", None) == chip.id])
            for chip in self.n2Chips
        ]
        (host,) = (s for s in self.snips if s.phase == Phase.HOST_CONCURRENT_EXECUTION)
        with open(host.cppFile) as file:
            text = file.read()
        port = re.search(r"SERVER_PORT htons\((\d+)\)", text)
        outputs = re.search(r"output_packets\[N_CHIPS\] = \{ ([\d, ]+) \}", text)
        assert port
        assert outputs
        self._output_packets = [int(n) for n in outputs[1].split(",")]
        self._server = socket.create_server(("127.0.0.1", int(port[1])))
        self._connection: socket.socket | None = None
        self._sent: list[tuple[int, int, int]] = []

    def _serve(self, steps: int) -> None:
        if self._connection is None:
            self._connection, _ = self._server.accept()
        for _ in range(steps):
            sizes = self._receive(len(self.n2Chips))
            if sizes[0] < 0:  # the host is done
                return
            given = [self._receive(size) for size in sizes]
            self.packets += given
            self._step(self._sent)
            self._sent, answers = [], []
            for chip, code in enumerate(self._code):
                for (of, core), running in self._cores.items():
                    if of == chip:
                        n = len(running.u)
                        code.states[core, :n, 0], code.states[core, :n, 1] = (
                            running.u,
                            running.shown(),
                        )
                out, sent = code.step(self._t, list(given[chip]))
                code.learn()
                self._sent += [(chip, *spike) for spike in sent]
                answers.append(out[: 64 * self._output_packets[chip]])
            self.errors.append([code.entries.copy() for code in self._code])
            self._connection.sendall(np.concatenate(answers).tobytes())

    def _receive(self, n: int) -> tuple[int, ...]:
        assert self._connection is not None
        data = b""
        while len(data) < 4 * n:
            more = self._connection.recv(4 * n - len(data))
            assert more, "the host is gone"
            data += more
        return struct.unpack(f"{n}i", data)
