"""Turn frozen dataclasses into plain data and back, exactly."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import difflib
import functools
import inspect
import typing
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Annotated, Any, ClassVar, Self, TypeVar

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError, NeurorlError, UnknownNameError, quoted
from neurorl.expressions.expression import Expression
from neurorl.network.limits import refuse_units
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.storage.plain import (
    Named,
    PlainData,
    array_from,
    declared_types,
    fits,
    kind_name,
    plain,
    real_array,
)

_T = TypeVar("_T")
_Check = Callable[[str, object], object]
_DEPTH = 32
_MOST = 2**53  # exact as a float
LARGEST = 1e30
"""Limit the numbers of a description, so that their products and sums can't overflow."""

_HUGE = 2.0 * LARGEST
_INLINE = 64  # larger arrays are kept apart, see `arrays_apart`
_APART: ContextVar[dict[str, Array] | None] = ContextVar("apart", default=None)


@dataclasses.dataclass(frozen=True)
class Range:
    """Limit the numbers that a field of a description may have; declared with its type.

    A field of several numbers, a tuple, may be given as a list or an array.
    """

    low: float = -LARGEST
    high: float = LARGEST


Number = Annotated[float, Range()]
NotNegative = Annotated[float, Range(0.0)]
Share = Annotated[float, Range(0.0, 1.0)]
Count = Annotated[int, Range(1, _MOST)]
Flag = Annotated[bool, Range()]


class _Bounded(abc.ABCMeta):
    """Check every number of a description in one place, whatever its class checks itself.

    NumPy's scalars become Python's before the class sees them, so that an object computes with, and
    saves, the same. Afterwards the library's own fields have their declared types and are finite;
    ints given for floats become floats.
    """

    @property
    def __signature__(cls) -> inspect.Signature:
        """Show the fields to editors and help, as any dataclass does."""
        made_by: Any = cls.__init__  # type: ignore[misc]
        return inspect.signature(functools.partial(made_by, None))

    def __call__(cls: type[_T], *values: Any, **named: Any) -> _T:
        fields = getattr(cls, "__dataclass_fields__", ())
        names = (*fields, *("value",) * len(values))
        values = tuple(
            plain(f"{cls.__name__}.{name}", value)
            for name, value in zip(names, values, strict=False)
        )
        named = {name: plain(f"{cls.__name__}.{name}", value) for name, value in named.items()}
        made: _T = super().__call__(*values, **named)  # type: ignore[misc]
        for name in fields:
            value = getattr(made, name)
            if isinstance(value, (tuple, np.generic)):  # such as a tuple that was a list
                object.__setattr__(made, name, plain(f"{cls.__name__}.{name}", value))
        if cls.__module__.startswith("neurorl."):  # a user's own declarations may be loose
            _check_types(cls, {name: getattr(made, name) for name in fields})
            for name in fields:
                if declared_types(cls).get(name) is float:
                    object.__setattr__(made, name, float(getattr(made, name)))
        return made


