"""Define a learning rule: the texts of its post factors, and its properties."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Self

from neurorl.errors import DescriptionError, quoted
from neurorl.expressions.functions import FUNCTIONS
from neurorl.network.limits import check_identifier
from neurorl.network.serialization import LARGEST, Described, flag, number, several
from neurorl.rules.decision import Decision, Factors
from neurorl.rules.post_factor import NAMES, OF_MODULES, PostFactor
from neurorl.storage.plain import Named, PlainData

_FOLLOWING = ("needs_probability", "needs_paths", "needs_modules")
_OF_TEXTS = ("hidden", "signals", "pairs_spikes", "gates_depression", "drops_late", "slow_tau")
_UNSET = (None, False, ())
_LONGEST = 60


class _UnreadError(DescriptionError):
    """Say that a field has no effect.

    name: name of the field.
    """

    name = ""


@dataclass(frozen=True, eq=False)
class Rule(Described):
    """Describe a learning rule by two texts, or by a pure function of a decision.

    name: name for users, as in ``rule=``.
    post_factors: a function, in place of texts, that returns what each neuron adds to the
        eligibility of its synapses in each step; it runs in NumPy, and its needs must be declared.
    output, hidden: the same as texts (`neurorl.rules.post_factor` lists the names), for the output
        and for every other layer; *hidden* None is the same text.
    needs_probability: reads spike probabilities; neurons must have escape noise.
    needs_paths: reads the path weights in force of hidden neurons.
    needs_modules: every hidden neuron must belong to the module of one output neuron, for what is
        broadcast to modules. These three are for functions; needs of texts follow from their names.
    pairs_spikes: is spike-timing dependent: every step counts, the eligibility decays in each, and
        a spike that arrives after the neuron's own depresses (`neurorl.learning.learner`). It
        learns in any population; outside of modules phi, t and b are 1. For texts only.
    gates_depression: the factor of spikes in the text also multiplies the depression.
    needs_td_error: the modulator must be the TD error.
    is_centred: its post factors have the mean 0 while nothing is learned, so that an error of the
        critic doesn't let weights drift.
    counts_returns: if spikes come back to a population, its factors count from step 0, as early
        spikes influence later ones.
    random_feedback: b is drawn for each neuron, +-1 by the agent's seed, and stays fixed.
    drops_late: factors are 0 in steps whose hidden spikes come too late for an agent's output.
    signals: names of numbers that a caller broadcasts, for use in the texts.
    modulator: name of the modulator that scales the eligibility, where there are several.
    eligibility_tau: time constant (s) with which the eligibility decays in every step.
    eligibility_keep: alternatively, the share left after each window, 0 to 1. If both are None, the
        agent or `neurorl.Learning` decides.
    post_tau, depression: replace values of the agent or `neurorl.Learning`, unless None. slow_tau:
        time constant (s) of ``slow``.

    Raises DescriptionError, with the character of a text that is wrong, and for a field that has no
    effect beside the others.
    """

    name: str
    post_factors: Callable[[Decision], Factors] | None = None
    needs_probability: bool = False
    needs_paths: bool = False
    needs_modules: bool = True
    pairs_spikes: bool = False
    gates_depression: bool = False
    needs_td_error: bool = False
    counts_returns: bool = False
    is_centred: bool = False
    drops_late: bool = False
    random_feedback: bool = False
    output: str | None = None
    hidden: str | None = None
    signals: tuple[str, ...] = ()
    modulator: str | None = None
    eligibility_tau: float | None = None
    eligibility_keep: float | None = None
    post_tau: float | None = None
    depression: float | None = None
    slow_tau: float | None = None
    _added = (
        *("signals", "modulator", "eligibility_tau", "eligibility_keep"),
        *("post_tau", "depression", "slow_tau"),
    )

    def __post_init__(self) -> None:
        self._check_fields()
        if self.is_text:
            self._check_texts()
        for name, why in self._without_effect():
            where, got = f"rule {quoted(self.name)}, {name}", quoted(getattr(self, name))
            problem = _UnreadError(where, f"has no effect: {why}", got=got, remedy="leave it out")
            problem.name = name
            raise problem
        if self.is_text:
            for name, value in self._following().items():
                object.__setattr__(self, name, value)

    @classmethod
    def of_file(cls, fields: Named) -> Self:
        """Return the rule of a file's fields, without fields that nothing reads.

        Files from before such fields were refused may have them; the rule learns as it did.
        """
        kept = dict(fields)
        while True:
            try:
                return cls(**kept)
            except _UnreadError as problem:
                if problem.name not in kept:
                    raise
                del kept[problem.name]

    def _check_texts(self) -> None:
        if self.hidden is None:
            object.__setattr__(self, "hidden", self.output)
        self._check_pairs()
        if self.names("slow") and self.slow_tau is None:
            what, remedy = "'slow' has no time constant", "slow_tau=0.1, in seconds"
            text, name = next(self._texts_with("slow"))
            raise text.problem(name, what, remedy)

    def _following(self) -> dict[str, bool]:
        """Return the needs of the texts, which follow from their names."""
        in_hidden = set(self.texts[1].expression.names)
        of_modules = not self.pairs_spikes and not in_hidden.isdisjoint(OF_MODULES)
        return dict(zip(_FOLLOWING, (self.names("p"), self.names("V"), of_modules), strict=True))

    def _without_effect(self) -> Iterator[tuple[str, str]]:
        """Yield fields that are set though nothing reads them, each with the reason."""
        unread: dict[str, str] = {}
        if not self.is_text:
            unread = dict.fromkeys(_OF_TEXTS, "a function takes the place of texts")
        elif not self.texts[1].character("b"):
            unread["random_feedback"] = "no hidden layer's text names b"
        if not self.pairs_spikes:
            unread |= dict.fromkeys(("post_tau", "depression"), "spikes aren't paired")
        if not self.names("slow"):
            unread.setdefault("slow_tau", "no text names slow")
        if not self.named.issuperset(self.signals):
            unread.setdefault("signals", "a name that no text has")
        for name, why in unread.items():
            if not any(getattr(self, name) is unset for unset in _UNSET):
                yield name, why
        for name, follows in self._following().items() if self.is_text else ():
            if getattr(self, name) not in (follows, name == "needs_modules"):
                yield name, f"the texts say {follows} by their names"

    @property
    def is_text(self) -> bool:
        """Return whether it consists of texts, so that a file can hold it."""
        return self.post_factors is None

    @cached_property
    def texts(self) -> tuple[PostFactor, PostFactor]:
        """Return the checked texts for the output and for other layers."""
        where = f"rule {self.name!r}"
        return (
            PostFactor(self.output or "", f"{where}, output", self.signals),
            PostFactor(self.hidden or "", f"{where}, hidden", self.signals),
        )

    @cached_property
    def named(self) -> frozenset[str]:
        """Return all names in its texts."""
        texts = self.texts if self.is_text else ()
        return frozenset(name for text in texts for name in text.expression.names)

    def names(self, *names: str) -> bool:
        """Return whether one of its texts has one of these *names*."""
        return not self.named.isdisjoint(names)

    @cached_property
    def needs_membrane(self) -> bool:
        """Return whether it reads membranes or thresholds."""
        return self.names("v", "theta")

    def __call__(self, decision: Decision) -> Factors:
        """Return the post factors of a decision."""
        if self.post_factors is not None:
            return self.post_factors(decision)
        seen = decision.from_start() if self.pairs_spikes else decision
        output, other = self.texts
        hidden = tuple(other.factors(seen, layer, self.drops_late) for layer in seen.hidden)
        return Factors(output.factors(seen, seen.output_layer), hidden)

    def text_of(self, population: str) -> PostFactor:
        """Return the text of a population's post factors."""
        return self.texts[population != "output"]

    def where(self, *names: str) -> str:
        """Return its name for errors, with the place of the first of *names* in its texts."""
        for text in self.texts if self.is_text else ():
            used = [(at, name) for name in names if (at := text.character(name))]
            if used:
                at, name = min(used)
                return f"{text.place}, character {at} ({name} in {text.text[:_LONGEST]!r}),"
        return f"rule {self.name!r}"

    def to_dict(self) -> PlainData:
        """Return plain data, without properties that follow from the texts."""
        left_out = {"post_factors", *_FOLLOWING}
        return {name: value for name, value in super().to_dict().items() if name not in left_out}

    def _check_fields(self) -> None:
        where = f"rule {quoted(self.name)}"
        if not isinstance(self.name, str) or len(self.name) > _LONGEST:
            what, limit = "is no name", f"{_LONGEST} characters"
            raise DescriptionError("Rule.name", what, got=quoted(self.name), limit=limit)
        if self.post_factors is not None and (not callable(self.post_factors) or self.output):
            what = "has a function of post factors, or the texts output= and hidden="
            raise DescriptionError(where, what, got=quoted(self.post_factors))
        for name in ("output", "hidden"):
            text, optional = getattr(self, name), name == "hidden" or self.post_factors is not None
            if not isinstance(text, str) and not (optional and text is None):
                what = f"{name}= is no text such as 'spike*phi'"
                raise DescriptionError(where, what, got=quoted(text))
        for field in fields(self):
            if field.type == "bool":
                flag(f"{where}, {field.name}", getattr(self, field.name))
            elif field.type == "float | None" and getattr(self, field.name) is not None:
                high = 1.0 if field.name == "eligibility_keep" else LARGEST
                low = 0.0 if field.name != "depression" else -LARGEST
                number(f"{where}, {field.name}", getattr(self, field.name), low, high)
        self._check_names_of_its_own(where)

    def _check_names_of_its_own(self, where: str) -> None:
        signals = several(f"{where}, signals", self.signals)
        object.__setattr__(self, "signals", signals)
        for name in signals:
            check_identifier(f"{where}, signals", name)
            if name in NAMES or name in FUNCTIONS or signals.count(name) > 1:
                what, remedy = "is a name already", "another name"
                raise DescriptionError(f"{where}, signals", what, got=repr(name), remedy=remedy)
        if self.modulator is not None:
            check_identifier(f"{where}, modulator", self.modulator)
        if self.eligibility_tau is not None and self.eligibility_keep is not None:
            what = "the eligibility decays in every step, or with every window"
            remedy = "eligibility_tau or eligibility_keep"
            raise DescriptionError(where, what, remedy=remedy)

    def _check_pairs(self) -> None:
        """Refuse names that rules for any population can't use."""
        for text, name in self._texts_with("y", "V") if self.pairs_spikes else ():
            what = f"{name!r} needs modules, and a rule that pairs spikes learns in any population"
            raise text.problem(name, what, "phi, t and b are 1 outside of modules")
        for text in self.texts if self.gates_depression else ():
            if not self.pairs_spikes or not text.is_gain:
                what = "gates_depression is of a rule that pairs spikes, with texts spike*(...)"
                raise DescriptionError(text.place, what, got=repr(text.text))

    def _texts_with(self, *names: str) -> Iterator[tuple[PostFactor, str]]:
        for text in self.texts:
            yield from ((text, name) for name in names if text.character(name))
