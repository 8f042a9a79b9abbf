"""Frozen dataclasses that turn into plain data and back, exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError, NeurorlError, say, unknown

__all__ = ["Described", "frozen_array", "number", "positive"]

FloatArray = npt.NDArray[np.float64]


class Described:
    """Base of all description classes: equality, hashing off, `to_dict` and `from_dict`.

    Subclasses are ``@dataclass(frozen=True, eq=False)``; each registers under its own name.
    """

    _classes: ClassVar[dict[str, type[Described]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Described._classes[cls.__name__] = cls

    def to_dict(self) -> dict[str, Any]:
        """Plain data (``json.dumps`` takes it) from which `from_dict` builds an equal object."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {
            "type": type(self).__name__,
            **{f.name: _encode(getattr(self, f.name)) for f in fields},
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The object that `to_dict` described. Raises DescriptionError for anything else."""
        try:
            made = _decode(data)
        except NeurorlError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise DescriptionError(say(cls.__name__, "not data of a description", got=exc)) from exc
        if not isinstance(made, cls):
            raise DescriptionError(
                say(cls.__name__, "this is the data of another type", got=type(made).__name__)
            )
        return made

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]


def _encode(value: Any) -> Any:
    if isinstance(value, Described):
        return value.to_dict()
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, tuple):
        return [_encode(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): _encode(v) for k, v in value.items()}
    return value


def _decode(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "array" in value:
            return np.array(value["array"], dtype=value["dtype"]).reshape(value["shape"])
        if "type" in value:
            return _construct(value)
        return {k: _decode(v) for k, v in value.items()}
    if isinstance(value, list):
        return tuple(_decode(v) for v in value)
    return value


def _construct(data: Mapping[str, Any]) -> Described:
    kind = data["type"]
    cls = Described._classes.get(kind)
    if cls is None:
        raise unknown("description type", kind, Described._classes)
    fields = {k: _decode(v) for k, v in data.items() if k != "type"}
    try:
        return cls(**fields)
    except TypeError as exc:
        raise DescriptionError(say(kind, "wrong or missing fields", got=exc)) from exc


def frozen_array(where: str, value: npt.ArrayLike, shape: tuple[int, ...] | None) -> FloatArray:
    """A read-only float64 copy of *value*, all finite; *shape* None takes any shape."""
    try:
        array = np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as exc:
        raise DescriptionError(say(where, "not an array of numbers", got=repr(value)[:60])) from exc
    if shape is not None and array.shape != shape:
        raise DescriptionError(say(where, "wrong shape", got=array.shape, limit=shape))
    if array.size == 0:
        raise DescriptionError(say(where, "is empty", got=f"shape {array.shape}"))
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DescriptionError(
            say(where, f"not finite at index {first}", got=array[first], limit="finite numbers")
        )
    array.setflags(write=False)
    return array


def number(where: str, value: object, low: float = -np.inf, high: float = np.inf) -> float:
    """*value* as a float in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise DescriptionError(say(where, "not a number", got=repr(value)))
    if not (np.isfinite(value) and low <= value <= high):
        raise DescriptionError(
            say(where, "out of range", got=f"{value:g}", limit=f"{low:g} to {high:g}")
        )
    return float(value)


def positive(where: str, value: object) -> int:
    """*value* as an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise DescriptionError(say(where, "must be a whole number", got=repr(value), limit=">= 1"))
    return int(value)
