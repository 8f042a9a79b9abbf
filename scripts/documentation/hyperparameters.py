"""Write docs/hyperparameters.md: every field of every part of an agent, from the classes.

python scripts/hyperparameters.py
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, get_args, get_origin

import neurorl.models.features
from documentation import neuron_pages, rule_pages
from documentation.hyperparameter_words import RANGES, SAID
from documentation.pages import cleaned, described, table
from neurorl.models import Equations
from neurorl.models.agent.fields import KINDS, AgentFields
from neurorl.models.agent.parts import P, Part, Registry
from neurorl.models.deep.patches import Patches
from neurorl.models.deep.trunk import INNER
from neurorl.models.features import Features
from neurorl.models.neurons.leaky import GLM, LIF, CubaLIF
from neurorl.network.plasticity import Plasticity
from neurorl.network.serialization import Range
from neurorl.reparameterization.config import GradientConfig
from neurorl.rules import Rule
from neurorl.storage.plain import declared_types, kind_name

_HEAD = """# Every hyperparameter

Made by `python scripts/hyperparameters.py` from the classes themselves. Defaults are the classes';
a preset, or what the [first play](default-agent.md) of a task finds, chooses others, and
`agent.config` has those in force. A field is set by an option, in a file or from Python:

```sh
neurorl train CartPole-v1 --set actors=20 --set policy=softmax --set policy.beta=0.2
neurorl train CartPole-v1 --config mine.toml    # actors = 20, and policy.beta = 0.2, as lines
```

```python
import dataclasses

from neurorl import SpikingActorCritic
from neurorl.models.agent.policies import Softmax

agent = SpikingActorCritic("CartPole-v1", actors=20, policy=Softmax(beta=0.2), seed=1)
sharper = dataclasses.replace(agent.config.policy, beta=0.4)
assert agent.config.changed(policy=sharper).policy.beta == 0.4
```

An option that nothing in the agent reads is refused by a line that says what would read it. Several
settings beside each other are a [sweep](sweeps.md), which Optuna may search as well."""
_KINDS = {
    "encoder": "An encoder makes the input of a window from the activations of `cells`.",
    "policy": "A policy chooses an action by the votes of the output.",
    "critic": "A critic says what states are worth, so that there is a TD error.",
    "writes": "Writes say how weights of a few bits change.",
    "modulator": "A modulator is the third factor, which all synapses hear.",
    "schedule": "A schedule multiplies all step sizes.",
    "learning": "Learning names the place where weights change.",
    "trunk": "A trunk says whether actions share their hidden layers ([depth](depth.md)).",
    "normalisation": "A normalisation keeps the drives of hidden layers in range.",
    "feedback": "Feedback is what a hidden neuron hears of the output's errors.",
    "step_size": "A step size turns the signal of a synapse into its step.",
    "observations": "Observations become activations of the first layer.",
}
"""Say what each kind of part does."""
_BEGINS = re.compile(r"(?:^|(?<=[.:] ))(\w+(?:, \w+)*): ")
"""Find where the text of a field begins: at names and a colon that begin a sentence."""
_TYPES = {
    "list of int": "list of whole numbers",
    "list of float": "list of numbers",
    "list of str": "list of texts",
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "str": "text",
    "Any": "number or array",
    "Mapping": "choices by name",
    "Callable": "function",
}
"""Map types, as `kind_name` writes them, to plain words."""
_MOST_SHOWN = 2.0**40


def page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD, "## The agent", _of_class(AgentFields, "")]
    for kind, registry in KINDS.items():
        parts += [f"## {kind}", _KINDS[kind], *_of_registry(kind, registry, f"--set {kind}")]
    parts += [
        "## Hidden layers that actions share",
        "Each is chosen by its name, with `--model deep`, and so are its fields: "
        "`--set trunk.normalisation=pool --set trunk.normalisation.floor=1e-4`, or from Python "
        "`trunk=Shared(normalisation=Pool(floor=1e-4))` of `neurorl.models.deep`.",
    ]
    for kind, registry in INNER.items():
        of, said = f"trunk.{kind}", f"--model deep --set trunk.{kind}"
        parts += [f"### {kind}", _KINDS[kind], *_of_registry(of, registry, said)]
    parts += ["### patches", _intro(Patches), _of_class(Patches, "trunk.patches.")]
    parts += [
        "## Cells and features",
        "`cells` feed the network and `features` the critic. From Python they are objects of "
        "`neurorl.models.features`; a field of those that an agent has is set by "
        "`--set cells.FIELD=VALUE` or `--set features.FIELD=VALUE`.",
    ]
    for cls in feature_classes():
        parts += [f"### {cls.__name__}", _intro(cls), _of_class(cls, "cells.")]
    parts += [*_of_neurons(), *_of_rules()]
    parts += [
        "## Gradients",
        "With `--approach reparameterization` ([gradients](reparameterization.md)), "
        "or `ReparameterizedActorCritic(env, gradient=GradientConfig(...))`.",
        _of_class(GradientConfig, "gradient."),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def feature_classes() -> list[type[Features]]:
    """Return the public classes of cells and features that have fields of their own."""
    public = (getattr(neurorl.models.features, name) for name in neurorl.models.features.__all__)
    classes: list[type[Features]] = [cls for cls in public if issubclass(cls, Features)]
    return [cls for cls in classes if _names(cls)]


def shipped(registry: Registry[P]) -> dict[str, type[P]]:
    """Return the library's classes of a kind by name, without those that users registered."""
    return {name: cls for name, cls in registry.items() if cls.__module__.startswith("neurorl.")}


