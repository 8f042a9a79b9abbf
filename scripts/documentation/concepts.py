"""Draw the concepts: a description on its way to a backend, a decision, a rule."""

from __future__ import annotations

from collections.abc import Callable

from documentation.drawing import Drawing
from documentation.window import window


def description() -> Drawing:
    """Draw how a description becomes a simulation."""
    d = Drawing(
        "description",
        760,
        560,
        "A description is checked, given replicas and an arithmetic, and built by one simulator; "
        "all return the same spikes",
    )
    d.box(40, 12, 330, 62, "Network(nodes, projections, dt)", "sources, populations, projections")
    d.box(490, 12, 230, 62, "a file", "plain JSON data", kind="plain")
    d.arrow([(370, 34), (488, 34)], "save_network", (429, 26))
    d.arrow([(490, 54), (372, 54)], "load_network", (429, 72))
    d.arrow([(205, 74), (205, 116)])
    d.text(222, 100, "load(name, network, seed=, arithmetic=)", "l")
    d.box(
        40,
        118,
        680,
        60,
        "may it run?",
        "every part that the simulator can't run is named",
        kind="gold",
    )
    d.arrow([(205, 178), (205, 204)])
    d.box(40, 206, 330, 80, "replicas", "one copy of the network for each seed,", "side by side")
    d.box(
        390,
        206,
        330,
        80,
        "arithmetic",
        "float: weights on a fine grid",
        "loihi: integers of the chip",
    )
    d.arrow([(370, 246), (388, 246)])
    d.arrow([(555, 286), (555, 318)])
    d.text(570, 307, "SimulatedNetwork", "l")
    d.box(40, 320, 680, 96, "", kind="plain")
    d.text(380, 340, "Simulator.build, once", "t")
    names = (
        ("reference", "NumPy"),
        ("native", "printed C++"),
        ("brian2", "its own code"),
        ("loihi", "chip emulator"),
        ("torch", "with gradients"),
        ("yours", "an entry point"),
    )
    for k, (name, what) in enumerate(names):
        d.box(50 + 111 * k, 352, 105, 54, name, what, kind="gold")
    d.arrow([(380, 416), (380, 446)])
    d.text(394, 436, "Backend", "l")
    d.box(
        40,
        448,
        330,
        96,
        "step(inputs, n_steps)",
        "spikes of the sources in,",
        "rasters out: the same bits",
        "on every backend of one arithmetic",
        kind="green",
    )
    d.box(
        390,
        448,
        330,
        96,
        "set_weights, state, restore",
        "between calls of step:",
        "agents and Learning write",
        "new weights here",
        kind="green",
    )
    return d


