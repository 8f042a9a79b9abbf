"""Check what methods of users' classes return, wherever they are called from.

A base class maps each method that users may define to a check of its result. When a user derives a
class, its methods are wrapped in these checks; the library's own methods aren't. The base class
also maps attributes (also properties) to checks, made when an agent takes the part.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, ClassVar

import numpy as np

from neurorl.errors import ArgumentError, quoted
from neurorl.numerics.arrays import Array, FloatArray

Check = Callable[..., Any]
"""Return the checked result; called with its location, the result, and the arguments."""

_OURS = "neurorl."


class AnswerChecks:
    """Check the methods named in *answers* in users' classes.

    answers: checks by the name of the method; derived classes inherit them.
    attributes: checks by the name of the attribute, called with its location and its value.
    """

    answers: ClassVar[Mapping[str, Check]] = {}
    attributes: ClassVar[Mapping[str, Check]] = {}

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith(_OURS):
            return
        for name, check in cls.answers.items():
            method = cls.__dict__.get(name)
            if isinstance(method, FunctionType):
                setattr(cls, name, _checked(method, f"{cls.__name__}.{name}", check))


def check_attributes(part: AnswerChecks) -> None:
    """Raise DescriptionError for an attribute of a part that isn't what its base class says."""
    for name, check in part.attributes.items():
        check(f"{type(part).__name__}.{name}", getattr(part, name))


def refused(where: str, what: str, got: object, limit: str, remedy: str) -> ArgumentError:
    """Return the error for an answer that can't go on."""
    return ArgumentError(where, what, got=quoted(got), limit=limit, remedy=remedy)


def finite_number(where: str, answer: object, low: float = -math.inf) -> float:
    """Return an answer that is one finite number, at least *low*."""
    limit = "a finite number" + ("" if low == -math.inf else f", at least {low:g}")
    if isinstance(answer, np.ndarray) and answer.ndim == 0:
        answer = answer[()]
    if isinstance(answer, (bool, np.bool_)) or not isinstance(answer, (int, float, np.number)):
        raise refused(where, "answers no number", answer, limit, "return one")
    if np.iscomplexobj(answer) or not math.isfinite(answer) or answer < low:
        raise refused(where, "answers a number out of range", answer, limit, "repair it")
    return float(answer)


def whole_number(low: int) -> Check:
    """Return the check of an answer that is a whole number, at least *low*."""

    def check(where: str, answer: object, *_: object) -> int:
        if isinstance(answer, bool) or not isinstance(answer, (int, np.integer)) or answer < low:
            limit = f"a whole number, at least {low}"
            raise refused(where, "answers no whole number", answer, limit, "return one")
        return int(answer)

    return check


def like_first(where: str, answer: object, _: object, first: Array, *__: object) -> Array:
    """Return an answer that is an array of the shape of the method's first argument."""
    return array(where, answer, first.shape)


def array(
    where: str,
    answer: object,
    shape: tuple[int, ...],
    low: float = -math.inf,
    high: float = math.inf,
) -> Array:
    """Return an answer that is an array of this shape, of finite numbers in [low, high]."""
    values = answer if isinstance(answer, np.ndarray) else _as_array(answer)
    if values.dtype.kind not in "biuf" or values.shape != shape:
        got = f"{type(answer).__name__} of {values.dtype}, {values.shape}"
        raise refused(where, "answers another array", got, f"numbers, {shape}", "return these")
    inside = np.isfinite(values) & (values >= low) & (values <= high)
    if not inside.all():
        limit = "finite numbers" if (low, high) == (-math.inf, math.inf) else f"{low:g} to {high:g}"
        got = values[~inside].flat[0]
        raise refused(where, "answers a number out of range", got, limit, "repair it, or clip")
    return values


def _as_array(answer: object) -> Array:
    try:
        return np.asarray(answer)
    except ValueError:  # lists of different lengths raise it
        return np.asarray(None)


def _checked(method: FunctionType, where: str, check: Check) -> Callable[..., Any]:
    @functools.wraps(method)
    def answer(self: object, *args: object, **kwargs: object) -> Any:
        return check(where, method(self, *args, **kwargs), self, *args, **kwargs)

    return answer


@dataclass(frozen=True)
class Choice:
    """Hold one decision among n modules of each actor, in one or more groups.

    policy: ``(n,)``, probabilities of the alternatives in each group, or for modules that code a
    number, their shares of its votes. actions: for each group an index in it, or a number in
    [-1, 1]. phi, t: ``(n,)``, broadcast to modules (`neurorl.rules.decision.Broadcast`).
    """

    policy: FloatArray
    actions: Array
    phi: FloatArray
    t: FloatArray
