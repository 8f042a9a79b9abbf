"""`train`: an agent, a run directory, and a run that nothing can break in two."""

from __future__ import annotations

import importlib.metadata
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurorl import __version__
from neurorl.agent import Episode, SpikingActorCritic
from neurorl.checkpoint import read_checkpoint, write_checkpoint
from neurorl.config import AgentConfig
from neurorl.errors import ArgumentError, RunError, say
from neurorl.files import write_json
from neurorl.rundir import RunDirectory

__all__ = ["solved_at", "summarise", "train"]

CHECKPOINT_SECONDS = 5.0

DEFAULTS = {"backend": "reference", "model": "lif", "seed": 0, "episodes": 400}


def train(
    env_id: str,
    out: Path,
    *,
    backend: str | None = None,
    arithmetic: str | None = None,
    model: str | None = None,
    seed: int | None = None,
    episodes: int | None = None,
    resume: bool = False,
    overrides: dict[str, Any] | None = None,
    callback: Callable[[Episode], None] | None = None,
    started: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train an agent in the run directory *out*; returns the summary that `summarise` makes.

    None takes what a resumed run was started with, else `DEFAULTS` (arithmetic: the backend's own).

    A run that was killed goes on with ``resume=True`` from its last checkpoint and ends with the
    same episodes and weights, bit for bit, as one that was not. With more *episodes* than before
    it is extended. started: called with the numbers of episodes done already and in all.
    Raises RunError if *out* exists (or with *resume*: doesn't, is damaged, or is another run's).
    """
    run = RunDirectory(out)
    given = {
        "env": env_id,
        "backend": backend,
        "arithmetic": arithmetic,
        "model": model,
        "seed": seed,
        "episodes": episodes,
    }
    if resume:
        options = _resumed_options(run, given)
        agent = _resume(run, options)
    else:
        options = {k: DEFAULTS.get(k) if v is None else v for k, v in given.items()}
        _check_episodes(options["episodes"])
        agent = SpikingActorCritic(
            env_id,
            options["model"],
            backend=options["backend"],
            arithmetic=arithmetic,
            seed=options["seed"],
            **(overrides or {}),
        )
        run.create(_config(agent, options))
    try:
        if started is not None:
            started(len(agent.episodes), options["episodes"])
        _learn(agent, run, options["episodes"], callback)
    finally:
        agent.close()
        run.close()
    summary = summarise(agent, run.path)
    write_json(run.summary, summary)
    return summary


def summarise(agent: SpikingActorCritic, path: Path) -> dict[str, Any]:
    """Env, backend, model, seed, episodes, env_steps, mean_return_last_100, solved_at_episode, run.

    Also arithmetic and mean_discounted_return_last_100.
    """
    played = agent.episodes
    last = played[-100:]
    return {
        "env": agent.env_id,
        "backend": agent.backend_name,
        "arithmetic": agent.arithmetic,
        "model": agent.config.model,
        "seed": agent.seed,
        "episodes": len(played),
        "env_steps": agent.env_steps,
        "mean_return_last_100": float(np.mean([e.ret for e in last])),
        "mean_discounted_return_last_100": float(np.mean([e.discounted for e in last])),
        "solved_at_episode": solved_at(played, agent.config),
        "run": str(path),
    }


def solved_at(played: list[Episode], config: AgentConfig) -> int | None:
    """Episodes until the mean of 100 in a row first reached ``config.solved_at``; None if never."""
    if config.solved_at is None or len(played) < 100:
        return None
    returns = [e.discounted if config.solved_discounted else e.ret for e in played]
    means = np.convolve(returns, np.ones(100) / 100, "valid")
    reached = np.flatnonzero(means >= config.solved_at)
    return int(reached[0]) + 100 if len(reached) else None


def _learn(
    agent: SpikingActorCritic,
    run: RunDirectory,
    episodes: int,
    callback: Callable[[Episode], None] | None,
) -> None:
    run.rewind(agent.episodes)
    saved = time.monotonic()

    def after(episode: Episode) -> None:
        nonlocal saved
        run.append(episode)
        if time.monotonic() - saved >= CHECKPOINT_SECONDS:
            write_checkpoint(run.checkpoint, agent.describe(), agent.state())
            saved = time.monotonic()
        if callback is not None:
            callback(episode)

    agent.learn(episodes, after)
    write_checkpoint(run.checkpoint, agent.describe(), agent.state())


def _config(agent: SpikingActorCritic, options: dict[str, Any]) -> dict[str, Any]:
    versions = {
        name: _version(name) for name in ("brian2", "gymnasium", "nengo", "nengo-loihi", "numpy")
    }
    versions |= {"neurorl": __version__, "python": platform.python_version()}
    return {
        **options,
        "arithmetic": agent.arithmetic,
        "agent": agent.config.to_dict(),
        "versions": versions,
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _check_episodes(episodes: int) -> None:
    if episodes < 1:
        raise ArgumentError(say("train", "episodes out of range", got=episodes, limit=">= 1"))


def _resumed_options(run: RunDirectory, given: dict[str, Any]) -> dict[str, Any]:
    """What the run was started with; anything given must be the same, but for more episodes."""
    config = run.read_config()
    for name, value in given.items():
        if name != "episodes" and value not in (None, config.get(name)):
            raise RunError(
                say(
                    f"run {run.path}",
                    f"was started with another {name}",
                    got=value,
                    limit=config.get(name),
                    remedy="resume with the same options, or use another --out",
                )
            )
    options = {name: config.get(name) for name in given}
    if given["episodes"] is not None:
        _check_episodes(given["episodes"])
        options["episodes"] = given["episodes"]
    return {**options, "agent": config["agent"]}


def _resume(run: RunDirectory, options: dict[str, Any]) -> SpikingActorCritic:
    agent = SpikingActorCritic(
        options["env"],
        backend=options["backend"],
        arithmetic=options["arithmetic"],
        seed=options["seed"],
        config=AgentConfig.from_dict(options["agent"]),
    )
    if run.checkpoint.exists():
        described, arrays = read_checkpoint(run.checkpoint)
        if {k: described.get(k) for k in agent.describe()} != agent.describe():
            raise RunError(say(f"run {run.path}", "checkpoint.npz is of another run"))
        agent.restore(arrays)
    return agent
