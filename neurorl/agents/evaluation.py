"""Play an agent without learning, one or several episodes at once, and count the spikes."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Never, TypedDict

import numpy as np

from neurorl.agents.arguments import check_callable, check_kind, own_env
from neurorl.agents.base import LearningAgent
from neurorl.agents.budget import LONG_EPISODE
from neurorl.agents.checkpoint import Setting, played_on, read_agent
from neurorl.agents.episodes import OpenEpisode
from neurorl.agents.local import SpikingActorCritic
from neurorl.agents.player import MAX_REPLICAS, Player
from neurorl.agents.verdict import play_at_random, play_by
from neurorl.backends.meter import METERED, Metering
from neurorl.diagnostics.causes import worse_greedily
from neurorl.diagnostics.outcome import Facts, returns_of
from neurorl.errors import ArgumentError, EnvironmentWarning, PopulationWarning, warn_of
from neurorl.learning.finite import NotFiniteError, bad_reward, bad_sum, explained
from neurorl.models.agent.hints import refuse_words
from neurorl.network.cost import FIGURES, Figures, Tally
from neurorl.numerics.random import derive, read_seed
from neurorl.storage.plain import Named, PlainData, check_count
from neurorl.storage.reading import FilePlace, check_fields, read_json
from neurorl.tasks.actions import MASK, read_actions
from neurorl.tasks.first_play import FIRST_STEPS
from neurorl.tasks.groups import SeparateEnvs
from neurorl.tasks.kinds import Environment, Maker
from neurorl.tasks.specification import copy_env


@dataclass
class Play:
    """Play an agent's episodes, each on the first free replica.

    envs, player: as many environments as the player has replicas. tally: counts decisions. seeds:
    seed of the environment for each episode. is_by_number: whether draws follow from the episode's
    number; if not, one stream goes through the episodes of the only replica.
    """

    agent: LearningAgent
    envs: SeparateEnvs
    player: Player
    tally: Tally
    seeds: Sequence[int]
    is_by_number: bool
    _running: dict[int, OpenEpisode] = field(default_factory=dict)  # by replica
    _masked: set[int] = field(default_factory=set)  # replicas in episodes with action masks
    _begun: int = 0

    def scores(self, callback: Callable[[int, float], None] | None) -> list[tuple[float, float]]:
        """Return the return of each episode, and the discounted one.

        callback: called with number and return of an episode once all earlier ones have ended.
        Raises EnvError for a return that isn't finite.
        """
        over: dict[int, tuple[float, float]] = {}
        told, running = 0, self._running
        for k in range(self.envs.n):
            self._begin_next(k)
        while running:
            for k, last in self._step():
                if not math.isfinite(last.total):
                    raise bad_sum(_where(last), last.total)
                over[last.number] = last.total, last.discounted
                while told in over:
                    if callback is not None:
                        callback(told, over[told][0])
                    told += 1
                self._begin_next(k)
        return [over[number] for number in range(len(over))]

    def _begin_next(self, k: int) -> None:
        """Begin the next episode on replica k, or let it rest if none is left."""
        self._running.pop(k, None)
        number, player = self._begun, self.player
        if number == len(self.seeds):
            player.rest(k)
            return
        self._begun += 1
        observation = self.envs.reset(k, self.seeds[number])
        if self.is_by_number:
            player.begin_episode(k, number)
        else:
            player.begin(k)
        self.tally.begin(k)
        self._running[k], self._masked = OpenEpisode(number), self._masked - {k}
        mask = self.envs.info(k).get(MASK) if self.agent.is_masked else None
        if mask is not None:
            self._masked.add(k)
        player.see(k, observation, mask)

    def _step(self) -> list[tuple[int, OpenEpisode]]:
        """Step all replicas that play; return the replicas and episodes that ended."""
        player, running, config = self.player, self._running, self.agent.config
        try:
            chosen = player.decide()
        except NotFiniteError as exc:
            raise explained(_where(running[exc.replica]), exc) from exc
        playing, ended = list(running), []
        answers = self.envs.step(chosen, playing)
        for k, observation, reward, terminated, truncated, info in answers:
            episode, earned = running[k], float(reward)
            episode.add(chosen[k], earned, config.gamma)
            if len(episode.actions) == LONG_EPISODE:
                where, what = f"{self.envs.where}, an episode", f"has lasted {LONG_EPISODE} steps"
                remedy = "wrap it in gymnasium.wrappers.TimeLimit"
                warn_of(EnvironmentWarning, where, what, remedy=remedy)
            if not math.isfinite(earned):
                raise bad_reward(_where(episode), earned)
            if terminated or truncated:
                ended.append((k, episode))
                continue
            mask = info.get(MASK) if k in self._masked and isinstance(info, Mapping) else None
            player.see(k, observation, mask, earned)
        replicas = playing if self.is_by_number else None
        self.tally.add({**player.inputs, **player.rasters}, config.window, replicas)
        return ended


def _where(episode: OpenEpisode) -> str:
    """Return episode and step for an error; step 0 is the reset."""
    return f"evaluation, episode {episode.number}, step {len(episode.actions)}"


_LARGEST = 2**20
_TELLING = 3  # episodes
_PLAY, _RESET = 3, 4  # purposes of derived seeds


class Measured(TypedDict, total=False):
    """Hold what a model of the chip says, if it was asked: `Metering.result`."""

    energy: PlainData


class Evaluation(Figures, Measured):
    """Hold how an agent played, and the cost of a decision."""

    env: str
    backend: str
    arithmetic: str
    noise: str
    seed: int
    episodes: int
    mean_return: float
    std_return: float
    mean_discounted_return: float


def evaluate(
    agent: LearningAgent,
    episodes: int = 100,
    *,
    seed: int = 0,
    backend: str | None = None,
    arithmetic: str | None = None,
    explore: bool = False,
    noise: str | None = None,
    backend_options: Named | None = None,
    env: str | Environment | Maker | None = None,
    callback: Callable[[int, float], None] | None = None,
    replicas: int | None = None,
    energy: bool = False,
    **others: Never,
) -> Evaluation:
    """Return the mean return over *episodes* with the weights as they are.

    The neurons stay stochastic; the action is the one with the most votes, or drawn from the policy
    if *explore*. seed: of noise and environment, independent of training. backend, arithmetic,
    noise, backend_options: as in `SpikingActorCritic.player`. env: an id or an environment to play
    instead of the agent's own. callback: called with each episode's number and return, in order.
    replicas: how many episodes are played side by side, in as many copies of the environment and of
    the network. The draws of an episode then follow from its number, so that figures are the same
    for any number of replicas, 1 included; with None one stream of draws goes through all episodes.

    Raises EnvError for a reward or an observation that isn't finite, and for other errors of an
    environment; RunError if it can't be copied.
    """
    refuse_words(evaluate, others)
    check_kind("evaluate, agent", agent, LearningAgent, optional=False)
    check_count("evaluate, episodes", episodes)
    if replicas is not None:
        replicas = min(check_count("evaluate, replicas", replicas, most=MAX_REPLICAS), episodes)
    check_callable("evaluate, callback", callback)
    check_kind("evaluate, energy", energy, bool, optional=False)
    backend = METERED if energy and backend is None else backend
    seed = read_seed(seed, "evaluate.seed")
    with _to_play(agent, env) as (played, env_id), _copies(played, replicas or 1) as envs:
        setting = derive(seed, _PLAY, agent.seed), backend, arithmetic, explore, noise
        player = agent.player(*setting, backend_options=backend_options, replicas=replicas)
        network = player.backend.network
        weights = {p.name: player.backend.weights(p.name) for p in network.projections}
        if replicas is not None:
            weights = {name: of_all[0] for name, of_all in weights.items()}
        with player.backend as compiled:
            carries = agent.config.carries
            tally = compiled.metering(weights, carries) if energy else Tally(network, weights)
            seeds = [derive(seed, _RESET, k) & 0x7FFFFFFF for k in range(episodes)]
            play = Play(agent, SeparateEnvs(envs), player, tally, seeds, replicas is not None)
            returns, discounted = zip(*play.scores(callback), strict=True)
    measured: Measured = {"energy": tally.result()} if isinstance(tally, Metering) else {}
    return {
        "env": env_id,
        "backend": player.backend.name,
        "arithmetic": player.backend.arithmetic_name,
        "noise": player.backend.noise,
        "seed": seed,
        "episodes": episodes,
        "mean_return": float(np.mean(returns)),
        "std_return": float(np.std(returns)),
        "mean_discounted_return": float(np.mean(discounted)),
        **tally.per_decision(),
        **measured,
    }


def warn_of_greedy(
    agent: LearningAgent, returns: Sequence[float], setting: Setting, *, is_own: bool = True
) -> None:
    """Warn with `PopulationWarning` if greedy play is worse than random play or than training.

    returns: of greedy episodes in its environment, 3 or more, else nothing is said. setting: how
    they were played. is_own: whether it has trained there.
    """
    if len(returns) < _TELLING:
        return
    trained = np.array([episode.ret for episode in agent.episodes if is_own])
    at_random = returns_of(play_at_random(agent.env, agent.seed))
    known = agent.config, agent.seed, "return", trained, agent.env_steps
    facts = Facts(*known, random=at_random, greedy=np.array(returns))
    sign = worse_greedily(facts)
    if sign is not None:  # but is it worse than the same weights are when actions are drawn?

        def player(seed: int, explore: bool) -> Player:
            return agent.player(seed, explore=explore, **setting)

        drawn = play_by(agent.env, agent.seed, FIRST_STEPS, player, explore=True)
        sign = worse_greedily(dataclasses.replace(facts, drawn=returns_of(drawn)))
    if sign is not None:
        where = f"agent of seed {agent.seed}"
        warn_of(PopulationWarning, where, sign.what, remedy=sign.remedy)


@contextmanager
def _copies(env: Environment, n: int) -> Iterator[list[Environment]]:
    """Yield *env* and copies of it, *n* in all; copies are closed afterwards."""
    with ExitStack() as ends:
        copies = (closing(copy_env(env, is_quiet=True)) for _ in range(n - 1))
        yield [env, *map(ends.enter_context, copies)]


@contextmanager
def _to_play(
    agent: LearningAgent, env: str | Environment | Maker | None
) -> Iterator[tuple[Environment, str]]:
    """Yield the environment to play and its id. Raises ArgumentError if it doesn't fit."""
    if env is None or env is agent.env:
        with agent.env_to_play() as own:
            yield own, agent.env_id
        return
    other, name = own_env(env)
    n, learned = read_actions(other).groups(1), agent.actions.groups(1)
    if n != learned or read_actions(other).is_continuous != agent.actions.is_continuous:
        what = "has another number of actions than the agent"
        raise ArgumentError(f"environment {name}", what, got=n, limit=learned)
    is_own = other.unwrapped is agent.env.unwrapped  # maybe in other wrappers
    with agent.lent() if is_own else nullcontext():
        yield other, name


