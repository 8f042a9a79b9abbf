"""Lanes: the backends that are compared, each in an arithmetic and on an engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

from neurorl.arithmetic.rounding import ArithmeticName
from neurorl.backends.base import Backend
from neurorl.backends.registry import available_backends, backend_class, load
from neurorl.backends.simulator import Simulator
from neurorl.errors import ArgumentError, say, unknown
from neurorl.network.description import Network
from neurorl.network.serialization import FloatArray

__all__ = ["Lane", "read_lanes"]

_ARITHMETICS = get_args(ArithmeticName)


@dataclass(frozen=True)
class Lane:
    """One backend in one arithmetic; options go to its class, such as its engine.

    cls: a class of your own, which then needs no registered name.
    """

    backend: str
    arithmetic: str
    options: dict[str, Any] = field(default_factory=dict)
    cls: type[Simulator] | None = None

    @property
    def label(self) -> str:
        """As the command line has it: ``brian2:float``, ``brian2:cython:loihi``."""
        values = (str(value) for value in self.options.values())
        return ":".join((self.backend, *values, self.arithmetic))

    @property
    def backend_class(self) -> type[Simulator]:
        return self.cls or backend_class(self.backend)

    @property
    def is_exact(self) -> bool:
        """Whether it promises to equal the reference in this arithmetic."""
        return self.arithmetic in self.backend_class.capabilities.exact_arithmetics

    def load(
        self, network: Network, seed: int, weights: Mapping[str, FloatArray] | None = None
    ) -> Backend:
        """The network on this backend; *weights* of those projections that it doesn't draw."""
        made = load(
            self.backend_class, network, seed=seed, arithmetic=self.arithmetic, **self.options
        )
        for name, values in (weights or {}).items():
            made.set_weights(name, values)
        return made

    def must_equal(self, other: Lane) -> bool:
        """Whether both promise the same bits."""
        return self.arithmetic == other.arithmetic and self.is_exact and other.is_exact


def read_lanes(
    backends: str | Sequence[str | Lane | type[Simulator]] | None = None,
    arithmetic: str | None = None,
) -> list[Lane]:
    """Lanes of names such as ``reference:float,brian2:cython,loihi``; None takes all installed.

    arithmetic: of those that have it and name none themselves; else a backend's own.
    Raises ArgumentError for fewer than two or one twice, UnknownNameError, or
    BackendUnavailableError.
    """
    if arithmetic is not None and arithmetic not in _ARITHMETICS:
        raise unknown("arithmetic", arithmetic, _ARITHMETICS)
    given = _installed() if backends is None else backends
    names = given.split(",") if isinstance(given, str) else given
    lanes = [name if isinstance(name, Lane) else _lane(name, arithmetic) for name in names]
    labels = [lane.label for lane in lanes]
    if len(lanes) < 2:
        limit = "two or more, such as reference,brian2"
        raise ArgumentError(
            say("backends", "nothing to compare", got=",".join(labels), limit=limit)
        )
    for label in labels:
        if labels.count(label) > 1:
            raise ArgumentError(say("backends", "one is named twice", got=label))
    return lanes


def _installed() -> list[str]:
    return [row["name"] for row in available_backends() if row["available"]]


def _lane(given: str | type[Simulator], arithmetic: str | None) -> Lane:
    if not isinstance(given, str):
        has = given.capabilities.arithmetics
        return Lane(given.name, _chosen(arithmetic, has), {}, given)
    name, *parts = given.strip().split(":")
    capabilities = backend_class(name).capabilities
    own = capabilities.arithmetics
    chosen = _chosen(arithmetic, own)
    options: dict[str, Any] = {}
    for part in parts:
        if part in _ARITHMETICS:
            if part not in own:
                limit = ", ".join(own)
                raise ArgumentError(
                    say(f"backend {name}", "another arithmetic", got=part, limit=limit)
                )
            chosen = part
        elif part in capabilities.engines:
            if len(capabilities.engines) > 1:
                options["engine"] = part
        else:
            raise unknown(f"part of {name}", part, (*own, *capabilities.engines))
    return Lane(name, chosen, options)


def _chosen(wanted: str | None, has: Sequence[str]) -> str:
    return wanted if wanted is not None and wanted in has else has[0]
