"""Read a sweep: which tasks, agents and parameters are trained, with which seeds.

A file is TOML, or YAML where PyYAML is installed::

    env = ["neurorl/GridWorld-v0", "CartPole-v1"]
    seeds = "0..9"
    episodes = 200
    evaluate = 100                 # greedy episodes at the end; 0 for none
    rule = ["spikes-only", "td-stdp"]
    [set]
    hidden = [[8, 4]]              # a value that is a list stands in one
    policy.beta = [0.1, 0.2]       # as a list is an axis of the grid

A file with a table ``[search]`` is a search, see `neurorl.lab.search`. A *unit* is one setting
with all its seeds, trained side by side as replicas of one network.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self, cast

from neurorl.errors import ArgumentError, check_name
from neurorl.models.defaults.presets import MODELS
from neurorl.rules import find_rule
from neurorl.runs.config import Options, RunConfig
from neurorl.runs.settings import apart, flat_fields, read_fields
from neurorl.runs.training import read_seeds
from neurorl.storage.plain import Named, check_count

_COUNTED = ("environments", "eval_every", "eval_episodes")
_TEXTS = ("env", "backend", "arithmetic", "noise", "model", "rule", "learning", "approach")
AXES = (*_TEXTS, *_COUNTED)
"""Name the settings that may be lists at the top of a file, in the order of columns."""
_NUMBERS = ("episodes", "steps", "evaluate")
_TABLES = ("env_args", "set")
_ALL = (*AXES, "seeds", *_NUMBERS, *_TABLES)
_MOST_UNITS = 10_000
_EVALUATE = 100


@dataclass(frozen=True)
class Unit:
    """Hold one setting: values by axis, as plain data; fields of the agent begin with ``set.``."""

    values: Named
    seeds: tuple[int, ...]
    episodes: int | None = None
    steps: int | None = None
    evaluate: int = _EVALUATE
    env_args: Named = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of its folder: a digest of everything that its results depend on."""
        said = json.dumps(dataclasses.asdict(self), sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:16]

    @property
    def env(self) -> str:
        """Return the id of its environment."""
        return str(self.values["env"])

    def options(self) -> Options:
        """Return the options for `neurorl.runs.training.train_seeds`."""
        fields = {k.removeprefix("set."): v for k, v in self.values.items() if k.startswith("set.")}
        if "rule" in self.values:
            fields["rule"] = self.values["rule"]
        options = {k: v for k, v in self.values.items() if k in AXES and k not in ("env", "rule")}
        options |= {"episodes": self.episodes, "steps": self.steps}
        options |= apart(read_fields(fields, "sweep, set"))
        if self.env_args:
            options["env_args"] = dict(self.env_args)
        return cast(Options, options)


@dataclass(frozen=True)
class Sweep:
    """Hold the units of a sweep, in the order of its grid, and the names of its axes."""

    units: tuple[Unit, ...]
    axes: tuple[str, ...]

    @classmethod
    def grid(cls, settings: Named, where: str = "sweep") -> Self:
        """Return the sweep that plain data describes, see the module.

        Raises ArgumentError or UnknownNameError for impossible settings, before training.
        """
        _check_names(settings, where)
        given = {name: settings[name] for name in AXES if name in settings}
        table = settings.get("set", {})
        given |= {f"set.{name}": value for name, value in flat_fields(table, f"{where}, set")}
        choices = {name: v if isinstance(v, list) else [v] for name, v in given.items()}
        for name, values in choices.items():
            if not values:
                raise ArgumentError(f"{where}, {name}", "has no values")
            if any(isinstance(value, int) and abs(value) >= 2**63 for value in values):
                raise ArgumentError(f"{where}, {name}", "too large for a table", limit="2**63")
            if any(value in values[:k] for k, value in enumerate(values)):
                raise ArgumentError(f"{where}, {name}", "has a value twice")
        seeds = tuple(read_seeds(str(settings.get("seeds", "0"))))
        numbers = {name: settings[name] for name in _NUMBERS if name in settings}
        env_args = settings.get("env_args", {})
        units = tuple(
            Unit(dict(zip(choices, values, strict=True)), seeds, env_args=env_args, **numbers)
            for values in itertools.islice(itertools.product(*choices.values()), _MOST_UNITS + 1)
        )
        if len(units) > _MOST_UNITS:
            raise ArgumentError(where, "has too many settings", limit=_MOST_UNITS)
        for unit in units:
            check_unit(unit)
        return cls(units, tuple(choices))


def check_unit(unit: Unit) -> None:
    """Raise ArgumentError or UnknownNameError for wrong settings, before anything is made."""
    if "rule" in unit.values:
        find_rule(unit.values["rule"])
    if "model" in unit.values:
        check_name("model", unit.values["model"], MODELS)
    run = RunConfig.begin(unit.env, unit.options())
    run.algorithm.check(backend=run.spec.backend)


def _check_names(settings: Named, where: str) -> None:
    """Raise an error for an unknown name, or a value of another kind."""
    for name, value in settings.items():
        check_name(where, name, _ALL)
        if name in _TABLES and not isinstance(value, Mapping):
            raise ArgumentError(f"{where}, {name}", "is no table", got=value)
        if name in _NUMBERS:
            check_count(f"{where}, {name}", value, 0 if name == "evaluate" else 1)
        if name in AXES:
            kind, what = (str, "text") if name in _TEXTS else (int, "whole number")
            for each in value if isinstance(value, list) else [value]:
                if not isinstance(each, kind):
                    raise ArgumentError(f"{where}, {name}", f"is no {what}", got=each)
    if "env" not in settings:
        raise ArgumentError(where, "names no env", remedy='such as env = "CartPole-v1"')
