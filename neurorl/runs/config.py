"""Define the configuration of a training run: its ``config.json``, and a caller's options."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self, TypedDict

from neurorl.agents.algorithms import LOCAL, Algorithm, find_algorithm
from neurorl.agents.arguments import check_kind, check_names
from neurorl.agents.budget import Budget, check_budget
from neurorl.agents.group import MAX_ENVIRONMENTS
from neurorl.backends.lookup import current_name, quickest
from neurorl.backends.spec import BackendSpec
from neurorl.errors import ArgumentError, RunError, check_name, quoted
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.options import current_agent
from neurorl.storage.plain import Named, PlainData, check_count
from neurorl.storage.reading import FilePlace, check_fields
from neurorl.tasks.arguments import check_env_args, check_wrappers
from neurorl.tasks.loading import check_arguments

_REQUIRED = {"env": str, "backend": str, "seed": int, "agent": dict}
_PLACES = ("wrappers", "callbacks")
_COUNTS = {"environments": MAX_ENVIRONMENTS, "eval_every": 2**53, "eval_episodes": 2**53}
_TEXTS = ("arithmetic", "noise", "model", "learning", "start")
_OPTIONAL = {
    "approach": str,
    **dict.fromkeys(_TEXTS, str | None),
    **dict.fromkeys(("gradient", "env_args", "env_spec"), dict | None),
    **dict.fromkeys(("episodes", "steps"), int | None),
    **dict.fromkeys(_PLACES, list),
    **dict.fromkeys(_COUNTS, int),
}
_OWN = ("seed", "episodes", "steps", "start", "env_spec")  # a run's own fields
_EPISODES = 400  # the default length


class Options(TypedDict, total=False):
    """Name the options of `neurorl.runs.training.train`; see there."""

    backend: str | None
    arithmetic: str | None
    noise: str | None
    model: str | None
    learning: str | None
    episodes: int | None
    steps: int | None
    approach: str | None
    start: str | Path | None
    env_args: Named | None
    wrappers: Sequence[str] | None
    environments: int | None
    eval_every: int | None
    eval_episodes: int | None
    callbacks: Sequence[str] | None
    tensorboard: str | Path | None
    overrides: Named | None
    config: AgentConfig
    gradient: Named | None
    backend_options: Named | None


@dataclass(frozen=True)
class RunConfig:
    """Hold the configuration of a training run, with the names and order of ``config.json``.

    Fields are the options of `neurorl.runs.training.train_seeds`, and: agent, gradient:
    `AgentConfig` and the algorithm's own options as plain data, once the run has begun; it names
    its arithmetic then. env_spec: result of `neurorl.tasks.specification.describe_env`. From
    wrappers on, the file has what isn't the default. Not kept are base (its option config),
    overrides, own_options (its option gradient), backend_options and tensorboard.
    """

    env: str
    backend: str
    arithmetic: str | None = None
    noise: str = "exact"
    model: str = "lif"
    learning: str = "host"
    episodes: int | None = None
    steps: int | None = None
    approach: str = LOCAL.name
    start: str | None = None
    env_args: Named = field(default_factory=dict)
    seed: int = 0
    agent: Named | None = None
    gradient: Named | None = None
    env_spec: Named | None = None
    wrappers: tuple[str, ...] = ()
    environments: int = 1
    eval_every: int | None = None
    eval_episodes: int | None = None
    callbacks: tuple[str, ...] = ()
    base: AgentConfig | None = None
    overrides: Named = field(default_factory=dict)
    own_options: Named = field(default_factory=dict)
    backend_options: Named = field(default_factory=dict)
    tensorboard: str | Path | None = None

    @classmethod
    def begin(cls, env: str, options: Options) -> Self:
        """Return the configuration of a new run. Raises UnknownNameError or ArgumentError."""
        asked = _checked(options)
        backend = asked.get("backend") or find_algorithm(asked.get("approach")).backend
        if asked.get("episodes") is asked.get("steps") is None:
            asked["episodes"] = _EPISODES
        asked["backend"] = backend or quickest(arithmetic=asked.get("arithmetic"))
        return cls(env, **asked)

    @classmethod
    def from_file(cls, data: object, place: FilePlace) -> Self:
        """Return the configuration of a run from its ``config.json``; older files say less.

        Raises RunError for a damaged file.
        """
        data = check_fields(data, place, _REQUIRED, _OPTIONAL)
        said = {name: data[name] for name in _KEPT if data.get(name) is not None}
        said["backend"] = current_name(said["backend"])
        for name in _PLACES:
            said[name] = check_wrappers(said.get(name, ()), name[:-1])
        budgets = [said[name] for name in ("episodes", "steps") if name in said]
        if not budgets or min(budgets) < 1 or not 0 <= said["seed"] < 2**63:
            raise place.wrong("is damaged: seed, episodes or steps out of range")
        for name, most in _COUNTS.items():
            if not 1 <= said.get(name, 1) <= most:
                raise place.wrong(f"is damaged: {name} out of range")
        return cls(**{**said, "agent": current_agent(said["agent"])})

    def to_dict(self) -> PlainData:
        """Return the data of ``config.json``, without the versions of packages."""
        plain = {name: getattr(self, name) for name in _KEPT}
        for name in _LATER:
            value = plain.pop(name)
            if value != getattr(RunConfig, name):
                plain[name] = list(value) if isinstance(value, tuple) else value
        return plain

    @property
    def algorithm(self) -> Algorithm:
        """Return the algorithm by its name. Raises UnknownNameError."""
        return find_algorithm(self.approach)

    @property
    def spec(self) -> BackendSpec:
        """Return the backend it learns on. Raises ArgumentError or UnknownNameError."""
        return BackendSpec.of(self.backend, self.arithmetic, self.noise, self.backend_options)

    @property
    def budget(self) -> Budget:
        """Return how long the run trains."""
        return Budget(self.episodes, self.steps)

    def trained_for(self, budget: Budget) -> Self:
        """Return the configuration with another budget."""
        return replace(self, episodes=budget.episodes, steps=budget.steps)

    def resumed(self, where: str, env: str, seed: int | None, options: Options) -> Self:
        """Return the configuration with another budget; other options must be equal or unset.

        Raises RunError.
        """
        asked = {"env": env, "seed": seed, **_checked(options)}
        if asked.get("backend"):
            asked["backend"] = current_name(asked["backend"])
        budget = Budget(asked.pop("episodes", None), asked.pop("steps", None))
        for name in _KEPT:
            got, was = asked.get(name), getattr(self, name)
            if got not in (None, was):
                raise _another(where, name, got, was)
        if any(getattr(self, name) and name not in asked for name in ("env_args", "wrappers")):
            again = "name env_args= and wrappers= (--env-arg, --wrap) again if you know the run"
            self.check_env(where, again)
        if self.callbacks and "callbacks" not in asked:
            what, remedy = "has callbacks", "name callbacks= (--callback) again if you know the run"
            raise RunError(where, what, got=", ".join(self.callbacks), remedy=remedy)
        self._check_agent(where, asked)
        resumed = replace(self, **{name: asked[name] for name in _UNKEPT if name in asked})
        return resumed if budget == Budget() else resumed.trained_for(budget)

    def check_env(self, where: str, remedy: str) -> None:
        """Raise RunError for an environment that needs the user's trust."""
        check_arguments(self.env, self.env_args, self.wrappers, where, remedy)

    def _check_agent(self, where: str, asked: Named) -> None:
        """Raise RunError if another agent is *asked* for than this run has."""
        if self.agent is not None and {"base", "overrides"} & set(asked):
            agent, overrides = AgentConfig.from_dict(self.agent), asked.get("overrides", {})
            for name, value in overrides.items():
                if agent.changed(**{name: value}) != agent:
                    raise _another(where, name, quoted(value), None)
            base, changed = asked.get("base"), {"learning": self.learning, **overrides}
            if base is not None and base.changed(**changed) != agent:
                raise _another(where, "config", None, None)
        for name, got in asked.get("own_options", {}).items():
            was = (self.gradient or {}).get(name)
            if got != was:
                raise _another(where, f"gradient.{name}", got, was)


