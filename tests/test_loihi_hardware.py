"""The chip's path with a stand-in for NxSDK, up to its calls; nothing here has met a chip."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ANYTHING = """
class Register:
    '''Takes any attribute, item and call; notes what configure() was given.'''
    def __init__(self):
        object.__setattr__(self, "seen", {})
        object.__setattr__(self, "parts", {})
    def __getitem__(self, k):
        return self.parts.setdefault(k, Register())
    def __getattr__(self, k):
        return self.seen.setdefault(k, Register())
    def __setattr__(self, k, v):
        self.seen[k] = v
    def configure(self, **k):
        self.seen.update(k)
"""

BOARD = (
    ANYTHING
    + """
from types import SimpleNamespace
from nxsdk.graph.graph import Graph

class Core(Register):
    def __init__(self, chip, k):
        super().__init__()
        self.seen.update(parent=chip, id=k, axons=[])
    def createDiscreteAxon(self, **k):
        self.seen["axons"].append(k)

class Monitor:
    def __init__(self):
        self.probes = []
    def probe(self, register, where, key):
        made = [SimpleNamespace(timeSeries=SimpleNamespace(data=[])) for _ in where]
        self.probes += made
        return made

class Executor:
    started = False
    def hasStarted(self):
        return self.started

class N2Board(Graph):
    last = None
    def __init__(self, board_id, n_chips, n_cores, n_synapses):
        N2Board.last = self
        self.n2Chips = []
        for k, n in enumerate(n_cores):
            chip = SimpleNamespace(parent=self, id=k)
            chip.n2Cores = chip.n2CoresAsList = [Core(chip, j) for j in range(n)]
            self.n2Chips.append(chip)
        self.monitor, self.executor, self.runs = Monitor(), Executor(), []
    def start(self):
        self.executor.started = True
    def run(self, steps, aSync=False):
        self.runs.append(steps)
        for probe in self.monitor.probes:
            probe.timeSeries.data.extend([0] * (steps - 1) + [1])
    def finishRun(self):
        pass
    def disconnect(self):
        self.executor.started = False
"""
)

FILES = {
    "__init__.py": "__version__ = '1.0.0'\n",
    "compiler/microcodegen/interface.py": "",
    "graph/graph.py": "class Graph:\n    pass\n",
    "graph/nxinputgen/nxinputgen.py": (
        "class BasicSpikeGenerator:\n"
        "    def __init__(self, board):\n"
        "        self.spikes = []\n"
        "    def addSpike(self, time, chipId, coreId, axonId):\n"
        "        self.spikes.append((time, coreId, axonId))\n"
        "    addPop16Spike = addPop32Spike = addSpike\n"
    ),
    "graph/nxprobes.py": "class N2SpikeProbe:\n    probeDict = {}\n",
    "graph/processes/phase_enums.py": "class Phase:\n    pass\n",
    "arch/n2a/compiler/tracecfggen/tracecfggen.py": "class TraceCfgGen:\n    pass\n",
    "arch/n2a/n2board.py": BOARD,
}

SCRIPT = """
import json
import numpy as np
from neurorl.backends.loihi import LoihiBackend
from neurorl.description import Network, Population, Projection, Source
from neurorl.errors import NeurorlError
from neurorl.models import LIF
from neurorl.testing import FEATURES

found = {"default": LoihiBackend.default_target()}
network = Network(
    (Source("input", 3), Source("idle", 1), Population("cells", 2, LIF(threshold=0.5))),
    (Projection("drive", "input", "cells", np.arange(6).reshape(3, 2) / 8),),
)
backend = LoihiBackend(network)
spikes = np.zeros((4, 3), bool)
spikes[0, 2] = spikes[3, 1] = True
rasters = [backend.step({"input": spikes}, 4)["cells"] for _ in range(2)]
from nxsdk.arch.n2a.n2board import N2Board
board = N2Board.last
(core,) = board.n2Chips[0].n2Cores
chip = backend.arithmetic.chip
found |= {
    "target": backend.target,
    "rasters": [r.astype(int).tolist() for r in rasters],
    "t": backend.t,
    "runs": board.runs,
    "labels": [s[0] for s in board.global_spike_generator.spikes],
    "axons": [s[2] for s in board.global_spike_generator.spikes],
    "weights": [int(core.synapses[k].seen["Wgt"]) for k in range(6)],
    "mantissas": backend.arithmetic.mantissa("drive", backend.weights("drive")).ravel().tolist(),
    "vth": int(core.vthProfileCfg[0].staticCfg.seen["vth"]) * 64,
    "threshold": int(chip.populations["cells"].threshold[0]),
}
def refusal(call):
    try:
        call()
    except NeurorlError as exc:
        return f"{type(exc).__name__}: {exc}"
