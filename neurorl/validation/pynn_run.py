"""Play networks on PyNN's simulators, each in a process of its own.

PyNN's simulators keep state, and write to the standard output what they like.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pickle
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from neurorl.backends.base import Raster
from neurorl.errors import BackendError, BackendUnavailableError, UnsupportedError
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray
from neurorl.pynn import problems, to_pynn
from neurorl.runs.children import child_environment, module_command


class PynnTarget:
    """Represent one of PyNN's simulators.

    name: as in `neurorl.pynn.TARGETS`. packages: what must be installed. absent: why nothing can be
    measured on it here, and what to do then.
    """

    def __init__(self, name: str, *packages: str, absent: tuple[str, str] | None = None) -> None:
        self.name, self.packages, self.absent = name, ("pyNN", *packages), absent

    def check(self) -> None:
        """Raise BackendUnavailableError if a package is missing, UnsupportedError if none helps."""
        if self.absent is not None:
            what, remedy = self.absent
            raise UnsupportedError(f"pynn.{self.name}", what, remedy=remedy)
        for package in self.packages:
            if importlib.util.find_spec(package) is None:
                what = f"package {package} isn't installed"
                remedy = "pip install 'neurorl[pynn,nest]'"
                raise BackendUnavailableError(f"pynn.{self.name}", what, remedy=remedy)

    def problems(self, network: Network) -> list[str]:
        """Return what it can't hold of *network*."""
        return [] if self.absent else problems(network, self.name)  # `check` says what is absent

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
        request = (self.name, network.to_dict(), inputs, n_steps, weights, seed, list(begins))
        with tempfile.TemporaryDirectory() as folder:  # for what a simulator leaves behind
            command, env = module_command(__name__), child_environment()
            asked = pickle.dumps(request)
            done = subprocess.run(command, input=asked, env=env, cwd=folder, capture_output=True)
        if done.returncode or not done.stdout:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            got = said[-1].strip() if said else f"exit status {done.returncode}"
            raise BackendError(f"pynn.{self.name}", "its process failed", got=got)
        rasters: dict[str, Raster] = pickle.loads(done.stdout)
        return rasters


_MACHINE = "it spikes on a SpiNNaker machine only, and its virtual board simulates nothing"
_NO_WAFER = "its package pynn_brainscales is on no registry, and its neurons are analog"
_OTHERS = "take pynn.nest or pynn.brian2"
_BUILD = f"build for it by to_pynn; {_OTHERS}"
PYNN = {
    "pynn.nest": PynnTarget("nest", "nest"),
    "pynn.brian2": PynnTarget("brian2", "brian2"),
    "pynn.spiNNaker": PynnTarget("spiNNaker", absent=(_MACHINE, _BUILD)),
    "pynn.brainscales": PynnTarget("brainscales", absent=(_NO_WAFER, _OTHERS)),
}
"""Hold what ``neurorl validate --target`` takes besides targets of backends."""


def main() -> None:
    """Answer a request of `PynnTarget.play`, in a process of its own."""
    warnings.simplefilter("ignore")  # of its simulators
    out = os.dup(1)
    os.dup2(2, 1)  # whatever else is written
    target, network, inputs, n_steps, weights, seed, begins = pickle.load(sys.stdin.buffer)
    simulator = importlib.import_module(f"pyNN.{target}")
    brian2: Any = sys.modules.get("brian2")
    if brian2 is not None:  # no compiling: it takes longer than it saves
        brian2.prefs.codegen.target = "numpy"
    side_by_side = {"replicas": len(begins), "begins": begins}
    described = Network.from_dict(network)
    exported = to_pynn(described, simulator, inputs, seed=seed, weights=weights, **side_by_side)
    answer = pickle.dumps(exported.run(n_steps))
    simulator.end()
    with os.fdopen(out, "wb") as answers:
        answers.write(answer)


if __name__ == "__main__":
    main()