def _another(where: str, name: str, got: object, was: object) -> RunError:
    what = f"was started with another {name}"
    remedy = "resume with the same options, or use another --out"
    return RunError(where, what, got=got, limit=was, remedy=remedy)


_LATER = (*_PLACES, *_COUNTS)  # left out of a file that needs none of them
_UNKEPT = ("base", "overrides", "own_options", "backend_options", "tensorboard")
_KEPT = tuple(f.name for f in dataclasses.fields(RunConfig) if f.name not in _UNKEPT)


def check_alike(configs: Sequence[RunConfig]) -> None:
    """Raise RunError for runs that differ in more than their own fields, such as the seed."""
    for other in configs[1:]:
        for key in _KEPT:
            if key not in _OWN and getattr(other, key) != getattr(configs[0], key):
                remedy = "resume each run alone"
                raise RunError("runs", f"were started with different {key}", remedy=remedy)


def _checked(options: Options) -> PlainData:
    """Return the fields of a `RunConfig` that are asked for.

    Raises UnknownNameError or ArgumentError for impossible ones.
    """
    for name in options:
        check_name("option of train", name, Options.__annotations__)
    asked: PlainData = {name: value for name, value in options.items() if value is not None}
    check_names(**{name: asked.get(name) for name in ("backend", "approach", *_TEXTS[:-1])})
    if "episodes" in asked or "steps" in asked:
        check_budget("train", asked.get("episodes"), asked.get("steps"), least=1)
    check_env_args(asked.get("env_args", {}))
    for name in asked.keys() & _PLACES:
        asked[name] = check_wrappers(asked[name], name[:-1])
    for name in asked.keys() & _COUNTS:
        asked[name] = check_count(f"train, {name}", asked[name], most=_COUNTS[name])
    if "eval_episodes" in asked and "eval_every" not in asked:
        raise ArgumentError("train", "takes eval_episodes with eval_every only")
    if "config" in asked:
        if "start" in asked:
            raise ArgumentError("train", "takes a config or a run to start from, not both")
        check_kind("config", asked["config"], AgentConfig)
        asked["base"] = asked.pop("config")
    if "gradient" in asked:
        asked["own_options"] = asked.pop("gradient")
    if "start" in asked:
        asked["start"] = str(asked["start"])
    noise = asked.get("noise") or asked.get("backend_options", {}).get("noise")
    return asked if noise is None else {**asked, "noise": noise}