found["refused"] = [
    refusal(backend.reset),
    refusal(backend.state),
    refusal(lambda: backend.restore({})),
    refusal(lambda: backend.set_weights("drive", np.ones((3, 2)))),
    refusal(lambda: LoihiBackend(FEATURES["escape noise"]())),
    refusal(lambda: LoihiBackend(FEATURES["currents"]())),
]
found["kept"] = bool(backend.weights("drive").max() < 0.7)
found["started"] = board.executor.started
backend.close()
found["stopped"] = not board.executor.started
print(json.dumps(found))
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A folder with a package ``nxsdk`` that accepts what nengo-loihi calls."""
    root = tmp_path / "nxsdk"
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        for folder in path.parents:
            if folder == tmp_path:
                break
            (folder / "__init__.py").touch()
    return tmp_path


def run(stand_in: Path, script: str) -> dict[str, Any]:
    path = os.pathsep.join([str(stand_in), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_network_reaches_the_registers(stand_in: Path) -> None:
    found = run(stand_in, SCRIPT)
    assert found["default"] == found["target"] == "loihi"
    assert found["rasters"] == [[[0, 0], [0, 0], [0, 0], [1, 1]]] * 2
    assert found["t"] == 8
    assert found["runs"] == [4, 4]
    assert found["labels"] == [1, 4, 5, 8]
    assert found["axons"] == [2, 1, 2, 1]
    assert found["weights"] == found["mantissas"]
    assert found["vth"] == found["threshold"]
    assert found["started"]
    assert found["stopped"]


def test_what_a_chip_can_not_do_is_refused_with_the_alternative(stand_in: Path) -> None:
    found = run(stand_in, SCRIPT)
    verbs = ("reset", "state", "restore", "set_weights")
    for message, verb in zip(found["refused"], verbs, strict=False):
        assert message.startswith(f"UnsupportedError: target loihi: {verb} can't work"), message
        assert "target='emulator'" in message
    assert "can't run population 'middle' with escape noise" in found["refused"][4]
    assert "source 'level' of currents, as biases can't be rewritten" in found["refused"][5]
    assert "encoder 'quiet'" in found["refused"][5]
    assert found["kept"]


def test_a_chip_that_does_not_answer_is_unavailable(stand_in: Path) -> None:
    script = """
import json, time
time.sleep = lambda s: None
from nxsdk.arch.n2a.n2board import N2Board
def refuse(self):
    raise OSError("no board")
N2Board.start = refuse
from neurorl.backends.loihi import LoihiBackend
from neurorl.errors import NeurorlError
from neurorl.testing import FEATURES
try:
    LoihiBackend(FEATURES["LIF"](), target="loihi")
except NeurorlError as exc:
    print(json.dumps({"error": f"{type(exc).__name__}: {exc}"}))
"""
    error = run(stand_in, script)["error"]
    assert error.startswith("BackendUnavailableError: target loihi: no chip answers")
    assert error.endswith("use target='emulator'")


def test_delays_reach_the_chip_as_later_labels_and_relays(stand_in: Path) -> None:
    script = """
import json
import numpy as np
from neurorl.backends.loihi import LoihiBackend
from neurorl.description import Network, Population, Projection, Source
from neurorl.models import LIF
network = Network(
    (Source("input", 2), Population("cells", 2, LIF(threshold=0.5))),
    (
        Projection("drive", "input", "cells", 0.5, delay=3e-3),
        Projection("own", "cells", "cells", -0.5, blocks=2, delay=2e-3),
    ),
)
backend = LoihiBackend(network)
spikes = np.zeros((4, 2), bool)
spikes[0, 1] = spikes[3, 0] = True
shapes = [backend.step({"input": spikes}, 4)["cells"].shape for _ in range(2)]
from nxsdk.arch.n2a.n2board import N2Board
board = N2Board.last
sent = [(s[0], s[2]) for s in board.global_spike_generator.spikes]
print(json.dumps({"shapes": shapes, "sent": sent, "cores": len(board.n2Chips[0].n2Cores)}))
"""
    found = run(stand_in, script)
    assert found["shapes"] == [[4, 2], [4, 2]]
    assert found["sent"] == [[3, 1], [6, 0], [7, 1]]
    assert found["cores"] == 2


def test_a_population_on_several_cores_reaches_the_chip(stand_in: Path) -> None:
    """5 cells on cores of 2: weights, input spikes, axons between cores, and probes in order."""
    script = """
