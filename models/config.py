"""Everything that decides how an agent learns, in one frozen description."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from neurorl.errors import DescriptionError, check_name, say
from neurorl.models.actor import actor_network, hidden_sizes, history_taps, least_window
from neurorl.models.critics import CRITICS, check_described_critic
from neurorl.models.encoders import ENCODERS
from neurorl.models.features import Features
from neurorl.models.history import check_changes
from neurorl.models.policies import POLICIES, check_exploration
from neurorl.network.description import Network, Neuron
from neurorl.network.limits import MAX_AGENT_SYNAPSES, MAX_DELAY, MAX_SIZE, MAX_TAPS, check_limit
from neurorl.network.modules import hidden_layers, module_projections
from neurorl.network.serialization import Described, FloatArray, flag, number, positive, several
from neurorl.numerics.elementary import decay
from neurorl.rules import Rule, find_rule
from neurorl.rules.registry import name_of

__all__ = ["LEARNINGS", "MODULATORS", "WRITES", "AgentConfig"]

LEARNINGS = ("host", "pes")
MODULATORS = ("td-error", "reward")
WRITES = ("shadow", "stochastic", "accumulate", "register")
_CHOICES = {
    "learning": LEARNINGS,
    "critic": CRITICS,
    "encoder": ENCODERS,
    "policy": POLICIES,
    "modulator": MODULATORS,
    "writes": WRITES,
}
_FLAGS = ("signed", "normalises", "carries", "solved_discounted")
_COUNTS = {"window": MAX_DELAY, "actors": MAX_SIZE, "rate_episodes": 2**53, "write_every": 2**53}
_NOT_NEGATIVE = (
    *("alpha_output", "alpha_hidden", "alpha_critic", "beta", "trace_tau"),
    *("eligibility_tau", "post_tau", "depression", "critic_scale"),
)


@dataclass(frozen=True, eq=False)
class AgentConfig(Described):
    """An agent: its network, its rule, its critic and their rates.

    Network: ``actors`` x actions modules of ``hidden`` units of the model ``neuron``, or of hidden
    layers with so many units each from the input to the output, as in ``(8, 4)``, answering in a
    ``window`` of steps. ``stimulus_lags`` and ``history_lags`` are the taps of each unit's filters
    of its inputs and of its own spikes, ``history`` the initial taps of the latter; ``signed``,
    ``trace_tau`` (s), ``initial_hidden``, ``initial_output``,
    ``weight_bound``: see `neurorl.models.actor.actor_network`. Or a ``description`` of your own,
    with a source ``input`` and a population ``output`` of one or more neurons for each action
    (maybe also a source ``bias`` of one channel that spikes in every step, and ``hidden``, below
    it ``hidden_2`` and so on); the fields before then only say how its rule learns. With
    ``carries``, membranes, traces and eligibilities go on from one decision to the next; else each
    decision starts from silence. ``input_recalls`` and ``hidden_recalls`` are the memory that this
    makes possible: what the input, or the first hidden layer, did so many decisions ago comes to
    that layer by projections with delays of as many windows. From silence they bring nothing.

    Input: activations of ``cells``, times ``peak``, become spikes by ``encoder``, ``'quiet'`` or
    ``'bernoulli'``, or with ``'current'`` flow into neurons as a part of their bias, for the whole
    window (`neurorl.models.encoders`); a ``description``'s ``input`` is then of the kind
    ``'current'``.

    Policy: ``policy`` is ``'softmax'`` of ``beta`` x votes, with a share ``exploration`` of all
    actions drawn evenly; or ``'greedy'``. The broadcast phi is of the whole, so its mean stays 0.

    Rule: ``rule`` is a name of `neurorl.rules.RULES`, or a `Rule` of your own. Per decision ``e <-
    gamma lambda_actor e + tag`` and ``dw = alpha rate delta e / N``, alpha that of the layer, N the
    running mean of the squared trace of the layer's inputs: alpha is the change of a neuron's drive
    for delta = 1. Without ``normalises``, N is 1. The rules reward-stdp and td-stdp have instead
    ``eligibility_tau`` and ``post_tau`` (s) and ``depression`` (`neurorl.learning.learner`), and
    learn in every population.

    Weights: in coarse arithmetic, ``writes`` is how dw gets into them, ``'shadow'`` (the only one
    in fine arithmetic), ``'stochastic'``, ``'accumulate'`` (every ``write_every`` decisions) or
    ``'register'``, see `neurorl.learning.writes`. A weight in force is a whole number of quanta of
    ``weight_bound`` / 127, and stochastic rounding adds a variance of up to ``|dw| quantum`` a
    write. So keep the bound near the largest weight that is learned: 1 in the LIF presets, where
    these end at 0.3 to 1.2.

    ``learning``: weights learn on the ``'host'``, or with ``'pes'`` on the chip by its own rule,
    which is told modulator times post factor and knows of inputs only the trace that the last
    window has left (`neurorl.learning.loops.onchip`): so ``lambda_actor`` must be 0.
    ``pes_magnitude``, at most 127, is what a spike adds to that trace on the chip: with more of it,
    errors are smaller numbers and rounded more coarsely; with less, larger ones, which are sooner
    clipped.

    ``modulator``: delta is the ``'td-error'``, or the ``'reward'`` less its running mean; for the
    actor it is clipped to +-``modulator_limit`` if there is one: a rare reward far above the usual
    error would else decide the policy by itself.

    Critic: ``critic`` is ``'linear'``, TD(lambda_critic) on ``features``, step ``alpha_critic``
    (also that of the running mean); or ``'spiking'``, a population ``critic`` of
    ``critic_neurons``, whose rate times ``critic_scale`` is the value (`neurorl.models.critics`):
    its inputs are the ``features``, as spikes, and it learns by the same rule as the rest. Rewards
    are multiplied by ``reward_scale`` so that values stay near 1. A linear critic's ``features``
    can be of more than the network is shown: with ``critic_changes``, also of how the observation
    came about, by so many last changes of it (`neurorl.models.history.History`).

    rate: falls linearly from 1 to ``rate_end`` over the first ``rate_episodes`` episodes.
    solved_at: mean return of 100 episodes (discounted if ``solved_discounted``) of a solved task.
    """

    model: str
    neuron: Neuron
    rule: str
    cells: Features
    features: Features
    window: int
    actors: int = 10
    hidden: int | tuple[int, ...] = 8
    signed: bool = False
    trace_tau: float = 0.0
    weight_bound: float = 1.0
    learning: str = "host"
    pes_magnitude: float = 20.0
    writes: str = "shadow"
    write_every: int = 16
    initial_hidden: float = 0.2
    initial_output: float = 0.2
    stimulus_lags: int = 1
    history_lags: int = 0
    history: tuple[float, ...] = ()
    input_recalls: tuple[int, ...] = ()
    hidden_recalls: tuple[int, ...] = ()
    beta: float = 0.3
    alpha_output: float = 0.1
    alpha_hidden: float = 0.5
    alpha_critic: float = 0.05
    gamma: float = 0.99
    lambda_actor: float = 0.9
    lambda_critic: float = 0.9
    reward_scale: float = 0.02
    critic: str = "linear"
    critic_neurons: int = 200
    critic_scale: float = 6.0
    critic_changes: int = 0
    modulator: str = "td-error"
    modulator_limit: float | None = None
    normalises: bool = True
    eligibility_tau: float = 0.1
    post_tau: float = 0.02
    depression: float = 0.5
    carries: bool = False
    description: Network | None = None
    encoder: str = "quiet"
    peak: float = 1.0
    policy: str = "softmax"
    exploration: float = 0.0
    rate_end: float = 1.0
    rate_episodes: int = 1
    solved_at: float | None = None
    solved_discounted: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.rule, Rule):
            object.__setattr__(self, "rule", name_of(self.rule))
        if self.learning_rule.needs_td_error and self.modulator != "td-error":
            what = f"rule {self.rule!r} is modulated by the TD error"
            raise DescriptionError(
                say("agent.modulator", what, got=self.modulator, remedy="or take 'reward-stdp'")
            )
        for name, known in _CHOICES.items():
            check_name(name, getattr(self, name), known)
        for name in _FLAGS:
            flag(f"agent.{name}", getattr(self, name))
        for name, most in _COUNTS.items():
            positive(f"agent.{name}", getattr(self, name), most=most)
        for name in ("gamma", "lambda_actor", "lambda_critic", "rate_end", "peak", "exploration"):
            number(f"agent.{name}", getattr(self, name), 0.0, 1.0)
        for name in _NOT_NEGATIVE:
            number(f"agent.{name}", getattr(self, name), 0.0)
        for name in ("reward_scale", "initial_hidden", "initial_output", "weight_bound"):
            number(f"agent.{name}", getattr(self, name))
        check_exploration(self.policy, self.exploration)
        if self.modulator_limit is not None:
            number("agent.modulator_limit", self.modulator_limit, 0.0)
        number("agent.pes_magnitude", self.pes_magnitude, 0.0, 127.0)
        if positive("agent.critic_changes", self.critic_changes, least=0, most=MAX_TAPS):
            check_changes(self.features, self.cells, self.critic_changes)
        if self.learning == "pes":
            self._check_pes()
        if self.critic == "spiking":
            self._check_critic()
        if self.description is None:
            sizes = hidden_sizes(self.hidden)
            if isinstance(self.hidden, (list, tuple)):
                object.__setattr__(self, "hidden", sizes)
            # A current moves the first layer in the step in which it flows.
            layers = len(sizes) + 1 - (self.encoder == "current")
            self._check_window(layers)
            self._check_taps(layers)
            if self.encoder == "current":
                self._check_pairs("agent.encoder")
            if self.learning_rule.pairs_spikes and self.signed:
                raise DescriptionError(say("agent.rule", f"{self.rule!r} has no signed units"))
        else:
            self._check_description(self.description)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        if isinstance(data, Mapping) and data.get("policy") == "greedy":
            data = {**data, "exploration": 0.0}  # older files may have another, without effect
        return super().from_dict(data)

    @property
    def learning_rule(self) -> Rule:
        """The rule that *rule* names. Raises UnknownNameError."""
        return find_rule(self.rule)

    def network(self, n_actions: int) -> Network:
        """The network of an agent with this many actions. Raises DescriptionError."""
        network = self._network(n_actions)
        check_limit("agent", "synapses", network.n_synapses, MAX_AGENT_SYNAPSES)
        return network

    def _network(self, n_actions: int) -> Network:
        if self.description is not None:
            size = self.description.node("output").size
            if size % n_actions:
                what = f"its output must be a multiple of {n_actions} actions"
                raise DescriptionError(say("agent.description", what, got=size))
            return self.description
        network = actor_network(
            self.cells.size,
            n_actions,
            neuron=self.neuron,
            actors=self.actors,
            hidden=self.hidden,
            signed=self.signed,
            trace_tau=self.trace_tau,
            initial_hidden=self.initial_hidden,
            initial_output=self.initial_output,
            bound=self.weight_bound,
            stimulus_lags=self.stimulus_lags,
            history_lags=self.history_lags,
            history=self.history,
            input_delays=tuple(1 + ago * self.window for ago in self.input_recalls),
            hidden_delays=tuple(1 + ago * self.window for ago in self.hidden_recalls),
            critic=self.critic_neurons if self.critic == "spiking" else 0,
            critic_inputs=self.features.size,
            currents=self.encoder == "current",
        )
        self._check_probability("agent.rule", network)
        return network

    def rate(self, episode: int) -> float:
        """Factor of all step sizes in an episode, counted from 0."""
        return 1.0 - (1.0 - self.rate_end) * min(1.0, episode / self.rate_episodes)

    def keep(self, dt: float) -> float:
        """What is left of an eligibility after a window."""
        if self.learning_rule.pairs_spikes:
            return float(decay(dt, self.eligibility_tau) ** self.window)
        return self.gamma * self.lambda_actor

    def powers(self, dt: float) -> FloatArray:
        """What is left at the window's end of what was added in each step, ``(window,)``."""
        kept = decay(dt, self.eligibility_tau) if self.learning_rule.pairs_spikes else 1.0
        return np.array([kept ** (self.window - 1 - t) for t in range(self.window)])

    def _check_pes(self) -> None:
        for odd, what, remedy in (
            (self.pes_magnitude == 0, "pes_magnitude 0", "pes_magnitude 20"),
            (self.learning_rule.pairs_spikes, f"rule {self.rule!r}", "rule 'spikes-only'"),
            (self.critic != "linear", f"critic {self.critic!r}", "critic 'linear'"),
            (self.carries, "carries", "carries=False"),
            (self.signed, "signed units", "signed=False, or model 'lif'"),
            (self.encoder == "current", "encoder 'current'", "encoder 'quiet'"),
            (self.writes != "shadow", f"writes {self.writes!r}", "leave writes out"),
            (self.lambda_actor > 0, f"lambda_actor {self.lambda_actor:g}", "lambda_actor=0"),
        ):
            if odd:
                where = "agent.learning 'pes'"
                raise DescriptionError(say(where, f"can't be with {what}", remedy=remedy))

    def _check_critic(self) -> None:
        if self.critic_changes:
            what = "are for a linear critic"
            raise DescriptionError(say("agent.critic_changes", what, remedy="critic 'linear'"))
        if self.window < 3:
            what = "too short to count a critic's spikes"
            raise DescriptionError(say("agent.window", what, got=self.window, limit=">= 3"))
        if positive("agent.critic_neurons", self.critic_neurons) % 2:
            what = "must be even: half of them add to the value and half take from it"
            raise DescriptionError(say("agent.critic_neurons", what, got=self.critic_neurons))
        if self.modulator != "td-error":
            remedy = "modulator 'td-error', or critic 'linear'"
            what = "a spiking critic has no use"
            raise DescriptionError(
                say("agent.modulator", what, got=repr(self.modulator), remedy=remedy)
            )
        if not self.features.are_cells:
            what = "a spiking critic needs activations in [0, 1]"
            got = type(self.features).__name__
            raise DescriptionError(say("agent.features", what, got=got, remedy="RBF or Tiles"))

    def _check_window(self, layers: int) -> None:
        if self.window < layers + 1:
            raise DescriptionError(
                say(
                    "agent.window",
                    f"too short for {layers} layers: a spike takes a step for each",
                    got=self.window,
                    limit=f">= {layers + 1}",
                )
            )

    def _check_taps(self, layers: int) -> None:
        object.__setattr__(self, "history", several("agent.history", self.history))
        positive("agent.stimulus_lags", self.stimulus_lags, most=MAX_TAPS)
        self._check_recalls(layers)
        if self.stimulus_lags > 1 and not layers:
            what = "a current is the same in every step, so its filter has one tap"
            raise DescriptionError(say("agent.stimulus_lags", what, got=self.stimulus_lags))
        history_taps(self.history_lags, self.history, self.weight_bound)
        least = least_window(layers, self.stimulus_lags, self.history_lags)
        if self.window < least and not self.carries:
            taps = f"{self.stimulus_lags} stimulus and {self.history_lags} history lags"
            what = f"too short for {taps}: the last taps would see no spike"
            raise DescriptionError(say("agent.window", what, got=self.window, limit=f">= {least}"))

    def _check_recalls(self, layers: int) -> None:
        for name in ("input_recalls", "hidden_recalls"):
            agos = tuple(
                positive(f"agent.{name}", ago) for ago in several(name, getattr(self, name))
            )
            object.__setattr__(self, name, agos)
            if len(set(agos)) < len(agos):
                raise DescriptionError(say(f"agent.{name}", "the same decision twice", got=agos))
        if self.input_recalls and self.encoder == "current":
            what = "a current has no delay"
            raise DescriptionError(say("agent.input_recalls", what, remedy="encoder 'quiet'"))
        if self.hidden_recalls and not hidden_sizes(self.hidden):
            raise DescriptionError(say("agent.hidden_recalls", "there are no hidden units"))

    def _check_description(self, network: Network) -> None:
        where = "agent.description"
        if not isinstance(network, Network):
            raise DescriptionError(say(where, "not a Network", got=type(network).__name__))
        sources = {source.name: source.size for source in network.sources}
        if sources.get("input") != self.cells.size:
            what = "needs a source 'input' of a channel for each cell"
            raise DescriptionError(
                say(where, what, got=sources.get("input"), limit=self.cells.size)
            )
        if "output" not in {p.name for p in network.populations}:
            raise DescriptionError(say(where, "has no population 'output'"))
        if self.learning_rule.pairs_spikes and any(p.signed for p in network.projections):
            raise DescriptionError(say(where, f"rule {self.rule!r} has no signed projections"))
        self._check_kinds(where, network)
        if self.critic == "spiking":
            check_described_critic(network, self.features)
        plastic = {p.post for p in network.projections if p.plasticity is not None}
        hidden = hidden_layers(network)
        others = plastic - {"output", *hidden}
        others -= {"critic"} if self.critic == "spiking" else set()
        if others and not self.learning_rule.pairs_spikes:
            what = f"rule {self.rule!r} learns only in 'output', 'hidden', below it 'hidden_2'..."
            raise DescriptionError(say(where, what, got=sorted(others), remedy="reward-stdp"))
        chain = module_projections(network)
        if self.learning_rule.needs_modules and len(chain) < len(hidden):
            what = f"rule {self.rule!r} needs modules, of one 'output' neuron each"
            ends = f"{hidden[len(chain)]!r} to {('output', *hidden)[len(chain)]!r}"
            size = network.node("output").size
            remedy = f"a plastic projection from {ends} of {size} blocks"
            raise DescriptionError(say(where, what, remedy=remedy))
        self._check_probability(where, network)
        if not self.carries:
            self._check_window(network.depth("output"))

    def _check_kinds(self, where: str, network: Network) -> None:
        kind = "current" if self.encoder == "current" else "spikes"
        for source in network.sources:
            if source.name in ("input", "critic_input") and source.kind != kind:
                what = f"encoder {self.encoder!r} needs a source {source.name!r} of another kind"
                raise DescriptionError(say(where, what, got=repr(source.kind), limit=repr(kind)))
        if any(p.pre in network.currents and p.plasticity for p in network.projections):
            self._check_pairs(where)

    def _check_pairs(self, where: str) -> None:
        if self.learning_rule.pairs_spikes:
            what = f"rule {self.rule!r} pairs spikes, of which a current has none"
            remedy = "encoder 'quiet', or another rule"
            raise DescriptionError(say(where, what, remedy=remedy))

    def _check_probability(self, where: str, network: Network) -> None:
        """Whether p can be recomputed from rasters and weights, if the rule needs it."""
        if not self.learning_rule.needs_probability:
            return
        what = f"rule {self.rule!r} needs spike probabilities"
        if self.carries:
            raise DescriptionError(say("agent.carries", f"{what}, which are computed from rest"))
        learning = {p.post for p in network.projections if p.plasticity is not None}
        for population in network.populations:
            if population.name in learning:
                dynamics = population.neuron.dynamics(population.size, network.dt)
                if dynamics.noise_width.min() <= 0:
                    problem = f"{what}, and {population.name!r} has no noise"
                    raise DescriptionError(say(where, problem))