def load_to_play(
    path: Path,
    backend: str | None = None,
    arithmetic: str | None = None,
    noise: str | None = None,
    env: str | Environment | Maker | None = None,
    trust_env: bool = False,
) -> tuple[SpikingActorCritic, Setting]:
    """Load an agent to play only, and choose its backend, arithmetic and noise.

    env, trust_env: as in `SpikingActorCritic.load`. The others are options of `evaluate` and
    `SpikingActorCritic.player`, see `neurorl.agents.local.played_on`. Only the backend that plays
    is compiled; the reference holds the weights until then.
    """
    described, _ = read_agent(path)
    floats = described.config.writes.has_shadow or described.algorithm.keeps_floats
    kept_in = "float" if floats else described.arithmetic
    held: PlainData = {"backend": "reference", "arithmetic": kept_in, "learning": "host"}
    agent = SpikingActorCritic.load(path, **held, env=env, trust_env=trust_env)
    return agent, played_on(described, backend, arithmetic, noise)


def read_cost(run: Path) -> dict[str, float]:
    """Read the cost of a decision from a run's ``evaluation.json``; empty if it has none.

    Raises RunError if that file is damaged.
    """
    file = run / "evaluation.json"
    if not os.path.lexists(file):
        return {}
    place = FilePlace(f"file {file}", remedy="remove it")
    figures = read_json(file, place, _LARGEST)
    check_fields(figures, place, {}, dict.fromkeys(FIGURES, float))
    return {key: float(figures[key]) for key in FIGURES if key in figures}