class Described(metaclass=_Bounded):
    """Give description classes equality, `to_dict` and `from_dict`; they have no hash.

    Subclasses are ``@dataclass(frozen=True, eq=False)``; each registers under its `type_name`.
    named: what files call the class, if that isn't its name.
    """

    _classes: ClassVar[dict[str, type[Described]]] = {}
    _in_files: ClassVar[str]
    _place: ClassVar[str] = ""
    """Begin errors with it; empty: the name of the class."""
    _added: ClassVar[tuple[str, ...]] = ()
    """Name fields that files have only where they aren't the default, as before they existed."""

    def __init_subclass__(cls, named: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._in_files = named or cls.__name__
        Described._classes[type_name(cls)] = cls

    def __post_init__(self) -> None:
        """Raise DescriptionError for a field out of its `Range`, or that its check refuses."""
        place = self._place or type(self).__name__
        for name, check in checks_of(type(self)).items():
            object.__setattr__(self, name, check(f"{place}.{name}", getattr(self, name)))

    def to_dict(self) -> PlainData:
        """Return plain data, as JSON has it, from which `from_dict` builds an equal object."""
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        values = {f.name: getattr(self, f.name) for f in fields}
        usual = {f.name for f in fields if f.name in self._added and values[f.name] == f.default}
        named = {name: _encode(x) for name, x in values.items() if name not in usual}
        return {"type": type_name(type(self)), **named}

    @classmethod
    def from_dict(cls, data: Named) -> Self:
        """Return the object that `to_dict` described. Raises DescriptionError for anything else."""
        try:
            described = _decode(data, _DEPTH)
        except NeurorlError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
            raise DescriptionError(cls.__name__, "not data of a description", got=exc) from exc
        if not isinstance(described, cls):
            raise DescriptionError(
                cls.__name__, "this is the data of another type", got=type(described).__name__
            )
        return described

    @classmethod
    def of_file(cls, fields: Named) -> Self:
        """Return the object of a file's fields; a class may drop fields that older files had."""
        return cls(**fields)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        names = (f.name for f in dataclasses.fields(self))  # type: ignore[arg-type]
        return all(_same(getattr(self, name), getattr(other, name)) for name in names)

    __hash__ = None  # type: ignore[assignment]


def type_name(cls: type[Described]) -> str:
    """Return the name of a class in files: its own for the library's, else ``module:Name``."""
    if cls.__module__.startswith("neurorl."):
        return cls._in_files
    return f"{cls.__module__}:{cls.__qualname__}"


@functools.cache
def checks_of(cls: Any) -> Mapping[str, _Check]:
    """Return a check for each field whose type has a `Range`, or a function of where and value."""
    kinds: PlainData = {}
    for base in reversed(cls.__mro__):  # one of a user's may have types that can't be looked up
        kinds |= declared_types(base, ranges=True)
    return {
        field.name: functools.partial(_check_range, *typing.get_args(kinds[field.name]))
        for field in dataclasses.fields(cls)
        if typing.get_origin(kinds.get(field.name)) is Annotated
    }


def _check_range(kind: type, limits: Range | _Check, where: str, value: object) -> object:
    if not isinstance(limits, Range):
        return limits(where, value)
    if typing.get_origin(kind) is tuple:
        of = typing.get_args(kind)[0]
        return tuple(_check_range(of, limits, where, part) for part in several(where, value))
    if kind is bool:
        return flag(where, value)
    if kind is int:
        return positive(where, value, int(limits.low), int(limits.high))
    return number(where, value, limits.low, limits.high)


def _same(one: Any, other: Any) -> bool:
    """Return whether two values have the same class and would be written alike."""
    if isinstance(one, Described) or isinstance(other, Described):
        return bool(one == other)
    if isinstance(one, (tuple, list)) and isinstance(other, (tuple, list)):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return bool(_encode(one) == _encode(other))


def _encode(value: Any) -> Any:
    if isinstance(value, (Described, Expression)):
        return value.to_dict()
    if isinstance(value, np.ndarray):
        apart = _APART.get()
        if apart is not None and value.size > _INLINE:
            apart[f"array_{len(apart)}"] = value
            return {"stored": f"array_{len(apart) - 1}"}
        return {"array": value.tolist(), "dtype": str(value.dtype), "shape": list(value.shape)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, tuple):
        return [_encode(v) for v in value]
    if isinstance(value, Mapping):
        return {str(k): _encode(v) for k, v in value.items()}
    return value


def _decode(value: Any, depth: int) -> Any:
    """Return the object of plain data that is nested at most *depth* levels deep."""
    if not isinstance(value, (Mapping, list)):
        return value
    if not depth:
        raise DescriptionError("description", "nested too deeply", limit=_DEPTH)
    if isinstance(value, list):
        return tuple(_decode(v, depth - 1) for v in value)
    if "array" in value:
        return array_from(value)
    if "stored" in value:
        return _stored(value)
    fields = {k: _decode(v, depth - 1) for k, v in value.items() if k != "type"}
    return _construct(value["type"], fields) if "type" in value else fields


@contextlib.contextmanager
def arrays_apart(arrays: dict[str, Array]) -> Iterator[None]:
    """Let `to_dict` inside put large arrays into *arrays*, and `from_dict` find them there."""
    before = _APART.set(arrays)
    try:
        yield
    finally:
        _APART.reset(before)


def _stored(value: Named) -> Array:
    """Return an array that is kept apart. Raises DescriptionError if it is missing."""
    arrays, name = _APART.get() or {}, value["stored"]
    if set(value) != {"stored"} or not isinstance(name, str) or name not in arrays:
        raise DescriptionError("array", "is not in the file", got=quoted(name))
    array = arrays[name]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DescriptionError(f"array {name!r}", "isn't finite")
    return array


def _construct(kind: Any, fields: Named) -> Described | Expression:
    cls = Expression if kind == "Expression" else _class_of(kind)
    if cls.__module__.startswith("neurorl."):  # a user's own declarations may be loose
        _check_types(cls, fields)
    try:
        if cls is Expression:
            return Expression(**fields)
        return cls.of_file(fields)  # type: ignore[union-attr]
    except TypeError as exc:
        raise DescriptionError(kind, "wrong or missing fields", got=exc) from exc


def _class_of(kind: Any) -> type[Described]:
    """Return the class of this name if it has been imported: a file imports nothing."""
    where = "description type"
    if not isinstance(kind, str):
        raise DescriptionError(where, "is not a name", got=quoted(kind))
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
        raise UnknownNameError(where, f"{kind} is several", got=got, remedy=remedy)
    what, first = "is no class of this library or of what is imported", module
    if module in ("", "__main__"):
        first = "the module that defines it"
    near = difflib.get_close_matches(kind, Described._classes, n=1, cutoff=0.8)
    remedy = f"did you mean {near[0]!r}?" if near and not module else f"import {first} first"
    raise UnknownNameError(where, what, got=repr(kind), remedy=remedy)


def _check_types(cls: Any, fields: Named) -> None:
    """Raise DescriptionError for a field that isn't of its declared type."""
    types = declared_types(cls)
    for name, value in fields.items():
        if name in types and not fits(value, types[name]):
            where, limit = f"{cls.__name__}.{name}", kind_name(types[name])
            raise DescriptionError(where, "of another type", got=quoted(value), limit=limit)
        if isinstance(value, (int, float)) and not -_HUGE < value < _HUGE:  # false for NaN
            where = f"{cls.__name__}.{name}"
            raise DescriptionError(where, "out of range", got=quoted(value), limit=f"{_HUGE:g}")


def frozen_array(
    where: str, value: npt.ArrayLike, shape: tuple[int, ...] | None, may_be_empty: bool = False
) -> FloatArray:
    """Return a read-only float64 copy of *value*, all finite; *shape* None takes any shape.

    may_be_empty: whether there may be no number. Raises DescriptionError.
    """
    refuse_units(where, value)
    array = real_array(where, value)
    if shape is not None and array.shape != shape:
        raise DescriptionError(where, "wrong shape", got=array.shape, limit=shape)
    if array.size == 0 and not may_be_empty:
        raise DescriptionError(where, "is empty", got=f"shape {array.shape}")
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        what = f"not finite at index {first}" if first else "not finite"
        raise DescriptionError(where, what, got=array[first], limit="finite numbers")
    array.setflags(write=False)
    return array


def number(where: str, value: object, low: float = -LARGEST, high: float = LARGEST) -> float:
    """Return *value* as a float. Raises DescriptionError unless it is a number in [low, high]."""
    value = plain(where, value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        refuse_units(where, value)
        raise DescriptionError(where, "not a number", got=quoted(value))
    try:
        result = float(value)
    except OverflowError:  # an integer of hundreds of digits
        result = np.inf if value > 0 else -np.inf
    low, high = max(low, -LARGEST), min(high, LARGEST)
    if not low <= result <= high:
        raise DescriptionError(
            where, "out of range", got=f"{result:g}", limit=f"{low:g} to {high:g}"
        )
    return result


def positive(where: str, value: object, least: int = 1, most: int = _MOST) -> int:
    """Return *value* as an int. Raises DescriptionError unless it is one in [least, most]."""
    value = plain(where, value)
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        refuse_units(where, value)
        got, limit = quoted(value), f">= {least}"
        raise DescriptionError(where, "must be a whole number", got=got, limit=limit)
    if value > most:
        raise DescriptionError(where, "too large", got=quoted(value), limit=f"<= {most}")
    return int(value)


def flag(where: str, value: object) -> bool:
    """Return *value* as a bool. Raises DescriptionError unless it is True or False."""
    value = plain(where, value)
    if not isinstance(value, bool):
        raise DescriptionError(where, "must be True or False", got=quoted(value))
    return value


def check_kind_or_none(where: str, value: object, kind: type) -> None:
    """Raise DescriptionError unless *value* is of a class, or None."""
    if value is not None and not isinstance(value, kind):
        refuse_units(where, value)
        raise DescriptionError(where, "of another type", got=quoted(value), limit=kind_name(kind))


def several(where: str, values: object) -> tuple[Any, ...]:
    """Return the members of a list, tuple or array. Raises DescriptionError for anything else."""
    refuse_units(where, values)
    if not isinstance(values, (list, tuple, np.ndarray)) or np.ndim(values) == 0:
        raise DescriptionError(where, "must be a tuple", got=quoted(values))
    return tuple(values)


def whole_numbers(where: str, values: object, least: int = 1, most: int = _MOST) -> tuple[int, ...]:
    """Return several whole numbers, each of *least* to *most*. Raises DescriptionError."""
    return tuple(positive(where, value, least, most) for value in several(where, values))
