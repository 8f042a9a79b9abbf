"""Find the parts of an agent that can be chosen, such as its encoder, by name.

A part is a frozen dataclass, passed as an object (``policy=Softmax(beta=0.2)``) or, on the command
line, chosen by name with fields as ``PART.FIELD`` (``--set policy=greedy``,
``--set policy.beta=0.2``). Users' classes derive from the base of their kind. Files hold the class
of each part, ``module:Name`` for a user's class, with its fields; import that module to read them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import ClassVar, Generic, TypeVar

from neurorl.errors import ArgumentError, DescriptionError, UnknownNameError
from neurorl.models.agent.answers import AnswerChecks
from neurorl.network.naming import add_name, find_name
from neurorl.network.serialization import Described, type_name


class Part(AnswerChecks, Described):
    """Describe a part of an agent; derive the bases of all kinds from this class.

    Results of users' methods are checked (`neurorl.models.agent.answers`).

    name: name of a shipped part for users; for other classes, their name in errors.
    kernel: name of its compiled form in ``native/src``, None if it runs in NumPy. A derived class
        doesn't inherit it, as it may compute something else.
    Both may be said where a class is derived: ``class Quiet(Encoder, called="quiet")``.
    """

    name: ClassVar[str] = ""
    kernel: ClassVar[str | None] = None

    def __init_subclass__(
        cls, called: str | None = None, kernel: str | None = None, **kwargs: object
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.name = called or cls.__dict__.get("name", type_name(cls))
        cls.kernel = kernel or cls.__dict__.get("kernel")


P = TypeVar("P", bound=Part)


class Registry(Mapping[str, type[P]], Generic[P]):
    """Hold the classes of one kind of part by name: the library's, and those that users add.

    kind: the option of the agent that chooses one.
    default: the class that an agent has by default.
    compiled: whether the compiled loop has to know this part.
    """

    def __init__(self, kind: str, base: type[P], *shipped: type[P], compiled: bool = True) -> None:
        self.kind, self.base, self.compiled = kind, base, compiled
        self._classes: dict[str, type[P]] = {cls.name: cls for cls in shipped}
        self.default = shipped[0]

    def __getitem__(self, name: str) -> type[P]:
        return self._classes[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def register(self, name: str, cls: type[P]) -> type[P]:
        """Make a class known by a plain name, and return it.

        Raises ArgumentError for a class of another kind, and for a name that is taken or has ':'.
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

    def with_field(self, name: str) -> list[type[P]]:
        """Return the classes that have a field of this name."""
        return [cls for cls in self.values() if name in field_names(cls)]

    def class_of(self, choice: object) -> type[P]:
        """Return the class of a part, or of its name. Raises UnknownNameError."""
        return type(choice) if isinstance(choice, self.base) else self.find(choice)

    def make(self, choice: object, known: Mapping[str, object]) -> P:
        """Return *choice* if it is a part, else a part of that name.

        known: values by field; a new part takes those that it has a field for.
        Raises UnknownNameError, or DescriptionError for fields that are out of range.
        """
        if isinstance(choice, self.base):
            return choice
        cls = self.find(choice)
        try:
            return cls(**{name: known[name] for name in field_names(cls) & known.keys()})
        except TypeError as exc:  # it has fields without a default
            what, remedy = "can't be made from its name alone", f"pass an object of {cls.__name__}"
            raise DescriptionError(f"agent.{self.kind}", what, got=str(exc), remedy=remedy) from exc


def field_names(cls: type[Described]) -> set[str]:
    """Return the names of a part's fields."""
    return {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
