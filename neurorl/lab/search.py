"""Search the parameters of one setting by Optuna, pruned over its seeds.

A sweep's file with a table ``[search]`` is a search, with ranges in ``[search.space]``::

    env = "CartPole-v1"
    seeds = "0..7"
    episodes = 150
    [search]
    trials = 40
    [search.space]
    policy.beta = {low = 0.05, high = 0.5, log = true}
    hidden = {choices = [[8], [8, 4]]}
    rule = {choices = ["spikes-only", "td-stdp"]}

Trials are asked for in batches and reported in order, so that the same file gives the same trials
and table everywhere, and running it again resumes a killed search.

`read_sweep` reads files of sweeps and of searches; errors name the line.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from neurorl.errors import ArgumentError, NeurorlError, check_name, format_message
from neurorl.lab.sweep import AXES, Sweep, Unit, check_unit
from neurorl.storage.plain import Named, PlainData, check_count
from neurorl.storage.reading import JSON_BYTES, FilePlace, read_bytes

SAMPLERS = {"tpe": "TPESampler", "random": "RandomSampler"}
"""Map each sampler to its class in Optuna."""
_COUNTS = {"trials": 50, "batch": 4, "seed": 0, "rung": 1}
_NAMES = (*_COUNTS, "sampler", "prune", "metric", "space")
_LAST = ("mean_return_last_100", "mean_discounted_return_last_100")
_METRICS = ("greedy_return", "greedy_discounted_return", *_LAST)


@dataclass(frozen=True)
class Parameter:
    """Describe a parameter to search: a field or axis between *low* and *high*, or with *choices*.

    is_log: whether it is searched on a logarithmic scale. step: distance of values, from *low* on.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    is_log: bool = False
    step: float | None = None
    choices: tuple[Any, ...] = ()

    @classmethod
    def read(cls, name: str, data: object) -> Self:
        """Return a parameter from plain data. Raises ArgumentError."""
        where, remedy = f"search.space, {name}", "{low = 0.1, high = 1.0} or {choices = [...]}"
        if not isinstance(data, Mapping) or set(data) - {"low", "high", "log", "step", "choices"}:
            raise ArgumentError(where, "is no range", got=data, remedy=remedy)
        choices = data.get("choices")
        if choices is not None:
            if set(data) != {"choices"} or not isinstance(choices, list) or len(choices) < 2:
                raise ArgumentError(where, "has no two choices", got=data, remedy=remedy)
            return cls(name, choices=tuple(choices))
        low: Any = data.get("low")
        high: Any = data.get("high")
        step: Any = data.get("step")
        is_log = data.get("log", False)
        if not _is_number(low) or not _is_number(high) or not low < high:
            raise ArgumentError(where, "wants low < high", got=dict(data), remedy=remedy)
        if not isinstance(is_log, bool) or (is_log and (step is not None or low <= 0)):
            raise ArgumentError(where, "log is for numbers above 0, without step", got=dict(data))
        if step is not None and not (_is_number(step) and step > 0):
            raise ArgumentError(where, "has a step that isn't above 0", got=step)
        return cls(name, low, high, is_log, step)

    @property
    def axis(self) -> str:
        """Return its key in the values of a `Unit`."""
        return self.name if self.name in AXES else f"set.{self.name}"

    @property
    def ends(self) -> tuple[Any, ...]:
        """Return values to check before anything is trained."""
        return self.choices or (self.low, self.high)

    def ask(self, trial: Any) -> object:
        """Return the value for a trial of Optuna."""
        if self.choices:
            texts = [json.dumps(choice) for choice in self.choices]
            return json.loads(trial.suggest_categorical(self.name, texts))
        if isinstance(self.low, int) and isinstance(self.high, int):
            step = 1 if self.step is None else int(self.step)
            return trial.suggest_int(self.name, self.low, self.high, log=self.is_log, step=step)
        return trial.suggest_float(self.name, self.low, self.high, log=self.is_log, step=self.step)