def decision() -> Drawing:
    """Draw how an observation becomes an action, and a reward a change of weights."""
    d = Drawing(
        "decision",
        760,
        640,
        "Observation, cells, input spikes, populations, votes, action; then reward, TD error, "
        "eligibility and weights",
    )
    d.text(20, 26, "1. Decide", "h")
    d.box(20, 42, 160, 66, "observation", "of the environment")
    d.box(210, 42, 160, 66, "cells", "features of it,", "activations in [0, 1]")
    d.box(400, 42, 160, 66, "encoder", "activations to spikes", "(or to currents)")
    d.box(590, 42, 150, 66, "input", "source: a raster", "of W steps")
    for x in (180, 370, 560):
        d.arrow([(x, 75), (x + 28, 75)])
    d.arrow([(665, 108), (665, 148)])
    d.text(516, 133, "W steps on a backend", "l")
    d.box(400, 150, 340, 118, "", kind="plain")
    d.text(570, 170, "populations of the network", "t")
    d.box(580, 182, 150, 74, "hidden", "a block of units", "for each module", kind="gold")
    d.box(410, 182, 140, 74, "output", "one neuron for", "each module", kind="gold")
    d.arrow([(580, 219), (552, 219)])
    d.box(210, 182, 160, 74, "votes", "spikes of the outputs", "of each action")
    d.arrow([(410, 219), (372, 219)])
    d.box(20, 182, 160, 74, "policy, action", "pi of the votes,", "a drawn from pi")
    d.arrow([(210, 219), (182, 219)])
    d.arrow([(100, 182), (100, 110)], "", None)
    d.text(112, 150, "environment's next step", "l")

    d.text(20, 318, "2. Learn, when the environment has answered", "h")
    d.box(20, 334, 160, 74, "reward r,", "next observation")
    d.box(210, 334, 160, 74, "features, critic", "V = v . x, linear,", "learns by TD(lambda)")
    d.box(400, 334, 160, 74, "TD error", "d = r + gamma V(s')", "- V(s)")
    d.box(590, 334, 150, 74, "modulator M", "d, clipped: one", "number for all")
    for x in (180, 370, 560):
        d.arrow([(x, 371), (x + 28, 371)])
    d.box(20, 452, 160, 74, "phi", "1[m = a] - pi_m,", "told to module m", kind="green")
    d.box(210, 452, 160, 74, "post factor f", "of each neuron,", "by the rule's text", kind="green")
    d.box(400, 452, 160, 74, "eligibility e", "keep e + sum x f", "of each synapse", kind="green")
    d.box(590, 452, 150, 74, "weight w", "w + alpha M e / N,", "within its bounds", kind="green")
    for x in (180, 370, 560):
        d.arrow([(x, 489), (x + 28, 489)])
    d.arrow([(665, 408), (665, 450)])
    d.box(
        210,
        562,
        160,
        66,
        "its neuron's spikes",
        "and p, v of neurons,",
        "if the rule names them",
        kind="gold",
    )
    d.arrow([(290, 562), (290, 528)])
    d.box(400, 562, 160, 66, "input trace x", "of spikes that", "have arrived", kind="gold")
    d.arrow([(480, 562), (480, 528)])
    d.box(590, 562, 150, 66, "backend", "runs the next window", "with them", kind="gold")
    d.arrow([(665, 526), (665, 560)])
    return d


def rule() -> Drawing:
    """Draw one synapse, with its three factors and where each of them is known."""
    d = Drawing(
        "rule", 760, 360, "A synapse multiplies its trace, its neuron's post factor and a modulator"
    )
    d.text(20, 26, "Known at the synapse", "h")
    d.box(
        20, 44, 210, 84, "1. trace x(t)", "x <- d x + arriving spike,", "d = exp(-dt / trace_tau)"
    )
    d.text(270, 26, "Known at the neuron", "h")
    d.box(
        270,
        44,
        220,
        84,
        "2. post factor f(t)",
        "such as spike*(1 - n/W)*phi",
        "phi: what its module is told",
    )
    d.text(530, 26, "Known to all", "h")
    d.box(
        530,
        44,
        210,
        84,
        "3. modulator M",
        "the TD error, or",
        "the reward less its mean",
        kind="green",
    )
    d.box(120, 180, 270, 62, "eligibility e", "e <- keep e + sum over t of x(t) f(t)", kind="gold")
    d.arrow([(125, 128), (125, 154), (220, 154), (220, 178)])
    d.arrow([(380, 128), (380, 154), (290, 154), (290, 178)])
    d.box(270, 284, 300, 62, "weight w", "w <- clip(w + alpha M e / N, low, high)", kind="gold")
    d.arrow([(255, 242), (255, 264), (370, 264), (370, 282)])
    d.arrow([(635, 128), (635, 264), (480, 264), (480, 282)])
    d.text(404, 216, "keep = gamma lambda_actor,", "l")
    d.text(404, 234, "once for each decision", "l")
    d.text(20, 304, "N: running mean of a layer's", "l")
    d.text(20, 322, "squared input traces, 1 if", "l")
    d.text(20, 340, "the agent doesn't normalise", "l")
    return d


DRAWINGS: dict[str, Callable[[], Drawing]] = {
    "description": description,
    "decision": decision,
    "window": window,
    "rule": rule,
}
"""Map the name of each drawing in docs/drawings to what draws it."""
