"""Build the papers' network: many actors, each a module of hidden units for every action."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.network.description import (
    Network,
    Neuron,
    Node,
    Plasticity,
    Population,
    Projection,
    Source,
    Uniform,
)
from neurorl.network.limits import MAX_LAYERS, MAX_SIZE, MAX_TAPS, check_limit
from neurorl.network.modules import hidden_name
from neurorl.network.serialization import number, positive


def hidden_sizes(hidden: int | Sequence[int]) -> tuple[int, ...]:
    """Return the units of a module's hidden layers, from the input to the output; none for 0.

    Raises DescriptionError for what isn't a whole number of units.
    """
    if isinstance(hidden, (tuple, list)):
        check_limit("hidden", "layers", len(hidden), MAX_LAYERS)
        return tuple(positive("hidden", size, most=MAX_SIZE) for size in hidden)
    if isinstance(hidden, (int, np.integer)) and hidden == 0:
        return ()
    return (positive("hidden", hidden, most=MAX_SIZE),)


def actor_network(
    n_inputs: int,
    n_actions: int,
    *,
    neuron: Neuron,
    actors: int = 10,
    hidden: int | tuple[int, ...] = 8,
    signed: bool = False,
    trace_tau: float = 0.0,
    initial_hidden: float = 0.2,
    initial_output: float = 0.02,
    bound: float = 1.0,
    stimulus_lags: int = 1,
    history_lags: int = 0,
    history: Sequence[float] = (),
    critic: int = 0,
    critic_inputs: int = 0,
    currents: bool = False,
    input_delays: Sequence[int] = (),
    hidden_delays: Sequence[int] = (),
    bias: bool = True,
    dt: float = 1e-3,
) -> Network:
    """Build ``actors x n_actions`` modules ``n_inputs -> hidden -> 1``, every synapse plastic.

    hidden: units of a module's hidden layer, or of each of its hidden layers from the input to the
    output, as in ``(8, 4)``; 0 leaves them out.

    Nodes: source ``input``, source ``bias`` of one channel (let it spike in every step),
    populations ``hidden`` (``actors * n_actions * hidden`` neurons, a module's together, modules by
    actor then action) and ``output`` (``actors * n_actions``). The hidden layer next to the output
    is ``hidden``, further ones below are ``hidden_2``, ``hidden_3``... Projections are named after
    their ends, such as ``input_hidden``, ``bias_hidden``, ``hidden_output``, ``bias_output``;
    between layers of a module they have a block for each module.

    signed: hidden units transmit +-1, as in the papers. trace_tau: time constant of every synapse's
    trace, s; the bias of a layer above hidden units has no trace.
    initial_hidden, initial_output: half-ranges of the uniform initial weights to hidden units (from
    input and bias), and to the output from hidden units, or from the input if there are none;
    biases of the output start at 0. bound: largest weight.

    stimulus_lags, history_lags: taps K and L of the filters of every hidden and output unit j::

        drive_j(t) = b_j + sum_i sum_{l=1..K} k_ijl x_i(t-l) + sum_{l=1..L} h_jl y_j(t-l)

    with presynaptic spikes x (+-1 if signed) and its own spikes y in {0, 1}; every tap is a weight
    of its own that learns, without basis functions. Tap 1 of k is the projection named above,
    further ones are ``input_hidden_lag2``, ..., drawn alike; taps of h are ``hidden_history_1``,
    ..., initially *history* (h_1, ..., h_L; 0 if not given). With `GLM` this is the unit of
    arXiv:1910.06489. See `least_window`.

    input_delays, hidden_delays: delays in steps of more projections into the first layer: from the
    input, such as ``input_hidden_delay13``, drawn like the first one, and from all N units of the
    layer to all, such as ``hidden_delay13``, drawn within +-initial_hidden, times
    sqrt(n_inputs / N) if N > n_inputs. Delays longer than a window are a memory of earlier
    decisions, if the state is carried on.

    bias: False leaves out the source ``bias`` and its projections. Beside one cell of a numbered
    state, a channel that spikes in every step would have half of all drive and eligibility.
    currents: all sources give currents (let the bias be 1), which are constant over a window, so
    their filters have one tap.
    critic: neurons of a population ``critic`` that codes the value of a state, with inputs from a
    source ``critic_input`` of *critic_inputs* channels and initial weights 0; 0 for none.
    Raises DescriptionError for taps that don't fit.
    Source: arXiv:2005.05941, arXiv:1910.06489 (populations of actors, one module per action).
    """
    modules = actors * n_actions
    taps = history_taps(history_lags, history, bound)
    lags = range(2, positive("stimulus_lags", stimulus_lags, most=MAX_TAPS) + 1)
    kind = "current" if currents else "spikes"
    nodes: list[Node] = [Source("input", n_inputs, kind)]
    if bias:
        nodes.append(Source("bias", 1, kind))
    plasticity = Plasticity(trace_tau, -bound, bound)
    first: list[Projection] = []
    later: list[Projection] = []  # last, so that initial weights of the first don't depend on them

    def connect(
        pre: str,
        post: str,
        spread: float,
        lags: Sequence[int] = (),
        learns: Plasticity = plasticity,
        blocks: int = 1,
        signed: bool = False,
    ) -> None:
        """Add a projection, and one more for each of the *lags*; weights within +-*spread*."""
        weights = Uniform(-spread, spread) if spread else 0.0
        name = f"{pre}_{post}"
        one = Projection(name, pre, post, weights, blocks, signed=signed, plasticity=learns)
        first.append(one)
        later.extend(replace(one, name=f"{name}_lag{lag}", delay=lag * dt) for lag in lags)

    def recall(
        name: str, pre: str, post: str, weights: Uniform | float, steps: int, blocks: int = 1
    ) -> None:
        """Add a projection that brings back what *pre* did so many *steps* ago."""
        now = Projection(name, pre, post, weights, blocks, plasticity=plasticity)
        later.append(replace(now, delay=steps * dt))

    sizes = (*hidden_sizes(hidden), 1)
    names = [hidden_name(below) for below in range(len(sizes) - 1, 0, -1)] + ["output"]
    for k, (name, size) in enumerate(zip(names, sizes, strict=True)):
        nodes.append(Population(name, modules * size, neuron))
        is_output = name == "output"
        if k:
            connect(names[k - 1], name, initial_output, lags, blocks=modules, signed=signed)
        else:
            spread = initial_output if is_output else initial_hidden
            connect("input", name, spread, () if currents else lags)
        if bias:
            # Hidden units spike rarely, so a bias with a trace would learn too fast beside them.
            own = replace(plasticity, trace_tau=0.0 if k else trace_tau)
            connect("bias", name, 0.0 if is_output else initial_hidden, learns=own)
        for lag, tap in enumerate(taps, 1):
            recall(f"{name}_history_{lag}", name, name, tap, lag, modules * size)
    lowest, drawn = names[0], Uniform(-initial_hidden, initial_hidden)
    for delay in input_delays:
        recall(f"input_{lowest}_delay{delay}", "input", lowest, drawn, delay)
    for delay in hidden_delays:
        spread = initial_hidden * min(1.0, n_inputs / (modules * sizes[0])) ** 0.5
        drawn = Uniform(-spread, spread)
        recall(f"{lowest}_delay{delay}", lowest, lowest, drawn, delay)
    if critic:
        nodes += [Source("critic_input", critic_inputs, kind), Population("critic", critic, neuron)]
        connect("critic_input", "critic", 0.0)
    return Network(tuple(nodes), (*first, *later), dt)


def history_taps(lags: int, history: Sequence[float], bound: float) -> tuple[float, ...]:
    """Return the initial taps of a history filter, one for each lag; 0 if *history* is empty.

    Raises DescriptionError for another number of taps than *lags*, or one beyond +-bound.
    """
    positive("history_lags", lags, 0, MAX_TAPS)
    if len(history) not in (0, lags):
        what = "must be one tap for each of history_lags"
        raise DescriptionError("history", what, got=len(history), limit=lags)
    return tuple(number("history", tap, -bound, bound) for tap in history or (0.0,) * lags)


def least_window(layers: int, stimulus_lags: int = 1, history_lags: int = 0) -> int:
    """Return how many steps every tap of `actor_network` needs to see a spike and answer.

    From silence, ``max(layers K, layers + L) + 1``: an input takes the last tap K of each layer, or
    reaches the output and comes back by its last tap L. layers: steps from input to output: one
    more than there are hidden layers, one less for currents.
    """
    return max(layers * stimulus_lags, layers + history_lags) + 1
