"""`train`: agents, their run directories, and runs that nothing can break in two."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from neurorl._version import __version__
from neurorl.agents.budget import check_budget, joint_budget, resumed_budget
from neurorl.agents.checkpoint import packed, read_checkpoint
from neurorl.agents.fits import check_fits
from neurorl.agents.interrupts import held_interrupts
from neurorl.agents.local import read_agent
from neurorl.agents.replicas import Episode, describe
from neurorl.errors import ArgumentError, EnvironmentWarning, RunError, say, warn_outside
from neurorl.files import as_json
from neurorl.models.config import AgentConfig
from neurorl.numerics.random import read_seed
from neurorl.runs.algorithms import Changes, default_backend, make_agents, open_env, start_of
from neurorl.runs.directory import RunDirectory
from neurorl.runs.summary import solved_at, summary
from neurorl.tasks.arguments import check_env_args
from neurorl.tasks.environments import discrete_actions
from neurorl.tasks.groups import has_time_limit

__all__ = ["DEFAULTS", "read_seeds", "solved_at", "train", "train_seeds"]

CHECKPOINT_SECONDS = 5.0
"""A checkpoint is written at the end of an episode if the last one is older."""
EPISODE_SECONDS = 30.0
"""And within an episode if it is older than this."""
_SHOWN_SECONDS = 1.0
MOST_SEEDS = 1000

DEFAULTS: dict[str, Any] = {
    "backend": "reference",
    "noise": "exact",
    "model": "lif",
    "learning": "host",
    "seed": 0,
    "episodes": 400,
    "approach": "local",
    "env_args": {},
}


def train(env_id: str, out: Path, *, seed: int | None = None, **options: Any) -> dict[str, Any]:
    """Train an agent in the run directory *out*; returns its summary. See `train_seeds`.

    None for *seed* takes what a resumed run was started with, else 0.
    """
    return train_seeds(env_id, [(seed, out)], **options)[0]


def train_seeds(
    env_id: str,
    runs: Sequence[tuple[int | None, Path]],
    *,
    backend: str | None = None,
    arithmetic: str | None = None,
    noise: str | None = None,
    model: str | None = None,
    learning: str | None = None,
    episodes: int | None = None,
    steps: int | None = None,
    resume: bool = False,
    approach: str | None = None,
    start: Path | None = None,
    env_args: dict[str, Any] | None = None,
    overrides: dict[str, Any] | None = None,
    gradient: dict[str, Any] | None = None,
    backend_options: dict[str, Any] | None = None,
    callback: Callable[[Episode], None] | None = None,
    started: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Train agents side by side, one for each (seed, run directory); returns their summaries.

    Each run is, file by file, that of its seed trained alone. A summary has env, backend, model,
    seed, episodes, env_steps, mean_return_last_100, solved_at_episode, run, arithmetic, noise,
    mean_discounted_return_last_100, digest (`neurorl.agents.checkpoint.digest`) and warnings
    (`neurorl.diagnostics.monitor.Monitor.warnings`), each of which is also given as a
    `PopulationWarning` when it is found.

    None takes what a resumed run was started with, else `DEFAULTS` (arithmetic: the backend's own).
    steps: in place of *episodes*, environment steps in all, after which training stops within an
    episode (by gradients: after the update with the last of them). Means are None in the summary
    of a run of which no episode has ended.
    learning: ``'host'``, or ``'pes'`` for weights that learn on the chip (backend loihi).
    approach: ``'local'`` for the rule of the `AgentConfig`, or ``'reparameterization'`` for
    gradients, which PyTorch computes whatever the backend that plays the agent later. start: a run
    with whose configuration, weights and critic new runs begin; for several, the run ``seedN`` in
    it if there is one. env_args: arguments of the environment, kept with the run. overrides: fields
    of a new run's `AgentConfig`; gradient: of its
    `neurorl.reparameterization.config.GradientConfig`. backend_options: of the backend's class,
    such as its engine; they change no result and are not kept with the run.

    Runs that were killed go on with ``resume=True`` from their last checkpoints and end with the
    same files, byte for byte, as if they had not been, except for the wall times in
    ``episodes.csv`` (`neurorl.agents.checkpoint.digest` proves it). With more *episodes* or *steps*
    than before they are extended, and ``config.json`` says so. A run that was killed before it
    began, begins. One that is finished is left as it is. Ctrl-C ends training between two steps,
    with a checkpoint; within an episode, a checkpoint has the actions that were taken in it, and
    they are taken again when the run goes on. started: called with the numbers of episodes done
    already and in all; with *steps*, of environment steps, again and again.

    Warns with `EnvironmentWarning` of a task without a time limit, if *steps* isn't given. Raises
    RunError if a directory exists (or with *resume*: none does, or one is damaged or of another
    run), if another process trains one, if one can't be written, or if the environment answers
    otherwise when actions are taken again.
    """
    asked = {
        "env": env_id,
        "backend": backend,
        "arithmetic": arithmetic,
        "noise": noise or (backend_options or {}).get("noise"),
        "model": model,
        "learning": learning,
        "episodes": episodes,
        "steps": steps,
        "approach": approach,
        "start": None if start is None else str(start),
        "env_args": env_args,
    }
    if episodes is not None or steps is not None:
        check_budget("train", episodes, steps, least=1)
    check_env_args(env_args or {})
    runs = [(None if k is None else read_seed(k, "train.seed"), Path(path)) for k, path in runs]
    changes = Changes(overrides or {}, gradient or {}, backend_options or {})
    session = _Session(asked, runs, resume, changes)
    try:
        session.open()
        if started is not None:
            started(*session.progress())
        session.learn(callback, started)
        return session.summaries()
    finally:
        session.close()


