"""Perturb agents that have learned: another task, dead neurons, noise."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.catalogue import CARTPOLE, GRIDWORLD, MOUNTAINCAR, Task
from experiments.comparison.tasks import ENGINES, LENGTHS, NOISES, engine_car, long_pole, noisy_cart
from neurorl.agents.checkpoint import read_agent, write_checkpoint
from neurorl.errors import DescriptionError
from neurorl.models.neurons.lesions import lesioned
from neurorl.network.description import Network, Population
from neurorl.numerics.random import derive
from neurorl.storage.files import make_folder, write_json
from neurorl.tasks.environments import discrete_actions, make_env
from neurorl.tasks.specification import describe_env

_WEIGHTS = 11  # purpose of derived seeds


def _same(network: Network) -> Network:
    return network


@dataclass(frozen=True)
class Perturbation:
    """Describe one change of a task, of networks or of weights.

    name: of files. label: what the page calls it. env: another task's id. change: of the
    description. weights: standard deviation of what is added to each weight, in units of the root
    mean square of its projection's.
    """

    name: str
    label: str
    task: Task
    env: str | None = None
    change: Callable[[Network], Network] = _same
    weights: float = 0.0


def noisier(network: Network, factor: float) -> Network:
    """Return *network* with escape noise *factor* times as wide. Raises DescriptionError."""

    def node(population: Population) -> Population:
        neuron: Any = population.neuron
        if not hasattr(neuron, "noise"):
            what, got = "has no width of its noise", type(neuron).__name__
            raise DescriptionError(f"Population {population.name!r}", what, got=got)
        return dataclasses.replace(
            population, neuron=dataclasses.replace(neuron, noise=factor * np.asarray(neuron.noise))
        )

    nodes = (node(n) if isinstance(n, Population) else n for n in network.nodes)
    return dataclasses.replace(network, nodes=tuple(nodes))


def perturbed(run: Path, perturbation: Perturbation, out: Path) -> Path:
    """Copy a run directory to *out*, with everything changed that *perturbation* changes.

    It can be played and started from as any run can.
    """
    if (out / "checkpoint.npz").exists():
        return out
    described, arrays = read_agent(run)
    config = described.config
    env_id = perturbation.env or described.env
    env = make_env(env_id)
    network = config.network(int(discrete_actions(env, env_id).n))
    changed = perturbation.change(network)
    if changed != network:
        config = dataclasses.replace(config, description=changed)
    if perturbation.weights:
        rng = np.random.default_rng(derive(described.seed, _WEIGHTS))
        for p in network.projections:
            w = arrays[f"learner.weights.{p.name}"]
            sd = perturbation.weights * float(np.sqrt((w**2).mean()))
            arrays[f"learner.weights.{p.name}"] = w + sd * rng.standard_normal(w.shape)
    make_folder(out)
    options = json.loads((run / "config.json").read_text())
    task: dict[str, Any] = {"env": env_id, "env_spec": describe_env(env)}
    write_json(out / "config.json", {**options, **task, "agent": config.to_dict()})
    changed_agent = dataclasses.replace(described, **task, config=config)
    write_checkpoint(out / "checkpoint.npz", changed_agent.to_dict(), arrays)
    return out


def _of(task: Task) -> list[Perturbation]:
    """Return the perturbations of networks of any task."""
    perturbations = [Perturbation("none", "nothing", task)]
    for percent in (25, 50, 75, 90):
        perturbations.append(
            Perturbation(
                f"lesion-{percent}",
                f"{percent} % of the hidden neurons dead",
                task,
                change=lambda network, share=percent / 100: lesioned(network, share),  # type: ignore[misc]
            )
        )
    for factor in (2, 4, 8):
        perturbations.append(
            Perturbation(
                f"escape-{factor}",
                f"escape noise {factor} times as wide",
                task,
                change=lambda network, factor=factor: noisier(network, factor),  # type: ignore[misc]
            )
        )
    for percent in (50, 100, 200):
        perturbations.append(
            Perturbation(
                f"weights-{percent}",
                f"noise on weights, {percent} % of their rms",
                task,
                weights=percent / 100,
            )
        )
    return perturbations


def _of_cartpole() -> list[Perturbation]:
    poles = [
        Perturbation(
            f"length-{length:g}", f"pole of half-length {length:g} m", CARTPOLE, long_pole(length)
        )
        for length in LENGTHS
    ]
    noisy = [
        Perturbation(f"seen-{sd:g}", f"observations with noise {sd:g}", CARTPOLE, noisy_cart(sd))
        for sd in NOISES
    ]
    return [*poles, *noisy]


def _of_mountaincar() -> list[Perturbation]:
    return [
        Perturbation(
            f"engine-{engine:g}",
            f"engine of {100 * engine:.0f} % of the force",
            MOUNTAINCAR,
            engine_car(engine),
        )
        for engine in ENGINES
    ]


PERTURBATIONS: tuple[Perturbation, ...] = (
    *_of(GRIDWORLD),
    *_of(CARTPOLE),
    *_of_cartpole(),
    *_of(MOUNTAINCAR),
    *_of_mountaincar(),
)
