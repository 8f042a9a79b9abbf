"""Hold the results of a validation, as an object and as plain data."""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass

from neurorl._version import __version__
from neurorl.backends.plugins import installed_version
from neurorl.storage.plain import PlainData
from neurorl.validation.compare import Row
from neurorl.validation.explain import Explanation
from neurorl.validation.history import SubjectRecording
from neurorl.validation.learning import TrainingOutcome
from neurorl.validation.subject import InputWindow, Subject
from neurorl.validation.tolerance import worst
from neurorl.validation.trains import missing


@dataclass(frozen=True)
class Result:
    """Hold the results of `neurorl.validate`; all other backends are compared with the first.

    recordings, traces, trainings: one per backend, in order; traces are replays of the first
    windows, step by step. rows: plain data, one per quantity of each population or projection.
    explanations: one per first divergence. command: the command line that repeats it; None if
    only Python can. skipped: backends that can't run the network, and why.
    """

    subject: Subject
    stimulus: list[InputWindow]
    recordings: list[SubjectRecording]
    traces: list[SubjectRecording]
    trainings: list[TrainingOutcome]
    rows: list[Row]
    explanations: list[Explanation]
    seed: int
    command: str | None
    skipped: list[dict[str, str]]

    @property
    def verdict(self) -> str:
        """Return the worst verdict of the rows: ``'exact'``, ``'within'`` or ``'different'``."""
        return worst(row["verdict"] for row in self.rows)

    @property
    def backends(self) -> list[str]:
        """Return what was compared, the first with each of the others."""
        return [recording.spec.label for recording in self.recordings]

    @property
    def steps(self) -> int:
        """Return for how many steps each of them ran."""
        return sum(window.n_steps for window in self.stimulus)

    def to_dict(self) -> PlainData:
        """Return plain data, for JSON: the same for the same inputs, without dates and paths."""
        return {
            "verdict": self.verdict,
            "subject": self.subject.name,
            "backends": self.backends,
            "seed": self.seed,
            "steps": self.steps,
            "windows": len(self.stimulus),
            "updates": self.trainings[0].updates if self.trainings else 0,
            "command": self.command,
            "versions": _versions(),
            "missing": missing(),
            "skipped": self.skipped,
            "rows": self.rows,
            "explanations": [asdict(e) for e in self.explanations],
        }


def _versions() -> dict[str, str]:
    names = ("brian2", "elephant", "gymnasium", "nengo", "nengo-loihi", "numpy", "pyspike", "torch")
    versions = {name: version for name in names if (version := installed_version(name))}
    return {"neurorl": __version__, "python": platform.python_version(), **versions}
