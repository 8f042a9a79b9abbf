"""Specify which backend runs a network, and how: one object, and one string for it."""

from __future__ import annotations

import dataclasses
import inspect
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote

from neurorl.arithmetic.chip_noise import NOISES
from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.backends.base import Backend
from neurorl.backends.lookup import (
    Vocabulary,
    backend_class,
    current_engine,
    current_words,
    slowest,
    warn_slower,
)
from neurorl.backends.plugins import Engine
from neurorl.backends.simulator import Simulator
from neurorl.errors import ArgumentError, NotShippedError, check_name, one_line, unknown_name_error
from neurorl.network.description import Network
from neurorl.storage.plain import Named, PlainData


@dataclass(frozen=True)
class BackendSpec:
    """Specify a backend with its arithmetic, noise, engine and options.

    backend: a registered name, or that of *cls*.
    arithmetic, noise, engine: None for the backend's default (of noise, ``'exact'``).
    options: arguments of the simulator's class.
    cls: a simulator class of the user's own, which then needs no registered name.

    As text it is ``backend[:engine][:arithmetic][:option=value]...``, the arithmetic with its noise
    ``loihi+chip``, or ``+chip`` without an arithmetic:

    >>> BackendSpec.parse("brian2:cython:loihi")
    BackendSpec('brian2:cython:loihi')
    >>> BackendSpec("loihi", "loihi", noise="chip").label
    'loihi:loihi+chip'
    """

    backend: str
    arithmetic: str | None = None
    noise: str | None = None
    engine: str | None = None
    options: Named = field(default_factory=dict, hash=False)
    cls: type[Simulator] | None = None

    def __post_init__(self) -> None:
        backend, engine, options = current_engine(self.backend, self.engine, self.options)
        self.__dict__.update(backend=backend, engine=engine, options=options)  # the class is frozen
        for kind, name, known in (
            ("arithmetic", self.arithmetic, ARITHMETICS),
            ("noise", self.noise, NOISES),
        ):
            if name is not None:
                check_name(kind, name, known)

    @classmethod
    def parse(cls, choice: object) -> BackendSpec:
        """Return the spec of a text, class or spec. Imports no simulator of the library's own.

        Raises UnknownNameError for a part that the backend doesn't have, ArgumentError for an
        arithmetic that it can't run, for a contradiction and for what is none of these.
        """
        if isinstance(choice, BackendSpec):
            return choice
        if isinstance(choice, type) and issubclass(choice, Simulator):
            return BackendSpec(choice.name, cls=choice)
        if not isinstance(choice, str):
            got = repr(choice)[:60]
            limit = "a name, or a subclass of neurorl.backends.simulator.Simulator"
            raise ArgumentError("backend", "is none", got=got, limit=limit)
        name, *parts = choice.strip().split(":")
        name, parts = current_words(name, parts)
        vocabulary, spec = Vocabulary(name), BackendSpec(name)
        options: PlainData = {}
        for part in parts:
            key, equals, text = part.partition("=")
            if equals:
                options[key] = _read(text)
            else:
                spec = spec._saying(**_words(name, vocabulary, part))
        return BackendSpec.of(spec, options=options)

    @classmethod
    def of(
        cls,
        choice: object,
        arithmetic: str | None = None,
        noise: str | None = None,
        options: Named | None = None,
    ) -> BackendSpec:
        """Return the spec of *choice*, completed by the keywords.

        options: of the backend's class; a noise among them is the spec's.
        Raises ArgumentError where they contradict each other.
        """
        rest = dict(options or {})
        spec = BackendSpec.parse(choice)._saying(arithmetic=arithmetic, noise=noise)
        own = {name: rest.pop(name, None) for name in ("arithmetic", "noise")}
        spec = spec._saying(**own)
        return dataclasses.replace(spec, options=spec._merged(spec.options, rest))

    def __str__(self) -> str:
        return ":".join(self._parts(self.arithmetic, self.noise))

    def __repr__(self) -> str:
        shown = "" if self.cls is None else f", cls={self.cls.__qualname__}"
        return f"{type(self).__name__}({str(self)!r}{shown})"

    @property
    def label(self) -> str:
        """Return the text with the arithmetic always in it: ``brian2:cython:float``."""
        noise = None if self.noise is None or NOISES[self.noise].is_exact else self.noise
        return ":".join(self._parts(self.chosen_arithmetic, noise))

    @property
    def backend_class(self) -> type[Simulator]:
        """Return the simulator's class, imported only now. Raises BackendUnavailableError."""
        return self.cls or backend_class(self.backend)

    @property
    def chosen_arithmetic(self) -> str:
        """Return the arithmetic: the specified one, else the backend's default."""
        return self.arithmetic or self.arithmetics[0]

    @property
    def is_chip(self) -> bool:
        """Return whether its arithmetic is the chip's."""
        return ARITHMETICS[self.chosen_arithmetic].is_chip

    @property
    def arithmetics(self) -> tuple[str, ...]:
        """Return the arithmetics of the backend, its default first."""
        return Vocabulary(self.backend, self.cls).arithmetics

    @property
    def chosen_engine(self) -> Engine:
        """Return the description of the engine, by default the preferred one's."""
        engines = Vocabulary(self.backend, self.cls).engines
        if self.engine is not None:
            check_name(f"engine of {self.backend}", self.engine, engines)
            return engines[self.engine]
        return next(iter(engines.values()), Engine())

    @property
    def class_options(self) -> PlainData:
        """Return the options of the backend's class, the engine's among them."""
        if self.engine is None:
            return dict(self.options)
        return self._merged(self.chosen_engine.options, self.options)

    @property
    def keywords(self) -> PlainData:
        """Return the spec as keywords of agents, of `neurorl.evaluate` and of training."""
        return {
            "backend": self.backend,
            "arithmetic": self.arithmetic,
            "noise": self.noise,
            "backend_options": self.class_options,
        }

    @property
    def is_exact(self) -> bool:
        """Return whether it promises to equal the reference in this arithmetic."""
        return self.chosen_arithmetic in self.backend_class.capabilities.exact_arithmetics

    def must_equal(self, other: BackendSpec) -> bool:
        """Return whether both promise the same bits."""
        one, two = ((x.chosen_arithmetic, x.noise or "exact") for x in (self, other))
        return one == two and self.is_exact and other.is_exact

    def has_option(self, name: str) -> bool:
        """Return whether the backend's class takes this option."""
        return name in inspect.signature(self.backend_class).parameters

    def problems(self, network: Network) -> list[str]:
        """Return why the backend can't run *network* in this arithmetic; empty if it can."""
        return self.backend_class.problems(network, self.chosen_arithmetic)

    def load(self, network: Network, **options: Any) -> Backend:
        """Compile *network*; options as in `neurorl.backends.base.Backend`.

        A network that needs a compiler, where there is none but a wheel's own code, runs on the
        definition, *reference*, with a warning.
        Raises ArgumentError for an option that the backend hasn't, or that contradicts the spec.
        """
        backend, engine, options = current_engine(self.backend, self.engine, options)
        if (backend, engine) != (self.backend, self.engine):
            renamed = dataclasses.replace(self, backend=backend, engine=engine)
            return renamed.load(network, **options)
        own = {"arithmetic": self.arithmetic, "noise": self.noise}
        said = {name: value for name, value in own.items() if value is not None}
        merged = self._merged(said | self.class_options, options)
        cls, shared = self.backend_class, list(inspect.signature(Backend.__init__).parameters)[3:]
        _check_network(cls, network)
        _check_options(cls, merged, shared)
        common = {option: merged.pop(option) for option in shared if option in merged}
        try:
            return Backend(cls(**merged), network, **common)
        except NotShippedError as exc:
            warn_slower(self.backend, one_line(exc))
            return Backend(backend_class(slowest())(), network, **common)

    def _saying(self, **words: str | None) -> BackendSpec:
        """Return the spec with other fields; None leaves one unspecified."""
        own = {name: getattr(self, name) for name in words}
        said = {name: value for name, value in own.items() if value is not None}
        return dataclasses.replace(self, **self._merged(said, words))

    def _merged(self, one: Named, other: Named) -> PlainData:
        """Return both specs as one; raise ArgumentError if they specify different values."""
        merged = dict(one)
        for name, value in other.items():
            if name in merged and value is None:
                continue
            if name in merged and merged[name] != value:
                problem = f"{name} is said twice, {merged[name]!r} and {value!r}"
                raise ArgumentError(f"backend {self}", problem, remedy="say it once")
            merged[name] = value
        return merged

    def _parts(self, arithmetic: str | None, noise: str | None) -> list[str]:
        kind = (arithmetic or "") + ("" if noise is None else f"+{noise}")
        parts = [self.backend, self.engine, kind]
        parts += [f"{name}={_text(value)}" for name, value in self.options.items()]
        return [part for part in parts if part]


