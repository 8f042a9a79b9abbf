"""Hold the results of a validation, as an object and as plain data."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from neurorl._version import __version__
from neurorl.backends.plugins import installed_version
from neurorl.rules.synapse_rule import SynapseRule
from neurorl.storage.plain import PlainData
from neurorl.validation.compare import Row
from neurorl.validation.explain import Explanation
from neurorl.validation.history import History
from neurorl.validation.learning import TrainingOutcome
from neurorl.validation.subject import InputWindow, Subject
from neurorl.validation.tolerance import missing, worst

_PACKAGES = "brian2", "gymnasium", "nengo", "nengo-loihi", "numpy", "pyspike", "torch"


@dataclass(frozen=True)
class Agreement:
    """Hold how far the first of some backends agrees with each of the others.

    rows: plain data, one per quantity of each population or projection. explanations: one per
    first divergence. left_out: what was taken from the description on all sides, for a reader.
    skipped: backends that can't run the network, and why.
    """

    subject: Subject | SynapseRule
    backends: list[str]
    rows: list[Row]
    seed: int
    steps: int
    explanations: Sequence[Explanation] = ()
    left_out: Sequence[str] = ()
    skipped: Sequence[dict[str, str]] = ()

    @property
    def verdict(self) -> str:
        """Return the worst verdict of the rows: ``'exact'``, ``'within'`` or ``'different'``."""
        return worst(row["verdict"] for row in self.rows)

    @property
    def notes(self) -> list[str]:
        """Return what rows say of themselves, such as that they tested nothing, each once."""
        return list(dict.fromkeys(row["note"] for row in self.rows if "note" in row))

    def to_dict(self) -> PlainData:
        """Return plain data, for JSON: the same for the same inputs, without dates and paths."""
        plain: PlainData = {"verdict": self.verdict, "subject": self.subject.name}
        plain |= {"backends": self.backends, "seed": self.seed, "steps": self.steps}
        explanations = [asdict(e) for e in self.explanations]
        plain |= {"notes": self.notes, **self._more()}
        return {**plain, "rows": self.rows, "explanations": explanations}

    def _more(self) -> PlainData:
        return {"left_out": list(self.left_out)}


@dataclass(frozen=True)
class Result(Agreement):
    """Hold the results of `neurorl.validate`.

    recordings, traces, trainings: one per backend, in order; traces are replays of the first
    windows, step by step. command: the command line that repeats it; None if only Python can.
    """

    subject: Subject
    stimulus: list[InputWindow] = field(default_factory=list)
    recordings: list[History] = field(default_factory=list)
    traces: list[History] = field(default_factory=list)
    trainings: list[TrainingOutcome] = field(default_factory=list)
    command: str | None = None

    def _more(self) -> PlainData:
        updates = self.trainings[0].updates if self.trainings else 0
        more = {"windows": len(self.stimulus), "updates": updates, "command": self.command}
        versions = {"neurorl": __version__, "python": platform.python_version()}
        versions |= {name: version for name in _PACKAGES if (version := installed_version(name))}
        return {**more, "versions": versions, "missing": missing(), "skipped": self.skipped}