def sentence(cls: type, field: str) -> str:
    """Return what is said of a field: in a docstring of its class or a base, or in `SAID`.

    Raises LookupError for a field that nobody explained.
    """
    for key in (f"{cls.__name__}.{field}", field):
        if key in SAID:
            return SAID[key]
    for base in cls.__mro__:
        said = _lines(base).get(field)
        if said:
            return said
    raise LookupError(f"{cls.__name__}.{field}: say what it is in the docstring, or in SAID")


def _names(cls: type) -> list[str]:
    return [one.name for one in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []


def _lines(cls: type) -> Mapping[str, str]:
    """Return the texts ``name: what it is`` of a class's docstring, several of a line, by name."""
    result: dict[str, str] = {}
    for block in re.split(r"\n\s*\n", cls.__dict__.get("__doc__") or ""):
        _, *pieces = _BEGINS.split(" ".join(block.split()))
        for names, text in zip(pieces[::2], pieces[1::2], strict=True):
            said = re.sub(r"\.$", "", text.partition(" Raises ")[0].strip())
            result |= dict.fromkeys(names.split(", "), said)
    return result


def _intro(cls: type) -> str:
    return _plain(" ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split()))


def _plain(text: str) -> str:
    return cleaned(text).replace("``", "`")


def _of_registry(kind: str, registry: Registry[Part], option: str) -> Iterator[str]:
    """Yield a line and a table for each class of a registry. kind: the option that chooses one."""
    for name, cls in shipped(registry).items():
        usual = ", the default" if cls is registry.default else ""
        yield f"**`{name}`**{usual}: `{option}={name}`, or `{cls.__name__}`. {_intro(cls)}"
        yield _of_class(cls, f"{kind}.")


def _of_class(cls: type, prefix: str | None) -> str:
    """Return a table of the fields of a class, "" if it has none. prefix: None has no option."""
    types = declared_types(cls, ranges=True)
    rows: list[Sequence[str]] = []
    for field in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        name = field.name if prefix is None else f"{prefix}{field.name}"
        kind = RANGES.get(f"{cls.__name__}.{field.name}") or _range(types.get(field.name, object))
        rows.append((f"`{name}`", kind, _default(cls, field), _plain(sentence(cls, field.name))))
    return table(("field", "type and range", "default", "what it is"), rows) if rows else ""


def _default(cls: type, field: dataclasses.Field[object]) -> str:
    if field.default is not dataclasses.MISSING:
        return f"`{field.default}`" if field.default != () else "none"
    if field.default_factory is dataclasses.MISSING:
        return "by the task" if cls is AgentFields else "must be given"
    made = field.default_factory()
    return f"`{getattr(made, 'name', made)}`"


def _range(kind: object) -> str:
    """Return a declared type with its range, as a reader would say it."""
    arguments = get_args(kind)
    limits = [one for one in arguments if isinstance(one, Range)]
    if not limits:
        return _type(arguments[0] if get_origin(kind) is Annotated else kind)
    base, limit = arguments[0], limits[0]
    if base is bool:
        return _type(bool)
    low = f"{limit.low:,.12g}" if limit.low > -_MOST_SHOWN else ""
    high = f"{limit.high:,.12g}" if limit.high < _MOST_SHOWN else ""
    within = f"{low} to {high}" if low and high else f"at least {low}" if low else ""
    return ", ".join(filter(None, (_type(base), within)))


def _type(kind: object) -> str:
    name = re.sub(r"collections\.abc\.(Mapping|Callable)\[.*\]", r"\1", kind_name(kind))
    for word, plain in _TYPES.items():
        name = re.sub(rf"\b{word}\b", plain, name)
    return name


def _of_neurons() -> Iterator[str]:
    """Yield what the ready neurons have, those of equations with their parameters."""
    yield "## Neurons"
    yield (
        "`--model lif` has `CubaLIF`, `--model glm` has `GLM`; others are objects: "
        "`neuron=IZHIKEVICH` ([every neuron](../models), [your own](neurons.md))."
    )
    for cls in (CubaLIF, LIF, GLM):
        yield f"### {cls.__name__}"
        yield from (_intro(cls), _of_class(cls, "neuron."))
    for name, neuron in neuron_pages.neurons().items():
        if isinstance(neuron, Equations):
            what = described(neuron_pages.docstring(name, neuron))[1]
            values = {key: f"`{float(value):g}`" for key, value in neuron.parameters.items()}
            rows = [(f"`{key}`", value, _plain(what[key])) for key, value in values.items()]
            yield f"### {name}"
            yield table(("parameter", "value", "what it is"), rows)


def _of_rules() -> Iterator[str]:
    """Yield the rules by name, the fields of a rule of one's own, and those of what learns."""
    yield "## Rules"
    yield (
        "`--rule NAME`, `--set rule=NAME` or `rule=NAME` chooses one "
        "([every rule](../neurorl/rules))."
    )
    rows = [
        (f"`{name}`", _plain(described(rule_pages.docstring(rule))[0][0].split("\n")[0]))
        for name, rule in rule_pages.rules().items()
    ]
    yield table(("rule", "what it does"), rows)
    yield "### Rule"
    yield (
        "A rule of your own is an object of `neurorl.rules` ([rules](rules.md#a-rule-of-your-own))."
    )
    yield _of_class(Rule, None)
    yield "### Plasticity"
    yield "A projection of a network of your own learns with `plasticity=Plasticity(...)`."
    yield _of_class(Plasticity, None)
