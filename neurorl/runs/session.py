"""Make the environment and the agents of runs of one kind, train them and write their files."""

from __future__ import annotations

import dataclasses
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from neurorl._version import __version__
from neurorl.agents.algorithms import Algorithm
from neurorl.agents.budget import Budget, held_interrupts
from neurorl.agents.checkpoint import AgentDescription, check_fits, modules, packed, read_agent
from neurorl.agents.episodes import Episode
from neurorl.agents.evaluation import load_to_play
from neurorl.agents.group import AgentGroup, GroupPlan
from neurorl.agents.player import Player
from neurorl.backends.lookup import current_name, quickest
from neurorl.backends.plugins import installed_version
from neurorl.diagnostics.outcome import RunVerdict
from neurorl.errors import EnvironmentWarning, NeurorlError, RunError, warn_of
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.presets import make_config
from neurorl.runs.config import RunConfig
from neurorl.runs.directory import RunDirectory
from neurorl.runs.work import Summary, Work, summary
from neurorl.storage.files import as_json
from neurorl.storage.plain import Named, PlainData
from neurorl.storage.zoo import located
from neurorl.tasks.actions import Actions, read_actions
from neurorl.tasks.arguments import wrapped
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import has_time_limit
from neurorl.tasks.kinds import Environment
from neurorl.tasks.specification import PROBLEM, describe_env, is_same_env


def plan_agents(config: RunConfig, seeds: Sequence[int], env: Environment) -> GroupPlan:
    """Plan the agents of runs of this *config*, one for each seed.

    env: the first agent's environment; others get copies.
    """
    agent, gradient = _agent_config(env, config), config.gradient or config.own_options
    config.algorithm.check_read(config.overrides, agent)
    options, own = sorted(config.backend_options), sorted(gradient)
    config.algorithm.check(
        learning=agent.learning.name, noise=config.noise, backend_options=options, gradient=own
    )
    return GroupPlan(env, config.env, agent, seeds, config.spec, gradient, config.environments)


def open_env(config: RunConfig) -> tuple[Environment, RunConfig]:
    """Make a run's environment by its id and arguments; return it, and *config* with its spec.

    Raises RunError if the run was begun with another environment.
    """
    env = wrapped(make_env(config.env, config.env_args), config.wrappers)
    made, before = describe_env(env), config.env_spec
    if before is not None and PROBLEM not in before and not is_same_env(made, before):
        env.close()
        what = "is made otherwise here than when the run was begun"
        remedy = "register it as it was, or begin another run"
        raise RunError(f"environment {config.env}", what, remedy=remedy)
    return env, dataclasses.replace(config, env_spec=before or made)


def start_of(start: str, seed: int | None) -> Path:
    """Return the run to start from: *start*, or its run of this seed (None: any) of several."""
    path = located(start)
    if (path / "config.json").exists() or not path.is_dir():
        return path
    several = sorted(path.glob("seed*/config.json")) if seed is None else []
    return several[0].parent if several else path / f"seed{seed}"


def _agent_config(env: Environment, config: RunConfig) -> AgentConfig:
    """Return the agent of a run already begun, or of the run to start from, or a preset."""
    if config.agent:
        return AgentConfig.from_dict(config.agent)
    changed = {"learning": config.learning, **config.overrides}
    if config.base is not None:
        return config.base.changed(**changed)
    if not config.start:
        can_share = config.algorithm.can_share
        return make_config(env, config.model, changed, can_share=can_share)
    started, _ = read_agent(start_of(config.start, None))
    return started.config.changed(**changed)


CHECKPOINT_SECONDS = 5.0
"""Write a checkpoint at the end of an episode if the last one is older, in seconds."""
EPISODE_SECONDS = 30.0
"""Write a checkpoint within an episode if the last one is older than this, in seconds."""
_SHOWN_SECONDS = 1.0


