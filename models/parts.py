"""Find the parts of an agent that can be chosen, such as its encoder, by name.

A part is a frozen dataclass. Users write a shipped one by its name (``policy="softmax"``, with its
fields as options of the agent, ``beta=0.2``) or pass an object (``policy=Softmax(beta=0.2)``). A
class of their own derives from the base of its kind; its objects are saved as ``module:Name`` with
their fields, and a file finds the class again once that module is imported.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Generic, TypeVar

from neurorl.errors import ArgumentError, DescriptionError, UnknownNameError
from neurorl.models.answers import Answering
from neurorl.network.naming import add_name, find_name
from neurorl.network.serialization import Described, type_name

__all__ = ["Part", "Registry"]


class Part(Answering, Described):
    """Describe a part of an agent; derive the bases of all kinds from this class.

    What classes of users answer is checked (`neurorl.models.answers`).

    name: as users write a shipped one; of another class, how errors call it.
    kernel: the name of its compiled form in ``native/src``, None if it has none and runs in NumPy.
        A derived class has none unless it says so itself, as it may do something else.
    requires: options of the agent that this part leaves only one value, by name.
    """

    name: ClassVar[str] = ""
    kernel: ClassVar[str | None] = None
    requires: ClassVar[Mapping[str, object]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = cls.__dict__.get("name", type_name(cls))
        cls.kernel = cls.__dict__.get("kernel")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):  # programs from before parts were objects compare names
            return self.name == other
        return super().__eq__(other)

    __hash__ = None


P = TypeVar("P", bound=Part)


class Registry(Mapping[str, type[P]], Generic[P]):
    """Hold the classes of one kind of part by name: the library's, and those that users add.

    kind: the option of the agent that chooses one.
    options: options of the agent that are fields of a shipped part, with the names of the fields.
    compiled: whether the compiled loop has to know this part.
    """

    def __init__(
        self,
        kind: str,
        base: type[P],
        *shipped: type[P],
        options: Mapping[str, str],
        compiled: bool = True,
    ) -> None:
        self.kind, self.base, self.compiled = kind, base, compiled
        self.options = dict(options)
        self._classes: dict[str, type[P]] = {cls.name: cls for cls in shipped}
        self._shipped = shipped
        self.types: dict[str, type[P]] = {
            option: next(cls for cls in shipped if field in field_names(cls))
            for option, field in options.items()
        }
        """Map each option to the first shipped class that has it."""

    def __getitem__(self, name: str) -> type[P]:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    @property
    def default(self) -> str:
        """Name the part that an agent has if nobody says."""
        return self._shipped[0].name

    @property
    def defaults(self) -> dict[str, object]:
        """Return the options, as they are by default."""
        return {name: getattr(cls, self.options[name]) for name, cls in self.types.items()}

    def register(self, name: str, cls: type[P]) -> type[P]:
        """Make a class known by a plain name, and return it.

        Raises ArgumentError for a class of another kind, and for a name with a colon or one that
        another class has.
        """
        if not (isinstance(cls, type) and issubclass(cls, self.base)):
            what, got = f"is not derived from {self.base.__name__}", repr(cls)[:60]
            raise ArgumentError(f"register_{self.kind}", what, got=got)
        add_name(self.kind, name, cls, self._classes)
        return cls

    def find(self, name: object) -> type[P]:
        """Return the class of a plain name, or of ``module:Name`` if that module is imported.

        Raises UnknownNameError, which says what to import.
        """
        cls = find_name(self.kind, name, self)
        if not (isinstance(cls, type) and issubclass(cls, self.base)):
            what = f"that module has no such {self.base.__name__}"
            raise UnknownNameError(f"{self.kind} {name!r}", what)
        return cls

    def is_shipped(self, part: P) -> bool:
        """Return whether a part is of a class of the library, which files call by its name."""
        return type(part) in self._shipped

    def make(self, choice: object, options: Mapping[str, object], known: Mapping[str, object]) -> P:
        """Return the part of a name, or the object *choice* with *options* put into it.

        options: those of this kind that the caller names. known: values of all others, for shipped
        classes.
        Raises UnknownNameError, or DescriptionError for fields that are out of range.
        """
        if isinstance(choice, self.base):
            changes = self._fields(type(choice), options)
            return dataclasses.replace(choice, **changes) if changes else choice  # type: ignore[type-var]
        cls = self.find(choice)
        values = {**known, **options} if cls in self._shipped else options
        try:
            return cls(**self._fields(cls, values))
        except TypeError as exc:  # it has fields without a default
            what, remedy = "can't be made from its name alone", f"pass an object of {cls.__name__}"
            raise DescriptionError(f"agent.{self.kind}", what, got=str(exc), remedy=remedy) from exc

    def unsaid(self, part: P, options: Mapping[str, object]) -> list[str]:
        """Return which options *part* doesn't have, and are as they are by default."""
        has, usual = field_names(type(part)), self.defaults
        return [
            option
            for option, field in self.options.items()
            if option in options and field not in has and options[option] == usual[option]
        ]

    def _fields(self, cls: type[P], values: Mapping[str, object]) -> dict[str, Any]:
        """Turn options into values of the fields that a class has."""
        names = field_names(cls)
        pairs = ((self.options[option], value) for option, value in values.items())
        return {field: value for field, value in pairs if field in names}


def field_names(cls: type[Part]) -> set[str]:
    """Return the names of a part's fields."""
    return {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
