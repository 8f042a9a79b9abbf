"""Play networks on PyNN's simulators, each in a process of its own.

PyNN's simulators keep state, and write to the standard output what they like.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurorl.backends.base import Raster
from neurorl.errors import BackendError, BackendUnavailableError, UnsupportedError
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray
from neurorl.pynn import problems, to_pynn
from neurorl.runs.children import child_environment, module_command
from neurorl.validation.elsewhere_causes import Change

_REQUEST, _ARRAYS, _ANSWER = "request.json", "arrays.npz", "answer.npz"


class PynnTarget:
    """Represent one of PyNN's simulators.

    name: as in `neurorl.pynn.TARGETS`. packages: what must be installed.
    """

    def __init__(self, name: str, *packages: str) -> None:
        self.name, self.packages = name, ("pyNN", *packages)

    def check(self) -> None:
        """Raise BackendUnavailableError if a package is missing, UnsupportedError if none helps."""
        for package in self.packages:
            if importlib.util.find_spec(package) is None:
                raise BackendUnavailableError(
                    f"pynn.{self.name}",
                    f"package {package} isn't installed",
                    remedy="pip install 'neurorl[pynn,nest]'",
                )

    def problems(self, network: Network) -> list[str]:
        """Return what it can't hold of *network*."""
        return problems(network, self.name)

    def changes(self) -> Sequence[Change]:
        """Return what it is known to do otherwise than described: nothing."""
        return []

    def play(
        self,
        network: Network,
        inputs: Mapping[str, Raster],
        n_steps: int,
        weights: Mapping[str, FloatArray],
        seed: int,
        begins: Sequence[int],
    ) -> dict[str, Raster]:
        """Return the spikes of networks side by side, ``(n_steps, len(begins) * size)``.

        inputs: of that shape, too. begins: the number of the first step of each, for its noise.
        Raises BackendError if its process fails.
        """
        request = {
            "target": self.name,
            "network": network.to_dict(),
            "n_steps": n_steps,
            "seed": seed,
            "begins": [int(begin) for begin in begins],
        }
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / _REQUEST).write_text(json.dumps(request))
            arrays = {f"inputs/{k}": v for k, v in inputs.items()}
            arrays |= {f"weights/{k}": np.asarray(v) for k, v in weights.items()}
            np.savez(folder / _ARRAYS, **arrays)  # type: ignore[arg-type]
            done = subprocess.run(
                module_command(__name__, name),
                env=child_environment(),
                cwd=folder,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode or not (folder / _ANSWER).exists():
                said = [line for line in done.stderr.splitlines() if line.strip()]
                got = said[-1].strip() if said else f"exit status {done.returncode}"
                raise BackendError(f"pynn.{self.name}", "its process failed", got=got)
            with np.load(folder / _ANSWER) as answer:
                return {k: answer[k] for k in answer.files}


class _Absent(PynnTarget):
    """Represent a simulator of PyNN that nothing can be measured on here."""

    def __init__(self, name: str, why: str, remedy: str) -> None:
        super().__init__(name)
        self.why, self.remedy = why, remedy

    def problems(self, network: Network) -> list[str]:
        return []  # `check` says what is the matter

    def check(self) -> None:
        raise UnsupportedError(f"pynn.{self.name}", self.why, remedy=self.remedy)


_MACHINE = "it spikes on a SpiNNaker machine only, and its virtual board simulates nothing"
_NO_WAFER = "its package pynn_brainscales is on no registry, and its neurons are analog"
_OTHERS = "take pynn.nest or pynn.brian2"
PYNN = {
    "pynn.nest": PynnTarget("nest", "nest"),
    "pynn.brian2": PynnTarget("brian2", "brian2"),
    "pynn.spiNNaker": _Absent("spiNNaker", _MACHINE, f"build for it by to_pynn; {_OTHERS}"),
    "pynn.brainscales": _Absent("brainscales", _NO_WAFER, _OTHERS),
}
"""Hold what ``neurorl validate --target`` takes besides targets of backends."""


def main(folder: str) -> None:
    """Answer a request of `PynnTarget.play`, in a process of its own."""
    warnings.simplefilter("ignore")  # of its simulators
    request = json.loads((Path(folder) / _REQUEST).read_text())
    given: dict[str, dict[str, Any]] = {"inputs": {}, "weights": {}}
    with np.load(Path(folder) / _ARRAYS) as arrays:
        for key in arrays.files:
            kind, _, name = key.partition("/")
            given[kind][name] = arrays[key]
    simulator = importlib.import_module(f"pyNN.{request['target']}")
    brian2: Any = sys.modules.get("brian2")
    if brian2 is not None:  # no compiling: it takes longer than it saves
        brian2.prefs.codegen.target = "numpy"
    exported = to_pynn(
        Network.from_dict(request["network"]),
        simulator,
        given["inputs"],
        seed=request["seed"],
        weights=given["weights"],
        replicas=len(request["begins"]),
        begins=request["begins"],
    )
    rasters: dict[str, Any] = exported.run(request["n_steps"])
    np.savez(Path(folder) / _ANSWER, **rasters)
    simulator.end()


if __name__ == "__main__":
    main(sys.argv[1])
