"""Make a page for each learning rule of the registry, from the rule itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from documentation import formulas
from documentation.pages import Page, below_constant, cleaned, described, equations, table
from documentation.rule_figure import response
from neurorl.rules import RULES, Rule, registry
from neurorl.rules.registry import is_shipped

_SYMBOLS = {"spike": "s", "trace": "x", "slow": r"o_\mathrm{slow}", "perturbation": r"\xi"}
NAMES = {
    "spike": "1 in a step in which the neuron spikes, else 0",
    "p": "probability of that spike, given the input; 0 to 1",
    "phi": "1[m = a] - pi, told to the neuron's module m; -1 to 1",
    "t": "1 if the module's action was taken, -1 if not, 0 if it wasn't allowed",
    "b": "sign of the neuron's path to its output before learning; 1 for the output",
    "V": "weight of that path in force; 1 for the output",
    "y": "1 if the module's output spikes when the neuron's spike would have come so far, else -1",
    "n": "the neuron's spikes in the steps that count",
    "W": "how many steps count: those that input can have reached",
    "v": "membrane after the step and its reset, membrane units",
    "theta": "threshold, membrane units, > 0",
    "slow": "trace of the neuron's own spikes before the step, with slow_tau",
    "M": "the modulator of the decision",
    "trace": "presynaptic trace",
    "perturbation": "what the neuron was given in this step, less its mean; a signal",
}
"""Say what each name in a rule's text is, with its range or unit."""
_CONSTANTS = {
    "eligibility_tau": "time constant of the eligibility, s",
    "eligibility_keep": "what is left of the eligibility after a window, 0 to 1",
    "post_tau": "time constant of the neuron's own trace y, s",
    "depression": "A, the size of depression beside that of potentiation",
    "slow_tau": "time constant of the slow trace of own spikes, s",
    "modulator": "the modulator that it hears, where there are several",
}


def rules() -> dict[str, Rule]:
    """Return the rules of the library by name."""
    return {name: rule for name, rule in RULES.items() if is_shipped(rule)}


def write_pages(folder: Path) -> list[str]:
    """Write a page and a figure of each rule, and return their names."""
    for rule in rules().values():
        page(rule, folder).write(folder)
    return list(rules())


def page(rule: Rule, folder: Path) -> Page:
    """Return the page of a rule, and draw its figure into *folder*."""
    prose, _ = described(docstring(rule))
    made = Page(rule.name, rule.name)
    made.add(cleaned(prose[0]), equations(_equations(rule)), *map(cleaned, prose[1:]))
    made.show(folder, response(rule), f"{rule.name}: its response")
    made.add(_caption(rule))
    names = [(f"${_symbol(name)}$, `{name}`", _meaning(rule, name)) for name in sorted(rule.named)]
    made.add("## Names and constants", table(("name", "what it is"), [*names, *_more_names(rule)]))
    constants = [(f"`{name}`", f"{value}", _CONSTANTS[name]) for name, value in _constants(rule)]
    if constants:
        made.add(table(("constant", "value", "what it is"), constants))
    made.add("## What it needs", "\n".join(f"- {line}" for line in needs(rule)))
    made.add("## Where it runs", table(("where", ""), where(rule)))
    made.add("## In a program", f"```python\n{usage(rule)}```")
    text = f'output="{rule.output}"'
    if rule.hidden != rule.output:
        text += f',\nhidden="{rule.hidden}"'
    made.add("Its texts, to begin one of your own with ([rules](../../rules.md)):")
    made.add(f"```text\n{text}\n```")
    return made


def docstring(rule: Rule) -> str:
    """Return what the source says below the rule."""
    return below_constant(registry, rule.name.replace("-", "_").upper())


def usage(rule: Rule) -> str:
    """Return a program of a few lines that learns by the rule."""
    if not rule.signals:
        return (
            "from neurorl import SpikingActorCritic\n\n"
            f'agent = SpikingActorCritic("neurorl/GridWorld-v0", rule="{rule.name}", seed=1, '
            'backend="reference")\n'
            "agent.learn(total_episodes=2)\n"
            'print(agent.config.rule, "after", agent.env_steps, "steps")\n'
        )
    signals = ", ".join(f'"{name}": rng.normal(size=(20, 5))' for name in rule.signals)
    return (
        "import numpy as np\n"
        "from neurorl import Learning, Network, Plasticity, Population, Projection, Source, load\n"
        "from neurorl.models import LIF\n\n"
        "plastic = Plasticity(trace_tau=0.02)\n"
        'learns = Projection("learns", "input", "cells", 0.1, plasticity=plastic)\n'
        'network = Network((Source("input", 9), Population("cells", 5, LIF())), (learns,))\n'
        "rng = np.random.default_rng(0)\n"
        'with load("reference", network, seed=1) as backend:\n'
        f'    learning = Learning(backend, "{rule.name}", rate=0.01)\n'
        f'    learning.window({{"input": rng.random((20, 9)) < 0.3}}, 20, signals={{{signals}}})\n'
        "    learning.reinforce(1.0)\n"
    )


