"""Keep an agent in one file: arrays and a description, no pickle, all under a digest.

The file is an ordinary npz; the archive's comment holds the SHA-256 of all bytes before it. The
file holds no clock times, so that equal runs have equal files: the same command with the same seed
gives the same `digest` at another time, in another folder, and after it was killed.

The digest detects damage, not malice: so all contents are checked before use, and take no more
memory than the file is long.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self, TypedDict

from neurorl.agents.algorithms import ALGORITHMS, LOCAL, Algorithm, find_algorithm
from neurorl.agents.arguments import check_kind, own_env, path_of
from neurorl.agents.episodes import State
from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.backends.lookup import current_name
from neurorl.backends.spec import BackendSpec
from neurorl.errors import RunError, UnsupportedError
from neurorl.models.agent.config import AgentConfig
from neurorl.network.restoring import take, take_shown
from neurorl.network.serialization import Described
from neurorl.numerics.arrays import Array
from neurorl.storage import archive
from neurorl.storage.files import write_bytes
from neurorl.storage.plain import Named, PlainData
from neurorl.storage.reading import FilePlace, check_fields, parse_json
from neurorl.storage.zoo import located, name_of
from neurorl.tasks.actions import Actions, read_actions
from neurorl.tasks.kinds import Environment, Maker
from neurorl.tasks.loading import saved_env

FORMAT = 1
_DESCRIPTION = "description.json"
_REQUIRED = {"backend": str, "arithmetic": str, "seed": int, "config": dict}
# Its environment is checked by `neurorl.tasks.loading`.
_OPTIONAL = {"approach": str, "noise": str, "gradient": dict | None}


def checkpoint_in(run: Path) -> Path:
    """Return the checkpoint of a run directory; the zoo's are compressed."""
    path = run / "checkpoint.npz"
    small = path.with_name(path.name + archive.COMPRESSED)
    return small if small.exists() and not path.exists() else path


def write_checkpoint(path: Path, description: PlainData, arrays: dict[str, Array]) -> None:
    """Write *description* (plain data) and *arrays* to *path*, atomically. Raises RunError."""
    write_bytes(path, packed(description, arrays), "checkpoint")


def packed(description: PlainData, arrays: dict[str, Array]) -> bytes:
    """Return the file of *description* (plain data) and *arrays*; equal data give equal bytes.

    Raises RunError for data too large to be read again.
    """
    text = json.dumps({"format": FORMAT, **description}, allow_nan=False).encode()
    return packed_text(text, arrays)


def packed_text(text: bytes, arrays: dict[str, Array]) -> bytes:
    """Return the file of a description's *text* and *arrays*; RunError as `packed`."""
    return archive.packed_with(text, arrays, _DESCRIPTION, "checkpoint")


def digest(path: Path) -> str:
    """Return the SHA-256 that signs a checkpoint or an agent's file, in hexadecimal.

    Two runs have the same digest if and only if they are of one kind and have learned the same:
    every weight, trace and episode, bit for bit. Raises RunError if the file is missing or damaged.
    """
    return _whole(path)[-archive.DIGEST :].decode()


def read_checkpoint(path: Path) -> tuple[PlainData, dict[str, Array]]:
    """Read the description and arrays of a file. Raises RunError if it is damaged."""
    text, arrays = read_text(path)
    place = FilePlace(f"checkpoint {path}")
    return _checked(place, parse_json(text, place)), arrays


def read_text(path: Path) -> tuple[bytes, dict[str, Array]]:
    """Read a file's description, as text, and its arrays. Raises RunError if it is damaged."""
    place = FilePlace(f"checkpoint {path}")
    return archive.read_with(_whole(path), _DESCRIPTION, place, "is not an agent's")


def _checked(place: FilePlace, description: object) -> PlainData:
    """Return the description of an agent, complete. Raises RunError."""
    if not isinstance(description, dict):
        raise place.wrong("is not an agent's")
    if description.get("format") != FORMAT:
        got, limit = f"format {description.get('format')}", f"format {FORMAT}"
        raise place.wrong("was written by another version", got, limit)
    described = {"approach": LOCAL.name, **description}  # the only one in the first version
    check_fields(described, place, _REQUIRED, _OPTIONAL)
    algorithm = ALGORITHMS.get(described["approach"])
    if algorithm is None:
        got = repr(described["approach"])[:60]
        what, limit = "learned by an approach that this class lacks", " or ".join(ALGORITHMS)
        raise place.wrong(what, got, limit)
    if algorithm.config is not None and not described.get("gradient"):
        raise place.wrong("is not an agent's", "no 'gradient'")
    if not 0 <= described["seed"] < 2**63:
        raise place.wrong("'seed' is damaged", limit="0 to 2**63-1")
    return described


def _whole(path: Path) -> bytes:
    """Read a file. Raises RunError if it is missing or doesn't match its signature."""
    place = FilePlace(f"checkpoint {path}", remedy="train it first")
    return archive.read_signed(path, place, "restore it from a copy, or train again")


