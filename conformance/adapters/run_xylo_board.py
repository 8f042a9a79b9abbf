"""Run the 200 vectors of neurorl on a XyloAudio 3 board, and write the report to send back.

    python run_xylo_board.py [--vectors 200] [--seed 0] [--out FILE]

Needs neurorl, xylosim, and SynSense's rockpool with samna (rockpool is AGPL-3.0, and installs samna
when it is first imported). Without rockpool or samna, or where no board answers, xylosim runs, and
the report says so. Exit status 0: all equal; 1: not all; 2: bad usage, or xylosim is missing. Not
yet run on a board: its calls of rockpool 3.1 are checked with a stand-in.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from neurorl.arithmetic.xylo_integers import MEMORIES
from neurorl.backends.spec import BackendSpec
from neurorl.cli.status import exit_status
from neurorl.conformance.__main__ import report
from neurorl.errors import BackendUnavailableError
from neurorl.storage.files import check_place, write_json

try:
    XyloSimulator = BackendSpec.parse("xylo").backend_class
except BackendUnavailableError as exc:
    print(f"run_xylo_board.py: {exc}", file=sys.stderr)
    raise SystemExit(2) from None

BOARDS = []
"""Hold the boards that answered, opened."""


class BoardLayer:
    """Hold one board, as `VendorLayer` holds one chip of xylosim; configured anew for each rest."""

    def __init__(self, layout):
        """Start with weights and biases of 0."""
        self.layout, self.module, self.recorded = layout, None, {}
        self.held = {name: np.zeros(len(wire.pre), int) for name, wire in layout.wires.items()}
        self.bias = {kind: cells["bias"].copy() for kind, cells in layout.cells.items()}

    def put_weights(self, projection, mantissas):
        """Set weights; the board takes them when it is next configured."""
        self.held[projection] = mantissas
        self.module = None

    def put_bias(self, kind, numbers, bias):
        """Set biases of hidden or output neurons."""
        self.bias[kind][numbers] = bias
        self.module = None

    def advance(self, spikes):
        """Make a step for each row of input spikes; return how often each neuron spiked."""
        if self.module is None:
            self.module = connected(self.specification())
        output, _, self.recorded = self.module.evolve(spikes.astype(int), record=True)
        counts = {"hidden": self.recorded["Spikes"], "output": output}
        rows = len(spikes)
        return {kind: np.asarray(x, dtype=np.int64).reshape(rows, -1) for kind, x in counts.items()}

    def last(self, kind):
        """Return currents and membranes after the last step, empty before the first one."""
        of = "" if kind == "hidden" else "_out"
        pairs = (("current", "Isyn"), ("voltage", "Vmem"))
        none = np.zeros((1, 0))
        return {
            name: np.asarray(self.recorded.get(key + of, none), dtype=np.int64)[-1]
            for name, key in pairs
        }

    def rest(self):
        """Silence all neurons: rockpool can't reset a board's state, so it is configured anew."""
        self.module, self.recorded = None, {}

    def specification(self):
        """Return what rockpool's ``config_from_specification`` takes."""
        n_in, n_hidden, n_out = self.layout.sizes.values()
        shapes = ((n_in, n_hidden), (n_hidden, n_hidden), (n_hidden, n_out))
        matrices = {x: np.zeros(shape, int) for x, shape in zip(MEMORIES, shapes, strict=True)}
        for name, wire in self.layout.wires.items():
            np.add.at(matrices[wire.memory], (wire.pre, wire.post), self.held[name])
        found = {}
        for name, memory in zip(("in", "rec", "out"), MEMORIES, strict=True):
            matrix = matrices[memory]
            found[f"weights_{name}"] = matrix if name == "out" else matrix[:, :, None]
            found[f"weight_shift_{name}"] = self.layout.shifts[memory]
        for end, (kind, cells) in zip(("", "_out"), self.layout.cells.items(), strict=True):
            found[f"threshold{end}"] = cells["threshold"]
            found[f"dash_mem{end}"] = cells["shift_mem"]
            found[f"dash_syn{end}"] = cells["shift_syn"]
            found[f"bias_{kind.removesuffix('put')}"] = self.bias[kind]
        return found


def boards():
    """Return the boards that answer, opened; none where rockpool or samna is missing."""
    try:
        from rockpool.devices.xylo.syns65302 import xa3_devkit_utils
    except Exception:  # of whatever kind: rockpool installs its driver when it is imported
        return []
    return xa3_devkit_utils.find_xylo_a3_boards()


def connected(specification):
    """Return rockpool's module of the first board, configured. Raises OSError if it can't be."""
    from rockpool.devices.xylo.syns65302 import XyloSamna, config_from_specification

    config, is_valid, message = config_from_specification(**specification)
    if not is_valid:
        raise OSError(f"rockpool refuses the configuration: {message}")
    return XyloSamna(BOARDS[0], config, dt=1e-3)


class XyloBoard(XyloSimulator):
    """Run a network on a XyloAudio 3 board."""

    name = "xylo-board"
    unverified = "it has not run on a board: its calls of rockpool are checked with a stand-in"
    layer = BoardLayer

    @classmethod
    def default_target(cls):
        """Return what runs."""
        return "xylo"


@exit_status("run_xylo_board.py")
def main(arguments=None):
    """Write the report of the first board, or of xylosim; return 1 if not all is equal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("conformance-xylo.json"))
    options = parser.parse_args(arguments)
    check_place(options.out, "report")
    BOARDS[:] = boards()
    if not BOARDS:
        print("no board answers, or rockpool and samna are missing: xylosim runs", file=sys.stderr)
    made = report("xylo", XyloBoard if BOARDS else "xylo", options.vectors, options.seed)
    write_json(options.out, made)
    print("\n".join(made["read"]))
    return int(any(row["result"] != "equal" for row in made["vectors"]))


if __name__ == "__main__":
    sys.exit(main())