@dataclass(frozen=True)
class Search:
    """Hold a search: *base*, with the parameters of *space* chosen by Optuna.

    trials: how many. batch: how many trials are chosen at once and may run side by side. sampler:
    tpe or random, seeded by *seed*. metric: the column whose mean over seeds is maximised. prune:
    whether to end trials whose best mean so far is below the median of complete ones after as many
    seeds, once four are complete; rung: seeds between checks.
    """

    base: Unit
    space: tuple[Parameter, ...]
    metric: str
    trials: int
    batch: int
    seed: int
    rung: int
    sampler: str = "tpe"
    prune: bool = True

    @classmethod
    def read(cls, settings: Named, where: str = "sweep") -> Self:
        """Return the search that plain data describes. Raises NeurorlError if it is wrong."""
        base = {name: value for name, value in settings.items() if name != "search"}
        said = settings["search"]
        if not isinstance(said, Mapping):
            raise ArgumentError(f"{where}, search", "is no table", got=said)
        for name in said:
            check_name("search", name, _NAMES)
        units = Sweep.grid(base, where).units
        if len(units) > 1:
            remedy = "put what varies in [search.space], as choices"
            raise ArgumentError(f"{where}, search", "is of one setting", remedy=remedy)
        space = said.get("space")
        if not isinstance(space, Mapping) or not space:
            raise ArgumentError(f"{where}, search", "has no [search.space]")
        parameters = tuple(Parameter.read(name, data) for name, data in _flat(space))
        read = cls(units[0], parameters, **_checked(said, units[0]))
        for parameter in read.space:
            if parameter.axis in units[0].values:
                raise ArgumentError(where, "says twice", got=parameter.name)
            for value in parameter.ends:
                check_unit(read.unit({parameter.axis: value}, units[0].seeds))
        return read

    @property
    def axes(self) -> tuple[str, ...]:
        """Return the columns of the searched parameters."""
        return tuple(parameter.axis for parameter in self.space)

    @property
    def rungs(self) -> list[tuple[int, ...]]:
        """Return the seeds that are trained between two checks."""
        seeds = self.base.seeds
        return [seeds[first : first + self.rung] for first in range(0, len(seeds), self.rung)]

    def unit(self, values: Named, seeds: tuple[int, ...]) -> Unit:
        """Return the setting with these values, for some of its seeds."""
        return dataclasses.replace(self.base, values={**self.base.values, **values}, seeds=seeds)


def _checked(said: Named, base: Unit) -> PlainData:
    """Return the other options of a search. Raises ArgumentError."""
    options: PlainData = {}
    quarter = -(-len(base.seeds) // 4)
    for name, usual in {**_COUNTS, "rung": quarter}.items():
        options[name] = check_count(f"search, {name}", said.get(name, usual), min(usual, 1))
    possible = _METRICS if base.evaluate else _METRICS[2:]
    for name, otherwise in {"metric": possible[0], "sampler": "tpe", "prune": True}.items():
        options[name] = said.get(name, otherwise)
    check_name("metric", options["metric"], possible)
    check_name("sampler", options["sampler"], SAMPLERS)
    if not isinstance(options["prune"], bool):
        raise ArgumentError("search, prune", "is true or false", got=options["prune"])
    return options


def _flat(space: Named, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the ranges of nested tables by dotted names."""
    for name, value in space.items():
        inner = value.values() if isinstance(value, Mapping) else ()
        if inner and all(isinstance(v, Mapping) for v in inner):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def read_sweep(path: Path) -> Sweep | Search:
    """Read a sweep or a search from TOML or YAML. Raises ArgumentError that names the line."""
    place = FilePlace(f"sweep {path}")
    text, data = read_toml_or_yaml(path, place)
    try:
        return Search.read(data) if "search" in data else Sweep.grid(data)
    except NeurorlError as exc:
        line = _line_of(str(exc), text)
        where = f"sweep {path}" + (f", line {line}" if line else "")
        raise ArgumentError(format_message(where, str(exc).removeprefix("sweep, "))) from exc


def read_toml_or_yaml(path: Path, place: FilePlace) -> tuple[str, Named]:
    """Return a file's text and its fields. Errors of both parsers name line and column."""
    text = read_bytes(path, JSON_BYTES, place).decode(errors="replace")
    data = _parse(path, text, place)
    if not isinstance(data, Mapping):
        raise place.wrong("is of something else", limit="fields by name")
    return text, data


def _parse(path: Path, text: str, place: FilePlace) -> object:
    if path.suffix.lower() not in (".yaml", ".yml"):
        try:
            return tomllib.loads(text)
        except (ValueError, RecursionError) as exc:
            raise place.wrong("is no TOML", got=exc) from exc
    try:
        import yaml
    except ImportError as exc:
        raise place.wrong("needs PyYAML", limit="TOML without it") from exc
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as exc:
        raise place.wrong("is no YAML", got=" ".join(str(exc).split())) from exc


def _line_of(message: str, text: str) -> int | None:
    """Return the line of *text* that begins with a name in *message*, if there is one."""
    table = r"""\s*\[+\s*["']?([\w.]+)["']?\s*\]"""  # messages name a table before its key
    for pattern in (r"""\s*["']?([\w.]+)["']?\s*[=:]""", table):
        for number, line in enumerate(text.splitlines(), start=1):
            name = re.match(pattern, line)
            if name and re.search(rf"(?<![\w.]){re.escape(name[1])}(?!\w)", message):
                return number
    return None