def modules(config: AgentConfig, actions: Actions, where: str) -> tuple[int, ...]:
    """Return how many modules an actor has for each choice of an environment.

    Raises UnsupportedError for a policy that can't make such choices.
    """
    if config.policy.is_continuous != actions.is_continuous:
        kind = "numbers" if actions.is_continuous else "discrete"
        what, got = f"its actions are {kind}", f"policy {config.policy.name!r}"
        numbers = "gaussian-readout" if config.trunk.is_shared else "gaussian"
        remedy = f"policy={numbers if actions.is_continuous else 'softmax'!r}"
        raise UnsupportedError(where, what, got=got, remedy=remedy)
    return actions.groups(config.policy.population)


def check_fits(config: AgentConfig, n_actions: int, state: Mapping[str, Array], where: str) -> None:
    """Raise RunError unless *state* fits an agent of this kind with so many actions.

    This is checked before the agent is made, so that it can't take more memory than the file.
    """
    network = config.network(n_actions)
    try:
        for p in network.projections:
            shape = network.weight_shape(p.name)
            if p.plasticity is not None:
                take(state, f"learner.weights.{p.name}", shape)
            if "backend.t" in state:
                take(state, f"backend.{p.name}.weights", shape)
        take_shown(state, "critic", (config.critic.n_values(config.features),))
    except RunError as exc:
        remedy = "an environment of the observations and actions that it learned from"
        what = "doesn't fit the agent that it describes"
        raise RunError(where, what, got=exc, remedy=remedy) from exc


class Setting(TypedDict):
    """Name a saved agent's backend, arithmetic and noise, as in `SpikingActorCritic.player`."""

    backend: str
    arithmetic: str
    noise: str


@dataclass(frozen=True)
class AgentDescription:
    """Describe an agent, as its checkpoints do.

    env: id of its environment. env_spec: result of `neurorl.tasks.specification.describe_env`; None
    in files of older versions.
    gradient: the algorithm's own options.
    """

    env: str
    env_spec: Named | None
    approach: str
    backend: str
    arithmetic: str
    noise: str
    seed: int
    config: AgentConfig
    gradient: Described | None = None

    @property
    def algorithm(self) -> Algorithm:
        """Return the algorithm by which it learned."""
        return find_algorithm(self.approach)

    def to_dict(self) -> PlainData:
        """Return plain data for `neurorl.agents.checkpoint.write_checkpoint`."""
        plain = {**vars(self), "config": self.config.to_dict()}
        gradient = plain.pop("gradient")
        return plain if gradient is None else {**plain, "gradient": gradient.to_dict()}

    @classmethod
    def from_dict(cls, data: Named) -> Self:
        """Return the description that `neurorl.agents.checkpoint.read_checkpoint` has read.

        Raises DescriptionError. The environment is not checked here, but by
        `neurorl.tasks.loading.saved_env`.
        """
        said = {"env": None, "env_spec": None, "noise": "exact", **data}
        algorithm = find_algorithm(data["approach"])
        said["config"] = AgentConfig.from_dict(data["config"])
        said["gradient"] = algorithm.read_config(data.get("gradient"))
        return cls(**{field.name: said[field.name] for field in fields(cls)})


def read_agent(path: Path) -> tuple[AgentDescription, State]:
    """Read description and arrays of a saved agent: a file, a run directory, or ``zoo:NAME``.

    Raises RunError or DescriptionError.
    """
    path = located(path)
    if path.is_dir():
        if not (path / "config.json").exists():
            raise RunError(f"run {name_of(path)}", "is not a run: config.json is missing")
        path = checkpoint_in(path)
    described, arrays = read_checkpoint(path)
    return AgentDescription.from_dict(described), arrays


def played_on(
    described: AgentDescription, backend: str | None, arithmetic: str | None, noise: str | None
) -> Setting:
    """Choose backend, arithmetic and noise for a saved agent.

    None takes the training's; on another backend, that backend's own arithmetic; in float
    arithmetic the noise ``'exact'``. An agent whose algorithm trains on one backend only is played
    on the quickest one here by default.
    """
    trained_on = described.algorithm.plays_on(described.backend)
    spec = BackendSpec.of(backend or current_name(trained_on), arithmetic, noise)
    same = backend is None or spec.backend == trained_on
    arithmetic = spec.arithmetic or (described.arithmetic if same else spec.chosen_arithmetic)
    trained = described.noise if described.noise in find_arithmetic(arithmetic).noises else "exact"
    name = str(dataclasses.replace(spec, arithmetic=None, noise=None))
    return {"backend": name, "arithmetic": arithmetic, "noise": spec.noise or trained}


def read_saved(
    path: str | Path, env: str | Environment | Maker | None, trust_env: bool
) -> tuple[AgentDescription, State, Environment, str]:
    """Read a saved agent: its description and arrays, its environment, and the environment's id.

    env: replaces the saved environment; None makes it. Raises RunError, or DescriptionError.
    """
    check_kind("trust_env", trust_env, bool, optional=False)
    described, arrays = read_agent(path_of(path))
    where, name = f"agent {path}", described.env
    if env is None:
        env = saved_env({"env": name, "env_spec": described.env_spec}, where, trust_env)
    else:
        env, name = own_env(env)
    n_actions = sum(modules(described.config, read_actions(env, where), where))
    check_fits(described.config, n_actions, arrays, where)
    return described, arrays, env, name
