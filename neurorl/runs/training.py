"""Train agents in their run directories, so that killed runs can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Unpack

from neurorl.agents.episodes import Episode
from neurorl.errors import ArgumentError
from neurorl.numerics.random import read_seed
from neurorl.runs.children import end_if_importing_main
from neurorl.runs.config import Options
from neurorl.runs.parallel import train_in_processes
from neurorl.runs.session import Session
from neurorl.runs.work import Summary, find_work
from neurorl.storage.plain import check_count

MOST_SEEDS = 1000


def train(
    env_id: str,
    out: Path,
    *,
    seed: int | None = None,
    resume: bool = False,
    callback: Callable[[Episode], None] | None = None,
    started: Callable[[int, int], None] | None = None,
    **options: Unpack[Options],
) -> Summary:
    """Train an agent in the run directory *out*; return its summary. See `train_seeds`.

    None for *seed* takes a resumed run's seed, else 0.
    """
    runs = [(seed, out)]
    rows = train_seeds(env_id, runs, resume=resume, callback=callback, started=started, **options)
    return rows[0]


def train_seeds(
    env_id: str,
    runs: Sequence[tuple[int | None, Path]],
    *,
    resume: bool = False,
    callback: Callable[[Episode], None] | None = None,
    started: Callable[[int, int], None] | None = None,
    jobs: int = 1,
    **options: Unpack[Options],
) -> list[Summary]:
    """Train agents side by side, one for each (seed, run directory); return their summaries.

    The files of each run are the same as if its seed were trained alone. A summary has env,
    backend, model, seed, episodes, env_steps (including first_play_steps), mean_return_last_100,
    solved_at_episode, looks (`neurorl.models.defaults.looks.Look`), run, arithmetic, noise,
    mean_discounted_return_last_100, digest (`neurorl.agents.checkpoint.digest`), warnings
    (`neurorl.diagnostics.monitor.Monitor.warnings`), which are also issued as `PopulationWarning`,
    and verdict (`neurorl.diagnostics.outcome.RunVerdict`).

    None takes the option of a resumed run, else the quickest backend here in its own arithmetic,
    noise exact, model lif, learning host, 400 episodes.
    steps: total environment steps, in place of *episodes*; training then stops within an episode
    (by gradients: after the update with the last of them). Means are None in the summary of a run
    in which no episode has ended.
    learning: ``'host'``, or ``'pes'`` for weights that learn on the chip (backend loihi).
    approach: ``'local'`` for the rule of the `AgentConfig`, or ``'reparameterization'`` for
    gradients, which PyTorch computes; any backend can play the agent later. start: a run whose
    configuration, weights and critic new runs begin with; with several runs, its run ``seedN`` if
    there is one. env_args: arguments of the environment, and wrappers: texts of
    `neurorl.tasks.arguments` around it, both kept with the run. environments: how many feed each
    agent (`neurorl.agents.local.JointReplicas`); they step together, so a few more steps or
    episodes than asked for may be counted. eval_every: every so many environment steps,
    eval_episodes (20) are played greedily, with a row in ``evaluations.csv``, and ``best.npz`` is
    the best agent so far. callbacks: texts ``MODULE:NAME,K=V`` of imported modules: an object, a
    function of an episode, or a class, or with arguments a function, that makes one; a resumed run
    is told them again. tensorboard: a folder for TensorBoard, in it one for each run. With any of
    these three, each agent runs in a network of its own; a callback ends its own run only. config:
    the agent of new runs in place of a preset. overrides: fields of a new run's `AgentConfig`, or
    of its parts, such as ``neuron.tau_mem``; gradient: fields of its
    `neurorl.reparameterization.config.GradientConfig`. backend_options: options of the backend's
    class, such as its engine; they change no result and are not kept with the run.

    With ``resume=True`` killed runs go on from their last checkpoints and end with the same files,
    byte for byte, as if they hadn't been killed, except for the wall times in ``episodes.csv``
    (`neurorl.agents.checkpoint.digest` proves it). With more *episodes* or *steps* than before they
    are extended, and ``config.json`` is updated. A run killed before it began, begins; a finished
    one stays as it is. Ctrl-C ends training between two steps, with a checkpoint; within an
    episode, the checkpoint holds its actions, which are taken again when the run is resumed.
    started: called with the numbers of episodes done and wanted; with *steps*, repeatedly with
    environment steps.

    jobs: number of processes that train, each with its share of the runs side by side, with the
    same files; in a script of your own, call it under ``if __name__ == "__main__"``. If a process
    is killed, the others finish their runs, and ``resume=True`` resumes its own.

    Warns with `EnvironmentWarning` of a task without a time limit, if *steps* isn't given. Raises
    RunError if a directory exists (or with *resume*: none does, or one is damaged or of another
    run), if another process trains one, if one can't be written, or if the environment behaves
    differently when actions are taken again.
    """
    runs = [(None if k is None else read_seed(k, "train.seed"), Path(path)) for k, path in runs]
    check_count("train, jobs", jobs)
    if jobs > 1:
        end_if_importing_main()
    work, directories = find_work(env_id, runs, resume, options)
    if min(jobs, len(runs)) > 1:
        for directory in directories:
            directory.close()
        return train_in_processes(work, min(jobs, len(runs)), callback, started)
    session = Session(work, directories)
    try:
        session.open()
        if started is not None:
            started(*session.progress())
        session.learn(callback, started)
        return session.summaries()
    finally:
        session.close()


def read_seeds(text: str) -> list[int]:
    """Return the numbers that ``0..19`` or ``1,4,7`` means. Raises ArgumentError."""
    try:
        if ".." in text:
            first, last = (int(end) for end in text.split(".."))
            seeds: Sequence[int] = range(first, last + 1)
        else:
            seeds = [int(part) for part in text.split(",")]
        wrong = not seeds or len(seeds) > MOST_SEEDS or min(seeds) < 0 or max(seeds) >= 2**63
    except (OverflowError, ValueError):  # len() of a range may overflow
        wrong = True
    if wrong or len(set(seeds)) < len(seeds):
        limit = f"at most {MOST_SEEDS} different numbers, such as 0..19 or 1,4,7"
        raise ArgumentError("--seeds", "not seeds", got=repr(text), limit=limit)
    return list(seeds)