class Session:
    """Take runs of one kind from their directories to their summaries."""

    def __init__(self, work: Work, runs: Sequence[RunDirectory]) -> None:
        self.runs, self.seeds, self._old = runs, work.seeds, work.has_begun
        self._saved = [time.monotonic()] * len(runs)
        self._saved_at = [-1] * len(runs)  # steps
        self._ended: set[int] = set()  # whose episodes have ended since the last step
        try:
            self._make(work.config)
        except BaseException:
            self._free()
            raise

    def _make(self, config: RunConfig) -> None:
        """Make the environment and the agents."""
        env, config = open_env(config)
        if config.budget.steps is None and not has_time_limit(env):
            where, what = f"environment {config.env}", "has no time limit"
            remedy = "if an episode may never end, train by --steps"
            warn_of(EnvironmentWarning, where, what, remedy=remedy)
        if config.agent:
            self._check_checkpoints(config.agent, read_actions(env, config.env))
        self._env = env
        plan = plan_agents(config, self.seeds, env)
        if config.eval_every or config.callbacks or config.tensorboard:
            from neurorl.runs.listening import FollowedAgents

            self.group: AgentGroup = FollowedAgents(plan, config, self.runs)
        else:
            self.group = plan.make(config.algorithm)
        self.config = dataclasses.replace(config, model=self.group.config.model)

    def _check_checkpoints(self, agent: Named, actions: Actions) -> None:
        """Raise RunError, before agents are made, for checkpoints that don't fit config.json.

        One that a look has changed has its own configuration, and says so.
        """
        begun = config = AgentConfig.from_dict(agent)
        n_actions = sum(modules(config, actions, "config.json"))
        for run, old in zip(self.runs, self._old, strict=True):
            if old and run.checkpoint.exists():
                described, arrays = read_agent(run.checkpoint)
                config = described.config if described.config.looked else begun
                check_fits(config, n_actions, arrays, f"run {run.path}: checkpoint.npz")

    def open(self) -> None:
        """Create the directories of new runs, and bring old ones back to their checkpoints.

        Raises RunError.
        """
        for k, (run, old) in enumerate(zip(self.runs, self._old, strict=True)):
            if not old:
                run.create(self._as_begun(k))
            if old and run.checkpoint.exists():
                described, arrays = read_agent(run.checkpoint)
                described = dataclasses.replace(described, backend=current_name(described.backend))
                if described.config.looked:
                    self.group.suit(k, described.config)
                if described.env_spec is None:  # older runs stored the environment's id only
                    described = dataclasses.replace(described, env_spec=self.config.env_spec)
                if described != self._describe(k):
                    raise RunError(f"run {run.path}", "checkpoint.npz is of another run")
                self.group.restore(k, arrays)
            elif self.config.start:
                start = start_of(self.config.start, self.seeds[k])
                self.group.adopt(k, read_agent(start)[1], f"run {start}")
                self._save(k)  # from here on, the run to start from isn't needed
            run.rewind(self.group.episodes[k])
        for k, run in enumerate(self.runs):  # now that all of them can go on
            run.change_budget(self._spent(k))

    def progress(self) -> tuple[int, int]:
        """Return how many episodes (or steps, as in the budget) are done and wanted."""
        every, budget = range(len(self.runs)), self.config.budget
        if budget.steps is not None:
            done = sum(min(self.group.steps_taken(k), budget.steps) for k in every)
            return done, len(self.runs) * budget.steps
        assert budget.episodes is not None
        return sum(map(len, self.group.episodes)), len(self.runs) * budget.episodes

    def learn(
        self, callback: Callable[[Episode], None] | None, started: Callable[[int, int], None] | None
    ) -> None:
        """Train to the end, and write rows and checkpoints.

        Ctrl-C ends it with KeyboardInterrupt, once all are at a step from which they can resume.
        """

        def after(k: int, episode: Episode) -> None:
            self.runs[k].append(episode)
            self._ended.add(k)
            if callback is not None:
                callback(episode)

        def look() -> float:
            """Write due checkpoints within episodes; return when to look again."""
            self._save_long_ago()
            if started is not None and budget.steps is not None:
                started(*self.progress())
            return time.monotonic() + _SHOWN_SECONDS

        budget = self.config.budget
        now, next_look = time.monotonic, time.monotonic() + _SHOWN_SECONDS
        with held_interrupts() as interrupt:
            try:
                for _ in self.group.play(budget, after):
                    if self._ended:  # and all callbacks have heard of the step
                        self._save_ended()
                    if interrupt.requested:
                        break
                    if now() >= next_look:
                        next_look = look()
            except NeurorlError:
                self._discard_unbegun()
                raise
            for k in range(len(self.runs)):
                self._save(k)

    def _save_ended(self) -> None:
        """Save agents whose episodes have ended, if their checkpoints are old."""
        for k in self._ended:
            if time.monotonic() - self._saved[k] >= CHECKPOINT_SECONDS:
                self._save(k)
        self._ended.clear()

    def _discard_unbegun(self) -> None:
        """Remove new runs without a step, so that a corrected command can begin them again.

        An environment whose reset raises is found only when it plays.
        """
        for k, (run, old) in enumerate(zip(self.runs, self._old, strict=True)):
            if not old and not self.group.steps_taken(k) and not run.checkpoint.exists():
                run.discard()

    def _save_long_ago(self) -> None:
        """Save agents that have been within an episode for long."""
        for k, saved in enumerate(self._saved):
            moved = self.group.steps_taken(k) != self._saved_at[k]
            if moved and time.monotonic() - saved >= EPISODE_SECONDS:
                self._save(k)

    def summaries(self) -> list[Summary]:
        """Return a summary of each run, and write it to its directory."""
        rows = []
        for k, run in enumerate(self.runs):
            rows.append(summary(self.config, self.group, k, run, self._verdict(k, run)))
        for run, row in zip(self.runs, rows, strict=True):
            run.keep(run.summary, as_json(row))
        return rows

    def _verdict(self, k: int, run: RunDirectory) -> RunVerdict:
        """Return the verdict on a run that is over, whose checkpoint also plays."""
        arithmetic = self.group.arithmetic_name

        def player(seed: int, explore: bool) -> Player:
            agent, _ = load_to_play(run.path, env=self._env)
            return agent.player(seed, quickest(None, arithmetic), arithmetic, explore)

        return self.group.verdict(k, self._env, player)

    def close(self) -> None:
        """Close the agents and release the directories."""
        try:
            self.group.close()
        finally:
            self._free()

    def _free(self) -> None:
        """Release the directories."""
        for run in self.runs:
            run.close()

    def _spent(self, k: int) -> Budget:
        """Return the budget for ``config.json``: at least as much as run k has used."""
        budget, beyond = self.config.budget, self.config.environments - 1  # they step together
        if budget.episodes is not None:
            return Budget(max(budget.episodes, len(self.group.episodes[k]) - beyond))
        assert budget.steps is not None
        if not self.group.algorithm.stops_exactly:
            return budget
        return Budget(None, max(budget.steps, self.group.steps_taken(k) - beyond))

    def _save(self, k: int) -> None:
        self.runs[k].keep_checkpoint(packed(self._describe(k).to_dict(), self.group.state(k)))
        self._saved[k] = time.monotonic()
        self._saved_at[k] = self.group.steps_taken(k)

    def _describe(self, k: int) -> AgentDescription:
        return self.group.describe(k, self.config.env, self.config.env_spec)

    def _as_begun(self, k: int) -> PlainData:
        """Return the contents of run k's ``config.json`` at its beginning."""
        group, gradient = self.group, self.group.gradient
        begun: PlainData = {"seed": self.seeds[k], "arithmetic": group.arithmetic_name}
        begun |= {"learning": group.config.learning.name, "agent": group.config.to_dict()}
        own = None if gradient is None else gradient.to_dict()
        config = dataclasses.replace(self.config, **begun, gradient=own)
        return {**config.to_dict(), "versions": _versions(group.algorithm)}


def _versions(algorithm: Algorithm) -> dict[str, str | None]:
    """Return the versions of packages that decide a run's results; None if not installed."""
    names = ("brian2", "gymnasium", "nengo", "nengo-loihi", "numpy", *algorithm.needs)
    versions = {name: installed_version(name) for name in names}
    return {**versions, "neurorl": __version__, "python": platform.python_version()}
