"""Write a description as the text of Brian2 equations; no Brian2 object is made here.

Names are by index (``node_0``, ``projection_1``), because they end up in the compiled code: two
networks of the same kind then share what Brian2 has compiled and cached.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from textwrap import indent
from typing import NamedTuple

import numpy as np

from neurorl.arithmetic.chip_noise import COINS, NOISE_MAX, NOISES
from neurorl.arithmetic.quantiser import CURRENT_BITS, VOLTAGE_MAX
from neurorl.network.description import Network, Population, Projection

__all__ = [
    "Draw",
    "NodeText",
    "ProjectionText",
    "arrival_of",
    "draw",
    "population_text",
    "projection_text",
    "seed_lines",
    "source_text",
    "start_of",
]


class Draw(NamedTuple):
    """Specify noise that every neuron draws in every step.

    variable: the variable that it is written to.
    function: one of `neurorl.backends.brian2.noise.noise_functions`.
    call: the function's call.
    stream: the variable that holds the number of the stream.
    """

    variable: str
    function: str
    call: str
    stream: str


@dataclass(frozen=True)
class NodeText:
    """Hold the arguments of a `brian2.NeuronGroup`.

    title: a comment for the reader.
    draws, update: the code of its ``run_regularly``, in this order.
    starts: variables that a reset doesn't set to 0, each with the one that has its value instead.
    states: further variables that it does set to 0.
    """

    title: str
    name: str
    size: int
    model: str
    threshold: str
    reset: str = ""
    draws: tuple[Draw, ...] = ()
    update: str = ""
    starts: tuple[tuple[str, str], ...] = ()
    states: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        """Return the code of ``run_regularly``."""
        return "\n".join([*(f"{draw.variable} = {draw.call}" for draw in self.draws), self.update])

    def __str__(self) -> str:
        lines = [
            f"# {self.title}",
            f"{self.name} = NeuronGroup({self.size}, '''",
            indent(self.model, "    "),
            f"''', threshold='{self.threshold}', reset={self.reset!r})",
        ]
        if self.update:
            lines += [
                f"{self.name}.run_regularly('''",
                indent(self.code, "    "),
                "''', when='groups')",
            ]
        return "\n".join(lines)


@dataclass(frozen=True)
class ProjectionText:
    """Hold the arguments of a `brian2.Synapses`.

    title: a comment for the reader.
    delay_steps: one less than the projection's, as what arrives acts in the next step.
    synapses: number of synapses.
    arrival: the variable that they add to.
    listed: whether the description lists them. delays: how many there are, if each has its own.
    release: with short-term plasticity, the presynaptic variables of what spikes of the last step,
        of the one before, ... release.
    """

    title: str
    name: str
    pre: str
    post: str
    delay_steps: int
    synapses: int
    arrival: str = "q"
    model: str = "w : 1"
    listed: bool = False
    delays: int = 0
    release: tuple[str, ...] = ()

    @property
    def on_pre(self) -> str:
        """Return the code of a spike."""
        if self.release and self.delays:
            ages = (f"int(age == {k})*{r}_pre" for k, r in enumerate(self.release, start=1))
            return f"{self.arrival}_post += w*({' + '.join(ages)})"
        if self.release:
            return f"{self.arrival}_post += w*{self.release[-1]}_pre"
        return f"{self.arrival}_post += w"

    def __str__(self) -> str:
        delay = "" if self.delays else f", delay={self.delay_steps}*dt"
        each = f"\n{self.name}.delay = ...  # 0 to {self.delay_steps} steps" if self.delays else ""
        return (
            f"# {self.title}\n"
            f"{self.name} = Synapses({self.pre}, {self.post}, '{self.model}', "
            f"on_pre='{self.on_pre}'{delay})\n"
            f"{self.name}.connect(i=..., j=...)  # {self.synapses} synapses{each}"
        )


def node_name(network: Network, name: str) -> str:
    """Return the Brian2 name of a node."""
    return f"node_{network.index(name)}"


def projection_name(network: Network, projection: Projection) -> str:
    """Return the Brian2 name of a projection."""
    return f"projection_{network.projections.index(projection)}"


def source_text(network: Network, name: str) -> NodeText:
    """Return the text of a source; ``inject`` gets a row of the input raster before each step."""
    return NodeText(
        title=f"source {name!r}",
        name=node_name(network, name),
        size=network.node(name).size,
        model="inject : boolean",
        threshold="inject",
    )


def population_text(
    network: Network,
    population: Population,
    *,
    chip: bool,
    noise: str,
    refractory: bool,
    replicas: bool = False,
    shared: Collection[str] = (),
) -> NodeText:
    """Return the text of a population, without the code that it doesn't need (noise, dead steps).

    chip: whether it is in the integers of `neurorl.arithmetic.quantiser`, which float64 holds
    exactly. noise: as in `neurorl.arithmetic.chip_noise`, or ``''`` for none. refractory: whether
    it has dead steps. replicas: whether there are several; neurons then count from 0 in each, and
    each has a seed and
        a time of its own.
    shared: names of constants that have one value for all neurons.
    """
    escapes = noise in NOISES and NOISES[noise].is_exact
    over = "v + noise > threshold" if escapes else "v > threshold"
    own = noise if noise in _OWN_NOISE else ""
    update = [*(_chip_update(own) if chip else _FLOAT_UPDATE), "q = 0"]
    model = [*_STATE, *(_CHIP_DECAYS if chip else _FLOAT_DECAYS), *_LEVELS]
    reset = ["v = 0"]
    if noise:
        model += [*_NOISE, *_OWN_NOISE.get(noise, _ESCAPE_NOISE)]
        model += seed_lines(replicas)
    if escapes:
        scaled = "noise_width*noise"
        update += [f"noise = {f'floor({scaled} + 0.5)' if chip else scaled}"]
    if refractory:
        model += _REFRACTORY
        update += ["live = dead == 0", "v = v*int(live)", "dead = dead - int(dead > 0)"]
        over = f"live and {over}"
        reset += ["dead = refractory_steps"]
    return NodeText(
        title=f"population {population.name!r}",
        name=node_name(network, population.name),
        size=population.size,
        model="\n".join(_share(line, shared) for line in model),
        threshold=over,
        reset="; ".join(reset),
        draws=tuple(draw(*drawn, replicas) for drawn in _DRAWN.get(noise, ())),
        update="\n".join(update),
    )


def arrival_of(name: str) -> str:
    """Return the variable that synapses to this input of neurons by equations add to."""
    return f"arrived_{name}"


def start_of(name: str) -> str:
    """Return the variable that has the initial value of another, by its name in Brian2."""
    return f"start_{name}"


def projection_text(network: Network, projection: Projection) -> ProjectionText:
    """Return the text of a projection; only synapses that its mask and blocks allow are made."""
    mask, shape = projection.mask, network.weight_shape(projection.name)
    delays = network.synapse_delays(projection.name)
    kind = ", signed: w is twice the weight" if projection.signed else ""
    post = network.node(projection.post)
    has_equations = isinstance(post, Population) and post.plan(network.dt) is not None
    return ProjectionText(
        title=f"projection {projection.name!r}{kind}",
        name=projection_name(network, projection),
        pre=node_name(network, projection.pre),
        post=node_name(network, projection.post),
        delay_steps=network.delay_steps(projection.name) - 1,
        synapses=math.prod(shape) if mask is None else int(mask.sum()),
        arrival=arrival_of(network.target(projection)) if has_equations else "q",
        listed=projection.is_sparse,
        delays=0 if delays is None else len(np.unique(delays)),
    )


def _share(line: str, shared: Collection[str]) -> str:
    """Return a line of the model, marked as shared if it declares one of the *shared* constants."""
    name = line.split(" : ")[0]
    return line.replace("(constant)", "(constant, shared)") if name in shared else line


_STATE = ["u : 1", "v : 1", "q : 1"]
_FLOAT_DECAYS = ["current_decay : 1 (constant)", "membrane_decay : 1 (constant)"]
_CHIP_DECAYS = ["current_kept : 1 (constant)", "membrane_kept : 1 (constant)"]  # of 4096
_LEVELS = ["threshold : 1 (constant)", "bias : 1"]
_NOISE = ["noise : 1", "stream : integer (constant, shared)"]
_ESCAPE_NOISE = ["noise_width : 1 (constant)"]
_UNIFORM = ["noise_step : 1 (constant)"]  # of 127 steps in both directions
_COINS = [f"coin_{j} : 1 (constant)" for j in range(len(COINS))]  # what each transmits
_TOSS = ["toss : 1", "coin_stream : integer (constant, shared)"]
_OWN_NOISE = {"chip": _UNIFORM, "chip+coins": [*_UNIFORM, *_COINS, *_TOSS]}
# Variable, function and stream of each draw, by the kind of noise.
_DRAWN = {
    "exact": [("noise", "logistic", "stream")],
    "chip": [("noise", "draw", "stream")],
    "chip+coins": [("toss", "draw", "coin_stream"), ("noise", "draw", "stream")],
}
_SEED = ["seed : integer (constant, shared)"]
# With several replicas: a neuron's number in its replica, the replica's steps less those of the
# network, and the replica's seed.
_SEEDS = ["neuron : integer (constant)", "ahead : integer", "seed : integer (constant)"]
_REFRACTORY = [
    "dead : integer",
    "live : boolean",
    "refractory_steps : integer (constant)",
]

_FLOAT_UPDATE = ["u = current_decay*u + q", "v = membrane_decay*v + u + bias"]


def seed_lines(replicas: bool) -> list[str]:
    """Return the lines of a model that say by which seed draws are made."""
    return _SEEDS if replicas else _SEED


def draw(variable: str, function: str, stream: str, replicas: bool) -> Draw:
    """Return a draw, of neurons of one network or of several *replicas*."""
    who, when = ("neuron", "t_in_timesteps + ahead") if replicas else ("i", "t_in_timesteps")
    return Draw(variable, function, f"{function}({who}, {when}, {stream}, seed)", stream)


def _wrap(x: str, bits: int) -> str:
    """Return code that wraps *x* to a register of *bits* bits and a sign."""
    span = 2 << bits
    return f"{x} - {span}*floor({x}/{span} + 0.5)"


def _chip_update(own: str) -> list[str]:
    """Return the code of a step in chip arithmetic.

    own: ``'chip'`` or ``'chip+coins'`` for noise of its own, made from the bits of draws as in
        `neurorl.arithmetic.chip_noise`; ``''`` for none.
    """
    coins, drawn = [], []
    if own and NOISES[own].has_coins:
        bits = [f"(floor(toss/{2**j}) - 2*floor(toss/{2 ** (j + 1)}))" for j in range(len(COINS))]
        landed = " + ".join(f"coin_{j}*{bit}" for j, bit in enumerate(bits))
        coins = [f"toss = toss % {2 ** len(COINS)}", f"q = q + {landed}"]
    if own:
        span = 2 * NOISE_MAX + 1
        evenly = f"floor(noise*{span}/{2**32}) - {NOISE_MAX}"
        drawn = [f"noise = noise_step*({evenly})"]
    return [
        *coins,
        f"q = {_wrap('q', CURRENT_BITS)}",
        "u = sign(u)*floor(abs(u)*current_kept/4096) + q",
        f"u = {_wrap('u', 23)}",
        *drawn,
        "q = u + bias" + " + noise" * bool(own),
        f"v = sign(v)*floor(abs(v)*membrane_kept/4096) + {_wrap('q', 23)}",
        f"v = clip(v, {-VOLTAGE_MAX}, {VOLTAGE_MAX})",
    ]