def needs(rule: Rule) -> Iterator[str]:
    """Yield a sentence for each thing that the rule needs, and one on drift."""
    if rule.needs_probability:
        yield "Neurons with escape noise, for p."
    if rule.needs_membrane:
        yield "Membranes and thresholds, for v and theta: LIF or CubaLIF with a threshold above 0."
    if rule.needs_modules and not rule.signals:
        yield "Modules, one for each action, as agents have them."
    if rule.needs_paths:
        yield "Weights of paths in force, which a synapse can't know."
    if rule.needs_td_error:
        yield "The TD error as its modulator."
    for name in rule.signals:
        yield f"The signal `{name}`, broadcast by the caller."
    if rule.pairs_spikes:
        yield "Nothing of a population: it learns in any, in and outside of modules."
    if rule.is_centred:
        yield "No exact critic: its factors have the mean 0, so a constant error adds no drift."
    else:
        yield "A modulator with the mean 0: a constant error of the critic lets weights drift."


def where(rule: Rule) -> Iterator[tuple[str, str]]:
    """Yield places where rules run, and whether this one does."""
    agents = "no: agents have no signals" if rule.signals else "yes, on every backend"
    refused = sorted(rule.named & {"V", "y", "t", "M"})
    yield "agents, by the host", agents
    yield "`Learning`, any loop", f"no: {', '.join(refused)} need an agent" if refused else "yes"
    reasons = {
        "it pairs spikes": rule.pairs_spikes,
        "agents have no signals": bool(rule.signals),
        "M comes after the chip was told": rule.names("M"),
    }
    why = [reason for reason, is_so in reasons.items() if is_so]
    chip = f"no: {why[0]}" if why else "yes, on backend `loihi`"
    yield 'agents, on the chip (`learning="pes"`)', chip


def _equations(rule: Rule) -> Iterator[str]:
    output = formulas.expression(rule.output or "", _SYMBOLS)
    hidden = formulas.expression(rule.hidden or "", _SYMBOLS)
    if output == hidden:
        yield rf"f &= {output}"
    else:
        yield rf"f_\mathrm{{output}} &= {output}"
        yield rf"f_\mathrm{{hidden}} &= {hidden}"
    if rule.pairs_spikes:
        gate = r"g\, A\, " if rule.gates_depression else r"A\, "
        yield (
            r"e &\leftarrow d^W e + \sum_t d^{W-1-t} "
            rf"\left(x(t)\, f(t) - {gate}a(t)\, y(t)\right), \quad d = e^{{-dt/\tau_e}}"
        )
    elif rule.eligibility_keep is not None:
        keep = f"{rule.eligibility_keep:g}\\, e + " if rule.eligibility_keep else ""
        yield rf"e &\leftarrow {keep}\sum_t x(t)\, f(t)"
    else:
        yield r"e &\leftarrow \gamma \lambda\, e + \sum_t x(t)\, f(t)"
    yield r"w &\leftarrow \operatorname{clip}\left(w + \frac{\alpha}{N}\, M\, e\right)"


def _caption(rule: Rule) -> str:
    if rule.pairs_spikes:
        return (
            "What pairs of spikes leave in the eligibility of a synapse, on `Learning`: one pair, "
            "and five. The trace of the input decays with 20 ms; phi and b are 1."
        )
    return (
        "The post factor in each step of one window: spikes, which are ringed, membranes and "
        "signals are made up, M is 1, and the policy gave the action taken 0.4."
    )


def _meaning(rule: Rule, name: str) -> str:
    said = NAMES.get(name) or "a signal"
    if name == "b" and rule.random_feedback:
        return "1 or -1, drawn for each hidden neuron by the agent's seed; 1 for the output"
    return said


def _more_names(rule: Rule) -> Iterator[tuple[str, str]]:
    yield (
        "$x$",
        "presynaptic trace of the spikes that have arrived, with the projection's `trace_tau`",
    )
    if rule.pairs_spikes:
        yield "$a$, $y$", "spikes that arrive; trace of the neuron's own spikes"
        if rule.gates_depression:
            yield "$g$", "what f multiplies spikes with"
    yield "$N$", "running mean of a layer's squared input traces; 1 for agents that don't normalise"
    yield r"$\alpha$, $M$", "step size; the modulator, clipped to the agent's `modulator_limit`"


def _constants(rule: Rule) -> Iterator[tuple[str, object]]:
    for name in _CONSTANTS:
        value = getattr(rule, name)
        if value is not None:
            yield name, value


def _symbol(name: str) -> str:
    return _SYMBOLS.get(name) or formulas.symbol(name)