def read_seeds(text: str) -> list[int]:
    """``0..19`` or ``1,4,7`` -> the numbers. Raises ArgumentError."""
    try:
        if ".." in text:
            first, last = (int(end) for end in text.split(".."))
            found: Sequence[int] = range(first, last + 1)
        else:
            found = [int(part) for part in text.split(",")]
        wrong = not found or len(found) > MOST_SEEDS or min(found) < 0 or max(found) >= 2**63
    except (OverflowError, ValueError):  # of a range, whose length may be no machine's number
        wrong = True
    if wrong or len(set(found)) < len(found):
        limit = f"at most {MOST_SEEDS} different numbers, such as 0..19 or 1,4,7"
        raise ArgumentError(say("--seeds", "not seeds", got=repr(text), limit=limit))
    return list(found)


class _Session:
    """Runs of one kind, from their directories to their summaries."""

    def __init__(
        self,
        asked: dict[str, Any],
        runs: Sequence[tuple[int | None, Path]],
        resume: bool,
        changes: Changes,
    ) -> None:
        self.runs = [RunDirectory(path) for _, path in runs]
        self._old = _old(self.runs, resume)
        self._saved = [time.monotonic()] * len(runs)
        self._saved_at = [-1] * len(runs)  # steps
        try:
            self._prepare(asked, [seed for seed, _ in runs], changes)
        except BaseException:
            self._free()
            raise

    def _prepare(
        self, asked: dict[str, Any], seeds: Sequence[int | None], changes: Changes
    ) -> None:
        found = [
            _resumed_options(run, {**asked, "seed": seed})
            for run, old, seed in zip(self.runs, self._old, seeds, strict=True)
            if old
        ]
        _check_alike(found)
        first = found[0] if found else {**asked, "seed": None, "agent": None, "gradient": None}
        self.options: dict[str, Any] = {
            k: DEFAULTS.get(k) if v is None else v
            for k, v in {
                **first,
                "backend": default_backend(first["approach"], first["backend"]),
            }.items()
        }
        self.options |= joint_budget(found or [first])
        if self.options["steps"] is None and self.options["episodes"] is None:
            self.options["episodes"] = DEFAULTS["episodes"]
        resumed = iter([o["seed"] for o in found])
        self.seeds = [
            next(resumed) if old else DEFAULTS["seed"] if seed is None else seed
            for old, seed in zip(self._old, seeds, strict=True)
        ]
        env = open_env(self.options)
        if self.options["steps"] is None and not has_time_limit(env):
            where, what = f"environment {self.options['env']}", "has no time limit"
            remedy = "if an episode may never end, train by --steps"
            warn_outside(say(where, what, remedy=remedy), EnvironmentWarning)
        self._check_checkpoints(int(discrete_actions(env, self.options["env"]).n))
        self.replicas = make_agents(self.options, self.seeds, changes, env)
        self.options["model"] = self.replicas.config.model

    def _check_checkpoints(self, n_actions: int) -> None:
        """Raise RunError for checkpoints that don't fit config.json, before agents are made."""
        if self.options["agent"]:
            config = AgentConfig.from_dict(self.options["agent"])
            for run, old in zip(self.runs, self._old, strict=True):
                if old and run.checkpoint.exists():
                    _, arrays = read_checkpoint(run.checkpoint)
                    where = f"run {run.path}: checkpoint.npz"
                    check_fits(config, n_actions, arrays, where)

    def open(self) -> None:
        """Create the directories of new runs, and bring old ones back to their checkpoints."""
        for k, (run, old) in enumerate(zip(self.runs, self._old, strict=True)):
            if not old:
                run.create(self._config(k))
            if old and run.checkpoint.exists():
                described, arrays = read_checkpoint(run.checkpoint)
                # Older ones had one noise, and noted no more than the environment's id.
                older = {"noise": "exact", "env_spec": self.options["env_spec"]}
                described = {**older, **described}
                if {key: described.get(key) for key in self._describe(k)} != self._describe(k):
                    raise RunError(say(f"run {run.path}", "checkpoint.npz is of another run"))
                self.replicas.restore(k, arrays)
            elif self.options["start"]:
                _, arrays = read_agent(start_of(self.options["start"], self.seeds[k]))
                self.replicas.adopt(k, arrays)
                self._save(k)  # from here on, the run to start from isn't needed
            run.rewind(self.replicas.episodes[k])
        for k, run in enumerate(self.runs):  # when all of them can go on
            run.change_config(**self._spent(k))

    def progress(self) -> tuple[int, int]:
        """Episodes done, and in all; or steps, if these are what is asked for."""
        every = range(len(self.runs))
        if self.options["steps"] is not None:
            done = sum(min(self.replicas.steps_taken(k), self.options["steps"]) for k in every)
            return done, len(self.runs) * int(self.options["steps"])
        return sum(map(self._played, every)), len(self.runs) * int(self.options["episodes"])

    def learn(
        self,
        callback: Callable[[Episode], None] | None,
        started: Callable[[int, int], None] | None,
    ) -> None:
        """Train to the end, row by row and checkpoint by checkpoint.

        Ctrl-C ends it, with KeyboardInterrupt, when all are at a step from which they can go on.
        """

        def after(k: int, episode: Episode) -> None:
            self.runs[k].append(episode)
            if time.monotonic() - self._saved[k] >= CHECKPOINT_SECONDS:
                self._save(k)
            if callback is not None:
                callback(episode)

        def look() -> float:
            """What is due within episodes; when to look again."""
            self._save_long_ago()
            if started is not None and self.options["steps"] is not None:
                started(*self.progress())
            return time.monotonic() + _SHOWN_SECONDS

        now, next_look = time.monotonic, time.monotonic() + _SHOWN_SECONDS
        with held_interrupts() as interrupt:
            for _ in self.replicas.play(self.options["episodes"], after, self.options["steps"]):
                if interrupt.requested:
                    break
                if now() >= next_look:
                    next_look = look()
            for k in range(len(self.runs)):
                self._save(k)

    def _save_long_ago(self) -> None:
        """Those that have gone on within an episode for long."""
        for k, saved in enumerate(self._saved):
            moved = self.replicas.steps_taken(k) != self._saved_at[k]
            if moved and time.monotonic() - saved >= EPISODE_SECONDS:
                self._save(k)

    def summaries(self) -> list[dict[str, Any]]:
        """Of each run; they are also in its directory."""
        found = []
        for k, run in enumerate(self.runs):
            found.append(summary(self.options, self.replicas, k, run))
            run.keep(run.summary, as_json(found[-1]))
        return found

    def close(self) -> None:
        try:
            self.replicas.close()
        finally:
            self._free()

    def _free(self) -> None:
        """Let others have the directories."""
        for run in self.runs:
            run.close()

    def _played(self, k: int) -> int:
        return len(self.replicas.episodes[k])

    def _spent(self, k: int) -> dict[str, int | None]:
        """The budget for ``config.json``: at least what run k has had."""
        episodes, steps = self.options["episodes"], self.options["steps"]
        if steps is None:
            return {"episodes": max(episodes, self._played(k)), "steps": None}
        is_exact = self.replicas.approach == "local"  # others stop after more than asked
        return {
            "episodes": None,
            "steps": max(steps, self.replicas.steps_taken(k)) if is_exact else steps,
        }

    def _save(self, k: int) -> None:
        self.runs[k].keep_checkpoint(packed(self._describe(k), self.replicas.state(k)))
        self._saved[k] = time.monotonic()
        self._saved_at[k] = self.replicas.steps_taken(k)

    def _describe(self, k: int) -> dict[str, Any]:
        return describe(self.options["env"], self.replicas, k, self.options["env_spec"])

    def _config(self, k: int) -> dict[str, Any]:
        names = ["brian2", "gymnasium", "nengo", "nengo-loihi", "numpy"]
        names += ["torch"] if self.replicas.approach == "reparameterization" else []
        versions = {name: _version(name) for name in names}
        versions |= {"neurorl": __version__, "python": platform.python_version()}
        return {
            **self.options,
            "seed": self.seeds[k],
            "arithmetic": self.replicas.arithmetic_name,
            "learning": self.replicas.config.learning.name,
            "agent": self.replicas.config.to_dict(),
            "gradient": self._describe(k).get("gradient"),
            "versions": versions,
        }