import json
import numpy as np
from nxsdk.arch.n2a.n2board import N2Board
def run(self, steps, aSync=False):
    for k, probe in enumerate(self.monitor.probes):
        probe.timeSeries.data.extend([int(k == 3)] * steps)
N2Board.run = run
from neurorl.backends.loihi import LoihiBackend
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.description import Network, Population, Projection, Source
from neurorl.models import LIF
network = Network(
    (Source("input", 2), Population("cells", 5, LIF(threshold=0.5))),
    (
        Projection("drive", "input", "cells", np.arange(10).reshape(2, 5) / 16),
        Projection("ring", "cells", "cells", -0.5, mask=np.roll(np.eye(5, dtype=bool), 1, axis=1)),
    ),
)
backend = LoihiBackend(network, core=CoreLimits(compartments=2))
spikes = np.zeros((2, 2), bool)
spikes[0, 1] = True
raster = backend.step({"input": spikes}, 2)["cells"]
board = N2Board.last
cores = list(board.n2Chips[0].n2Cores)
def weights(core, n):
    return [int(core.synapses[k].seen["Wgt"]) for k in range(n)]
print(json.dumps({
    "parts": [[part.start, part.stop] for part in backend._placement.cores["cells"]],
    "raster": raster.astype(int).tolist(),
    "targets": sorted(int(s[1]) for s in board.global_spike_generator.spikes),
    "drive": sorted(weights(core, 2 * len(core.cxCfg.parts)) for core in cores),
    "mantissas": backend.arithmetic.mantissa("drive", backend.weights("drive")).tolist(),
    "axons": sorted(sorted(int(a["srcCxId"]) for a in core.seen["axons"]) for core in cores),
    "inward": sorted(int(a["dstCoreId"]) for core in cores for a in core.seen["axons"]),
}))
"""
    found = run(stand_in, script)
    assert found["parts"] == [[0, 1], [1, 3], [3, 5]]
    assert found["raster"] == [[0, 0, 0, 1, 0]] * 2
    assert found["targets"] == [0, 1, 2]
    low, high = found["mantissas"]
    assert found["drive"] == sorted(low[a:b] + high[a:b] for a, b in found["parts"])
    assert found["axons"] == [[0], [0, 1], [0, 1]]
    assert sorted(map(found["inward"].count, range(3))) == [1, 2, 2]


def test_the_chips_own_noise_and_coins_reach_it(stand_in: Path) -> None:
    script = """
import json
from neurorl.backends.loihi import LoihiBackend
from neurorl.chip_noise import CoinRows
from neurorl.description import Network, Population, Projection, Source
from neurorl.models import GLM
network = Network(
    (Source("input", 2), Population("cells", 2, GLM())),
    (Projection("drive", "input", "cells", 0.5),),
)
backend = LoihiBackend(network, seed=4, noise="chip+coins")
backend.step({}, 3)
from nxsdk.arch.n2a.n2board import N2Board
board = N2Board.last
core = board.n2Chips[0].n2Cores[0]
rows = CoinRows(4, 1, 2)
print(json.dumps({
    "noise": core.dendriteSharedCfg.seen,
    "enabled": core.cxProfileCfg[0].seen["enableNoise"],
    "sent": [(s[0], s[2]) for s in board.global_spike_generator.spikes],
    "tossed": [(k, int(2 + i)) for k in (1, 2, 3) for i in rows(k).nonzero()[0]],
    "exponent": backend.arithmetic.chip.populations["cells"].noise_exponent,
}, default=lambda x: x.item() if hasattr(x, "item") else str(x)))
"""
    found = run(stand_in, script)
    assert found["enabled"] == 1
    assert found["noise"]["noiseExp0"] == found["exponent"] >= 7
    assert found["noise"]["noiseAtDendOrVm"] == 1
    assert found["noise"]["noiseMantOffset0"] == 0
    assert found["sent"] == found["tossed"]
