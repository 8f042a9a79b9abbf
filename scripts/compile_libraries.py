"""Compile the libraries that a wheel for Linux holds, so that its users need no compiler.

    python scripts/compile_libraries.py FOLDER [--levels x86-64-v3] [--only 'CartPole-v1 lif']

The learning loop, what all networks share, and networks with the structures of presets, default
agents and `neurorl doctor`, their sizes in arrays, so that they serve agents of any task. FOLDER
gets a folder for each level of this kind of processor, and the digests by which
`neurorl.native.shipped` finds what is there.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import sys
import warnings
from collections.abc import Iterator
from itertools import product
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from neurorl import SpikingActorCritic, load
from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.backends.native.printer import ENGINE, printed
from neurorl.cli.status import exit_status
from neurorl.learning.plan import Layer
from neurorl.models.defaults.presets import ALONE
from neurorl.native import shipped
from neurorl.native.build import CppSource, build, cache_folder, kernels, step_source
from neurorl.native.cache import CompileCache
from neurorl.network.description import Network
from neurorl.program import Program
from neurorl.storage.files import write_json
from neurorl.testing.networks import FEATURES

TASKS = ("neurorl/GridWorld-v0", "CartPole-v1", "MountainCar-v0", "FrozenLake-v1", "Pendulum-v1")
"""Name tasks with presets, and of those without one a task of states and one of numbers."""
HIDDEN = (None, 0, 16, (16, 16))
"""List hidden layers: those of the default, none, one and two."""
DEEP = (None, 16, (16, 16), (16, 16, 16))
ON_TILES = "Acrobot-v1"
"""Name a task without a preset whose default has hidden layers that see spikes."""


def agents(only: str = "") -> Iterator[SpikingActorCritic]:
    """Yield agents of each kind: those whose task, model and layers have the text *only*."""
    chosen = [
        *product(TASKS, ALONE, HIDDEN),
        *product(("CartPole-v1",), ("deep",), DEEP),
        *product((ON_TILES,), ("lif",), DEEP),
    ]
    for task, model, size in chosen:
        if only in f"{task} {model} {size}":
            own = {} if size is None else {"hidden": size}
            yield SpikingActorCritic(task, model=model, backend="reference", loop="numpy", **own)


def sources(only: str = "") -> dict[str, CppSource]:
    """Return all that is shipped, by name: of one replica and of several, in both arithmetics."""
    tried = (program_of(FEATURES["LIF"](), arithmetic, 0) for arithmetic in ARITHMETICS)
    shared = (kernels(), ENGINE, *(printed(program).general for program in tried))
    found = {source.name(): source for source in shared}
    for agent in agents(only):
        programs = (
            printed(program_of(agent.backend.network, arithmetic, seeds)).general
            for arithmetic in ("float", "loihi")
            for seeds in (0, [0, 1])
        )
        layers = agent._replicas.loop.plan.layers
        plans = [layer.plan for layer in layers if isinstance(layer, Layer)]
        steps = (step_source(plan.hoisted()) for plan in plans if plan is not None)
        found |= {source.name(): source for source in (*programs, *steps)}
        agent.close()
    return found


def program_of(network: Network, arithmetic: str, seeds: int | list[int]) -> Program:
    """Return the program of a network."""
    with load("reference", network, seed=seeds, arithmetic=arithmetic) as backend:
        return backend.simulated.program


def compile_all(folder: Path, levels: list[str], only: str = "") -> dict[str, dict[str, str]]:
    """Compile `sources` for each level; return their SHA-256 by level and name.

    Raises BackendError with what the compiler says.
    """
    CompileCache(cache_folder()).make()  # for the log of a compiler that fails
    digests: dict[str, dict[str, str]] = {level: {} for level in levels}
    for name, source in sources(only).items():
        for level, of_level in digests.items():
            library = folder / level / f"{name}.so"
            library.parent.mkdir(parents=True, exist_ok=True)
            build(source, library, "wheel", "mend the compiler", [f"-march={level}"])
            library.with_suffix(".cpp").unlink()
            of_level[name] = hashlib.sha256(library.read_bytes()).hexdigest()
    return digests


@exit_status("compile_libraries")
def main(arguments: list[str] | None = None) -> int:
    """Compile everything; returns the exit status."""
    known = [*shipped.LEVELS.get(platform.machine(), {})]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--levels", nargs="+", choices=known, default=known)
    parser.add_argument("--only", default="", metavar="WORDS", help="agents whose names have these")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")  # of random first plays, which are nobody's here
    digests = compile_all(options.folder, options.levels, options.only)
    write_json(options.folder / shipped.DIGESTS, digests)
    files = [path for path in options.folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    print(f"{len(files)} files, {size:.1f} MB, for {', '.join(digests) or 'no processor'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