def _old(runs: Sequence[RunDirectory], resume: bool) -> list[bool]:
    """Which runs go on, locked from here on; the others are to begin.

    Raises RunError for one that can't begin as something is there, or that another process trains.
    """
    old = [resume and not run.is_free() for run in runs]
    # Of several, some may not have begun when all were killed. What isn't there at all is
    # resumed by mistake.
    if resume and (len(runs) == 1 or not any(run.path.exists() for run in runs)):
        old = [is_old or not run.path.exists() for is_old, run in zip(old, runs, strict=True)]
    try:
        for run, is_old in zip(runs, old, strict=True):
            if not is_old:
                run.check_free()
            elif run.has_begun():
                run.lock()
    except BaseException:
        for run in runs:
            run.close()
        raise
    return old


def _check_alike(found: Sequence[dict[str, Any]]) -> None:
    for options in found[1:]:
        for key in (
            *("env", "backend", "arithmetic", "noise", "model", "learning", "agent"),
            *("approach", "gradient", "env_args"),
        ):
            if options[key] != found[0][key]:
                remedy = "resume each run alone"
                raise RunError(say("runs", f"were started with different {key}", remedy=remedy))


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _resumed_options(run: RunDirectory, given: dict[str, Any]) -> dict[str, Any]:
    """What the run was started with; anything given must be the same, but for the budget."""
    config = run.read_config()
    config.setdefault("learning", "host")  # of a run before there was a choice
    for name, value in given.items():
        was = config.get(name, DEFAULTS[name] if name in ("noise", "env_args") else None)
        if name not in ("episodes", "steps") and value not in (None, was):
            raise RunError(
                say(
                    f"run {run.path}",
                    f"was started with another {name}",
                    got=value,
                    limit=was,
                    remedy="resume with the same options, or use another --out",
                )
            )
    options = {**{name: config.get(name) for name in given}, **resumed_budget(config, given)}
    kept = {key: config.get(key) for key in ("gradient", "env_spec")}
    return {**options, "agent": config["agent"], **kept}
