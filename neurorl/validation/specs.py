"""Read the specs of the backends to compare."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.backends.registry import available_backends
from neurorl.backends.simulator import Simulator
from neurorl.backends.spec import BackendSpec
from neurorl.errors import ArgumentError


def read_specs(
    backends: str | Sequence[str | BackendSpec | type[Simulator]] | None = None,
    arithmetic: str | None = None,
    target: str | None = None,
) -> list[BackendSpec]:
    """Return specs with an arithmetic each; None for *backends* takes all that are installed.

    backends: such as ``reference:float,brian2:cython,loihi``, or a list.
    arithmetic: of those that have it and name none themselves; the others take their own. target:
    of those that have targets.
    Raises ArgumentError for fewer than two or one twice, UnknownNameError, or
    BackendUnavailableError.
    """
    if arithmetic is not None:
        find_arithmetic(arithmetic)
    if backends is None:
        backends = [row["name"] for row in available_backends() if row["available"]]
    choices = backends.split(",") if isinstance(backends, str) else backends
    specs = [_with_arithmetic(BackendSpec.parse(choice), arithmetic) for choice in choices]
    if target is not None:
        specs = _on_target(specs, target)
    labels = [spec.label for spec in specs]
    if len(specs) < 2:
        limit = "two or more, such as reference,native"
        raise ArgumentError("backends", "nothing to compare", got=",".join(labels), limit=limit)
    for label in labels:
        if labels.count(label) > 1:
            raise ArgumentError("backends", "one is named twice", got=label)
    return specs


def _on_target(specs: list[BackendSpec], target: str) -> list[BackendSpec]:
    """Return specs with the option *target*, of those that have it. Raises ArgumentError."""
    chosen = [
        BackendSpec.of(spec, options={"target": target}) if spec.has_option("target") else spec
        for spec in specs
    ]
    if chosen == specs:
        limit = "such as loihi"
        remedy = (
            "of simulators that are no backends, such as pynn.nest: validate_on"
            if "." in target
            else None
        )
        raise ArgumentError(
            "validate, target", "no backend has one", got=target, limit=limit, remedy=remedy
        )
    return chosen


def _with_arithmetic(spec: BackendSpec, arithmetic: str | None) -> BackendSpec:
    """Return a spec with *arithmetic* if it names none and has it, else with its own."""
    if spec.arithmetic is None and arithmetic in spec.arithmetics:
        return dataclasses.replace(spec, arithmetic=arithmetic)
    return dataclasses.replace(spec, arithmetic=spec.chosen_arithmetic)
