"""Describe what synapses do at spikes, in steps and at reinforcements, by statements."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

from neurorl.errors import DescriptionError, quoted, unknown_name_error
from neurorl.expressions.expression import Statement, read_statements
from neurorl.expressions.methods import METHODS, System, Updates
from neurorl.expressions.scan import TextPlace
from neurorl.network.limits import check_identifier
from neurorl.network.serialization import Described, NotNegative, number, several

WEIGHT = "w"
USUAL = "M"
"""Name the modulator of rules that name none."""
_GIVEN = (WEIGHT, "low", "high", "dt")
_ENDS = ("_pre", "_post")
_LONGEST = 60


def owner_of(name: str) -> str:
    """Return whose variable a name is: ``'pre'`` or ``'post'`` of neurons, else ``'synapse'``."""
    return next((end[1:] for end in _ENDS if name.endswith(end)), "synapse")


@dataclass(frozen=True, eq=False)
class SynapseRule(Described):
    """Describe a learning rule by what happens to the variables of synapses and neurons.

    Variables whose names end in ``_pre`` or ``_post`` belong to pre- or postsynaptic neurons, all
    others to each synapse; ``w`` is the weight, clipped to ``low`` .. ``high`` of the projection's
    `Plasticity` after every line that sets it.

    name: name for users. equations: lines ``dx/dt = ...``, in seconds, also of w. on_pre: lines
    that run where a presynaptic spike arrives; they may set variables of the synapse and of the
    presynaptic neuron. on_post: the same for spikes of the postsynaptic neuron. on_reward: lines
    that run in all synapses when a modulator arrives. method: how equations are solved,
    `neurorl.expressions.methods`. parameters: numbers. initial: values that variables begin with,
    0 by default; also declares variables without an equation. signals: names that a caller
    broadcasts in a window. modulators: names of what arrives with a reinforcement. post_delay:
    seconds, whole steps, from a postsynaptic spike to its *on_post*.

    A step: equations; *on_pre* of spikes that arrive in it; *on_post* of its own spikes; lines in
    their order, for all synapses at once. So *on_post* sees what *on_pre* of the step has done.

    Raises DescriptionError, with line and character.
    """

    name: str
    equations: str = ""
    on_pre: str = ""
    on_post: str = ""
    on_reward: str = ""
    method: str = "exact"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    initial: Mapping[str, Any] = field(default_factory=dict)
    signals: Annotated[tuple[str, ...], several] = ()
    modulators: Annotated[tuple[str, ...], several] = (USUAL,)
    post_delay: NotNegative = 0.0
    _added = ("post_delay",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.name, str) or not 0 < len(self.name) <= _LONGEST:
            what, limit = "is no name", f"{_LONGEST} characters"
            raise DescriptionError("SynapseRule.name", what, got=quoted(self.name), limit=limit)
        for name in ("parameters", "initial"):
            given = getattr(self, name)
            if not isinstance(given, Mapping):
                raise DescriptionError(f"SynapseRule.{name}", "must be a dict of numbers")
            where = f"SynapseRule.{name}"
            checked = {key: number(f"{where}[{key!r}]", value) for key, value in given.items()}
            object.__setattr__(self, name, checked)
        if self.method not in METHODS:
            raise unknown_name_error("SynapseRule.method", self.method, METHODS)
        self._check_names()
        self._check_lines()

    @cached_property
    def derivatives(self) -> tuple[Statement, ...]:
        """Return the differential equations."""
        return read_statements(self.equations, self._where("equations"), derivatives=True)

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """Return all variables but w."""
        names = dict.fromkeys((*(x.variable for x in self.derivatives), *self.initial))
        return tuple(name for name in names if name != WEIGHT)

    def of(self, owner: str) -> tuple[str, ...]:
        """Return the variables of ``'pre'``, ``'post'`` or ``'synapse'``."""
        return tuple(name for name in self.variables if owner_of(name) == owner)

    @cached_property
    def events(self) -> Mapping[str, tuple[Statement, ...]]:
        """Return the lines of ``on_pre``, ``on_post`` and ``on_reward``."""
        return {
            event: read_statements(getattr(self, event), self._where(event), self._settable(event))
            for event in ("on_pre", "on_post", "on_reward")
        }

    @property
    def changes_in_steps(self) -> bool:
        """Return whether weights change without a reinforcement."""
        lines = (*self.derivatives, *self.events["on_pre"], *self.events["on_post"])
        return any(line.variable == WEIGHT for line in lines)

    def updates(self, owner: str, dt: float) -> Updates:
        """Return the statements of a step for the equations of one owner; dt: seconds."""
        lines = [line for line in self.derivatives if owner_of(line.variable) == owner]
        if not lines:
            return Updates((), {})
        return METHODS[self.method](System([], lines, self.parameters, dt))

    def _where(self, part: str) -> str:
        return f"rule {quoted(self.name)}, {part}"

    def _settable(self, event: str) -> tuple[str, ...]:
        """Return the variables that lines of an event may set."""
        own = {"on_pre": "pre", "on_post": "post"}.get(event)
        neurons = () if own is None else self.of(own)
        return (WEIGHT, *self.of("synapse"), *neurons)

    def _check_names(self) -> None:
        """Refuse names that mean two things, or that nothing uses."""
        for line in self.derivatives:
            if not line.is_derivative:
                place = line.value.place or TextPlace(self._where("equations"), "")
                raise place.problem(0, "isn't dx/dt = ...", "write it into the equations")
        kinds = (
            ("variable", self.variables),
            ("parameter", tuple(self.parameters)),
            ("signal", self.signals),
            ("modulator", self.modulators),
        )
        seen: dict[str, str] = dict.fromkeys(_GIVEN, "name of its own")
        for kind, names in kinds:
            for name in names:
                check_identifier(self._where(f"{kind}s"), name)
                if name in seen:
                    what = f"{name!r} is a {kind} and a {seen[name]}"
                    raise DescriptionError(self._where(f"{kind}s"), what, remedy="another name")
                seen[name] = kind
        if WEIGHT in self.initial:
            what, remedy = "w begins as the projection says", "weights= of the projection"
            raise DescriptionError(self._where("initial"), what, remedy=remedy)

    def _check_lines(self) -> None:
        for line in self.derivatives:
            own = owner_of(line.variable)
            known = {*_GIVEN, *self.parameters, *self.signals, *self.variables}
            if own != "synapse":
                others = (*self.of("synapse"), *self.of("post" if own == "pre" else "pre"), WEIGHT)
                known -= {*others, *(self.signals if own == "pre" else ())}
            line.check(known)
        for event, lines in self.events.items():
            told = self.modulators if event == "on_reward" else self.signals
            for line in lines:
                known = {*_GIVEN, *self.variables, *self.parameters, *told}
                if owner_of(line.variable) != "synapse":
                    known = {*self.of(owner_of(line.variable)), *self.parameters, "dt"}
                line.check(known)
        for owner in ("pre", "post", "synapse"):
            self.updates(owner, 1e-3)
        every = [*self.derivatives, *itertools.chain(*self.events.values())]
        used = {name for line in every for name in line.value.names}
        for kind in ("parameters", "signals"):
            for name in getattr(self, kind):
                if name not in used:
                    where = self._where(kind)
                    raise DescriptionError(where, f"nothing uses {name!r}", remedy="leave it out")
        if not every:
            raise DescriptionError(self._where("equations"), "nothing happens at all")