def _words(name: str, vocabulary: Vocabulary, part: str) -> dict[str, str | None]:
    """Return the fields of a spec that a part of its text sets."""
    arithmetic, plus, noise = part.partition("+")
    if part in vocabulary.engines:
        return {"engine": part if vocabulary.engines[part].options else None}
    if arithmetic not in (*ARITHMETICS, *[""] * bool(plus)):
        known = (*vocabulary.arithmetics, *vocabulary.engines)
        raise unknown_name_error(f"part of {name}", part, known)
    if arithmetic and arithmetic not in vocabulary.arithmetics:
        limit = ", ".join(vocabulary.arithmetics)
        raise ArgumentError(f"backend {name}", "another arithmetic", got=arithmetic, limit=limit)
    return {"arithmetic": arithmetic or None, "noise": noise if plus else None}


def _text(value: Any) -> str:
    """Return an option's value as text that `_read` reads back."""
    is_plain = isinstance(value, str) and _read(value) == value
    return quote(value if is_plain else json.dumps(value, default=repr), safe="+")


def _read(text: str) -> Any:
    """Return an option's value from its text: JSON, else the text itself."""
    try:
        return json.loads(unquote(text))
    except (ValueError, RecursionError):
        return unquote(text)


def _check_network(cls: type[Simulator], network: object) -> None:
    if not isinstance(network, Network):
        kind = type(network)
        remedy = "describe it as a neurorl.Network"
        if kind.__module__.partition(".")[0] == "nengo":
            remedy += ", or by neurorl.nengo.from_nengo"
        got = f"{kind.__module__}.{kind.__qualname__}"
        raise ArgumentError(f"backend {cls.name}", "not a network", got=got, remedy=remedy)


def _check_options(cls: type[Simulator], options: Named, shared: list[str]) -> None:
    own = inspect.signature(cls).parameters
    if any(p.kind is p.VAR_KEYWORD for p in own.values()):
        return
    known = [*shared, *own]
    for option in options:
        if option not in known:
            problem, limit = "has no such option", ", ".join(known)
            raise ArgumentError(f"backend {cls.name}", problem, got=option, limit=limit)
