"""Frozen dataclasses that turn into plain data and back, exactly."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError, NeurorlError, UnknownNameError, say
from neurorl.units import refuse_units

__all__ = ["Described", "flag", "frozen_array", "number", "positive", "several", "type_name"]

FloatArray = npt.NDArray[np.float64]


class Described:
    """Base of all description classes: equality, hashing off, `to_dict` and `from_dict`.

    Subclasses are ``@dataclass(frozen=True, eq=False)``; each registers under its `type_name`.
    """

    _classes: ClassVar[dict[str, type[Described]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        Described._classes[type_name(cls)] = cls

    def to_dict(self) -> dict[str, Any]:
        """Plain data (``json.dumps`` takes it) from which `from_dict` builds an equal object."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return {
            "type": type_name(type(self)),
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
        if type(self) is not type(other):
            return False
        names = (f.name for f in dataclasses.fields(self))  # type: ignore[arg-type]
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]


def type_name(cls: type[Described]) -> str:
    """Return the name of a class in files: its own for the library's, else ``module:Name``."""
    if cls.__module__.startswith("neurorl."):
        return cls.__name__
    return f"{cls.__module__}:{cls.__qualname__}"


def _same(one: Any, other: Any) -> bool:
    """Whether two values are of equal classes and would be written alike."""
    if isinstance(one, Described) or isinstance(other, Described):
        return bool(one == other)
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(_encode(one) == _encode(other))


def _encode(value: Any) -> Any:
    if isinstance(value, Described):
        return value.to_dict()
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "dtype": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return value.item()
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
    cls = _class_of(kind)
    fields = {k: _decode(v) for k, v in data.items() if k != "type"}
    try:
        return cls(**fields)
    except TypeError as exc:
        raise DescriptionError(say(kind, "wrong or missing fields", got=exc)) from exc


def _class_of(kind: Any) -> type[Described]:
    """The class of this name, if it has been imported: a file imports nothing."""
    where = "description type"
    if not isinstance(kind, str):
        raise DescriptionError(say(where, "is not a name", got=repr(kind)[:60]))
    if kind in Described._classes:
        return Described._classes[kind]
    module = kind.rpartition(":")[0]
    users = [cls for name, cls in Described._classes.items() if ":" in name]
    # Older files name a user's class without its module.
    alike = [] if module else [cls for cls in users if cls.__name__ == kind]
    if len(alike) == 1:
        return alike[0]
    if alike:
        got, remedy = sorted(map(type_name, alike)), "import one of them only"
        raise UnknownNameError(say(where, f"{kind} is several", got=got, remedy=remedy))
    what, first = "is no class of this library or of what is imported", module
    if module in ("", "__main__"):
        first = "the module that defines it"
    near = difflib.get_close_matches(kind, Described._classes, n=1, cutoff=0.8)
    remedy = f"did you mean {near[0]!r}?" if near and not module else f"import {first} first"
    raise UnknownNameError(say(where, what, got=repr(kind), remedy=remedy))


def frozen_array(where: str, value: npt.ArrayLike, shape: tuple[int, ...] | None) -> FloatArray:
    """A read-only float64 copy of *value*, all finite; *shape* None takes any shape."""
    refuse_units(where, value)
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
        refuse_units(where, value)
        raise DescriptionError(say(where, "not a number", got=repr(value)[:60]))
    if not (np.isfinite(value) and low <= value <= high):
        raise DescriptionError(
            say(where, "out of range", got=f"{value:g}", limit=f"{low:g} to {high:g}")
        )
    return float(value)


def positive(where: str, value: object, least: int = 1) -> int:
    """*value* as an integer of at least *least*."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        refuse_units(where, value)
        got, limit = repr(value)[:60], f">= {least}"
        raise DescriptionError(say(where, "must be a whole number", got=got, limit=limit))
    return int(value)


def flag(where: str, value: object) -> bool:
    """*value*, which must be True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise DescriptionError(say(where, "must be True or False", got=repr(value)[:60]))
    return bool(value)


def several(where: str, values: object) -> tuple[Any, ...]:
    """The members of a list, tuple or array."""
    if not isinstance(values, (list, tuple, np.ndarray)):
        raise DescriptionError(say(where, "must be a tuple", got=repr(values)[:60]))
    return tuple(values)
